// SPDX-License-Identifier: Apache-2.0
export default {
  app: { name: '一门', slogan: '一次登录,一次填报,处处送达' },
  nav: { home: '首页', records: '我的记录', file: '填报', console: '运维', skip: '跳到正文', menu: '菜单', main: '主导航' },
  who: { signIn: '登录', signOut: '退出登录', expired: '登录已过期。已填写的内容都保存在本机,重新登录后接着填。', again: '重新登录', password: '修改密码', sessions: '我的登录', mine: '我的', here: '当前登录', endOthers: '结束其他登录', second: '两步验证' },
  settings: { care: '关怀模式', language: '语言', chinese: '中文', english: 'English' },
  state: {
    queued: '等待发送', sending: '正在发送', delivered: '已送达', retrying: '稍后重试', held: '暂缓发送',
    unknown: '待核实', rejected: '被退回', dead: '发送失败', handoff: '需手工填报', withdrawn: '已撤回',
  },
  act: { retry: '重试', cancel: '取消', confirm: '确定', close: '关闭', back: '返回', save: '保存', more: '更多', copy: '复制', copied: '已复制', undo: '撤销', keep: '保留', reload: '刷新' },
  say: { loading: '正在加载…', empty: '暂无内容', offline: '当前没有网络。填写的内容会保存在本机,联网后自动提交。', failed: '出了点问题', unreachable: '暂时连不上,请检查网络,稍后再试。', nowhere: '没有这个页面', tryAgain: '请稍后再试。', errorId: '错误编号' },
  home: {
    hello: '您好,{name}', apps: '我的应用', needs: '需要您处理', nothing: '没有需要处理的事项', allNeeds: '显示全部 {n} 件', first: '还没有记录。点上面的按钮开始填报。', recent: '最近的记录', all: '查看全部',
    fileOne: '填报{type}', drafts: '草稿', open: '打开', waiting: '等待网络',
  },
};
