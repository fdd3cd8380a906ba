// SPDX-License-Identifier: Apache-2.0
export default {
  title: '意见反馈', kind: '类别', text: '请说明', contact: '联系方式(可不填)', contactIs: '联系方式 {contact}',
  with: '随意见一起发送:页面 {page},程序版本 {version}。', withError: '附上最近一次错误编号 {id}', without: '不会发送您填写的表单内容。您的上级看不到您的意见。',
  send: '提交', thanks: '已收到,谢谢。处理后您会在记录里看到“已处理”。', mine: '查看这条意见', offline: '当前没有网络,请联网后再提交。',
  list: '意见反馈', openOnly: '只看未处理', none: '没有待处理的意见', close: '处理完毕', closeWhy: '怎样处理的', closed: '已处理',
  short: '不打卡 · 不积分 · 不排名 · 不追踪', promise: '我们的承诺',
  promises: {
    checkIn: '不打卡:没有签到、在线时长,也不要求每天登录。',
    points: '不积分:没有积分、勋章和等级。',
    ranking: '不排名:没有个人或单位之间的比较和通报。',
    tracking: '不追踪:不记录行踪。只有您点“定位”时才读取一次位置,写进您自己正在填的表。',
    reports: '报表只数记录、字段和系统,里面没有人:谁填了多少、谁点开了什么,都不统计。',
    voice: '每一页都可以提意见。意见只有运维人员看得到,不附带表单内容。',
  },
  evidence: '法律要求留存的操作记录(谁在什么时间看过、改过哪条记录)只供审计人员依职责查阅,不用于考核。',
};
