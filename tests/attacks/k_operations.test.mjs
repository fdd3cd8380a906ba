/* SPDX-License-Identifier: Apache-2.0
 * K: logs, audit, administration, exhaustion.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { LOCATIONS, note, startGateway, withSessions } from '../lib/gateway.mjs';
import { PASSWORD, startAccounts } from '../lib/accounts.mjs';
import { Browser } from '../lib/browser.mjs';
import { dump } from '../lib/ring.mjs';
import { COOKIE, ROLES, hears, makeSession } from '../lib/session.mjs';
import { claims, makeKey, makeToken } from '../lib/tokens.mjs';
import { sleep, until } from '../lib/nginx.mjs';
import { Invariants, get, rawRequest, startUpstream } from './invariants.mjs';

const HOSTILE = ['\r\nInjected: yes', '\x1b[2J\x1b]0;owned\x07', '%s%n%x%n%s', '=cmd|\' /C calc\'!A0', '"}\n{"what":"sign_in"', '\u202edrowssap', '\u009b31m', '\u0000nul', '$(id)`id`'];

async function entries(g) {
  const all = [];
  for (let shard = 0; shard < g.deploy.site.shards; shard++) {
    for (const [entry, flat] of await g.redis.client.command('XRANGE', `{s${shard}}:audit`, '-', '+')) {
      const e = { entry, shard };
      for (let i = 0; i < flat.length; i += 2) e[flat[i]] = flat[i + 1];
      all.push(e);
    }
  }
  return all;
}

describe('what is written down', () => {
  let g, inv;
  before(async () => {
    g = await startAccounts({ limei: { roles: 'staff,operator,admin', name: '李梅' } });
    inv = new Invariants(g);
  });
  after(() => g?.stop());

  test('K180 control characters, CSV and terminal sequences stay text', async () => {
    const b = new Browser(g.nginx);
    for (const text of HOSTILE) {
      const header = text.replace(/[\r\n\0]/g, '');
      await rawRequest(g.nginx, get(`/api/v1/records/${encodeURIComponent(text)}?limit=${encodeURIComponent(text)}`, `User-Agent: ${Buffer.from(header).toString('latin1')}\r\nReferer: ${Buffer.from(header).toString('latin1')}\r\nAuthorization: Bearer ${Buffer.from(JSON.stringify({ alg: 'ES256', kid: text })).toString('base64url')}.e30.AAAA\r\n`));
      await b.get('/auth/login');
      await b.submit({ name: `x${text}`, password: `y${text}` });
      await b.get(`/auth/callback/city?error=access_denied&error_description=${encodeURIComponent(text)}&state=x`);
      const r = await g.call('operator', 'POST', '/systems/alpha/pause', { body: { reason: text } });
      assert.ok([200, 400, 422].includes(r.status), r.body);
      await g.call('operator', 'POST', '/systems/alpha/resume', { body: { reason: text } });
    }
    await sleep(200);
    for (const e of await entries(g)) {
      if (!e.uid) continue; // written by the gateway about strangers
      for (const [k, v] of Object.entries(e)) assert.doesNotMatch(String(v), /[\x00-\x1f\x7f\u0080-\u009f\u202a-\u202e]/, k); // eslint-disable-line no-control-regex
    }
    const audit = await g.call('auditor', 'GET', '/audit?limit=200');
    // eslint-disable-next-line no-control-regex
    assert.doesNotMatch(audit.body, /[\x00-\x08\x0b-\x1f]/, 'what people gave as a reason is escaped in JSON');
    for (const line of audit.json.items) assert.notEqual(line.what, 'sign_in', 'no entry was made by what a reason said');
    inv.done();
  });

  test('K181 no token, code, password, cookie or session in log, audit, metrics or Redis', async () => {
    const b = new Browser(g.nginx);
    await b.signInAs('limei', PASSWORD);
    const cookie = b.cookies.get(COOKIE);
    inv.secret(PASSWORD, cookie, cookie.slice(2), ...Object.values(g.tokens), ...g.deploy.ring.keys.map((k) => k.k));
    const strange = inv.secret(makeToken(makeKey('ES256', 'k-ES256'), claims('eve', 'admin')));
    for (const token of [strange, `${g.tokens.staff}x`, g.tokens.staff.slice(0, -3)]) assert.equal((await g.call(inv.secret(token), 'GET', '/me')).status, 401);
    await b.get('/auth/login');
    await b.submit({ name: 'limei', password: inv.secret('wrong-password-of-mei') });
    await g.nginx.request('GET', `/api/v1/me?access_token=${g.tokens.staff}&code=${inv.secret('code-4711-0815')}&ticket=${inv.secret('ST-0123456789abcdef')}`, { token: g.tokens.staff });
    await g.nginx.request('GET', `/auth/callback/city?code=${inv.secret('code-0815-4711')}&state=${inv.secret('state-123456789')}`);
    await rawRequest(g.nginx, get('/api/v1/me', `Cookie: ${COOKIE}=${cookie}; ${COOKIE}=${cookie}x\r\nAuthorization: Bearer ${strange}\r\nReferer: https://yimen.example/x?code=code-4711-0815\r\n`));
    await sleep(200);
    inv.done([(await g.nginx.request('GET', '/metrics')).body, JSON.stringify(await entries(g))]);
    const all = await dump(g.redis.client);
    for (const s of inv.secrets) assert.ok(!all.includes(s), 'a secret in Redis');
  });

  test('K182 format strings are text everywhere', async () => {
    const f = '%s%n%x%p%99d%hhn';
    const made = await g.call('staff', 'POST', '/records', { body: note({ title: f, text: f, people: [{ role: 'applicant', name: f, phone: '13800000000' }] }), headers: { 'idempotency-key': f, 'user-agent': f, 'accept-language': f, prefer: f } });
    assert.equal(made.status, 201, made.body);
    assert.equal(made.json.data.text, f);
    assert.deepEqual((await g.call('staff', 'GET', `/records/${made.json.id}`)).json.data, made.json.data);
    for (const target of [`/records?type=${f}`, `/records?key.phone=${encodeURIComponent(f)}`, `/audit?who=${encodeURIComponent(f)}`, `/codes/${encodeURIComponent(f)}`, `/types/${encodeURIComponent(f)}`, `/records?cursor=${encodeURIComponent(f)}`]) {
      const r = await g.call(target.startsWith('/audit') ? 'auditor' : 'staff', 'GET', target);
      assert.ok(r.status < 500, `${target}: ${r.status}`);
    }
    const b = new Browser(g.nginx);
    await b.get('/auth/login');
    await b.submit({ name: f, password: f });
    await g.nginx.request('GET', '/api/v1/me', { headers: { cookie: `${COOKIE}=${f}`, authorization: `Bearer ${f}` } });
    assert.equal((await g.call('staff', 'POST', `/records/${made.json.id}/withdraw`, { body: { reason: f } })).status, 200);
    assert.ok((await g.call('auditor', 'GET', '/audit?limit=200')).json.items.some((e) => e.why === f));
    inv.done();
  });

  test('K184 metrics: labels do not grow with what strangers send; administration needs the role and the CSRF token', async () => {
    const shape = async () => (await g.nginx.request('GET', '/metrics')).body.split('\n').filter((l) => l && !l.startsWith('#')).map((l) => l.replace(/ [^ ]*$/, '')).sort();
    await g.nginx.request('GET', '/api/v1/none');
    const before1 = await shape();
    for (let i = 0; i < 50; i++) {
      await g.nginx.request(i % 2 ? 'GET' : 'PURGE', `/api/v1/x${i}?y=${i}`, { headers: { 'user-agent': `agent-${i}`, host: `h${i}.test` }, token: `t${i}` });
      await g.call('staff', 'GET', `/codes/c${i}`);
    }
    const after1 = await shape();
    assert.equal(after1.length, before1.length, 'as many time series as before');
    assert.doesNotMatch(after1.join('\n'), /agent-|h\d+\.test|c49|x49/);
    const s = await makeSession(g, { roles: ROLES.staff });
    const admin = await makeSession(g, { person: 'city:boss', sub: 'boss', roles: ROLES.operator });
    const pause = (headers) => g.nginx.request('POST', '/api/v1/systems/beta/pause', { headers, body: { reason: 'x' } });
    assert.equal((await pause({ ...s.headers, 'x-yimen-csrf': s.csrf })).status, 403, 'not with another role');
    assert.equal((await pause(admin.headers)).status, 403, 'not without the token');
    const r = await pause({ ...admin.headers, 'x-yimen-csrf': admin.csrf, origin: 'https://yimen.example' });
    assert.equal(r.status, 200, r.body);
    assert.match(r.headers['cache-control'], /no-store/);
    inv.done();
  });
});

/* Counters of a process: resident memory in KiB, open files. */
const rss = (pid) => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
/* Under AddressSanitizer what was freed stays resident for a while; there LeakSanitizer is the judge. */
const grew = (from, to) => (process.env.YIMEN_MODULE === 'static' ? 0 : to - from);
const fds = (pid) => fs.readdirSync(`/proc/${pid}/fd`).length;

describe('reloads and dying workers', () => {
  let g, up;
  before(async () => {
    up = await startUpstream();
    g = await startGateway({ deploy: { auth: withSessions() }, nginx: { workers: 2, allow: [/exited on signal 9/, /shared memory zone .* was locked/],
      server: `${LOCATIONS} location /app/ { yimen_auth on; yimen_identity headers user=X-Remote-User; proxy_pass http://unix:${up.socket}:; }` } });
    await hears(g);
  });
  after(async () => { try { await g?.stop(); } finally { await up?.stop(); } });

  test('K185 reloads under load: nothing leaks in the master, sessions live on', async () => {
    const s = await makeSession(g);
    let going = true;
    const failed = [];
    const load = async () => {
      while (going) {
        const r = await g.nginx.request('GET', '/app/', { headers: s.headers, agent: false }).catch((e) => ({ status: e.code }));
        if (r.status !== 200) failed.push(r.status);
      }
    };
    const work = [load(), load()];
    for (let i = 0; i < 8; i++) await g.nginx.reload();
    await g.nginx.rest();
    const settled = { rss: rss(g.nginx.child.pid), fds: fds(g.nginx.child.pid) };
    for (let i = 0; i < 24; i++) await g.nginx.reload();
    going = false;
    await Promise.all(work);
    await g.nginx.rest();
    assert.deepEqual(failed, []);
    const now = { rss: rss(g.nginx.child.pid), fds: fds(g.nginx.child.pid) };
    assert.ok(grew(settled.rss, now.rss) < 24 * 100, `the master grew from ${settled.rss} to ${now.rss} KiB in 24 reloads`);
    assert.equal(now.fds, settled.fds, `${settled.fds} → ${now.fds} files`);
  });

  test('K187 a worker killed at any moment, holding a lock or not: the others and the next one serve', async () => {
    const list = await Promise.all(Array.from({ length: 20 }, () => makeSession(g)));
    let going = true;
    let served = 0;
    const load = async () => {
      for (let i = 0; going; i++) {
        const r = await g.nginx.request('GET', '/app/', { headers: list[i % list.length].headers, agent: false }).catch(() => ({ status: 0 }));
        if (r.status === 200) served++;
        else assert.ok([0, 502, 503].includes(r.status), `${r.status}: never open, never stuck`);
      }
    };
    const work = [load(), load(), load()];
    for (let i = 0; i < 8; i++) {
      const before = served;
      await until('some are served in between', () => served >= before + 15, 20000);
      await sleep(Math.random() * 60);
      const pids = g.nginx.workers();
      process.kill(pids[i % pids.length], 'SIGKILL');
      await until('another worker', () => g.nginx.workers().length === 2, 10000);
    }
    going = false;
    await Promise.all(work);
    for (const s of list) assert.equal((await g.nginx.request('GET', '/app/', { headers: s.headers, agent: false })).status, 200);
  });

  test('K191 reloads with requests and timers pending: no file, connection or memory stays behind', async () => {
    const s = await makeSession(g);
    const one = async () => {
      const pending = Array.from({ length: 10 }, () => g.call('staff', 'POST', '/records', { body: note(), headers: { prefer: 'wait=1' } }));
      await sleep(30);
      await g.nginx.reload();
      for (const r of await Promise.all(pending)) assert.equal(r.status, 201);
    };
    await one();
    for (let i = 0; i < 300; i++) await g.nginx.request('GET', '/app/', { headers: s.headers });
    const worker = g.nginx.workers()[0];
    const start = { fds: fds(worker), rss: rss(worker) };
    for (let i = 0; i < 3000; i++) await g.nginx.request('GET', i % 3 ? '/app/' : '/api/v1/me', { headers: i % 2 ? s.headers : {}, token: i % 2 ? undefined : g.tokens.staff });
    await until(`no more than ${start.fds} files`, () => fds(worker) <= start.fds + 4);
    assert.ok(grew(start.rss, rss(worker)) < 4096, `${start.rss} → ${rss(worker)} KiB after 3,000 requests`);
    await one();
  });
});

describe('exhaustion', () => {
  let g, up, inv;
  before(async () => {
    up = await startUpstream();
    g = await startGateway({ redis: { config: { appendfsync: 'no' } }, deploy: { auth: withSessions() }, nginx: { http: 'client_header_timeout 1s; client_body_timeout 1s; send_timeout 2s; keepalive_timeout 30s;',
      server: `${LOCATIONS} location /app/ { yimen_auth on; proxy_pass http://unix:${up.socket}:; proxy_read_timeout 2s; }` } });
    inv = new Invariants(g, { upstream: up });
    await hears(g);
    inv.mark();
  });
  after(async () => { try { await g?.stop(); } finally { await up?.stop(); } });

  const open = () => new Promise((done, fail) => { const s = net.connect(g.nginx.socket, () => done(s)); s.on('error', () => {}); s.once('error', fail); });
  const ended = (s, ms) => new Promise((done) => { if (s.closed) return void done(true); const t = setTimeout(() => done(false), ms); s.resume(); s.on('close', () => { clearTimeout(t); done(true); }); });

  test('K186 slow headers, slow bodies, slow readers, idle connections: ended in time, others fine', async () => {
    const idle = await Promise.all(Array.from({ length: 300 }, open));
    const slow = await Promise.all(Array.from({ length: 60 }, open));
    const trickle = [];
    slow.forEach((s, i) => {
      s.write(i % 2 ? 'GET /api/v1/me HTTP/1.1\r\nHost: x\r\nX-A: ' : `POST /api/v1/records HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${g.tokens.staff}\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"type":`);
      trickle.push(setInterval(() => s.write(i % 2 ? 'a' : ' '), 300));
    });
    try {
      await inv.undisturbed(() => sleep(1500), { floor: 250 });
      slow.forEach((s, i) => { clearInterval(trickle[i]); });
      const all = await Promise.all(slow.map((s) => ended(s, 15000)));
      assert.ok(all.every(Boolean), 'every slow one was ended');
      assert.ok((await Promise.all(idle.map((s) => ended(s, 5000)))).every(Boolean), 'nor do idle ones stay');
    } finally {
      trickle.forEach(clearInterval);
      [...idle, ...slow].forEach((s) => s.destroy());
    }
    inv.done();
  });

  test('K188 a flood of invalid tokens and of unknown sessions: bounded, and nobody else notices', async () => {
    const key = makeKey('ES256', 'k-ES256');
    const tokens = Array.from({ length: 400 }, (_, i) => makeToken(key, claims(`eve${i}`, 'admin')));
    await inv.undisturbed(async () => {
      for (let i = 0; i < tokens.length; i += 20) {
        for (const r of await Promise.all(tokens.slice(i, i + 20).map((t) => g.nginx.request('GET', '/api/v1/me', { token: t })))) assert.ok([401, 429].includes(r.status), String(r.status));
      }
    }, { floor: 250, rounds: 3 });
    const ids = Array.from({ length: 400 }, (_, i) => `0.${Buffer.from(String(i).padStart(32, '0')).toString('base64url')}`);
    await inv.undisturbed(async () => {
      for (let i = 0; i < ids.length; i += 20) {
        for (const r of await Promise.all(ids.slice(i, i + 20).map((id) => g.nginx.request('GET', '/app/', { headers: { cookie: `${COOKIE}=${id}` } })))) assert.ok([401, 429].includes(r.status), String(r.status));
      }
    }, { floor: 250, rounds: 3 });
    assert.equal(up.hits, 0);
    inv.done();
  });

  test('K192 a client that resets the connection at any moment', async () => {
    const s = await makeSession(g);
    const requests = [
      get('/app/', `Cookie: ${s.cookie}\r\n`), get('/app/'), get('/api/v1/records', `Authorization: Bearer ${g.tokens.staff}\r\n`),
      get('/api/v1/audit', `Authorization: Bearer ${g.tokens.auditor}\r\n`), get('/auth/login', 'Accept: text/html\r\nSec-Fetch-Mode: navigate\r\n'), get('/api/v1/me', 'Authorization: Bearer x.y.z\r\n'),
      `POST /api/v1/records HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${g.tokens.staff}\r\nPrefer: wait=5\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(JSON.stringify(note()))}\r\n\r\n${JSON.stringify(note())}`,
      `POST /api/v1/systems/alpha/pause HTTP/1.1\r\nHost: localhost\r\nCookie: ${s.cookie}\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"rea`,
    ];
    for (let i = 0; i < 400; i++) {
      const c = await open();
      const text = requests[i % requests.length];
      c.write(i % 3 ? text : text.slice(0, 1 + Math.floor(Math.random() * text.length)));
      await sleep(Math.random() * 6);
      c.destroy(); // with bytes unread: a reset
    }
    await inv.still();
    inv.mark();
    inv.passed(await g.nginx.request('GET', '/app/', { headers: s.headers }), {});
    assert.doesNotMatch(g.nginx.log(), /http request count is zero|zero count|open socket|negative/i);
    inv.done();
  });
});

test('K189 times far away: 2038, 2106, before 1970; the zone of the machine does not matter', async () => {
  const g = await startGateway({ nginx: { env: { TZ: 'Pacific/Kiritimati' } } });
  try {
    const ask = (more) => g.call(makeToken(g.key, claims('mei', 'staff', { area: '330106003', ...more })), 'GET', '/me');
    const now = Math.floor(Date.now() / 1000);
    for (const exp of [2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 32, 2 ** 32 + 1, 4294967296 + 86400]) assert.equal((await ask({ exp })).status, exp > now ? 200 : 401, `exp ${exp}`);
    for (const exp of [-1, 0, -(2 ** 31), -(2 ** 63), 1]) assert.equal((await ask({ exp })).status, 401, `exp ${exp}`);
    for (const more of [{ nbf: 2 ** 31 + 5 }, { nbf: 2 ** 33 }, { iat: 2 ** 33, nbf: 2 ** 33 }, { exp: now - 3600 }, { nbf: now + 3600 }]) assert.equal((await ask(more)).status, 401, JSON.stringify(more));
    assert.equal((await ask({ exp: now + 20, nbf: now + 5 })).status, 200, 'clocks differ a little');
    const made = (await g.call('staff', 'POST', '/records', { body: note() })).json;
    assert.ok(Math.abs(Date.parse(made.created_at) - Date.now()) < 5000 && made.created_at.endsWith('+08:00'));
    for (const text of ['2016-12-31T23:59:60Z', '2106-02-07T06:28:16Z', '2038-01-19T03:14:08Z', '1969-12-31']) assert.ok([200, 400].includes((await g.call('auditor', 'GET', `/audit?from=${text}`)).status), text);
  } finally { await g.stop(); }
});

describe('K190 what the machine refuses', () => {
  test('K190 no more files: refused or answered, never open, and all well afterwards', async () => {
    const up = await startUpstream();
    const g = await startGateway({ deploy: { auth: withSessions() }, nginx: { main: 'worker_rlimit_nofile 80;', allow: [/Too many open files/, /accept4?\(\) failed/, /yimen/, /worker_connections/],
      server: `${LOCATIONS} location /app/ { yimen_auth on; proxy_pass http://unix:${up.socket}:; }` } });
    const held = [];
    try {
      for (let i = 0; i < 120; i++) held.push(await new Promise((done) => { const s = net.connect(g.nginx.socket, () => done(s)); s.on('error', () => done(s)); }));
      const answers = await Promise.all(Array.from({ length: 20 }, () => g.nginx.raw(get('/app/'), 1500)));
      for (const text of answers) assert.doesNotMatch(text, /^HTTP\/1\.1 200/);
      assert.equal(up.hits, 0);
      held.forEach((s) => s.destroy());
      await until('it serves again', async () => (await g.nginx.request('GET', '/api/v1/me', { token: g.tokens.staff, agent: false }).catch(() => ({}))).status === 200, 10000);
      assert.equal((await g.nginx.request('GET', '/app/', { agent: false })).status, 401);
    } finally {
      held.forEach((s) => s.destroy());
      try { await g.stop(); } finally { await up.stop(); }
    }
  });

  test('K190 memory that is refused now and then: an error for one, never an open door, the worker lives', { skip: process.env.YIMEN_MODULE === 'static' }, async () => {
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'yimen-malloc-'));
    fs.writeFileSync(path.join(dir, 'fail.c'), `#define _GNU_SOURCE
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>
/* Every 97th allocation of the module, hiredis, jansson or nginx fails while the file is there. */
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t m);
static unsigned long count; static int on; static unsigned look;
static int fails(void) { if (look++ % 64 == 0) { const char *f = getenv("NO_MEMORY"); on = f != NULL && access(f, F_OK) == 0; } return on && ++count % 97 == 0; }
void *malloc(size_t n) { return fails() ? NULL : __libc_malloc(n); }
void *calloc(size_t n, size_t m) { return fails() ? NULL : __libc_calloc(n, m); }
`);
    execFileSync('gcc', ['-O1', '-shared', '-fPIC', '-o', path.join(dir, 'fail.so'), path.join(dir, 'fail.c')]);
    const up = await startUpstream();
    const g = await startGateway({ deploy: { auth: withSessions() }, nginx: { env: { LD_PRELOAD: path.join(dir, 'fail.so'), NO_MEMORY: path.join(dir, 'now') }, main: 'env NO_MEMORY;', allow: [/malloc|memory|yimen/i],
      server: `${LOCATIONS} location /app/ { yimen_auth on; proxy_pass http://unix:${up.socket}:; }` } });
    try {
      const s = await makeSession(g);
      const pids = g.nginx.workers();
      fs.writeFileSync(path.join(dir, 'now'), '');
      const seen = {};
      for (let i = 0; i < 600; i++) {
        const how = [['GET', '/app/', {}], ['GET', '/app/', { headers: s.headers }], ['GET', '/api/v1/me', { token: g.tokens.staff }], ['POST', '/api/v1/records', { token: g.tokens.staff, body: note() }], ['GET', '/api/v1/me', { token: 'x.y.z' }]][i % 5];
        const r = await g.nginx.request(how[0], how[1], { ...how[2], agent: false }).catch((e) => ({ status: e.code }));
        seen[r.status] = (seen[r.status] ?? 0) + 1;
        if (i % 5 === 0 || i % 5 === 4) assert.ok(r.status !== 200, 'never open');
      }
      fs.rmSync(path.join(dir, 'now'));
      await sleep(1500);
      assert.ok(Object.keys(seen).some((k) => Number(k) >= 500 || Number.isNaN(Number(k))), `memory was refused; answers were ${JSON.stringify(seen)}`);
      assert.deepEqual(g.nginx.workers(), pids, `the worker lives; answers were ${JSON.stringify(seen)}`);
      await until('it serves again', async () => (await g.nginx.request('GET', '/api/v1/me', { token: g.tokens.staff, agent: false })).status === 200, 10000);
      assert.equal((await g.nginx.request('GET', '/app/', { headers: s.headers, agent: false })).status, 200);
    } finally {
      try { await g.stop(); } finally { await up.stop(); fs.rmSync(dir, { recursive: true }); }
    }
  });
});

/* Tested where the thing itself is tested. */
export const ELSEWHERE = {
  K183: 'tests/dispatcher/audit.test.mjs (tampering, kill -9, full disk, rotation), tests/module/evidence.test.mjs (10,000 events, absent Redis), tests/unit/test_chain.c',
  'K187 (shared zone full)': 'd_sessions: a zone smaller than its sessions',
  'K190 (random numbers)': 'd_sessions: D85; ENOSPC: tests/dispatcher/audit.test.mjs',
};

export const NOT_HERE = {
  'K181 (debug and info log)': 'nginx itself writes every header at level debug, and a header that came twice at level info, before a module is asked; docs/operations.md says that a gateway in use logs at notice.',
  'K191 (1 M sign-ins)': 'A million password hashes take hours by intention; what could leak is measured over thousands of requests and sessions.',
  K193: 'No identity is taken from a TLS client certificate, so none can be resumed into another server; nginx terminates TLS with its own defence against that.',
};
