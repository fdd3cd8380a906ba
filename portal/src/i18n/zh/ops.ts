// SPDX-License-Identifier: Apache-2.0
export default {
  title: '运维', systems: '系统', deliveries: '异常送达', audit: '审计', reports: '报告', sessions: '登录与账户',
  health: { running: '正常', paused: '已暂停', suspended: '对方不可用', closed: '不在受理时间', stopped: '工作进程未运行', broken: '配置有误', disabled: '未启用' },
  name: '系统', state: '状态', depth: '排队', oldest: '最久等待', last: '最近成功', delivered: '已送达', trouble: '异常', never: '无',
  pause: '暂停', resume: '恢复', replay: '重放', pauseWhy: '暂停原因', resumeWhy: '恢复原因',
  pauseNote: '暂停后不再发送,排队内容不会丢失。', pausedBy: '{by} 于 {at} 暂停:{why}',
  plan: '查看将重放多少', planned: '符合条件 {n} 条', replayWhy: '重放原因', since: '起始时间', which: '哪些', deadOnes: '发送失败', rejectedOnes: '被退回', start: '开始重放', replayed: '已重新排队 {n} 条', cancelJob: '停止', replaying: '正在重放,已排队 {n} 条',
  record: '记录', system: '系统', when: '时间', attempts: '次数', problem: '原因', act: '操作', retry: '重试', retryWhy: '重试原因', resolve: '处置', all: '全部系统', more: '加载更多',
  who: '人员', what: '动作', why: '原因', from: '开始', to: '结束', none: '没有内容',
  transport: '接口', verified: '核验', verifiedBy: { 'own-simulator': '仅对照自建模拟器', 'unmodified-software': '对照真实软件', 'owner-test': '与系统方联调' },
  fields: '字段', redundancy: '重复填报', redundancyHelp: '同一项内容被多少系统索取。被其他系统完全覆盖的系统,是合并的首选。',
  field: '字段', askedBy: '索取系统数', covered: '被其他系统覆盖', candidate: '合并优先级', csv: '下载 CSV', shared: '重合 {n}/{all}',
  burden: '减负测算', burdenText: '填报 {records} 条记录,送达 {deliveries} 次。约录入 {typed} 项,代替逐系统录入 {delivered} 项,少录 {saved} 项。',
  burdenHow: '按字段表推算:每次送达按该系统取用的字段数计,每条记录按所有目标系统字段的并集计。',
  session: '登录', device: '设备', signedIn: '登录时间', seen: '最近使用', end: '结束', endAll: '结束全部',
};
