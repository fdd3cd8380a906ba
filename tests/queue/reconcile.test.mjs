// SPDX-License-Identifier: Apache-2.0
// Proves that reconcile finds, names and mends what was lost outside the functions: groups, streams,
// sorted sets, counters; and that afterwards every delivery still arrives once.
import test from 'node:test';
import assert from 'node:assert/strict';
import { startRedis } from '../lib/redis-server.mjs';
import { Store } from './store.mjs';

let redis, store, worker;
test.before(async () => { redis = await startRedis({ config: { appendfsync: 'no' } }); });
test.after(() => redis.stop());
test.beforeEach(async () => {
  await redis.client.command('FLUSHALL');
  store = new Store(redis.client);
  worker = await store.worker('a');
});

// One delivery in every state a delivery can be in. → ids by name
async function zoo() {
  const ids = {};
  const make = async (name) => { ids[name] = (await store.accept({ systems: ['a', ['board', 'h']] })).id; };
  for (const name of ['d', 'r', 'p', 'u', 'person', 'c', 'j', 'x', 'h', 'look', 'flying']) await make(name);
  const { items } = await worker.claim({ max: 11 });
  const by = Object.fromEntries(items.map((i) => [Object.keys(ids).find((k) => ids[k] === i.id), i]));
  for (const name of ['d', 'j', 'x', 'h']) await worker.settle(by[name], name, { number: 'N' });
  for (const name of ['r', 'p', 'u', 'c']) await worker.settle(by[name], name, { delay: 3600000 });
  await worker.settle(by.person, 'u', { delay: -1 });
  await worker.settle(by.look, 'u', { delay: 0 });
  ids.lookItem = await worker.one();
  ids.flyItem = by.flying;
  for (const name of ['q1', 'q2', 'q3']) await make(name);
  return ids;
}

async function letters(ids) {
  const out = {};
  for (const [name, id] of Object.entries(ids)) if (typeof id === 'string') out[name] = (await store.delivery(id, 'a')).letter;
  return out;
}

function summary(notes) {
  const out = {};
  for (const { what } of notes) out[what] = (out[what] ?? 0) + 1;
  return out;
}

// Everything that can still arrive does, once. → how often each id was created
async function drain() {
  const created = {};
  for (let i = 0; i < 20; i++) {
    for (const key of await redis.client.command('ZRANGE', store.k('z:a'), 0, -1)) {
      await redis.client.command('ZADD', store.k('z:a'), 1, key); // as if the time had come
    }
    await worker.due();
    const { items } = await worker.claim();
    for (const item of items) {
      if (item.op !== 'lookup') created[item.id] = (created[item.id] ?? 0) + 1;
      await worker.settle(item, 'd', { number: 'N' });
    }
    if (!items.length) break;
  }
  return created;
}

async function arrives(ids) {
  const created = await drain();
  assert.ok(Object.values(created).every((n) => n === 1), 'nothing is sent twice');
  assert.deepEqual(await letters(ids), { d: 'd', r: 'd', p: 'd', u: 'd', person: 'u', c: 'd', j: 'j', x: 'x', h: 'h',
    look: 'd', flying: 'd', q1: 'd', q2: 'd', q3: 'd' });
  const { a } = await store.counts('a');
  assert.deepEqual([a.queued, a.delivered, a.unknown, a.retrying, a.sending, a.awaiting], [0, 10, 1, 0, 0, 0]);
  assert.deepEqual(await store.reconcile(), []);
}

async function finishHands(ids) {
  assert.deepEqual(await worker.settle(ids.flyItem, 'd', { number: 'N' }), ['ok']);
  assert.deepEqual(await worker.settle(ids.lookItem, 'd', { number: 'N' }), ['ok']);
}

test('undamaged data is left alone, whatever the size of a step', async () => {
  const ids = await zoo();
  for (const max of [1, 2, 7, 1000]) assert.deepEqual(await store.reconcile(max), []);
  await finishHands(ids);
  await arrives(ids);
});

test('the consumer group is lost: claim recreates it, says so, and sends nothing twice', async () => {
  const ids = await zoo();
  await redis.client.command('XGROUP', 'DESTROY', store.k('q:a'), 'w');
  const { items } = await worker.claim();
  assert.deepEqual(items.map((i) => i.id).sort(), [ids.q1, ids.q2, ids.q3].sort(), 'what is in flight is not offered');
  for (const item of items) await worker.settle(item, 'd', { number: 'N' });
  const entry = (await store.audit()).find((e) => e.what === 'group_recreated');
  assert.deepEqual([entry.who, entry.system], ['store', 'a']);
  await finishHands(ids);
  await arrives(ids);
});

test('the consumer group is lost: reconcile makes it where it stood', async () => {
  const ids = await zoo();
  await redis.client.command('XGROUP', 'DESTROY', store.k('q:a'), 'w');
  assert.deepEqual(summary(await store.reconcile(3)), { group_recreated: 1 });
  assert.deepEqual(await store.reconcile(), []);
  await finishHands(ids);
  await arrives(ids);
});

test('the group is lost and the worker with it: both attempts are looked up', async () => {
  const ids = await zoo();
  await redis.client.command('XGROUP', 'DESTROY', store.k('q:a'), 'w');
  worker = await store.worker('a', 'w2');
  await store.reconcile();
  await worker.reclaim();
  const { items } = await worker.claim();
  assert.deepEqual(items.filter((i) => i.op === 'lookup').map((i) => i.id).sort(), [ids.look, ids.flying].sort());
  for (const item of items) await worker.settle(item, 'd', { number: 'N' });
  await arrives(ids);
});

test('the whole stream is deleted', async () => {
  const ids = await zoo();
  await redis.client.command('DEL', store.k('q:a'));
  const notes = summary(await store.reconcile(4));
  assert.deepEqual([notes.group_recreated, notes.requeued], [1, 3]);
  assert.equal(notes.attempt_lost, 1, 'the look is repeated; the attempt may still be settled');
  assert.deepEqual(await worker.settle(ids.flyItem, 'd', { number: 'N' }), ['ok']);
  await arrives(ids);
});

test('the whole stream is deleted and the worker dead: its attempt is looked up', async () => {
  const ids = await zoo();
  await redis.client.command('DEL', store.k('q:a'));
  worker = await store.worker('a', 'w2');
  assert.deepEqual(summary(await store.reconcile()), { requeued: 3, attempt_lost: 2 });
  const { items } = await worker.claim();
  assert.equal(items.find((i) => i.id === ids.flying).op, 'lookup');
  for (const item of items) await worker.settle(item, 'd', { number: 'N' });
  await arrives(ids);
});

test('one entry is deleted, one trimmed away', async () => {
  const ids = await zoo();
  const entries = await redis.client.command('XRANGE', store.k('q:a'), '-', '+');
  await redis.client.command('XDEL', store.k('q:a'), entries.at(-1)[0]);
  await redis.client.command('XTRIM', store.k('q:a'), 'MAXLEN', entries.length - 2);
  const notes = await store.reconcile();
  assert.deepEqual(notes.filter((n) => n.what === 'requeued').map((n) => n.id), [ids.q3]);
  await worker.settle(ids.flyItem, 'd', { number: 'N' });
  await worker.settle(ids.lookItem, 'd', { number: 'N' });
  await arrives(ids);
});

test('a consumer is deleted (XGROUP DELCONSUMER): the lease is not its', async () => {
  const ids = await zoo();
  await redis.client.command('XGROUP', 'DELCONSUMER', store.k('q:a'), 'w', 'w1');
  assert.deepEqual(summary(await store.reconcile()), {});
  await finishHands(ids);
  await arrives(ids);
});

test('entries were offered to nobody (XGROUP SETID $)', async () => {
  const ids = await zoo();
  await redis.client.command('XGROUP', 'SETID', store.k('q:a'), 'w', '$');
  assert.deepEqual((await worker.claim()).items, []);
  assert.deepEqual(summary(await store.reconcile()), { requeued: 3 });
  await finishHands(ids);
  await arrives(ids);
});

test('delays and marks are deleted', async () => {
  const ids = await zoo();
  await redis.client.command('DEL', store.k('z:a'));
  for (const l of 'rujxh') await redis.client.command('DEL', store.k(`x:a:${l}`));
  const due = (await store.delivery(ids.r, 'a')).next;
  assert.deepEqual(summary(await store.reconcile(2)), { delay_restored: 4, mark_restored: 7 });
  assert.equal((await store.delivery(ids.r, 'a')).next, due, 'the time is the delivery’s own');
  await finishHands(ids);
  await arrives(ids);
});

test('strays are removed: entries, delays and marks nobody refers to', async () => {
  const ids = await zoo();
  const [serial] = await redis.client.command('ZRANGE', store.k('x:a:j'), 0, -1);
  await redis.client.command('XADD', store.k('q:a'), '*', 'i', '');
  await redis.client.command('ZADD', store.k('z:a'), 5, serial);
  await redis.client.command('ZADD', store.k('z:a'), 5, 999999);
  await redis.client.command('ZADD', store.k('x:a:x'), 5, serial);
  assert.deepEqual(summary(await store.reconcile()), { stale_entry: 1, stray_delay: 2, stray_mark: 1 });
  await finishHands(ids);
  await arrives(ids);
});

test('counters are corrected while work goes on between the steps', async () => {
  const ids = await zoo();
  await redis.client.command('HSET', store.k('n:a'), 'd', '77', 'x', '0', 'h', '-3');
  await redis.client.command('HDEL', store.k('n:a'), 'u');
  let cursor = '';
  const notes = [];
  for (let step = 0; ; step++) {
    const [next, ...rows] = await store.call('reconcile', cursor, 2);
    notes.push(...rows.map((r) => r[0]));
    cursor = next;
    if (!cursor) break;
    if (step === 0) await worker.settle(ids.flyItem, 'x');
    if (step === 1) await store.call('retry', ids.j, 'a', 'op', 'w');
    if (step === 2) await worker.settle(ids.lookItem, 'd', { number: 'N' });
    if (step === 3) await store.accept({ systems: ['a'] });
    if (step === 4) for (const item of (await worker.claim({ max: 2 })).items) await worker.settle(item, 'r', { delay: 99999 });
  }
  assert.ok(notes.includes('counter_corrected'));
  const real = {};
  for (const row of (await store.list({ system: 'a' }, { limit: 1000 })).rows) {
    const { letter } = row.deliveries.a;
    real[letter] = (real[letter] ?? 0) + 1;
  }
  const { a } = await store.counts('a');
  assert.deepEqual([a.queued, a.delivered, a.retrying, a.unknown, a.rejected, a.dead, a.handoff, a.awaiting, a.sending],
    ['q', 'd', 'r', 'u', 'j', 'x', 'h', 'c', 's'].map((l) => real[l] ?? 0));
});

test('two reconciles at once do not spoil the counters', async () => {
  await zoo();
  let one = (await store.call('reconcile', '', 2))[0];
  const notes = await store.reconcile(3);
  while (one) {
    const [next, ...rows] = await store.call('reconcile', one, 2);
    notes.push(...rows);
    one = next;
  }
  assert.deepEqual(notes, []);
  assert.deepEqual(await store.reconcile(), []);
});
