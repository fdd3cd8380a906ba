/* SPDX-License-Identifier: Apache-2.0
 * The worker's Redis connections survive whatever Redis does: single bytes, cuts in mid-reply,
 * silence, death, hostile replies. No request hangs, none is answered wrongly, and a second later
 * everything works again.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { note, startGateway } from '../lib/gateway.mjs';
import { sleep, until } from '../lib/nginx.mjs';
import { clock } from '../lib/pace.mjs';
import { startSlowProxy } from '../lib/slowproxy.mjs';

const many = (n, fn) => Promise.all(Array.from({ length: n }, (_, i) => fn(i)));
const statuses = (answers) => [...new Set(answers.map((a) => a.status))].sort();

describe('through a proxy', () => {
  let g, proxy, big;
  const ready = () => until('ready again', async () => (await g.nginx.request('GET', '/readyz')).status === 200, 3000);

  before(async () => {
    g = await startGateway({ via: async (socket) => { proxy = await startSlowProxy(socket); return proxy.path; } });
    await ready();
    const r = await g.call('staff', 'POST', '/records', { body: note({ text: '长'.repeat(20000) }) });
    assert.equal(r.status, 201, r.body);
    big = r.json;
  });
  after(async () => { try { await g.stop(); } finally { await proxy.stop(); } });

  /* What takes its time on a busy machine is no outage: the gateway waits longer while fn() runs. */
  async function patiently(fn) {
    const { http } = g.nginx.options;
    const set = async (more) => { g.nginx.write({ http: `${http}${more}` }); await g.nginx.reload(); await ready(); };
    await set('yimen_redis_timeout 10s;');
    await fn();
    await set('');
  }

  test('a reply of many reads arrives whole', async () => {
    const answers = await many(20, () => g.call('staff', 'GET', `/records/${big.id}`));
    assert.deepEqual(statuses(answers), [200]);
    for (const a of answers) assert.deepEqual(a.json.data, big.data);
  });

  test('single bytes in both directions: every answer is its own', () => patiently(async () => {
    proxy.dribble();
    try {
      const made = await many(12, (i) => g.call('staff', 'POST', '/records', { body: note({ title: `第${i}件` }) }));
      assert.deepEqual(statuses(made), [201]);
      const read = await many(12, (i) => g.call('staff', 'GET', `/records/${made[i].json.id}`));
      read.forEach((a, i) => assert.equal(a.json.data.title, `第${i}件`));
    } finally { proxy.pass(); }
  }));

  test('cut after every number of reply bytes: 503 with Retry-After, then it works', async () => {
    for (let n = 0; n < 40; n++) {
      proxy.cut(n);
      const answers = await many(6, () => g.call('staff', 'GET', `/records/${big.id}`));
      for (const a of answers) {
        assert.ok(a.status === 200 || a.status === 503, String(a.status));
        if (a.status === 503) assert.match(a.headers['retry-after'], /^\d+$/);
        if (a.status === 200) assert.deepEqual(a.json.data, big.data);
      }
      await ready();
    }
  });

  test('a silent Redis: 503 within a second, the answer that comes late meets nobody', async () => {
    proxy.stall();
    const ms = clock();
    const answers = await many(20, () => g.call('staff', 'GET', `/records/${big.id}`));
    assert.deepEqual(statuses(answers), [503]);
    assert.ok(ms() < 1500, `${ms()} ms`);
    await until('a stalled pool refuses at once', async () => {
      const quick = clock();
      assert.equal((await g.call('staff', 'GET', `/records/${big.id}`)).status, 503);
      return quick() < 200;
    });
    proxy.pass();
    await ready();
    const again = await many(20, () => g.call('staff', 'GET', `/records/${big.id}`));
    assert.deepEqual(statuses(again), [200]);
  });

  test('a connection that never answers again is given up and replaced', async () => {
    const before = proxy.accepted;
    proxy.stall();
    await many(12, () => g.call('staff', 'GET', '/records'));
    await until('new connections', () => proxy.accepted > before, 8000);
    proxy.pass();
    await ready();
  });

  test('clients that leave while Redis is silent leave nothing behind', async () => {
    proxy.stall();
    const head = `GET /api/v1/records/${big.id} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${g.tokens.staff}\r\n\r\n`;
    await many(20, () => new Promise((done) => {
      const s = net.connect(g.nginx.socket, () => { s.write(head); setTimeout(() => { s.destroy(); done(); }, 30); });
      s.on('error', () => {});
    }));
    proxy.pass();
    await ready();
  });

  test('a reload lets the requests under way finish', () => patiently(async () => {
    proxy.stall();
    const waiting = many(8, () => g.call('staff', 'GET', `/records/${big.id}`, { agent: false }));
    await sleep(50);
    const reloaded = g.nginx.reload();
    await sleep(100);
    proxy.pass();
    assert.deepEqual(statuses(await waiting), [200]);
    await reloaded;
    await ready();
  }));

  test('refused connections: 503 at once, and back within a second', async () => {
    proxy.refuse();
    await sleep(20);
    const ms = clock();
    assert.equal((await g.call('staff', 'GET', `/records/${big.id}`)).status, 503);
    assert.ok(ms() < 1000, `${ms()} ms`);
    const health = await g.nginx.request('GET', '/healthz');
    assert.equal(health.status, 200);
    const metrics = await g.nginx.request('GET', '/metrics');
    assert.match(metrics.body, /^yimen_redis_up 0$/m);
    proxy.pass();
    const back = clock();
    await ready();
    assert.ok(back() < 1000, `${back()} ms`);
  });
});

describe('Redis itself', () => {
  let g;
  before(async () => { g = await startGateway(); });
  after(() => g.stop());

  test('killed in mid-work: nothing hangs; what was answered 201 is there afterwards', async () => {
    const running = many(60, (i) => g.call('staff', 'POST', '/records', { body: note({ title: `k${i}` }) }));
    await sleep(10);
    await g.redis.kill();
    const answers = await running;
    for (const a of answers) assert.ok(a.status === 201 || a.status === 503, String(a.status));
    assert.equal((await g.call('staff', 'POST', '/records', { body: note() })).status, 503);
    await g.redis.start();
    await until('ready', async () => (await g.nginx.request('GET', '/readyz')).status === 200, 3000);
    for (const a of answers.filter((x) => x.status === 201)) {
      assert.equal((await g.call('staff', 'GET', `/records/${a.json.id}`)).status, 200);
    }
  });

  test('stopped by a signal (SIGSTOP): 503 in time; woken: it goes on', async () => {
    process.kill(g.redis.pid, 'SIGSTOP');
    try {
      const ms = clock();
      assert.equal((await g.call('staff', 'POST', '/records', { body: note() })).status, 503);
      assert.ok(ms() < 1500, `${ms()} ms`);
    } finally { process.kill(g.redis.pid, 'SIGCONT'); }
    await until('ready', async () => (await g.nginx.request('GET', '/readyz')).status === 200, 1000);
  });

  test('above maxmemory: 503 with a longer Retry-After, reads go on', async () => {
    const made = await g.call('staff', 'POST', '/records', { body: note() });
    await g.redis.client.command('CONFIG', 'SET', 'maxmemory', '1');
    try {
      const r = await g.call('staff', 'POST', '/records', { body: note() });
      assert.equal(r.status, 503);
      assert.equal(r.json.type, 'urn:yimen:problem:full');
      assert.equal(r.headers['retry-after'], '30');
      assert.equal((await g.call('staff', 'GET', `/records/${made.json.id}`)).status, 200);
    } finally { await g.redis.client.command('CONFIG', 'SET', 'maxmemory', '0'); }
    assert.equal((await g.call('staff', 'POST', '/records', { body: note() })).status, 201);
  });

  test('without the function library: not ready, 503, said in the log', async () => {
    await g.redis.client.command('FUNCTION', 'FLUSH');
    const r = await g.nginx.request('GET', '/readyz');
    assert.equal(r.status, 503);
    assert.equal((await g.call('staff', 'POST', '/records', { body: note() })).status, 503);
    assert.match(g.nginx.log(), /event=redis\.refused/);
  });
});

describe('a server that only pretends to be Redis', () => {
  const hostile = {
    'a reply nobody asked for': '+hello\r\n',
    'an error nobody asked for': '-ERR max number of clients reached\r\n',
    'a huge array': '*1000000000\r\n',
    'a deep array': `${'*1\r\n'.repeat(40)}+x\r\n`,
    'a huge bulk': '$99999999999999999999\r\n',
    'RESP3': '%1\r\n+a\r\n+b\r\n',
    'a push': '>2\r\n+message\r\n+x\r\n',
    'garbage': '\0\x01\x02HTTP/1.1 200 OK\r\n\r\n',
    'the wrong shape': '*1\r\n*1\r\n$-1\r\n',
    'a number': ':5\r\n',
    'an empty array': '*0\r\n',
    'nil': '$-1\r\n',
  };
  let g, server, dir, answer = '';
  before(async () => {
    dir = fs.mkdtempSync(path.join(os.tmpdir(), 'yimen-fake-'));
    const file = path.join(dir, 'fake.sock');
    server = net.createServer((s) => {
      s.on('error', () => {});
      if (/nobody/.test(answer.name ?? '')) s.write(answer.text);
      s.on('data', () => s.write(answer.text ?? ''));
    });
    await new Promise((done) => server.listen(file, done));
    g = await startGateway({ redis: false, via: async () => file });
  });
  after(async () => {
    try { await g.stop(); } finally {
      server.close();
      fs.rmSync(dir, { recursive: true, force: true });
    }
  });

  for (const [name, text] of Object.entries(hostile)) {
    test(name, async () => {
      answer = { name, text };
      const pid = g.nginx.workers();
      for (const [method, target, opts] of [['GET', '/readyz', { bare: true }], ['GET', '/records', {}],
        ['GET', '/systems', {}], ['POST', '/records', { body: note() }], ['GET', '/records/01M80RTG1W5ZTZXYR1YGXKS6R0', {}],
        ['GET', '/audit', {}]]) {
        const who = target === '/audit' ? 'auditor' : 'staff';
        const r = await g.call(who, method, target, opts);
        assert.ok([200, 404, 500, 503].includes(r.status), `${target}: ${r.status}`);
        if (target === '/readyz' || method === 'POST') assert.ok(r.status >= 500);
      }
      assert.deepEqual(g.nginx.workers(), pid, 'the same worker');
    });
  }
});

test('a password: sent first, never logged; a wrong one is no way in', async () => {
  const g = await startGateway({ redis: { config: {} } });
  try {
    await g.redis.client.command('CONFIG', 'SET', 'requirepass', 'sesame-1234');
    fs.writeFileSync(path.join(g.deploy.dir, 'pw'), 'sesame-1234\n', { mode: 0o600 });
    const site = `yimen_catalog ${g.deploy.file};\n`;
    g.nginx.write({ http: `${site}yimen_redis unix:${g.redis.socket} password=file:${g.deploy.dir}/pw connections=2;` });
    await g.nginx.reload();
    await until('ready', async () => (await g.nginx.request('GET', '/readyz')).status === 200);
    assert.equal((await g.call('staff', 'POST', '/records', { body: note() })).status, 201);
    fs.writeFileSync(path.join(g.deploy.dir, 'pw'), 'wrong-one\n');
    await g.nginx.reload();
    await until('refused', async () => /event=redis\.down .*err="WRONGPASS/.test(g.nginx.log()));
    assert.equal((await g.nginx.request('GET', '/readyz')).status, 503);
    assert.doesNotMatch(g.nginx.log(), /sesame|wrong-one/);
  } finally { await g.stop(); }
});
