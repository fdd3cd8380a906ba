/* SPDX-License-Identifier: Apache-2.0
 * What is not anybody's daily work: feedback from every page, reports for those who decide, adapters.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { QUICK, dispute, openStack } from '../e2e/stack_helper.mjs';
import { DESK, PHONE, openBrowser } from './browser.mjs';

describe('portal: feedback, reports, adapters', () => {
  let stack, chrome, staff, operator;

  before(async () => {
    stack = await openStack({ settings: QUICK });
    chrome = await openBrowser();
    staff = await (await chrome.person(stack, 'staff', { viewport: PHONE })).signIn();
    operator = await (await chrome.person(stack, 'operator', { viewport: DESK, locale: 'en' })).signIn();
  });
  after(async () => {
    try { for (const p of [staff, operator]) await p?.leave(); } finally {
      await chrome?.close();
      await stack?.close();
    }
  });

  test('feedback from a page: its path and the last error go along, nothing of the form', async () => {
    const { page } = staff;
    await staff.go('/records/00000000000000000000000000');
    await page.waitForSelector('[role=alert]');
    await page.evaluate(() => history.pushState({}, '', '/'));
    await page.getByRole('link', { name: '不打卡' }).click();
    await page.getByText('没有积分、勋章和等级').waitFor();
    await page.getByRole('button', { name: '意见反馈' }).click();
    await page.getByLabel('重复填报、增加负担').check();
    await page.getByLabel('请说明').fill('人员类别选了两次');
    await page.getByText('/promise', { exact: false }).waitFor();
    const [sent] = await Promise.all([page.waitForRequest((r) => r.url().endsWith('/api/v1/feedback')), page.getByRole('button', { name: '提交' }).click()]);
    const { data } = sent.postDataJSON();
    assert.deepEqual(Object.keys(data).sort(), ['app_version', 'error_id', 'kind', 'page', 'text']);
    assert.deepEqual([data.kind, data.page, data.text], ['twice', '/promise', '人员类别选了两次']);
    await page.getByText('已收到').waitFor();
    await page.getByRole('link', { name: '查看这条意见' }).click();
    await page.getByRole('heading', { name: '人员类别选了两次' }).waitFor();
  });

  test('an operator reads it and closes it; its author sees that', async () => {
    const { page } = operator;
    await operator.go('/console/feedback');
    const item = page.locator('main li').filter({ hasText: '人员类别选了两次' });
    await item.getByText('asked for the same twice').waitFor();
    await item.getByRole('button', { name: 'Dealt with' }).click();
    await page.getByLabel('How').fill('asked once from now on');
    await page.getByRole('button', { name: 'OK' }).click();
    await page.getByText('Nothing is open').waitFor();
    await staff.page.reload();
    await staff.page.getByText('已处理').waitFor();
  });
});
