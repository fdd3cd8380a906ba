// SPDX-License-Identifier: Apache-2.0
// Proves what the reports count: each thing once, by the transition that makes it so, and nobody in it.
import test from 'node:test';
import assert from 'node:assert/strict';
import { startRedis } from '../lib/redis-server.mjs';
import { Store, makeId, sha256 } from './store.mjs';

let redis, store;
test.before(async () => { redis = await startRedis(); });
test.after(() => redis.stop());
test.beforeEach(async () => {
  await redis.client.command('FLUSHALL');
  store = new Store(redis.client);
});

const today = () => Math.floor((Date.now() + 28800000) / 86400000);
async function counted() {
  const rows = await store.call('tally', today() - 1, today());
  const out = {};
  for (const [, ...flat] of rows) for (let i = 0; i < flat.length; i += 2) out[flat[i]] = (out[flat[i]] ?? 0) + Number(flat[i + 1]);
  return out;
}
async function file(typed, more = {}) {
  const args = store.acceptArgs({ id: more.id, ...more });
  return store.call('accept', ...args, ...(typed === undefined ? [] : [typed]));
}
const id = () => makeId();

test('accepted and revised: records, revisions, fields typed; a repeat counts nothing', async () => {
  const one = id();
  await file(14, { id: one, systems: ['a', 'b'] });
  await file(14, { id: one, systems: ['a', 'b'] });
  await file(undefined, { id: id(), type: 'note' });
  assert.deepEqual(await counted(), { 'filed:dispute': 1, 'typed:dispute': 14, 'filed:note': 1 });
  await store.call('revise', one, 1, '{"data":{"b":1}}', 'u1', 0, 2);
  await store.call('revise', one, 1, '{"data":{"b":1}}', 'u1', 0, 2);
  assert.equal((await store.call('revise', one, 1, '{"data":{"c":1}}', 'u1', 0, 9))[0], 'stale');
  assert.deepEqual(await counted(), { 'filed:dispute': 1, 'typed:dispute': 16, 'revised:dispute': 1, 'filed:note': 1 });
});

test('delivered: once per system and record, with the fields that went along; an update apart', async () => {
  const one = id();
  await file(5, { id: one, systems: ['a', 'b'] });
  const a = await store.worker('a');
  const { items: [x] } = await a.claim();
  assert.deepEqual(await a.settle(x, 'd17', { number: 'N1' }), ['ok']);
  assert.deepEqual(await a.settle(x, 'd17', { number: 'N1' }), ['ok'], 'the same again');
  const b = await store.worker('b');
  const { items: [y] } = await b.claim();
  await b.settle(y, 'r4', { delay: 0 });   /* did not arrive */
  let [z] = (await b.claim()).items;
  await b.settle(z, 'd', { number: 'N2' }); /* arrived, from a worker that counts no fields */
  assert.deepEqual(await counted(), { 'filed:dispute': 1, 'typed:dispute': 5, 'arrived:a:dispute': 1, 'fields:a:dispute': 17, 'arrived:b:dispute': 1 });
  await store.call('revise', one, 1, '{"data":{"b":1}}', 'u1', 0, 1);
  [z] = (await a.claim()).items;
  assert.equal(z.op, 'update');
  await a.settle(z, 'd17', { number: 'N1' });
  const now = await counted();
  assert.deepEqual([now['arrived:a:dispute'], now['changed:a:dispute'], now['fields:a:dispute']], [1, 1, 17], 'nobody would have typed all of it again');
});

test('taken first, numbered later: its fields count once', async () => {
  await file(5, { id: id(), systems: ['a'] });
  const a = await store.worker('a');
  const { items: [x] } = await a.claim();
  await a.settle(x, 'c9', { delay: 0 });
  const { items: [y] } = await a.claim();
  assert.equal(y.op, 'lookup');
  await a.settle(y, 'd9', { number: 'N1' });
  assert.deepEqual(await counted(), { 'filed:dispute': 1, 'typed:dispute': 5, 'arrived:a:dispute': 1, 'fields:a:dispute': 9 });
});

test('a count that is none is refused, and nothing is written', async () => {
  await file(1, { id: id(), systems: ['a'] });
  const a = await store.worker('a');
  const { items: [x] } = await a.claim();
  for (const verdict of ['d-1', 'd1.5', 'dx', 'q3', '17', '', 'd12345']) await assert.rejects(a.settle(x, verdict, { number: 'N' }), /bad item/, verdict);
  await assert.rejects(file('many', { id: id() }), /typed/);
  assert.deepEqual(await counted(), { 'filed:dispute': 1, 'typed:dispute': 1 });
});

test('sign-ins, and the first way of a session into each application', async () => {
  const digest = sha256('s1');
  await store.call('session_put', digest, sha256('person'), '', 'v', 10000, 20000, 5);
  await store.call('session_put', digest, sha256('person'), '', 'v', 10000, 20000, 5);
  assert.deepEqual(await store.call('session_enter', digest, 'odr'), ['entered']);
  assert.deepEqual(await store.call('session_enter', digest, 'odr'), ['there']);
  assert.deepEqual(await store.call('session_enter', digest, 'grid'), ['entered']);
  assert.deepEqual(await store.call('session_enter', sha256('none'), 'grid'), ['absent']);
  assert.deepEqual(await counted(), { signin: 1, 'entry:odr': 1, 'entry:grid': 1 });
  await store.call('session_end', digest);
  assert.deepEqual(await redis.client.command('KEYS', '*:sa:*'), [], 'where it was goes with it');
});

test('no counter names a person, an organisation, an area or a record; all of them end', async () => {
  const one = id();
  await file(3, { id: one, owner: 'mei', org: 'committee-1', area: '330106003', systems: ['a'], keys: [['phone', sha256('13800000000')]] });
  await store.call('session_put', sha256('s'), sha256('mei'), '', 'v', 10000, 20000, 5);
  await store.call('session_enter', sha256('s'), 'odr');
  const keys = await redis.client.command('KEYS', '*:day:*');
  assert.equal(keys.length, 1);
  const all = JSON.stringify([keys, await redis.client.command('HGETALL', keys[0])]);
  for (const word of ['mei', 'committee-1', '330106003', one, sha256('mei'), sha256('s'), 'phone']) assert.ok(!all.includes(word), word);
  const ttl = await redis.client.command('PTTL', keys[0]);
  assert.ok(ttl > 799 * 86400000 && ttl <= 800 * 86400000, String(ttl));
});

test('days: both ends included, those without anything left out, not too many at once', async () => {
  await redis.client.command('HSET', `{s0}:day:${today() - 3}`, 'signin', 4);
  await store.call('session_put', sha256('s'), sha256('p'), '', 'v', 10000, 20000, 5);
  assert.deepEqual(await store.call('tally', today() - 3, today()), [[String(today() - 3), 'signin', '4'], [String(today()), 'signin', '1']]);
  assert.deepEqual(await store.call('tally', today() - 2, today() - 1), []);
  await assert.rejects(store.call('tally', today() - 400, today()), /to is no whole number/);
  await assert.rejects(store.call('tally', today(), today() - 1), /to is no whole number/);
});
