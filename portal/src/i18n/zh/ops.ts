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
  field: '字段', askedBy: '索取系统数',
  session: '登录', device: '设备', signedIn: '登录时间', seen: '最近使用', end: '结束', endAll: '结束全部',
  users: '本地账户', addUser: '新建账户', login: '登录名', fullName: '姓名', roles: '角色', org: '单位', area: '区划', active: '正常', noPassword: '未设密码', twoSteps: '两步验证',
  role: { staff: '调解员', supervisor: '主管', operator: '运维', auditor: '审计', admin: '管理员' },
  resetLink: '设置密码链接', linkHelp: '请把此链接交给本人。15 分钟内有效,只能使用一次。', enable: '启用', disable: '停用',
};
