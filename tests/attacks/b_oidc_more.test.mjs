/* SPDX-License-Identifier: Apache-2.0
 * The relying party beyond the list of attacks: providers' tokens at the API, keys that change, a
 * provider or a Redis that hangs. Many people at once: storm.test.mjs.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { CAS_LOCATIONS } from '../lib/cas.mjs';
import { PUBLIC_URL } from '../lib/gateway.mjs';
import { sleep, until } from '../lib/nginx.mjs';
import { clock } from '../lib/pace.mjs';
import { accepted, rejected, startRig } from './oidc_rig.mjs';
import { makeSigner, startOp } from './hostile_op.mjs';

test('A24 an ID token for several, or given to another: nobody signs in; for us alone with azp, somebody does', async () => {
  const op = await startOp();
  const own = await startRig({ op });
  const bends = [
    (c) => ({ ...c, aud: [c.aud, 'other'] }), (c) => ({ ...c, aud: [c.aud, 'other'], azp: c.aud }), (c) => ({ ...c, aud: ['other', c.aud], azp: 'other' }),
    (c) => ({ ...c, azp: 'other' }), (c) => ({ ...c, azp: '' }), (c) => ({ ...c, azp: [c.aud] }), (c) => ({ ...c, aud: [c.aud], azp: 'other' }), (c) => ({ ...c, aud: [] }),
  ];
  try {
    for (const bend of bends) {
      const b = own.browser();
      op.idClaims = bend;
      await rejected(own.inv, b, await b.signIn());
    }
    for (const bend of [(c) => ({ ...c, azp: c.aud }), (c) => ({ ...c, aud: [c.aud], azp: c.aud })]) {
      const b = own.browser();
      op.idClaims = bend;
      await accepted(b, await b.signIn());
    }
  } finally {
    await own.stop();
  }
});

test('API clients use access tokens of a provider; unknown keys are looked for once a window', async () => {
  const op = await startOp();
  const own = await startRig({ op, providers: (o) => [o.entry({ audience: 'urn:yimen:api', keys_window: '30s', role_map: { leader: ['supervisor', 'operator'], clerk: 'staff' } })] });
  try {
    const now = Math.floor(Date.now() / 1000);
    const make = (more = {}, header = {}, signer) => op.sign({ iss: op.issuer, aud: 'urn:yimen:api', sub: 'robot', roles: ['leader', 'admin'], area: '330106', client_id: 'batch', iat: now, exp: now + 300, ...more }, { typ: 'at+jwt', ...header }, signer);
    const call = async (token) => own.g.nginx.request('GET', '/api/v1/me', { token: own.inv.secret(token) });
    await until('its keys are there', async () => (await call(await make())).status === 200);
    const { json } = await call(await make());
    assert.equal(json.subject, 'city:robot');
    assert.deepEqual([...json.roles].sort(), ['operator', 'supervisor'], 'admin is not in the map');
    assert.equal(op.hits.jwks, 1);
    for (const bad of [await make({ aud: 'gw' }), await make({ iss: `${op.issuer}/` }), await make({ exp: now - 100 }), await make({}, { typ: 'JWT', kid: 'nobody' }), await make({ sub: '' }), await make({ area: 'x' }), await op.makeIdToken({}), await make({}, {}, await makeSigner('RS256', op.signer.kid))]) {
      own.inv.refused(await call(bad), 401);
    }
    const before = op.hits.jwks;
    assert.ok(before <= 2);
    await op.rotate();
    const strange = [];
    const signer = await makeSigner('RS256');
    for (let i = 0; i < 300; i++) strange.push(await make({ jti: `${i}` }, { kid: `random-${i}` }, signer));
    for (let i = 0; i < strange.length; i += 50) await Promise.all(strange.slice(i, i + 50).map(async (t) => { const r = await own.g.nginx.request('GET', '/api/v1/me', { token: t }); assert.ok([401, 429].includes(r.status), `${r.status}`); }));
    assert.ok(op.hits.jwks <= 2, `${op.hits.jwks} looks for keys`);
  } finally {
    await own.stop();
  }
});

test('a hundred sign-ins with keys that nobody knows: one look per window; the last good set stays', async () => {
  const op = await startOp();
  const own = await startRig({ op, providers: (o) => [o.entry({ keys_window: '30s', keys_ttl: '1s' })] });
  try {
    const good = own.browser();
    await accepted(good, await good.signIn());
    const stranger = await makeSigner('RS256');
    op.idToken = (c, h) => op.sign(c, { kid: `r-${Math.random()}` }, stranger);
    const jwks = op.hits.jwks;
    const from = Date.now();
    await Promise.all(Array.from({ length: 100 }, async () => { const b = own.browser(); assert.equal((await b.signIn()).status, 400); }));
    const most = 2 + Math.floor((Date.now() - from) / 1000); /* known ones are looked at again after a second */
    assert.ok(op.hits.jwks <= jwks + most, `${op.hits.jwks - jwks} looks, not more than ${most}`);
    op.idToken = null;
    op.before = (name, req, res) => (name === 'jwks' || name === 'discovery' ? (res.writeHead(500), res.end(), true) : false);
    await sleep(1100);
    const b = own.browser();
    await accepted(b, await b.signIn());
    const c = own.browser();
    await accepted(c, await c.signIn());
  } finally {
    await own.stop();
  }
});

test('a provider that hangs holds nobody up, and an old worker leaves', async () => {
  const op = await startOp();
  const own = await startRig({ op, providers: (o) => [o.entry({ timeout: '3s' })] });
  try {
    const b = own.browser();
    const { callback } = await b.toCallback();
    op.tokenReply = () => {};
    let waiting;
    await own.inv.undisturbed(async () => {
      waiting = b.get(callback).catch((e) => e);
      await Promise.all(Array.from({ length: 30 }, async () => { const x = own.browser(); await x.toCallback(); }));
      await sleep(300);
    });
    const [old] = own.g.nginx.workers();
    await own.g.nginx.reload();
    own.inv.pids = own.g.nginx.workers();
    const r = await waiting;
    assert.equal(r.status, 502, 'the request of before the reload is answered');
    await until('the old worker has gone', () => !fs.existsSync(`/proc/${old}`), 6000);
    op.tokenReply = null;
    const c = own.browser();
    await accepted(c, await c.signIn());
  } finally {
    await own.stop();
  }
});

test('Redis refused, hung or dying during a sign-in: 503 within a second, and it recovers', async () => {
  const own = await startRig({ providers: (o) => [o.entry({ timeout: '1500ms' })], nginx: { allow: [/event=redis/] } });
  try {
    const b = own.browser();
    const { callback } = await b.toCallback();
    const timed = async (url) => {
      const ms = clock();
      const r = await b.get(url);
      assert.ok(ms() < 1500, `${ms()} ms`);
      return r;
    };
    own.g.redis.child.kill('SIGSTOP');
    own.inv.refused(await timed('/auth/start/city'), 503, { page: true });
    own.inv.refused(await timed(callback), 503, { page: true });
    own.g.redis.child.kill('SIGCONT');
    assert.equal(own.op.hits.token, 0);
    await until('it recovers', async () => (await own.browser().signIn()).status === 303, 5000);
    const c = own.browser();
    const { callback: later } = await c.toCallback();
    own.op.tokenReply = (req, res, answer) => {
      own.g.redis.child.kill('SIGSTOP');
      res.writeHead(200, { 'content-type': 'application/json' });
      res.end(JSON.stringify(answer));
    };
    own.inv.refused(await c.get(later), 503, { page: true });
    assert.equal(c.session(), undefined);
    own.g.redis.child.kill('SIGCONT');
    own.op.tokenReply = null;
    await until('it recovers', async () => (await own.browser().signIn()).status === 303, 5000);
  } finally {
    own.g.redis.child.kill('SIGCONT');
    await own.stop();
  }
});

test('a CAS sign-out goes by the provider that began the session, and comes back to the application', async () => {
  const own = await startRig({ auth: { cas: { services: [{ id: 'app', url: 'https://app.example/', match: 'prefix' }] } }, nginx: { server: CAS_LOCATIONS } });
  try {
    for (const service of ['https://app.example/bye?x=1', null]) {
      const b = own.browser();
      await accepted(b, await b.signIn());
      const r = await b.get(`/cas/logout${service ? `?service=${encodeURIComponent(service)}` : ''}`);
      assert.equal(r.status, 303);
      const to = new URL(r.headers.location);
      assert.equal(to.origin + to.pathname, `${own.op.issuer}/end_session`);
      assert.equal(to.searchParams.get('post_logout_redirect_uri'), `${PUBLIC_URL}/auth/signed-out`);
      own.inv.secret(to.searchParams.get('id_token_hint'));
      assert.equal((await b.me()).status, 401, 'here it is over already');
      const state = to.searchParams.get('state');
      const back = await b.get(`/auth/signed-out?state=${encodeURIComponent(state)}`);
      assert.deepEqual([back.status, back.headers.location], service ? [303, service] : [200, undefined]);
      for (const bad of [`${state.slice(0, -2)}AA`, 'https://evil.test/', `~${'A'.repeat(90)}`]) assert.equal((await b.get(`/auth/signed-out?state=${encodeURIComponent(bad)}`)).status, 200);
    }
    /* an address that is none of ours takes nobody anywhere, and the session ends all the same */
    const b = own.browser();
    await accepted(b, await b.signIn());
    const r = await b.get('/cas/logout?service=https%3A%2F%2Fevil.test%2F');
    assert.ok(new URL(r.headers.location).href.startsWith(`${own.op.issuer}/end_session`));
    assert.doesNotMatch(r.headers.location, /evil/);
    own.inv.secret(new URL(r.headers.location).searchParams.get('id_token_hint'));
    assert.equal((await b.me()).status, 401);
  } finally {
    await own.stop();
  }
});

test('wrong settings of a provider are named with their line, all at once', async () => {
  const bad = [
    [{ id: 'City!' }, /a provider's id has/], [{ id: 'local' }, /not "local"/], [{ issuer: 'http://sso.example', inside: 'false' }, /issuer must be an https address/],
    [{ algorithms: ['HS256'] }, /algorithms are of/], [{ algorithms: ['none'] }, /algorithms are of/], [{ scopes: ['profile'] }, /scopes must have openid/],
    [{ origins: ['https://a.example/path'] }, /an origin is/], [{ role_map: { x: 'king' } }, /a role is staff/], [{ audience: 'gw' }, /must not be the client_id/],
    [{ colour: 'red' }, /colour/], [{ client_secret: 'file:keys/nothing' }, /./],
  ];
  const entry = { id: 'city', issuer: 'https://sso.example', client_id: 'gw', inside: 'true' };
  for (const [change, says] of bad) {
    const rig = startRig({ op: { clientSecret: 'x', seen: { token: [] }, stop: async () => {} }, providers: () => [{ ...entry, ...change }] });
    await assert.rejects(rig, (e) => { assert.match(e.message, says); return /emerg/.test(e.message); }, JSON.stringify(change));
  }
});

test('evidence: who signed in, what was refused and why, what the provider ended', async () => {
  const op = await startOp();
  op.expiresIn = 1;
  const own = await startRig({ op });
  try {
    const b = own.browser();
    op.idClaims = (c) => ({ ...c, amr: ['pwd', 'otp'] });
    await accepted(b, await b.signIn());
    const other = own.browser();
    op.idClaims = (c) => ({ ...c, nonce: 'x' });
    assert.equal((await other.signIn()).status, 400);
    op.refreshTokens.clear();
    await until('the refresh is refused', async () => (await b.me()).status === 401);
    const wanted = [['sign_in', 'city', 'ok'], ['sign_in_refused', 'bad_id_token', 'refused'], ['revoke', 'refresh', 'ok']];
    const entries = async () => (await own.g.call('auditor', 'GET', '/audit')).json.items;
    await until('all is written down', async () => {
      const list = await entries();
      return wanted.every(([what, why]) => list.some((e) => e.what === what && e.why === why));
    });
    const text = JSON.stringify(await entries());
    for (const { form } of op.seen.token) assert.ok(!text.includes(form.get('code') ?? form.get('refresh_token')));
    assert.ok(!text.includes('王爱丽'));
  } finally {
    await own.stop();
  }
});
