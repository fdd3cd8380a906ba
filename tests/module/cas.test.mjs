/* SPDX-License-Identifier: Apache-2.0
 * The CAS server as applications and browsers use it: tickets, the three versions of the answer,
 * renew and gateway, the end of a session told to those who want to know.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Browser } from '../lib/browser.mjs';
import { PASSWORD } from '../lib/accounts.mjs';
import { Application, cas, login, nextOf, startCas, ticketOf, validate } from '../lib/cas.mjs';
import { Deployment, PUBLIC_URL, withSessions } from '../lib/gateway.mjs';
import { sleep, testNginx, until } from '../lib/nginx.mjs';

const APP = 'https://app.example/cas';
const OLD = 'http://old.example:8080/';

describe('tickets', () => {
  let g;
  before(async () => {
    g = await startCas([
      { id: 'app', url: APP, attributes: '[name, email, roles, org, area, login, subject]' },
      { id: 'old', url: OLD, match: 'prefix', user: 'subject' },
      { id: 'office', url: 'https://office.example/', match: 'prefix', roles: '[supervisor, admin]' },
    ]);
  });
  after(() => g.stop());

  test('without a session to the sign-in page, and from there to the application', async () => {
    const b = new Browser(g.nginx);
    const r = await b.get(`/cas/login?service=${encodeURIComponent(APP)}`);
    assert.equal(r.status, 303);
    const to = new URL(r.headers.location);
    assert.equal(to.origin + to.pathname, `${PUBLIC_URL}/auth/login`);
    await b.get(to.pathname + to.search);
    const back = await b.submit({ name: 'limei', password: PASSWORD });
    assert.equal(back.status, 200, 'by a page: browsers stop a redirect to another host after a form');
    const enter = await b.get(nextOf(back));
    assert.equal(enter.status, 303);
    const answer = await validate(g, APP, ticketOf(enter), '/cas/p3/serviceValidate');
    assert.match(answer.body, /<cas:isFromNewLogin>true</);
  });

  test('with a session at once, by a redirect that hands on no address of ours', async () => {
    const b = await login(g);
    const r = await cas(b, APP);
    assert.equal(r.status, 303);
    assert.match(r.headers.location, /^https:\/\/app\.example\/cas\?ticket=ST-[0-9a-f]{48}$/);
    assert.equal(r.headers['cache-control'], 'no-store');
    assert.equal(r.headers['referrer-policy'], 'same-origin');
    const more = await cas(b, `${OLD}a/b?x=1&y=%e6%9d%91`);
    assert.match(more.headers.location, /^http:\/\/old\.example:8080\/a\/b\?x=1&y=%e6%9d%91&ticket=ST-[0-9a-f]{48}$/);
  });

  test('1.0, 2.0 and 3.0 say the same in their own way', async () => {
    const b = await login(g);
    const ask = async (path) => validate(g, APP, ticketOf(await cas(b, APP)), path);
    const one = await ask('/cas/validate');
    assert.deepEqual([one.status, one.headers['content-type'], one.body], [200, 'text/plain; charset=utf-8', 'yes\nlimei\n']);
    for (const path of ['/cas/serviceValidate', '/cas/proxyValidate']) {
      const two = await ask(path);
      assert.equal(two.headers['content-type'], 'application/xml; charset=utf-8');
      assert.equal(two.body, `<?xml version="1.0" encoding="UTF-8"?>
<cas:serviceResponse xmlns:cas="http://www.yale.edu/tp/cas">
  <cas:authenticationSuccess>
    <cas:user>limei</cas:user>
  </cas:authenticationSuccess>
</cas:serviceResponse>
`);
    }
    for (const path of ['/cas/p3/serviceValidate', '/cas/p3/proxyValidate']) {
      const three = await ask(path);
      const got = [...three.body.matchAll(/<cas:(\w+)>([^<]*)<\/cas:\1>/g)].map((m) => [m[1], m[2]]);
      assert.match(got[1][1], /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      got.splice(1, 1);
      assert.deepEqual(got, [
        ['user', 'limei'], ['longTermAuthenticationRequestTokenUsed', 'false'], ['isFromNewLogin', 'false'],
        ['name', '李梅'], ['email', 'limei@example.cn'], ['org', 'street'], ['area', '330106'], ['login', 'limei'],
        ['subject', `local:${g.ids.limei}`], ['roles', 'staff'], ['roles', 'admin'],
      ]);
    }
    const no = await validate(g, APP, 'ST-0', '/cas/validate');
    assert.deepEqual([no.status, no.body], [200, 'no\n\n']);
  });

  test('an application may know people by their id, and learns no more than it should', async () => {
    const b = await login(g);
    const answer = await validate(g, OLD, ticketOf(await cas(b, OLD)), '/cas/p3/serviceValidate');
    assert.match(answer.body, new RegExp(`<cas:user>local:${g.ids.limei}<`));
    assert.doesNotMatch(answer.body, /李梅|email|roles|330106/);
  });

  test('an application for some roles only', async () => {
    const allowed = await login(g), not = await login(g, 'zhao');
    assert.equal((await cas(allowed, 'https://office.example/x')).status, 303);
    const r = await cas(not, 'https://office.example/x');
    assert.equal(r.status, 403);
    assert.match(not.alert, /角色/);
    assert.equal(r.headers.location, undefined);
  });

  test('who asks without a window gets 401, not a page to sign in on', async () => {
    const r = await g.nginx.request('GET', `/cas/login?service=${encodeURIComponent(APP)}`, { headers: { accept: '*/*' } });
    assert.equal(r.status, 401);
    assert.match(r.headers['content-type'], /problem\+json/);
  });

  test('a bearer token is no session', async () => {
    const r = await g.nginx.request('GET', `/cas/login?service=${encodeURIComponent(APP)}`, { token: g.tokens.staff, headers: { accept: 'text/html' } });
    assert.equal(r.status, 401);
  });

  test('no service: the sign-in page, or the start page', async () => {
    const b = new Browser(g.nginx);
    assert.equal((await b.get('/cas/login')).headers.location, '/auth/login');
    assert.equal((await (await login(g)).get('/cas/login')).headers.location, '/');
  });

  test('sign-out ends the session and goes on to a registered application only', async () => {
    const b = await login(g);
    const r = await b.get(`/cas/logout?service=${encodeURIComponent(APP)}`);
    assert.deepEqual([r.status, r.headers.location], [303, APP]);
    assert.equal(await b.who(), null);
    const c = await login(g);
    const page = await c.get('/cas/logout');
    assert.equal(page.status, 200);
    assert.match(page.body, /您已退出登录/);
    assert.equal(await c.who(), null);
    const d = await login(g);
    assert.equal((await d.get(`/cas/logout?url=${encodeURIComponent(OLD)}`)).headers.location, OLD, 'the parameter of 2.0');
  });

  test('samlValidate is not there', async () => {
    const r = await g.nginx.request('POST', '/cas/samlValidate', { body: '<x/>', headers: { 'content-type': 'text/xml' } });
    assert.equal(r.status, 404);
  });

  test('it is written down: tickets, entries, refusals; and nothing of a ticket', async () => {
    const b = await login(g);
    const ticket = ticketOf(await cas(b, APP));
    await validate(g, APP, ticket);
    await validate(g, APP, ticket);
    const list = await until('audit', async () => {
      const r = await g.call('auditor', 'GET', '/audit?limit=50');
      const what = r.json.items.map((i) => [i.what, i.system, i.why, i.outcome].join(' '));
      return what.includes('cas_refused  unknown_ticket refused') ? what : null;
    });
    assert.ok(list.includes('cas_ticket app session ok'), list.join('\n'));
    assert.ok(list.some((l) => /^cas_sign_in app /.test(l)), list.join('\n'));
    assert.ok(!JSON.stringify(list).includes(ticket.slice(3)));
    assert.ok(!g.nginx.log().includes(ticket.slice(3)));
  });
});

describe('single sign-out', () => {
  let g, app;
  before(async () => {
    app = await new Application().start();
    g = await startCas([
      { id: 'told', url: `${app.origin}/a`, match: 'prefix', logout: 'true' },
      { id: 'elsewhere', url: 'https://app.example/', match: 'prefix', logout: `${app.origin}/elsewhere` },
      { id: 'untold', url: `${app.origin}/b`, match: 'prefix' },
    ]);
  });
  after(async () => {
    await g.stop();
    await app.stop();
  });

  const enter = async (b, service) => {
    const ticket = ticketOf(await cas(b, service));
    assert.match((await validate(g, service, ticket)).body, /Success/);
    return ticket;
  };

  test('sign-out, revoke and a disabled account are told to each application with its ticket', async () => {
    const b = await login(g);
    const one = await enter(b, `${app.origin}/a/x?y=1`);
    const two = await enter(b, 'https://app.example/z');
    await enter(b, `${app.origin}/b`);
    const unused = ticketOf(await cas(b, `${app.origin}/a/never`));
    await b.get('/cas/logout');
    const first = await until('two are told', () => app.logouts.length >= 2 && app.logouts.slice());
    assert.deepEqual(first.map((l) => [l.url, l.ticket]).sort(), [['/a/x?y=1', one], ['/elsewhere', two]].sort());
    for (const l of first) {
      assert.equal(l.headers['content-type'], 'application/x-www-form-urlencoded');
      assert.equal(l.headers.cookie, undefined);
    }
    assert.match((await validate(g, `${app.origin}/a/never`, unused)).body, /INVALID_TICKET/, 'a ticket does not outlive its session');

    app.logouts.length = 0;
    const c = await login(g, 'zhao');
    const three = await enter(c, `${app.origin}/a`);
    assert.equal((await g.cli(['disable', 'zhao'])).code, 0);
    await until('the disabled one\'s application is told', () => app.logouts.some((l) => l.ticket === three));
    await sleep(1200);
    assert.equal(app.logouts.length, 1, 'once');
  });

  test('one that does not take it is told again, also after a worker has died; one that refuses is not', async () => {
    let down = 2;
    const weak = await new Application((req, res) => { res.writeHead(down-- > 0 ? 503 : 200).end(); }).start();
    const dead = await new Application((req) => { req.socket.destroy(); }).start();
    const rude = await new Application((req, res) => { res.writeHead(404).end(); }).start();
    const own = await startCas([weak, dead, rude].map((a, i) => ({ id: ['weak', 'dead', 'rude'][i], url: `${a.origin}/`, match: 'prefix', logout: 'true' })),
      { cas: { timeout: '200ms', retry: '100ms' }, nginx: { allow: [/exited on signal 9/] } });
    try {
      const b = await login(own);
      const tickets = {};
      for (const a of [weak, dead, rude]) {
        tickets[a.origin] = ticketOf(await cas(b, `${a.origin}/x`));
        assert.match((await validate(own, `${a.origin}/x`, tickets[a.origin])).body, /Success/);
      }
      await b.get('/cas/logout');
      await until('it was told and did not take it', () => weak.hits >= 1 && dead.hits >= 1);
      const [worker] = own.nginx.workers();
      process.kill(worker, 'SIGKILL');
      await until('it has taken it', () => weak.hits === 3, 20000);
      assert.deepEqual([...new Set(weak.logouts.map((l) => l.ticket))], [tickets[weak.origin]]);
      await until('another try with the dead one', () => dead.hits >= 3, 20000);
      await sleep(1500);
      assert.equal(weak.hits, 3, 'not again');
      /* the worker may have died before it wrote that down */
      assert.ok(rude.hits <= 2, `it has said no, and was told ${rude.hits} times`);
      const later = (await Promise.all([0, 1].map((n) => own.redis.client.command('ZCARD', `{s${n}}:slr`)))).reduce((x, y) => x + y);
      assert.ok(later <= 1, 'only the dead one comes back');
    } finally {
      await own.stop();
      for (const a of [weak, dead, rude]) await a.stop();
    }
  });

  test('what is kept of it tells nothing', async () => {
    const b = await login(g);
    const ticket = await enter(b, `${app.origin}/a/kept`);
    let all = '';
    for (const key of await g.redis.client.command('KEYS', '*')) {
      const type = await g.redis.client.command('TYPE', key);
      if (type === 'list') all += (await g.redis.client.command('LRANGE', key, 0, -1)).join();
      all += key;
    }
    assert.match(all, /:sc:/);
    assert.doesNotMatch(all, new RegExp(`${ticket}|${app.origin}|limei`));
  });
});

describe('configuration', () => {
  const check = async (casBlock, auth = withSessions()) => {
    const deploy = new Deployment({ redis: 'unix:/nonexistent', auth: { ...auth, cas: casBlock } });
    try { return await testNginx({ http: `yimen_catalog ${deploy.file};` }); } finally { deploy.remove(); }
  };

  test('mistakes are named with their place', async () => {
    const cases = [
      [{ services: [{ id: 'a', url: 'https://app.example/../x' }] }, /yimen\.yaml:\d+:\d+: url is http/],
      [{ services: [{ id: 'a', url: 'https://u@app.example/' }] }, /url is http/],
      [{ services: [{ id: 'a', url: 'https://app.example/?x', match: 'prefix' }] }, /a prefix has no query/],
      [{ services: [{ id: 'A', url: APP }] }, /a service's id/],
      [{ services: [{ id: 'a', url: APP }, { id: 'a', url: OLD }] }, /stands once/],
      [{ services: [{ id: 'a', url: APP, logout: 'maybe' }] }, /logout is true, false or an address/],
      [{ services: [{ id: 'a', url: APP, attributes: ['phone'] }] }, /no such word for attributes/],
      [{ services: [{ id: 'a', url: APP, roles: ['king'] }] }, /no such word for roles/],
      [{ services: [{ id: 'a' }] }, /url/],
      [{ services: 'x' }, /auth\.cas\.services is a list/],
      [{ services: [], ticket: '2h' }, /ticket/],
      [{ services: [], speed: '1' }, /speed/],
    ];
    for (const [block, words] of cases) {
      const r = await check(block);
      assert.notEqual(r.code, 0, JSON.stringify(block));
      assert.match(r.text, words);
    }
    const r = await check({ services: [] }, { public_url: PUBLIC_URL });
    assert.match(r.text, /auth\.cas needs auth\.session/);
    assert.equal((await check({ services: [{ id: 'a', url: APP }] })).code, 0);
  });
});
