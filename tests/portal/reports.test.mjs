/* SPDX-License-Identifier: Apache-2.0
 * What is not anybody's daily work: feedback from every page, reports for those who decide, adapters.
 */
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { EIGHT, dispute } from '../e2e/stack_helper.mjs';
import { DESK, PHONE } from './browser.mjs';
import { portal } from './suite.mjs';

describe('portal: feedback, reports, adapters', () => {
  let stack, chrome, staff, operator;

  portal({ people: { staff: { viewport: PHONE }, operator: { viewport: DESK, locale: 'en' } } }, (its) => { ({ stack, chrome, staff, operator } = its); });

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

  const saved = async (page, button) => {
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: button }).click()]);
    const text = await readFile(await file.path(), 'utf8');
    assert.ok(text.startsWith('\ufeff'), 'a spreadsheet reads Chinese');
    return text.slice(1).trim().split('\r\n').map((l) => l.split(','));
  };

  test('reports: what was typed and delivered, counted; who asks for the same; as tables', async () => {
    const { page } = operator;
    const record = await stack.file(dispute({ title: '统计用' }), 20);
    await stack.settled(record.id, 'all settled', (d) => EIGHT.every((s) => d[s].state === 'delivered'), 30);
    const { totals, systems } = (await stack.api('operator', '/reports/burden')).json;
    assert.deepEqual([totals.records, totals.arrived], [1, 8]);
    assert.ok(totals.delivered > totals.typed && totals.saved === totals.delivered - totals.typed, JSON.stringify(totals));
    assert.ok(totals.sign_ins >= 2, 'two people are signed in');
    assert.deepEqual(systems.map((s) => s.id).sort(), [...EIGHT].sort());
    await operator.go('/console/reports');
    await page.getByText(`${totals.delivered} fields delivered, ${totals.saved} not typed again`).waitFor();
    await page.getByText('counts once', { exact: false }).waitFor();
    const burden = await saved(page, 'Download CSV: Typing saved');
    assert.equal(burden.slice(1).reduce((n, r) => n + Number(r[burden[0].indexOf('fields_delivered')]), 0), totals.delivered);
    const fields = await saved(page, 'Download CSV: fields');
    assert.equal(fields.find((r) => r[1] === '/title')[3], '9', 'all nine ask for the title');
    const ranked = await saved(page, 'Download CSV: candidates');
    assert.equal(ranked.length, 10);
    await page.getByLabel('From').fill('2020-01-01');
    await page.getByLabel('To').fill('2020-02-01');
    await page.getByRole('button', { name: 'Show' }).click();
    await page.getByText('0 records and 0 revisions').waitFor();
  });

  test('adapters: standing, table, results of the tests, a dry run with the lineage', async () => {
    const { page } = operator;
    const record = await stack.file(dispute({ title: '试运行用' }), 20);
    await operator.go('/console/adapters?system=zj-odr');
    await page.getByText('own simulator only').waitFor();
    await page.getByText(/Run .*: \d+ passed, 0 failed/).waitFor();
    await page.getByLabel('Record id or JSON').fill(record.id);
    await page.getByRole('button', { name: 'Dry run' }).click();
    await page.getByText('This system would take it.').waitFor();
    const row = page.locator('form tbody tr').filter({ hasText: '/title' }).first();
    assert.match(await row.innerText(), /试运行用/);
    assert.match(await page.locator('form table').innerText(), /\*\*\*/, 'personal data is hidden');
    for (const name of record.data.parties.map((p) => p.name)) assert.equal((await page.locator('form table').innerText()).includes(name), false, name);
    await page.getByLabel('Record id or JSON').fill('{"title": "x"}');
    await page.getByRole('button', { name: 'Dry run' }).click();
    await page.getByText('This system would refuse it:').waitFor();
    await page.locator('.which select').first().selectOption('leader-board');
    await page.getByRole('heading', { name: 'Leader Message Board' }).waitFor();
    await page.getByRole('button', { name: '中文' }).click();
    await page.getByText('仅对照自建模拟器').waitFor();
  });
});
