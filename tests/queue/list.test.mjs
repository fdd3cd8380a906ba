// SPDX-License-Identifier: Apache-2.0
// Proves listing: newest first by id, every filter against a plain search over all records, paging
// with few steps, ids that stray from the clock, two shards merged by id.
import test from 'node:test';
import assert from 'node:assert/strict';
import { startRedis } from '../lib/redis-server.mjs';
import { Store, makeId, sha256 } from './store.mjs';

const N = 600;
const TYPES = ['dispute', 'grid_event', 'hotline_order'];
const AREAS = ['330106001002', '330106001003', '330106002001', '330109', ''];
const STATES = { r: 'retrying', u: 'unknown', j: 'rejected', x: 'dead', h: 'handoff' };
let redis, store;
const all = [];

test.before(async () => {
  redis = await startRedis({ config: { appendfsync: 'no' } });
  store = new Store(redis.client);
  const worker = await store.worker('a');
  for (let i = 0; i < N; i++) {
    // ids stray: most by some milliseconds, a few by seconds and minutes, both ways
    const stray = i % 50 === 0 ? (i % 100 ? 120000 : -90000) : i % 10 === 0 ? 1500 - (i % 3) * 1500 : (i % 7) - 3;
    const rec = { id: makeId(Date.now() + stray), type: TYPES[i % 3], owner: `u${i % 11}`, area: AREAS[i % 5],
      systems: i % 4 ? ['a', 'b'] : ['b'], envelope: `{"n":${i}}`,
      keys: [['phone', sha256(`p${i % 200}`)], ['same', sha256('all')]] };
    const { reply } = await store.accept(rec);
    assert.equal(reply[0], 'created');
    all.push({ ...rec, index: i, a: i % 4 ? 'q' : null, b: 'q' });
  }
  const { items } = await worker.claim({ max: 200 });
  for (const [i, item] of items.entries()) {
    const verdict = 'rujxhd'[i % 6];
    await worker.settle(item, verdict, { delay: verdict === 'u' ? -1 : 3600000, number: 'N' });
    all.find((r) => r.id === item.id).a = verdict;
  }
  all.sort((x, y) => (x.id < y.id ? 1 : -1));
});
test.after(() => redis.stop());

async function same(filters, keep, page) {
  const got = await store.listAll(filters, page);
  const want = all.filter(keep).map((r) => r.id);
  assert.deepEqual(got, want, JSON.stringify(filters));
  return want.length;
}

test('everything, newest first, whatever the page and the steps', async () => {
  for (const page of [{ limit: 1000, steps: 10000 }, { limit: 7, steps: 1000 }, { limit: 50, steps: 20 }, { limit: 200, steps: 1 }]) {
    assert.equal(await same({}, () => true, page), N);
  }
});

test('a row is what get says', async () => {
  const { rows } = await store.list({}, { limit: 3 });
  for (const { id, ...row } of rows) assert.deepEqual(row, await store.get(id));
});

const FILTERS = [
  [{ type: 'grid_event' }, (r) => r.type === 'grid_event'],
  [{ owner: 'u3' }, (r) => r.owner === 'u3'],
  [{ area: '330106' }, (r) => r.area.startsWith('330106')],
  [{ area: '330106001' }, (r) => r.area.startsWith('330106001')],
  [{ area: '330106001002' }, (r) => r.area === '330106001002'],
  [{ area: '3301060010' }, (r) => r.area.startsWith('3301060010')],
  [{ area: '330109' }, (r) => r.area === '330109'],
  [{ system: 'a' }, (r) => r.a !== null],
  [{ owner: 'u3', type: 'dispute', area: '330106' }, (r) => r.owner === 'u3' && r.type === 'dispute' && r.area.startsWith('330106')],
  [{ scope_area: '330106001', scope_owner: 'u5' }, (r) => r.area.startsWith('330106001') || r.owner === 'u5'],
  [{ scope_area: '3301', scope_owner: 'u5' }, (r) => r.area.startsWith('3301') || r.owner === 'u5'],
  [{ scope_owner: 'u5' }, (r) => r.owner === 'u5'],
  [{ scope_area: '330106002' }, (r) => r.area.startsWith('330106002')],
  [{ scope_owner: 'u5', owner: 'u6' }, () => false],
  [{ 'key:phone': sha256('p17') }, (r) => r.index % 200 === 17],
  [{ 'key:phone': sha256('p17'), type: 'dispute' }, (r) => r.index % 200 === 17 && r.type === 'dispute'],
  [{ 'key:same': sha256('all') }, () => true],
  [{ 'key:same': sha256('all'), owner: 'u1' }, (r) => r.owner === 'u1'],
  [{ 'key:other': sha256('p17') }, () => false],
  [{ state: 'delivered', system: 'a' }, (r) => r.a === 'd'],
  [{ state: 'queued', system: 'a' }, (r) => r.a === 'q'],
  [{ state: 'ju', system: 'a' }, (r) => r.a === 'j' || r.a === 'u'],
  [{ state: 'queued' }, () => true],
];
test('every filter finds what a plain search finds', async () => {
  for (const [filters, keep] of FILTERS) {
    await same(filters, keep, { limit: 100, steps: 1000 });
    await same(filters, keep, { limit: 13, steps: 40 });
  }
  for (const [letter, word] of Object.entries(STATES)) {
    assert.ok(await same({ state: word, system: 'a' }, (r) => r.a === letter, { limit: 5, steps: 7 }) > 10);
    await same({ state: word }, (r) => r.a === letter, { limit: 5, steps: 7 });
    await same({ state: word, system: 'b' }, () => false);
  }
});

test('from and to are times of ids', async () => {
  const times = all.map((r) => ({ r, ms: time(r.id) }));
  const from = times[400].ms, to = times[100].ms;
  for (const extra of [{}, { owner: 'u2' }, { 'key:same': sha256('all') }, { state: 'rujxh' }]) {
    await same({ from, to, ...extra }, (r) => time(r.id) >= from && time(r.id) < to
      && (!extra.owner || r.owner === 'u2') && (!extra.state || 'rujxh'.includes(r.a)), { limit: 9, steps: 25 });
  }
});

function time(id) {
  return [...id.slice(0, 10)].reduce((n, c) => n * 32 + '0123456789ABCDEFGHJKMNPQRSTVWXYZ'.indexOf(c), 0);
}

test('a record is found by its latest keys only', async () => {
  const { id } = await store.accept({ keys: [['phone', sha256('before')]], systems: [] });
  const first = { 'key:phone': sha256('before') }, second = { 'key:phone': sha256('after') };
  assert.deepEqual(await store.listAll(first), [id]);
  await store.revise(id, 1, '{"n":2}', 'u', [['phone', sha256('after')]]);
  assert.deepEqual([await store.listAll(first), await store.listAll(second)], [[], [id]]);
  all.unshift({ id, index: -1, type: 'dispute', owner: 'u1', area: AREAS[0], a: null });
  all.sort((x, y) => (x.id < y.id ? 1 : -1));
});

test('the steps bound the work of one page', async () => {
  const { rows, next } = await store.list({ owner: 'nobody', type: 'x' }, { steps: 50 });
  assert.deepEqual([rows.length, next], [0, '']);
  const short = await store.list({ state: 'queued', system: 'nowhere' }, { limit: 10, steps: 30 });
  assert.equal(short.rows.length, 0);
  assert.match(short.next, /^[0-9A-HJKMNP-TV-Z]{26}$/);
});

test('two shards, merged by id, one cursor for both', async () => {
  const shards = [new Store(redis.client, 1), new Store(redis.client, 2)];
  const ids = [];
  for (let i = 0; i < 300; i++) {
    const s = shards[i % 2];
    ids.push((await s.accept({ id: makeId(Date.now() + (i % 5) * 3, s.shard), systems: ['a'] })).id);
  }
  const got = [], limit = 11;
  for (let before = ''; ;) {
    const pages = await Promise.all(shards.map((s) => s.list({}, { before, limit, steps: 50 })));
    const edges = pages.map((p) => p.next).filter(Boolean);
    const edge = edges.length ? edges.reduce((x, y) => (x > y ? x : y)) : '';
    const rows = pages.flatMap((p) => p.rows.map((r) => r.id)).filter((id) => id >= edge).sort().reverse();
    got.push(...rows.slice(0, limit));
    before = rows.length > limit ? rows[limit - 1] : edge;
    if (!before) break;
  }
  assert.deepEqual(got, ids.sort().reverse());
});
