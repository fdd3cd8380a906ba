/* SPDX-License-Identifier: Apache-2.0
 * J: the JSON API as browsers reach it, by cookie, and forms.  What concerns bodies, keys and limits
 * whoever calls is tested beside the API itself; STANDS says where, and is held to it.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { LOCATIONS, PUBLIC_URL, note, startGateway, withSessions } from '../lib/gateway.mjs';
import { ROLES, hears, makeSession } from '../lib/session.mjs';
import { Invariants, NAVIGATION, get, rawRequest } from './invariants.mjs';

const STANDS = {
  J170: 'limits', J171: 'limits', J172: 'limits', J173: 'limits', J174: 'limits', J175: 'limits', J177: 'create', J178: 'problems', J179: 'rate',
};

const FORM = 'application/x-www-form-urlencoded';

describe('the API by cookie', () => {
  let g, inv, mei, bo;
  before(async () => {
    g = await startGateway({ deploy: { auth: withSessions() }, nginx: { server: `${LOCATIONS} location /api/v2/ { yimen_api on; }` } });
    await hears(g);
    mei = await makeSession(g, { roles: ROLES.staff });
    bo = await makeSession(g, { person: 'city:bo', sub: 'bo', login: 'bo', roles: ROLES.staff, area: '330107', org: 'other' });
    inv = new Invariants(g);
    inv.secret(mei.id, bo.id, mei.csrf, bo.csrf);
  });
  after(() => g?.stop());

  const json = 'application/json';
  const records = async () => (await g.call('admin', 'GET', '/records')).json.items.length;
  const send = (s, headers, { method = 'POST', target = '/api/v1/records', body = JSON.stringify(note()) } = {}) => g.nginx.request(method, target, { headers: { ...s.headers, 'content-type': json, ...headers }, body });

  test('J176 what a foreign page can send is refused, whatever it looks like', async () => {
    const was = await records();
    const right = { origin: PUBLIC_URL, 'sec-fetch-site': 'same-origin', 'x-yimen-csrf': mei.csrf };
    const wrong = {
      'no token': { origin: PUBLIC_URL, 'sec-fetch-site': 'same-origin' }, 'nothing at all': {},
      'an empty token': { ...right, 'x-yimen-csrf': '' }, 'another person\'s token': { ...right, 'x-yimen-csrf': bo.csrf }, 'a longer token': { ...right, 'x-yimen-csrf': `${mei.csrf}0` },
      'a shorter token': { ...right, 'x-yimen-csrf': mei.csrf.slice(1) }, 'a token in capitals': { ...right, 'x-yimen-csrf': mei.csrf.toUpperCase() }, 'the session\'s digest': { ...right, 'x-yimen-csrf': mei.digest },
      'the id itself': { ...right, 'x-yimen-csrf': mei.id }, 'the token under an alias': { ...right, 'x-yimen-csrf': undefined, 'x-csrf-token': mei.csrf },
      'another origin': { ...right, origin: 'https://evil.test' }, 'a suffix': { ...right, origin: 'https://evil-yimen.example' }, 'a prefix': { ...right, origin: `${PUBLIC_URL}.evil.test` }, 'null': { ...right, origin: 'null' },
      'an empty origin': { ...right, origin: '' }, 'another scheme': { ...right, origin: PUBLIC_URL.replace('https', 'http') }, 'another port': { ...right, origin: `${PUBLIC_URL}:8443` }, 'a slash more': { ...right, origin: `${PUBLIC_URL}/` },
      'capitals': { ...right, origin: 'https://Yimen.Example' }, 'two origins': { ...right, origin: `${PUBLIC_URL} https://evil.test` },
      'cross-site': { ...right, 'sec-fetch-site': 'cross-site' }, 'same-site': { ...right, 'sec-fetch-site': 'same-site' }, 'an unknown word': { ...right, 'sec-fetch-site': 'same' }, 'cross-site without origin': { 'x-yimen-csrf': mei.csrf, 'sec-fetch-site': 'cross-site' },
      'JSON as text': { origin: 'https://evil.test', 'content-type': 'text/plain' }, 'a form': { origin: 'https://evil.test', 'content-type': FORM }, 'multipart': { origin: 'null', 'content-type': 'multipart/form-data; boundary=x' }, 'a beacon': { 'sec-fetch-mode': 'no-cors', 'sec-fetch-site': 'cross-site', 'content-type': 'text/plain;charset=UTF-8' },
    };
    for (const [name, headers] of Object.entries(wrong)) {
      const given = Object.fromEntries(Object.entries(headers).filter(([, v]) => v !== undefined));
      const r = await send(mei, given);
      assert.equal(r.status, 403, `${name}: ${r.status}`);
      inv.refused(r, 403);
      inv.refused(await send(mei, { ...given, 'content-type': 'application/merge-patch+json', 'if-match': '"1"' }, { method: 'PATCH', target: '/api/v1/records/01M80RTG1W5ZTZXYR1YGXKS6R0', body: '{"data":{}}' }), 403);
      inv.refused(await g.nginx.request('DELETE', '/api/v1/sessions', { headers: { ...mei.headers, ...given } }), 403);
    }
    assert.equal(await records(), was, 'nothing was stored');
    /* the right token with a body that is not JSON is still not taken */
    inv.refused(await send(mei, { ...right, 'content-type': 'text/plain' }), 415);
    inv.passed(await send(mei, right), {}, { status: 201 });
    inv.passed(await send(mei, { 'x-yimen-csrf': mei.csrf }), {}, { status: 201 });
    inv.passed(await send(mei, { 'x-yimen-csrf': mei.csrf, 'sec-fetch-site': 'none' }), {}, { status: 201 });
  });

  test('J176 two Origin headers, two tokens', async () => {
    const body = JSON.stringify({ type: 'note', data: { title: 'noise' } });
    const post = (more) => rawRequest(g.nginx, `${get('/api/v1/records', `Cookie: ${mei.cookie}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${more}`, 'POST')}${body}`);
    assert.equal((await post(`X-Yimen-CSRF: ${mei.csrf}\r\nOrigin: https://evil.test\r\nOrigin: ${PUBLIC_URL}\r\n`)).status, 403);
    assert.equal((await post(`X-Yimen-CSRF: ${mei.csrf}\r\nOrigin: ${PUBLIC_URL}\r\nOrigin: https://evil.test\r\n`)).status, 403);
    assert.equal((await post(`X-Yimen-CSRF: ${mei.csrf}\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site\r\n`)).status, 403);
    assert.equal((await post(`X-Yimen-CSRF: x\r\nX-Yimen-CSRF: ${mei.csrf}\r\n`)).status, 403);
    inv.mark();
  });

  test('J176 a bearer token is exempt, also beside a cookie', async () => {
    inv.passed(await send(mei, { authorization: `Bearer ${g.tokens.staff}`, origin: 'https://evil.test', 'sec-fetch-site': 'cross-site' }), {}, { status: 201 });
    const r = await g.nginx.request('GET', '/api/v1/me', { headers: { ...mei.headers, authorization: `Bearer ${g.tokens.operator}` } });
    assert.equal(r.json.subject, 'op');
    inv.mark();
    inv.refused(await send(mei, { authorization: 'Bearer x', 'x-yimen-csrf': mei.csrf }), 401);
  });

  test('J176 no other origin may read an answer', async () => {
    for (const origin of ['https://evil.test', 'null', PUBLIC_URL, 'https://evil-yimen.example']) {
      for (const [method, more] of [['GET', {}], ['OPTIONS', { 'access-control-request-method': 'POST', 'access-control-request-headers': 'x-yimen-csrf,content-type', 'access-control-request-private-network': 'true' }], ['POST', {}]]) {
        const r = await g.nginx.request(method, '/api/v1/me', { headers: { ...mei.headers, origin, ...more } });
        for (const name of Object.keys(r.headers)) assert.ok(!name.startsWith('access-control-'), `${method} ${origin}: ${name}`);
        assert.ok(method === 'GET' ? r.status === 200 : r.status >= 400);
        assert.equal(r.headers['cache-control'], 'no-store');
      }
    }
    inv.mark();
  });

  test('J176 GET changes nothing, whatever it is called', async () => {
    for (const target of ['/auth/logout', `/auth/logout?csrf=${mei.csrf}`]) {
      assert.equal((await g.nginx.request('GET', target, { headers: { ...mei.headers, ...NAVIGATION } })).status, 405);
      assert.equal((await g.nginx.request('HEAD', target, { headers: mei.headers })).status, 405);
    }
    for (const override of ['x-http-method-override', 'x-http-method', 'x-method-override']) {
      assert.equal((await g.nginx.request('GET', '/api/v1/sessions', { headers: { ...mei.headers, [override]: 'DELETE' } })).status, 200);
    }
    assert.equal((await g.nginx.request('GET', '/api/v1/me', { headers: mei.headers })).status, 200);
    inv.mark();
  });

  test('J176 a form: its token stands in it, and only there once', async () => {
    const post = (body, more = {}) => g.nginx.request('POST', '/auth/logout', { headers: { ...bo.headers, 'content-type': FORM, origin: PUBLIC_URL, ...more }, body });
    for (const body of ['', 'csrf=', 'csrf', `csrf=${mei.csrf}`, `CSRF=${bo.csrf}`, `x=${bo.csrf}`, `csrf=${bo.csrf}%20`, `%20csrf=${bo.csrf}`]) inv.refused(await post(body), 403);
    for (const body of [`csrf=${bo.csrf}&csrf=${bo.csrf}`, `csrf=${bo.csrf}&csr%66=x`, `csrf=${bo.csrf}&a=%zz`, `csrf=${bo.csrf}&a=%00`, `csrf=${bo.csrf}&a=%ff`]) inv.refused(await post(body), 400);
    for (const origin of ['https://evil.test', 'null', '']) inv.refused(await post(`csrf=${bo.csrf}`, { origin }), 403);
    inv.refused(await post(`csrf=${bo.csrf}`, { 'sec-fetch-site': 'same-site' }), 403);
    inv.refused(await post(`csrf=${bo.csrf}`, { 'x-yimen-csrf': 'x' }), 403);
    assert.equal((await g.nginx.request('GET', '/api/v1/me', { headers: bo.headers })).status, 200, 'still signed in');
    inv.mark();
  });

  test('J174 J175 forms: 64 KiB, one type, no encoding', async () => {
    const post = (body, more = {}) => g.nginx.request('POST', '/auth/logout', { headers: { 'content-type': FORM, origin: PUBLIC_URL, ...more }, body });
    const fits = `a=${'x'.repeat(65534)}`;
    assert.equal((await post(fits)).status, 200);
    inv.mark();
    inv.refused(await post(`${fits}x`), 413);
    inv.refused(await rawRequest(g.nginx, `${get('/auth/logout', `Content-Type: ${FORM}\r\nTransfer-Encoding: chunked\r\n`, 'POST')}${`8000\r\n${'x'.repeat(0x8000)}\r\n`.repeat(3)}0\r\n\r\n`), 413);
    for (const type of ['application/json', 'text/plain', 'multipart/form-data; boundary=x', `${FORM}; charset=utf-16`, 'application/x-www-form-urlencodedx']) inv.refused(await post('a=b', { 'content-type': type }), 415);
    inv.refused(await post('a=b', { 'content-encoding': 'gzip' }), 415);
    inv.refused(await post('&'.repeat(60000) + 'a=b&'.repeat(65).replace(/a/g, () => `f${Math.random()}`)), 400);
    assert.equal((await post(`${'a'.repeat(200)}=${'%41'.repeat(20000)}`, { 'content-type': `${FORM}; charset=UTF-8` })).status, 200);
    inv.mark();
  });

  test('J177 an Idempotency-Key by cookie is the person\'s own', async () => {
    const once = (s, body = note()) => send(s, { 'x-yimen-csrf': s.csrf, 'idempotency-key': 'same-for-both' }, { body: JSON.stringify(body) });
    const [a, b] = [await once(mei), await once(bo)];
    assert.deepEqual([a.status, b.status], [201, 201]);
    assert.notEqual(a.json.id, b.json.id);
    assert.equal((await once(mei)).json.id, a.json.id);
    assert.equal((await once(mei, note({ title: '另一件' }))).status, 422);
    const again = await makeSession(g, { roles: ROLES.staff });
    assert.equal((await once(again)).json.id, a.json.id, 'another session of the same person');
    inv.mark();
  });

  test('J178 no answer and no log tells an id or a token of somebody else', async () => {
    for (const target of ['/api/v1/me', '/api/v1/sessions', '/api/v1/records', '/api/v1/nothing', '/api/v1/records/x']) {
      const r = await g.nginx.request('GET', target, { headers: mei.headers });
      const text = r.body + JSON.stringify(r.headers);
      for (const secret of [mei.id, mei.id.slice(2), bo.id, bo.csrf, bo.digest]) assert.ok(!text.includes(secret), target);
    }
    inv.mark();
    inv.done();
  });
});

test('J170 to J179: what is not here stands beside the API', () => {
  for (const [id, name] of Object.entries(STANDS)) {
    assert.match(fs.readFileSync(new URL(`../module/${name}.test.mjs`, import.meta.url), 'utf8'), new RegExp(`\\b${id}\\b`), `${id} in ${name}.test.mjs`);
  }
});
