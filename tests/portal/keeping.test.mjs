/* SPDX-License-Identifier: Apache-2.0
 * Nothing that somebody typed is lost: not by a reload, the back button, a session that ends in mid-form, a
 * second window, a gateway that is away, a slip of the thumb.
 */
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { dispute, until } from '../e2e/stack_helper.mjs';
import { PHONE, typeDispute } from './browser.mjs';
import { portal } from './suite.mjs';

describe('portal: nothing typed is lost', () => {
  let stack, staff;

  portal({ people: { staff: { viewport: PHONE } } }, (its) => { ({ stack, staff } = its); });

  const title = (page) => page.locator('#f_title');
  const filedAs = async (name) => (await stack.api('staff', '/records?limit=50')).json.items.filter((r) => r.data.title === name);
  const signed = async (page) => {
    const { login, password } = stack.info.accounts.staff;
    await page.locator('input[autocomplete=username]').fill(login);
    await page.locator('input[type=password]').fill(password);
    await page.locator('button[type=submit]').first().click();
  };

  /* What a test makes happen on purpose is no fault of the page. */
  function provoked(pattern) {
    const others = staff.faults.filter((f) => !pattern.test(f));
    assert.ok(others.length < staff.faults.length, `${pattern} did not happen`);
    staff.faults.splice(0, staff.faults.length, ...others);
  }

  async function begin(page = staff.page) {
    await page.goto(`${stack.info.base_url}/new/dispute`);
    await title(page).waitFor();
    return page;
  }

  async function begun(name, page = staff.page) {
    await begin(page);
    await title(page).fill(name);
    await page.waitForURL(/[?&]draft=/);
    return page;
  }

  async function completed(name, page = staff.page) {
    await begin(page);
    const form = await typeDispute(page, { title: name });
    await form.fill('parties_0_phone', '13000000001');
    await form.check('scale', '个体性事件');
    await form.fill('people_count', '2');
    await form.fill('handler_org', '示例镇人民调解委员会');
    return form;
  }

  test('reloaded, or left and come back to: the form is as it was; another one begins empty and names what is unfinished', async () => {
    const page = await begun('写到一半的纠纷');
    await page.reload();
    await title(page).waitFor();
    assert.equal(await title(page).inputValue(), '写到一半的纠纷');
    await page.getByRole('link', { name: '首页' }).last().click();
    await page.locator('.tile.first').waitFor();
    await page.goBack();
    await title(page).waitFor();
    assert.equal(await title(page).inputValue(), '写到一半的纠纷');
    await page.getByRole('link', { name: '填报', exact: true }).click();
    await until('an empty form', 5, async () => await title(page).inputValue() === '');
    const unfinished = page.getByRole('region', { name: '您还有没提交的草稿' });
    await unfinished.getByRole('link', { name: '写到一半的纠纷' }).click();
    await until('the draft', 5, async () => await title(page).inputValue() === '写到一半的纠纷');
    assert.equal(await unfinished.count(), 0);
  });

  test('the session ends in mid-form: said while typing, and after the sign-in one goes on where one was', async () => {
    const { page, context } = staff;
    await completed('会话中断的纠纷');
    await context.clearCookies();
    await page.locator('#f_summary').fill('会话结束以后写的。');
    await page.getByText('登录已过期').waitFor();
    await page.getByRole('button', { name: '重新登录' }).click();
    await page.waitForURL(/\/auth\/login/);
    await signed(page);
    await title(page).waitFor();
    assert.equal(await title(page).inputValue(), '会话中断的纠纷');
    assert.equal(await page.locator('#f_summary').inputValue(), '会话结束以后写的。');
    await context.clearCookies();
    await page.locator('form button[type=submit]').click();
    await page.waitForURL(/\/auth\/login/);
    await signed(page);
    await title(page).waitFor();
    await page.locator('form button[type=submit]').click();
    await page.waitForURL(/\/records\/[0-9A-Z]{26}$/, { timeout: 15000 });
    assert.equal((await filedAs('会话中断的纠纷')).length, 1);
  });

  test('the session ends while a record is changed: the change is there after the sign-in', async () => {
    const { page, context } = staff;
    const record = await stack.file(dispute({ title: '改到一半的纠纷' }), 10);
    await staff.go(`/records/${record.id}/edit`);
    await title(page).fill('改了一半');
    await context.clearCookies();
    await page.locator('form button[type=submit]').click();
    await page.waitForURL(/\/auth\/login/);
    await signed(page);
    await title(page).waitFor();
    assert.equal(await title(page).inputValue(), '改了一半');
    await page.locator('form button[type=submit]').click();
    await page.waitForURL(new RegExp(`/records/${record.id}$`));
    assert.equal((await stack.record(record.id)).data.title, '改了一半');
  });

  test('signed in anew in another window: this one files without a reload', async () => {
    const { page, context } = staff;
    await completed('另一窗口重新登录');
    await context.clearCookies();
    const second = await context.newPage();
    await second.goto(`${stack.info.base_url}/`);
    await second.locator('input[type=password]').waitFor();
    await signed(second);
    await second.locator('.tile.first').waitFor();
    await page.locator('form button[type=submit]').click();
    await page.waitForURL(/\/records\/[0-9A-Z]{26}$/, { timeout: 15000 });
    await second.close();
    provoked(/status of 403/);   /* with the token of the session before */
  });

  test('one draft in two windows: neither writes over the other, and what one files the other knows', async () => {
    const { context } = staff;
    const first = await begun('两个窗口的纠纷');
    const second = await context.newPage();
    await second.goto(first.url());
    await title(second).waitFor();
    await second.locator('#f_summary').fill('第二个窗口写的');
    await first.getByText('另一个窗口里填写').waitFor();
    assert.equal(await first.locator('form').count(), 0, 'nothing can be typed over it');
    await first.getByRole('button', { name: '在这里接着填' }).click();
    await title(first).waitFor();
    assert.equal(await first.locator('#f_summary').inputValue(), '第二个窗口写的');
    assert.equal(await title(first).inputValue(), '两个窗口的纠纷');
    await completed('两个窗口,交一次', first);
    await second.goto(first.url());
    await title(second).waitFor();
    await first.locator('form button[type=submit]').click();
    await first.waitForURL(/\/records\/[0-9A-Z]{26}$/, { timeout: 15000 });
    await second.getByText('已经在另一个窗口提交').waitFor();
    await second.getByRole('link', { name: '查看记录' }).click();
    await second.waitForURL(first.url());
    assert.equal((await filedAs('两个窗口,交一次')).length, 1);
    await second.close();
  });

  test('the gateway is away though there is a network: it waits, and leaves by itself', async () => {
    const { page, context } = staff;
    await completed('网关不在时的纠纷');
    let away = true;
    await context.route('**/api/v1/records', (route) => (away && route.request().method() === 'POST' ? route.abort('connectionrefused') : route.fallback()));
    await page.locator('form button[type=submit]').click();
    await page.getByText('已排队').waitFor();
    assert.equal(await page.getByText('offline').count(), 0);
    away = false;
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
    await page.waitForURL(/\/records\/[0-9A-Z]{26}$/, { timeout: 15000 });
    assert.equal((await filedAs('网关不在时的纠纷')).length, 1);
    await context.unroute('**/api/v1/records');
    provoked(/ERR_CONNECTION_REFUSED/);
  });

  test('a slip of the thumb: Enter does not file, a party that was removed comes back, discarding asks first', async () => {
    const { page } = staff;
    await completed('手滑的纠纷');
    await page.locator('#f_place_address').press('Enter');
    assert.notEqual(await page.evaluate(() => document.activeElement.id), 'f_place_address', 'on to the next field');
    await page.locator('#f_parties_1_name').press('Enter');
    await page.waitForTimeout(500);
    assert.match(page.url(), /\/new\/dispute/);
    await page.getByRole('button', { name: '移除 当事人 1' }).click();
    assert.equal(await page.locator('#f_parties_0_name').inputValue(), '测试乙');
    await page.getByRole('button', { name: '撤销' }).click();
    assert.equal(await page.locator('#f_parties_0_name').inputValue(), '测试甲');
    assert.equal(await page.locator('#f_parties_1_name').inputValue(), '测试乙');
    await page.getByRole('button', { name: '放弃草稿' }).click();
    await page.getByRole('dialog').getByRole('button', { name: '保留' }).click();
    assert.equal(await title(page).inputValue(), '手滑的纠纷');
    await page.getByRole('button', { name: '放弃草稿' }).click();
    await page.getByRole('dialog').getByRole('button', { name: '放弃草稿' }).click();
    await page.locator('.tile.first').waitFor();
    assert.equal(await page.getByRole('link', { name: '手滑的纠纷' }).count(), 0);
    assert.equal((await filedAs('手滑的纠纷')).length, 0);
  });
});
