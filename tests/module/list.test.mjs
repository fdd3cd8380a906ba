/* SPDX-License-Identifier: Apache-2.0
 * GET /records: filters, scopes and paging over several shards: every record once, newest first.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { deliver, note, startGateway } from '../lib/gateway.mjs';

describe('list', () => {
  let g;
  const made = [];
  const list = async (query = '', who = 'staff') => {
    const r = await g.call(who, 'GET', `/records${query}`);
    assert.equal(r.status, 200, r.body);
    return r.json;
  };
  const all = async (query, who) => {
    const ids = [];
    let page = await list(query, who);
    let pages = 1;
    for (;;) {
      ids.push(...page.items.map((i) => i.id));
      if (!page.next) return { ids, pages };
      page = await list(page.next.replace('/api/v1/records', ''), who);
      pages++;
    }
  };

  before(async () => {
    g = await startGateway({ deploy: { shards: 4 } });
    for (let i = 0; i < 45; i++) {
      const who = i % 3 === 2 ? 'other' : 'staff';
      const r = await g.call(who, 'POST', '/records', { body: note({ title: `第${i}件`, ref: `R-${i}`, people: [{ role: 'applicant', name: '甲', phone: `1380000${1000 + (i % 5)}` }] }) });
      assert.equal(r.status, 201);
      made.push({ ...r.json, who });
    }
  });
  after(() => g.stop());
  const newest = (rows) => rows.map((r) => r.id).sort().reverse();

  test('pages of every size: each record once, newest first, next null at the end', async () => {
    const expected = newest(made.filter((r) => r.who === 'staff'));
    for (const limit of [1, 2, 7, 29, 30, 31, 200]) {
      const { ids } = await all(`?limit=${limit}`);
      assert.deepEqual(ids, expected, `limit ${limit}`);
    }
    assert.deepEqual((await all('?limit=10', 'admin')).ids, newest(made));
  });

  test('scopes: staff their own and their area, supervisors the area, operators everything', async () => {
    assert.deepEqual((await all('', 'other')).ids, newest(made.filter((r) => r.who === 'other')));
    assert.deepEqual((await all('', 'supervisor')).ids, newest(made));
    assert.deepEqual((await all('', 'operator')).ids, newest(made));
    assert.deepEqual((await all('?owner=bo')).ids, [], 'a filter never widens a scope');
    assert.deepEqual((await all('?area=330106004')).ids, []);
  });

  test('filters: type, owner, area, time, state, system, and several together', async () => {
    assert.equal((await all('?type=note', 'admin')).ids.length, 45);
    assert.deepEqual((await all('?owner=mei', 'admin')).ids, newest(made.filter((r) => r.who === 'staff')));
    assert.deepEqual((await all('?area=330106004', 'admin')).ids, newest(made.filter((r) => r.who === 'other')));
    assert.equal((await all('?area=3301', 'admin')).ids.length, 45);
    const middle = encodeURIComponent(made[20].created_at);
    assert.equal((await all(`?from=${middle}`, 'admin')).ids.length + (await all(`?to=${middle}`, 'admin')).ids.length, 45);
    assert.equal((await all('?to=2020-01-01', 'admin')).ids.length, 0);
    await deliver(g, 'alpha', (d) => ({ verdict: made.findIndex((m) => m.id === d.id) % 2 ? 'j' : 'd', number: 'n', problem: { code: 'x', message: '不收' } }));
    const rejected = newest(made.filter((_, i) => i % 2));
    assert.deepEqual((await all('?state=rejected', 'admin')).ids, rejected);
    assert.deepEqual((await all('?state=rejected&system=alpha&limit=3', 'admin')).ids, rejected);
    assert.deepEqual((await all('?state=rejected&system=beta', 'admin')).ids, []);
    assert.deepEqual((await all('?state=handoff&system=paper&owner=bo', 'admin')).ids, newest(made.filter((r) => r.who === 'other')));
  });

  test('search keys: exact, by digest; unknown keys are refused', async () => {
    const hits = newest(made.filter((_, i) => i % 5 === 3));
    assert.deepEqual((await all('?key.phone=13800001003', 'admin')).ids, hits);
    assert.deepEqual((await all('?key.ref=R-7', 'admin')).ids, [made[7].id]);
    assert.deepEqual((await all('?key.phone=13800001003&limit=2', 'admin')).ids, hits, 'paged');
    assert.deepEqual((await all('?key.phone=13800001003', 'other')).ids, newest(made.filter((r, i) => i % 5 === 3 && r.who === 'other')), 'within the scope');
    assert.equal((await g.call('admin', 'GET', '/records?key.ref=R-7&key.phone=13800001002')).status, 400, 'one at a time');
    assert.deepEqual((await all('?key.ref=R-', 'admin')).ids, []);
    assert.equal((await g.call('admin', 'GET', '/records?key.colour=1')).status, 400);
    assert.equal((await g.call('admin', 'GET', '/records?key.ref=')).status, 400);
  });

  test('bad parameters: 400 that names them', async () => {
    for (const q of ['limit=0', 'limit=201', 'limit=x', 'limit=-1', 'cursor=x', 'cursor=01m80rtg1w5ztzxyr1ygxks6r0', 'type=none', 'system=none', 'state=held', 'state=x',
      'area=33a', 'area=1234567890123', 'from=yesterday', 'to=2026-02-30', 'owner=']) {
      const r = await g.call('staff', 'GET', `/records?${q}`, { headers: { 'accept-language': 'en' } });
      assert.equal(r.status, 400, q);
      assert.match(r.json.detail, new RegExp(q.split('=')[0]), q);
    }
  });

  test('the link to the next page keeps the filters and drops the old cursor', async () => {
    const page = await list('?type=note&limit=5', 'admin');
    assert.match(page.next, /^\/api\/v1\/records\?cursor=[0-9A-Z]{26}&type=note&limit=5$/);
    const second = await list(page.next.replace('/api/v1/records', ''), 'admin');
    assert.match(second.next, /^\/api\/v1\/records\?cursor=[0-9A-Z]{26}&type=note&limit=5$/);
  });
});
