/* SPDX-License-Identifier: Apache-2.0
 * G local accounts: guessing, locking out, telling who exists, forging sign-ins.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { Browser, encode } from '../lib/browser.mjs';
import { PASSWORD, code, enrol, startAccounts } from '../lib/accounts.mjs';
import { PUBLIC_URL } from '../lib/gateway.mjs';
import { sleep, until } from '../lib/nginx.mjs';
import { clock } from '../lib/pace.mjs';
import { digest, sealBytes } from '../lib/seal.mjs';
import { Invariants, rawRequest } from './invariants.mjs';

const WRONG = 'wrong-wrong-wrong';
const FRESH = 'river-8-gate-moon';

/* A form that was fetched once, sent many times: cookie and token stay good. */
async function guesser(g, headers) {
  const b = new Browser(g.nginx, { headers });
  await b.get('/auth/login');
  const { hidden } = b.form;
  return (name, password, more = {}) => b.post('/auth/login', { ...hidden, name, password }, more);
}

/* Welch's t of two samples without their slowest tenth: the machine's hiccups are not the code's. */
function welch(a, b) {
  const cut = (list) => [...list].sort((x, y) => x - y).slice(0, Math.ceil(list.length * 0.9));
  const [x, y] = [cut(a), cut(b)];
  const mean = (l) => l.reduce((s, v) => s + v, 0) / l.length;
  const spread = (l) => { const m = mean(l); return l.reduce((s, v) => s + (v - m) ** 2, 0) / (l.length - 1) / l.length; };
  return (mean(x) - mean(y)) / Math.sqrt(spread(x) + spread(y));
}

describe('local accounts', () => {
  let g, inv;
  before(async () => {
    g = await startAccounts({
      mei: { roles: 'staff', email: 'mei@example.cn', aliases: '梅,Mei2' }, closed: {}, bo: {}, ann: {}, eve: {},
    }, { local: { free_tries: '1000' } });
    await g.cli(['disable', 'closed']);
    const r = await g.call('admin', 'POST', '/users', { body: { login: 'empty', roles: ['staff'] } });
    assert.equal(r.status, 201);
    inv = new Invariants(g);
    inv.secret(PASSWORD, WRONG, FRESH);
  });
  after(async () => {
    let secrets = [];
    try { inv.done(); } finally {
      secrets = await dump(g.redis.client);
      await g.stop();
    }
    for (const word of ['mei@example.cn', '梅', PASSWORD, FRESH, WRONG]) {
      assert.deepEqual(secrets.filter((t) => t.includes(word)), [], `Redis holds ${word}`);
    }
  });

  /* Every key and value that Redis has, as text. */
  async function dump(c) {
    const out = [];
    for (const key of await c.command('KEYS', '*')) {
      out.push(key, String(await c.command('DUMP', key).catch(() => '')));
      const type = await c.command('TYPE', key);
      if (type === 'hash') out.push(...await c.command('HGETALL', key));
      if (type === 'string') out.push(await c.command('GET', key));
      if (type === 'stream') out.push(JSON.stringify(await c.command('XRANGE', key, '-', '+')));
    }
    return out.map(String);
  }

  test('G134 known, unknown, closed and empty accounts look the same', async () => {
    const seen = [];
    for (const name of ['mei', 'nobody', 'closed', 'empty', 'mei@example.cn', 'no@example.cn']) {
      const b = new Browser(g.nginx);
      const r = await b.signInAs(name, WRONG);
      inv.refused(r, 403, { page: true });
      const headers = { ...r.headers };
      delete headers.date;
      delete headers['content-length'];
      seen.push({ headers, cookies: [...b.cookies.keys()], body: r.body.replaceAll(name, 'NAME').replace(/value="[0-9a-f]{64}"/g, '') });
    }
    for (const one of seen) assert.deepEqual(one, seen[0]);
  });

  test('G134 and take the same time (Welch, 200 each)', async () => {
    const guess = await guesser(g);
    const pairs = [['mei', 'nobody'], ['empty', 'nobody']];
    for (const pair of pairs) {
      const times = [[], []];
      let t = Infinity;
      /* a busy machine gets a second chance: what the code gives away, it gives away every time */
      for (let round = 0; round < 3 && Math.abs(t) > 4.5; round++) {
        times[0] = [];
        times[1] = [];
        for (let i = 0; i < 400; i++) {
          const which = crypto.randomInt(2);
          if (times[which].length >= 200) continue;
          const from = process.hrtime.bigint();
          await guess(pair[which], WRONG);
          times[which].push(Number(process.hrtime.bigint() - from) / 1e6);
        }
        t = welch(...times);
      }
      assert.ok(times[0].length > 100 && times[1].length > 100);
      assert.ok(Math.abs(t) <= 4.5, `${pair}: t = ${t.toFixed(2)}`);
    }
    assert.equal((await g.redis.client.command('KEYS', '{s0}:tr:*')).length, 0);
  });

  test('G139 passwords of every length and form: bounded time, nothing cut', async () => {
    const guess = await guesser(g);
    const timed = async (send) => {
      const ms = clock();
      const r = await send();
      assert.ok(ms() < 3000, `within bounded time: ${ms()} ms`);
      inv.alive();
      return r;
    };
    for (const password of ['', 'x', 'x'.repeat(73), 'x'.repeat(1024), 'x'.repeat(1025), 'x'.repeat(4096), 'x'.repeat(60000)]) {
      inv.refused(await timed(() => guess('mei', password)), 403, { page: true });
    }
    const b = new Browser(g.nginx);
    await b.get('/auth/login');
    const { hidden } = b.form;
    for (const raw of ['a%00b', '%ff%fe', '%ed%a0%80', 'a%0ab', '%zz']) {
      inv.refused(await timed(() => b.post('/auth/login', `${encode({ ...hidden, name: 'mei' })}&password=${raw}`)), [400, 403], { page: true });
    }
    const huge = await timed(() => b.post('/auth/login', encode({ ...hidden, name: 'mei', password: 'x'.repeat(1 << 20) })).catch((e) => ({ status: 413, reset: e.code })));
    assert.equal(huge.status, 413);

    /* each byte of the longest counts; letters are the same however they are composed */
    const long = `${'Lange-Reihe-0123456789-'.repeat(60).slice(0, 1023)}`;
    await g.add('long', { password: `${long}a` });
    assert.equal((await guess('long', `${long}b`)).status, 403);
    assert.equal((await guess('long', long)).status, 403);
    assert.equal((await guess('long', long.slice(0, 72))).status, 403);
    assert.equal((await guess('long', `${long}a`)).status, 303);
    await g.add('accent', { password: 'caf\u00e9-gate-moon' });
    assert.equal((await guess('accent', 'cafe\u0301-gate-moon')).status, 303);
    assert.equal((await guess('accent', 'cafe-gate-moon')).status, 403);
  });

  test('G141 forms that no page of ours sent', async () => {
    const b = new Browser(g.nginx), other = new Browser(g.nginx);
    await b.get('/auth/login');
    await other.get('/auth/login');
    const good = { ...b.form.hidden, name: 'mei', password: PASSWORD };
    const cookies = new Map(b.cookies);
    for (const headers of [{ origin: undefined }, { origin: 'null' }, { origin: 'https://evil.test' }, { origin: 'https://yimen.example.evil.test' },
      { origin: 'https://yimen.example:8443' }, { origin: 'http://yimen.example' }, { origin: '' }, { origin: 'https://yimen.example/' },
      { origin: 'https://evil.test', referer: `${PUBLIC_URL}/auth/login` }, { cookie: undefined }, { cookie: '__Host-yimen-form=' }]) {
      inv.refused(await b.post('/auth/login', good, headers), 403, { page: true });
      b.cookies = new Map(cookies);
    }
    for (const form of [undefined, '', 'x', '0'.repeat(64), other.form.hidden.form, `${good.form} `, good.form.toUpperCase()]) {
      inv.refused(await b.post('/auth/login', { ...good, form }), 403, { page: true });
    }
    inv.refused(await b.post('/auth/login', good, { 'content-type': 'text/plain' }), 415, { page: true });
    inv.refused(await b.post('/auth/login', JSON.stringify(good), { 'content-type': 'application/json' }), 415, { page: true });
    inv.refused(await b.post('/auth/login', `${encode(good)}&name=bo`), 400, { page: true });
    assert.equal(await b.who(), null);
    assert.equal((await b.post('/auth/login', good)).status, 303, 'and one that did');

    /* what would sign a victim in as the attacker */
    await b.get('/auth/password');
    const change = { ...b.form.hidden, password: PASSWORD, fresh: FRESH, again: FRESH };
    for (const page of ['/auth/password', '/auth/totp', '/auth/reset', '/auth/login/code']) {
      inv.refused(await b.post(page, change, { origin: 'https://evil.test' }), 403, { page: true });
      inv.refused(await b.post(page, { ...change, form: other.form.hidden.form }), 403, { page: true });
    }
    assert.equal((await new Browser(g.nginx).signInAs('mei', PASSWORD)).status, 303, 'nothing was changed');
  });

  test('G141 cookies in several headers: the form\'s is found; of two that differ none is taken', async () => {
    const b = new Browser(g.nginx);
    await b.get('/auth/login');
    const body = encode({ ...b.form.hidden, name: 'mei', password: PASSWORD });
    const cookie = `__Host-yimen-form=${b.cookies.get('__Host-yimen-form')}`;
    const send = (...lines) => rawRequest(g.nginx, `POST /auth/login HTTP/1.1\r\nHost: yimen.example\r\nConnection: close\r\nOrigin: ${PUBLIC_URL}\r\nAccept: text/html\r\nSec-Fetch-Mode: navigate\r\n`
      + `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${lines.map((l) => `Cookie: ${l}\r\n`).join('')}\r\n${body}`);
    const planted = `__Host-yimen-form=${'A'.repeat(22)}`;
    for (const lines of [[planted, cookie], [cookie, planted], [`${cookie}; ${planted}`], [planted, 'a=b', cookie], ['a=b']]) inv.refused(await send(...lines), 403, { page: true });
    for (const lines of [['a=b', cookie], [cookie, 'a=b', cookie], [`a=b; ${cookie}`, 'c=d']]) assert.equal((await send(...lines)).status, 303, lines.join());
  });

  test('G141 a password in an address: 405, and in no log', async () => {
    const b = new Browser(g.nginx);
    const r = await b.get(`/auth/login?name=mei&password=${PASSWORD}`);
    inv.refused(r, 405, { page: true });
    assert.doesNotMatch(r.body, new RegExp(PASSWORD));
    for (const method of ['PUT', 'DELETE', 'PATCH']) {
      const other = await b.request(method, `/auth/login?password=${PASSWORD}`, { headers: { origin: PUBLIC_URL } });
      assert.equal(other.status, 405);
    }
    assert.doesNotMatch(g.nginx.log(), new RegExp(PASSWORD));
  });

  test('G142 one-time codes: once, in their window, in the browser that knew the password', async () => {
    const b = new Browser(g.nginx);
    assert.equal((await b.signInAs('ann', PASSWORD)).status, 303);
    const { secret, codes } = await enrol(b);
    inv.secret(secret, ...codes);

    const one = new Browser(g.nginx), two = new Browser(g.nginx);
    await one.signInAs('ann', PASSWORD);
    await two.signInAs('ann', PASSWORD);
    assert.equal(await one.who(), null);
    /* enrolment used the step before: this one and the next are left */
    for (const offset of [-3, -2, 2, 3]) inv.refused(await one.submit({ code: code(secret, offset) }), 403, { page: true });
    const now = code(secret, 1);
    assert.equal((await one.submit({ code: now })).status, 303, one.alert);
    inv.refused(await two.submit({ code: now }), 403, { page: true });
    inv.refused(await two.submit({ code: code(secret, 0) }), 403, { page: true });
    assert.equal(await two.who(), null);

    /* the step of one browser is nothing in another, and nothing when it was altered */
    const step = two.form.hidden.step, thief = new Browser(g.nginx);
    await thief.get('/auth/login');
    const { form, rd } = thief.form.hidden;
    for (const s of [step, '', `${step.slice(0, -2)}AA`, 'x'.repeat(2000)]) {
      inv.refused(await thief.post('/auth/login/code', { form, rd, step: s, code: codes[0] }), 403, { page: true });
    }

    /* recovery codes: each once, even when it comes twice at the same time */
    const tries = await Promise.all([0, 1].map(async () => {
      const x = new Browser(g.nginx);
      await x.signInAs('ann', PASSWORD);
      return x;
    }));
    const both = await Promise.all(tries.map((x) => x.submit({ code: codes[1] })));
    assert.deepEqual(both.map((r) => r.status).sort(), [303, 403]);
    const late = new Browser(g.nginx);
    await late.signInAs('ann', PASSWORD);
    inv.refused(await late.submit({ code: codes[1] }), 403, { page: true });
    assert.equal((await late.submit({ code: codes[2].toUpperCase().replaceAll('-', ' ') })).status, 303, late.alert);
  });

  test('G143 a new factor or password ends every other session', async () => {
    const here = new Browser(g.nginx), there = new Browser(g.nginx);
    await here.signInAs('bo', PASSWORD);
    await there.signInAs('bo', PASSWORD);
    await enrol(here);
    await until('the other is out', async () => (await there.who()) === null, 1000);
    assert.ok(await here.who());
    assert.equal((await g.cli(['totp', 'bo', '--off'])).code, 0);
    await until('by the administrator too', async () => (await here.who()) === null, 1000);
  });

  test('G143 a reset link: once, fifteen minutes, whatever Host says', async () => {
    const link = async (headers = {}) => g.call('admin', 'POST', `/users/${g.ids.eve}/reset`, { body: {}, headers });
    const made = await link({ host: 'evil.test', 'x-forwarded-host': 'evil.test', forwarded: 'host=evil.test' });
    assert.equal(made.status, 200, made.body);
    assert.ok(made.json.link.startsWith(`${PUBLIC_URL}/auth/reset?t=`), made.json.link);
    const ms = Date.parse(made.json.link_expires_at) - Date.now();
    assert.ok(ms > 14 * 60000 && ms <= 15 * 60000, String(ms));
    const path = made.json.link.slice(PUBLIC_URL.length);
    inv.secret(path.slice(path.indexOf('=') + 1));

    const session = new Browser(g.nginx), b = new Browser(g.nginx);
    assert.equal((await session.signInAs('eve', PASSWORD)).status, 303);
    for (let i = 0; i < 2; i++) assert.equal((await b.get(path)).status, 200, 'looking uses nothing up');
    for (const [fresh, again] of [['short', 'short'], [FRESH, `${FRESH}x`], ['eve-eve-eve', 'eve-eve-eve']]) {
      inv.refused(await b.submit({ fresh, again }), 403, { page: true });
    }
    const late = new Browser(g.nginx);
    await late.get(path);
    const both = await Promise.all([b.submit({ fresh: FRESH, again: FRESH }), late.submit({ fresh: `${FRESH}-2`, again: `${FRESH}-2` })]);
    assert.deepEqual(both.map((r) => r.status).sort(), [200, 403]);
    inv.refused(await b.get(path), 403, { page: true });
    await until('its sessions are over', async () => (await session.who()) === null, 1000);
    const right = both[0].status === 200 ? FRESH : `${FRESH}-2`;
    assert.equal((await session.signInAs('eve', right)).status, 303);

    /* made with the very key, but too old; altered; of another kind */
    const seal = (kind, text) => sealBytes(g.deploy.ring, kind, text.replace('DIGEST', digest(g.deploy.ring, kind, ''))).toString('base64url');
    const version = (await g.redis.client.fcall('ym_account_get', '{s0}', g.ids.eve))[1];
    const ticket = (end, kind = 'reset') => seal(kind, `${Date.now() + end} DIGEST ${g.ids.eve} ${version}`);
    assert.equal((await b.get(`/auth/reset?t=${ticket(1000)}`)).status, 200, 'the test makes them rightly');
    inv.refused(await b.get(`/auth/reset?t=${ticket(-1)}`), 403, { page: true });
    inv.refused(await b.get(`/auth/reset?t=${ticket(1000, 'login-step')}`), 403, { page: true });
    inv.refused(await b.get(`/auth/reset?t=${ticket(1000).slice(0, -3)}AAA`), 403, { page: true });
    for (const t of ['', 'x', 'A'.repeat(3000), '%00', '../../']) inv.refused(await b.get(`/auth/reset?t=${t}`), 403, { page: true });
  });

  test('G144 self-service changes nothing but what it is for', async () => {
    const b = new Browser(g.nginx);
    await b.signInAs('mei', PASSWORD);
    await b.get('/auth/password');
    const r = await b.submit({ password: PASSWORD, fresh: FRESH, again: FRESH, roles: 'admin', role: 'admin', disabled: '0', id: g.ids.bo, subject: `local:${g.ids.bo}` });
    assert.equal(r.status, 200, b.alert);
    assert.deepEqual((await b.who()).roles, ['staff']);
    assert.equal((await b.who()).subject, `local:${g.ids.mei}`);
    const { csrf } = await b.who();
    for (const [method, path, body] of [['PATCH', `/api/v1/users/${g.ids.mei}`, { roles: ['admin'] }], ['POST', '/api/v1/users', { login: 'x', roles: ['admin'] }]]) {
      const refused = await b.request(method, path, { headers: { accept: 'application/json', 'sec-fetch-mode': 'cors', origin: PUBLIC_URL, 'x-yimen-csrf': csrf, 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' }, body: JSON.stringify(body) });
      inv.refused(refused, 403);
    }
    assert.equal((await g.cli(['passwd', 'mei'], `${PASSWORD}\n`)).code, 0);
  });

  test('G145 names that would be something else elsewhere', async () => {
    const bad = ['../../x', 'a\r\nSet-Cookie: x=1', '%s%n', '<script>alert(1)</script>', 'x'.repeat(10240), '\u202exe', 'a\u0000b', 'a b', '', '.', '..', 'a/b', "x' OR 1=1--", '*', '{s0}:ac:x', 'a\u200db'];
    const guess = await guesser(g);
    for (const login of bad) {
      const r = await g.call('admin', 'POST', '/users', { body: { login, roles: ['staff'] } });
      assert.ok(r.status === 422 || r.status === 400, `${login.slice(0, 20)}: ${r.status}`);
      if (!login.includes('\0')) {
        const tried = await g.cli(['add', login || '-', '--roles', 'staff'], `${PASSWORD}\n`);
        assert.notEqual(tried.code, 0, login.slice(0, 20));
      }
      const page = await guess(login, WRONG);
      inv.refused(page, [400, 403], { page: true });
      assert.doesNotMatch(page.body, /<script>|\r\nSet-Cookie/);
      assert.equal(page.headers['set-cookie'], undefined);
    }
    for (const key of await g.redis.client.command('KEYS', '*')) assert.match(key, /^\{s\d+\}:[\w:.-]+$/, `a key of Redis: ${key}`);
    assert.doesNotMatch(g.nginx.log(), /<script>|%s%n|\.\.\/\.\.\/x/);
  });

  test('B72 names, addresses and errors are text on every page', async () => {
    const evil = '"><script>alert(1)</script><img src=x onerror=alert(1)>';
    const b = new Browser(g.nginx);
    for (const target of [`/auth/login?rd=${encodeURIComponent(`/x${evil}`)}`, `/auth/reset?t=${encodeURIComponent(evil)}`, '/auth/signed-out', '/auth/login']) {
      const r = await b.get(target);
      assert.doesNotMatch(r.body, /<script|onerror=/, target);
      assert.match(r.headers['content-security-policy'], /default-src 'none'.*frame-ancestors 'none'/);
      assert.doesNotMatch(r.headers['content-security-policy'], /unsafe/);
    }
    await b.get('/auth/login');
    const r = await b.submit({ name: evil, password: WRONG, rd: evil });
    assert.doesNotMatch(r.body, /<script|<img/);
    assert.match(r.body, /value="&quot;&gt;&lt;script&gt;/);
  });
});

describe('guessing', () => {
  test('G135 one counter for every name of an account, and every way to write it', async () => {
    const g = await startAccounts({ mei: { email: 'mei@example.cn', aliases: '梅' }, bo: {} }, { local: { free_tries: '8', wait: '60s' } });
    const inv = new Invariants(g);
    try {
      const guess = await guesser(g);
      for (const name of ['mei', 'MEI', ' mei ', '\uff4d\uff45\uff49', 'mei@example.cn', 'MEI@EXAMPLE.CN', '梅', '\u3000梅']) {
        inv.refused(await guess(name, WRONG), 403, { page: true });
      }
      for (const name of ['mei', 'mei@example.cn', '梅']) {
        const r = inv.refused(await guess(name, PASSWORD), 429, { page: true });
        assert.ok(Number(r.headers['retry-after']) >= 25, r.headers['retry-after']);
      }
      assert.equal((await guess('bo', PASSWORD)).status, 303, 'others are not concerned');
      const unlocked = await g.call('admin', 'POST', `/users/${g.ids.mei}/unlock`, { body: {} });
      assert.equal(unlocked.status, 200, unlocked.body);
      assert.equal((await guess('mei', PASSWORD)).status, 303);
    } finally { await g.stop(); }
  });

  test('G136 a hundred wrong guesses at once are a hundred', async () => {
    const g = await startAccounts({ mei: {} }, { local: { free_tries: '5', wait: '30s' }, nginx: { workers: 2 } });
    const inv = new Invariants(g);
    try {
      const guess = await guesser(g);
      const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => guess('mei', i === 99 ? PASSWORD : WRONG)));
      const count = (status) => answers.filter((r) => r.status === status).length;
      assert.equal(count(403) + count(303), 5, 'five were looked at');
      assert.equal(count(429), 95);
      const [n, w] = await g.redis.client.command('HMGET', `{s0}:at:${g.ids.mei}`, 'n', 'w');
      if (count(303) === 0) assert.deepEqual([n, w], ['5', '95']);
      inv.alive();
    } finally { await g.stop(); }
  });

  test('G137 nobody is locked out: waits end, and a known browser does not wait for strangers', async () => {
    const g = await startAccounts({ mei: {} }, { local: { free_tries: '2', wait: '1s', wait_max: '2s' } });
    const inv = new Invariants(g);
    try {
      const home = new Browser(g.nginx);
      assert.equal((await home.signInAs('mei', PASSWORD)).status, 303);
      const guess = await guesser(g);
      const flood = async () => { for (let i = 0; i < 6; i++) await guess('mei', WRONG); };
      await flood();
      inv.refused(await guess('mei', PASSWORD), 429, { page: true });
      home.cookies.delete('__Host-yimen');
      assert.equal((await home.signInAs('mei', PASSWORD)).status, 303, 'at home');
      for (let i = 0; i < 3; i++) { await flood(); await sleep(2100); }
      assert.equal((await guess('mei', PASSWORD)).status, 303, 'a stranger who knows the password waits, and then comes in');
    } finally { await g.stop(); }
  });

  test('G138 one password for a thousand names, behind a hundred addresses that are none', async () => {
    const g = await startAccounts({ mei: {} }, { local: { address_tries: '60' } });
    const inv = new Invariants(g);
    try {
      const guess = await guesser(g);
      let looked = 0;
      for (let i = 0; i < 1000; i += 50) {
        const answers = await Promise.all(Array.from({ length: 50 }, (_, k) => guess(`user${i + k}`, WRONG, {
          'x-forwarded-for': `10.0.${i % 256}.${k}`, 'x-real-ip': `10.1.${i % 256}.${k}`, forwarded: `for=10.2.${i % 256}.${k}`,
        })));
        looked += answers.filter((r) => r.status === 403).length;
        assert.ok(answers.every((r) => r.status === 403 || r.status === 429));
      }
      assert.equal(looked, 60);
      inv.refused(await guess('mei', PASSWORD), 429, { page: true });
    } finally { await g.stop(); }
  });

  test('G142 guessing a code is guessing: it is counted and put off', async () => {
    const g = await startAccounts({ mei: {} }, { local: { free_tries: '6', wait: '30s' } });
    const inv = new Invariants(g);
    try {
      const b = new Browser(g.nginx);
      await b.signInAs('mei', PASSWORD);
      const { secret } = await enrol(b);
      const thief = new Browser(g.nginx);
      assert.equal((await thief.signInAs('mei', PASSWORD)).status, 200);
      const { hidden } = thief.form;
      const tries = await Promise.all(Array.from({ length: 60 }, (_, i) => thief.post('/auth/login/code', { ...hidden, code: String(100000 + i) })));
      assert.equal(tries.filter((r) => r.status === 403).length, 5, 'with the password one of six was used');
      assert.equal(tries.filter((r) => r.status === 429).length, 55);
      inv.refused(await thief.post('/auth/login/code', { ...hidden, code: code(secret, 1) }), 429, { page: true });
      inv.refused(await (await guesser(g))('mei', PASSWORD), 429, { page: true });
    } finally { await g.stop(); }
  });

  test('G140 fifty sign-ins at once leave everybody else alone; more than the queue are told to come again', async () => {
    const g = await startAccounts({ mei: {} }, { local: { scrypt_log_n: '15', queue: '30', free_tries: '1000' } });
    const inv = new Invariants(g);
    try {
      const guess = await guesser(g);
      let answers;
      await inv.undisturbed(async () => {
        answers = await Promise.all(Array.from({ length: 50 }, (_, i) => guess(i % 2 ? 'mei' : 'nobody', WRONG)));
      }, { floor: 60, rounds: 5, own: true });
      const count = (status) => answers.filter((r) => r.status === status).length;
      assert.equal(count(403) + count(503), 50);
      assert.ok(count(403) >= 30 && count(503) > 0, `${count(403)} looked at, ${count(503)} put off`);
      for (const r of answers.filter((x) => x.status === 503)) assert.match(r.headers['retry-after'], /^\d+$/);
      assert.equal((await new Browser(g.nginx).signInAs('mei', PASSWORD)).status, 303);

      /* a worker that is told to end finishes its hashes first */
      const last = Array.from({ length: 6 }, () => guess('mei', WRONG));
      await sleep(30);
      inv.pids = [];
      await g.nginx.reload();
      assert.ok((await Promise.all(last)).every((r) => r.status === 403));
    } finally { await g.stop(); }
  });

  test('G144 there is no account that nobody made', async () => {
    const g = await startAccounts({});
    try {
      const guess = await guesser(g);
      for (const [name, password] of [['admin', 'admin'], ['admin', 'password'], ['root', 'root'], ['yimen', 'yimen'], ['admin', ''], ['', '']]) {
        assert.equal((await guess(name, password)).status, 403, name);
      }
      assert.deepEqual(JSON.parse((await g.cli(['list', '--json'])).out), []);
      assert.deepEqual((await g.call('admin', 'GET', '/users')).json.items, []);
    } finally { await g.stop(); }
  });
});

/* Ids of this section that cannot apply here. */
export const NOT_HERE = {
  'G135 (Basic, API)': 'Local accounts sign in by the form alone: there is no Basic and no password grant that could count by itself.',
};
