// SPDX-License-Identifier: Apache-2.0
export default {
  title: '我的记录', filter: '筛选', find: '按证件号码、电话、时间查找', findEnd: '显示全部', by: '填报人', byMe: '只看我填报的', state: '状态', any: '全部', type: '类型', more: '加载更多', none: '没有符合条件的记录', count: '显示 {n} 条',
  filedAt: '{at} 提交', happenedAt: '{at} 发生', sent: '送去的内容({n} 项)', sentShow: '送去了哪些内容', conflictOf: '“{field}”两边都改过', empty: '(空)', kept: '修改已保存在本机', discardEdit: '放弃修改', discardSure: '还没有保存的修改将从本机删除,不能恢复。记录保持原样。', revision: '第 {n} 版', progress: '{done}/{all} 个系统已办妥',
  withdrawn: '已撤回', masked: '个人信息已隐去',
  lanes: '送达情况', system: '系统', number: '对方编号', notYet: '尚无编号', proof: '回执摘要',
  data: '填报内容', history: '修改记录', who: '{by} 于 {at}', me: '我', changed: '改动', firstFiled: '首次提交', forOwner: '代填报人修改:{why}',
  mend: '修改', withdraw: '撤回', print: '打印', printTable: '受理登记表', printAgreement: '调解协议书',
  withdrawWhy: '撤回原因', withdrawSure: '撤回后,能撤回的系统会自动撤回,其余系统会提示人工处理。',
  say: {
    queued: '已受理,排队等待发送', sending: '正在发送', delivered: '对方已收到', retrying: '对方暂时不可用,{at}再试',
    held: '该系统暂停或不在受理时间内,恢复后自动发送', unknown: '已发出但没有收到明确答复,正在核实', unknownPerson: '已发出但没有明确答复,需要人工核实',
    rejected: '被对方退回:{why}', dead: '多次发送失败,运维人员会处理', handoff: '该系统没有接口,请按卡片手工填报', withdrawn: '已撤回',
  },
  finding: {
    other_number: '对方给出的编号属于另一条记录({numbers}),需要人工核实', number_unproven: '对方给出了编号,但按我方编号查不到这条记录,需要人工核实',
  },
  card: '查看填报卡片', cardHelp: '逐项复制到 {system},完成后填写对方编号。', done: '已填报', numberThere: '对方编号(没有可不填)',
  resolve: '核实', there: '对方已有', notThere: '对方没有,重新发送', reason: '说明', refusedField: '问题所在:{field}',
  resend: '修改并重新发送', save: '保存(送往各系统)', stale: '这条记录刚被他人修改过,请比较后再保存。', theirs: '现在的内容', mine: '我的修改', keepMine: '用我的', keepTheirs: '用现在的',
  needsYou: '需要您处理',
};
