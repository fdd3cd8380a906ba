/* SPDX-License-Identifier: Apache-2.0
 * A gateway with OpenID providers, for the tests of OpenID Connect.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { LOCATIONS, startGateway, withSessions } from '../lib/gateway.mjs';
import { Browser } from '../lib/browser.mjs';
import { startOp } from './hostile_op.mjs';
import { Invariants } from './invariants.mjs';

/*
 * providers(op) → entries; by default the one of op.  more: options of startGateway; auth: more of
 * `auth:`.  A node is another nginx on the same Redis.
 */
export async function startRig({ op, providers = (o) => [o.entry()], session = {}, auth = {}, nginx = {}, ...more } = {}) {
  const provider = op ?? await startOp();
  const options = (ops) => ({
    ...more,
    deploy: { ...more.deploy, auth: withSessions(session, { providers: providers(ops), ...auth }) },
    nginx: { server: LOCATIONS, ...nginx, main: `env OP_SECRET;\n${nginx.main ?? ''}`, env: { OP_SECRET: provider.clientSecret, ...nginx.env } },
  });
  const g = await startGateway(options(provider)).catch(async (e) => { await provider.stop(); throw e; });
  const inv = new Invariants(g);
  inv.secret(provider.clientSecret);
  return {
    g, inv, op: provider,
    browser: (n = g.nginx) => new Browser(n),
    /* every sign-in's secrets join what may not be in a log */
    async stop({ secrets = true } = {}) {
      try {
        if (secrets) {
          for (const { form } of provider.seen.token) inv.secret(form.get('code'), form.get('refresh_token'), form.get('code_verifier'));
          inv.done();
        }
      } finally {
        await g.stop();
        await provider.stop();
      }
    },
  };
}

export async function accepted(b, r, place = '/') {
  assert.equal(r.status, 303, r.body.slice(0, 400));
  assert.equal(r.headers.location, place);
  assert.ok(b.session(), 'a session cookie');
  const me = await b.me();
  assert.equal(me.status, 200);
  return me;
}

/* A page that says no, no session, and nobody is known. */
export async function rejected(inv, b, r, status = 400) {
  inv.refused(r, status, { page: true });
  assert.match(r.headers['content-type'], /^text\/html/);
  assert.equal(b.session(), undefined, 'no session cookie');
  assert.equal((await b.me()).status, 401);
}

/* An authority of one's own and a certificate for a name: {file (of the authority), key, cert, remove()}. */
export function makeCa(name) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'yimen-ca-'));
  const at = (f) => path.join(dir, f);
  const openssl = (...args) => execFileSync('openssl', args, { stdio: 'pipe' });
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl('req', '-x509', ...ec, '-keyout', at('ca.key'), '-out', at('ca.pem'), '-days', '2', '-subj', '/CN=test authority');
  openssl('req', ...ec, '-keyout', at('key.pem'), '-out', at('csr.pem'), '-subj', `/CN=${name}`);
  fs.writeFileSync(at('ext'), `subjectAltName=DNS:${name}\n`);
  openssl('x509', '-req', '-in', at('csr.pem'), '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-out', at('cert.pem'), '-days', '2', '-extfile', at('ext'));
  return { file: at('ca.pem'), key: fs.readFileSync(at('key.pem')), cert: fs.readFileSync(at('cert.pem')), remove: () => fs.rmSync(dir, { recursive: true }) };
}
