/* SPDX-License-Identifier: Apache-2.0
 * One delivery in the console: found by a declared key, its attempts with request and answer, hidden and
 * shown in full for a purpose, mended on behalf of its author and sent again, each with its right.
 */
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { QUICK, dispute, until } from '../e2e/stack_helper.mjs';
import { PHONE } from './browser.mjs';
import { portal } from './suite.mjs';

const SYSTEMS = ['data-commons', 'zj-odr'];
const [PERSON] = dispute().data.parties;

describe('portal: a delivery', () => {
  let stack, chrome, operator, record;

  portal({
    settings: { ...QUICK, attempts: 2 },
    systems: [...SYSTEMS, 'hotline-12345'],
    people: { operator: {} },
    async arrange(its) {
      await its.stack.behave('data-commons', 'reject', { field: 'title', calls: 1 });
      its.record = await its.stack.file(dispute({ title: '邻里纠纷' }, SYSTEMS));
      await its.stack.settled(its.record.id, 'refused there, taken here', (d) => d['data-commons'].state === 'rejected' && d['zj-odr'].state === 'delivered');
    },
  }, (its) => { ({ stack, chrome, operator, record } = its); });

  const detail = () => `/console/deliveries/${record.id}/data-commons`;
  const messages = async (page) => (await page.locator('article pre').allInnerTexts()).join('\n');

  test('found by what its type declares, whatever its state; the number stays out of the address', async () => {
    const { page } = operator;
    await operator.go('/console/deliveries');
    await page.getByText('查找送达').click();
    await page.getByLabel('类型').selectOption({ label: '矛盾纠纷' });
    const keys = await page.getByLabel('查找项').locator('option').allInnerTexts();
    const phone = keys.find((k) => /电话|手机/.test(k));
    assert.ok(phone, keys.join());
    await page.getByLabel('查找项').selectOption({ label: phone });
    await page.getByLabel('内容(完全一致)').fill(PERSON.phone);
    await page.getByRole('button', { name: '查找', exact: true }).click();
    await until('both deliveries', 10, async () => await page.locator('tbody tr').filter({ hasText: record.id }).count() === 2);
    assert.ok(!page.url().includes(PERSON.phone));
    await page.getByRole('button', { name: '只看异常' }).click();
    await until('only the one in trouble', 10, async () => await page.locator('tbody tr').filter({ hasText: record.id }).count() === 1);
    await page.locator('tbody tr').filter({ hasText: record.id }).getByRole('link', { name: '详情' }).click();
    await page.waitForURL(`**${detail()}`);
  });

  test('request and answer without what tells of a person; in full for a purpose, which is evidence', async () => {
    const { page } = operator;
    await operator.go(detail());
    await page.locator('article').first().waitFor();
    await page.getByText('被退回').first().waitFor();
    const masked = await messages(page);
    assert.match(masked, /^POST http/);
    assert.match(masked, /邻里纠纷/);
    assert.ok(!masked.includes(PERSON.name) && !masked.includes(PERSON.phone), masked);
    assert.equal(await page.getByRole('link', { name: '改后重发' }).count(), 0, 'no such right yet');
    await page.getByRole('button', { name: '查看完整内容' }).click();
    await page.getByLabel('查看目的').fill('核对对方答复');
    await page.getByRole('button', { name: '确定' }).click();
    await page.getByText('已显示完整内容').waitFor();
    const full = await messages(page);
    assert.ok(full.includes(PERSON.name) && full.includes(PERSON.phone));
    const [e] = (await stack.api('auditor', `/audit?what=reveal&record=${record.id}&limit=5`)).json.items;
    assert.deepEqual([e.system, e.why], ['data-commons', '核对对方答复']);
  });

  test('mended for its author, for a reason, and sent again; the author reads it in the history', async () => {
    const { page } = operator;
    appendFileSync(stack.info.config, 'audit:\n  amend: operator\n');
    stack.signal('nginx', 'SIGHUP');
    await until('the right', 10, async () => (await stack.api('operator', '/me')).json?.rights.includes('amend'));
    await operator.go(detail());
    await page.getByRole('link', { name: '改后重发' }).click();
    await page.getByLabel('查看目的').fill('按来电更正');
    await page.getByRole('button', { name: '确定' }).click();
    await page.locator('#f_title').waitFor();
    assert.match(await page.locator('#f_title-wrong').innerText(), /不符合要求/, 'said at its field');
    await page.locator('#f_title').fill('邻里噪声纠纷');
    await page.getByRole('button', { name: /保存/ }).click();
    await page.getByLabel('修改原因').fill('申请人来电更正标题');
    await page.getByRole('button', { name: '确定' }).click();
    await page.waitForURL(`**${detail()}`);
    await stack.settled(record.id, 'taken everywhere', (d) => SYSTEMS.every((s) => d[s].state === 'delivered' && d[s].revision === 2));
    const staff = await (await chrome.person(stack, 'staff', { viewport: PHONE, locale: 'en-US' })).signIn();
    await staff.go(`/records/${record.id}`);
    await staff.page.getByText('申请人来电更正标题').waitFor();
    await staff.leave();
  });

  test('an unclear delivery is resolved from its page, in English, on a phone', async () => {
    await stack.behave('hotline-12345', 'cut_before', { calls: 1 });
    const lost = await stack.file(dispute({ title: '没有答复' }, ['hotline-12345']));
    await stack.settled(lost.id, 'for a person', (d) => d['hotline-12345'].state === 'unknown', 30);
    const who = await (await chrome.person(stack, 'operator', { viewport: PHONE, locale: 'en' })).signIn();
    await who.go(`/console/deliveries/${lost.id}/hotline-12345`);
    await who.page.locator('article pre').first().waitFor();
    await who.page.getByText('no answer came').waitFor();
    await who.page.getByRole('button', { name: 'Resolve' }).click();
    await who.page.locator('input[type=radio]').nth(1).check();
    await who.page.locator('textarea').fill('looked there: not taken');
    await who.page.locator('[role=dialog] button[type=submit]').click();
    await stack.settled(lost.id, 'delivered', (d) => d['hotline-12345'].state === 'delivered', 30);
    await who.page.getByText('Delivered').first().waitFor();
    await who.leave();
  });

  test('a number that belongs to another record is said in words, to its author and to operations', async () => {
    await stack.behave('zj-odr', 'other_number', { calls: 1, ops: ['create'] });
    const wrong = await stack.file(dispute({ title: '编号不符' }, ['zj-odr']));
    const shown = await stack.settled(wrong.id, 'for a person', (d) => d['zj-odr'].state === 'unknown', 30);
    const numbers = shown.deliveries['zj-odr'].problem.message;
    assert.match(numbers, /^ODR\d+ ≠ ODR\d+$/);
    const staff = await (await chrome.person(stack, 'staff', { viewport: PHONE })).signIn();
    await staff.go(`/records/${wrong.id}`);
    await staff.page.getByText(`对方给出的编号属于另一条记录(${numbers}),需要人工核实`).waitFor();
    await staff.leave();
    const who = await (await chrome.person(stack, 'operator', { locale: 'en' })).signIn();
    await who.go(`/console/deliveries/${wrong.id}/zj-odr`);
    await who.page.getByText(`belongs to another record (${numbers})`).waitFor();
    await who.page.locator('article pre').first().waitFor();
    await who.leave();
  });
});
