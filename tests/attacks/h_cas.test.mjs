/* SPDX-License-Identifier: Apache-2.0
 * H the CAS server: tickets used twice or elsewhere, services that are none, answers and sign-outs
 * that say what somebody else wants.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Browser } from '../lib/browser.mjs';
import { PASSWORD } from '../lib/accounts.mjs';
import { Application, cas, failure, login, nextOf, startCas, ticketOf, validate } from '../lib/cas.mjs';
import { sleep, until } from '../lib/nginx.mjs';
import { clock } from '../lib/pace.mjs';
import { Invariants } from './invariants.mjs';

const APP = 'https://app.example/cas';
const PRE = 'https://pre.example:8443/old/';

/* An application asks, and is told no, in a form that line and regex clients read, with no echo. */
function told(r, code, echo = []) {
  assert.equal(r.status, 200);
  assert.equal(r.headers['content-type'], 'application/xml; charset=utf-8');
  assert.equal(failure(r), code, r.body);
  assert.doesNotMatch(r.body, /<cas:user>|authenticationSuccess/);
  for (const text of ['ST-', ...echo]) assert.ok(!r.body.includes(text), `the answer repeats ${text}`);
}

const success = (r) => /<cas:user>([^<]*)<\/cas:user>/.exec(r.body)?.[1] ?? null;

describe('the CAS server', () => {
  let g, inv, b;
  const ticket = async (service = APP, who = b) => inv.secret(ticketOf(await cas(who, service)));

  before(async () => {
    g = await startCas([
      { id: 'app', url: APP, attributes: '[name, email]' },
      { id: 'pre', url: PRE, match: 'prefix' },
      { id: 'ids', url: 'https://ids.example/', match: 'prefix', user: 'subject' },
    ], {
      accounts: {
        limei: { roles: 'staff', name: '</cas:name><cas:user>admin</cas:user> ]]> & "x"', email: 'limei@example.cn' },
        zhao: { roles: 'staff' }, gone: { roles: 'staff' },
      },
    });
    inv = new Invariants(g);
    inv.secret(PASSWORD);
    b = await login(g);
  });
  after(async () => {
    try { inv.done(); } finally { await g.stop(); }
  });

  test('H146 a ticket is good once: a replay is refused, and of 50 at the same time one wins', async () => {
    const one = await ticket();
    assert.equal(success(await validate(g, APP, one)), 'limei');
    for (const path of ['/cas/serviceValidate', '/cas/p3/serviceValidate', '/cas/proxyValidate', '/cas/p3/proxyValidate']) {
      told(await validate(g, APP, one, path), 'INVALID_TICKET', [one]);
    }
    assert.equal((await validate(g, APP, one, '/cas/validate')).body, 'no\n\n');
    const many = await ticket();
    const all = await Promise.all(Array.from({ length: 50 }, () => validate(g, APP, many)));
    assert.equal(all.filter((r) => success(r) === 'limei').length, 1);
    assert.equal(all.filter((r) => failure(r) === 'INVALID_TICKET').length, 49);
    inv.alive();
  });

  test('H147 for another service it is refused and burnt', async () => {
    for (const other of [
      'https://app.example/cas/', 'https://app.example/cas/sub', 'https://app.example/', 'http://app.example/cas',
      'https://app.example:8443/cas', 'https://app.example.evil.test/cas', 'https://app.example/cas?x=1',
      'https://evil.test/cas', PRE, 'nonsense', 'https://user@app.example/cas', 'https://app.example/cas#x',
    ]) {
      const t = await ticket();
      told(await validate(g, other, t), 'INVALID_SERVICE', [other]);
      told(await validate(g, APP, t), 'INVALID_TICKET');
    }
    const deep = await ticket(`${PRE}a?b=1`);
    told(await validate(g, `${PRE}a`, deep), 'INVALID_SERVICE');
    told(await validate(g, `${PRE}a?b=1`, deep), 'INVALID_TICKET');
    inv.alive();
  });

  test('H148 percent-encoding in small and capital letters is the same', async () => {
    const service = `${PRE}%e6%9d%91/?q=a%3ab`;
    const lower = (s) => encodeURIComponent(s).replace(/%../g, (x) => x.toLowerCase());
    for (const [at, then] of [[lower, encodeURIComponent], [encodeURIComponent, lower], [lower, lower]]) {
      const r = await b.get(`/cas/login?service=${at(service)}`);
      const t = inv.secret(ticketOf(r));
      const answer = await g.nginx.request('GET', `/cas/serviceValidate?service=${then(service)}&ticket=${t}`);
      assert.equal(success(answer), 'limei', answer.body);
    }
    const t = await ticket(service);
    assert.equal(success(await validate(g, `${PRE}%E6%9D%91/?q=a%3Ab`, t)), 'limei', 'inside the address as well');
    const host = await ticket('HTTPS://APP.example:443/cas');
    assert.equal(success(await validate(g, APP, host)), 'limei', 'case of scheme and host, the port that is meant anyway');
  });

  test('H149 what is no registered service gets an error page: no redirect, no ticket', async () => {
    const bad = [
      'https://evil.test/', '//evil.test', '///evil.test', '/\\evil.test', 'javascript:alert(1)', 'JaVaScRiPt:alert(1)',
      'data:text/html,x', 'ftp://app.example/cas', 'https:app.example', 'https://app.example@evil.test/cas',
      'https://evil.test/https://app.example/cas', 'https://app.example.evil.test/cas', 'https://evil-app.example/cas',
      'https://app.example:8443/cas', 'http://app.example/cas', 'https://app.example./cas', 'https://app.example\\@evil.test/cas',
      'https://app.example/cas\r\nSet-Cookie: x=1', 'https://app.example/cas%0d%0aSet-Cookie:x', 'https://app.example/cas#evil',
      'https://app.example/cas/../admin', 'https://app.example/casino', `${PRE}../admin`, `${PRE}..;/admin`, `${PRE}%2e%2e/admin`,
      `${PRE}%2fadmin`, `${PRE}a\\..\\b`, 'https://pre.example:8443/oldest/', `${PRE}?ticket=ST-1`, `${PRE}?%74icket=ST-1`,
      `https://pre.example:8443/old/${'a'.repeat(2000)}`, 'https://app．example/cas', 'cas', '"><script>alert(1)</script>',
    ];
    const stranger = new Browser(g.nginx);
    for (const service of bad) {
      for (const more of ['', '&gateway=true', '&renew=true']) {
        for (const who of [b, stranger]) {
          const r = await cas(who, service, more);
          assert.equal(r.headers.location, undefined, service);
          assert.equal(r.headers.refresh, undefined, service);
          inv.refused(r, 400, { page: true });
          assert.match(r.headers['content-type'], /^text\/html/);
          assert.doesNotMatch(r.body, /ST-|<script>|evil/);
        }
      }
    }
    for (const raw of ['%zz', '%00', 'https://app.example/cas%00', '%ff%fe']) {
      inv.refused(await b.get(`/cas/login?service=${raw}`), 400, { page: true });
    }
    inv.refused(await b.get(`/cas/login?service=${encodeURIComponent(APP)}&service=https://evil.test/`), 400, { page: true });
    for (const service of ['https://evil.test/', '//evil.test', 'javascript:alert(1)', 'https://app.example/cas\r\nX: y', 'https://u@app.example/cas']) {
      for (const name of ['service', 'url']) {
        const c = await login(g);
        const r = await c.get(`/cas/logout?${name}=${encodeURIComponent(service)}`);
        assert.equal(r.headers.location, undefined);
        inv.refused(r, 400, { page: true });
        assert.equal(await c.who(), null, 'signed out all the same');
      }
    }
    assert.ok(await b.who(), 'the other session is as it was');
  });

  test('H150 renew asks for credentials, gateway comes back without a ticket, renew wins over gateway', async () => {
    const stranger = new Browser(g.nginx);
    const back = await cas(stranger, APP, '&gateway=true');
    assert.deepEqual([back.status, back.headers.location], [303, APP]);
    assert.match((await cas(stranger, APP, '&gateway=true&renew=true')).headers.location, /\/auth\/login\?/);
    const c = await login(g, 'zhao');
    assert.match((await cas(c, APP, '&gateway=true')).headers.location, /ticket=ST-/, 'with a session gateway gives a ticket');

    await sleep(1100);
    const asked = await cas(c, APP, '&renew=true');
    assert.equal(asked.status, 303);
    const to = new URL(asked.headers.location);
    assert.deepEqual([to.pathname, to.searchParams.get('again')], ['/auth/login', '1']);
    const rd = to.searchParams.get('rd');

    /* to go back without having signed in is of no use, nor is a moment that one makes oneself */
    const early = await c.get(rd);
    inv.refused(early, 403, { page: true });
    assert.equal(early.headers.location, undefined);
    const forged = rd.replace(/since=\d+-/, 'since=1-');
    assert.match((await c.get(forged)).headers.location, /\/auth\/login\?again=1/);
    const other = rd.replace(encodeURIComponent(APP), encodeURIComponent(PRE));
    assert.notEqual(other, rd);
    assert.match((await c.get(other)).headers.location, /\/auth\/login\?again=1/, 'a moment is for its service');

    const page = await c.get(to.pathname + to.search);
    assert.equal(page.status, 200, 'asked although a session is there');
    const done = await c.submit({ name: 'zhao', password: PASSWORD });
    const fresh = inv.secret(ticketOf(await c.get(nextOf(done))));
    const answer = await validate(g, APP, fresh, '/cas/p3/serviceValidate', '&renew=true');
    assert.equal(success(answer), 'zhao');
    assert.match(answer.body, /<cas:isFromNewLogin>true</);

    const plain = await ticket(APP, c);
    told(await validate(g, APP, plain, '/cas/serviceValidate', '&renew=true'), 'INVALID_TICKET');
    told(await validate(g, APP, plain), 'INVALID_TICKET');
  });

  test('H151 what a ticket, a name or an attribute holds stays text', async () => {
    const r = await validate(g, APP, await ticket(), '/cas/p3/serviceValidate');
    assert.equal([...r.body.matchAll(/<cas:user>/g)].length, 1);
    assert.match(r.body, /<cas:name>&lt;\/cas:name&gt;&lt;cas:user&gt;admin&lt;\/cas:user&gt; \]\]&gt; &amp; &quot;x&quot;<\/cas:name>/);
    for (const bad of ['ST-</cas:user><cas:user>admin', 'ST-]]>', 'ST-&amp;x', 'ST-\u0001\u0002', 'ST-<script>']) {
      told(await validate(g, APP, bad), 'INVALID_TICKET', [bad, bad.slice(3)]);
      told(await validate(g, APP, bad, '/cas/p3/serviceValidate'), 'INVALID_TICKET', [bad.slice(3)]);
    }
    told(await validate(g, 'https://app.example/</cas:user>&', await ticket()), 'INVALID_SERVICE', ['</cas:user>&']);
  });

  test('H152 a ticket that carries parameters, is huge, ends early or is a pattern', async () => {
    const good = await ticket();
    const evil = encodeURIComponent('https://evil.test/');
    for (const raw of [
      `${good}%26service=${evil}`, `${good}%26service%3d${evil}`, `ST-${'a'.repeat(6000)}`, `${good}%00`, `${good}%20`, `%20${good}`,
      'ST-*', 'ST-%3f%3f%3f', '*', 'ST-[a-z]*', good.slice(0, -1), `${good}0`, good.replace('ST-', 'PT-'), good.replace('ST-', 'st-'),
      good.toUpperCase(), `..%2f${good}`, '%ff%fe',
    ]) {
      const r = await g.nginx.request('GET', `/cas/serviceValidate?service=${encodeURIComponent(APP)}&ticket=${raw}`);
      assert.equal(r.status, 200, raw);
      assert.ok(['INVALID_TICKET', 'INVALID_REQUEST'].includes(failure(r)), `${raw}: ${r.body}`);
      assert.equal(success(r), null);
    }
    for (const query of [`ticket=${good}&service=${evil}&service=${encodeURIComponent(APP)}`, `ticket=${good}&ticket=x&service=${evil}`,
      `ticket=${good}`, `service=${encodeURIComponent(APP)}`, '', 'ticket=&service=', '%zz']) {
      told(await g.nginx.request('GET', `/cas/serviceValidate?${query}`), 'INVALID_REQUEST');
    }
    assert.equal(success(await validate(g, APP, good)), 'limei', 'none of them has touched the ticket');
    inv.alive();
  });

  test('H153 nothing is fetched for pgtUrl, and no proxy ticket is given', async () => {
    const trap = await new Application().start();
    try {
      for (const path of ['/cas/serviceValidate', '/cas/proxyValidate', '/cas/p3/serviceValidate', '/cas/p3/proxyValidate']) {
        for (const url of [`${trap.origin}/pgt`, 'https://169.254.169.254/latest', `${PRE}pgt`]) {
          const r = await validate(g, APP, await ticket(), path, `&pgtUrl=${encodeURIComponent(url)}`);
          assert.equal(success(r), 'limei');
          assert.doesNotMatch(r.body, /proxyGrantingTicket|PGT/);
        }
      }
      await sleep(300);
      assert.equal(trap.hits, 0);
      assert.equal((await g.nginx.request('GET', `/cas/proxy?pgt=PGT-1&targetService=${encodeURIComponent(APP)}`)).status, 404);
    } finally { await trap.stop(); }
  });

  test('H154 samlValidate is not there: no XML of a stranger is read, however large', async () => {
    const bodies = [
      '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
      `<!DOCTYPE l [<!ENTITY a "${'ha'.repeat(50)}"><!ENTITY b "${'&a;'.repeat(50)}"><!ENTITY c "${'&b;'.repeat(50)}">]><x>&c;</x>`,
      `<x>${'y'.repeat(900 * 1024)}</x>`,
    ];
    for (const body of bodies) {
      for (const path of ['/cas/samlValidate', '/cas/samlValidate?TARGET=https%3A%2F%2Fapp.example%2Fcas']) {
        const r = await g.nginx.request('POST', path, { body, headers: { 'content-type': 'text/xml' } });
        inv.refused(r, 404);
      }
    }
    const r = await g.nginx.raw(`POST /cas/samlValidate HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: ${10 * 1024 * 1024}\r\nConnection: close\r\n\r\n<x>`);
    assert.match(r, /^HTTP\/1\.1 (404|413) /, 'answered before the body is there');
    inv.refused(await g.nginx.request('POST', '/cas/serviceValidate', { body: '<x/>', headers: { 'content-type': 'text/xml' } }), 405);
    inv.alive();
  });

  test('H156 prolog and root stand on lines of their own, one element a line', async () => {
    for (const [r, word] of [
      [await validate(g, APP, await ticket()), 'Success'], [await validate(g, APP, 'ST-1'), 'Failure'],
      [await validate(g, APP, await ticket(), '/cas/p3/serviceValidate'), 'Success'],
    ]) {
      const lines = r.body.split('\n');
      assert.equal(lines[0], '<?xml version="1.0" encoding="UTF-8"?>');
      assert.equal(lines[1], '<cas:serviceResponse xmlns:cas="http://www.yale.edu/tp/cas">');
      assert.match(lines[2], new RegExp(`^ {2}<cas:authentication${word}[^>]*>$`));
      assert.deepEqual(lines.slice(-3), [`  </cas:authentication${word}>`, '</cas:serviceResponse>', '']);
      for (const line of lines.slice(3, -3)) assert.match(line, /^ +(?:<cas:\w+>[^<]*<\/cas:\w+>|<\/?cas:attributes>|[\w ,]+)$/);
    }
    assert.equal((await validate(g, APP, await ticket(), '/cas/validate')).body.split('\n').length, 3);
  });

  test('H157 too old, after sign-out, after a revoke, of a disabled account', async () => {
    const c = await login(g, 'gone');
    const after1 = await ticket(APP, c);
    await c.get('/cas/logout');
    told(await validate(g, APP, after1), 'INVALID_TICKET');

    const d = await login(g, 'gone');
    const after2 = await ticket(APP, d);
    assert.equal((await g.call('admin', 'DELETE', `/sessions?person=local:${g.ids.gone}`)).status, 200);
    told(await validate(g, APP, after2), 'INVALID_TICKET');

    const e = await login(g, 'gone');
    const after3 = await ticket(APP, e);
    assert.equal((await g.cli(['disable', 'gone'])).code, 0);
    told(await validate(g, APP, after3), 'INVALID_TICKET');

    /* what Redis keeps is the life of a ticket, not more: the TTL is the one configured */
    const t = await ticket();
    const keys = await g.redis.client.command('KEYS', '*:on:cas:*');
    const left = Math.max(...await Promise.all(keys.map((k) => g.redis.client.command('PTTL', k))));
    assert.ok(left > 0 && left <= 20000, `${left} ms`);
    for (const k of keys) await g.redis.client.command('PEXPIRE', k, 1);
    await sleep(20);
    told(await validate(g, APP, t), 'INVALID_TICKET');
  });

  test('H157 a ticket that was changed, or put under another name, is none', async () => {
    const t = await ticket(), mine = await ticket();
    const keys = await g.redis.client.command('KEYS', '*:on:cas:*');
    const values = await Promise.all(keys.map((k) => g.redis.client.command('GET', k)));
    assert.equal(keys.length, 2);
    await g.redis.client.command('SET', keys[0], values[1]);
    await g.redis.client.command('SET', keys[1], 'cas 1\n0\n');
    told(await validate(g, APP, t), 'INVALID_TICKET');
    told(await validate(g, APP, mine), 'INVALID_TICKET');
    inv.alive();
  });

  test('H158 Host and X-Forwarded-* say nothing about the service or the way back', async () => {
    const lies = { host: 'evil.test', 'x-forwarded-host': 'evil.test', 'x-forwarded-proto': 'http', 'x-forwarded-server': 'evil.test', forwarded: 'host=evil.test' };
    const stranger = new Browser(g.nginx, { headers: lies });
    const r = await cas(stranger, APP);
    assert.match(r.headers.location, /^https:\/\/yimen\.example\/auth\/login\?rd=/);
    assert.doesNotMatch(r.headers.location, /evil/);
    const signed = await b.get(`/cas/login?service=${encodeURIComponent(APP)}`, lies);
    const t = inv.secret(ticketOf(signed));
    assert.match(signed.headers.location, /^https:\/\/app\.example\/cas\?/);
    told(await validate(g, 'https://evil.test/cas', t, '/cas/serviceValidate', '', lies), 'INVALID_SERVICE');
    const again = await ticket();
    assert.equal(success(await validate(g, APP, again, '/cas/serviceValidate', '', lies)), 'limei');
  });

  test('strangers cannot fill the audit: what is more than a few a second is one entry with a number', async () => {
    const A_SECOND = 20;
    const length = async () => Number(await g.redis.client.command('XLEN', '{s0}:audit')) + Number(await g.redis.client.command('XLEN', '{s1}:audit'));
    await sleep(1100);
    const before = await length();
    const from = Math.floor(Date.now() / 1000);
    let refusals = 0;
    await inv.undisturbed(async () => {
      for (let i = 0; i < 10; i++, refusals += 50) await Promise.all(Array.from({ length: 50 }, () => validate(g, APP, `ST-${'0'.repeat(48)}`)));
    }, { rounds: 5 });
    await sleep(1100);
    await validate(g, APP, 'ST-1');
    const list = await until('a count', async () => {
      const r = await g.call('auditor', 'GET', '/audit?limit=200');
      return r.json.items.some((i) => i.what === 'cas_refused' && /^not_written=\d+$/.test(i.why)) ? r.json.items : null;
    });
    const written = await length() - before;
    const seconds = Math.floor(Date.now() / 1000) - from + 1;
    const most = seconds * g.nginx.options.workers * (A_SECOND + 1);
    assert.ok(written <= most, `${written} entries of ${refusals} refusals in ${seconds} s, not more than ${most}`);
    assert.ok(list.length > 0);
  });
});

describe('the end of a session is told', () => {
  test('H155 to registered addresses only, once, without redirects, and nobody waits for it', async () => {
    const trap = await new Application().start();
    const hung = await new Application(() => {}).start();
    const moved = await new Application((req, res) => { res.writeHead(302, { location: `${trap.origin}/stolen` }).end(); }).start();
    const app = await new Application().start();
    const inside = await new Application().start();
    const list = (more = []) => [
      { id: 'app', url: `${app.origin}/`, match: 'prefix', logout: 'true' },
      { id: 'hung', url: `${hung.origin}/`, match: 'prefix', logout: 'true' },
      { id: 'moved', url: `${moved.origin}/`, match: 'prefix', logout: 'true' },
      { id: 'inside', url: `${inside.origin}/`, match: 'prefix', logout: 'true', inside: 'false' },
      { id: 'meta', url: 'http://169.254.169.254/', match: 'prefix', logout: 'true' }, ...more,
    ];
    let g;
    try {
      g = await startCas(list([{ id: 'left', url: `${trap.origin}/`, match: 'prefix', logout: 'true' }]), { cas: { timeout: '500ms' } });
      const inv = new Invariants(g);
      const b = await login(g);
      const enter = async (service) => {
        const t = inv.secret(ticketOf(await cas(b, service)));
        assert.equal(success(await validate(g, service, t)), 'limei');
        return t;
      };
      const mine = await enter(`${app.origin}/a?b=1`);
      for (const a of [hung, moved, inside, trap]) await enter(`${a.origin}/x`);
      await enter('http://169.254.169.254/latest');

      /* one is taken out of the configuration */
      g.deploy.auth.cas.services = list();
      g.deploy.write();
      await g.nginx.reload();
      inv.pids = g.nginx.workers();

      const ms = clock();
      const r = await b.get('/cas/logout');
      assert.equal(r.status, 200);
      assert.ok(ms() < 400, `the person does not wait for 500 ms of silence: ${ms()} ms`);
      await until('told', () => app.logouts.length && moved.hits && hung.hits);
      await until('given up', () => /service=hung status=0/.test(g.nginx.log()));
      await sleep(1200);
      assert.deepEqual(app.logouts.map((l) => [l.url, l.ticket]), [['/a?b=1', mine]]);
      assert.equal(app.hits, 1, 'once');
      assert.equal(moved.hits, 1);
      assert.equal(trap.hits, 0, 'no redirect followed, and who is not registered any more hears nothing');
      assert.equal(inside.hits, 0, 'inside: false');
      assert.match(g.nginx.log(), /service=inside status=0/);
      assert.match(g.nginx.log(), /service=meta status=0/);
      const xml = app.logouts[0].xml;
      assert.match(xml, /^<samlp:LogoutRequest [^>]*ID="_[0-9a-f]{32}" Version="2\.0" IssueInstant="20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ">/);
      assert.doesNotMatch(xml, /limei|local:/, 'it names nobody');
      assert.deepEqual(Object.keys(app.logouts[0].headers).filter((h) => ['cookie', 'authorization'].includes(h)), []);
      inv.done();
    } finally {
      await g?.stop();
      for (const a of [trap, hung, moved, app, inside]) await a.stop();
    }
  });
});

export const NOT_HERE = {
  'H157 (another tenant)': 'A gateway serves one; a person\'s session is what a ticket is bound to.',
};
