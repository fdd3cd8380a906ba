// SPDX-License-Identifier: Apache-2.0
export default {
  from: '开始日期', to: '结束日期', day: '日期', span: '统计区间', show: '查看', most: '最高 {n}', csv: '下载 CSV:{what}',
  burden: '减负测算', typed: '录入字段', delivered: '送达字段',
  burdenText: '填报 {records} 条、修改 {revisions} 次,共录入 {typed} 项;首次送达 {arrived} 次、更新 {changed} 次,送达 {delivered} 项,少录 {saved} 项。',
  doorText: '登录 {sign_ins} 次,进入应用 {entries} 次,少登录 {sign_ins_saved} 次。',
  systemText: '送达 {arrived} 次,{delivered} 项', fieldsByDay: '每日字段数',
  burdenHow: '按实际计数,不做推算。自动填入的也算录入;更新、手工填报卡片、答复丢失后查实的送达都不计字段,结果只会偏低。报表里没有人员、单位和区划。',
  redundancy: '重复填报', candidates: '合并优先级', candidatesHelp: '按“被其他系统同样索取的字段占比”排序。占比 100% 的系统没有索取任何独有内容,应最先研究合并;是否合并还要看它的用途。',
  shared: '重合 {n}/{all}', nearest: '与{system}重合 {n}', matrix: '字段与系统对照表', required: '必填', asked: '索取', csvFields: '下载 CSV:字段对照', csvSystems: '下载 CSV:合并优先级',
  usage: '应用使用', signIns: '登录', entries: '进入应用', entriesByDay: '每日登录与进入应用次数',
  usageHow: '每次登录首次进入某个应用计一次。只有次数,没有人。',
  adapters: '适配器', choose: '系统', version: '版本', transport: '接口', standing: '核验', against: '核验对象', takes: '接收类型', operation: '操作', idempotent: '可重复提交',
  tests: '测试结果', notRun: '没有测试结果。运行 yimen test --record 后在此显示。', ran: '{at} 运行:通过 {passed} 项,失败 {failed} 项', stale: '此后适配器已修改,结果不代表当前版本。', failedTests: '未通过',
  table: '字段表', target: '目标字段', source: '取自', codes: '对照表', max: '最长', must: '必填', constant: '固定值', given: '一门提供',
  dry: '试运行', dryHelp: '只计算,不发送,不保存。填记录编号,或粘贴一条记录的 data(JSON)。已保存记录中的个人信息按您的权限遮盖。', dryWhat: '记录编号或 JSON', run: '试运行', value: '值', fits: '该系统会接受。', objects: '该系统会退回:', hidden: '个人信息已遮盖', badJson: '既不是记录编号,也不是 JSON',
};
