/* SPDX-License-Identifier: Apache-2.0
 * An operator's way: one platform is ill, the console shows which and what to do, nobody else waits;
 * deliveries that gave up are replayed, an account is made and ended.
 */
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { QUICK, dispute, until } from '../e2e/stack_helper.mjs';
import { portal } from './suite.mjs';

describe('portal: operations', () => {
  let stack, chrome, admin;

  portal({ settings: { ...QUICK, attempts: 2 }, people: { admin: {} } }, (its) => { ({ stack, chrome, admin } = its); });

  const row = (id) => admin.page.locator('tbody tr').filter({ hasText: `${id} ·` });

  test('a platform that is down is named; the others go on', async () => {
    const { page } = admin;
    await stack.behave('zj-odr', 'down', {});
    const record = await stack.file(dispute({ title: '一方停机' }));
    await stack.settled(record.id, 'the others delivered', (d) => d['grid-platform'].state === 'delivered' && d['zj-odr'].state !== 'delivered');
    await admin.go('/console');
    await until('the console to say so', 20, async () => /对方不可用/.test(await row('zj-odr').innerText().catch(() => '')));
    assert.match(await row('grid-platform').innerText(), /正常/);
    await stack.behave('zj-odr', 'normal', {});
    await stack.settled(record.id, 'arrived when it was back', (d) => d['zj-odr'].state === 'delivered', 30);
  });

  test('pause and resume with a reason, in the evidence', async () => {
    const { page } = admin;
    await admin.go('/console');
    await row('grid-platform').getByRole('button', { name: '暂停' }).click();
    await page.getByLabel('暂停原因').fill('夜间升级');
    await page.getByRole('button', { name: '确定' }).click();
    await row('grid-platform').getByText('夜间升级').waitFor();
    await row('grid-platform').getByRole('button', { name: '恢复' }).click();
    await page.getByLabel('恢复原因').fill('升级完成');
    await page.getByRole('button', { name: '确定' }).click();
    await row('grid-platform').getByText('正常').waitFor();
    const { items } = (await stack.api('admin', '/audit?limit=200')).json;
    assert.ok(items.some((e) => e.why === '夜间升级') && items.some((e) => e.why === '升级完成'));
  });

  test('refused deliveries are found, planned and replayed', async () => {
    const { page } = admin;
    await stack.behave('data-commons', 'reject', { field: 'title', calls: 1 });
    const record = await stack.file(dispute({ title: '先被退回' }));
    await stack.settled(record.id, 'refused', (d) => d['data-commons'].state === 'rejected');
    await admin.go('/console/deliveries?system=data-commons');
    await page.getByRole('link', { name: record.id }).waitFor();
    await admin.go('/console');
    await row('data-commons').getByRole('button', { name: '重放' }).click();
    await page.getByLabel('发送失败').uncheck();
    await page.getByLabel('被退回').check();
    await page.getByLabel('重放原因').fill('对方已修正规则');
    await page.getByRole('button', { name: '查看将重放多少' }).click();
    await page.getByText('符合条件 1 条').waitFor();
    await page.getByRole('button', { name: '开始重放' }).click();
    await page.getByText('已重新排队 1 条').waitFor();
    await stack.settled(record.id, 'delivered after the replay', (d) => d['data-commons'].state === 'delivered');
  });

  test('an account is made by a link, signs in, and is shut out when it is disabled', async () => {
    const { page } = admin;
    await admin.go('/console/users');
    await page.getByRole('button', { name: '新建账户' }).click();
    await page.getByLabel('登录名').fill('new-mediator');
    await page.getByLabel('区划').fill('330106');
    await page.getByRole('button', { name: '确定' }).click();
    const link = await page.locator('.link').innerText();
    const context = await chrome.browser.newContext({ locale: 'zh-CN' });
    const other = await context.newPage();
    await other.goto(link);
    for (const box of await other.locator('input[type=password]').all()) await box.fill('long enough for 一门');
    await other.locator('button[type=submit]').first().click();
    await other.goto(`${stack.info.base_url}/auth/login`);
    await other.locator('input[autocomplete=username]').fill('new-mediator');
    await other.locator('input[type=password]').fill('long enough for 一门');
    await other.locator('button[type=submit]').first().click();
    await other.getByText('您好').waitFor();
    await page.getByRole('button', { name: '关闭' }).click();
    await page.locator('tbody tr').filter({ hasText: 'new-mediator' }).getByRole('button', { name: '停用' }).click();
    await page.getByRole('dialog').getByRole('button', { name: '停用' }).click();
    await page.locator('tbody tr').filter({ hasText: 'new-mediator' }).getByText('未启用').waitFor();
    await until('the session to end', 5, async () => (await other.request.get(`${stack.info.base_url}/api/v1/me`)).status() === 401);
    await context.close();
  });
});
