/* SPDX-License-Identifier: Apache-2.0
 * GET /reports/…: who asks for the same, what was typed and delivered; real counters, no person.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { deliver, note, startGateway } from '../lib/gateway.mjs';

const lines = (csv) => {
  assert.ok(csv.startsWith('\ufeff') && csv.endsWith('\r\n'), 'a byte-order mark, CRLF to the end');
  return csv.slice(1, -2).split('\r\n').map((l) => l.split(','));
};
const today = () => new Date(Date.now() + 8 * 3600000).toISOString().slice(0, 10);

describe('reports', () => {
  let g;
  before(async () => { g = await startGateway({ deploy: { shards: 3 } }); });
  after(() => g.stop());

  const report = async (what, who = 'operator', headers = {}) => g.call(who, 'GET', `/reports/${what}`, { headers });
  const table = async (what, headers = {}) => {
    const r = await report(what, 'operator', { accept: 'text/csv', ...headers });
    assert.equal(r.status, 200, r.body);
    assert.match(r.headers['content-type'], /^text\/csv/);
    assert.match(r.headers['content-disposition'], /attachment; filename="yimen-\w+\.csv"/);
    return lines(r.body);
  };

  test('for operators and administrators', async () => {
    for (const what of ['redundancy', 'burden', 'usage']) {
      for (const [who, status] of [['staff', 403], ['supervisor', 403], ['auditor', 403], ['operator', 200], ['admin', 200]]) {
        assert.equal((await report(what, who)).status, status, `${who} ${what}`);
      }
    }
  });

  test('redundancy: fields by who asks for them, systems by what others ask for too', async () => {
    const { types } = (await report('redundancy')).json;
    assert.deepEqual(types.map((t) => t.type), ['note']);
    const [{ systems, fields }] = types;
    const asked = Object.fromEntries(fields.map((f) => [f.pointer, f]));
    const of = (id) => fields.filter((f) => f.systems.includes(id)).map((f) => f.pointer);
    const { items } = (await g.call('operator', 'GET', '/types/note/targets')).json;
    for (const s of items) assert.deepEqual(of(s.id).sort(), s.fields.map((f) => f.pointer).sort(), `${s.id}: the form says the same`);
    assert.deepEqual(asked['/title'].label, { zh: '/title', en: '/title' }, 'this type has no words for it');
    assert.deepEqual(fields.map((f) => f.systems.length), fields.map((f) => f.systems.length).sort((a, b) => b - a));
    for (const s of systems) {
      const shared = of(s.id).filter((p) => asked[p].systems.length > 1);
      assert.deepEqual([s.fields, s.shared, s.alone.length], [of(s.id).length, shared.length, of(s.id).length - shared.length], s.id);
      assert.ok(Math.abs(s.covered - shared.length / of(s.id).length) < 0.001);
      if (s.nearest) assert.equal(s.nearest.shared, of(s.id).filter((p) => of(s.nearest.id).includes(p)).length);
    }
    assert.deepEqual(systems.map((s) => s.covered), systems.map((s) => s.covered).sort((a, b) => b - a), 'ranked');
    assert.ok(!systems.some((s) => s.id === 'away'), 'what is not enabled asks nobody');
    assert.equal((await report('redundancy?type=nothing')).status, 400);
    assert.equal((await report('redundancy?table=people')).status, 400);
  });

  test('redundancy as tables', async () => {
    const [head, ...rows] = await table('redundancy');
    assert.deepEqual(head.slice(0, 5), ['type', 'pointer', 'field', 'asked_by', 'required_by']);
    const title = rows.find((r) => r[1] === '/title');
    assert.equal(title[2], '/title');
    assert.equal(Number(title[3]), title.slice(5).filter((c) => c !== '').length);
    const [names, ...ranked] = await table('redundancy?table=systems', { 'accept-language': 'en' });
    assert.ok(ranked.some((r) => r[3] === 'Alpha System'));
    assert.equal(names[6], 'covered');
    assert.deepEqual(ranked.map((r) => r[1]), ranked.map((_, i) => String(i + 1)));
  });

  test('burden: what was typed and what arrived, from the transitions themselves', async () => {
    const before = (await report('burden')).json.totals;
    assert.deepEqual([before.records, before.typed, before.delivered], [0, 0, 0]);
    const filed = [];
    for (let i = 0; i < 4; i++) filed.push((await g.call('staff', 'POST', '/records', { body: note() })).json);
    await g.call('staff', 'POST', '/records', { body: note({ title: '' }) });   /* refused: nobody's burden */
    await g.call('staff', 'PATCH', `/records/${filed[0].id}`, { body: { data: { title: '改过', level: null } }, headers: { 'if-match': '"1"', 'content-type': 'application/merge-patch+json' } });
    await deliver(g, 'alpha', () => ({ verdict: 'd3', number: 'A1' }));
    await deliver(g, 'beta', ({ id }) => (id === filed[1].id ? { verdict: 'j', problem: { code: 'no' } } : { verdict: 'd4', number: 'B1' }));
    const { totals, types, systems, days, from, to } = (await report('burden')).json;
    const typed = 6;   /* title, level, text; role, name, phone */
    assert.deepEqual(totals, { records: 4, revisions: 1, typed: 4 * typed + 1, arrived: 7, changed: 0, delivered: 4 * 3 + 3 * 4, sign_ins: 0, entries: 0,
      saved: 0, sign_ins_saved: 0 });
    assert.deepEqual(types.map((t) => [t.type, t.title.zh, t.records]), [['note', '便条', 4]]);
    assert.deepEqual(Object.fromEntries(systems.map((s) => [s.id, [s.arrived, s.delivered]])), { alpha: [4, 12], beta: [3, 12] });
    assert.equal(to, today());
    assert.equal((Date.parse(to) - Date.parse(from)) / 86400000, 29);
    assert.deepEqual(days.map((d) => [d.day, d.records, d.arrived]), [[today(), 4, 7]]);
    const [head, ...rows] = await table('burden');
    const column = (name) => rows.reduce((n, r) => n + Number(r[head.indexOf(name)]), 0);
    assert.deepEqual(['records', 'fields_typed', 'arrived', 'fields_delivered'].map(column), [4, 25, 7, 24], 'the columns add up');
  });

  test('usage by day; days outside are left out', async () => {
    const day = Math.floor((Date.now() + 28800000) / 86400000);
    const { client } = g.redis;
    await client.command('HSET', `{s0}:day:${day}`, 'signin', 3, 'entry:odr', 7, 'entry:=cmd', 2);
    await client.command('HSET', `{s1}:day:${day}`, 'signin', 2, 'entry:odr', 1);
    await client.command('HSET', `{s2}:day:${day - 40}`, 'signin', 9);
    const usage = (await report('usage')).json;
    assert.deepEqual([usage.sign_ins, usage.applications.map((a) => [a.id, a.entries])], [5, [['odr', 8], ['=cmd', 2]]]);
    assert.deepEqual(usage.days, [{ day: today(), sign_ins: 5, entries: { odr: 8, '=cmd': 2 } }]);
    const past = new Date(Date.now() + 8 * 3600000 - 40 * 86400000).toISOString().slice(0, 10);
    assert.equal((await report(`usage?from=${past}&to=${past}`)).json.sign_ins, 9);
    assert.equal((await report('burden')).json.totals.sign_ins_saved, 10 - 5);
    const [, ...rows] = await table('usage');
    assert.ok(rows.some((r) => r[1] === "'=cmd" && r[2] === "'=cmd"), 'a spreadsheet runs nothing');
    for (const bad of ['from=yesterday', 'from=2026-02-30', 'from=2999-01-01', 'from=2020-01-01', 'to=1']) {
      assert.equal((await report(`usage?${bad}`)).status, 400, bad);
    }
  });

  test('whoever counts finds nobody: no subject, organisation or area in a report', async () => {
    for (const what of ['redundancy', 'burden', 'usage']) {
      const { body } = await report(what);
      for (const word of ['mei', 'committee-1', '330106']) assert.ok(!body.includes(word), `${what}: ${word}`);
    }
  });
});
