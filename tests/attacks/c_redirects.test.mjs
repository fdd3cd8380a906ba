/* SPDX-License-Identifier: Apache-2.0
 * C open redirects: a return address that is not plainly ours becomes the default page, in the
 * form, after the sign-in, and when one is signed in already.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Browser } from '../lib/browser.mjs';
import { PASSWORD, startAccounts } from '../lib/accounts.mjs';
import { Invariants } from './invariants.mjs';

const C73 = ['//evil.test', '///evil.test', '////evil.test', '/\\evil.test', '\\\\evil.test', '/\\/evil.test', '\\/evil.test',
  '/%09/evil.test', '/%5cevil.test', '/%2f%2fevil.test', '/%2f%5c%2fevil.test'];
const C74 = ['/\t/evil.test', '/\n\\evil.test', '/\v/evil.test', '/ /evil.test', '/./\\evil.test', '/../..//evil.test', '/./../../\\evil.test'];
const C75 = ['http:evil.test', 'https:/evil.test', 'https:///evil.test', 'http:\\\\evil.test', 'javascript:alert(1)',
  'JaVa%09script:alert(1)', 'data:text/html,x', 'vbscript:x', '%68%74%74%70://evil.test'];
const C76 = ['https://yimen.example@evil.test', 'https://yimen.example:443@evil.test', 'https://yimen.example\\@evil.test',
  'https://evil.test#yimen.example', 'https://evil.test?yimen.example', 'https://evil.test\\.yimen.example',
  'https://yimen.example.evil.test', 'https://evil-yimen.example', 'https://YIMEN.EXAMPLE.', 'https://yimen.example:8443',
  'https://一门.test', '／／evil.test', '/／evil.test', 'https://evil。test', 'https://yimen.example/'];
const C77 = ['/%0d%0aSet-Cookie:x=1', '/\0/evil.test', '/%00', `/${'a'.repeat(8200)}`, '/%252f%252fevil.test', '/%255cevil.test', '/a%', '/a%zz', '/<script>'];

/* The shapes of the well-known lists: what browsers, proxies and frameworks fold into a slash. */
const MARKS = ['/', '\\', '%2f', '%5c', '%252f', './', '../', '..;/', '%09/', '%0a', '%00', '\t', '\r', ' ', '%20/', '\u00a0', '。'];
const HOSTS = ['evil.test', '/evil.test', '\\evil.test', '@evil.test'];
const GENERATED = MARKS.flatMap((a) => MARKS.flatMap((b) => HOSTS.map((h) => `/${a}${b}${h}`)));

describe('open redirects', () => {
  let g, inv, inside;
  before(async () => {
    g = await startAccounts({ mei: { roles: 'staff' }, bo: { roles: 'staff' } });
    inv = new Invariants(g);
    inside = new Browser(g.nginx);
    inv.secret(PASSWORD);
    assert.equal((await inside.signInAs('mei', PASSWORD)).status, 303);
  });
  after(async () => { try { inv.done(); } finally { await g.stop(); } });

  /* Signed in: the redirect itself. In the query as a browser would send it. */
  const follow = (rd) => inside.get(`/auth/login?rd=${[...Buffer.from(rd)].map((c) => `%${c.toString(16).padStart(2, '0')}`).join('')}`);

  async function nowhere(list) {
    for (const rd of list) {
      const r = await follow(rd);
      if (r.status === 414) continue; /* longer than nginx reads */
      assert.equal(r.status, 303, JSON.stringify(rd));
      assert.equal(r.headers.location, '/', JSON.stringify(rd));
      assert.equal(r.headers['set-cookie'], undefined);
    }
    inv.alive();
  }

  async function byForm(list) {
    for (const rd of list) {
      const b = new Browser(g.nginx);
      await b.get('/auth/login');
      const wrong = await b.submit({ name: 'bo', password: 'wrong-wrong-wrong', rd });
      if (wrong.status === 400) continue; /* no form that a browser would send */
      assert.equal(wrong.status, 403);
      assert.equal(b.form.hidden.rd, '/', JSON.stringify(rd));
      const r = await b.submit({ name: 'bo', password: PASSWORD, rd });
      assert.deepEqual([r.status, r.headers.location], [303, '/'], JSON.stringify(rd));
    }
    inv.alive();
  }

  const both = async (list) => { await nowhere(list); await byForm(list); };
  test('C73 slashes and backslashes', () => both(C73));
  test('C74 control characters and dots', () => both(C74));
  test('C75 schemes', () => both(C75));
  test('C76 userinfo, look-alikes, ports, IDN', () => both(C76));
  test('C77 line ends, NUL, length, encodings', () => both(C77));

  test('C77 bytes that are no UTF-8', async () => {
    for (const raw of ['/%ff%fe', '/%c0%af%c0%afevil.test', '%ff']) {
      const r = await inside.get(`/auth/login?rd=${raw}`);
      assert.ok(r.status === 400 || r.headers.location === '/', `${raw}: ${r.status} ${r.headers.location}`);
    }
  });

  test(`C77 ${GENERATED.length} of the shapes that lists of open redirects have`, () => nowhere(GENERATED));

  test('C77 twice the same parameter, or an empty one', async () => {
    for (const query of ['rd=/a&rd=//evil.test', 'rd=', 'rd', 'RD=//evil.test', 'rd[]=//evil.test']) {
      const r = await inside.get(`/auth/login?${query}`);
      assert.equal(r.status, 303);
      assert.match(r.headers.location, /^\/a?$/);
    }
  });

  test('not to pages of ours that would go round in circles or do something', async () => {
    for (const rd of ['/auth/login', '/auth/logout', '/auth/login?rd=//evil.test', '/AUTH/logout', '/auth', '/auth/reset?t=x']) {
      assert.equal((await follow(rd)).headers.location, '/', rd);
    }
  });

  test('what is plainly ours stays what it is', async () => {
    for (const rd of ['/', '/apps/odr/', '/apps/odr/case?id=7&x=%2Fa', '/#/records/1', '/%E6%9D%91', '/auth/password',
      '/cas/login?service=https%3A%2F%2Fapp.example%2F']) {
      assert.equal((await follow(rd)).headers.location, rd);
    }
  });
});

/* Elsewhere: `service` of the CAS server (H), post_logout_redirect_uri and target_link_uri (B). */
