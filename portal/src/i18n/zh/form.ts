// SPDX-License-Identifier: Apache-2.0
export default {
  optional: '选填 {n} 项', areaHelp: '12 位区划代码,以 {prefix} 开头', recent: '最近用过', earlier: '以前登记过这位当事人,请核对后使用:', useEarlier: '核对无误,填入', notEarlier: '不使用',
  required: '必填',
  goesTo: '将送往 {n} 个系统',
  yes: '是', no: '否', male: '男', female: '女', yuan: '元',
  choose: '请选择', search: '输入名称、代码或拼音首字母', noMatch: '没有匹配的选项',
  add: '添加{what}', remove: '移除',
  badAmount: '请输入金额,最多两位小数,如 18500.50',
  badIdNumber: '身份证号码校验不通过,请核对',
  readFromId: '由证件号码得出:{birth} 出生,{sex}',
  everything: '显示全部可填项目',
  targets: '将送往 {n} 个系统', targetsHelp: '点开可查看、增减', takesFields: '取用 {n} 项', whatGoes: '{n} 项会送去', nothingYet: '还没有填写它取用的内容', areaFree: '不在名录中的代码,请核对', areaNone: '请输入名称、拼音首字母或 12 位代码',
  saved: '草稿已保存在本机', unsaved: '本机存不下草稿,请尽快提交,先不要关闭页面。', waits: '暂时连不上,已排队,连上后自动提交。', filing: '正在提交…', file: '提交(送往 {n} 个系统)',
  discard: '放弃草稿', discardSure: '这份草稿填写的内容和照片将从本机删除,不能恢复。', removed: '已移除{what}。',
  unfinished: '您还有没提交的草稿', unnamed: '(还没有写名称)',
  elsewhere: { saved: '这份内容正在另一个窗口里填写。为了不互相覆盖,请只在一个窗口里填。', filed: '这份内容已经在另一个窗口提交。', gone: '这份内容已经在另一个窗口放弃。', here: '在这里接着填', open: '查看记录' },
  mend: '有 {n} 处需要修改',
};
