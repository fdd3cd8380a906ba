/* SPDX-License-Identifier: Apache-2.0
 * What makes a form quick and safe for the person before it: codes by label and initials, the area picker,
 * what an identity number tells, what is known from before, what goes where, and changes and drafts that
 * survive a lost signal without ever overwriting anybody.
 */
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { dispute, until } from '../e2e/stack_helper.mjs';
import { PHONE, draftKept, typeDispute } from './browser.mjs';
import { portal } from './suite.mjs';

const ID = '330106189003070015';   /* of the demo's first party: check digit fits, born 1890-03-07, male */

describe('portal: details of the form', () => {
  let stack, chrome, staff;

  portal({ people: { staff: { viewport: PHONE } } }, (its) => { ({ stack, chrome, staff } = its); });

  async function begin() {
    await staff.go('/new/dispute');
    await staff.page.waitForSelector('#f_title');
    return staff.page;
  }

  async function complete(page, title) {
    const form = await typeDispute(page, { title });
    await form.fill('parties_0_phone', '13000000001');
    await form.check('scale', '个体性事件');
    await form.fill('people_count', '2');
    await form.fill('handler_org', '示例镇人民调解委员会');
  }

  const filedAs = async (title) => (await stack.api('staff', '/records?limit=50')).json.items.filter((r) => r.data.title === title);

  test('a code is found by its label, by pinyin initials and by the code itself', async () => {
    const page = await begin();
    const box = page.locator('#f_category_code4');
    for (const [typed, label] of [['财物返还', '财物返还'], ['cwfh', '财物返还'], ['0401', '财物返还'], ['邻里', '相邻土地建筑利用'], ['lljf', '相邻土地建筑利用']]) {
      await box.click();
      await box.fill(typed);
      const options = page.locator('#f_category_code4-list [role=option]:not([aria-disabled])');
      await until(`${typed} to find ${label}`, 5, async () => (await options.allInnerTexts()).some((t) => t.includes(label)));
    }
    await box.fill('xyzzy');
    await page.getByText('没有匹配的选项').waitFor();
    await box.fill('0401');
    await page.keyboard.press('Enter');
    assert.match(await box.inputValue(), /财物返还/);
  });

  test('the area picker: by initials, by name, below one\'s own area; a code that is not in the list is doubted', async () => {
    const page = await begin();
    const box = page.locator('#f_place_area12');
    const options = page.locator('#f_place_area12-list [role=option]:not([aria-disabled])');
    await box.click();
    await options.filter({ hasText: '330106001000' }).first().waitFor();
    assert.ok((await options.allInnerTexts()).every((t) => t.includes('330106')), 'nothing outside the own area');
    await box.pressSequentially('slesq');
    await options.filter({ hasText: '示例二社区' }).waitFor();
    assert.equal(await options.count(), 1);
    await page.keyboard.press('Enter');
    assert.equal(await box.inputValue(), '330106001002');
    assert.match(await page.locator('#f_place_area12-path').innerText(), /浙江省 杭州市 西湖区 示例镇 示例二社区/);
    await box.fill('样板街');
    await options.filter({ hasText: '330106002000' }).click();
    assert.equal(await box.inputValue(), '330106002000');
    await box.fill('330106999999');
    await page.getByText('不在名录中的代码').waitFor();
  });

  test('an identity number fills sex and birth date; a wrong one is doubted at once', async () => {
    const page = await begin();
    await page.locator('.list .item details.more > summary').first().click();
    const box = page.locator('#f_parties_0_id_no');
    await box.fill('330106189003070016');
    await page.getByText('身份证号码校验不通过').waitFor();
    assert.equal(await box.getAttribute('aria-invalid'), 'true');
    await box.fill(ID);
    await page.getByText('1890-03-07 出生,男').waitFor();
    assert.equal(await page.locator('#f_parties_0_birth').inputValue(), '1890-03-07');
    await until('the sex', 3, async () => (await page.locator('input[name=f_parties_0_sex]:checked, #f_parties_0_sex').first().inputValue()) !== '');
    assert.equal(await page.getByText('身份证号码校验不通过').count(), 0);
  });

  test('what is known from an earlier record is shown in words and used only when confirmed', async () => {
    await stack.file(dispute({ title: '以前的纠纷' }), 5);
    const page = await begin();
    await page.locator('.list .item details.more > summary').first().click();
    await page.locator('#f_parties_0_id_no').fill(ID);
    const known = page.locator('.earlier');
    await known.waitFor();
    assert.match(await known.innerText(), /姓名[^]*测试甲/);
    await known.getByText('汉', { exact: true }).waitFor();   /* a code in words */
    assert.equal(await page.locator('#f_parties_0_name').inputValue(), '', 'nothing yet');
    await known.getByRole('button', { name: '核对无误,填入' }).click();
    assert.equal(await page.locator('#f_parties_0_name').inputValue(), '测试甲');
    assert.equal(await page.locator('#f_parties_0_phone').inputValue(), '13000000001');
    assert.equal(await known.count(), 0);
    await page.locator('#f_parties_0_id_no').fill('');
    await page.locator('#f_parties_0_name').fill('');
    await page.locator('#f_parties_0_id_no').fill(ID);
    await known.getByRole('button', { name: '不使用' }).click();
    assert.equal(await page.locator('#f_parties_0_name').inputValue(), '', 'refused: nothing');
  });

  test('which data goes to which system: before filing and after', async () => {
    const page = await begin();
    await page.locator('#f_title').fill('去向清楚的纠纷');
    await page.locator('#f_summary').fill('只为看去向。');
    const choice = page.locator('main > div details.card').first();
    await choice.locator('> summary').click();
    const odr = choice.locator('li').filter({ hasText: '在线多元矛盾化解平台' });
    await odr.locator('details > summary').click();
    await odr.locator('dl').getByText('去向清楚的纠纷').waitFor();
    await odr.getByRole('checkbox').uncheck();
    assert.equal(await odr.locator('details').count(), 0, 'not chosen: nothing goes there');
    const record = await stack.file(dispute({ title: '已经送出的纠纷' }), 10);
    await staff.go(`/records/${record.id}`);
    const lane = page.locator('main section li').filter({ hasText: '网格化综合服务管理平台' });
    await lane.locator('details > summary').click();
    await lane.locator('dl').getByText('已经送出的纠纷').waitFor();
    const card = (await stack.api('staff', `/records/${record.id}/deliveries/grid-platform/card`)).json.items;
    assert.equal(await lane.locator('dl dt').count(), card.length, 'all of it');
    assert.match(await lane.locator('dl').innerText(), /事件名称\s*event\.eventName/, 'in the words of the form, beside theirs');
  });

  test('changed without a signal while somebody else was faster: both sides side by side, nothing lost', async () => {
    const { page, context } = staff;
    const record = await stack.file(dispute({ title: '两个人都改的纠纷' }), 10);
    await staff.go(`/records/${record.id}/edit`);
    await page.waitForSelector('#f_title');
    await context.setOffline(true);
    await page.locator('#f_title').fill('我改的名称');
    await page.locator('#f_people_count').fill('7');
    await page.locator('form button[type=submit]').click();
    await page.getByText('已排队').waitFor();
    await stack.patch(record.id, record.revision, { data: { title: '别人改的名称', involved_org: '别人补充的单位' } });
    await context.setOffline(false);
    await page.getByText('两边都改过').waitFor();
    const sides = page.locator('.sides');
    assert.match(await sides.innerText(), /现在的内容[^]*别人改的名称[^]*我的修改[^]*我改的名称/);
    assert.equal((await stack.record(record.id)).data.title, '别人改的名称', 'nothing was overwritten');
    assert.ok(await page.locator('form button[type=submit]').isDisabled(), 'first the question');
    await staff.go('/');   /* it is kept while one is elsewhere */
    await page.getByRole('link', { name: /修改 · / }).click();
    await page.waitForSelector('#f_title');
    assert.equal(await page.locator('#f_title').inputValue(), '我改的名称');
    if (await sides.count()) await sides.getByRole('button', { name: '用我的' }).click();
    await page.locator('form button[type=submit]').click();
    await page.waitForURL(new RegExp(`/records/${record.id}$`));
    const now = await stack.record(record.id);
    assert.equal(now.data.title, '我改的名称');
    assert.equal(now.data.people_count, 7);
    assert.equal(now.data.involved_org, '别人补充的单位', 'theirs stays where there was no question');
    await staff.go('/');
    await page.waitForSelector('.tile.first');
    assert.equal(await page.getByRole('link', { name: /修改 · / }).count(), 0);
  });

  test('an answer that is lost on the way: asked again, one record', async () => {
    const page = await begin();
    const title = `答复丢失 ${Date.now()}`;
    await complete(page, title);
    let lost = 0;
    await page.route('**/api/v1/records', async (route) => {
      if (route.request().method() !== 'POST' || lost > 0) return route.continue();
      lost++;
      await route.fetch();   /* it arrives; the answer does not */
      return route.abort('connectionreset');
    });
    await page.locator('form button[type=submit]').click();
    await page.getByText('已排队').waitFor();
    assert.equal(lost, 1);
    assert.equal((await filedAs(title)).length, 1);
    await staff.context.setOffline(true);
    await staff.context.setOffline(false);
    await page.waitForURL(/\/records\/[0-9A-Z]{26}$/);
    assert.equal((await filedAs(title)).length, 1, 'the same one');
    await page.unroute('**/api/v1/records');
    staff.faults.splice(0, staff.faults.length, ...staff.faults.filter((f) => !/ERR_CONNECTION_RESET/.test(f)));
  });

  test('opened without a signal: the form, the draft and its times; filed once when it is back', async () => {
    const { page, context } = staff;
    await staff.go('/');
    await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
    await staff.go('/new/dispute');
    await page.waitForSelector('#f_title');
    await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
    await staff.go('/new/dispute');   /* once more, now that what describes it is kept */
    await page.waitForSelector('#f_title');
    await page.waitForTimeout(500);
    await context.setOffline(true);
    await staff.go('/new/dispute');
    await page.waitForSelector('#f_title');
    const title = `断网打开 ${Date.now()}`;
    await complete(page, title);
    const typed = Date.now();
    await page.locator('form button[type=submit]').click();
    await page.getByText('已排队').waitFor();
    await staff.go('/');
    await page.getByText('等待网络').waitFor();
    await page.waitForTimeout(1500);
    await context.setOffline(false);
    await until('the record', 15, async () => (await filedAs(title)).length > 0);
    await page.waitForTimeout(700);
    const records = await filedAs(title);
    assert.equal(records.length, 1);
    assert.equal(records[0].data.occurred_at, '2026-11-20T21:30:00+08:00', 'when it happened');
    assert.ok(Date.parse(records[0].data.reported_at) <= typed, 'when it was reported');
    assert.ok(Date.parse(records[0].created_at) > typed + 1000, 'when it was filed');
    await staff.go(`/records/${records[0].id}`);
    await page.waitForSelector('main section li');
    assert.match(await page.locator('main').innerText(), /发生 · .*提交/);
  });

  test('the lists go on by themselves', async () => {
    const { page } = staff;
    await staff.go('/records');
    await page.waitForSelector('main li');
    await stack.behave('zj-odr', 'down', {});
    const record = await stack.file(dispute({ title: '自己更新的列表' }));
    await staff.go('/');
    const card = page.locator(`a.card[href="/records/${record.id}"]`);
    await card.waitFor();
    assert.match(await card.innerText(), /[0-7]\/9 个系统已办妥/);
    await stack.behave('zj-odr', 'normal', {});
    await card.getByText('8/9 个系统已办妥').waitFor({ timeout: 30000 });
    await staff.go('/records');
    await page.waitForSelector('main li');
    const next = await stack.file(dispute({ title: '列表里自己出现' }));
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));   /* somebody looks again */
    await page.locator(`a.card[href="/records/${next.id}"]`).waitFor({ timeout: 30000 });
  });

  test('another person of the same device sees none of it', async () => {
    const page = await begin();
    await page.locator('#f_title').fill('只属于一个人的草稿');
    await page.getByText('草稿已保存在本机').waitFor({ state: 'attached' });
    await draftKept(page, '只属于一个人的草稿');
    await staff.go('/');
    await page.getByText('只属于一个人的草稿').waitFor();
    await page.getByRole('button', { name: '菜单' }).click();
    await page.getByRole('button', { name: '退出登录' }).click();
    await page.waitForURL(/\/auth\//);
    assert.equal(await page.evaluate(() => localStorage.getItem('yimen.person')), null);
    const { login, password } = stack.info.accounts.supervisor;
    await staff.go('/auth/login');
    await page.locator('input[autocomplete=username]').fill(login);
    await page.locator('input[type=password]').fill(password);
    await page.locator('button[type=submit]').first().click();
    await page.waitForSelector('.tile.first');
    assert.equal(await page.getByText('只属于一个人的草稿').count(), 0);
  });
});
