/* SPDX-License-Identifier: Apache-2.0
 * A gateway with a CAS server and local accounts, and what applications and browsers do with it.
 */
import http from 'node:http';
import assert from 'node:assert/strict';
import { PASSWORD, startAccounts } from './accounts.mjs';
import { Browser } from './browser.mjs';
import { LOCATIONS } from './gateway.mjs';

export const CAS_LOCATIONS = `${LOCATIONS} location /cas/ { yimen_api on; }`;

const words = (v) => (typeof v === 'string' && /^\[/.test(v) ? v.slice(1, -1).split(',').map((s) => s.trim()) : v);

/* services: as in `auth: cas: services:`; lists may be written as texts */
export const startCas = (services, { cas = {}, accounts, auth, ...options } = {}) => startAccounts(accounts ?? {
  limei: { roles: 'staff,admin', name: '李梅', email: 'limei@example.cn', area: '330106', org: 'street' },
  zhao: { roles: 'staff' },
}, {
  ...options,
  nginx: { server: CAS_LOCATIONS, ...options.nginx },
  auth: {
    ...auth,
    cas: { services: services.map((s) => Object.fromEntries(Object.entries(s).map(([k, v]) => [k, words(v)]))), ...cas },
  },
});

/* A browser that is signed in. */
export async function login(g, name = 'limei') {
  const b = new Browser(g.nginx);
  const r = await b.signInAs(name, PASSWORD);
  assert.equal(r.status, 303, b.alert);
  return b;
}

export const cas = (browser, service, more = '') => browser.get(`/cas/login?service=${encodeURIComponent(service)}${more}`);

/* Where an answer of /cas/login leads, by a redirect or by a page that goes on. */
export const nextOf = (r) => r.headers.location ?? /^0;url=(.*)$/.exec(r.headers.refresh ?? '')?.[1] ?? null;
export const ticketOf = (r) => {
  const ticket = /[?&]ticket=(ST-[0-9a-f]{48})$/.exec(nextOf(r) ?? '')?.[1];
  assert.ok(ticket, `no ticket: ${r.status} ${nextOf(r)} ${r.body.slice(-600)}`);
  return ticket;
};

/* As an application asks: no cookie, no Accept of a browser. */
export const validate = (g, service, ticket, path = '/cas/serviceValidate', more = '', headers = {}) => g.nginx.request('GET',
  `${path}?ticket=${encodeURIComponent(ticket)}&service=${encodeURIComponent(service)}${more}`, { headers });

/* <cas:authenticationFailure code="…"> or null */
export const failure = (r) => /<cas:authenticationFailure code="(\w+)">/.exec(r.body)?.[1] ?? null;

/* An application that hears of sign-outs; respond(req, res) may answer otherwise. */
export class Application {
  constructor(respond) {
    this.logouts = [];
    this.hits = 0;
    this.server = http.createServer((req, res) => {
      let body = '';
      this.hits++;
      req.on('data', (d) => { body += d; });
      req.on('end', () => {
        const xml = new URLSearchParams(body).get('logoutRequest') ?? '';
        const ticket = /<samlp:SessionIndex>([^<]*)<\/samlp:SessionIndex>/.exec(xml)?.[1];
        if (ticket) this.logouts.push({ url: req.url, ticket, xml, body, headers: req.headers });
        if (respond) respond(req, res); else res.end();
      });
    });
  }

  async start() {
    await new Promise((done) => { this.server.listen(0, '127.0.0.1', done); });
    this.origin = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((done) => { this.server.close(done); });
  }
}
