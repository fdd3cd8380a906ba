// SPDX-License-Identifier: Apache-2.0
// Proves that what attempts sent and got is kept with their settlement, once, the last few of a
// delivery, for a time and within a bound; and that what went well leaves nothing.
import test from 'node:test';
import assert from 'node:assert/strict';
import { startRedis } from '../lib/redis-server.mjs';
import { Store, dump } from './store.mjs';

const MONTH = 30 * 86400000;
let redis, store, worker;
test.before(async () => { redis = await startRedis({ config: { appendfsync: 'no' } }); });
test.after(() => redis.stop());
test.beforeEach(async () => {
  await redis.client.command('FLUSHALL');
  store = new Store(redis.client);
  worker = await store.worker('a');
});

const keys = async () => (await redis.client.command('KEYS', '{s0}:t[:bz]*')).sort();
const kept = (id) => store.call('attempts', id, 'a');

async function flying() {
  const { id } = await store.accept({ systems: ['a'] });
  return { id, item: await worker.one() };
}

test('kept with the settlement, newest first, and once', async () => {
  const { id, item } = await flying();
  assert.deepEqual(await worker.settleKept([[item, 'r', { delay: 0, problem: '{"code":"retry"}' }]], { 1: 'one' }), ['ok']);
  const before = await dump(redis.client);
  assert.deepEqual(await worker.settleKept([[item, 'r', { delay: 0 }]], { 1: 'one' }), ['ok'], 'the same call again');
  assert.deepEqual(await dump(redis.client), before);
  assert.deepEqual(await worker.settleKept([[await worker.one(), 'j']], { 1: 'two' }), ['ok']);
  assert.deepEqual(await kept(id), ['two', 'one']);
  assert.equal((await store.delivery(id, 'a')).letter, 'j');
});

test('of a batch those that are named; success leaves nothing behind', async () => {
  const ids = [];
  for (let i = 0; i < 3; i++) ids.push((await store.accept({ systems: ['a'] })).id);
  const { items } = await worker.claim();
  assert.deepEqual(await worker.settleKept([[items[0], 'd', { number: 'A' }], [items[1], 'j'], [items[2], 'd', { number: 'B' }]], { 2: 'why' }), ['ok', 'ok', 'ok']);
  assert.deepEqual(await Promise.all(ids.map(kept)), [[], ['why'], []]);
  assert.equal((await keys()).filter((k) => k.startsWith('{s0}:t:')).length, 1);
});

test('an ordinary settle writes no key for it', async () => {
  const { item } = await flying();
  await worker.settle(item, 'd', { number: 'A' });
  assert.deepEqual(await keys(), []);
});

test('who lost the lease keeps nothing', async () => {
  const { id, item } = await flying();
  const next = await store.worker('a', 'w2');
  assert.deepEqual(await worker.settleKept([[item, 'j']], { 1: 'late' }), ['fenced']);
  assert.deepEqual(await next.settleKept([[{ ...item, token: '9.9.9' }, 'j']], { 1: 'wrong' }), ['fenced']);
  assert.deepEqual(await kept(id), []);
});

test('the last five, for thirty days', async () => {
  const { id } = await store.accept({ systems: ['a'] });
  for (let i = 1; i <= 7; i++) await worker.settleKept([[await worker.one(), 'r', { delay: 0 }]], { 1: `attempt ${i}` });
  assert.deepEqual(await kept(id), [7, 6, 5, 4, 3].map((i) => `attempt ${i}`));
  const [key] = (await keys()).filter((k) => k.startsWith('{s0}:t:'));
  const left = await redis.client.command('PTTL', key);
  assert.ok(left > MONTH - 60000 && left <= MONTH, String(left));
  const book = await redis.client.command('HGETALL', store.k('tb'));
  assert.equal(book[book.indexOf('*') + 1], String(5 * 'attempt 3'.length), 'the book says what is there');
});

test('within a bound: what was tried longest ago goes first', async () => {
  const big = 'x'.repeat(5 << 20);
  const ids = [];
  for (let i = 0; i < 4; i++) {
    const { id, item } = await flying();
    ids.push(id);
    await worker.settleKept([[item, 'j']], { 1: big });
    await new Promise((r) => { setTimeout(r, 3); });
  }
  assert.deepEqual((await Promise.all(ids.map(kept))).map((k) => k.length), [0, 1, 1, 1]);
  const book = await redis.client.command('HGETALL', store.k('tb'));
  assert.equal(book[book.indexOf('*') + 1], String(3 * big.length));
  assert.equal(await redis.client.command('ZCARD', store.k('tz')), 3);
});

test('a list that time took away begins anew in the book', async () => {
  const { id, item } = await flying();
  await worker.settleKept([[item, 'r', { delay: 0 }]], { 1: 'aaaa' });
  const [key] = (await keys()).filter((k) => k.startsWith('{s0}:t:'));
  await redis.client.command('DEL', key);
  await worker.settleKept([[await worker.one(), 'j']], { 1: 'bb' });
  assert.deepEqual(await kept(id), ['bb']);
  const book = await redis.client.command('HGETALL', store.k('tb'));
  assert.equal(book[book.indexOf('*') + 1], '2');
});

test('a call that breaks the contract changes nothing', async () => {
  const { id, item } = await flying();
  const before = await dump(redis.client);
  for (const args of [[0], [1, 0, 'x'], [1, 1, ''], [1, 'x', 'y'], [2, 1, 'x'], [1001]]) {
    await assert.rejects(store.call('settle_kept', 'a', 'w1', worker.epoch, ...args, ...worker.settleArgs(item, 'j')), /yimen/, JSON.stringify(args));
  }
  assert.deepEqual(await dump(redis.client), before);
  assert.equal(await store.call('attempts', id, 'other'), null);
  assert.equal(await store.call('attempts', '01M80RTG1W5ZTZXYR1YGXKS6R0', 'a'), null);
  await assert.rejects(store.call('attempts', 'short', 'a'), /bad record id/);
});
