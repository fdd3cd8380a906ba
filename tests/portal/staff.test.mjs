/* SPDX-License-Identifier: Apache-2.0
 * A mediator's way through the portal, on a phone: sign in, file once, see every number, mend what one
 * platform refused, without a signal too.
 */
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { dispute, NUMBERS, EIGHT } from '../e2e/stack_helper.mjs';
import { DESK, PHONE, typeDispute } from './browser.mjs';
import { portal } from './suite.mjs';

describe('portal: staff', () => {
  let stack, chrome, staff;

  portal({ people: { staff: { viewport: PHONE } } }, (its) => { ({ stack, chrome, staff } = its); });

  /* Whatever the targets ask for beyond the routine fields is named in the list of objections. */
  async function file(page, more = async () => {}) {
    await page.locator('form button[type=submit]').click();
    await more();
    await page.waitForURL(/\/records\/[0-9A-Z]{26}$/, { timeout: 30000 }).catch(async (error) => {
      throw new Error(`not filed: ${await page.locator('main').innerText()}`, { cause: error });
    });
    return page.url().split('/').pop();
  }

  async function completed(page, title) {
    const form = await typeDispute(page, { title });
    await form.fill('parties_0_phone', '13000000001');
    await form.check('scale', '个体性事件');
    await form.fill('people_count', '2');
    await form.fill('handler_org', '示例镇人民调解委员会');
    return form;
  }

  test('one form, filed once on a phone: every platform with its own number', async (t) => {
    const { page } = staff;
    const began = Date.now();
    await staff.go('/new/dispute');
    await page.waitForSelector('#f_title');
    const form = await completed(page, '甲与乙邻里噪声纠纷');
    await page.waitForTimeout(1500);   /* a pause: the form asks the gateway what it thinks */
    await page.locator('#f_title').fill('甲与乙邻里噪声纠纷(楼上楼下)');   /* what is typed after the question counts too */
    const id = await file(page);
    await stack.settled(id, 'all settled', (d) => EIGHT.every((s) => d[s]?.state === 'delivered') && d['leader-board'].state === 'handoff', 30);
    for (const system of EIGHT) {
      const { number } = (await stack.record(id)).deliveries[system];
      assert.match(number, NUMBERS[system]);
      await page.getByText(number, { exact: true }).waitFor();
    }
    const cards = await Promise.all([...EIGHT, 'leader-board'].map((s) => stack.api('staff', `/records/${id}/deliveries/${s}/card`)));
    const delivered = cards.reduce((n, c) => n + c.json.items.length, 0);
    t.diagnostic(`routine dispute: ${form.count()} fields typed, ${delivered} delivered to nine platforms, 1 sign-in in place of nine, all numbers back after ${Math.round((Date.now() - began) / 100) / 10} s of a typist without pauses`);
    assert.equal((await stack.record(id)).data.title, '甲与乙邻里噪声纠纷(楼上楼下)');
    assert.ok(delivered > 5 * form.count(), `${form.count()} typed, ${delivered} delivered`);
  });

  test('what is wrong is said at its field, all at once, and nothing is filed', async () => {
    const { page } = staff;
    const before = (await stack.api('staff', '/records')).json.items.length;
    await staff.go('/new/dispute');
    await page.waitForSelector('#f_title');
    await page.locator('form button[type=submit]').click();
    await page.waitForSelector('#problems');
    assert.ok(await page.locator('#problems li').count() >= 5);
    await page.locator('#problems button').filter({ hasText: '事件名称' }).first().click();
    assert.equal(await page.evaluate(() => document.activeElement.id), 'f_title');
    assert.equal(await page.locator('#f_title').getAttribute('aria-invalid'), 'true');
    assert.equal((await stack.api('staff', '/records')).json.items.length, before);
  });

  test('without a signal: the draft stays, the record is filed once when the network is back', async () => {
    const { page, context } = staff;
    await staff.go('/new/dispute');
    await page.waitForSelector('#f_title');
    const title = `离线填报 ${Date.now()}`;
    await completed(page, title);
    await context.setOffline(true);
    await page.locator('form button[type=submit]').click();
    await page.getByText('已排队').waitFor();
    await context.setOffline(false);
    const found = async () => (await stack.api('staff', '/records?limit=50')).json.items.filter((r) => r.data.title === title);
    for (let i = 0; i < 400 && (await found()).length === 0; i++) await page.waitForTimeout(100);
    await page.waitForTimeout(500);
    await staff.go('/');
    await page.waitForTimeout(500);
    assert.equal((await found()).length, 1, 'exactly one record');
    assert.equal(await page.getByText('等待网络').count(), 0);
  });

  test('a field that one platform refuses is mended once, for all', async () => {
    const { page } = staff;
    await stack.behave('zj-odr', 'reject', { field: 'title', calls: 1 });
    await staff.go('/new/dispute');
    await page.waitForSelector('#f_title');
    await completed(page, '会被退回的纠纷');
    const id = await file(page);
    await stack.settled(id, 'refused by one', (d) => d['zj-odr'].state === 'rejected', 30);
    await page.getByText('问题所在:事件名称').waitFor();   /* the form's word for what they call otherwise */
    await page.getByRole('link', { name: '修改并重新发送' }).click();
    await page.locator('#f_title').waitFor();
    assert.equal(await page.locator('#f_title').getAttribute('aria-invalid'), 'true');
    assert.match(await page.locator('#f_title-wrong').innerText(), /不符合要求/, 'said at its field');
    await page.locator('#f_title').fill('改过名称的纠纷');
    await page.locator('form button[type=submit]').click();
    await page.waitForURL(new RegExp(`/records/${id}$`));
    await stack.settled(id, 'mended everywhere', (d) => EIGHT.every((s) => d[s].state === 'delivered' && d[s].revision === 2), 30);
    for (const system of ['zj-odr', 'grid-platform']) {
      const [kept] = await stack.kept(system, id);
      assert.match(JSON.stringify(kept), /改过名称的纠纷/, system);
    }
  });

  test('a platform without an interface: the card is copied, the number entered', async () => {
    const { page } = staff;
    const record = await stack.file(dispute({ title: '手工填报' }));   /* by a token of the same area: the person sees it */
    await staff.go(`/records/${record.id}`);
    await page.getByRole('button', { name: '查看填报卡片' }).click();
    await page.getByText('留言主题').waitFor();
    await page.getByLabel('对方编号(没有可不填)').fill('LB-7');
    await page.getByRole('button', { name: '已填报' }).click();
    await page.getByText('LB-7', { exact: true }).waitFor();
    assert.equal((await stack.record(record.id)).deliveries['leader-board'].state, 'delivered');
  });

  test('in English on a desk, and out again', async () => {
    const person = await (await chrome.person(stack, 'supervisor', { viewport: DESK, locale: 'en' })).signIn();
    await person.page.getByRole('heading', { name: /Hello/ }).waitFor();
    await person.page.getByRole('button', { name: 'Sign out' }).click();
    await person.page.waitForURL(/\/auth\//);
    await person.go('/records');
    await person.page.waitForURL(/\/auth\/login/);
    await person.leave();
  });
});
