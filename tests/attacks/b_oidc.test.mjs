/* SPDX-License-Identifier: Apache-2.0
 * B41–B72: the OpenID Connect relying party under attack.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import test from 'node:test';
import { PUBLIC_URL } from '../lib/gateway.mjs';
import { Nginx, sleep, until } from '../lib/nginx.mjs';
import { clock } from '../lib/pace.mjs';
import { rawRequest } from './invariants.mjs';
import { accepted, makeCa, rejected, startRig } from './oidc_rig.mjs';
import { SWITCHES, makeSigner, startOp } from './hostile_op.mjs';

/* One gateway and one provider for a file's worth of cases; each begins with a good provider. */
let rig;
test.before(async () => { rig = await startRig({ providers: (o) => [o.entry({ timeout: '1500ms', keys_window: '300ms' })] }); });
test.after(async () => { await rig?.stop(); });
test.beforeEach(() => { rig.op.reset(); rig.inv.mark(); });

const fresh = () => rig.browser();
const STATE = 'A'.repeat(43);

/* A server that must not be asked. */
async function canary() {
  const server = http.createServer((req, res) => { server.hits++; res.end('{}'); });
  server.hits = 0;
  await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
  server.port = server.address().port;
  return server;
}

test('B41 callback with nothing, no state, only separators', async () => {
  const b = fresh();
  for (const query of ['', '?', '?&', '?&&&', '?state', '?state=', '?code', '?code=x', '?=', '?=&=', '?state&code', `?state=${STATE}`, `?code=&state=${STATE}`, '?%', '?code=%&state=%zz']) {
    const r = await rawRequest(rig.g.nginx, `GET /auth/callback/city${query} HTTP/1.1\r\nHost: yimen.example\r\nAccept: text/html\r\nConnection: close\r\n\r\n`);
    await rejected(rig.inv, b, r);
  }
  assert.equal((await b.get('/auth/callback/nowhere?code=x')).status, 404);
  assert.equal(rig.op.hits.token, 0);
});

test('B42 code and state in a browser that did not ask: login CSRF', async () => {
  const mine = fresh(), other = fresh();
  const { callback } = await mine.toCallback();
  await rejected(rig.inv, other, await other.get(callback));
  const { callback: theirs } = await other.toCallback();
  await rejected(rig.inv, other, await other.get(callback));
  assert.equal(rig.op.hits.token, 0);
  await accepted(mine, await mine.get(callback));
  await accepted(other, await other.get(theirs));
});

test('B43 state replayed, tampered, gone, another key, 64 KB; cookie cut or without =', async () => {
  let b = fresh();
  let { callback } = await b.toCallback();
  const cookies = new Map(b.cookies);
  await accepted(b, await b.get(callback));
  const again = fresh();
  for (const [k, v] of cookies) again.cookies.set(k, v);
  await rejected(rig.inv, again, await again.get(callback));

  b = fresh();
  ({ callback } = await b.toCallback());
  const state = new URL(callback).searchParams.get('state');
  const swap = (s) => callback.replace(state, s);
  await rejected(rig.inv, b, await b.get(swap(`${state.slice(0, -1)}${state.endsWith('A') ? 'B' : 'A'}`)));
  for (const bad of [STATE, state.slice(0, 42), `${state}A`, state.toLowerCase(), '../'.repeat(14), 'x'.repeat(4000)]) await rejected(rig.inv, b, await b.get(swap(bad)));
  const long = await b.get(swap('x'.repeat(65536)));
  assert.ok([400, 414].includes(long.status), `${long.status}`);

  /* what Redis keeps is sealed: text of another flow, and bytes that were changed */
  const client = rig.g.redis.client;
  const keys = async () => (await client.command('KEYS', '*:on:oidc:*'));
  const before = await keys();
  const c = fresh();
  const { callback: other } = await c.toCallback();
  const added = (await keys()).find((k) => !before.includes(k));
  await client.command('SET', added, 'Yrubbish', 'KEEPTTL');
  await rejected(rig.inv, c, await c.get(other));
  const d = fresh();
  const { callback: gone } = await d.toCallback();
  for (const k of (await keys())) if (!before.includes(k)) await client.command('DEL', k);
  await rejected(rig.inv, d, await d.get(gone));
  assert.equal(rig.op.hits.token, 1);

  /* cookies that are no cookies */
  const name = [...cookies.keys()].find((k) => k.includes('flow'));
  for (const line of [name, `${name}=`, `${name.slice(0, -1)}=x`, `${name};`, `=${name}`, `${name.slice(0, 18)}=`, ';;;', `${name}=${'x'.repeat(3000)}`]) {
    const r = await b.get(callback, { cookies: false, headers: { cookie: line } });
    await rejected(rig.inv, fresh(), r);
  }
  await accepted(b, await b.get(callback));
});

test('B44 twenty tabs sign in at once and finish in any order', async () => {
  const b = fresh();
  const tabs = await Promise.all(Array.from({ length: 20 }, (_, i) => b.toCallback('city', `/api/v1/me?tab=${i}`)));
  assert.equal(b.flows().length, 20);
  tabs.forEach((t, i) => { t.place = `/api/v1/me?tab=${i}`; });
  tabs.sort(() => Math.random() - 0.5);
  await Promise.all(tabs.map(async ({ callback, place }) => {
    const r = await b.get(callback);
    assert.equal(r.status, 303, r.body);
    assert.equal(r.headers.location, place);
  }));
  assert.deepEqual(b.flows(), []);
  assert.equal((await b.me()).status, 200);
  assert.equal(rig.op.hits.token, 20);
});

test('B45 a thousand calls of scripts get 401 and no cookie; slots are capped', async () => {
  const b = fresh();
  const kinds = [
    { 'sec-fetch-mode': 'cors', accept: '*/*' }, { 'x-requested-with': 'XMLHttpRequest', accept: 'text/html' },
    { accept: 'text/event-stream' }, { 'sec-fetch-mode': 'websocket', upgrade: 'websocket', connection: 'upgrade' },
  ];
  for (let i = 0; i < 1000; i += 50) {
    await Promise.all(Array.from({ length: 50 }, async (_, k) => {
      const r = await b.get('/api/v1/me', { navigation: false, headers: kinds[k % 4] });
      rig.inv.refused(r, 401);
      assert.equal(r.headers['set-cookie'], undefined);
      assert.equal(r.headers.location, undefined);
    }));
  }
  rig.inv.refused(await b.get('/auth/start/city', { navigation: false, headers: { 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' } }), 401);
  assert.deepEqual(b.flows(), []);
  for (let i = 0; i < 60; i++) assert.equal((await b.get('/auth/start/city')).status, 303);
  assert.ok(b.flows().length <= 24, `${b.flows().length} slots`);
  assert.ok(b.header(PUBLIC_URL).length < 4096);
  await accepted(b, await b.signIn());
});

test('B46 parameters that stand twice', async () => {
  const b = fresh();
  const { callback } = await b.toCallback();
  const u = new URL(callback);
  for (const name of ['code', 'state', 'iss', 'error']) {
    const twice = `${callback}&${name}=${encodeURIComponent(u.searchParams.get(name) ?? 'x')}`;
    await rejected(rig.inv, b, await b.get(name === 'error' ? `${twice}&error=x` : twice));
  }
  await rejected(rig.inv, b, await b.get(`${callback}&c%6fde=x`));
  const r = await b.ask('POST', '/auth/backchannel/city', { navigation: false, body: 'logout_token=a&logout_token=b', headers: { 'content-type': 'application/x-www-form-urlencoded' } });
  rig.inv.refused(r, 400);
  assert.equal(rig.op.hits.token, 0);
  await accepted(b, await b.get(callback));
});

test('B47 a victim’s code in the attacker’s flow', async () => {
  const victim = fresh(), attacker = fresh();
  rig.op.user = { ...rig.op.user, sub: 'victim' };
  const { callback: theirs } = await victim.toCallback();
  rig.op.user = { ...rig.op.user, sub: 'attacker' };
  const { callback: own } = await attacker.toCallback();
  const mixed = new URL(own);
  mixed.searchParams.set('code', new URL(theirs).searchParams.get('code'));
  await rejected(rig.inv, attacker, await attacker.get(mixed.href)); /* PKCE */
  const { callback: again } = await attacker.toCallback();
  const kept = rig.op.codes.get(new URL(again).searchParams.get('code'));
  Object.assign(kept, { nonce: rig.op.codes.get(new URL(theirs).searchParams.get('code')).nonce });
  await rejected(rig.inv, attacker, await attacker.get(again)); /* nonce */
});

test('B48 nonce wrong, missing, a list, replayed; PKCE is S256', async () => {
  for (const bend of [(c) => ({ ...c, nonce: 'x' }), ({ nonce, ...c }) => c, (c) => ({ ...c, nonce: [c.nonce] }), (c) => ({ ...c, nonce: null })]) {
    const b = fresh();
    rig.op.idClaims = bend;
    await rejected(rig.inv, b, await b.signIn());
  }
  let last;
  rig.op.idClaims = (c) => { last = c.nonce; return c; };
  let b = fresh();
  await accepted(b, await b.signIn());
  rig.op.idClaims = (c) => ({ ...c, nonce: last });
  b = fresh();
  await rejected(rig.inv, b, await b.signIn());
  const seen = new Set();
  for (const q of rig.op.seen.authorize) {
    assert.equal(q.get('code_challenge_method'), 'S256');
    assert.match(q.get('code_challenge'), /^[\w-]{43}$/);
    for (const name of ['state', 'nonce', 'code_challenge']) { assert.ok(!seen.has(q.get(name))); seen.add(q.get(name)); }
  }
});

test('B49 mix-up: the issuer of the response is compared before a code is sent', async () => {
  for (const bend of [(p) => ({ ...p, iss: 'https://evil.test' }), (p) => ({ ...p, iss: `${p.iss}/` }), ({ iss, ...p }) => p, (p) => ({ ...p, iss: '' })]) {
    const b = fresh();
    rig.op.response = bend;
    await rejected(rig.inv, b, await b.signIn());
  }
  assert.equal(rig.op.hits.token, 0);
});

test('B49 a response at the callback of another provider', async () => {
  const one = await startOp(), two = await startOp();
  const r2 = await startRig({ op: one, providers: (o) => [o.entry(), two.entry({ id: 'second' })] });
  try {
    const b = r2.browser();
    const { callback } = await b.toCallback('city');
    await rejected(r2.inv, b, await b.get(callback.replace('/callback/city', '/callback/second')));
    assert.equal(one.hits.token + two.hits.token, 0);
  } finally {
    await r2.stop();
    await two.stop();
  }
});

test('B50 error with script and line ends: an escaped page, no loop', async () => {
  for (const error of ['access_denied', 'login_required', 'server_error', '<script>alert(1)</script>', 'a\r\nSet-Cookie: x=1']) {
    const b = fresh();
    rig.op.response = ({ state, iss }) => ({ error, error_description: '<script>alert(1)</script>\r\nX-Evil: 1', error_uri: 'javascript:alert(1)', state, iss });
    const r = await b.signIn();
    await rejected(rig.inv, b, r, { access_denied: 403, server_error: 502 }[error] ?? 400);
    assert.doesNotMatch(r.body, /<script|javascript:|alert\(1\)/);
    assert.equal(r.headers['x-evil'], undefined);
    assert.equal(r.headers.location, undefined);
    assert.match(r.headers['content-security-policy'], /default-src 'none'/);
    assert.match(r.headers['content-security-policy'], /frame-ancestors 'none'/);
  }
  assert.doesNotMatch(rig.g.nginx.log(), /<script>alert\(1\)/);
});

test('B51 HEAD, OPTIONS, PUT, prefetch, a double click: redeemed once at most', async () => {
  const b = fresh();
  const { callback } = await b.toCallback();
  for (const [method, headers] of [['HEAD', {}], ['OPTIONS', {}], ['PUT', {}], ['DELETE', {}], ['GET', { 'sec-purpose': 'prefetch' }], ['GET', { purpose: 'prefetch' }], ['GET', { 'x-moz': 'prefetch' }], ['GET', { 'sec-purpose': 'prefetch;prerender' }]]) {
    const r = await b.ask(method, callback, { headers });
    assert.ok([400, 405].includes(r.status), `${method} ${r.status}`);
  }
  assert.equal(rig.op.hits.token, 0);
  const both = await Promise.all([b.get(callback), b.get(callback)]);
  assert.deepEqual(both.map((r) => r.status).sort(), [303, 400]);
  assert.equal(rig.op.hits.token, 1);
  assert.equal((await b.me()).status, 200);
});

test('B52 form_post works; a response of another flow does not', async () => {
  const b = fresh();
  const { callback } = await b.toCallback();
  for (const more of ['&id_token=a.b.c', '&access_token=x', '&token_type=Bearer', '&response=a.b.c']) await rejected(rig.inv, b, await b.get(callback + more));
  assert.equal(rig.op.hits.token, 0);
  const form = Object.fromEntries(new URL(callback).searchParams);
  const posted = await b.ask('POST', '/auth/callback/city', { form, cookies: false, headers: { origin: rig.op.issuer, 'sec-fetch-site': 'cross-site' } });
  assert.equal(posted.status, 303);
  assert.match(posted.headers.location, /^\/auth\/callback\/city\?/);
  await accepted(b, await b.get(posted.headers.location));
  await rejected(rig.inv, fresh(), await b.ask('POST', '/auth/callback/city', { form: { other: '1' }, cookies: false }));
});

test('B53 discovery: another issuer, wrong endpoints, redirects, size, rubbish: refused, nobody else is asked', async () => {
  const trap = await canary();
  const inward = (at) => (d) => ({ ...d, token_endpoint: `${at}/token` });
  const cases = [
    ['issuer', (op) => { op.discovery = (d) => ({ ...d, issuer: 'https://evil.test' }); }, 503],
    ['no issuer', (op) => { op.discovery = ({ issuer, ...d }) => d; }, 503],
    ['a list', (op) => { op.discovery = () => []; }, 503],
    ['not JSON', (op) => { op.before = (n, q, r) => (n === 'discovery' ? (r.end('{"issuer":'), true) : false); }, 503],
    ['10 MB', (op) => { op.before = (n, q, r) => (n === 'discovery' ? (r.end('x'.repeat(10 << 20)), true) : false); }, 503],
    ['a redirect', (op) => { op.before = (n, q, r) => (n === 'discovery' ? (r.writeHead(302, { location: `http://127.0.0.1:${trap.port}/` }), r.end(), true) : false); }, 503],
    ['a script address', (op) => { op.discovery = (d) => ({ ...d, authorization_endpoint: 'javascript:alert(1)' }); }, 503],
    ['gopher', (op) => { op.discovery = (d) => ({ ...d, jwks_uri: 'gopher://127.0.0.1/' }); }, 503],
    ['a user in the address', (op) => { op.discovery = (d) => ({ ...d, jwks_uri: 'http://127.0.0.1@evil.test/' }); }, 503],
    ['keys elsewhere inside', (op) => { op.discovery = (d) => ({ ...d, jwks_uri: `http://127.0.0.1:${trap.port}/jwks` }); }, 503],
    ['keys at IPv6 loopback', (op) => { op.discovery = (d) => ({ ...d, jwks_uri: `http://[::1]:${trap.port}/jwks` }); }, 503],
    ['keys at metadata', (op) => { op.discovery = (d) => ({ ...d, jwks_uri: 'http://169.254.169.254/latest' }); }, 503],
    ['no usable key', (op) => { op.jwksAnswer = () => ({ keys: [{ kty: 'oct', k: 'AAAA' }] }); }, 503],
    ['tokens at another port', (op) => { op.discovery = inward(`http://127.0.0.1:${trap.port}`); }, 502],
    ['tokens at 0x7f.1', (op) => { op.discovery = inward(`http://0x7f.1:${trap.port}`); }, 502],
    ['tokens at a name that resolves inwards', (op) => { op.discovery = inward(`http://localhost:${trap.port}`); }, 502],
    ['tokens at a mapped address', (op) => { op.discovery = inward(`http://[::ffff:127.0.0.1]:${trap.port}`); }, 502],
    ['tokens at metadata', (op) => { op.discovery = inward('http://169.254.169.254'); }, 502],
  ];
  for (const [name, bend, status] of cases) {
    const op = await startOp();
    bend(op);
    const own = await startRig({ op, providers: (o) => [o.entry({ timeout: '1500ms' })] });
    try {
      const b = own.browser();
      const ms = clock();
      await rejected(own.inv, b, await b.signIn(), status);
      assert.ok(ms() < 3000, `${name}: ${ms()} ms`);
    } finally {
      await own.stop();
    }
  }
  assert.equal(trap.hits, 0);
  trap.close();
});

test('B53 a public provider whose name points inwards is not asked; its private CA counts', async () => {
  const ca = makeCa('localhost');
  const op = await startOp({ tls: { key: ca.key, cert: ca.cert } });
  const at = (o) => o.issuer.replace('127.0.0.1', 'localhost');
  op.discovery = (d) => JSON.parse(JSON.stringify(d).replaceAll(op.issuer, at(op)));
  op.idClaims = (c) => ({ ...c, iss: at(op) });
  op.response = (p) => ({ ...p, iss: at(op) });
  const trusted = { issuer: at(op), ca: ca.file };
  const own = await startRig({
    op,
    providers: (o) => [
      o.entry({ ...trusted, inside: 'false' }),
      o.entry({ ...trusted, id: 'inside', issuer: `${at(op)}` }),
    ].slice(0, 1),
  });
  try {
    const b = own.browser();
    await rejected(own.inv, b, await b.signIn(), 503);
    assert.equal(op.hits.discovery, 0);
  } finally {
    await own.g.stop();
  }
  for (const [entry, status] of [[trusted, 303], [{ issuer: at(op) }, 503]]) {
    const r2 = await startRig({ op, providers: (o) => [o.entry(entry)] });
    try {
      const b = r2.browser();
      const r = await b.signIn();
      assert.equal(r.status, status, r.body);
    } finally {
      r2.inv.done();
      await r2.g.stop();
    }
  }
  await op.stop();
  ca.remove();
});

test('B54 answers of the token endpoint that are none: 502 in time, nobody else waits', async () => {
  const trap = await canary();
  const reply = (status, headers, text) => (req, res) => { res.writeHead(status, headers); res.end(text); };
  const J = { 'content-type': 'application/json' };
  const cases = {
    html: (op) => { op.tokenReply = reply(200, { 'content-type': 'text/html' }, '<html>'); },
    'html that says JSON': (op) => { op.tokenReply = reply(200, J, '<html>'); },
    redirect: (op) => { op.tokenReply = reply(302, { location: `http://127.0.0.1:${trap.port}/` }, ''); },
    'redirect 307': (op) => { op.tokenReply = reply(307, { location: `http://127.0.0.1:${trap.port}/` }, ''); },
    'no id_token': (op) => { op.tokenAnswer = ({ id_token, ...a }) => a; },
    'no access_token': (op) => { op.tokenAnswer = ({ access_token, ...a }) => a; },
    mac: (op) => { op.tokenAnswer = (a) => ({ ...a, token_type: 'mac' }); },
    'expires_in -1': (op) => { op.tokenAnswer = (a) => ({ ...a, expires_in: -1 }); },
    'expires_in 1e18': (op) => { op.tokenAnswer = (a) => ({ ...a, expires_in: 1e18 }); },
    'expires_in text': (op) => { op.tokenAnswer = (a) => ({ ...a, expires_in: '3600' }); },
    'a list': (op) => { op.tokenReply = (q, res, a) => reply(200, J, JSON.stringify([a]))(q, res); },
    'a member twice': (op) => { op.tokenReply = (q, res, a) => reply(200, J, JSON.stringify(a).replace('{', '{"id_token":"x",'))(q, res); },
    'deep': (op) => { op.tokenReply = reply(200, J, '['.repeat(5000)); },
    '100 KB of headers': (op) => { op.tokenReply = (q, res) => { res.writeHead(200, [...Object.entries(J).flat(), ...Array.from({ length: 100 }, (_, i) => [`x-h${i}`, 'y'.repeat(1000)]).flat()]); res.end('{}'); }; },
    '1 MB': (op) => { op.tokenReply = reply(200, J, `{"a":"${'x'.repeat(1 << 20)}"}`); },
    'a bomb': (op) => { op.tokenReply = (q, res) => { import('node:zlib').then((z) => reply(200, { ...J, 'content-encoding': 'gzip' }, z.gzipSync('x'.repeat(50 << 20)))(q, res)); }; },
    'status 500': (op) => { op.tokenReply = reply(500, J, '{}'); },
    invalid_client: (op) => { op.tokenReply = reply(401, J, '{"error":"invalid_client"}'); },
    hang: (op) => { op.tokenReply = () => {}; },
    reset: (op) => { op.tokenReply = (req) => { req.socket.resetAndDestroy(); }; },
    trickle: (op) => { op.tokenReply = (q, res) => { res.writeHead(200, J); const t = setInterval(() => res.write(' '), 100); res.on('close', () => clearInterval(t)); }; },
  };
  for (const [name, bend] of Object.entries(cases)) {
    rig.op.reset();
    bend(rig.op);
    const b = fresh();
    const { callback } = await b.toCallback();
    const ms = clock();
    let r;
    const run = async () => { r = await b.get(callback); };
    if (['hang', 'trickle', '1 MB'].includes(name)) await rig.inv.undisturbed(run);
    else await run();
    assert.ok(ms() < 3000, `${name}: ${ms()} ms`);
    await rejected(rig.inv, b, r, 502);
    assert.deepEqual(b.flows(), [], `${name}: the flow is over`);
    await rejected(rig.inv, b, await b.get(callback), 400);
    assert.equal(rig.op.hits.token, 1, `${name}: asked once`);
  }
  assert.equal(trap.hits, 0);
  trap.close();
});

test('B55 every relying-party test of the list has its case in oidf.test.mjs', () => {
  const text = fs.readFileSync(new URL('./oidf.test.mjs', import.meta.url), 'utf8');
  for (const name of ['invalid-iss', 'missing-sub', 'invalid-aud', 'missing-iat', 'kid-absent-single-jwks', 'kid-absent-multiple-jwks', 'idtoken-sig-rs256', 'idtoken-sig-none', 'invalid-sig-rs256', 'userinfo-invalid-sub', 'nonce-invalid', 'scope-userinfo-claims', 'client-secret-basic', 'discovery-openid-config', 'discovery-jwks-uri-keys', 'discovery-issuer-mismatch', 'missing-aud', 'invalid-sig-es256', 'invalid-sig-hs256', 'userinfo-bearer-header', 'userinfo-signed', 'aggregated-claims', 'distributed-claims', 'mtls-endpoint-aliases', 'invalid-chash', 'missing-chash', 'invalid-athash', 'missing-athash']) {
    assert.ok(name in SWITCHES, name);
  }
  for (const name of ['signing-key-rotation-just-before-signing', 'signing-key-rotation', 'form-post', 'form-post-error', 'nonce-unless-code-flow', 'refresh-token', 'refresh-token-invalid-issuer', 'refresh-token-invalid-sub', 'rp-backchannel-rpinitlogout', 'rp-frontchannel-rpinitlogout', 'rp-frontchannel-opinitlogout']) {
    assert.ok(text.includes(name), name);
  }
});

test('B56 userinfo: another sub, a list, a JWT, HTML, 1 MB', async () => {
  const op = await startOp();
  const own = await startRig({ op, providers: (o) => [o.entry({ userinfo: 'true', timeout: '1500ms' })] });
  try {
    const other = await makeSigner('RS256');
    const cases = [
      [400, () => { op.userinfoAnswer = (u) => ({ ...u, sub: 'mallory' }); }],
      [400, () => { op.userinfoAnswer = ({ sub, ...u }) => u; }],
      [502, () => { op.userinfoAnswer = (u) => [u]; }],
      [502, () => { op.userinfoReply = async (q, res) => { res.writeHead(200, { 'content-type': 'application/jwt' }); res.end(await op.sign({ ...op.user }, {}, other)); }; }],
      [502, () => { op.userinfoReply = (q, res) => { res.writeHead(200, { 'content-type': 'text/html' }); res.end('<html>'); }; }],
      [502, () => { op.userinfoAnswer = (u) => ({ ...u, x: 'x'.repeat(1 << 20) }); }],
      [502, () => { op.userinfoReply = (q, res) => { res.writeHead(401); res.end(); }; }],
      [502, () => { op.userinfoReply = () => {}; }],
    ];
    for (const [status, bend] of cases) {
      op.reset();
      bend();
      const b = own.browser();
      await rejected(own.inv, b, await b.signIn(), status);
    }
    op.reset();
    const b = own.browser();
    const me = await accepted(b, await b.signIn());
    assert.equal(me.subject, 'city:alice');
  } finally {
    await own.stop();
  }
});

async function shortLived(nodes = 1, entry = {}) {
  const op = await startOp();
  op.expiresIn = 1;
  const own = await startRig({ op, providers: (o) => [o.entry({ keys_window: '200ms', ...entry })] });
  const second = nodes > 1 ? new Nginx({ ...own.g.nginx.options }) : null;
  const stop = async () => { try { await second?.stop(); } finally { await own.stop(); } };
  try {
    await second?.start();
    const b = own.browser();
    await accepted(b, await b.signIn());
    return { op, own, b, second, stop };
  } catch (e) { await stop(); throw e; }
}

test('B57 a refresh with a bad signature ends the session; one without ID token does not', async () => {
  let s = await shortLived();
  try {
    s.op.tokenAnswer = ({ id_token, ...a }) => a;
    await sleep(1100);
    await until('the refresh', async () => { assert.equal((await s.b.me()).status, 200); return s.op.grants >= 1; });
    await sleep(100);
    assert.equal((await s.b.me()).status, 200);
    const old = s.op.signer;
    await s.op.rotate();
    s.op.jwksAnswer = () => ({ keys: [old.jwk] });
    s.op.tokenAnswer = (a) => a;
    await sleep(1200);
    await until('the session is over', async () => (await s.b.me()).status === 401);
  } finally {
    await s.stop();
  }
});

test('B58 fifty requests at expiry on two nodes: one grant, nobody is signed out', async () => {
  const s = await shortLived(2);
  try {
    let life = 1;
    s.op.expiresIn = 3; /* s for a round of a slow machine; what came with the sign-in is over in one */
    for (let round = 1; round <= 3; round++) {
      await sleep(1000 * life + 100);
      const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => s.b.me({ nginx: i % 2 ? s.second : s.own.g.nginx })));
      assert.deepEqual([...new Set(answers.map((a) => a.status))], [200]);
      await until('the grant', () => s.op.grants === round);
      await sleep(150);
      const after = await Promise.all(Array.from({ length: 20 }, (_, i) => s.b.me({ nginx: i % 2 ? s.second : s.own.g.nginx })));
      assert.deepEqual([...new Set(after.map((a) => a.status))], [200]);
      assert.equal(s.op.grants, round);
      life = s.op.expiresIn;
    }
    /* the provider has taken the right back */
    s.op.refreshTokens.clear();
    const asked = s.op.hits.token;
    await sleep(1000 * life + 100);
    await Promise.all(Array.from({ length: 50 }, (_, i) => s.b.me({ nginx: i % 2 ? s.second : s.own.g.nginx })));
    await until('signed out on both', async () => (await s.b.me()).status === 401 && (await s.b.me({ nginx: s.second })).status === 401);
    await Promise.all(Array.from({ length: 20 }, () => s.b.me()));
    assert.equal(s.op.hits.token, asked + 1, 'no storm');
  } finally {
    await s.stop();
  }
});

test('B58 a provider that is away for a moment signs nobody out; after the grace it does', async () => {
  const s = await shortLived(2, { refresh_grace: '4s' });
  try {
    const asked = s.op.hits.token;
    s.op.tokenReply = (req, res) => { res.writeHead(503); res.end(); };
    await until('it was asked', async () => { assert.equal((await s.b.me()).status, 200); return s.op.hits.token === asked + 1; });
    for (let i = 0; i < 50; i++) assert.equal((await s.b.me()).status, 200);
    assert.equal(s.op.hits.token, asked + 1, 'not asked again at once');
    await sleep(4200);
    /* the lock runs out after a while; the other node has not asked yet */
    const client = s.own.g.redis.client;
    for (const k of await client.command('KEYS', '*:on:refresh:*')) await client.command('DEL', k);
    await s.b.me({ nginx: s.second });
    await until('the grace is over', async () => (await s.b.me()).status === 401 && (await s.b.me({ nginx: s.second })).status === 401);
    assert.equal(s.op.hits.token, asked + 2);
  } finally {
    await s.stop();
  }
});

test('B59 a start by a third party chooses nothing', async () => {
  const b = fresh();
  for (const query of ['target_link_uri=https%3A%2F%2Fevil.test%5C.app.example%2F', 'iss=', 'iss=https%3A%2F%2Fevil.test', 'scopes=admin', 'auth_request_params=prompt%3Dnone', 'login_hint=x&target_link_uri=//evil.test', 'rd=https%3A%2F%2Fevil.test%5C.app.example%2F', 'rd=%2F%2Fevil.test']) {
    const r = await b.get(`/auth/start/city?${query}`);
    assert.equal(r.status, 303);
    const to = new URL(r.headers.location);
    assert.equal(to.origin, rig.op.issuer);
    for (const name of ['login_hint', 'target_link_uri', 'prompt']) assert.equal(to.searchParams.get(name), null);
    const done = await b.follow(r, { stop: (u) => u.includes('/auth/callback/') });
    const end = await b.get(done.next);
    assert.equal(end.headers.location, '/');
  }
  assert.equal((await b.get('/auth/start/unknown')).status, 404);
});

test('B60 query of the start never reaches the authorization request', async () => {
  const b = fresh();
  const r = await b.get('/auth/start/city?redirect_uri=https%3A%2F%2Fevil.test&scope=admin&acr_values=0&client_id=evil&state=x&nonce=y&response_type=token&code_challenge=z&code_challenge_method=plain&response_mode=fragment&request_uri=x');
  const q = new URL(r.headers.location).searchParams;
  for (const [name, value] of Object.entries({ redirect_uri: `${PUBLIC_URL}/auth/callback/city`, scope: 'openid profile offline_access', client_id: 'gw', response_type: 'code', code_challenge_method: 'S256' })) {
    assert.deepEqual(q.getAll(name), [value]);
  }
  for (const name of ['acr_values', 'response_mode', 'request_uri', 'request']) assert.deepEqual(q.getAll(name), []);
  assert.notEqual(q.get('state'), 'x');
});

test('B61 Host and forwarding headers do not make the redirect address', async () => {
  for (const headers of ['Host: evil.test\r\n', 'Host: yimen.example\r\nX-Forwarded-Host: evil.test\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: 81\r\nX-Forwarded-Prefix: /evil\r\n', 'Host: yimen.example\r\nForwarded: host=evil.test;proto=http\r\n', 'Host: yimen.example:81\r\n']) {
    for (const target of ['/auth/start/city', 'http://evil.test/auth/start/city']) {
      const r = await rawRequest(rig.g.nginx, `GET ${target} HTTP/1.1\r\n${headers}Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nConnection: close\r\n\r\n`);
      assert.ok([303, 400].includes(r.status), `${r.status}`);
      if (r.status === 303) assert.equal(new URL(r.headers.location).searchParams.get('redirect_uri'), `${PUBLIC_URL}/auth/callback/city`);
      assert.doesNotMatch(JSON.stringify(r.headers), /evil/);
    }
  }
});

test('B62 a session id chosen before the sign-in is worth nothing after', async () => {
  const b = fresh(), planted = `0.${'A'.repeat(43)}`;
  b.cookies.set('__Host-yimen', planted);
  const r = await b.signIn();
  assert.equal(r.status, 303);
  assert.notEqual(b.session(), planted);
  const thief = fresh();
  thief.cookies.set('__Host-yimen', planted);
  assert.equal((await thief.me()).status, 401);
  assert.equal((await b.me()).status, 200);
});

test('B63 ids of other things are no session', async () => {
  const b = fresh();
  const { callback } = await b.toCallback();
  const u = new URL(callback);
  const flow = b.cookies.get(b.flows()[0]);
  const token = await rig.op.logoutToken();
  for (const id of [u.searchParams.get('state'), flow, u.searchParams.get('code'), `0.${u.searchParams.get('state')}`, `0.${flow}`, `1.${flow}`, token]) {
    const thief = fresh();
    thief.cookies.set('__Host-yimen', id);
    assert.equal((await thief.me()).status, 401);
  }
  /* and a session's id is no state */
  await accepted(b, await b.get(callback));
  const c = fresh();
  await c.toCallback();
  const name = c.flows()[0];
  c.cookies.set(name, b.session().slice(2));
  await rejected(rig.inv, c, await c.get(`/auth/callback/city?code=x&state=${b.session().slice(2)}&iss=${encodeURIComponent(rig.op.issuer)}`));
});

test('B64 another person in the same browser ends the first one’s session', async () => {
  const b = fresh();
  await accepted(b, await b.signIn());
  const first = b.session();
  rig.op.user = { ...rig.op.user, sub: 'bob' };
  const me = await accepted(b, await b.signIn());
  assert.equal(me.subject, 'city:bob');
  const old = fresh();
  old.cookies.set('__Host-yimen', first);
  await until('the first is gone', async () => (await old.me()).status === 401, 1000);
});

test('B65 too weak or too old a sign-in is refused once, without a loop', async () => {
  const op = await startOp();
  const own = await startRig({ op, providers: (o) => [o.entry({ acr_values: 'mfa hw', max_age: '1h' })] });
  try {
    for (const bend of [(c) => c, (c) => ({ ...c, acr: 'pwd' }), (c) => ({ ...c, acr: 'mfa', auth_time: Math.floor(Date.now() / 1000) - 7200 }), (c) => ({ ...c, acr: ['mfa'] })]) {
      const b = own.browser();
      op.reset();
      op.idClaims = bend;
      await rejected(own.inv, b, await b.signIn(), 403);
      assert.equal(op.hits.authorize, 1);
      assert.equal(op.seen.authorize[0].get('acr_values'), 'mfa hw');
      assert.equal(op.seen.authorize[0].get('max_age'), '3600');
    }
    op.idClaims = (c) => ({ ...c, acr: 'mfa' });
    const b = own.browser();
    await accepted(b, await b.signIn());
    op.idClaims = ({ auth_time, ...c }) => ({ ...c, acr: 'mfa' });
    const c = own.browser();
    await rejected(own.inv, c, await c.signIn());
  } finally {
    await own.stop();
  }
});

test('B66 login_required, consent_required, interaction_required: a page, no loop', async () => {
  for (const error of ['login_required', 'consent_required', 'interaction_required', 'account_selection_required']) {
    const b = fresh();
    rig.op.reset();
    rig.op.response = ({ state, iss }) => ({ error, state, iss });
    const r = await b.follow(await b.get('/auth/start/city'));
    await rejected(rig.inv, b, r);
    assert.equal(rig.op.hits.authorize, 1);
  }
});

const bye = (token, more = {}) => rig.g.nginx.request('POST', '/auth/backchannel/city', {
  headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: `logout_token=${encodeURIComponent(token)}`, ...more,
});

test('B67 logout tokens that are none', async () => {
  const op = rig.op;
  const b = fresh();
  await accepted(b, await b.signIn());
  const now = Math.floor(Date.now() / 1000);
  const other = await makeSigner('RS256', op.signer.kid);
  const tokens = {
    'another key': await op.logoutToken((c) => c, {}, other),
    'no jti': await op.logoutToken(({ jti, ...c }) => c),
    'no iat': await op.logoutToken(({ iat, ...c }) => c),
    'stale iat': await op.logoutToken((c) => ({ ...c, iat: now - 3600 })),
    'iat to come': await op.logoutToken((c) => ({ ...c, iat: now + 3600 })),
    expired: await op.logoutToken((c) => ({ ...c, exp: now - 100 })),
    'typ of an access token': await op.logoutToken((c) => c, { typ: 'at+jwt' }),
    'neither sid nor sub': await op.logoutToken(({ sid, ...c }) => c),
    'sid no text': await op.logoutToken((c) => ({ ...c, sid: 7 })),
    'empty sid and sub': await op.logoutToken((c) => ({ ...c, sid: '', sub: '' })),
    'event of a list': await op.logoutToken((c) => ({ ...c, events: Object.keys(c.events) })),
    'audience of two': `${await op.logoutToken((c) => ({ ...c, aud: ['x', 'y'] }))}`,
    'an ID token': await op.makeIdToken({ nonce: 'x' }),
    nothing: '',
    rubbish: 'a.b.c',
    long: 'x'.repeat(20000),
  };
  for (const [name, token] of Object.entries(tokens)) {
    const r = await bye(token);
    assert.equal(r.status, 400, name);
    assert.match(r.headers['cache-control'], /no-store/);
  }
  assert.equal((await b.me()).status, 200);
  assert.equal((await rig.g.nginx.request('GET', `/auth/backchannel/city?logout_token=${await op.logoutToken()}`)).status, 405);
  assert.equal((await bye('x'.repeat(1 << 20))).status, 413);
  assert.equal((await bye('x', { headers: { 'content-type': 'application/json' } })).status, 415);
  assert.equal((await rig.g.nginx.request('POST', '/auth/backchannel/city', { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'x=1' })).status, 400);
  assert.equal((await b.me()).status, 200);
  const good = await op.logoutToken();
  assert.equal((await bye(good)).status, 200);
  assert.equal((await bye(good)).status, 400, 'jti is replayed');
  await until('signed out', async () => (await b.me()).status === 401, 1000);
});

test('B67 sub alone ends all sessions of that person, everywhere, within a second', async () => {
  const second = new Nginx({ ...rig.g.nginx.options });
  await second.start();
  try {
    const mine = [];
    for (let i = 0; i < 4; i++) {
      rig.op.sessionId = `sid-${i}-xxxxxx`;
      const b = fresh();
      await accepted(b, await b.signIn());
      mine.push(b);
    }
    rig.op.user = { ...rig.op.user, sub: 'bystander' };
    const other = fresh();
    await accepted(other, await other.signIn());
    for (const b of mine) assert.equal((await b.me({ nginx: second })).status, 200);
    assert.equal((await bye(await rig.op.logoutToken(({ sid, ...c }) => ({ ...c, sid: 'sid-2-xxxxxx' })))).status, 200);
    await until('one is out', async () => (await mine[2].me({ nginx: second })).status === 401, 1000);
    assert.equal((await mine[0].me({ nginx: second })).status, 200);
    assert.equal((await bye(await rig.op.logoutToken(({ sid, ...c }) => ({ ...c, sub: 'alice' })))).status, 200);
    await until('all are out', async () => (await Promise.all(mine.map((b) => b.me({ nginx: second })))).every((r) => r.status === 401), 1000);
    assert.equal((await other.me()).status, 200, 'nobody else');
  } finally {
    await second.stop();
  }
});

test('B67 a profile that asks for logout+jwt', async () => {
  const op = await startOp();
  const own = await startRig({ op, providers: (o) => [o.entry({ typed_logout: 'true' })] });
  try {
    const b = own.browser();
    await accepted(b, await b.signIn());
    const send = async (header) => own.g.nginx.request('POST', '/auth/backchannel/city', { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: `logout_token=${await op.logoutToken((c) => c, header)}` });
    assert.equal((await send({ typ: 'JWT' })).status, 400);
    assert.equal((await send({ typ: undefined })).status, 400);
    assert.equal((await send({})).status, 200);
  } finally {
    await own.stop();
  }
});

test('B68 front-channel logout never asks the provider for anything', async () => {
  const b = fresh();
  await accepted(b, await b.signIn());
  const before = { ...rig.op.hits };
  const r = await b.get(`/auth/frontchannel/city?iss=${encodeURIComponent(rig.op.issuer)}&sid=${rig.op.sessionId}`, { cookies: false });
  assert.equal(r.status, 200);
  await until('signed out', async () => (await b.me()).status === 401, 1000);
  for (const twice of ['iss=a&iss=b&sid=c', `iss=${encodeURIComponent(rig.op.issuer)}&sid=a&sid=b`, `iss=${encodeURIComponent(rig.op.issuer)}&sid=`]) {
    assert.equal((await b.get(`/auth/frontchannel/city?${twice}`)).status, 400);
  }
  assert.deepEqual(rig.op.hits, before);
});

test('B69 a link or an image signs nobody out', async () => {
  const b = fresh();
  await accepted(b, await b.signIn());
  assert.equal((await b.get('/auth/logout')).status, 405);
  assert.equal((await b.get('/auth/logout', { navigation: false, headers: { 'sec-fetch-dest': 'image', 'sec-fetch-site': 'cross-site' } })).status, 405);
  const { csrf } = await b.me();
  for (const [form, headers] of [[{ csrf }, { origin: 'https://evil.test', 'sec-fetch-site': 'cross-site' }], [{}, { origin: PUBLIC_URL }], [{ csrf: 'x'.repeat(64) }, { origin: PUBLIC_URL }]]) {
    assert.equal((await b.ask('POST', '/auth/logout', { form, headers })).status, 403);
  }
  assert.equal((await b.me()).status, 200);
});

const leave = async (b, options = {}) => b.ask('POST', '/auth/logout', { form: { csrf: (await b.me()).csrf }, headers: { origin: PUBLIC_URL, 'sec-fetch-site': 'same-origin' }, ...options });

test('B70 logout at the provider and back, with its state, another, none', async () => {
  for (const state of [undefined, '', 'another', 'x'.repeat(2000), '<script>']) {
    const b = fresh();
    await accepted(b, await b.signIn());
    const r = await leave(b);
    assert.equal(r.status, 200);
    const to = new URL(/^0; url=(.*)$/.exec(r.headers.refresh)[1]);
    assert.equal(to.origin + to.pathname, `${rig.op.issuer}/end_session`);
    assert.equal(to.searchParams.get('client_id'), 'gw');
    assert.equal(to.searchParams.get('post_logout_redirect_uri'), `${PUBLIC_URL}/auth/signed-out`);
    assert.equal(to.searchParams.get('id_token_hint').split('.').length, 3);
    assert.match(to.searchParams.get('state'), /^[\w-]{43}$/);
    assert.match(r.headers['referrer-policy'], /no-referrer|same-origin/);
    rig.inv.secret(to.searchParams.get('id_token_hint'));
    assert.equal((await b.me()).status, 401);
    const back = await b.get(`/auth/signed-out${state === undefined ? '' : `?state=${encodeURIComponent(state)}`}`);
    assert.equal(back.status, 200);
    assert.doesNotMatch(back.body, /<script/);
    assert.equal((await b.me()).status, 401);
  }
});

test('B70 a provider without logout, or away, keeps nobody from signing out', async () => {
  const op = await startOp();
  op.discovery = ({ end_session_endpoint, ...d }) => d;
  const own = await startRig({ op });
  try {
    const b = own.browser();
    await accepted(b, await b.signIn());
    const r = await leave(b);
    assert.equal(r.status, 303);
    assert.equal((await b.me()).status, 401);
  } finally {
    await own.stop();
  }
});

test('B71 after the logout the old cookie is nobody, on every worker and node', async () => {
  const second = new Nginx({ ...rig.g.nginx.options, workers: 2 });
  await second.start();
  try {
    const b = fresh();
    await accepted(b, await b.signIn());
    const old = b.session();
    for (let i = 0; i < 6; i++) assert.equal((await b.me({ nginx: second })).status, 200);
    assert.equal((await leave(b)).status, 200);
    const thief = fresh();
    thief.cookies.set('__Host-yimen', old);
    assert.equal((await thief.me()).status, 401);
    await until('the other node knows', async () => (await Promise.all(Array.from({ length: 6 }, () => thief.me({ nginx: second })))).every((r) => r.status === 401), 1000);
    const page = await thief.get('/api/v1/me', { navigation: false });
    assert.match(page.headers['cache-control'], /no-store/, 'the back button shows nothing');
  } finally {
    await second.stop();
  }
});

test('B72 a name full of markup is shown as text; pages cannot be framed', async () => {
  const evil = '<script>alert(1)</script>"\'><img src=x onerror=alert(1)>';
  rig.op.user = { ...rig.op.user, name: evil, preferred_username: evil, org: evil.slice(0, 90) };
  const b = fresh();
  await accepted(b, await b.signIn('city', `/x?${encodeURIComponent(evil)}`), `/x?${encodeURIComponent(evil)}`);
  for (const path of ['/auth/signed-out', '/auth/login', `/auth/login?rd=${encodeURIComponent(evil)}`, '/auth/callback/city?error=%3Cscript%3E', '/auth/password', '/auth/totp']) {
    const r = await b.get(path);
    assert.doesNotMatch(r.body, /<script|<img|onerror=alert/, path);
    if (/^text\/html/.test(r.headers['content-type'] ?? '') && r.body) {
      assert.match(r.headers['content-security-policy'], /frame-ancestors 'none'/, path);
      assert.equal(r.headers['x-content-type-options'], 'nosniff', path);
    }
  }
});
