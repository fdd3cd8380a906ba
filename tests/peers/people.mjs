/* SPDX-License-Identifier: Apache-2.0
 * People who sign in once, at the gateway, and then go to real applications.
 */
import assert from 'node:assert/strict';
import { Browser } from '../lib/browser.mjs';
import { PASSWORD, startAccounts } from '../lib/accounts.mjs';
import { LOCATIONS, PUBLIC_URL } from '../lib/gateway.mjs';

export const PEOPLE = {
  limei: { roles: 'staff', name: '李梅' },
  chen: { roles: 'staff', name: '陈工' },
};

/* locations: text of nginx; applications: auth.applications */
export const startDoor = (locations, applications, people = PEOPLE) => startAccounts(people, {
  auth: { applications },
  nginx: { workers: 2, server: `${LOCATIONS} yimen_auth on; proxy_set_header Host yimen.example; proxy_set_header X-Forwarded-Proto https; ${locations}` },
});

export class Person extends Browser {
  /* One sign-in, on the gateway's own page. */
  static async signedIn(g, login) {
    const p = new Person(g.nginx, { headers: { 'accept-language': 'en', host: 'yimen.example' } });
    const r = await p.signInAs(login, PASSWORD);
    assert.equal(r.status, 303, p.alert);
    return p;
  }

  /* The API as the portal calls it. */
  async call(method, target, body) {
    const me = await this.me();
    return this.request(method, `/api/v1${target}`, {
      headers: { accept: 'application/json', 'sec-fetch-mode': 'cors', origin: PUBLIC_URL, 'x-yimen-csrf': me.csrf, 'content-type': body ? 'application/json' : undefined },
      body: body && JSON.stringify(body),
    });
  }

  async enter(system, account) {
    const r = await this.call('PUT', `/vault/${system}`, account);
    assert.equal(r.status, 200, r.body);
  }

  async signOut() {
    const me = await this.me();
    const r = await this.post('/auth/logout', { csrf: me.csrf });
    assert.ok([200, 303].includes(r.status), `${r.status} ${r.body}`);
  }
}
