// SPDX-License-Identifier: Apache-2.0
// Proves what people do: retry, resolve, replay, withdraw, pause and resume; exceptions, counters,
// reports; and that every such move leaves an audit entry.
import test from 'node:test';
import assert from 'node:assert/strict';
import { startRedis } from '../lib/redis-server.mjs';
import { Store, dump, makeId } from './store.mjs';

let redis, store, worker;
test.before(async () => { redis = await startRedis({ config: { appendfsync: 'no' } }); });
test.after(() => redis.stop());
test.beforeEach(async () => {
  await redis.client.command('FLUSHALL');
  store = new Store(redis.client);
  worker = await store.worker('a');
});

// A record whose delivery to `a` was settled so. → id
async function settled(verdict, fields = { delay: 60000 }) {
  const { id } = await store.accept({ envelope: '{"n":1}', systems: ['a'] });
  const { items } = await worker.claim();
  await worker.settle(items.find((i) => i.id === id), verdict, { number: verdict === 'd' ? 'N1' : '', ...fields });
  return id;
}

async function delivery(id) {
  return store.delivery(id, 'a');
}

async function unchanged(call) {
  const before = await dump(redis.client);
  const reply = await call();
  assert.deepEqual(await dump(redis.client), before);
  return reply;
}

test('retry: x, j and r are queued at once, with a new budget; others are refused', async () => {
  for (const verdict of 'xjr') {
    const id = await settled(verdict);
    assert.deepEqual(await store.call('retry', id, 'a', 'op', 'repaired'), ['queued']);
    assert.deepEqual([(await delivery(id)).letter, (await delivery(id)).attempts], ['q', '0']);
    assert.deepEqual(await unchanged(() => store.call('retry', id, 'a', 'op', 'again')), ['refused', 'q']);
    const entry = (await store.audit()).at(-1);
    assert.deepEqual([entry.who, entry.what, entry.id, entry.system, entry.why], ['op', 'retry', id, 'a', 'repaired']);
    const item = (await worker.claim()).items.find((i) => i.id === id);
    assert.equal(item.attempt, '1');
    await worker.settle(item, 'd', { number: '1' });
  }
  assert.equal(await redis.client.command('ZCARD', store.k('z:a')), 0);
  for (const verdict of ['u', 'c', 'h', 'd']) {
    const id = await settled(verdict);
    assert.deepEqual(await unchanged(() => store.call('retry', id, 'a', 'op', '')), ['refused', verdict]);
  }
  assert.deepEqual(await store.call('retry', makeId(), 'a', 'op', ''), ['absent']);
  assert.deepEqual(await store.call('retry', await settled('x'), 'nowhere', 'op', ''), ['absent']);
});

test('resolve delivered: with a number, or with the audit entry as evidence', async () => {
  for (const verdict of 'uhcx') {
    const id = await settled(verdict, { delay: verdict === 'u' ? -1 : 60000 });
    assert.deepEqual(await store.call('resolve', id, 'a', 'delivered', 'N7', 'p', 'telephone'), ['resolved', 'd']);
    const d = await delivery(id);
    assert.deepEqual([d.letter, d.has, d.number, d.problem], ['d', '1', 'N7', '']);
    assert.deepEqual(await unchanged(() => store.call('resolve', id, 'a', 'delivered', 'N8', 'p', '')), ['refused', 'd']);
  }
  const { id } = await store.accept({ systems: [['board', 'h']] });
  await store.call('resolve', id, 'board', 'delivered', '', 'clerk', 'typed it in');
  const entry = (await store.audit()).at(-1);
  assert.deepEqual([entry.what, entry.who, entry.why], ['resolve delivered', 'clerk', 'typed it in']);
  assert.equal((await store.delivery(id, 'board')).digest, `audit:${entry.entry}`);
  assert.equal((await worker.claim()).items.length, 0);
});

test('resolve resend and rejected; a hand-off system cannot be resent to', async () => {
  const id = await settled('u', { delay: -1 });
  assert.deepEqual(await store.call('resolve', id, 'a', 'resend', '', 'p', 'not there'), ['resolved', 'q']);
  assert.equal((await worker.one()).op, 'create');
  const other = await settled('h');
  assert.deepEqual(await store.call('resolve', other, 'a', 'rejected', '', 'p', 'nonsense'), ['resolved', 'j']);
  const board = (await store.accept({ systems: [['board', 'h']] })).id;
  assert.deepEqual(await unchanged(() => store.call('resolve', board, 'board', 'resend', '', 'p', '')), ['refused', 'h']);
  assert.deepEqual(await store.call('resolve', board, 'a', 'resend', '', 'p', ''), ['absent']);
});

test('a person who decides while somebody looks fences the look', async () => {
  const id = await settled('u', { delay: 0 });
  const look = await worker.one();
  assert.deepEqual(await store.call('resolve', id, 'a', 'delivered', 'N7', 'p', 'telephone'), ['resolved', 'd']);
  assert.deepEqual(await worker.settle(look, 'a'), ['fenced']);
  assert.equal((await delivery(id)).letter, 'd');
  assert.equal(await redis.client.command('XLEN', store.k('q:a')), 0);
});

test('a revision asked for while unknown is sent after a person confirmed the old one', async () => {
  const id = await settled('u', { delay: -1 });
  await store.revise(id, 1, '{"n":2}');
  assert.deepEqual(await store.call('resolve', id, 'a', 'delivered', 'N7', 'p', 'seen'), ['resolved', 'q']);
  const item = await worker.one();
  assert.deepEqual([item.op, item.has, item.revision, item.number], ['update', '1', '2', 'N7']);
});

test('replay: dry counts, then oldest first, in portions, audited', async () => {
  const ids = [];
  for (let i = 0; i < 5; i++) ids.push(await settled(i % 2 ? 'x' : 'j'));
  const other = await settled('u', { delay: -1 });
  assert.deepEqual(await unchanged(() => store.call('replay', 'a', 'xj', 0, 100, 'op', 'w', 1)), ['5', '0']);
  assert.deepEqual(await store.call('replay', 'a', 'x', 0, 1, 'op', 'w', 0), ['1', '1']);
  assert.equal((await worker.one()).id, ids[1]);
  const since = Number((await store.call('exceptions', 'a', 'xj', '', 10))[0][3]);
  assert.deepEqual(await store.call('replay', 'a', 'xj', since + 1, 10, 'op', 'w', 0), ['0', '0']);
  assert.deepEqual(await store.call('replay', 'a', 'xj', 0, 10, 'op', 'w', 0), ['4', '0']);
  assert.deepEqual(await store.call('replay', 'a', 'xj', 0, 10, 'op', 'w', 0), ['0', '0']);
  assert.deepEqual((await store.audit()).map((e) => e.id).sort(), [...ids].sort());
  assert.equal((await delivery(other)).letter, 'u');
  assert.deepEqual(await store.call('replay', 'nowhere', 'x', 0, 10, 'op', 'w', 0), ['0', '0']);
});

test('withdraw: by operation, by hand, or nothing to do', async () => {
  const { id } = await store.accept({ systems: ['a', 'b', 'c', ['board', 'h']] });
  const b = await store.worker('b');
  await worker.settle(await worker.one(), 'd', { number: 'N1' });
  await b.settle(await b.one(), 'd', { number: 'M1' });
  const [word, ms] = await store.withdraw(id, ['a'], 'clerk', 'wrong person');
  assert.equal(word, 'withdrawn');
  assert.deepEqual(await unchanged(() => store.withdraw(id, ['a'])), ['already', ms]);
  assert.deepEqual(await store.revise(id, 1, '{"n":2}'), ['withdrawn']);
  const d = (await store.get(id)).deliveries;
  assert.deepEqual([d.a.letter, d.b.letter, d.c.letter, d.board.letter], ['q', 'h', 'w', 'w']);
  assert.equal(JSON.parse(d.b.problem).code, 'withdraw_by_hand');
  const item = await worker.one();
  assert.deepEqual([item.op, item.number, item.has], ['withdraw', 'N1', '1']);
  await worker.settle(item, 'w');
  assert.deepEqual(await store.call('resolve', id, 'b', 'delivered', '', 'clerk', 'taken out'), ['resolved', 'w']);
  assert.deepEqual(Object.values((await store.get(id)).deliveries).map((x) => x.letter), ['w', 'w', 'w', 'w']);
  assert.equal(await redis.client.command('XLEN', store.k('q:c')), 0);
  assert.deepEqual((await store.audit()).map((e) => [e.what, e.system]),
    [['withdraw', 'board'], ['withdraw', ''], ['resolve delivered', 'b']]);
  assert.deepEqual(await store.withdraw(makeId(), []), ['absent']);
});

test('withdraw in r, u, c, j, x: what never arrived is done, what may have arrived is looked up', async () => {
  const ids = {};
  for (const verdict of 'rucjx') ids[verdict] = await settled(verdict, { delay: verdict === 'r' || verdict === 'x' ? 60000 : 20 });
  for (const id of Object.values(ids)) await store.withdraw(id, ['a'], 'clerk', 'wrong');
  const after = async () => Object.fromEntries(await Promise.all(Object.entries(ids).map(
    async ([v, id]) => [v, (await delivery(id)).letter])));
  assert.deepEqual(await after(), { r: 'w', u: 'u', c: 'c', j: 'w', x: 'w' });
  await new Promise((resolve) => { setTimeout(resolve, 30); });
  await worker.due();
  for (const item of (await worker.claim()).items) await worker.settle(item, item.letter === 'u' ? 'a' : 'd', { number: 'N' });
  assert.deepEqual(await after(), { r: 'w', u: 'w', c: 'q', j: 'w', x: 'w' });
  const last = await worker.one();
  assert.deepEqual([last.id, last.op], [ids.c, 'withdraw']);
  await worker.settle(last, 'u', { delay: 0 });
  const look = await worker.one();
  assert.deepEqual([look.op, look.of], ['lookup', 'withdraw']);
  await worker.settle(look, 'a');
  assert.equal((await delivery(ids.c)).letter, 'w');
});

test('pause and resume: once, twice, with a bell for the worker', async () => {
  assert.deepEqual(await store.call('pause', 'a', 'op', 'maintenance'), ['paused']);
  assert.deepEqual(await unchanged(() => store.call('pause', 'a', 'op2', 'again')), ['already']);
  const [[name, ...flat]] = await store.call('systems', 'a');
  assert.equal(name, 'a');
  const fields = Object.fromEntries(flat.flatMap((v, i) => (i % 2 ? [] : [[v, flat[i + 1]]])));
  assert.deepEqual([fields.paused, fields.paused_by, fields.paused_why], ['1', 'op', 'maintenance']);
  assert.deepEqual(await store.call('resume', 'a', 'op', 'done'), ['resumed']);
  assert.deepEqual(await unchanged(() => store.call('resume', 'a', 'op', 'done')), ['already']);
  assert.deepEqual(await store.call('systems', 'a', 'b'), [['a'], ['b']]);
  const bells = await redis.client.command('XRANGE', '{s0}:ctl:a', '-', '+');
  assert.deepEqual(bells.map((e) => e[1]), [['what', 'pause'], ['what', 'resume']]);
  assert.deepEqual((await store.audit()).map((e) => [e.who, e.what, e.system, e.why]),
    [['op', 'pause', 'a', 'maintenance'], ['op', 'resume', 'a', 'done']]);
});

test('a worker waiting on the streams hears new work and the bell', async () => {
  const { connect } = await import('../lib/redis.mjs');
  const ear = await connect(redis.socket);
  try {
    for (const [key, act] of [['{s0}:q:a', () => store.accept({ systems: ['a'] })],
      ['{s0}:ctl:a', () => store.call('pause', 'a', 'op', '')]]) {
      const heard = ear.command('XREAD', 'BLOCK', 5000, 'STREAMS', key, '$');
      await new Promise((resolve) => { setTimeout(resolve, 20); });
      await act();
      assert.equal((await heard)[0][0], key);
    }
  } finally {
    ear.close();
  }
});

test('the worker reports; an empty value removes a field; paused is not its to say', async () => {
  assert.deepEqual(await store.call('report', 'a', 'breaker', 'open', 'until', '12'), ['ok']);
  assert.deepEqual(await store.call('report', 'a', 'until', '', 'beat', '5'), ['ok']);
  assert.deepEqual(await store.call('systems', 'a'), [['a', 'breaker', 'open', 'beat', '5']]);
  await assert.rejects(store.call('report', 'a', 'paused_by', 'me'), { code: 'ERR' });
});

test('exceptions: newest first over systems and letters, page by page, nothing twice or missed', async () => {
  const want = [];
  const b = await store.worker('b');
  for (let i = 0; i < 20; i++) {
    const { id } = await store.accept({ systems: ['a', 'b'] });
    for (const w of [worker, b]) {
      await w.settle(await w.one(), 'xjhur'[i % 5], { delay: i % 5 === 3 ? -1 : 60000, problem: `{"n":${i}}` });
      want.push(`${id} ${w.system} ${'xjhur'[i % 5]}`);
    }
  }
  const got = [], since = [];
  for (let before = ''; ;) {
    const rows = await store.call('exceptions', '', 'rujxh', before, 3);
    if (!rows.length) break;
    got.push(...rows.map((r) => `${r[0]} ${r[1]} ${r[2]}`));
    since.push(...rows.map((r) => Number(r[3])));
    before = rows.at(-1)[3];
  }
  assert.deepEqual([...got].sort(), [...want].sort());
  assert.deepEqual(since, [...since].sort((x, y) => y - x));
  assert.equal((await store.call('exceptions', 'b', 'x', '', 100)).length, 4);
});

test('the audit is read in portions', async () => {
  for (let i = 0; i < 7; i++) await store.call(i % 2 ? 'resume' : 'pause', 'a', `p${i}`, '');
  const first = await store.call('audit', '', 4);
  const rest = await store.call('audit', first.at(-1)[0], 4);
  assert.deepEqual([...first, ...rest].map((r) => r[2]), ['p0', 'p1', 'p2', 'p3', 'p4', 'p5', 'p6']);
  assert.deepEqual(await store.call('audit', rest.at(-1)[0], 4), []);
});
