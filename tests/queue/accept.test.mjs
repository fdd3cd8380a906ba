// SPDX-License-Identifier: Apache-2.0
// Proves accept, revise, get and history: once, twice, after a crash; idempotency keys; bad calls.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { startRedis } from '../lib/redis-server.mjs';
import { Store, dump, makeId, sha256 } from './store.mjs';

let redis, store;
test.before(async () => { redis = await startRedis(); });
test.after(() => redis.stop());
test.beforeEach(async () => {
  await redis.client.command('FLUSHALL');
  store = new Store(redis.client);
});

test('the version is the header’s', async () => {
  const header = readFileSync(new URL('../../core/ym_store.h', import.meta.url), 'utf8');
  assert.equal(await store.call('version'), /YM_STORE_VERSION "(.*?)"/.exec(header)[1]);
});

test('the dispatcher carries every part of the library, in this order', () => {
  const top = new URL('../../', import.meta.url);
  const carried = [...readFileSync(new URL('adapters/dispatcher/ym_access.c', top), 'utf8').matchAll(/\.incbin \\"core\/(ym_store\w*\.lua)/g)].map((m) => m[1]);
  assert.deepEqual(carried, readdirSync(new URL('core/', top)).filter((f) => /^ym_store(_\w+)?\.lua$/.test(f)).sort());
});

test('accept stores record and deliveries, get gives them back', async () => {
  const envelope = JSON.stringify({ at: '2026-03-02T10:00:00.000+08:00', by: '王', data: { text: '纠纷\u0000x' } });
  const { id, reply } = await store.accept({ envelope, type: 'dispute', owner: 'u 1', org: '', area: '330106',
    systems: ['a', ['board', 'h'], 'b'] });
  assert.deepEqual(reply.slice(0, 2), ['created', id]);
  const rec = await store.get(id);
  assert.equal(rec.envelope, envelope);
  assert.deepEqual([rec.type, rec.owner, rec.org, rec.area, rec.revision, rec.withdrawn],
    ['dispute', 'u 1', '', '330106', '1', '0']);
  assert.equal(rec.created, rec.updated);
  assert.deepEqual(Object.values(rec.deliveries).map((d) => [d.system, d.letter, d.wanted, d.has, d.attempts, d.next]),
    [['a', 'q', '1', '0', '0', '0'], ['board', 'h', '1', '0', '0', '0'], ['b', 'q', '1', '0', '0', '0']]);
  assert.equal(await store.get(makeId()), null);
});

test('the same accept again makes no second record', async () => {
  const record = { id: makeId(), systems: ['a', 'b'] };
  const first = await store.accept(record);
  const before = await dump(redis.client);
  const again = await store.accept(record);
  assert.deepEqual(again.reply, ['replayed', ...first.reply.slice(1)]);
  assert.deepEqual(await dump(redis.client), before);
});

test('an idempotency key answers for its record, whatever id comes with it', async () => {
  const key = { idem: sha256('client key'), digest: sha256('body'), systems: ['a'] };
  const { id, reply } = await store.accept(key);
  const before = await dump(redis.client);
  assert.deepEqual((await store.accept(key)).reply, ['replayed', id, reply[2]]);
  assert.deepEqual((await store.accept({ ...key, digest: sha256('other') })).reply, ['mismatch', id]);
  assert.deepEqual(await dump(redis.client), before);
  assert.equal((await store.accept({ ...key, idem: sha256('another key') })).reply[0], 'created');
});

test('an idempotency key lives 30 days, over the edge of its hash', async () => {
  const key = { idem: sha256('k'), digest: sha256('b') };
  const { id } = await store.accept(key);
  const [bucket] = await redis.client.command('KEYS', '{s0}:i:*');
  assert.ok(await redis.client.command('PTTL', bucket) > 30 * 86400000);
  const [, head, period, tail] = /^(.*:i:)(\d+)(:.*)$/.exec(bucket);
  await redis.client.command('RENAME', bucket, `${head}${period - 1}${tail}`);
  assert.equal((await store.accept(key)).reply[1], id, 'found in the period before');
  await redis.client.command('RENAME', `${head}${period - 1}${tail}`, `${head}${period - 2}${tail}`);
  assert.equal((await store.accept(key)).reply[0], 'created', 'two periods ago is too old');
});

test('bad calls are refused and write nothing', async () => {
  const id = makeId(), good = store.acceptArgs({ id, systems: ['a'] });
  const bad = [
    ['accept'], ['accept', ...good.slice(0, -1)], ['accept', ...good, 'more'],
    ['accept', 'short', ...good.slice(1)], ['accept', id.toLowerCase(), ...good.slice(1)],
    ['accept', ...store.acceptArgs({ id, systems: ['a', 'a'] })],
    ['accept', ...store.acceptArgs({ id, systems: [['a', 's']] })],
    ['accept', ...store.acceptArgs({ id, systems: ['bad name'] })],
    ['accept', ...store.acceptArgs({ id, systems: Array.from({ length: 65 }, (_, i) => `s${i}`) })],
    ['accept', ...store.acceptArgs({ id, envelope: '' })],
    ['revise', id, 'one', '{}', 'u', 0], ['revise', id, 0, '{}', 'u', 0], ['revise', id, 1, '', 'u', 0],
    ['settle', 'a', 'w1', '1', 'e', id, 't', 'z', 0, '', '', 0, '', ''], ['settle', 'a', 'w1', '1', 'e', id],
    ['claim', 'a', 'w1', '1', 0, 0], ['claim', 'a', 'w1', '1', 1001, 0], ['resolve', id, 'a', 'burn', '', 'u', ''],
    ['replay', 'a', 'd', 0, 10, 'u', '', 0], ['list', '', 10, 10, 'colour', 'red'], ['reconcile', 'x:1', 10],
    ['report', 'a', 'paused', '1'],
  ];
  for (const args of bad) await assert.rejects(store.call(...args), { code: 'ERR' }, JSON.stringify(args).slice(0, 90));
  await assert.rejects(redis.client.fcall('ym_version', 'no-tag'), { code: 'ERR' });
  assert.deepEqual(await dump(redis.client), {});
});

test('revise checks the revision, keeps the old ones, and is safe to repeat', async () => {
  const { id } = await store.accept({ envelope: '{"n":1}', systems: ['a'] });
  assert.deepEqual(await store.revise(id, 1, '{"n":2}'), ['revised', '2']);
  const before = await dump(redis.client);
  assert.deepEqual(await store.revise(id, 1, '{"n":2}'), ['revised', '2'], 'the answer was lost, the call comes again');
  assert.deepEqual(await store.revise(id, 1, '{"n":3}'), ['stale', '2']);
  assert.deepEqual(await store.revise(id, 5, '{"n":3}'), ['stale', '2']);
  assert.deepEqual(await store.revise(makeId(), 1, '{"n":3}'), ['absent']);
  assert.deepEqual(await dump(redis.client), before);
  assert.deepEqual(await store.revise(id, 2, '{"n":3}'), ['revised', '3']);
  assert.deepEqual(await store.call('history', id), [['1', '{"n":1}'], ['2', '{"n":2}'], ['3', '{"n":3}']]);
  assert.deepEqual(await Promise.all([1, 2, 3, 0].map(async (r) => (await store.get(id, r)).envelope)),
    ['{"n":1}', '{"n":2}', '{"n":3}', '{"n":3}']);
  assert.equal(await store.get(id, 4), null);
  assert.equal(await store.call('history', makeId()), null);
});

test('an edit while the system is down costs one delivery', async () => {
  const { id } = await store.accept({ envelope: '{"n":1}', systems: ['a'] });
  for (let r = 1; r < 5; r++) await store.revise(id, r, `{"n":${r + 1}}`);
  const worker = await store.worker('a');
  const item = await worker.one();
  assert.deepEqual([item.op, item.revision, item.envelope], ['create', '5', '{"n":5}']);
});

test('above maxmemory new records are refused, and the queue still drains', async () => {
  const { id } = await store.accept({ systems: ['a'] });
  const worker = await store.worker('a');
  await redis.client.command('CONFIG', 'SET', 'maxmemory', '1mb');
  try {
    await assert.rejects(store.accept({ systems: ['a'] }), { code: 'OOM' });
    await assert.rejects(store.revise(id, 1, '{"n":2}'), { code: 'OOM' });
    assert.deepEqual(await worker.settle(await worker.one(), 'd', { number: '7' }), ['ok']);
    assert.equal((await store.delivery(id, 'a')).letter, 'd');
  } finally {
    await redis.client.command('CONFIG', 'SET', 'maxmemory', '0');
  }
});

test('what was answered survives SIGKILL, exactly', async () => {
  const { id } = await store.accept({ systems: ['a', ['b', 'h']], idem: sha256('i'), digest: sha256('d'),
    keys: [['phone', sha256('p')]] });
  await store.revise(id, 1, '{"n":2}', 'u', [['phone', sha256('q')]]);
  const before = await dump(redis.client);
  store.client = await redis.restart();
  assert.deepEqual(await dump(redis.client), before);
});

test('shards do not see each other', async () => {
  const other = new Store(redis.client, 3);
  const { id } = await other.accept({ systems: ['a'] });
  assert.equal(await store.get(id), null);
  assert.ok((await redis.client.command('KEYS', '*')).every((k) => k.startsWith('{s3}:')));
  assert.equal((await (await store.worker('a')).claim()).items.length, 0);
  assert.equal((await (await other.worker('a')).claim()).items.length, 1);
});
