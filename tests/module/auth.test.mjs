/* SPDX-License-Identifier: Apache-2.0
 * Bearer tokens at the API: what is let in and with which challenge the rest is refused.  What an
 * attacker sends stands in tests/attacks/a_bearer.test.mjs.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { startGateway } from '../lib/gateway.mjs';
import { claims, makeKey, makeToken } from '../lib/tokens.mjs';

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
          auth_time: null, method: 'bearer', csrf: null, session: null, rights: [] });
      }
    });
  }

  test('no token, or another scheme: 401 with a bare challenge', async () => {
    assert.equal((await refused(undefined)).headers['www-authenticate'], 'Bearer realm="yimen"');
    for (const value of ['Basic eDp5', 'Bearer', 'Bearer ', 'BearerX y', 'Bearer\tx', 'x']) {
      await refused(undefined, 401, { headers: { authorization: value } });
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
