/* SPDX-License-Identifier: Apache-2.0
 * Sign-in at LemonLDAP::NG: an issuer that ends in a slash, an audience that is a list, responses
 * without `iss`, claims at the userinfo endpoint only, front-channel logout.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { LOCATIONS, PUBLIC_URL, startGateway, withSessions } from '../lib/gateway.mjs';
import { sleep, until } from '../lib/nginx.mjs';
import { Browser } from '../lib/browser.mjs';
import { Invariants } from '../attacks/invariants.mjs';
import { startLemon } from './lemonldap.mjs';

const SECRET = 'lemon-s3cret-lemon-s3cret';
let lemon, g, inv;

test.before(async () => {
  lemon = await startLemon({
    options: {
      ClientID: 'yimen', ClientSecret: SECRET, IDTokenSignAlg: 'RS256', BypassConsent: 1, RequirePKCE: 1, RefreshToken: 1, AccessTokenExpiration: 3,
      RedirectUris: `${PUBLIC_URL}/auth/callback/lemon`, PostLogoutRedirectUris: `${PUBLIC_URL}/auth/signed-out`, LogoutBypassConfirm: 1,
      LogoutType: 'front', LogoutUrl: `${PUBLIC_URL}/auth/frontchannel/lemon`, LogoutSessionRequired: 1,
    },
    vars: { name: 'cn', email: 'mail', preferred_username: 'uid' },
  });
  g = await startGateway({
    deploy: {
      auth: withSessions({}, {
        providers: [{
          id: 'lemon', issuer: lemon.issuer, client_id: 'yimen', client_secret: 'env:OP_SECRET', inside: 'true', userinfo: 'true',
          scopes: ['openid', 'profile', 'email'], roles_claim: 'preferred_username', role_map: { dwho: ['supervisor', 'staff'] },
        }],
      }),
    },
    nginx: { server: LOCATIONS, main: 'env OP_SECRET;', env: { OP_SECRET: SECRET } },
  });
  inv = new Invariants(g);
  inv.secret(SECRET);
});

test.after(async () => {
  inv?.done();
  await g?.stop();
  await lemon?.stop();
});

async function signIn(b, user, rd = '/') {
  const r = await b.follow(await b.get(`/auth/start/lemon?rd=${encodeURIComponent(rd)}`), { stop: (u) => u.startsWith(`${PUBLIC_URL}/auth/callback/`) });
  const last = r.next ? r : await b.throughForms(r, { user, password: user });
  const end = await b.get(last.next);
  assert.equal(end.status, 303, end.body);
  assert.equal(end.headers.location, rd);
  return { me: await b.me(), callback: last.next };
}

test('sign-in: claims of userinfo, roles by the map', async () => {
  const b = new Browser(g.nginx);
  const { me, callback } = await signIn(b, 'dwho', '/api/v1/me?a=b');
  assert.equal(me.status, 200);
  assert.equal(me.subject, 'lemon:dwho');
  assert.equal(me.name, 'Doctor Who');
  assert.deepEqual([...me.roles].sort(), ['staff', 'supervisor']);
  assert.equal((await b.get(callback)).status, 400, 'a callback counts once');
  const other = new Browser(g.nginx);
  assert.deepEqual((await signIn(other, 'msmith')).me.roles, []);
});

test('twenty tabs at once', async () => {
  const b = new Browser(g.nginx);
  await signIn(b, 'rtyler');
  b.cookies.clear();
  const tabs = await Promise.all(Array.from({ length: 20 }, (_, i) => b.toCallback('lemon', `/api/v1/me?tab=${i}`)));
  tabs.forEach((t, i) => { t.place = `/api/v1/me?tab=${i}`; });
  tabs.sort(() => Math.random() - 0.5);
  for (const { r, place } of await Promise.all(tabs.map(async ({ callback, place }) => ({ r: await b.get(callback), place })))) {
    assert.equal(r.status, 303, r.body);
    assert.equal(r.headers.location, place);
  }
  assert.equal((await b.me()).subject, 'lemon:rtyler');
});

test('refresh keeps the session; when the provider’s ends, ours ends', async () => {
  const b = new Browser(g.nginx);
  await signIn(b, 'dwho');
  const refreshed = () => g.nginx.log().split('event=session.refreshed').length - 1;
  const before = refreshed();
  await sleep(2900);
  assert.equal((await b.me()).status, 200);
  await until('a refresh', async () => { assert.equal((await b.me()).status, 200); return refreshed() > before; });
  assert.equal((await b.me()).status, 200);
  await b.follow(await b.get(`${lemon.issuer}?logout=1`));
  await sleep(2900);
  await until('the refresh is refused', async () => (await b.me()).status === 401, 8000);
});

test('logout here is logout there', async () => {
  const b = new Browser(g.nginx);
  const { me } = await signIn(b, 'dwho');
  const r = await b.ask('POST', '/auth/logout', { form: { csrf: me.csrf }, headers: { origin: PUBLIC_URL } });
  assert.equal(r.status, 200, r.body);
  assert.equal((await b.me()).status, 401);
  const at = /^0; url=(.*)$/.exec(r.headers.refresh)[1];
  inv.secret(new URL(at).searchParams.get('id_token_hint'));
  const page = await b.follow(await b.get(at), { stop: (u) => u.startsWith(`${PUBLIC_URL}/`) });
  assert.match(page.next ?? page.body, /\/auth\/signed-out/);
  const again = await b.follow(await b.get('/auth/start/lemon'), { stop: (u) => u.startsWith(`${PUBLIC_URL}/auth/callback/`) });
  assert.equal(again.next, undefined, 'it asks who one is');
  assert.match(again.body, /name="password"/);
});

test('logout there is logout here, by the frame that its page shows', async () => {
  const b = new Browser(g.nginx), other = new Browser(g.nginx);
  const { me } = await signIn(other, 'dwho');
  const left = await other.ask('POST', '/auth/logout', { form: { csrf: me.csrf }, headers: { origin: PUBLIC_URL } });
  const hint = inv.secret(new URL(/^0; url=(.*)$/.exec(left.headers.refresh)[1]).searchParams.get('id_token_hint'));
  const { sid } = JSON.parse(Buffer.from(hint.split('.')[1], 'base64url'));

  await signIn(b, 'dwho');
  const page = await b.follow(await b.get(`${lemon.issuer}?logout=1`));
  const frame = /<iframe[^>]*src="([^"]*\/auth\/frontchannel\/lemon[^"]*)"/.exec(page.body)?.[1].replace(/&amp;/g, '&');
  assert.ok(frame, page.body.slice(0, 2000));
  const r = await b.get(frame, { cookies: false, headers: { 'sec-fetch-dest': 'iframe', 'sec-fetch-site': 'cross-site' } });
  assert.equal(r.status, 200, `${frame}: ${r.body}`);
  if (sid === undefined) {
    /* 2.16 names the person instead of a session that an ID token has told: that must end nothing */
    assert.equal(new URL(frame).searchParams.get('sid'), 'dwho');
    await sleep(300);
    assert.equal((await b.me()).status, 200);
  } else {
    await until('signed out', async () => (await b.me()).status === 401, 1000);
  }
});
