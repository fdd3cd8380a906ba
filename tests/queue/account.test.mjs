// SPDX-License-Identifier: Apache-2.0
// Accounts and attempts in the store: compare-and-set, one owner per name, counting that no number
// of simultaneous tries gets around.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { startRedis } from '../lib/redis-server.mjs';

const S = '{s0}';
const digest = (s) => crypto.createHash('sha256').update(s).digest('hex');
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
let made = 0;
const id = () => `01J8${String(made++).padStart(21, '0')}0`.replace(/[^0-9A-Z]/g, ALPHABET[0]);

describe('accounts in the store', () => {
  let redis, c;
  before(async () => { redis = await startRedis(); c = redis.client; });
  after(() => redis.stop());

  const put = (i, version, names, { disabled = 0, sealed = 'sealed' } = {}) =>
    c.fcall('ym_account_put', S, i, version, disabled, sealed, names.length, ...names.map(digest));
  const attempt = (name, o = {}) => c.fcall('ym_account_try', S, o.by ?? 'name', o.by === 'id' ? name : digest(name),
    digest(o.peer ?? 'peer'), o.device ? digest(o.device) : '', o.free ?? 5, o.base ?? 1000, o.cap ?? 60000,
    o.limit ?? 100000, o.window ?? 60000);
  const done = (i, o = {}) => c.fcall('ym_account_done', S, i, digest(o.peer ?? 'peer'), o.device ? digest(o.device) : '',
    o.fresh ? digest(o.fresh) : '', o.step ?? 0);

  test('an account is stored once and changed only by who knows its version', async () => {
    const a = id();
    assert.deepEqual(await put(a, 0, ['mei', 'mei@x.cn']), ['ok', '1']);
    assert.deepEqual(await put(a, 0, ['mei']), ['stale', '1']);
    assert.deepEqual(await put(a, 2, ['mei']), ['stale', '1']);
    const both = await Promise.all([put(a, 1, ['mei'], { sealed: 'x' }), put(a, 1, ['mei'], { sealed: 'y' })]);
    assert.deepEqual(both.map((r) => r[0]).sort(), ['ok', 'stale']);
    const found = await c.fcall('ym_account_find', S, digest('mei'));
    assert.deepEqual(found.slice(0, 4), [a, '2', '0', both[0][0] === 'ok' ? 'x' : 'y']);
    assert.deepEqual(await c.fcall('ym_account_get', S, a), found);
    assert.equal(await c.fcall('ym_account_find', S, digest('mei@x.cn')), null, 'a name given up');
  });

  test('a name belongs to one account', async () => {
    const a = id(), b = id();
    assert.deepEqual(await put(a, 0, ['bo', 'bo@x.cn']), ['ok', '1']);
    assert.deepEqual(await put(b, 0, ['other', 'bo@x.cn']), ['taken', '2']);
    assert.equal(await c.fcall('ym_account_get', S, b), null);
    assert.equal(await c.fcall('ym_account_find', S, digest('other')), null);
    assert.deepEqual(await put(a, 1, ['bo']), ['ok', '2']);
    assert.deepEqual(await put(b, 0, ['other', 'bo@x.cn']), ['ok', '1']);
  });

  test('accounts are listed by id, in pages', async () => {
    const ids = [];
    for (let after2 = ''; ;) {
      const page = await c.fcall('ym_account_list', S, after2, 2);
      if (page.length === 0) break;
      ids.push(...page.map((r) => r[0]));
      after2 = ids.at(-1);
    }
    assert.deepEqual(ids, [...ids].sort());
    assert.ok(ids.length >= 3);
  });

  test('G136 a hundred tries at once: five are looked at, all are counted', async () => {
    for (const name of ['crowd', 'nobody']) {
      const a = id();
      if (name === 'crowd') await put(a, 0, [name]);
      const replies = await Promise.all(Array.from({ length: 100 }, () => attempt(name)));
      assert.equal(replies.filter((r) => r[0] === 'go').length, 5, name);
      const key = `${S}:at:${name === 'crowd' ? a : digest(name)}`;
      assert.deepEqual(await c.command('HMGET', key, 'n', 'w'), ['5', '95'], name);
    }
  });

  test('G137 the wait doubles up to its cap and no further', async () => {
    const a = id();
    await put(a, 0, ['slow']);
    const key = `${S}:at:${a}`;
    for (const want of [10, 20, 40, 80, 80, 80]) {
      assert.equal((await attempt('slow', { free: 1, base: 10000, cap: 80000 }))[0], 'go');
      const [word, ms] = await attempt('slow', { free: 1, base: 10000, cap: 80000 });
      assert.equal(word, 'wait');
      assert.ok(ms <= want * 1000 && ms > want * 1000 - 5000, `${ms} ms, not ${want} s`);
      await c.command('HSET', key, 'u', 0); /* time passes */
    }
  });

  test('G137 a browser that is known is not held up by others, and is counted itself', async () => {
    const a = id();
    await put(a, 0, ['victim']);
    assert.equal((await attempt('victim'))[0], 'go');
    assert.deepEqual(await done(a, { fresh: 'laptop' }), ['ok']);
    for (let i = 0; i < 20; i++) await attempt('victim', { peer: `evil${i}` });
    assert.equal((await attempt('victim'))[0], 'wait');
    assert.equal((await attempt('victim', { device: 'stranger' }))[0], 'wait');
    assert.equal((await attempt('victim', { device: 'laptop' }))[0], 'go');
    for (let i = 0; i < 10; i++) await attempt('victim', { device: 'laptop' });
    assert.equal((await attempt('victim', { device: 'laptop' }))[0], 'wait');
    assert.deepEqual(await c.fcall('ym_account_unlock', S, a, 0), ['ok']);
    assert.equal((await attempt('victim'))[0], 'go');
    assert.equal((await attempt('victim', { device: 'laptop' }))[0], 'go');
  });

  test('success takes the count back', async () => {
    const a = id();
    await put(a, 0, ['often']);
    for (let i = 0; i < 30; i++) {
      assert.equal((await attempt('often', { limit: 3, peer: 'office' }))[0], 'go');
      assert.deepEqual(await done(a, { peer: 'office' }), ['ok']);
    }
  });

  test('G138 one address over many names comes to its limit', async () => {
    let went = 0;
    for (let i = 0; i < 60; i++) went += (await attempt(`u${i}`, { peer: 'spray', limit: 40 }))[0] === 'go';
    assert.equal(went, 40);
    const [word, ms] = await attempt('another', { peer: 'spray', limit: 40 });
    assert.equal(word, 'wait');
    assert.ok(ms > 0 && ms <= 60000);
    assert.equal((await attempt('another', { peer: 'elsewhere', limit: 40 }))[0], 'go');
  });

  test('G142 a step of a one-time code is taken once, and none before it', async () => {
    const a = id();
    await put(a, 0, ['totp']);
    const both = await Promise.all([done(a, { step: 1000 }), done(a, { step: 1000 })]);
    assert.deepEqual(both, [['ok'], ['reused']]);
    assert.deepEqual(await done(a, { step: 999 }), ['reused']);
    assert.deepEqual(await done(a, { step: 1001 }), ['ok']);
  });

  test('ten browsers are remembered, the oldest is forgotten', async () => {
    const a = id();
    await put(a, 0, ['many']);
    for (let i = 0; i < 12; i++) {
      await done(a, { fresh: `d${i}` });
      await new Promise((r) => { setTimeout(r, 2); });
    }
    assert.equal(await c.command('ZCARD', `${S}:dv:${a}`), 10);
    assert.equal(await c.command('ZSCORE', `${S}:dv:${a}`, digest('d0')), null);
    assert.ok(await c.command('ZSCORE', `${S}:dv:${a}`, digest('d11')));
  });

  test('ym_try counts within a window', async () => {
    const answers = await Promise.all(Array.from({ length: 6 }, () => c.fcall('ym_try', S, 'kind', digest('x'), 60000, 4)));
    assert.deepEqual(answers.map((r) => r[0]), ['1', '1', '1', '1', '0', '0']);
    assert.equal((await c.fcall('ym_try', S, 'other', digest('x'), 60000, 4))[1], '1');
  });

  test('what is not well formed is refused and changes nothing', async () => {
    const before2 = await c.command('DBSIZE');
    for (const call of [
      ['ym_account_put', S, 'x', 0, 0, 's', 1, digest('a')], ['ym_account_put', S, id(), 0, 0, '', 1, digest('a')],
      ['ym_account_put', S, id(), 0, 0, 's', 2, digest('a')], ['ym_account_put', S, id(), 0, 0, 's', 1, 'name'],
      ['ym_account_find', S, 'mei'], ['ym_account_get', S, '../x'], ['ym_try', S, 'a:b', digest('x'), 1, 1],
      ['ym_account_try', S, 'name', 'mei', digest('p'), '', 5, 1, 1, 1, 1],
    ]) await assert.rejects(c.fcall(...call));
    assert.equal(await c.command('DBSIZE'), before2);
  });
});
