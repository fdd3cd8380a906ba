/* SPDX-License-Identifier: Apache-2.0
 * What people see when there is much, when there is nothing yet, and when something fails: the truth, in
 * their own words, and all of it on the screen.
 */
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { dispute, until } from '../e2e/stack_helper.mjs';
import { DESK, PHONE } from './browser.mjs';
import { portal } from './suite.mjs';

const BY_HAND = ['leader-board'];
const MANY = 24;

describe('portal: plain words', () => {
  let stack, chrome, staff;

  portal({ people: { staff: { viewport: PHONE } } }, (its) => { ({ stack, chrome, staff } = its); });

  const needs = (page) => page.getByRole('region', { name: '需要您处理' });

  test('home: nothing is called done before it is known; nothing yet is said, too', async () => {
    const { page, context } = staff;
    let open = () => {};
    const gate = new Promise((done) => { open = done; });
    await context.route('**/api/v1/records?*', async (route) => { await gate; await route.fallback(); });
    await staff.go('/');
    await page.locator('.tile.first').waitFor();
    await needs(page).getByText('正在加载').waitFor();
    assert.equal(await page.getByText('没有需要处理的事项').count(), 0);
    open();
    await page.getByText('没有需要处理的事项').waitFor();
    await page.getByText('还没有记录').waitFor();
    await context.unroute('**/api/v1/records?*');
  });

  test('home: what needs somebody is there however much was filed since; five first, then all', async () => {
    const { page } = staff;
    for (let i = 1; i <= MANY; i++) await stack.file(dispute({ title: `手工第${i}件` }, BY_HAND));
    await staff.go('/');
    await until('five', 10, async () => await needs(page).locator('a').count() === 5);
    assert.equal(await page.getByRole('link', { name: '手工第1件' }).count(), 0);
    await page.getByRole('button', { name: `显示全部 ${MANY} 件` }).click();
    await page.getByRole('link', { name: '手工第1件', exact: true }).waitFor();
    assert.equal(await needs(page).locator('a').count(), MANY);
  });

  test('records: found by a number, one\'s own alone; what was chosen stands in the address, what was sought does not', async () => {
    const { page } = staff;
    const body = dispute({ title: '电话找得到的' }, BY_HAND);
    body.data.parties[0].phone = '13900000009';
    await stack.file(body);
    await stack.file(dispute({ title: '另一件' }, BY_HAND));
    await staff.go('/records');
    await page.getByText('按证件号码、电话、时间查找').click();
    await page.getByLabel('查找项').selectOption({ label: '当事人 · 联系电话' });
    await page.getByLabel('内容(完全一致)').fill('13900000009');
    await page.getByRole('button', { name: '查找', exact: true }).click();
    await until('one', 10, async () => await page.locator('main li .one').count() === 1);
    await page.getByText('电话找得到的').waitFor();
    assert.ok(!page.url().includes('13900000009'));
    await page.getByRole('button', { name: '显示全部', exact: true }).click();
    await until('all', 10, async () => await page.locator('main li .one').count() > 1);
    await page.getByLabel('填报人').selectOption({ label: '只看我填报的' });
    await page.getByText('没有符合条件的记录').waitFor();   /* these were filed by a token */
    assert.match(page.url(), /owner=me/);
  });

  test('without a network: the forms are there, and no page says more than it knows', async () => {
    const { page, context } = staff;
    await staff.go('/');
    await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
    await page.reload();
    await page.locator('.tile.first').waitFor();
    await context.setOffline(true);
    await staff.go('/');
    await page.locator('.tile.first').waitFor();
    await needs(page).getByText('暂时连不上').waitFor();
    assert.equal(await page.getByText('没有需要处理的事项').count(), 0);
    await staff.go('/records');
    await page.getByText('暂时连不上').waitFor();
    assert.equal(await page.getByText('offline', { exact: true }).count(), 0);
    await context.setOffline(false);
    await staff.go('/');
    await needs(page).locator('a').first().waitFor();
  });

  test('papers are Chinese in any language, their days those of this place; a record that is not there is said', async () => {
    const body = dispute({ title: '夜里发生的', occurred_at: '2026-03-31T18:00:00Z' }, BY_HAND);
    const record = await stack.file(body);
    const who = await (await chrome.person(stack, 'staff', { viewport: DESK, locale: 'en-GB' })).signIn();
    await who.go(`/records/${record.id}/print`);
    await who.page.locator('article table').waitFor();
    const table = await who.page.locator('article').innerText();
    assert.match(table, /申请人/);
    assert.match(table, /2026年4月1日/);
    assert.doesNotMatch(table, /applicant|respondent/i);
    await who.page.getByRole('button', { name: 'Mediation agreement' }).click();
    assert.match(await who.page.locator('article').innerText(), /人民调解协议书[^]*申请人/);
    await who.page.emulateMedia({ media: 'print' });
    assert.equal(await who.page.locator('header').isVisible(), false);
    assert.equal(await who.page.getByRole('button', { name: 'Print' }).isVisible(), false);
    await who.page.emulateMedia({ media: 'screen' });
    await who.go('/records/01M8000000000000000000000A/print');
    await who.page.locator('[role=alert]').waitFor();
    await who.leave();
  });

  test('care mode on a phone: the head of the page takes one line, what it holds is behind one button', async () => {
    const who = await (await chrome.person(stack, 'staff', { viewport: PHONE, care: true })).signIn();
    const { page } = who;
    const { height } = await page.locator('header').boundingBox();
    assert.ok(height <= 80, `${height} px`);
    assert.equal(await page.getByRole('button', { name: '退出登录' }).isVisible(), false);
    await page.getByRole('button', { name: '菜单' }).click();
    await page.getByRole('button', { name: '退出登录' }).waitFor();
    await page.keyboard.press('Escape');
    assert.equal(await page.getByRole('button', { name: '退出登录' }).isVisible(), false);
    assert.equal(await page.evaluate(() => document.activeElement.textContent.trim()), '菜单');
    await page.getByRole('button', { name: '菜单' }).click();
    await page.getByRole('link', { name: '我的', exact: true }).click();
    await page.waitForURL(/\/sessions$/);
    assert.equal(await page.getByRole('button', { name: '退出登录' }).isVisible(), false);
    await who.leave();
  });

  for (const [name, look] of [['English', { locale: 'en-GB' }], ['Chinese, care mode', { care: true }]]) {
    test(`the table of systems is whole on a desk: ${name}`, async () => {
      await stack.post('admin', '/systems/gov-service/pause', { reason: '对方夜间升级' });
      const who = await (await chrome.person(stack, 'operator', { viewport: DESK, ...look })).signIn();
      await who.go('/console');
      await who.page.locator('tbody tr').first().waitFor();
      const hidden = await who.page.locator('.scroll-x').evaluate((e) => e.scrollWidth - e.clientWidth);
      assert.ok(hidden <= 0, `${hidden} px are out of sight`);
      await who.leave();
      await stack.post('admin', '/systems/gov-service/resume', { reason: '升级结束' });
    });
  }
});
