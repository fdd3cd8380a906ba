/* SPDX-License-Identifier: Apache-2.0
 * Sign-in at npm oidc-provider, a certified OpenID provider: code flow, refresh with rotation,
 * logout from both sides, twenty tabs.
 */
import assert from 'node:assert/strict';
import http from 'node:http';
import test from 'node:test';
import * as jose from 'jose';
import Provider from 'oidc-provider';
import { LOCATIONS, PUBLIC_URL, startGateway, withSessions } from '../lib/gateway.mjs';
import { sleep, until } from '../lib/nginx.mjs';
import { Browser } from '../lib/browser.mjs';
import { Invariants } from '../attacks/invariants.mjs';

const PEOPLE = { alice: { name: '王爱丽', preferred_username: 'alice', roles: ['leader'], area: '330106' }, bob: { name: 'Bob', preferred_username: 'bob', roles: ['clerk'], area: '330106003' } };

/* A TCP door to the gateway's unix socket: providers call back on it. */
async function door(socket) {
  const server = http.createServer((req, res) => {
    req.pipe(http.request({ socketPath: socket(), method: req.method, path: req.url, headers: { ...req.headers, host: 'yimen.example' } }, (r) => {
      res.writeHead(r.statusCode, r.headers);
      r.pipe(res);
    }).on('error', () => res.destroy()));
  });
  await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
  return server;
}

let g, op, server, callback, inv;
const grants = { refresh_token: 0 };

test.before(async () => {
  callback = await door(() => g.nginx.socket);
  const { privateKey } = await jose.generateKeyPair('RS256', { extractable: true });
  const key = { ...await jose.exportJWK(privateKey), kid: 'k1', use: 'sig', alg: 'RS256' };
  server = http.createServer((req, res) => op.callback()(req, res));
  await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const on = { enabled: true };
  op = new Provider(issuer, {
    clients: [{
      client_id: 'yimen', client_secret: 's3cret-s3cret-s3cret-s3cret-1234', response_types: ['code'], grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: [`${PUBLIC_URL}/auth/callback/certified`], post_logout_redirect_uris: [`${PUBLIC_URL}/auth/signed-out`],
      backchannel_logout_uri: `http://127.0.0.1:${callback.address().port}/auth/backchannel/certified`, backchannel_logout_session_required: true,
    }],
    /* it refuses loopback by itself, and the gateway is there */
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
    jwks: { keys: [key] }, cookies: { keys: ['a', 'b'] }, pkce: { required: () => true }, conformIdTokenClaims: false,
    scopes: ['openid', 'offline_access', 'profile'], claims: { openid: ['sub'], profile: ['name', 'preferred_username', 'roles', 'area'] },
    ttl: { AccessToken: 2, IdToken: 300, RefreshToken: 3600, Session: 3600, Grant: 3600, Interaction: 600 }, issueRefreshToken: async () => true, rotateRefreshToken: true,
    features: { devInteractions: on, backchannelLogout: on, rpInitiatedLogout: on, revocation: on },
    findAccount: (ctx, id) => ({ accountId: id, claims: async () => ({ sub: id, ...PEOPLE[id] }) }),
  });
  op.on('grant.success', (ctx) => { if (ctx.oidc.params.grant_type === 'refresh_token') grants.refresh_token++; });
  op.on('backchannel.error', (ctx, err) => { console.error('back channel:', err); });
  op.on('server_error', (ctx, err) => { throw err; });
  g = await startGateway({
    deploy: {
      auth: withSessions({}, {
        providers: [{ id: 'certified', issuer, client_id: 'yimen', client_secret: 'env:OP_SECRET', inside: 'true', scopes: ['openid', 'profile', 'offline_access'], role_map: { leader: 'supervisor', clerk: 'staff' } }],
      }),
    },
    nginx: { server: LOCATIONS, main: 'env OP_SECRET;', env: { OP_SECRET: 's3cret-s3cret-s3cret-s3cret-1234' } },
  });
  inv = new Invariants(g);
  inv.secret('s3cret-s3cret-s3cret-s3cret-1234');
});

test.after(async () => {
  inv?.done();
  await g?.stop();
  callback?.closeAllConnections();
  callback?.close();
  server?.closeAllConnections();
  server?.close();
});

async function signIn(b, login, rd = '/') {
  const r = await b.follow(await b.get(`/auth/start/certified?rd=${encodeURIComponent(rd)}`), { stop: (u) => u.startsWith(`${PUBLIC_URL}/auth/callback/`) });
  const last = r.next ? r : await b.throughForms(r, { login, password: 'x' });
  const end = await b.get(last.next);
  assert.equal(end.status, 303, end.body);
  assert.equal(end.headers.location, rd);
  return b.me();
}

test('sign-in: the person, the roles of the map, the place one wanted', async () => {
  const b = new Browser(g.nginx);
  const me = await signIn(b, 'alice', '/api/v1/me?x=1');
  assert.equal(me.status, 200);
  assert.equal(me.subject, 'certified:alice');
  assert.equal(me.name, '王爱丽');
  assert.deepEqual(me.roles, ['supervisor']);
  assert.equal(me.area, '330106');
  assert.deepEqual(b.flows(), []);
});

test('twenty tabs at once', async () => {
  const b = new Browser(g.nginx);
  await signIn(b, 'alice');
  b.cookies.clear();
  const tabs = await Promise.all(Array.from({ length: 20 }, (_, i) => b.toCallback('certified', `/api/v1/me?tab=${i}`)));
  tabs.forEach((t, i) => { t.place = `/api/v1/me?tab=${i}`; });
  tabs.sort(() => Math.random() - 0.5);
  for (const r of await Promise.all(tabs.map(async ({ callback: at, place }) => ({ r: await b.get(at), place })))) {
    assert.equal(r.r.status, 303, r.r.body);
    assert.equal(r.r.headers.location, r.place);
  }
  assert.equal((await b.me()).status, 200);
  assert.deepEqual(b.flows(), []);
});

test('refresh with rotation, many at once, and its end', async () => {
  const b = new Browser(g.nginx);
  await signIn(b, 'bob');
  for (let round = 0; round < 3; round++) {
    const before = grants.refresh_token;
    PEOPLE.bob.roles = [round % 2 ? 'clerk' : 'leader'];
    await sleep(1900);
    const from = Date.now();
    const all = await Promise.all(Array.from({ length: 30 }, () => b.me()));
    assert.deepEqual([...new Set(all.map((r) => r.status))], [200]);
    await until('one grant', () => grants.refresh_token > before);
    await sleep(100);
    /* each is good for two seconds, which a busy machine may take over these lines */
    const most = 1 + Math.floor((Date.now() - from) / 2000);
    assert.ok(grants.refresh_token <= before + most, `${grants.refresh_token - before} grants, not more than ${most}`);
    assert.equal((await b.me()).status, 200);
  }
});

test('logout here is logout there; the way back ends on the page of those who left', async () => {
  const b = new Browser(g.nginx);
  const me = await signIn(b, 'alice');
  const old = b.session();
  const r = await b.ask('POST', '/auth/logout', { form: { csrf: me.csrf }, headers: { origin: PUBLIC_URL } });
  assert.equal(r.status, 200, r.body);
  const at = /^0; url=(.*)$/.exec(r.headers.refresh)[1];
  inv.secret(new URL(at).searchParams.get('id_token_hint'));
  const page = await b.follow(await b.get(at));
  const last = await b.throughForms(page, { '+logout': 'yes' });
  assert.ok(last.next.startsWith(`${PUBLIC_URL}/auth/signed-out?state=`), last.next);
  assert.equal((await b.get(last.next)).status, 200);
  assert.equal((await b.me()).status, 401);
  const thief = new Browser(g.nginx);
  thief.cookies.set('__Host-yimen', old);
  assert.equal((await thief.me()).status, 401);
  /* the provider asks for a name again */
  const again = await b.follow(await b.get('/auth/start/certified'), { stop: (u) => u.startsWith(`${PUBLIC_URL}/auth/callback/`) });
  assert.equal(again.next, undefined);
  assert.match(again.body, /name="login"/);
});

test('logout there is logout here, within a second', async () => {
  const b = new Browser(g.nginx), other = new Browser(g.nginx);
  await signIn(b, 'alice');
  await signIn(other, 'bob');
  const page = await b.get(`${op.issuer}/session/end`);
  const { action, fields } = (await import('../lib/browser.mjs')).readForm(page.body);
  const r = await b.ask('POST', new URL(action, page.url).href, { form: { ...fields, logout: 'yes' }, headers: { origin: op.issuer } });
  assert.ok([200, 302, 303].includes(r.status), r.body);
  await until('signed out', async () => (await b.me()).status === 401, 1500);
  assert.equal((await other.me()).status, 200, 'nobody else');
});
