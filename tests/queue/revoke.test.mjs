// SPDX-License-Identifier: Apache-2.0
// Revoked tokens in the store: read in steps by number, each as often as it is said again, gone when
// they have ended.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startRedis } from '../lib/redis-server.mjs';
import { sha256 } from './store.mjs';

let redis;
const call = (name, ...args) => redis.client.fcall(`ym_${name}`, '{s0}', ...args.map(String));
const read = async (since, most = 100) => {
  const [last, ...items] = await call('revoked', since, most);
  return { last: Number(last), items: items.map(([digest, n, at, end]) => ({ digest, n: Number(n), at: Number(at), end: Number(end) })) };
};

before(async () => { redis = await startRedis(); });
after(() => redis.stop());

test('what was revoked is read from where a reader stands', async () => {
  assert.deepEqual(await read(0), { last: 0, items: [] });
  const t = Date.now();
  assert.deepEqual(await call('revoke', sha256('a'), 60000), ['revoked', '1']);
  assert.deepEqual(await call('revoke', sha256('b'), 60000), ['revoked', '2']);
  const all = await read(0);
  assert.equal(all.last, 2);
  assert.deepEqual(all.items.map((i) => [i.digest, i.n]), [[sha256('a'), 1], [sha256('b'), 2]]);
  assert.ok(Math.abs(all.items[0].at - t) < 5000 && all.items[0].end - all.items[0].at === 60000);
  assert.deepEqual((await read(1)).items.map((i) => i.digest), [sha256('b')]);
  assert.deepEqual(await read(2), { last: 2, items: [] });
  assert.deepEqual((await read(0, 1)).items.length, 1);
});

test('said again it has a new number, a later time and never an earlier end', async () => {
  const before2 = (await read(0)).items.find((i) => i.digest === sha256('a'));
  await call('revoke', sha256('a'), 1000);
  const { last, items } = await read(2);
  assert.equal(last, 3);
  assert.equal(items.length, 1);
  assert.equal(items[0].end, before2.end);
  assert.ok(items[0].at >= before2.at);
});

test('what has ended leaves with the next one', async () => {
  await call('revoke', sha256('short'), 1000);
  await new Promise((done) => { setTimeout(done, 1100); });
  await call('revoke', sha256('c'), 60000);
  assert.ok(!(await read(0)).items.some((i) => i.digest === sha256('short')));
  assert.equal(await redis.client.command('HEXISTS', '{s0}:rva', sha256('short')), 0);
});

test('wrong arguments are refused', async () => {
  for (const args of [['x', 1000], [sha256('a'), 0], [sha256('a'), 'x'], [sha256('A').toUpperCase(), 1000]]) {
    await assert.rejects(call('revoke', ...args));
  }
  await assert.rejects(call('revoked', -1, 10));
  await assert.rejects(call('revoked', 0, 5000));
});
