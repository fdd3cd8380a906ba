// SPDX-License-Identifier: Apache-2.0
// What the store keeps of old applications: credentials, cookies, and who may sign in at a time.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startRedis } from '../lib/redis-server.mjs';
import { sha256 } from './store.mjs';

const P = sha256('mei');
const OTHER = sha256('bo');
let redis;
const call = (name, ...args) => redis.client.fcall(`ym_${name}`, '{s0}', ...args);
const open = (system, holder, { lease = 5000, keep = 60000, personal = 1, person = P } = {}) => call('jar_open', person, system, holder, lease, keep, personal);

before(async () => { redis = await startRedis(); });
after(() => redis.stop());

test('a vault entry is set, listed without a value, refused, entered anew, dropped', async () => {
  assert.deepEqual(await call('vault_list', P), []);
  assert.equal(await call('vault_get', P, 'a'), null);
  const [word, since] = await call('vault_set', P, 'a', 'sealed-1');
  assert.equal(word, 'kept');
  await call('vault_set', P, 'b', 'sealed-2');
  assert.deepEqual((await call('vault_list', P)).map((e) => [e[0], e[2]]), [['a', ''], ['b', '']]);
  assert.deepEqual(await call('vault_get', P, 'a'), ['sealed-1', since, '']);
  assert.equal(await call('vault_get', OTHER, 'a'), null);
  assert.deepEqual(await call('vault_stale', P, 'a', '1', 'refused'), ['other']);
  assert.deepEqual(await call('vault_stale', P, 'a', since, 'refused'), ['stale']);
  assert.deepEqual(await open('a', 'h1'), ['stale', 'refused']);
  assert.deepEqual(await call('vault_reseal', P, 'a', since, 'sealed-1b'), ['kept']);
  assert.deepEqual(await call('vault_reseal', P, 'a', '7', 'x'), ['other']);
  assert.deepEqual(await call('vault_get', P, 'a'), ['sealed-1b', since, 'refused']);
  await call('vault_set', P, 'a', 'sealed-3');
  assert.equal((await call('vault_get', P, 'a'))[2], '');
  assert.deepEqual(await call('vault_drop', P, 'a'), ['gone']);
  assert.deepEqual(await call('vault_drop', P, 'a'), ['absent']);
  assert.deepEqual((await call('vault_list', P)).map((e) => e[0]), ['b']);
});

test('one signs in, the others wait; then all have the cookies', async () => {
  assert.deepEqual(await open('c', 'h1'), ['none']);
  const [, since] = await call('vault_set', P, 'c', 'sealed');
  assert.deepEqual(await open('c', 'h1'), ['go', 'sealed', since]);
  assert.equal((await open('c', 'h2'))[0], 'wait');
  assert.equal((await open('c', 'h2', { person: OTHER }))[0], 'none');
  assert.deepEqual(await call('jar_keep', P, 'c', 'h2', 60000, 'k', 'v'), ['late']);
  assert.deepEqual(await call('jar_keep', P, 'c', 'h1', 60000, 'k1', 'v1', 'k2', 'v2'), ['kept']);
  const [word, generation, , cookies] = await open('c', 'h3');
  assert.deepEqual([word, generation, cookies], ['jar', 'h1', ['k1', 'v1', 'k2', 'v2']]);
  assert.deepEqual(await call('jar_put', P, 'c', 'h1', 60000, 'k1', '', 'k3', 'v3'), ['kept']);
  assert.deepEqual(await call('jar_put', P, 'c', 'h0', 60000, 'k9', 'v9'), ['late']);
  assert.deepEqual((await open('c', 'h3'))[3], ['k2', 'v2', 'k3', 'v3']);
  assert.deepEqual(await call('jar_end', P, 'c', 'nothing'), [['c', 'h1', ['k2', 'v2', 'k3', 'v3']]]);
  assert.equal((await open('c', 'h4'))[0], 'go');
});

test('a sign-in that takes too long is taken over, and its result comes too late', async () => {
  await call('vault_set', P, 'd', 'sealed');
  assert.equal((await open('d', 'h1', { lease: 1 }))[0], 'go');
  await new Promise((done) => { setTimeout(done, 5); });
  assert.equal((await open('d', 'h2'))[0], 'go');
  assert.deepEqual(await call('jar_keep', P, 'd', 'h1', 60000, 'k', 'v'), ['late']);
  assert.deepEqual(await call('jar_fail', P, 'd', 'h1', 'away', 1000, ''), ['late']);
  assert.deepEqual(await call('jar_keep', P, 'd', 'h2', 60000, 'k', 'v'), ['kept']);
});

test('I163 a refused password is tried once: stale until it is entered anew', async () => {
  const [, since] = await call('vault_set', P, 'e', 'sealed');
  await open('e', 'h1');
  assert.deepEqual(await call('jar_fail', P, 'e', 'h1', 'refused', 1000, since), ['stale']);
  assert.deepEqual(await open('e', 'h2'), ['stale', 'refused']);
  await call('vault_set', P, 'e', 'sealed-2');
  assert.equal((await open('e', 'h3'))[0], 'go');
});

test('other failures are held for a while; new credentials end that', async () => {
  await call('vault_set', P, 'f', 'sealed');
  await open('f', 'h1');
  assert.deepEqual(await call('jar_fail', P, 'f', 'h1', 'captcha', 60000, ''), ['held']);
  assert.deepEqual((await open('f', 'h2')).slice(0, 2), ['held', 'captcha']);
  await call('vault_set', P, 'f', 'sealed');
  assert.equal((await open('f', 'h3'))[0], 'go');
});

test('an application that forgets at once is not signed in to in circles', async () => {
  await call('vault_set', P, 'g', 'sealed');
  await open('g', 'h1');
  await call('jar_keep', P, 'g', 'h1', 60000, 'k', 'v');
  assert.deepEqual(await call('jar_forget', P, 'g', 'h0', 0, 1000, 'forgets'), ['late']);
  assert.deepEqual(await call('jar_forget', P, 'g', 'h1', 0, 1000, 'forgets'), ['gone']);
  for (const [holder, word] of [['h2', 'gone'], ['h3', 'gone'], ['h4', 'young']]) {
    await open('g', holder);
    await call('jar_keep', P, 'g', holder, 60000, 'k', 'v');
    assert.deepEqual(await call('jar_forget', P, 'g', holder, 60000, 60000, 'forgets'), [word]);
  }
  assert.deepEqual((await open('g', 'h5')).slice(0, 2), ['held', 'forgets']);
});

test('a service account needs no entry, and a person has at most so many cookies', async () => {
  assert.deepEqual(await open('h', 'h1', { personal: 0 }), ['go', '', '0']);
  const many = Array.from({ length: 100 }, (_, i) => [`k${i}`, 'v']).flat();
  assert.deepEqual(await call('jar_keep', P, 'h', 'h1', 60000, ...many), ['kept']);
  const kept = (await open('h', 'h2'))[3].length / 2;
  assert.ok(kept >= 60 && kept <= 66, String(kept));
  for (const bad of [['jar_open', 'x', 'h', 'h', 1, 1, 0], ['vault_set', P, 'a:b', 'x'], ['vault_set', P, 'a', '']]) {
    await assert.rejects(call(...bad), /yimen:/);
  }
});
