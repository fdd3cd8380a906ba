/* SPDX-License-Identifier: Apache-2.0
 * The OpenID Foundation's relying-party tests, by name, against the hostile provider.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { accepted, rejected, startRig } from './oidc_rig.mjs';
import { SWITCHES, makeSigner, startOp } from './hostile_op.mjs';
import { sleep, until } from '../lib/nginx.mjs';

const full = (name) => (name === '' ? 'oidcc-client-test' : /^(response|invalid-(?:secondary|alternate|null|expired|missing-exp)|token-|valid-aud|jarm|missing-nonce)/.test(name) ? `fapi2-client-${name}` : `oidcc-client-test-${name}`);

/* Runs the provider with one switch on a gateway of its own, as the suite does. */
for (const [name, { expect, set, userinfo }] of Object.entries(SWITCHES)) {
  test(full(name), async () => {
    const op = await startOp();
    await set(op);
    const rig = await startRig({ op, providers: (o) => [o.entry(userinfo ? { userinfo: 'true' } : {})] });
    try {
      const b = rig.browser();
      const r = await b.signIn('city', '/api/v1/me');
      if (expect === 'accept') {
        const me = await accepted(b, r, '/api/v1/me');
        assert.equal(me.subject, 'city:alice');
        assert.deepEqual(me.roles, ['staff']);
        assert.equal(op.hits.token, 1);
      } else if (expect === 'unavailable') {
        await rejected(rig.inv, b, r, 503);
        assert.equal(op.hits.authorize, 0);
      } else if (expect === 'unsupported') {
        await rejected(rig.inv, b, r, 502);
      } else {
        await rejected(rig.inv, b, r, 400);
        assert.deepEqual(b.flows(), /^response-(?:missing|invalid)-state|^jarm/.test(name) ? b.flows() : [], 'the flow is over');
      }
      if (name === 'client-secret-basic') assert.equal(op.seen.token[0].how, 'basic');
      if (name === 'userinfo-bearer-header') assert.match(op.seen.userinfo[0].authorization, /^Bearer /);
      if (name === 'scope-userinfo-claims') {
        assert.match(op.seen.authorize[0].get('scope'), /\bprofile\b/);
        assert.equal(op.hits.userinfo, 1);
      }
      if (name === 'mtls-endpoint-aliases' || name === 'distributed-claims') assert.equal(op.hits.other, 0);
    } finally {
      await rig.stop();
    }
  });
}

test('oidcc-client-test-client-secret-post', async () => {
  const op = await startOp();
  op.discovery = (d) => ({ ...d, token_endpoint_auth_methods_supported: ['client_secret_post'] });
  const rig = await startRig({ op });
  try {
    const b = rig.browser();
    await accepted(b, await b.signIn());
    assert.equal(op.seen.token[0].how, 'post');
    assert.equal(op.seen.token[0].headers.authorization, undefined);
  } finally {
    await rig.stop();
  }
});

test('oidcc-client-test-signing-key-rotation-just-before-signing', async () => {
  const rig = await startRig();
  try {
    const b = rig.browser();
    const { callback } = await b.toCallback();
    await rig.op.rotate();
    await accepted(b, await b.get(callback));
    assert.equal(rig.op.hits.jwks, 2);
  } finally {
    await rig.stop();
  }
});

test('oidcc-client-test-signing-key-rotation', async () => {
  const rig = await startRig({ providers: (o) => [o.entry({ keys_window: '200ms' })] });
  try {
    for (let i = 0; i < 3; i++) {
      const b = rig.browser();
      await accepted(b, await b.signIn());
      await rig.op.rotate();
      await sleep(250);
    }
    assert.equal(rig.op.hits.jwks, 3);
  } finally {
    await rig.stop();
  }
});

for (const [name, response, status] of [
  ['form-post', (p) => p, 303],
  ['form-post-error', ({ state, iss }) => ({ error: 'access_denied', state, iss }), 403],
]) {
  test(`oidcc-client-test-${name}`, async () => {
    const rig = await startRig();
    try {
      const b = rig.browser();
      rig.op.response = (p) => ({ ...response(p), form: true });
      const { last } = await b.toCallback();
      const { form, action } = JSON.parse(last.body);
      /* SameSite=Lax: a form of another site brings no cookie */
      const posted = await b.ask('POST', action, { form, cookies: false, headers: { 'sec-fetch-site': 'cross-site', origin: rig.op.issuer } });
      assert.equal(posted.status, 303, posted.body);
      const r = await b.get(posted.headers.location);
      assert.equal(r.status, status);
      if (status === 303) await accepted(b, r);
      else await rejected(rig.inv, b, r, 403);
      assert.equal((await b.ask('POST', action, { form: { x: '1' } })).status, 400);
    } finally {
      await rig.stop();
    }
  });
}

for (const name of ['hybrid-flow', 'implicit-flow', 'nonce-unless-code-flow']) {
  test(`oidcc-client-test-${name} is refused`, async () => {
    const rig = await startRig();
    try {
      const b = rig.browser();
      rig.op.response = (p) => ({ ...(name === 'implicit-flow' ? { state: p.state } : p), id_token: 'a.b.c', access_token: 'x' });
      const { callback } = await b.toCallback();
      await rejected(rig.inv, b, await b.get(callback), 400);
      assert.equal(rig.op.hits.token, 0);
      assert.equal(rig.op.seen.authorize[0].get('response_type'), 'code');
    } finally {
      await rig.stop();
    }
  });
}

test('oidcc-client-test-request-uri-signed-* and dynamic registration are not used', async () => {
  const op = await startOp();
  op.discovery = (d) => ({ ...d, registration_endpoint: `${d.issuer}/register`, request_uri_parameter_supported: true, require_request_uri_registration: true });
  const rig = await startRig({ op });
  try {
    const b = rig.browser();
    await accepted(b, await b.signIn());
    assert.equal(op.hits.other, 0);
    for (const name of ['request', 'request_uri', 'registration']) assert.equal(op.seen.authorize[0].get(name), null);
  } finally {
    await rig.stop();
  }
});

/* ---- refresh ---- */

const short = (o) => [o.entry({ keys_window: '200ms' })];

async function signedIn(change = () => {}) {
  const op = await startOp();
  op.expiresIn = 1;
  change(op);
  const rig = await startRig({ op, providers: short });
  const b = rig.browser();
  await accepted(b, await b.signIn());
  return { rig, b, op };
}

test('oidcc-client-test-refresh-token', async () => {
  const { rig, b, op } = await signedIn();
  try {
    op.user = { ...op.user, roles: ['supervisor'] };
    await sleep(1100);
    await until('the refresh', async () => { assert.equal((await b.me()).status, 200); return op.grants >= 1; });
    await until('the new role', async () => { const me = await b.me(); assert.equal(me.status, 200); return me.roles.includes('supervisor'); });
    const used = op.seen.token.filter((t) => t.form.get('grant_type') === 'refresh_token');
    assert.ok(used.length >= 1);
    assert.equal(used[0].how, 'basic');
  } finally {
    await rig.stop();
  }
});

for (const [name, bend] of [
  ['refresh-token-invalid-issuer', (c) => ({ ...c, iss: `${c.iss}x` })],
  ['refresh-token-invalid-sub', (c) => ({ ...c, sub: 'mallory' })],
]) {
  test(`oidcc-client-test-${name}`, async () => {
    const { rig, b, op } = await signedIn();
    try {
      op.idClaims = bend;
      await sleep(1100);
      await until('the session is over', async () => (await b.me()).status === 401);
      assert.equal(op.grants, 1, 'asked once');
    } finally {
      await rig.stop();
    }
  });
}

/* ---- logout ---- */

const post = (rig, token, more = {}) => rig.g.nginx.request('POST', '/auth/backchannel/city', {
  headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: `logout_token=${encodeURIComponent(token)}`, ...more,
});

test('oidcc-client-test-rp-backchannel-rpinitlogout', async () => {
  const rig = await startRig();
  try {
    const b = rig.browser();
    await accepted(b, await b.signIn());
    const r = await post(rig, rig.inv.secret(await rig.op.logoutToken()));
    assert.equal(r.status, 200, r.body);
    assert.match(r.headers['cache-control'], /no-store/);
    await until('signed out', async () => (await b.me()).status === 401, 1000);
  } finally {
    await rig.stop();
  }
});

const LOGOUTS = {
  'alg-none': (op) => op.logoutToken().then((t) => `${Buffer.from('{"alg":"none","typ":"logout+jwt"}').toString('base64url')}.${t.split('.')[1]}.`),
  'no-event': (op) => op.logoutToken(({ events, ...c }) => c),
  'with-nonce': (op) => op.logoutToken((c) => ({ ...c, nonce: 'x' })),
  'wrong-alg': async (op) => op.logoutToken((c) => c, {}, await makeSigner('ES384', op.signer.kid)),
  'wrong-aud': (op) => op.logoutToken((c) => ({ ...c, aud: 'another' })),
  'wrong-event': (op) => op.logoutToken((c) => ({ ...c, events: { 'urn:other': {} } })),
  'wrong-iss': (op) => op.logoutToken((c) => ({ ...c, iss: 'https://evil.test' })),
};

for (const [name, make] of Object.entries(LOGOUTS)) {
  test(`oidcc-client-test-rp-backchannel-rpinitlogout-${name}`, async () => {
    const rig = await startRig();
    try {
      const b = rig.browser();
      await accepted(b, await b.signIn());
      const r = await post(rig, await make(rig.op));
      assert.equal(r.status, 400);
      assert.deepEqual(r.json, { error: 'invalid_request' });
      assert.match(r.headers['cache-control'], /no-store/);
      assert.equal((await b.me()).status, 200, 'still signed in');
    } finally {
      await rig.stop();
    }
  });
}

for (const name of ['rp-frontchannel-rpinitlogout', 'rp-frontchannel-opinitlogout']) {
  test(`oidcc-client-test-${name}`, async () => {
    const rig = await startRig();
    try {
      const b = rig.browser();
      await accepted(b, await b.signIn());
      const at = (iss, sid) => `/auth/frontchannel/city?iss=${encodeURIComponent(iss)}&sid=${encodeURIComponent(sid)}`;
      for (const bad of [at('https://evil.test', rig.op.sessionId), '/auth/frontchannel/city', `/auth/frontchannel/city?sid=${rig.op.sessionId}`]) {
        assert.equal((await b.get(bad, { cookies: false })).status, 400);
      }
      assert.equal((await b.get(at(rig.op.issuer, 'another'), { cookies: false })).status, 200);
      assert.equal((await b.me()).status, 200);
      const r = await b.get(at(rig.op.issuer, rig.op.sessionId), { cookies: false, headers: { 'sec-fetch-dest': 'iframe' } });
      assert.equal(r.status, 200);
      await until('signed out', async () => (await b.me()).status === 401, 1000);
    } finally {
      await rig.stop();
    }
  });
}
