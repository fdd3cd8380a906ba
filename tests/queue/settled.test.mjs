// SPDX-License-Identifier: Apache-2.0
// Proves that whatever a system took or refused is written down in the step that settles it: once, with
// its number and both digests; and that nothing else is.
import test from 'node:test';
import assert from 'node:assert/strict';
import { startRedis } from '../lib/redis-server.mjs';
import { Store, sha256 } from './store.mjs';

let redis, store, worker;
test.before(async () => { redis = await startRedis({ config: { appendfsync: 'no' } }); });
test.after(() => redis.stop());
test.beforeEach(async () => {
  await redis.client.command('FLUSHALL');
  store = new Store(redis.client);
  worker = await store.worker('a');
});

const NAMES = ['id', 'op', 'revision', 'outcome', 'number', 'sent', 'answer'];
const rows = async (from = '', max = 1000) => (await store.call('evidence_settled', from, max));
const told = async () => (await rows()).flatMap(([, system, ...items]) => items.map((item) => ({ system, ...Object.fromEntries(NAMES.map((n, i) => [n, item[i]])) })));

const SENT = sha256('what we sent'), ANSWER = sha256('what they said');

test('a delivery leaves one entry, whatever way it went', async () => {
  const first = await store.accept({ systems: ['a'] });
  const item = await worker.one();
  await worker.settle(item, 'd', { number: 'A-1', digest: ANSWER, request: SENT });
  assert.deepEqual(await worker.settle(item, 'd', { number: 'A-1', digest: ANSWER, request: SENT }), ['ok'], 'the same call again');
  const created = { system: 'a', id: first.id, op: 'create', revision: '1', outcome: 'ok', number: 'A-1', sent: SENT, answer: ANSWER };
  assert.deepEqual(await told(), [created]);

  await store.revise(first.id, 1, '{"data":{}}');
  await worker.settle(await worker.one(), 'd', { number: 'A-1', digest: ANSWER, request: SENT });
  await store.withdraw(first.id, ['a']);
  await worker.settle(await worker.one(), 'w', { digest: ANSWER });
  assert.deepEqual(await told(), [created, { ...created, op: 'update', revision: '2' },
    { ...created, op: 'withdraw', revision: '2', sent: '' }]);
});

test('what a look found, and what was refused', async () => {
  const { id } = await store.accept({ systems: ['a'] });
  await worker.settle(await worker.one(), 'u', { delay: 0 });
  await worker.settle(await worker.one(), 'd', { number: 'A-2', digest: ANSWER });
  const other = await store.accept({ systems: ['a'] });
  await worker.settle(await worker.one(), 'j', { digest: ANSWER, request: SENT, problem: '{}' });
  assert.deepEqual(await told(), [
    { system: 'a', id, op: 'lookup', revision: '1', outcome: 'ok', number: 'A-2', sent: '', answer: ANSWER },
    { system: 'a', id: other.id, op: 'create', revision: '1', outcome: 'refused', number: '', sent: SENT, answer: ANSWER },
  ]);
});

test('taken, the number comes later', async () => {
  const { id } = await store.accept({ systems: ['a'] });
  await worker.settle(await worker.one(), 'c', { delay: 0, digest: ANSWER, request: SENT });
  await worker.settle(await worker.one(), 'c', { delay: 0 }); // a look: not yet
  await worker.settle(await worker.one(), 'd', { number: 'A-4', digest: ANSWER });
  assert.deepEqual((await told()).map((t) => [t.id, t.op, t.outcome, t.number, t.sent]), [[id, 'create', 'taken', '', SENT], [id, 'lookup', 'ok', 'A-4', '']]);
});

test('nothing for what settles nothing: repeats, doubt, hand-over, a lost lease, d that is not believed', async () => {
  for (const verdict of ['r', 'u', 'p', 'x', 'h', 'd']) {
    await store.accept({ systems: ['a'] });
    for (const item of (await worker.claim()).items) assert.deepEqual(await worker.settle(item, verdict, { delay: verdict === 'u' ? -1 : 1e6 }), ['ok']);
  }
  await store.accept({ systems: ['a'] });
  const late = await worker.one();
  await store.worker('a', 'w2');
  assert.deepEqual(await worker.settle(late, 'd', { number: 'A-3' }), ['fenced']);
  assert.deepEqual(await rows(), []);
});

test('read whole entries at a time, from the last one on; gone once they are archived', async () => {
  for (let n = 0; n < 3; n++) {
    for (let i = 0; i < 4; i++) await store.accept({ systems: ['a'] });
    const { items } = await worker.claim();
    await worker.settleAll(items.map((item, i) => [item, 'd', { number: `${n}.${i}` }]));
  }
  const all = await rows();
  assert.deepEqual(all.map((r) => r.length - 2), [4, 4, 4]);
  assert.deepEqual(await rows('', 5), all.slice(0, 2), 'until there are enough');
  assert.deepEqual(await rows(all[1][0]), all.slice(1), 'the one named is told again');
  await store.call('evidence_done', '', 0, 1000, all[1][0]);
  assert.deepEqual(await rows(all[1][0]), all.slice(2));
  await store.call('evidence_done', '', 0, 1000, '');
  assert.deepEqual(await rows(), all.slice(2), 'none is named, none goes');
});
