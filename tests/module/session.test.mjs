/* SPDX-License-Identifier: Apache-2.0
 * Sessions and the guard: who it is by cookie, who may, what is remembered and for how long.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { LOCATIONS, PUBLIC_URL, startGateway, withSessions } from '../lib/gateway.mjs';
import { sleep, testNginx, until } from '../lib/nginx.mjs';
import { ROLES, endSession, hears, makeSession, sessionCounts } from '../lib/session.mjs';
import { NAVIGATION, startUpstream } from '../attacks/invariants.mjs';

const rd = (place) => `${PUBLIC_URL}/auth/login?rd=${encodeURIComponent(place)}`;

describe('configuration', () => {
  let g;
  before(async () => { g = await startGateway({ deploy: { auth: withSessions() } }); });
  after(() => g?.stop());

  const say = async (auth, server = '') => {
    g.deploy.auth = { ...g.deploy.auth, ...auth };
    g.deploy.write();
    return testNginx({ http: `yimen_catalog ${g.deploy.file};`, server: LOCATIONS + server });
  };

  for (const [name, auth, server, words] of [
    ['a public address with a path', { public_url: 'https://yimen.example/x' }, '', /"public_url:".*must be https/],
    ['a public address in capitals', { public_url: 'https://Yimen.example' }, '', /"public_url:"/],
    ['plain http that is not loopback', { public_url: 'http://yimen.example' }, '', /or http:\/\/ on localhost/],
    ['http that only looks like loopback', { public_url: 'http://localhost.evil.test' }, '', /or http:\/\/ on localhost/],
    ['a ring that others can read', { ring: 'file:keys/open.json' }, '', /others can read this secret \(mode 0644\)/],
    ['an idle time of nothing', { session: { idle: '0s' } }, '', /idle/],
    ['an unknown word', { session: { idle_time: '5m' } }, '', /idle_time/],
    ['a rule without a guard', {}, 'location /a/ { yimen_require role=staff; }', /"yimen_require" needs "yimen_auth on"/],
    ['a rule with an unknown role', {}, 'location /a/ { yimen_auth on; yimen_require role=boss; }', /"boss" is no role/],
    ['a rule with half a role', {}, 'location /a/ { yimen_auth on; yimen_require role=admin|; }', /"" is no role/],
    ['an area of five digits', {}, 'location /a/ { yimen_auth on; yimen_require area=33010; }', /"33010" is no area/],
    ['a rule that asks for nothing', {}, 'location /a/ { yimen_auth on; yimen_require any; }', /asks for nothing/],
    ['a rule with an unknown word', {}, 'location /a/ { yimen_auth on; yimen_require group=x; }', /none of role=, area=, org= and any/],
    ['a guard that is neither', {}, 'location /a/ { yimen_auth maybe; }', /takes on, off or optional/],
  ]) {
    test(`${name}: refused`, async () => {
      fs.writeFileSync(path.join(g.deploy.dir, 'keys/open.json'), JSON.stringify(g.deploy.ring), { mode: 0o644 });
      fs.chmodSync(path.join(g.deploy.dir, 'keys/open.json'), 0o644);
      const kept = { ...g.deploy.auth };
      const r = await say(auth, server);
      g.deploy.auth = kept;
      assert.notEqual(r.code, 0);
      assert.match(r.text, words);
    });
  }

  test('sessions need a ring and a public address', async () => {
    for (const without of ['ring', 'public_url']) {
      const kept = { ...g.deploy.auth };
      delete g.deploy.auth[without];
      g.deploy.write();
      const r = await testNginx({ http: `yimen_catalog ${g.deploy.file};`, server: LOCATIONS });
      g.deploy.auth = kept;
      assert.notEqual(r.code, 0);
      assert.match(r.text, /"session:" .* needs "ring:" and "public_url:"/);
    }
  });

  test('what is right is taken', async () => {
    for (const public_url of ['https://yimen.example:8443/', 'http://127.0.0.1:8080', 'http://[::1]', 'http://localhost']) {
      const r = await say({ public_url, session: { idle: '20m', absolute: '8h', touch: '30s', max_per_person: '5' } },
        'location /a/ { yimen_auth optional; } location /b/ { yimen_auth on; yimen_require any role=staff|admin area=33|330106003 org=x; }');
      assert.equal(r.code, 0, r.text);
    }
  });
});

describe('the guard', () => {
  let g, up;
  before(async () => {
    up = await startUpstream();
    const to = `proxy_pass http://unix:${up.socket}:;`;
    const who = 'yimen_identity headers user=X-Remote-User;';
    g = await startGateway({
      deploy: { auth: withSessions() },
      nginx: {
        http: `log_format who '$uri [$yimen_user|$yimen_login|$yimen_name|$yimen_roles|$yimen_area|$yimen_org|$yimen_provider|$yimen_session]';
          limit_req_zone $yimen_user zone=each:1m rate=1r/m;`,
        server: `${LOCATIONS} access_log who.log who; ssi_types *;
          location /app/ { yimen_auth on; ${who} ${to} }
          location /socket/ { yimen_auth on; yimen_websocket on; ${who} ${to} }
          location /open/ { yimen_auth off; ${to} }
          location /maybe/ { yimen_auth optional; ${who} ${to} }
          location /admin/ { yimen_auth on; yimen_require role=admin; ${who} ${to} }
          location /lake/ { yimen_auth on; yimen_require area=330106; ${who} ${to} }
          location /both/ { yimen_auth on; yimen_require role=staff|supervisor area=3301; ${who} ${to} }
          location /any/ { yimen_auth on; yimen_require any role=admin org=street; ${who} ${to} }
          location /two/ { yimen_auth on; yimen_require role=staff; yimen_require org=street|lake; ${who} ${to}
            location /two/free/ { yimen_auth off; ${to} } }
          location /slow/ { yimen_auth on; limit_req zone=each; ${who} ${to} }
          location /missing/ { error_page 404 = @admin; root /nowhere; }
          location @admin { yimen_auth on; yimen_require role=admin; ${who} ${to} }
          location /try/ { yimen_auth on; ${who} root /nowhere; try_files $uri /admin$uri; }
          location /name/ { yimen_auth on; try_files /nothing @admin; }
          location = /parts.html { ssi on; default_type text/html; alias ${process.cwd()}/tests/module/parts.html; }
          location /return/ { yimen_auth on; return 204; }`,
      },
    });
    await hears(g);
  });
  after(async () => { await g?.stop(); await up.stop(); });

  const ask = (target, s, headers = {}, opts = {}) => g.nginx.request(opts.method ?? 'GET', target, { headers: { ...s?.headers, ...headers }, ...opts });

  test('a person who follows a link signs in and comes back', async () => {
    for (const target of ['/app/', '/app/x?a=b&c=%2F', '/app/%E6%9D%8E']) {
      const r = await ask(target, null, NAVIGATION);
      assert.equal(r.status, 303);
      assert.equal(r.headers.location, rd(target));
      assert.equal(r.headers['cache-control'], 'no-store');
      assert.equal(r.headers['set-cookie'], undefined);
    }
    const posted = await ask('/app/x', null, { ...NAVIGATION, 'content-type': 'application/x-www-form-urlencoded' }, { method: 'POST', body: 'a=b' });
    assert.equal(posted.status, 303);
    assert.equal(posted.headers.location, `${PUBLIC_URL}/auth/login`);
    assert.equal(up.hits, 0);
  });

  test('a program is told: 401', async () => {
    for (const headers of [{}, { accept: '*/*' }, { accept: 'text/event-stream', 'sec-fetch-mode': 'cors' }, { 'sec-fetch-mode': 'cors', accept: 'text/html' },
      { ...NAVIGATION, 'x-requested-with': 'XMLHttpRequest' }, { accept: '*/*', 'sec-fetch-mode': 'websocket', upgrade: 'websocket', connection: 'upgrade' }]) {
      const r = await ask('/app/x', null, headers);
      assert.equal(r.status, 401);
      assert.equal(r.headers['content-type'], 'application/problem+json');
      assert.match(r.headers['www-authenticate'], /^Bearer/);
    }
  });

  test('known: let through, told to the application, and to the log', async () => {
    const s = await makeSession(g, { person: 'city:mei', login: 'mei', name: '李梅', roles: ROLES.staff | ROLES.admin });
    const r = await ask('/app/known', s);
    assert.equal(r.status, 200);
    assert.equal(up.last.headers['x-remote-user'], 'mei');
    assert.equal(up.last.headers.cookie, undefined);
    const line = await until('the log', () => fs.readFileSync(path.join(g.nginx.dir, 'who.log'), 'utf8').split('\n').find((l) => l.startsWith('/app/known')));
    assert.equal(line, `/app/known [city:mei|mei|\\xE6\\x9D\\x8E\\xE6\\xA2\\x85|staff,admin|330106|street|city|${s.digest.slice(0, 16)}]`);
  });

  test('rules: role, area, organisation; exactly, by level, all or any', async () => {
    const people = {
      staff: { roles: ROLES.staff, area: '330106003', org: 'lake' },
      admin: { roles: ROLES.admin, area: '', org: '' },
      county: { roles: ROLES.supervisor, area: '330106', org: 'street' },
      city: { roles: ROLES.staff, area: '3301', org: 'streets' },
      other: { roles: ROLES.staff, area: '330107', org: 'Street' },
      odd: { roles: ROLES.staff, area: '33010', org: '' },
    };
    const may = {
      '/admin/': ['admin'], '/lake/': ['staff', 'county'], '/both/': ['staff', 'county', 'city', 'other'], '/any/': ['admin', 'county'],
      '/two/': ['staff'], '/two/free/': Object.keys(people),
    };
    for (const [name, person] of Object.entries(people)) {
      const s = await makeSession(g, { person: `city:${name}`, sub: name, login: name, ...person });
      for (const [target, who] of Object.entries(may)) {
        const hits = up.hits;
        const r = await ask(target, s);
        assert.equal(r.status, who.includes(name) ? 200 : 403, `${name} ${target}`);
        assert.equal(up.hits - hits, who.includes(name) ? 1 : 0);
        if (r.status === 403) assert.equal(r.json.type, 'urn:yimen:problem:forbidden');
      }
    }
  });

  test('optional: who is known is told, who is not is let through', async () => {
    assert.equal((await ask('/maybe/', null)).status, 200);
    assert.equal(up.last.headers['x-remote-user'], undefined);
    assert.equal((await ask('/maybe/', await makeSession(g))).status, 200);
    assert.equal(up.last.headers['x-remote-user'], 'mei');
    assert.equal((await ask('/maybe/', null, { authorization: 'Bearer x' })).status, 401);
  });

  test('internal redirects, named locations and parts of pages are judged by their own rules', async () => {
    const mei = await makeSession(g);
    const root = await makeSession(g, { person: 'city:root', sub: 'root', login: 'root', roles: ROLES.admin });
    for (const target of ['/missing/x', '/try/x', '/name/x']) {
      const hits = up.hits;
      assert.equal((await ask(target, null)).status, 401, target);
      assert.equal((await ask(target, mei)).status, 403, target);
      assert.equal(up.hits, hits);
      assert.equal((await ask(target, root)).status, 200, target);
      assert.equal(up.last.headers['x-remote-user'], 'root');
    }
    /* two parts at the same time, the session known to nobody here yet: both wait for one reading */
    const fresh = await makeSession(g, { person: 'city:fresh', sub: 'fresh', login: 'fresh' });
    const counts = await sessionCounts(g);
    const r = await ask('/parts.html', fresh);
    assert.equal(r.status, 200);
    assert.equal(r.body.match(/"x-remote-user":"fresh"/g)?.length, 2, r.body);
    assert.match(r.body, /forbidden|403/);
    assert.equal((await sessionCounts(g)).reads, counts.reads + 1);
    assert.doesNotMatch((await ask('/parts.html', null)).body, /x-remote-user/);
  });

  test('limit_req after the guard counts people', async () => {
    const [a, b] = [await makeSession(g, { person: 'city:a', sub: 'a' }), await makeSession(g, { person: 'city:b', sub: 'b' })];
    assert.equal((await ask('/slow/', a)).status, 200);
    assert.equal((await ask('/slow/', b)).status, 200);
    assert.equal((await ask('/slow/', a)).status, 503);
  });

  test('a location that answers by return is not guarded: known, and said in the documentation', async () => {
    assert.equal((await ask('/return/', null)).status, 204);
    assert.match(fs.readFileSync('docs/directives.md', 'utf8'), /`return` and `rewrite` answer before/);
  });

  test('a foreign page cannot post or open a socket with the cookie', async () => {
    const s = await makeSession(g);
    const hits = up.hits;
    const foreign = [{ 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }, { origin: 'https://evil.test' }, { origin: 'null' },
      { origin: 'https://yimen.example.evil.test' }, { origin: 'http://yimen.example' }, { origin: `${PUBLIC_URL}:444` }, { origin: PUBLIC_URL, 'sec-fetch-site': 'cross-site' }];
    for (const headers of foreign) {
      for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) assert.equal((await ask('/app/', s, headers, { method })).status, 403, JSON.stringify(headers));
      assert.equal((await ask('/socket/', s, { ...headers, upgrade: 'websocket', connection: 'upgrade', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' })).status, 403);
    }
    assert.equal(up.hits, hits);
    for (const headers of [{ origin: PUBLIC_URL }, { 'sec-fetch-site': 'same-origin' }, { 'sec-fetch-site': 'none' }, {}]) {
      assert.equal((await ask('/app/', s, headers, { method: 'POST', body: 'x' })).status, 200);
    }
    for (const headers of foreign) assert.equal((await ask('/app/', s, headers)).status, 200, 'a link from elsewhere');
    assert.equal((await ask('/app/', null, { origin: 'https://evil.test', authorization: `Bearer ${g.tokens.staff}` }, { method: 'POST' })).status, 200, 'a bearer is exempt');
  });
});

describe('sessions', () => {
  let g;
  before(async () => {
    g = await startGateway({ deploy: { shards: 4, auth: withSessions({ max_per_person: '3' }) }, nginx: { workers: 2 } });
    await hears(g);
  });
  after(() => g?.stop());

  const call = (s, method, target, more = {}) => g.nginx.request(method, `/api/v1${target}`, { headers: { ...s.headers, 'x-yimen-csrf': s.csrf, ...more }, agent: false });

  test('who one is', async () => {
    const s = await makeSession(g, { person: 'city:zhang', sub: 'zhang', name: '张三', login: 'zhang', roles: ROLES.staff | ROLES.operator, auth_time: 1769819400000 }, { absolute: 3600000 });
    const { json } = await call(s, 'GET', '/me');
    assert.deepEqual({ ...json, session: null }, {
      subject: 'city:zhang', org: 'street', area: '330106', roles: ['staff', 'operator'], rights: ['reveal'], login: 'zhang', name: '张三', provider: 'city',
      auth_time: '2026-01-31T08:30:00.000+08:00', method: 'session', csrf: s.csrf, session: null,
    });
    assert.equal(json.session.id, s.handle);
    assert.equal(json.session.idle, 1800);
    assert.equal(Date.parse(json.session.expires_at) - Date.parse(json.session.created_at), 3600000);
  });

  test('read from Redis once for all workers', async () => {
    const s = await makeSession(g, { person: 'city:once', sub: 'once' });
    const from = await sessionCounts(g);
    for (let i = 0; i < 20; i++) assert.equal((await call(s, 'GET', '/me')).status, 200);
    assert.deepEqual(await sessionCounts(g), { reads: from.reads + 1, hits: from.hits + 19 });
  });

  test('the oldest of too many ends', async () => {
    const list = [];
    for (let i = 0; i < 4; i++) {
      list.push(await makeSession(g, { person: 'city:many', sub: 'many' }, { max: 3 }));
      await sleep(3);
    }
    assert.deepEqual(await Promise.all(list.map(async (s) => (await call(s, 'GET', '/me')).status)), [401, 200, 200, 200]);
  });

  test('listed and ended by the person', async () => {
    const person = { person: 'city:li', sub: 'li' };
    const [a, b, c] = [await makeSession(g, person), await makeSession(g, person), await makeSession(g, person)];
    const other = await makeSession(g, { person: 'city:wu', sub: 'wu' });
    const { items } = (await call(a, 'GET', '/sessions')).json;
    assert.deepEqual(items.map((i) => i.id).sort(), [a, b, c].map((s) => s.handle).sort());
    assert.deepEqual(items.filter((i) => i.current).map((i) => i.id), [a.handle]);
    for (const i of items) assert.ok(i.provider === 'city' && Date.parse(i.created_at) <= Date.parse(i.used_at) && Date.parse(i.used_at) < Date.parse(i.expires_at));

    for (const id of [other.handle, `${a.shard}-${'0'.repeat(64)}`, 'x', '0-', a.id, `9-${a.digest}`, a.handle.toUpperCase()]) {
      assert.equal((await call(a, 'DELETE', `/sessions/${id}`)).status, 404, id);
    }
    assert.equal((await call(other, 'GET', '/me')).status, 200);
    assert.equal((await call(a, 'DELETE', `/sessions/${b.handle}`)).status, 200);
    await until('ended on all workers', async () => (await Promise.all(Array.from({ length: 8 }, () => call(b, 'GET', '/me')))).every((r) => r.status === 401), 1000);
    assert.equal((await call(a, 'DELETE', '/sessions')).status, 200);
    await until('the third, too', async () => (await Promise.all(Array.from({ length: 8 }, () => call(c, 'GET', '/me')))).every((r) => r.status === 401), 1000);
    assert.equal((await call(a, 'GET', '/me')).status, 200, 'not one\'s own');
    assert.equal((await call(a, 'GET', '/sessions?person=city:wu')).status, 403);
    assert.equal((await call(a, 'DELETE', '/sessions?person=city:wu')).status, 403);
  });

  test('listed and ended by an administrator, with evidence', async () => {
    const s = await makeSession(g, { person: 'city:qian', sub: 'qian' });
    const list = await g.call('admin', 'GET', '/sessions?person=city:qian');
    assert.deepEqual(list.json.items.map((i) => i.id), [s.handle]);
    assert.equal((await g.call('admin', 'DELETE', `/sessions/${s.handle}`)).status, 200);
    await until('ended', async () => (await call(s, 'GET', '/me')).status === 401, 1000);
    const again = await makeSession(g, { person: 'city:qian', sub: 'qian' });
    assert.equal((await g.call('admin', 'DELETE', '/sessions?person=city:qian')).status, 200);
    await until('ended', async () => (await call(again, 'GET', '/me')).status === 401, 1000);
    const { items } = await until('evidence', async () => {
      const r = await g.call('auditor', 'GET', '/audit?what=revoke');
      return r.json.items.length >= 2 ? r.json : null;
    });
    assert.ok(items.filter((i) => i.what === 'revoke' && i.who === 'root').length >= 2);
  });

  test('signing out: by a program, by a form; the cookie is taken back', async () => {
    const gone = '__Host-yimen=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0';
    const form = { 'content-type': 'application/x-www-form-urlencoded', origin: PUBLIC_URL };
    const a = await makeSession(g, { person: 'city:out', sub: 'out' });
    const r = await g.nginx.request('POST', '/auth/logout', { headers: { ...a.headers, ...form, 'x-yimen-csrf': a.csrf }, body: '' });
    assert.deepEqual([r.status, r.headers['set-cookie']], [200, [gone]], r.body);
    assert.equal((await call(a, 'GET', '/me')).status, 401);

    const b = await makeSession(g, { person: 'city:out', sub: 'out' });
    const p = await g.nginx.request('POST', '/auth/logout', { headers: { ...b.headers, ...form, ...NAVIGATION }, body: `csrf=${b.csrf}` });
    assert.equal(p.status, 303);
    assert.deepEqual(p.headers['set-cookie'], [gone]);
    assert.match(p.headers.location, /^\//);
    assert.equal((await call(b, 'GET', '/me')).status, 401);

    const c = await makeSession(g, { person: 'city:out', sub: 'out' });
    for (const body of ['', 'csrf=', `csrf=${a.csrf}`, `csrf=${c.csrf}&csrf=${c.csrf}`]) {
      assert.ok([400, 403].includes((await g.nginx.request('POST', '/auth/logout', { headers: { ...c.headers, ...form }, body })).status));
    }
    assert.equal((await call(c, 'GET', '/me')).status, 200);
  });

  test('a reload keeps sessions and forgets what was remembered', async () => {
    const s = await makeSession(g, { person: 'city:stays', sub: 'stays' });
    assert.equal((await call(s, 'GET', '/me')).status, 200);
    await g.nginx.reload();
    const from = await sessionCounts(g);
    assert.equal((await call(s, 'GET', '/me')).status, 200);
    assert.ok((await sessionCounts(g)).reads > from.reads);
    await hears(g);
    await endSession(g, s);
    await until('ended', async () => (await call(s, 'GET', '/me')).status === 401, 1000);
  });
});

test('on plain http the cookie has its plain name', async () => {
  const g = await startGateway({ deploy: { auth: withSessions({}, { public_url: 'http://127.0.0.1:8080' }) } });
  try {
    const s = await makeSession(g);
    assert.equal((await g.nginx.request('GET', '/api/v1/me', { headers: s.headers })).status, 401);
    const r = await g.nginx.request('GET', '/api/v1/me', { headers: { cookie: `yimen=${s.id}` } });
    assert.equal(r.status, 200);
    const out = await g.nginx.request('POST', '/auth/logout', { headers: { cookie: `yimen=${s.id}`, 'x-yimen-csrf': r.json.csrf, 'content-type': 'application/x-www-form-urlencoded' }, body: '' });
    assert.deepEqual(out.headers['set-cookie'], ['yimen=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0']);
  } finally { await g.stop(); }
});

test('without sessions a cookie is nothing', async () => {
  const g = await startGateway({ nginx: { server: `${LOCATIONS} location /app/ { yimen_auth on; return 200; } location /x/ { yimen_auth on; root /nowhere; }` } });
  try {
    const headers = { cookie: `__Host-yimen=0.${'A'.repeat(43)}` };
    assert.equal((await g.nginx.request('GET', '/api/v1/me', { headers })).status, 401);
    assert.equal((await g.nginx.request('GET', '/x/', { headers: { ...headers, ...NAVIGATION } })).status, 401);
    assert.equal((await g.call('staff', 'GET', '/sessions')).status, 404);
    assert.equal((await g.nginx.request('GET', '/x/', { token: g.tokens.staff })).status, 404);
  } finally { await g.stop(); }
});
