/* SPDX-License-Identifier: Apache-2.0
 * D: cookies and the session store; and of B what concerns sessions: B62, B63, B64, B71.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { LOCATIONS, PUBLIC_URL, makeRing, startGateway, withSessions } from '../lib/gateway.mjs';
import { Nginx, sleep, until } from '../lib/nginx.mjs';
import { Browser } from '../lib/browser.mjs';
import { PASSWORD, startAccounts } from '../lib/accounts.mjs';
import { FakeRedis } from '../lib/fakeredis.mjs';
import { clock } from '../lib/pace.mjs';
import { connect } from '../lib/redis.mjs';
import { SlowProxy } from '../lib/slowproxy.mjs';
import { WorkerProxy } from '../lib/workerproxy.mjs';
import { COOKIE, ROLES, endSession, hears, makeSession, personDigest, seal, sessionCounts, sessionValue } from '../lib/session.mjs';
import { Invariants, NAVIGATION, get, rawRequest, startUpstream } from './invariants.mjs';

const ID = `0.${'A'.repeat(43)}`;
const app = (up) => `${LOCATIONS}
  location /app/ { yimen_auth on; yimen_identity headers user=X-Remote-User; proxy_pass http://unix:${up.socket}:; }
  location /socket/ { yimen_auth on; yimen_websocket on; proxy_pass http://unix:${up.socket}:; proxy_http_version 1.1; proxy_read_timeout 60s;
    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection; }
  location /open/ { proxy_pass http://unix:${up.socket}:; }`;

async function startDoor({ session = {}, nginx = {}, ...more } = {}) {
  const up = await startUpstream(more.upstream);
  try {
    const g = await startGateway({ ...more, deploy: { auth: withSessions(session), ...more.deploy }, nginx: { server: app(up), ...nginx } });
    return { up, g, inv: new Invariants(g, { upstream: up, identity: ['x-remote-user'] }) };
  } catch (e) { await up.stop(); throw e; }
}

const over = async (d) => { try { await d?.g.stop(); } finally { await d?.up.stop(); } };
const ask = (g, target, headers, opts = {}) => g.nginx.request(opts.method ?? 'GET', target, { headers, ...opts });

describe('cookies', () => {
  let d, g, up, inv;
  before(async () => { d = await startDoor(); ({ g, up, inv } = d); await hears(g); inv.mark(); });
  after(() => over(d));

  test('D79 several cookies of our name: the same from everybody, or nobody\'s', async () => {
    const mine = await makeSession(g);
    const theirs = await makeSession(g, { person: 'city:eve', sub: 'eve', login: 'eve' });
    inv.secret(mine.id, theirs.id);
    const both = [`${mine.cookie}; ${theirs.cookie}`, `${theirs.cookie}; ${mine.cookie}`, `${mine.cookie}; ${COOKIE}=`, `${COOKIE}; ${mine.cookie}`,
      `a=b; ${theirs.cookie}; c; ${mine.cookie}; ${theirs.cookie}`, `${Array(19).fill(mine.cookie).join('; ')}; ${theirs.cookie}`];
    for (const cookie of both) {
      inv.refused(await ask(g, '/app/', { cookie }), 401);
      assert.equal((await ask(g, '/api/v1/me', { cookie })).status, 401);
    }
    const lines = (...list) => rawRequest(g.nginx, get('/app/', list.map((c) => `Cookie: ${c}\r\n`).join('')));
    inv.refused(await lines(mine.cookie, theirs.cookie), 401);
    inv.refused(await lines(theirs.cookie, 'a=b', mine.cookie), 401);
    inv.passed(await lines('a=b', mine.cookie, 'c=d'), { 'X-Remote-User': 'mei' });
    for (const cookie of [`${mine.cookie}; ${mine.cookie}`, Array(20).fill(mine.cookie).join(';')]) inv.passed(await ask(g, '/app/', { cookie }), { 'X-Remote-User': 'mei' });
  });

  test('D80 names that are only like ours are ignored', async () => {
    const s = await makeSession(g);
    for (const name of ['__host-yimen', '__Host%2Dyimen', '"__Host-yimen"', '__Host-yimen ', '__HOST-YIMEN', 'yimen', '__Secure-yimen', '__Host-yimen.', 'x__Host-yimen', '__Host-yimen[]']) {
      inv.refused(await rawRequest(g.nginx, get('/app/', `Cookie: ${name}=${s.id}\r\n`)), 401);
    }
    inv.refused(await rawRequest(g.nginx, get('/app/', `Cookie: $Version="1"; ${COOKIE}="${s.id}"\r\n`)), 401);
    inv.passed(await rawRequest(g.nginx, get('/app/', `Cookie:  \t ${s.cookie} \t; $Path=/\r\n`)), { 'X-Remote-User': 'mei' });
  });

  test('D81 a value that is no id never reaches Redis', async () => {
    const s = await makeSession(g);
    /* Redis's own count has the workers' looks at revoked tokens in it */
    const calls = async () => Number(/^yimen_session_reads_total (\d+)$/m.exec((await ask(g, '/metrics')).body)[1]);
    const was = await calls();
    const b = s.id.slice(2);
    const values = ['x', '', '0', '0.', `0.${b}A`, `0.${b.slice(1)}`, `1${s.id}`, `-${s.id}`, `0${s.id}`, `2.${b}`, `32.${b}`, ` ${s.id}x`, `${s.id}%00`, `${s.id}*`, '*', '0.*', '../', '0.../../../../../../../../etc/passwd',
      '%n%s%x%d%n%s%x%d%n%s%x%d%n%s%x%d%n%s%x%d', `${s.id}%0d%0aFLUSHALL`, `0.${'A'.repeat(42)}B`, `0.${'='.repeat(43)}`, 'A'.repeat(4096), `{s0}:se:${s.digest}`, s.digest, s.handle, `0.${s.digest.slice(0, 43)}x`];
    for (const value of values) inv.refused(await ask(g, '/app/', { cookie: `${COOKIE}=${value}` }), 401);
    inv.refused(await rawRequest(g.nginx, get('/app/', `Cookie: ${COOKIE}=${s.id}\0\r\n`)), 400, { nginx: true });
    inv.refused(await rawRequest(g.nginx, get('/app/', `Cookie: ${COOKIE}=\x80\xff\xfe\r\n`)), 401);
    inv.refused(await rawRequest(g.nginx, get('/app/', `Cookie: ${COOKIE}=${s.id.slice(0, 20)}\r\n ${s.id.slice(20)}\r\n`)), 400, { nginx: true });
    assert.equal(await calls(), was, 'Redis was not asked');
    inv.passed(await ask(g, '/app/', s.headers), { 'X-Remote-User': 'mei' });
    assert.ok(await calls() > was, 'now it was');
  });

  test('D82 headers without sense', async () => {
    const s = await makeSession(g);
    for (const cookie of ['', ' ', ';', '; ; ;', ';;;;;;', '=', '==;=', 'x', COOKIE, `${COOKIE}`, `${COOKIE};`, `=${s.id}`, ' '.repeat(2000), ';'.repeat(7900), 'a='.repeat(3000)]) {
      inv.refused(await rawRequest(g.nginx, get('/app/', `Cookie: ${cookie}\r\n`)), 401);
      const r = await rawRequest(g.nginx, get('/open/', `Cookie: ${cookie}\r\n`));
      assert.equal(r.status, 200);
      inv.mark();
    }
    for (const [cookie, left] of [[`${s.cookie}`, undefined], [`${s.cookie};`, undefined], [`;${s.cookie}; ;`, undefined], [`a=1; ${s.cookie}; b=2`, 'a=1; b=2'], [`${s.cookie};b`, 'b'], [`a=${s.id}=;${s.cookie}`, `a=${s.id}=`]]) {
      const seen = inv.passed(await rawRequest(g.nginx, get('/app/', `Cookie: ${cookie}\r\n`)), { 'X-Remote-User': 'mei' });
      assert.equal(seen.headers.cookie?.replace(/[; ]+$/, '') || undefined, left, cookie);
    }
  });

  test('D83 our cookies stay between the browser and us', async () => {
    const s = inv.secret(await makeSession(g));
    for (const target of ['/app/', '/open/', '/socket/']) {
      const r = await ask(g, target, { cookie: `a=1; ${s.cookie}; __Host-yimen-form=x; __Host-yimen-flow=y; JSESSIONID=z` });
      assert.equal(r.status, 200);
      assert.equal(up.last.headers.cookie, 'a=1; JSESSIONID=z');
      assert.ok(!up.last.raw.includes(s.id));
    }
    up.respond = () => ({ headers: { 'Set-Cookie': [`${COOKIE}=${ID}; Path=/; Secure`, '__host-yimen=x; Path=/', `__Host-yimen-flow=${ID}`, 'mine=1; Path=/', `  ${COOKIE} =${ID}`, 'yimen=2'] } });
    for (const target of ['/app/', '/open/']) {
      const list = (await ask(g, target, s.headers)).headers['set-cookie'] ?? [];
      assert.ok(list.some((c) => c.startsWith('mine=1')));
      assert.ok(list.every((c) => !/^\s*__host-yimen/i.test(c)), list.join('\n'));
    }
    up.respond = undefined;
    inv.mark();
    inv.done();
  });
});

describe('lifetimes', () => {
  let d, g, inv;
  before(async () => { d = await startDoor({ session: { idle: '1s', absolute: '4s', touch: '200ms' }, nginx: { workers: 2 } }); ({ g, inv } = d); await hears(g); inv.mark(); });
  after(() => over(d));
  const ok = async (s) => (await ask(g, '/api/v1/me', s.headers, { agent: false })).status === 200;

  test('D84 idle, absolute, and use written down only so often', async () => {
    const born = Date.now();
    const s = await makeSession(g, {}, { idle: 1000, absolute: 3000 });
    const idle = await makeSession(g, {}, { idle: 1000, absolute: 3000 });
    const from = Date.now();
    let lived = 0;
    const was = await sessionCounts(g);
    let touched = new Set();
    while (Date.now() - from < 2500) {
      assert.ok(await ok(s), `alive after ${Date.now() - from} ms`);
      touched.add(await g.redis.client.command('HGET', s.key, 't'));
      if (Date.now() - from < 600) assert.equal(await g.redis.client.command('HGET', idle.key, 't'), await g.redis.client.command('HGET', idle.key, 'c'));
      await sleep(20);
    }
    const reads = (await sessionCounts(g)).reads - was.reads;
    assert.ok(touched.size >= 5 && touched.size <= 14, `written ${touched.size} times in 2.5 s with 200 ms between`);
    assert.ok(reads <= 14 * 3 * 2, `read ${reads} times by two workers`);
    assert.equal(await ok(idle), false, 'idle for longer than 1 s');
    await until('the absolute end', async () => {
      const asked = Date.now() - from;
      const still = await ok(s);
      if (still) lived = asked;
      return !still;
    });
    assert.ok(Date.now() - born >= 2950 && lived < 3600, `alive after ${lived} ms, over after ${Date.now() - born}`);
    inv.refused(await ask(g, '/app/', s.headers), 401);
    inv.refused(await ask(g, '/app/', idle.headers), 401);
  });

  test('D84 remembered by a worker is no longer life', async () => {
    const s = await makeSession(g, {}, { idle: 3000, absolute: 2500 });
    const end = Date.now() + 2500;
    assert.ok(await ok(s));
    await sleep(end + 20 - Date.now());
    for (let i = 0; i < 4; i++) assert.equal(await ok(s), false);
  });

  test('D84 after 2038 and 2106; a clock that steps back', async () => {
    const c = g.redis.client;
    const far = await makeSession(g, {}, { idle: 60000, absolute: 3600000 });
    await c.command('HSET', far.key, 'e', 7258118400000);
    const me = (await ask(g, '/api/v1/me', far.headers)).json;
    assert.equal(me.session.expires_at, '2200-01-01T08:00:00.000+08:00');

    /* touched an hour from now: the clock was an hour ahead then */
    const s = await makeSession(g, {}, { idle: 60000, absolute: 3600000 });
    const ahead = Date.now() + 3600000;
    await c.command('HSET', s.key, 'c', ahead - 3590000, 't', ahead, 'e', ahead + 5000);
    assert.ok(await ok(s));
    await c.command('HSET', s.key, 't', ahead + 5001);
    await until('seen past its end once, it is over', async () => !(await ok(s)), 1000);
    for (const [field, value] of [['e', 'x'], ['e', '-1'], ['t', ''], ['c', '1e400'], ['e', 'nan']]) {
      const odd = await makeSession(g);
      await c.command('HSET', odd.key, field, value);
      const r = await ask(g, '/api/v1/me', odd.headers);
      assert.ok([401, 503].includes(r.status), `${field}=${value}: ${r.status}`);
    }
    inv.alive();
  });
});

describe('what Redis holds', () => {
  let d, g, inv;
  before(async () => { d = await startDoor(); ({ g, inv } = d); await hears(g); inv.mark(); });
  after(() => over(d));

  test('D86 values that are no session', async () => {
    const c = g.redis.client;
    const context = (s) => `session:${s.digest}`;
    const other = await makeSession(g, { person: 'city:root', sub: 'root', roles: ROLES.admin });
    const value = sessionValue();
    const good = JSON.stringify(value);
    const sealed = (s, text, ring = g.deploy.ring, where = context(s)) => seal(ring, where, text);
    const kinds = {
      'truncated': (s) => sealed(s, good).subarray(0, 60), 'one byte': () => Buffer.from('Y'), 'text': () => good,
      'a byte less': (s) => sealed(s, good).subarray(0, -1), 'a bit flipped': (s) => { const b = sealed(s, good); b[b.length - 20] ^= 1; return b; },
      'another session\'s': () => seal(g.deploy.ring, context(other), good), 'another kind of context': (s) => sealed(s, good, undefined, `flow:${s.digest}`),
      'another ring': (s) => sealed(s, good, makeRing('t1')), 'an unknown key': (s) => sealed(s, good, makeRing('zz')),
      'an unknown version': (s) => sealed(s, JSON.stringify({ ...value, v: 2 })), 'another type': (s) => sealed(s, JSON.stringify({ ...value, t: 'flow' })),
      'no JSON': (s) => sealed(s, 'hello'), 'an array': (s) => sealed(s, '[]'), 'null': (s) => sealed(s, 'null'), 'deep': (s) => sealed(s, '['.repeat(5000)),
      'nobody': (s) => sealed(s, JSON.stringify({ ...value, person: '' })), 'roles as text': (s) => sealed(s, JSON.stringify({ ...value, roles: 'admin' })),
      'too many roles': (s) => sealed(s, JSON.stringify({ ...value, roles: 1e9 })), '5 MB': (s) => sealed(s, JSON.stringify({ ...value, name: 'x'.repeat(5e6) })),
      '5 MB of nothing': () => Buffer.alloc(5e6, 0x59), 'twice the same name': (s) => sealed(s, good.replace('{', '{"person":"city:root",')),
    };
    for (const [name, make] of Object.entries(kinds)) {
      const s = await makeSession(g);
      await c.command('HSET', s.key, 'v', make(s));
      inv.refused(await ask(g, '/app/', s.headers), 401);
      assert.equal((await ask(g, '/api/v1/me', s.headers)).status, 401, name);
    }
    for (const [name, commands] of Object.entries({
      'a list': [['DEL'], ['RPUSH', 'x']], 'a string': [['SET', 'x']], 'a set': [['DEL'], ['SADD', 'x']], 'an empty hash': [['DEL'], ['HSET', 'x', 'y']],
      'no person': [['HDEL', 'p']], 'no value': [['HDEL', 'v']], 'another person': [['HSET', 'p', 'x']],
    })) {
      const s = await makeSession(g);
      for (const [word, ...rest] of commands) await c.command(word, s.key, ...rest);
      const r = await ask(g, '/app/', s.headers);
      if (name === 'another person') inv.passed(r, { 'X-Remote-User': 'mei' });
      else inv.refused(r, 401);
    }
    const s = await makeSession(g);
    inv.passed(await ask(g, '/app/', s.headers), { 'X-Remote-User': 'mei' });
  });

  test('B63 what was made for something else is no session', async () => {
    const c = g.redis.client;
    const id = `0.${crypto.randomBytes(32).toString('base64url')}`;
    const digest = crypto.createHash('sha256').update(id).digest('hex');
    const value = seal(g.deploy.ring, `session:${digest}`, JSON.stringify(sessionValue()));
    for (const kind of ['flow', 'jti', 'cas', 'totp', 'session', 'se']) await c.fcall('ym_once_put', '{s0}', kind, digest, value, 60000);
    await c.fcall('ym_try', '{s0}', 'se', digest, 60000, 5);
    for (const key of [`{s0}:on:se:${digest}`, `{s0}:va:${digest}`, `{s0}:ac:${digest}`, `se:${digest}`, `{s0}:se:${id}`]) {
      await c.command('DEL', key);
      await c.command('HSET', key, 'v', value, 'p', 'x', 'c', Date.now(), 't', Date.now(), 'e', Date.now() + 60000);
    }
    inv.refused(await ask(g, '/app/', { cookie: `${COOKIE}=${id}` }), 401);
    const s = await makeSession(g);
    for (const other of [s.csrf, s.csrf.slice(0, 43), `0.${s.csrf.slice(0, 43)}`, `0.${s.digest.slice(0, 43)}`]) inv.refused(await ask(g, '/app/', { cookie: `${COOKIE}=${other}` }), 401);
  });

  test('D92 a thousand misses at once are one call', async () => {
    const s = await makeSession(g, { person: 'city:crowd', sub: 'crowd', login: 'crowd' });
    const was = await sessionCounts(g);
    const list = await Promise.all(Array.from({ length: 1000 }, (_, i) => ask(g, i % 2 ? '/api/v1/me' : '/app/', s.headers)));
    assert.ok(list.every((r) => r.status === 200), [...new Set(list.map((r) => r.status))].join());
    assert.equal((await sessionCounts(g)).reads - was.reads, 1);
    inv.mark();
    const none = { cookie: `${COOKIE}=0.${crypto.randomBytes(32).toString('base64url')}` };
    const lost = await Promise.all(Array.from({ length: 200 }, () => ask(g, '/api/v1/me', none)));
    assert.ok(lost.every((r) => r.status === 401 || r.status === 429));
    inv.alive();
  });
});

describe('Redis fails', () => {
  let d, g, inv, proxy;
  before(async () => {
    d = await startDoor({ via: async (socket) => { proxy = await new SlowProxy(socket).start(); return proxy.path; }, nginx: { workers: 2 } });
    ({ g, inv } = d);
    await hears(g);
    inv.mark();
  });
  after(async () => { await over(d); await proxy?.stop(); });

  /* Everything guarded answers 503 within a second, what is public goes on; afterwards all is well within a second. */
  async function fault(begin, end, { remembered = false } = {}) {
    const known = await makeSession(g, { person: 'city:known', sub: 'known', login: 'known' });
    for (let i = 0; i < 6; i++) inv.passed(await ask(g, '/app/', known.headers, { agent: false }), { 'X-Remote-User': 'known' });
    const s = await makeSession(g, { person: 'city:fresh', sub: 'fresh', login: 'fresh' });
    await begin();
    try {
      for (const target of ['/app/', '/api/v1/me', '/app/']) {
        const ms = clock();
        const r = await ask(g, target, s.headers, { agent: false });
        assert.ok(ms() < 1000, `${target}: after ${ms()} ms`);
        inv.refused(r, 503);
      }
      inv.refused(await ask(g, '/app/', { ...s.headers, ...NAVIGATION }), 503, { page: true });
      inv.passed(await ask(g, '/open/', {}));
      inv.passed(await ask(g, '/app/', { authorization: `Bearer ${g.tokens.staff}` }), { 'X-Remote-User': 'mei' });
      if (!remembered) {
        await until('nothing is remembered any more', async () => {
          const r = await ask(g, '/app/', known.headers, { agent: false });
          inv.mark();
          return r.status === 503;
        }, 1500);
      }
    } finally { await end(); }
    await until('well again', async () => {
      const list = await Promise.all(Array.from({ length: 4 }, () => ask(g, '/app/', s.headers, { agent: false })));
      return list.every((r) => r.status === 200);
    }, 1000);
    inv.mark();
    await hears(g);
    inv.alive();
    inv.mark();
  }

  const bare = (...args) => g.redis.client.command(...args);

  test('D87 refused', () => fault(async () => proxy.refuse(), async () => proxy.pass()));
  test('D87 stopped', () => fault(async () => process.kill(g.redis.pid, 'SIGSTOP'), async () => process.kill(g.redis.pid, 'SIGCONT')));
  test('D87 slow', () => fault(async () => proxy.stall(), async () => { proxy.pass(); proxy.dropAll(); }));
  test('D87 dies in the middle of a reply', () => fault(async () => {
    const s = await makeSession(g, { person: 'city:cut', sub: 'cut' });
    proxy.cut(3, 'refuse');
    const r = await ask(g, '/api/v1/me', s.headers, { agent: false });
    assert.ok([200, 503].includes(r.status));
    await until('cut', () => proxy.mode === 'refuse');
    proxy.dropAll();
  }, async () => proxy.pass()));
  test('D87 READONLY', () => fault(() => bare('REPLICAOF', '127.0.0.1', '1'), () => bare('REPLICAOF', 'NO', 'ONE'), { remembered: true }));
  test('D87 OOM', () => fault(() => bare('CONFIG', 'SET', 'maxmemory', '1'), () => bare('CONFIG', 'SET', 'maxmemory', '0'), { remembered: true }));
  test('D87 NOAUTH', () => fault(async () => { await bare('CONFIG', 'SET', 'requirepass', 'x-1234567'); proxy.dropAll(); }, () => bare('CONFIG', 'SET', 'requirepass', '')));
  test('D87 too many clients', () => fault(async () => { await bare('CONFIG', 'SET', 'maxclients', '1'); proxy.dropAll(); await sleep(20); }, () => bare('CONFIG', 'SET', 'maxclients', '1000')));

  test('D87 killed and started again', async () => {
    const s = await makeSession(g);
    inv.passed(await ask(g, '/app/', s.headers), { 'X-Remote-User': 'mei' });
    await g.redis.kill();
    await until('refused', async () => (await ask(g, '/api/v1/me', s.headers)).status === 503, 1500);
    await g.redis.start();
    await until('known again', async () => (await ask(g, '/api/v1/me', s.headers)).status === 200, 1000);
    await hears(g);
    inv.mark();
  });

  test('D87 LOADING and other words', async () => {
    for (const words of ['LOADING Redis is loading the dataset in memory', 'MASTERDOWN Link with MASTER is down', 'BUSY Redis is busy', 'NOSCRIPT x', 'ERR Function not found', 'MISCONF x', 'CLUSTERDOWN x', 'WRONGTYPE x']) {
      const fake = await new FakeRedis(([word]) => (word === 'FCALL' ? `-${words}\r\n` : undefined)).start();
      const other = new Nginx({ server: app(d.up), http: `yimen_catalog ${g.deploy.file}; yimen_redis unix:${fake.path};` });
      try {
        await other.start();
        const r = await other.request('GET', '/app/', { headers: { cookie: `${COOKIE}=${ID}` } });
        assert.equal(r.status, 503, words);
        assert.equal(r.headers['retry-after'], '1');
      } finally { await other.stop(); await fake.stop(); }
    }
  });
});

describe('a server that only pretends to be Redis', () => {
  const hostile = {
    'a huge array': '*1000000000\r\n', 'a deep array': `${'*1\r\n'.repeat(40)}+x\r\n`, 'a huge bulk': '$99999999999999999999\r\n', 'RESP3': '%1\r\n+a\r\n+b\r\n', 'a push': '>2\r\n+message\r\n+x\r\n',
    'garbage': '\0\x01\x02HTTP/1.1 200 OK\r\n\r\n', 'the wrong shape': '*1\r\n*1\r\n$-1\r\n', 'a number': ':5\r\n', 'an empty array': '*0\r\n', 'a status': '+OK\r\n', 'seven nothings': `*7\r\n${'$-1\r\n'.repeat(7)}`,
    'seven numbers': `*7\r\n${':1\r\n'.repeat(7)}`, 'seven texts': `*7\r\n${'$1\r\n5\r\n'.repeat(7)}`, 'negative times': `*7\r\n$1\r\nx\r\n${'$2\r\n-5\r\n'.repeat(6)}`, 'two answers': '$-1\r\n$-1\r\n',
    'a message': '*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$1\r\nx\r\n',
  };
  let d, g, fake, said;
  before(async () => {
    fake = await new FakeRedis((words, s) => said?.(words, s)).start();
    d = await startDoor({ redis: false, via: async () => fake.path });
    g = d.g;
  });
  after(async () => { await over(d); await fake?.stop(); });

  for (const [name, text] of Object.entries(hostile)) {
    test(`D88 ${name}: to a reading, to a greeting, to a subscription, in between`, async () => {
      const pids = g.nginx.workers();
      const try1 = async () => {
        const r = await ask(g, '/app/', { cookie: `${COOKIE}=${ID}` });
        assert.ok([401, 429, 503].includes(r.status), `${name}: ${r.status}`);
        assert.equal((await ask(g, '/healthz', {})).status, 200);
      };
      for (const at of ['FCALL', 'PING', 'CLIENT', 'SUBSCRIBE']) {
        said = ([word]) => (word === at ? text : undefined);
        for (const s of fake.sockets) s.destroy();
        await try1();
        await sleep(60);
        await try1();
      }
      said = undefined;
      await sleep(120);
      for (const s of fake.sockets) s.write(text);
      await try1();
      assert.deepEqual(g.nginx.workers(), pids);
    });
  }
});

describe('somebody leaves in between', () => {
  let d, g, inv, proxy;
  before(async () => {
    d = await startDoor({ via: async (socket) => { proxy = await new SlowProxy(socket).start(); return proxy.path; }, nginx: { workers: 2 } });
    ({ g, inv } = d);
    await hears(g);
  });
  after(async () => { await over(d); await proxy?.stop(); });

  const leave = (s, target, ms) => new Promise((done) => {
    const c = net.connect(g.nginx.socket, () => c.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nCookie: ${s.cookie}\r\n\r\n`));
    c.on('error', () => {});
    setTimeout(() => { c.destroy(); done(); }, ms);
  });

  test('D89 the client, while Redis is asked', async () => {
    proxy.stall();
    const s = await Promise.all(Array.from({ length: 8 }, (_, i) => makeSession(g, { person: `city:p${i}`, sub: `p${i}` })));
    await Promise.all(s.flatMap((one, i) => [leave(one, '/app/', 20 + 10 * i), leave(one, '/api/v1/me', 30), leave(one, '/parts', 5)]));
    proxy.pass();
    proxy.dropAll();
    await until('well again', async () => (await ask(g, '/api/v1/me', s[0].headers)).status === 200);
    inv.alive();
  });

  test('D89 the worker, by a reload while Redis is asked', async () => {
    for (let i = 0; i < 3; i++) {
      await hears(g);
      const s = await makeSession(g, { person: `city:r${i}`, sub: `r${i}`, login: `r${i}` });
      const old = g.nginx.workers();
      proxy.stall();
      const waiting = Array.from({ length: 6 }, () => ask(g, '/app/', s.headers, { agent: false }).catch((e) => ({ status: e.code })));
      await sleep(20);
      await g.nginx.reload();
      await sleep(20);
      proxy.pass();
      proxy.dropAll();
      for (const r of await Promise.all(waiting)) assert.ok([200, 503].includes(r.status), String(r.status));
      await until('the old workers are gone', () => old.every((pid) => !fs.existsSync(`/proc/${pid}`)), 5000);
      inv.pids = g.nginx.workers();
    }
  });
});

describe('news and answers overtake each other', () => {
  let d, g, inv, proxy;
  before(async () => {
    proxy = await new WorkerProxy().start();
    d = await startDoor({ via: async (socket) => { proxy.target = socket; return socket; }, deploy: { redis: proxy.address },
      nginx: { workers: 2, server: `${LOCATIONS} location = /pid { return 200 "$pid"; }` } });
    ({ g, inv } = d);
    await hears(g);
  });
  after(async () => { await over(d); await proxy?.stop(); });

  /* two workers, each with a connection of its own: ask(target, headers), links() */
  async function bothWorkers() {
    const found = new Map();
    await until('a connection to each worker', async () => {
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      const pid = Number((await g.nginx.request('GET', '/pid', { agent })).body);
      if (found.has(pid)) agent.destroy();
      else found.set(pid, agent);
      return found.size === 2;
    }, 20000);
    return [...found].map(([pid, agent]) => ({
      me: async (s) => (await g.nginx.request('GET', '/api/v1/me', { headers: s.headers, agent })).status, links: proxy.of(pid), close: () => agent.destroy(),
    }));
  }

  test('D90 an answer older than the news is kept by nobody, nor given on to who has heard', async () => {
    for (let i = 0; i < 3; i++) {
      const [ahead, behind] = await bothWorkers();
      const s = await makeSession(g, { person: `city:race${i}`, sub: `race${i}` });
      try {
        /* one worker's answers are on their way for long; the other one hears of the end at once */
        proxy.hold([...behind.links.rest, ...behind.links.ear]);
        const late = behind.me(s);
        await until('the answer is under way', () => behind.links.rest.some((l) => l.kept.length > 0));
        await endSession(g, s);
        await until('the news is out', () => behind.links.ear.some((l) => l.kept.length > 0));
        assert.equal(await ahead.me(s), 401);
        proxy.release(behind.links.rest);
        assert.equal(await late, 401, 'the answer was old');
        assert.equal(await ahead.me(s), 401, 'found in what is shared');
        proxy.release(behind.links.ear);
        await sleep(20);
        for (const one of [ahead, behind]) assert.equal(await one.me(s), 401, 'after the news');
      } finally {
        proxy.release([...behind.links.rest, ...behind.links.ear]);
        ahead.close();
        behind.close();
      }
    }
    inv.alive();
  });

  test('D90 who begins to hear takes over nothing from before', async () => {
    const [one, other] = await bothWorkers();
    const [s, fine] = [await makeSession(g, { person: 'city:deaf', sub: 'deaf' }), await makeSession(g)];
    const remembers = (worker, session) => until('remembered', async () => {
      const was = await sessionCounts(g);
      assert.equal(await worker.me(session), 200);
      return (await sessionCounts(g)).reads === was.reads;
    });
    try {
      /* one is deaf; the other reads the session anew, and then is slow to hear of its end */
      proxy.holdNew = true;
      for (const l of one.links.ear) l.client.destroy();
      const again = await until('it wants to hear', () => [...proxy.links].find((l) => l.held));
      await remembers(other, s);
      proxy.hold(other.links.ear);
      await endSession(g, s);
      await until('the news is out', () => other.links.ear.some((l) => l.kept.length > 0));

      proxy.holdNew = false;
      proxy.release([again]);
      await remembers(one, fine);
      assert.equal(await one.me(s), 401, 'taken over from what is shared');
    } finally {
      proxy.holdNew = false;
      proxy.release([...proxy.links]);
      one.close();
      other.close();
    }
  });
});

describe('everywhere within a second', () => {
  let d, g, second, nodes;
  before(async () => {
    d = await startDoor({ nginx: { workers: 2 } });
    g = d.g;
    second = await new Nginx({ workers: 2, server: app(d.up), http: `yimen_catalog ${g.deploy.file};` }).start();
    nodes = [g.nginx, second];
    await hears(g);
    await hears({ ...g, nginx: second });
  });
  after(async () => { await second?.stop(); await over(d); });

  const statuses = async (s) => (await Promise.all(nodes.flatMap((n) => Array.from({ length: 6 }, () => n.request('GET', '/api/v1/me', { headers: s.headers, agent: false }))))).map((r) => r.status);
  const all = async (s, status) => (await statuses(s)).every((x) => x === status);
  const gone = (s, what) => until(what, () => all(s, 401), 1000);

  test('D90 an administrator ends it', async () => {
    const s = await makeSession(g);
    assert.ok(await all(s, 200));
    assert.equal((await g.call('admin', 'DELETE', `/sessions/${s.handle}`)).status, 200);
    await gone(s, 'revoked');
  });

  test('D90 disabled, or a role taken away: all of a person', async () => {
    const list = [await makeSession(g, { person: 'city:x', sub: 'x' }), await makeSession(g, { person: 'city:x', sub: 'x' })];
    for (const s of list) assert.ok(await all(s, 200));
    assert.equal((await g.call('admin', 'DELETE', '/sessions?person=city:x')).status, 200);
    for (const s of list) await gone(s, 'revoked');
  });

  test('D90 the connection that hears is cut first', async () => {
    for (const kind of ['pubsub', 'normal']) {
      const s = await makeSession(g, { person: `city:${kind}`, sub: kind });
      assert.ok(await all(s, 200));
      const c = await connect(g.redis.socket);
      try {
        if (kind === 'pubsub') await c.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
        else for (const line of (await c.command('CLIENT', 'LIST')).split('\n').filter((l) => /flags=\S*t/.test(l))) await c.command('CLIENT', 'KILL', 'ID', /id=(\d+)/.exec(line)[1]).catch(() => {});
        await c.fcall('ym_session_end', `{s${s.shard}}`, s.digest);
      } finally { c.close(); }
      await gone(s, kind);
      await hears(g);
      await hears({ ...g, nginx: second });
    }
  });

  test('D90 FLUSHALL', async () => {
    const s = await makeSession(g);
    assert.ok(await all(s, 200));
    await g.redis.client.command('FLUSHALL');
    await gone(s, 'flushed');
  });

  test('D90 another value is seen as well', async () => {
    const s = await makeSession(g);
    assert.ok(await all(s, 200));
    const changed = seal(g.deploy.ring, `session:${s.digest}`, JSON.stringify(sessionValue({ roles: ROLES.auditor })));
    await g.redis.client.fcall('ym_session_set', `{s${s.shard}}`, s.digest, changed);
    await until('changed', async () => (await Promise.all(nodes.map((n) => n.request('GET', '/api/v1/me', { headers: s.headers, agent: false })))).every((r) => r.json.roles.join() === 'auditor'), 1000);
  });

  test('B71 after signing out: old cookie, other worker, other node; an open socket is closed', async () => {
    const s = await makeSession(g, { person: 'city:leaver', sub: 'leaver' });
    assert.ok(await all(s, 200));
    d.up.respond = (request, socket) => {
      if (!request.headers.upgrade) return undefined;
      socket.takenOver = true;
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
      return undefined;
    };
    const open = (node) => new Promise((done, fail) => {
      const c = net.connect(node.socket, () => c.write(`GET /socket/ HTTP/1.1\r\nHost: localhost\r\nOrigin: ${PUBLIC_URL}\r\nCookie: ${s.cookie}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`));
      c.on('error', fail);
      c.once('data', (text) => (/^HTTP\/1.1 101/.test(text) ? done(c) : fail(new Error(String(text)))));
    });
    const sockets = await Promise.all(nodes.map(open));
    await sleep(2500);
    assert.ok(sockets.every((c) => !c.destroyed), 'open as long as the session is');
    const r = await g.nginx.request('POST', '/auth/logout', { headers: { ...s.headers, 'x-yimen-csrf': s.csrf, 'content-type': 'application/x-www-form-urlencoded', origin: PUBLIC_URL }, body: '' });
    assert.equal(r.status, 200);
    await gone(s, 'signed out');
    await until('closed', () => sockets.every((c) => c.destroyed), 4000);
    d.up.respond = undefined;
    const back = await g.nginx.request('GET', '/api/v1/me', { headers: s.headers });
    assert.equal(back.headers['cache-control'], 'no-store');
  });
});

describe('signing in', () => {
  let g, inv;
  before(async () => {
    const preload = execFileSync('mktemp', ['-d']).toString().trim();
    fs.writeFileSync(path.join(preload, 'rand.c'), '#include <unistd.h>\n#include <stdlib.h>\n#include <sys/random.h>\nint RAND_bytes(unsigned char *b, int n) { return access(getenv("NO_RANDOM"), F_OK) == 0 ? 0 : getrandom(b, (size_t)n, 0) == n; }\n');
    execFileSync('gcc', ['-shared', '-fPIC', '-o', path.join(preload, 'rand.so'), path.join(preload, 'rand.c')]);
    const env = process.env.YIMEN_MODULE === 'static' ? {} : { LD_PRELOAD: path.join(preload, 'rand.so') };
    g = await startAccounts({ limei: { roles: 'staff', name: '李梅' }, zhao: { roles: 'staff' } }, { nginx: { env: { ...env, NO_RANDOM: path.join(preload, 'none') }, main: 'env NO_RANDOM;' } });
    g.noRandom = path.join(preload, 'none');
    inv = new Invariants(g);
  });
  after(() => g?.stop());

  test('D78 attributes, when it is set and when it is taken back', async () => {
    const b = new Browser(g.nginx);
    const r = await b.signInAs('limei', PASSWORD);
    const mine = r.headers['set-cookie'].filter((c) => c.startsWith(`${COOKIE}=`));
    assert.equal(mine.length, 1);
    assert.match(mine[0], /^__Host-yimen=[01]\.[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Secure$/);
    const me = await b.who();
    const out = await b.post('/auth/logout', { csrf: me.csrf });
    assert.deepEqual(out.headers['set-cookie'].filter((c) => c.startsWith(`${COOKIE}=`)), ['__Host-yimen=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0']);
    for (const line of [...r.headers['set-cookie'], ...out.headers['set-cookie']]) {
      assert.match(line, /^__Host-/);
      for (const word of ['Secure', 'HttpOnly', 'SameSite=Lax', 'Path=/']) assert.ok(line.includes(`; ${word}`), line);
      assert.doesNotMatch(line, /domain/i);
    }
  });

  test('D85 256 random bits, of which Redis knows the SHA-256 alone', async () => {
    const ids = new Set();
    for (let i = 0; i < 6; i++) {
      const b = new Browser(g.nginx);
      await b.signInAs('limei', PASSWORD);
      ids.add(inv.secret(b.cookies.get(COOKIE)));
    }
    assert.equal(ids.size, 6);
    const dump = [];
    for (const key of await g.redis.client.command('KEYS', '*')) dump.push(key, (await g.redis.client.command('DUMP', key)) ?? '');
    const text = dump.join('\n');
    for (const id of ids) {
      assert.ok(!text.includes(id) && !text.includes(id.slice(2)), 'no id in Redis');
      const digest = crypto.createHash('sha256').update(id).digest('hex');
      assert.ok(text.includes(`:se:${digest}`));
      assert.equal((await g.nginx.request('GET', '/api/v1/me', { headers: { cookie: `${COOKIE}=${digest}` } })).status, 401);
    }
    for (const word of ['李梅', 'limei']) assert.ok(!text.includes(word), word);
  });

  test('D85 without random numbers nobody signs in', async () => {
    if (process.env.YIMEN_MODULE === 'static') return;
    const b = new Browser(g.nginx);
    await b.get('/auth/login');
    fs.writeFileSync(g.noRandom, '');
    try {
      const r = await b.submit({ name: 'limei', password: PASSWORD });
      assert.equal(r.status, 503);
      assert.ok(!(r.headers['set-cookie'] ?? []).some((c) => c.startsWith(`${COOKIE}=`)));
    } finally { fs.rmSync(g.noRandom); }
    assert.equal((await b.signInAs('limei', PASSWORD)).status, 303);
  });

  test('D91 what is digested together cannot be shifted', async () => {
    const b = new Browser(g.nginx);
    await b.signInAs('zhao', PASSWORD);
    const person = (await b.who()).subject;
    const keys = await g.redis.client.command('KEYS', '*:sp:*');
    assert.ok(keys.some((k) => k.endsWith(`:sp:${personDigest(g, person)}`)), 'length before the first part, and before each of label and text');
  });

  test('B62 an id from before the sign-in is worth nothing after', async () => {
    const planted = await makeSession(g, { person: 'local:eve', provider: 'local', iss: 'local', sub: 'eve' });
    const unknown = `0.${crypto.randomBytes(32).toString('base64url')}`;
    for (const id of [planted.id, unknown, ID]) {
      const b = new Browser(g.nginx);
      b.cookies.set(COOKIE, id);
      if (id === planted.id) await b.post('/auth/logout', { csrf: planted.csrf });
      b.cookies.set(COOKIE, id);
      const r = await b.signInAs('limei', PASSWORD);
      assert.equal(r.status, 303);
      assert.notEqual(b.cookies.get(COOKIE), id);
      assert.equal((await b.who()).subject, `local:${g.ids.limei}`);
      assert.equal((await g.nginx.request('GET', '/api/v1/me', { headers: { cookie: `${COOKIE}=${id}` } })).status, 401);
    }
  });

  test('B64 somebody else in the same browser: the first session ends', async () => {
    const b = new Browser(g.nginx);
    await b.signInAs('limei', PASSWORD);
    const first = b.cookies.get(COOKIE);
    const page = new Browser(g.nginx);
    await page.get('/auth/login');
    for (const [k, v] of page.cookies) b.cookies.set(k, v);
    b.page = page.page;
    assert.equal((await b.submit({ name: 'zhao', password: PASSWORD })).status, 303);
    assert.equal((await b.who()).subject, `local:${g.ids.zhao}`);
    assert.notEqual(b.cookies.get(COOKIE), first);
    assert.equal((await g.nginx.request('GET', '/api/v1/me', { headers: { cookie: `${COOKIE}=${first}` } })).status, 401);
    inv.done();
  });
});
