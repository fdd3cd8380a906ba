/* SPDX-License-Identifier: Apache-2.0
 * A bearer tokens: what is no token of ours, or no longer, opens nothing; what is one opens exactly
 * what its person may.  Each refused token is shown to a guarded application and to the API.
 */
import { after, before, beforeEach, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { LOCATIONS, startGateway, withSessions } from '../lib/gateway.mjs';
import { TOP, sleep, testNginx, until } from '../lib/nginx.mjs';
import { stopwatch } from '../lib/pace.mjs';
import { makeSession } from '../lib/session.mjs';
import { AUDIENCE, ISSUER, claims, makeKey, makeToken, signature } from '../lib/tokens.mjs';
import { Invariants, get, rawRequest, startUpstream } from './invariants.mjs';

const b64 = (v) => Buffer.from(typeof v === 'string' || Buffer.isBuffer(v) ? v : JSON.stringify(v)).toString('base64url');
const now = () => Math.floor(Date.now() / 1000);
const pemOf = (key) => key.publicKey.export({ type: 'spki', format: 'pem' });

/* A key set of every kind of entry that must not count, and the good ones among them. */
function oddKeys() {
  const p384 = makeKey('ES384', 'p384');
  const k1 = crypto.generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
  const small = crypto.generateKeyPairSync('rsa', { modulusLength: 1024 });
  const e3 = crypto.generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 });
  const priv = makeKey('ES256', 'with-d');
  const enc = makeKey('ES256', 'for-enc'), ops = makeKey('ES256', 'for-ops'), alg = makeKey('ES256', 'other-alg'), twin = makeKey('ES256', 'es');
  const jwk = (k) => k.publicKey.export({ format: 'jwk' });
  return {
    p384, priv, enc, ops, alg, twin,
    k1: { alg: 'ES256', kid: 'k1', ...k1 },
    small: { alg: 'RS256', kid: 'small', ...small },
    e3: { alg: 'RS256', kid: 'e3', ...e3 },
    list: [
      p384.jwk, { ...jwk(k1), kid: 'k1' }, { ...jwk(small), kid: 'small' }, { ...jwk(e3), kid: 'e3' },
      { ...priv.privateKey.export({ format: 'jwk' }), kid: 'with-d', use: 'sig' },
      { kty: 'oct', kid: 'oct', k: Buffer.alloc(32, 9).toString('base64url') },
      { ...enc.jwk, use: 'enc' }, { ...ops.jwk, use: undefined, key_ops: ['encrypt'] }, { ...alg.jwk, alg: 'RS256' },
      { ...twin.jwk }, { ...makeKey('ES256').jwk, kid: '' }, { kty: 'RSA', kid: 'bad64', n: '!!!', e: 'AQAB' },
      { kty: 'RSA', kid: 'e1', n: jwk(e3).n, e: 'AQ' }, { kty: 'RSA', kid: 'huge', n: Buffer.alloc(2049, 0xff).toString('base64url'), e: 'AQAB' },
      { kty: 'EC', crv: 'P-256', kid: 'off', x: b64(Buffer.alloc(32, 1)), y: b64(Buffer.alloc(32, 2)) },
      { ...makeKey('ES256').jwk, kid: 7 }, 'text', null, {},
    ],
  };
}

describe('bearer tokens', () => {
  const keys = { ES256: makeKey('ES256', 'es'), RS256: makeKey('RS256', 'rs'), EdDSA: makeKey('EdDSA', 'ed') };
  const key = keys.ES256;
  const odd = oddKeys();
  let g, upstream, inv;

  const person = (more) => claims('mei', ['staff'], more);
  const app = (token, opts = {}) => g.nginx.request('GET', '/app/x', { token, ...opts });
  const me = (token, opts = {}) => g.nginx.request('GET', '/api/v1/me', { token, ...opts });

  before(async () => {
    upstream = await startUpstream();
    g = await startGateway({
      deploy: { keys: [...Object.values(keys), ...odd.list.map((jwk) => ({ jwk }))], auth: withSessions() },
      nginx: {
        workers: 2, level: 'notice', http: 'large_client_header_buffers 8 16k;',
        server: `${LOCATIONS}
          location /app/ { yimen_auth on; yimen_identity headers; proxy_pass http://unix:${upstream.socket}:; }
          location /admin/ { yimen_auth on; yimen_require role=admin; yimen_identity headers; proxy_pass http://unix:${upstream.socket}:; }`,
      },
    });
    inv = new Invariants(g, { upstream, identity: ['x-remote-user'] });
    inv.secret(...Object.values(g.tokens));
  });
  beforeEach(() => inv.mark());
  after(async () => {
    try { inv.done(); } finally {
      await g.stop();
      await upstream.stop();
    }
  });

  /* 401 with the one word for all of them, for the application and for the API. */
  async function refused(token, status = 401, opts = {}) {
    if (typeof token === 'string') inv.secret(...token.split('.').filter((p) => p.length > 20));
    for (const ask of [app, me]) {
      const r = inv.refused(await ask(token, opts), status);
      if (status === 401 && token && !opts.bare) assert.equal(r.headers['www-authenticate'], 'Bearer error="invalid_token"');
    }
  }
  async function holds(token, who = 'mei') {
    for (let i = 0; i < 3; i++) inv.passed(await app(token), { 'X-Remote-User': who });
    assert.equal((await me(token)).json.subject, who);
  }
  const signed = (header, payload, k = key) => {
    const text = `${b64(header)}.${b64(payload)}`;
    return `${text}.${b64(signature(k.alg, k.privateKey, text))}`;
  };
  const head = (more = {}) => ({ alg: 'ES256', typ: 'JWT', kid: 'es', ...more });

  test('good tokens of each algorithm, from both workers and from the cache', async () => {
    for (const k of Object.values(keys)) await holds(makeToken(k, person()));
  });

  test('A1 alg none in every case, with and without a signature', async () => {
    for (const alg of ['none', 'None', 'nOnE', 'NONE']) {
      for (const sig of ['', 'AA', b64(crypto.randomBytes(64))]) await refused(`${b64(head({ alg }))}.${b64(person())}.${sig}`);
    }
  });

  test('A2 alg absent, empty, null, a number, a list', async () => {
    for (const alg of [undefined, '', null, 5, ['ES256']]) {
      const text = `${b64(head({ alg }))}.${b64(person())}`;
      await refused(`${text}.${b64(signature('ES256', key.privateKey, text))}`);
    }
  });

  test('A3 alg in lower case', async () => {
    for (const [alg, k] of [['es256', keys.ES256], ['rs256', keys.RS256], ['eddsa', keys.EdDSA], ['hs256', key]]) await refused(makeToken(k, person(), { alg }));
  });

  test('A4 HMAC keyed with the public key in every form, also where HS256 is allowed', async () => {
    const pub = keys.RS256.publicKey, pem = pemOf(keys.RS256);
    const forms = [pem, pem.trim(), pem.replace(/\n/g, '\r\n'), pub.export({ type: 'spki', format: 'der' }), pub.export({ type: 'pkcs1', format: 'der' }),
      pub.export({ type: 'pkcs1', format: 'pem' }), Buffer.from(keys.RS256.jwk.n, 'base64url'), keys.RS256.jwk.n, JSON.stringify(keys.RS256.jwk), Buffer.alloc(0), Buffer.alloc(32, 9)];
    const tokens = forms.flatMap((secret) => ['rs', 'es', 'oct', undefined].map((kid) => {
      const text = `${b64({ alg: 'HS256', typ: 'JWT', kid })}.${b64(person())}`;
      return `${text}.${b64(crypto.createHmac('sha256', secret).update(text).digest())}`;
    }));
    for (const t of tokens) await refused(t);
    const h = await startGateway({ deploy: { keys: Object.values(keys), auth: { algorithms: '[RS256, ES256, HS256]' } }, nginx: { level: 'notice' } });
    try {
      for (const t of tokens) assert.equal((await h.nginx.request('GET', '/api/v1/me', { token: t })).status, 401);
      assert.equal((await h.nginx.request('GET', '/api/v1/me', { token: makeToken(keys.RS256, person()) })).status, 200);
    } finally { await h.stop(); }
  });

  test('A5 unknown kids, many of them', async () => {
    await refused(makeToken(key, person(), { kid: 'nope' }));
    const answers = await Promise.all(Array.from({ length: 300 }, () => me(makeToken(key, person(), { kid: crypto.randomUUID() }))));
    assert.deepEqual([...new Set(answers.map((a) => a.status))], [401]);
    inv.alive();
  });

  test('A6 no kid: those of its kind are tried, a few at most', async () => {
    await holds(makeToken(key, person(), { kid: undefined }));
    await holds(makeToken(keys.RS256, person(), { kid: undefined }));
    await refused(makeToken(makeKey('ES256'), person(), { kid: undefined }));
  });

  test('A7 hostile kids reach neither Redis nor a log', async () => {
    const monitor = spawn('redis-cli', ['-s', g.redis.socket, 'MONITOR']);
    let seen = '';
    monitor.stdout.on('data', (d) => { seen += d; });
    await until('the monitor listens', () => seen.startsWith('OK'));
    for (const kid of ['../../dev/null', "' OR 1=1--", 'a\r\nFLUSHALL\r\n', '%n%s', '*', 'x'.repeat(4000), '', 7, ['es'], { es: 1 }, true, 'es\0']) await refused(makeToken(key, person(), { kid }));
    await sleep(100);
    monitor.kill();
    assert.doesNotMatch(seen, /FLUSHALL|dev\/null|OR 1=1/);
  });

  test('A8 keys that come with the token are not looked at', async () => {
    let asked = 0;
    const trap = http.createServer((q, s) => { asked++; s.end('{"keys":[]}'); });
    await new Promise((done) => { trap.listen(0, '127.0.0.1', done); });
    const url = `http://127.0.0.1:${trap.address().port}/jwks`;
    const evil = makeKey('ES256', 'es');
    for (const header of [{ jwk: evil.jwk }, { jku: url }, { x5u: url }, { x5c: ['AA'] }, { x5t: 'AA' }, { jwk: evil.jwk, jku: url, x5u: url }]) {
      await refused(makeToken(evil, person(), header));
      await holds(makeToken(key, person(), header));
    }
    await sleep(100);
    assert.equal(asked, 0, 'no outbound request');
    trap.close();
  });

  test('A9 crit and b64', async () => {
    for (const header of [{ crit: ['x'] }, { crit: [] }, { crit: ['exp'], exp: 1 }, { b64: false }, { b64: false, crit: ['b64'] }, { b64: true }]) await refused(makeToken(key, person(), header));
  });

  test('A10 tokens of another type', async () => {
    for (const typ of ['logout+jwt', 'dpop+jwt', 'secevent+jwt', 'application/logout+jwt', 'JWE', 'x', 7, ['JWT'], '']) await refused(makeToken(key, person(), { typ }));
    for (const typ of ['JWT', 'jwt', 'at+jwt', 'application/at+jwt', undefined]) await holds(makeToken(key, person(), { typ }));
    await refused(makeToken(key, person({ aud: 'client-of-a-provider', nonce: 'n' })));
    await refused('ST-1-abcdefghijklmnop-cas');
    /* our own signed identity: E112 */
  });

  test('A11 encrypted, compressed, and keys from passwords', async () => {
    const ms = stopwatch(g.nginx.workers());
    let n = 0;
    for (const t of [`${b64({ alg: 'dir', enc: 'A128GCM' })}.a.b.c.d`, `${b64({ alg: 'PBES2-HS256+A128KW', enc: 'A128GCM', p2c: 2147483647, p2s: 'AA' })}.AA.AA.AA.AA`,
      signed(head({ enc: 'A128GCM' }), person()), signed(head({ zip: 'DEF' }), 'x'.repeat(5000)), signed({ ...head(), alg: 'PBES2-HS256+A128KW', p2c: 2147483647 }, person()), signed({ ...head(), alg: 'dir' }, person())]) {
      await refused(t);
      n += 2;
    }
    const each = ms() / n;
    assert.ok(each < 50, `${each.toFixed(1)} ms a request`);
  });

  test('A12 another number of segments, or another serialisation', async () => {
    const good = makeToken(key, person());
    const [h, p, s] = good.split('.');
    for (const t of ['a', 'a.b', '.', '..', '...', `${h}..${s}`, `.${p}.${s}`, `${h}.${p}.`, `${h}.${p}`, `.${good}`, `${good}.`, `${good}.${s}`, `${good}.x.y.z`, `${h}.${p}.${s}.`,
      JSON.stringify({ payload: p, protected: h, signature: s }), `${h} .${p}.${s}`, `${h}.${p}. ${s}`, `${h}.${p}.${s} x`, `${h}\t.${p}.${s}`]) await refused(t);
  });

  test('A13 base64url that could be written in another way', async () => {
    const good = makeToken(key, person());
    const [h, p, s] = good.split('.');
    const last = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const stray = s.slice(0, -1) + last[(last.indexOf(s.at(-1)) & 0x30) | ((last.indexOf(s.at(-1)) & 0x0f) ^ 1)];
    for (const t of [`${good}=`, `${good}==`, `${good}!`, `${h}.${p}.${s.replace(/.$/, '+')}`, `${h}.${p}.${s.slice(0, 10)}/${s.slice(10)}`, `${h}=.${p}.${s}`, `${h}.${p}.${s.slice(0, 5)}!*${s.slice(5)}`, `${h}.${p}.${stray}`]) await refused(t);
    await holds(good);
  });

  test('A14 the longest token holds, longer ones do not, and no memory is lost', async () => {
    const fit = (n) => { let x = n; for (;;) { const t = makeToken(key, person({ x: 'x'.repeat(x) })); if (t.length <= n) return t; x -= Math.max(1, Math.floor((t.length - n) * 0.74)); } };
    const longest = fit(8192);
    assert.ok(longest.length > 8180 && longest.length <= 8192);
    await holds(longest);
    await refused(makeToken(key, person({ x: 'x'.repeat(6200) })));
    const rss = () => g.nginx.workers().reduce((sum, pid) => sum + Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]), 0);
    const big = (n) => get('/app/x', `Authorization: Bearer ${'A'.repeat(n)}\r\n`);
    for (let i = 0; i < 20; i++) await rawRequest(g.nginx, big(65536));
    const before = rss();
    for (let i = 0; i < 100; i++) {
      const r = await rawRequest(g.nginx, big([16384, 65536, 1 << 20][i % 3]));
      assert.ok([0, 400, 401, 431].includes(r.status), `${r.status}`);
    }
    assert.ok(rss() - before < 4096, `${rss() - before} KiB more`);
    inv.alive();
  });

  test('A15 header or claims that are no object', async () => {
    for (const v of ['[]', '"x"', '7', 'null', 'true', '{}', '[{"sub":"mei"}]', '{', '{"a":1}x']) {
      await refused(signed(v, person()));
      await refused(signed(head(), v));
    }
  });

  test('A16 a name that stands twice', async () => {
    await refused(signed(`{"alg":"ES256","alg":"none","kid":"es"}`, person()));
    await refused(signed(`{"alg":"none","alg":"ES256","kid":"es"}`, person()));
    const text = JSON.stringify(person());
    await refused(signed(head(), text.replace('{', '{"sub":"root",')));
    await refused(signed(head(), text.replace('{', '{"roles":["admin"],')));
  });

  test('A17 NUL in the claims', async () => {
    await refused(signed(head(), `${JSON.stringify(person())}\0${JSON.stringify(person({ sub: 'root' }))}`));
    await refused(signed(head(), JSON.stringify(person({ sub: 'mei\0root' }))));
    await refused(signed(head(), `\0${JSON.stringify(person())}`));
  });

  test('A18 what is no UTF-8', async () => {
    const text = JSON.stringify(person({ name: 'NAME' }));
    for (const bytes of [[0xff], [0xc0, 0xae], [0xed, 0xa0, 0x80], [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80], [0xf4, 0x90, 0x80, 0x80]]) {
      const at = text.indexOf('NAME');
      await refused(signed(head(), Buffer.concat([Buffer.from(text.slice(0, at)), Buffer.from(bytes), Buffer.from(text.slice(at + 4))])));
    }
    await refused(signed(head(), Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(text)])));
    await refused(signed(head(), text.replace('"NAME"', '"\\ud800"')));
  });

  test('A19 depth and length', async () => {
    const deep = (n) => `${JSON.stringify(person()).slice(0, -1)},"x":${'['.repeat(n)}${']'.repeat(n)}}`;
    for (const n of [33, 2048, 2900, 100000]) await (n > 3000 ? app(signed(head(), deep(n))).then((r) => assert.ok([400, 401].includes(r.status)), () => {}) : refused(signed(head(), deep(n))));
    await inv.undisturbed(async () => {
      for (let i = 0; i < 30; i++) await me(signed(head(), { ...person(), aud: Array.from({ length: 1200 }, () => 'a') }));
    }, { rounds: 5 });
    inv.mark();
  });

  test('A20 exp of every kind', async () => {
    for (const exp of [undefined, null, `${now() + 60}`, -1, 0, [now() + 60], true]) await refused(makeToken(key, { ...person(), exp }));
    const text = JSON.stringify(person({ exp: 'EXP' }));
    for (const exp of ['1e300', '9223372036854775807', '9223372036854775808', '18446744073709551616', 'NaN', 'Infinity', '1e400', '-1e300', '253402300800']) await refused(signed(head(), text.replace('"EXP"', exp)));
    for (const exp of [String(2 ** 31), String(now() + 60.5), `${(now() + 60) / 1e9}e9`, String(2 ** 32 + 5)]) await holds(signed(head(), text.replace('"EXP"', exp)));
  });

  test('A21 times, with the skew that is allowed', async () => {
    for (const more of [{ exp: now() - 32 }, { nbf: now() + 34 }, { iat: now() + 34 }, { nbf: 'x' }, { iat: null }, { nbf: -1 }]) await refused(makeToken(key, person(more)));
    for (const more of [{ exp: now() - 25 }, { nbf: now() + 25 }, { iat: now() + 25 }]) await holds(makeToken(key, person(more)));
    const strict = await startGateway({ deploy: { keys: [key], auth: { skew: '0s' } }, nginx: { level: 'notice' } });
    const wide = await startGateway({ deploy: { keys: [key], auth: { skew: '300s' } }, nginx: { level: 'notice' } });
    try {
      const ask = (x, more) => x.nginx.request('GET', '/api/v1/me', { token: makeToken(key, person(more)) });
      assert.equal((await ask(strict, { exp: now() - 1 })).status, 401);
      assert.equal((await ask(strict, { nbf: now() + 2 })).status, 401);
      assert.equal((await ask(strict, { exp: now() + 20 })).status, 200);
      assert.equal((await ask(wide, { exp: now() - 290 })).status, 200);
      assert.equal((await ask(wide, { exp: now() - 302 })).status, 401);
      assert.equal((await ask(wide, { iat: now() + 302 })).status, 401);
    } finally { await strict.stop(); await wide.stop(); }
    /* the verifier has no clock of its own: a step of the system's is another `now` (test_jwt.c) */
  });

  test('A22 issuers that look like ours', async () => {
    for (const iss of [undefined, null, `${ISSUER}/`, ISSUER.toUpperCase(), 'https://idp.test.evil.test', 'https://idp.test@evil.test', [ISSUER], '', ` ${ISSUER}`]) await refused(makeToken(key, { ...person(), iss }));
  });

  test('A23 audiences', async () => {
    for (const aud of [undefined, null, [], 5, '', 'yimen-evil', 'yime', 'YIMEN', 'other', ['other'], [['yimen']], ['yimen', 5], { yimen: 1 }]) await refused(makeToken(key, { ...person(), aud }));
    await holds(makeToken(key, person({ aud: ['other', AUDIENCE] })));
    await holds(makeToken(key, person({ aud: [...Array.from({ length: 1000 }, () => 'a'), AUDIENCE] })));
  });

  test('A25 subjects', async () => {
    for (const sub of [undefined, null, '', 5, ['a'], 'x'.repeat(300), 'x'.repeat(5000), 'a\r\nb', 'a\nX-Remote-User: root', 'a\tb', 'a\x7f', '\u202eabc', 'a\u200fb', 'a\u0085b', '\u2066x']) await refused(makeToken(key, { ...person(), sub }));
    await refused(makeToken(key, person({ iss: 'https://other.test' })));
    await holds(makeToken(key, claims('m@x.cn', ['staff'])), 'm@x.cn');
    /* nobody of the issuer can look like an account of ours */
    await refused(makeToken(key, claims('local:01HZZZZZZZZZZZZZZZZZZZZZZZ', ['admin'])));
  });

  test('A26 ECDSA signatures of another form or curve', async () => {
    const text = `${b64(head())}.${b64(person())}`;
    const good = signature('ES256', key.privateKey, text);
    const n = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex');
    for (const sig of [Buffer.alloc(64), Buffer.concat([Buffer.alloc(32), good.subarray(32)]), Buffer.concat([good.subarray(0, 32), Buffer.alloc(32)]), crypto.sign('sha256', Buffer.from(text), key.privateKey),
      good.subarray(1), good.subarray(0, 63), Buffer.concat([good, Buffer.from([0])]), Buffer.concat([Buffer.from([0]), good]), Buffer.concat([n, good.subarray(32)]), Buffer.concat([good.subarray(0, 32), n]),
      Buffer.concat([n, n]), Buffer.alloc(64, 0xff), Buffer.alloc(0)]) await refused(`${text}.${b64(sig)}`);
    const under = (k, kid) => {
      const t = `${b64(head({ kid }))}.${b64(person())}`;
      return `${t}.${b64(crypto.sign('sha256', Buffer.from(t), { key: k.privateKey, dsaEncoding: 'ieee-p1363' }))}`;
    };
    await refused(under(odd.p384, 'p384'));
    await refused(under(odd.k1, 'k1'));
  });

  test('A27 RSA: forged padding, small exponents, PSS and PKCS#1 exchanged', async () => {
    await refused(makeToken({ ...keys.RS256, alg: 'PS256' }, person()));
    await refused(makeToken({ ...keys.RS256, alg: 'PS256' }, person(), { alg: 'RS256' }));
    const text = `${b64({ alg: 'RS256', typ: 'JWT', kid: 'e3' })}.${b64(person())}`;
    const info = Buffer.concat([Buffer.from('3031300d060960864801650304020105000420', 'hex'), crypto.createHash('sha256').update(text).digest()]);
    const int = (b) => BigInt(`0x${b.toString('hex')}`);
    const bytes = (v) => Buffer.from(v.toString(16).padStart(512, '0'), 'hex');
    /* Bleichenbacher 2006: for e = 3 the cube root of 00 01 ff 00 ‖ DigestInfo ‖ anything */
    for (const pad of [1, 8, 20]) {
      const start = Buffer.concat([Buffer.from([0, 1]), Buffer.alloc(pad, 0xff), Buffer.from([0]), info]);
      const low = int(Buffer.concat([start, Buffer.alloc(256 - start.length)]));
      let a = 0n, b = 1n << 700n;
      while (a < b) { const m = (a + b) / 2n; if (m * m * m < low) a = m + 1n; else b = m; }
      assert.equal(bytes(a ** 3n).subarray(0, start.length).toString('hex'), start.toString('hex'), 'the forgery is a good one');
      await refused(`${text}.${b64(bytes(a))}`);
    }
    /* e = 1: the padded message is its own signature */
    const one = `${b64({ alg: 'RS256', typ: 'JWT', kid: 'e1' })}.${b64(person())}`;
    const oneInfo = Buffer.concat([info.subarray(0, 19), crypto.createHash('sha256').update(one).digest()]);
    await refused(`${one}.${b64(Buffer.concat([Buffer.from([0, 1]), Buffer.alloc(256 - 3 - oneInfo.length, 0xff), Buffer.from([0]), oneInfo]))}`);
    for (const sig of [Buffer.alloc(256), Buffer.alloc(256, 0xff), Buffer.alloc(255, 1), Buffer.alloc(257, 1)]) await refused(`${b64({ alg: 'RS256', kid: 'rs' })}.${b64(person())}.${b64(sig)}`);
    await holds(makeToken(odd.e3, person()));
  });

  test('A28 entries of a key set that do not count, and the rest that does', async () => {
    await holds(makeToken(odd.priv, person(), { kid: 'with-d' }));
    for (const [k, kid] of [[odd.enc, 'for-enc'], [odd.ops, 'for-ops'], [odd.alg, 'other-alg'], [odd.twin, 'es'], [odd.small, 'small'], [odd.k1, 'k1']]) await refused(makeToken(k, person(), { kid }));
    const text = `${b64({ alg: 'HS256', typ: 'JWT', kid: 'oct' })}.${b64(person())}`;
    await refused(`${text}.${b64(crypto.createHmac('sha256', Buffer.alloc(32, 9)).update(text).digest())}`);
    assert.match(g.nginx.log(), /private parts/, 'the administrator is told');
    for (const set of [{ keys: Array.from({ length: 1000 }, (_, i) => ({ ...key.jwk, kid: `k${i}` })) }, { keys: [] }, { keys: [{ kty: 'oct', k: 'AAAA' }] }, [], { keys: {} }, 'x']) {
      const file = path.join(g.deploy.dir, 'jwks.json');
      const was = fs.readFileSync(file);
      fs.writeFileSync(file, JSON.stringify(set));
      try { assert.notEqual((await testNginx({ http: `yimen_catalog ${g.deploy.file};` })).code, 0, JSON.stringify(set).slice(0, 50)); } finally { fs.writeFileSync(file, was); }
    }
  });

  test('A29 A30 a broken set keeps the good one; a key that leaves takes its tokens along', async () => {
    const gone = makeKey('ES256', 'gone');
    const h = await startGateway({ deploy: { keys: [key, gone] }, nginx: { workers: 2, level: 'notice', allow: [/\[emerg\]/] } });
    try {
      const ask = (token) => h.nginx.request('GET', '/api/v1/me', { token });
      const token = makeToken(gone, person());
      for (let i = 0; i < 6; i++) assert.equal((await ask(token)).status, 200);
      const file = path.join(h.deploy.dir, 'jwks.json');
      const was = fs.readFileSync(file);
      for (const junk of ['', '<html>', '[]', '{"keys":[]}', was.subarray(0, 100)]) {
        fs.writeFileSync(file, junk);
        await h.nginx.reload({ expectRefused: true });
        assert.equal((await ask(token)).status, 200);
      }
      h.deploy.keys = [key];
      h.deploy.writeKeys();
      await h.nginx.reload();
      await until('the old workers end', async () => (await ask(token)).status === 401, 5000);
      for (let i = 0; i < 6; i++) assert.equal((await ask(token)).status, 401);
      assert.equal((await ask(makeToken(key, person()))).status, 200);
      const t = await testNginx({ http: `yimen_catalog ${h.deploy.file};` });
      assert.equal(t.code, 0);
    } finally { await h.stop(); }
  });

  test('A31 a token that is known for one place opens no other', async () => {
    const token = makeToken(key, person());
    await holds(token);
    for (let i = 0; i < 4; i++) inv.refused(await g.nginx.request('GET', '/admin/x', { token }), 403);
    const boss = makeToken(key, claims('boss', ['admin']));
    inv.passed(await g.nginx.request('GET', '/admin/x', { token: boss }), { 'X-Remote-User': 'boss' });
  });

  test('A32 a remembered token ends when it expires', async () => {
    const end = Date.now() + 4000; /* thirty seconds are forgiven */
    const token = makeToken(key, person({ exp: end / 1000 - 30 }));
    await holds(token);
    await sleep(end + 200 - Date.now());
    await refused(token);
  });

  for (const kind of ['jti', 'sid', 'sub']) {
    test(`A32 a token revoked by its ${kind} is refused within a second, by every worker`, async () => {
      const mine = { jti: `j-${kind}`, sid: `s-${kind}` }, sub = `revoked-${kind}`;
      const token = makeToken(key, claims(sub, ['staff'], { ...mine, iat: now() - 40 }));
      const other = makeToken(key, claims('another', ['staff'], { jti: 'j-other', sid: 's-other' }));
      for (const t of [token, other]) for (let i = 0; i < 8; i++) assert.equal((await me(t, { agent: new http.Agent() })).status, 200);
      const r = await g.call('admin', 'POST', '/tokens/revoke', { body: { [kind]: kind === 'sub' ? sub : mine[kind], reason: 'lost laptop' } });
      assert.equal(r.status, 200, r.body);
      await until('every worker knows', async () => {
        const all = await Promise.all(Array.from({ length: 8 }, () => me(token, { agent: new http.Agent() })));
        return all.every((a) => a.status === 401);
      }, 1000);
      inv.mark();
      await refused(token);
      await holds(other, 'another');
      /* kept through a reload, where every worker begins anew */
      await g.nginx.reload();
      inv.pids = g.nginx.workers();
      assert.equal((await me(token)).status, 401);
    });
  }

  test('A32 a person whose tokens were taken away comes again with a newer one', async () => {
    const h = await startGateway({ deploy: { keys: [key], auth: { skew: '0s' } }, nginx: { level: 'notice' } });
    try {
      const ask = (more) => h.nginx.request('GET', '/api/v1/me', { token: makeToken(key, person(more)) });
      assert.equal((await ask({ iat: now() - 5 })).status, 200);
      assert.equal((await h.call('admin', 'POST', '/tokens/revoke', { body: { sub: 'mei', reason: 'r', until: new Date(Date.now() + 3600e3).toISOString() } })).status, 200);
      await until('the old ones end', async () => (await ask({ iat: now() - 5, x: Math.random() })).status === 401, 1000);
      assert.equal((await ask({ iat: undefined })).status, 401, 'nobody knows when it was made');
      await sleep(1100);
      assert.equal((await ask({})).status, 200);
    } finally { await h.stop(); }
  });

  test('A32 who may revoke, and what', async () => {
    for (const who of ['staff', 'operator', 'auditor', 'supervisor']) assert.equal((await g.call(who, 'POST', '/tokens/revoke', { body: { jti: 'x', reason: 'r' } })).status, 403);
    assert.equal((await g.call(null, 'POST', '/tokens/revoke', { body: { jti: 'x', reason: 'r' } })).status, 401);
    for (const body of [{}, { reason: 'r' }, { jti: 'x', sub: 'y', reason: 'r' }, { jti: '', reason: 'r' }, { jti: 5, reason: 'r' }, { jti: 'x'.repeat(2000), reason: 'r' },
      { jti: 'x', until: 'yesterday', reason: 'r' }, { jti: 'x', until: '2001-01-01T00:00:00Z', reason: 'r' }, { jti: 'x', until: '2999-01-01T00:00:00Z', reason: 'r' }]) {
      const r = await g.call('admin', 'POST', '/tokens/revoke', { body });
      assert.equal(r.status, 400, JSON.stringify(body));
    }
    const dump = (await g.redis.client.command('KEYS', '{s0}:rv*')).concat(await g.redis.client.command('HKEYS', '{s0}:rva')).join();
    assert.doesNotMatch(dump, /revoked-|j-jti|s-sid/, 'nothing of a person in the keys');
  });

  test('A32 while the list cannot be read for long, no token holds', async () => {
    const h = await startGateway({ deploy: { keys: [key] }, nginx: { level: 'notice' } });
    try {
      const token = makeToken(key, person());
      const ask = () => h.nginx.request('GET', '/api/v1/me', { token });
      assert.equal((await ask()).status, 200);
      await h.redis.kill();
      assert.equal((await ask()).status, 200, 'for a short time what was known goes on');
      await until('then it is not known any more', async () => (await ask()).status === 503, 13000);
      assert.match((await ask()).headers['retry-after'], /^\d+$/);
      await h.redis.start();
      await until('and it is again', async () => (await ask()).status === 200, 3000);
    } finally { await h.stop(); }
  });

  test('A33 one character of a remembered token altered, or bytes added', async () => {
    const token = makeToken(key, person());
    await holds(token);
    for (const at of [token.length - 20, token.indexOf('.') + 5, 5]) await refused(token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1));
    for (const more of ['=', '.', 'A', '%20']) await refused(token + more);
    await holds(token);
  });

  test('A34 one way of sending a token', async () => {
    const token = makeToken(key, person());
    inv.refused(await g.nginx.request('GET', `/app/x?access_token=${token}`, { token }), 400);
    inv.refused(await g.nginx.request('GET', `/api/v1/me?access_token=${token}`, { token }), 400);
    inv.refused(await g.nginx.request('GET', `/app/x?access_token=${token}`), 401);
    inv.refused(await g.nginx.request('POST', '/app/x', { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: `access_token=${token}` }), 401);
    const two = get('/app/x', `Authorization: Bearer ${token}\r\nAuthorization: Bearer ${token}\r\n`);
    inv.refused(await rawRequest(g.nginx, two), 400, { nginx: true });
  });

  test('A35 the scheme', async () => {
    const token = makeToken(key, person());
    for (const scheme of ['bearer', 'BEARER', 'BeArEr', 'Bearer  ']) {
      inv.passed(await app(undefined, { headers: { authorization: `${scheme} ${token}` } }), { 'X-Remote-User': 'mei' });
    }
    for (const value of ['Bearer', 'Bearer ', `Bearer${token}`, `BearerX ${token}`, `Bearer ${token},${token}`, `Bearer\t${token}`, `Bearer=${token}`, `Bearer "${token}"`, 'x', 'Basic eDp5', `Token ${token}`]) {
      inv.refused(await rawRequest(g.nginx, get('/app/x', `Authorization: ${value}\r\n`)), 401);
      inv.refused(await rawRequest(g.nginx, get('/api/v1/me', `Authorization: ${value}\r\n`)), 401);
    }
  });

  test('A36 a bad token is not made good by a session', async () => {
    const s = await makeSession(g, { person: 'city:mei', sub: 'mei', login: 'mei' });
    inv.secret(s.id);
    inv.passed(await app(undefined, { headers: s.headers }), { 'X-Remote-User': 'mei' });
    for (const value of ['Bearer garbage', 'Bearer a.b.c', `Bearer ${makeToken(key, person({ exp: 1 }))}`, 'Bearer ']) {
      inv.refused(await app(undefined, { headers: { ...s.headers, authorization: value } }), 401);
      inv.refused(await app(undefined, { headers: { authorization: value } }), 401);
    }
  });

  test('A37 a forged token after one without a signature, on every worker', async () => {
    for (let i = 0; i < 8; i++) {
      const agent = new http.Agent();
      await me(`${b64({ alg: 'none' })}.${b64(person())}.`, { agent });
      await me(makeToken(key, person({ exp: 1 })), { agent });
      assert.equal((await me(makeToken(makeKey('RS256', 'rs'), person()), { agent })).status, 401);
    }
    inv.alive();
  });

  test('A38 tokens bound to a key or a certificate are no plain bearer, and proofs are none', async () => {
    for (const cnf of [{ jkt: 'x' }, { 'x5t#S256': 'x' }, {}, null]) await refused(makeToken(key, person({ cnf })));
    const proof = makeToken(key, { jti: 'x', htm: 'GET', htu: 'http://localhost/app/x', iat: now() }, { typ: 'dpop+jwt', jwk: key.jwk });
    await refused(proof);
    inv.refused(await app(undefined, { headers: { authorization: `DPoP ${makeToken(key, person())}`, dpop: proof } }), 401);
  });

  test('A39 signatures by HMAC are compared in constant time', () => {
    const core = (f) => fs.readFileSync(path.join(TOP, 'core', f), 'utf8');
    const body = core('ym_jwt.c').match(/static bool hmac_holds\([^]*?\n}/)[0];
    assert.match(body, /return ym_equal_secret\(/);
    assert.doesNotMatch(body, /memcmp|strcmp|==\s*\*/);
    assert.match(core('ym_codec.c').match(/bool ym_equal_secret\([^]*?\n}/)[0], /CRYPTO_memcmp\(/);
  });

  test('A40 many people at once: at the application everyone is who they are', async () => {
    const tokens = Array.from({ length: 64 }, (_, i) => makeToken(keys[['ES256', 'EdDSA', 'RS256'][i % 3]], claims(`p${i}`, ['staff'])));
    inv.secret(...tokens.slice(0, 3));
    for (let round = 0; round < 40; round++) {
      const answers = await Promise.all(tokens.map((token) => app(token)));
      answers.forEach((a, i) => assert.equal(a.json.headers['x-remote-user'], `p${i}`));
    }
    inv.alive();
    inv.mark();
  });

  test('K188 a flood of bad tokens from one address is cut off, and others go on', async () => {
    const h = await startGateway({
      deploy: { keys: [key], auth: withSessions() },
      nginx: { level: 'notice', server: `${LOCATIONS} set_real_ip_from unix:; real_ip_header X-Test-Peer; location /app/ { yimen_auth on; proxy_pass http://unix:${upstream.socket}:; }` },
    });
    try {
      const ask = (peer, headers) => h.nginx.request('GET', '/api/v1/me', { headers: { 'x-test-peer': peer, ...headers } });
      const bad = () => ({ authorization: `Bearer ${makeToken(key, person({ x: crypto.randomUUID() })).slice(0, -4)}AAAA` });
      const session = () => ({ cookie: `__Host-yimen=0.${crypto.randomBytes(32).toString('base64url')}` });
      /* wrong ones of an address: 200 at once, 20 a second */
      for (const [peer, same, make] of [['198.51.100.1', '198.51.100.1', bad], ['2001:db8:1:2::1', '2001:db8:1:2:ffff::9', session]]) {
        /* all at once: the bucket of an address fills again while a slow machine asks one by one */
        const flood = async (from, n) => (await Promise.all(Array.from({ length: n }, () => make()).map((h2) => ask(from, h2))));
        const answers = await flood(peer, 400);
        const let2 = answers.filter((r) => r.status === 401).length, cut = answers.filter((r) => r.status === 429);
        assert.equal(let2 + cut.length, 400);
        assert.ok(let2 >= 200 && cut.length > 0, `${let2} looked at, ${cut.length} cut off`);
        for (const r of cut) assert.match(r.headers['retry-after'], /^\d+$/);
        /* the bucket of the flood is not full by far; another would let all of these pass */
        let shared = false;
        for (let i = 0; i < 15 && !shared; i++) shared = (await flood(same, 10)).some((r) => r.status === 429);
        assert.ok(shared, 'one bucket for both');
        assert.equal((await ask('198.51.100.99', make())).status, 401, 'another address');
      }
      /* a token that is known already is let in all the same */
      const known = makeToken(key, person());
      assert.equal((await ask('198.51.100.7', { authorization: `Bearer ${known}` })).status, 200);
      assert.equal((await ask('198.51.100.1', { authorization: `Bearer ${known}` })).status, 200);
    } finally { await h.stop(); }
  });
});

/*
 * A24 is in b_oidc_more. The wycheproof vectors are in no package of Debian or npm; tests/unit/test_jwt.c
 * has those of RFC 7515, 7520 and 8037, and A26 and A27 above the forgeries by hand.
 */
