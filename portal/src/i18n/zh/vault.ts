// SPDX-License-Identifier: Apache-2.0
export default {
  title: '我在“{system}”的账号',
  what: '填写您在{system}的账号和密码。它们加密保存,只用来替您登录该系统,保存后任何人都不能再查看,包括管理员。',
  login: '账号', password: '密码', show: '显示密码',
  saved: '已保存。', open: '打开{system}', stale: '该系统不接受已保存的账号或密码,请重新填写。',
  since: '已于{at}保存。重新填写会替换原来的账号。', drop: '删除已保存的账号', dropSure: '删除后,进入{system}前要重新填写账号和密码。',
  none: '该应用不需要填写账号。', offline: '当前没有网络,账号没有保存,请稍后再试。',
  missing: '需要填写账号', refused: '账号需要更新',
};
