/* SPDX-License-Identifier: Apache-2.0
 * A bearer tokens: what is let in, what is not, and that nothing of a token is ever written down.
 * Ids are those of the list of attacks.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { startGateway } from '../lib/gateway.mjs';
import { claims, makeKey, makeToken, signature } from '../lib/tokens.mjs';

const b64 = (v) => Buffer.from(typeof v === 'string' ? v : JSON.stringify(v)).toString('base64url');

describe('bearer tokens', () => {
  const keys = { ES256: makeKey('ES256', 'es'), RS256: makeKey('RS256', 'rs'), EdDSA: makeKey('EdDSA', 'ed') };
  const key = keys.ES256;
  let g, pids;
  const me = (token, opts = {}) => g.nginx.request('GET', '/api/v1/me', { token, ...opts });
  const person = (more) => claims('mei', ['staff'], more);

  before(async () => { g = await startGateway({ deploy: { keys: Object.values(keys) }, nginx: { level: 'notice' } }); pids = g.nginx.workers(); });
  after(async () => {
    /* at the level of the shipped configuration: at info, nginx itself quotes headers it refuses */
    const log = g.nginx.log();
    try { await g.stop(); } finally {
      assert.deepEqual(log.split("\n").filter((l) => /eyJ/.test(l)), [], "no part of a token in the log");
    }
  });

  /* I3, I4: the worker lives, the answer is problem details with a challenge. */
  async function refused(token, status = 401, opts = {}) {
    const r = await me(token, opts);
    assert.equal(r.status, status, r.body);
    assert.equal(r.headers['content-type'], 'application/problem+json');
    assert.equal(r.json.status, status);
    if (status === 401) assert.match(r.headers['www-authenticate'], /^Bearer /);
    assert.deepEqual(g.nginx.workers(), pids);
    return r;
  }

  for (const [alg, k] of Object.entries(keys)) {
    test(`a good ${alg} token is let in, twice (the second from the cache)`, async () => {
      const token = makeToken(k, person());
      for (let i = 0; i < 2; i++) {
        const r = await me(token);
        assert.equal(r.status, 200, r.body);
        assert.deepEqual(r.json, { subject: 'mei', org: '', area: '', roles: ['staff'], login: null, name: null, provider: null,
          auth_time: null, method: 'bearer', csrf: null, session: null });
      }
    });
  }

  test('no token, or another scheme: 401 with a bare challenge', async () => {
    assert.equal((await refused(undefined)).headers['www-authenticate'], 'Bearer realm="yimen"');
    for (const value of ['Basic eDp5', 'Bearer', 'Bearer ', 'BearerX y', 'Bearer\tx', 'x']) {
      await refused(undefined, 401, { headers: { authorization: value } });
    }
  });

  test('A1 A2 A3 alg none, missing, odd or in lower case', async () => {
    for (const alg of ['none', 'None', 'nOnE', 'NONE', '', null, 5, ['ES256'], 'es256', 'hs256', undefined]) {
      for (const sig of ['', 'AA', b64('x'.repeat(64))]) {
        await refused(`${b64({ alg, typ: 'JWT' })}.${b64(person())}.${sig}`);
      }
    }
  });

  test('A4 HS256 keyed with the public key in every form', async () => {
    const pub = keys.RS256.publicKey;
    const forms = [pub.export({ type: 'spki', format: 'pem' }), pub.export({ type: 'spki', format: 'pem' }).trim(),
      pub.export({ type: 'spki', format: 'pem' }).replace(/\n/g, '\r\n'), pub.export({ type: 'spki', format: 'der' }),
      pub.export({ type: 'pkcs1', format: 'der' }), Buffer.from(keys.RS256.jwk.n, 'base64url'), JSON.stringify(keys.RS256.jwk)];
    for (const secret of forms) {
      for (const kid of ['rs', undefined]) {
        const text = `${b64({ alg: 'HS256', typ: 'JWT', kid })}.${b64(person())}`;
        await refused(`${text}.${signature('HS256', secret, text).toString('base64url')}`);
      }
    }
  });

  test('A5 A7 unknown and hostile kids', async () => {
    const kids = ['nope', '../../dev/null', "' OR 1=1--", 'a\r\nFLUSHALL\r\n', '%n%s', '*', 'x'.repeat(4000), '', 7];
    for (const kid of kids) await refused(makeToken(key, person(), { kid }));
  });

  test('A6 no kid: the key that fits is tried', async () => {
    assert.equal((await me(makeToken(key, person(), { kid: undefined }))).status, 200);
  });

  test('A8 keys that come with the token are ignored', async () => {
    const evil = makeKey('ES256', 'es');
    await refused(makeToken(evil, person(), { jwk: evil.jwk, jku: 'http://127.0.0.1:1/', x5u: 'http://127.0.0.1:1/', x5c: ['AA'] }));
    const good = await me(makeToken(key, person(), { jwk: evil.jwk }));
    assert.equal(good.status, 200);
  });

  test('A9 A10 A11 crit, b64, other types, JWE', async () => {
    for (const header of [{ crit: ['x'] }, { crit: [] }, { b64: false }, { enc: 'A128GCM' }, { zip: 'DEF' },
      { typ: 'logout+jwt' }, { typ: 'dpop+jwt' }]) await refused(makeToken(key, person(), header));
    await refused(`${b64({ alg: 'dir', enc: 'A128GCM' })}.a.b.c.d`);
  });

  test('A12 A13 form: segments, blanks, padding, foreign and ignorable bytes', async () => {
    const good = makeToken(key, person());
    for (const bad of ['a', 'a.b', '.', '..', `${good}.`, `.${good}`, `${good}.x`, `${good}=`, `${good}==`, `${good}!`,
      good.replace('.', '..'), good.replace(/.$/, '+'), JSON.stringify({ payload: 'x' })]) await refused(bad);
  });

  test('A14 the longest token is let in, longer ones are not', async () => {
    const fits = makeToken(key, person({ x: 'x'.repeat(5200) }));
    assert.ok(fits.length < 8000);
    assert.equal((await me(fits)).status, 200);
    for (const n of [8500, 20000]) {
      const r = await me(makeToken(key, person({ x: 'x'.repeat(n) }))).catch(() => ({ status: 400 }));
      assert.ok([400, 401, 431].includes(r.status), String(r.status));
    }
  });

  test('A20 A21 times', async () => {
    const now = Math.floor(Date.now() / 1000);
    for (const exp of [undefined, null, `${now + 60}`, -1, 1e300, now - 31, 9007199254740993n.toString()]) {
      await refused(makeToken(key, { ...person(), exp }));
    }
    assert.equal((await me(makeToken(key, person({ exp: now - 20 })))).status, 200, 'within the skew');
    assert.equal((await me(makeToken(key, person({ exp: now + 60.5 })))).status, 200, 'a real');
    for (const more of [{ nbf: now + 120 }, { iat: now + 120 }, { nbf: 'x' }]) await refused(makeToken(key, person(more)));
  });

  test('A22 A23 issuer and audience', async () => {
    for (const iss of [undefined, 'https://idp.test/', 'https://IDP.test', 'https://idp.test.evil.test', ['https://idp.test']]) {
      await refused(makeToken(key, { ...person(), iss }));
    }
    for (const aud of [undefined, [], 5, 'yimen-evil', 'other', ['other']]) await refused(makeToken(key, { ...person(), aud }));
    assert.equal((await me(makeToken(key, person({ aud: ['other', 'yimen'] })))).status, 200);
  });

  test('A25 subjects', async () => {
    for (const sub of [undefined, '', 5, 'x'.repeat(300), 'a\r\nb', 'a\tb', 'a\x7f', '\u202eabc', 'a\u200fb', 'a\u0085b', ['a']]) {
      await refused(makeToken(key, { ...person(), sub }));
    }
    const r = await me(makeToken(key, person({ sub: '王梅 <m@x.cn>' })));
    assert.equal(r.json.subject, '王梅 <m@x.cn>');
  });

  test('A26 ES256 as DER, truncated, extended', async () => {
    const text = `${b64({ alg: 'ES256', kid: 'es' })}.${b64(person())}`;
    const der = crypto.sign('sha256', Buffer.from(text), key.privateKey);
    const raw = signature('ES256', key.privateKey, text);
    for (const sig of [der, raw.subarray(1), Buffer.concat([raw, Buffer.from([0])]), Buffer.alloc(64), Buffer.alloc(0)]) {
      await refused(`${text}.${sig.toString('base64url')}`);
    }
  });

  test('A27 PS256 under a key for RS256', async () => {
    await refused(makeToken({ ...keys.RS256, alg: 'PS256' }, person()));
  });

  test('A32 a cached token ends when it expires', async () => {
    const token = makeToken(key, person({ exp: Date.now() / 1000 - 28.5 }));
    assert.equal((await me(token)).status, 200);
    await new Promise((done) => { setTimeout(done, 2000); });
    await refused(token);
  });

  test('A33 one character of a cached token altered: verified anew and refused', async () => {
    const token = makeToken(key, person());
    assert.equal((await me(token)).status, 200);
    const at = token.length - 20;
    await refused(token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1));
    assert.equal((await me(token)).status, 200);
  });

  test('A34 a token in the address, or two headers: 400', async () => {
    const token = makeToken(key, person());
    const r = await g.nginx.request('GET', `/api/v1/me?access_token=${token}`, { token });
    assert.equal(r.status, 400);
    const text = await g.nginx.raw(`GET /api/v1/me HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\nAuthorization: Bearer ${token}\r\n\r\n`);
    assert.match(text, /^HTTP\/1\.1 400/);
  });

  test('A35 the scheme in any case', async () => {
    const token = makeToken(key, person());
    assert.equal((await me(undefined, { headers: { authorization: `bearer ${token}` } })).status, 200);
    await refused(undefined, 401, { headers: { authorization: `Bearer ${token},x` } });
  });

  test('A37 a forged token after a none token on the same worker', async () => {
    await refused(`${b64({ alg: 'none' })}.${b64(person())}.`);
    const evil = makeKey('RS256', 'rs');
    await refused(makeToken(evil, person()));
  });

  test('A38 a token bound to a key is no plain bearer', async () => {
    await refused(makeToken(key, person({ cnf: { jkt: 'x' } })));
  });

  test('A40 many people at once: everyone is who they are', async () => {
    const tokens = Array.from({ length: 64 }, (_, i) => makeToken(key, claims(`p${i}`, ['staff'])));
    for (let round = 0; round < 20; round++) {
      const answers = await Promise.all(tokens.map((t) => me(t)));
      answers.forEach((a, i) => assert.equal(a.json.subject, `p${i}`));
    }
  });

  test('roles are exact names; no role may do nothing', async () => {
    for (const roles of [[], 'Staff', ['administrator'], 'staff,admin', { staff: true }, null]) {
      const token = makeToken(key, person({ roles }));
      assert.equal((await me(token)).status, 200);
      const r = await g.nginx.request('GET', '/api/v1/records', { token });
      assert.equal(r.status, 403);
      assert.equal(r.json.type, 'urn:yimen:problem:forbidden');
    }
  });
});
