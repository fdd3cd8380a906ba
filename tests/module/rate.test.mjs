/* SPDX-License-Identifier: Apache-2.0
 * yimen_limit: requests by person, by program and by real address, counted for all workers together,
 * before a body is read; nothing of it depends on Redis.  J179 of the list of attacks.
 * The buckets fill so slowly that nothing is added while a busy machine counts; /quick/ shows that
 * they do fill.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { LOCATIONS, PUBLIC_URL, startGateway, withSessions } from '../lib/gateway.mjs';
import { sleep, testNginx, until } from '../lib/nginx.mjs';
import { makeSession } from '../lib/session.mjs';
import { claims, makeToken } from '../lib/tokens.mjs';
import { Invariants, get, rawRequest, startUpstream } from '../attacks/invariants.mjs';

describe('limits of requests', () => {
  let g, upstream, inv;

  before(async () => {
    upstream = await startUpstream();
    const up = `proxy_pass http://unix:${upstream.socket}:;`;
    g = await startGateway({
      deploy: { auth: withSessions() },
      nginx: {
        workers: 2, level: 'notice', http: 'yimen_limit_zone 64k;',
        server: `${LOCATIONS.replace('location /api/v1/ { yimen_api on; }', 'location /api/v1/ { yimen_api on; yimen_limit rate=6r/m burst=5 key=identity; }')}
          set_real_ip_from unix:; real_ip_header X-Test-Peer;
          location /who/ { yimen_auth on; yimen_limit rate=6r/m burst=5 key=identity; ${up} }
          location /peer/ { yimen_limit rate=6r/m burst=5 key=peer; ${up} }
          location /client/ { yimen_auth on; yimen_limit rate=6r/m burst=5 key=client; ${up} }
          location /two/ { yimen_auth on; yimen_limit rate=6r/m burst=3 key=identity; yimen_limit rate=6r/m burst=5 key=peer; ${up} }
          location /quick/ { yimen_limit rate=20r/s burst=2 key=peer; ${up} }
          location /free/ { yimen_auth on; ${up} }`,
      },
    });
    inv = new Invariants(g, { upstream });
  });
  after(async () => {
    try { inv.done(); } finally { await g.stop(); await upstream.stop(); }
  });

  const ask = (target, headers = {}, method = 'GET', opts = {}) => g.nginx.request(method, target, { headers, agent: new http.Agent(), ...opts });
  const token = (sub, more) => ({ authorization: `Bearer ${makeToken(g.key, claims(sub, ['staff'], more))}` });
  async function count(n, ask1) {
    const seen = {};
    let last;
    for (const r of await Promise.all(Array.from({ length: n }, (_, i) => ask1(i)))) { seen[r.status] = (seen[r.status] ?? 0) + 1; if (r.status === 429) last = r; }
    inv.mark();
    return { ...seen, last };
  }

  test('J179 a burst over all workers counts as one', async () => {
    const seen = await count(30, () => ask('/who/x', token('a')));
    assert.deepEqual([seen[200], seen[429]], [5, 25]);
    inv.refused(seen.last, 429);
    assert.equal(seen.last.json.type, 'urn:yimen:problem:too-many-requests');
    assert.ok(Number(seen.last.headers['retry-after']) >= 1 && Number(seen.last.headers['retry-after']) <= 11);
    assert.equal((await ask('/who/x', token('b'))).status, 200, 'another person has his own');
    assert.equal((await ask('/free/x', token('a'))).status, 200, 'another place has none');
  });

  test('J179 a person is one, by whatever way he comes', async () => {
    const s = await makeSession(g, { person: 'c' });
    const ways = [(i) => ask('/who/x', token('c', { x: i })), () => ask('/who/x', s.headers), () => ask('/who/x/', s.headers), () => ask('/who/X?y=1', s.headers),
      () => ask('/who/x', { ...s.headers, origin: PUBLIC_URL }, 'POST'), () => ask('/who/x', s.headers, 'HEAD'), () => ask('/who/x', { ...s.headers, 'x-test-peer': '192.0.2.9' })];
    const seen = await count(28, (i) => ways[i % ways.length](i));
    assert.deepEqual([seen[200], seen[429]], [5, 23]);
  });

  test('J179 the address is the real one, an IPv6 customer is one, a name in a header is nobody', async () => {
    let seen = await count(20, (i) => ask('/peer/x', { 'x-test-peer': '198.51.100.1', 'x-forwarded-for': `203.0.113.${i}`, 'x-real-ip': `203.0.113.${i}`, forwarded: `for=203.0.113.${i}` }));
    assert.deepEqual([seen[200], seen[429]], [5, 15]);
    seen = await count(20, (i) => ask('/peer/x', { 'x-test-peer': `2001:db8:0:1:${i}::${i}` }));
    assert.deepEqual([seen[200], seen[429]], [5, 15]);
    seen = await count(20, (i) => ask('/peer/x', { 'x-test-peer': `2001:db8:0:${i + 2}::1` }));
    assert.equal(seen[200], 20);
    seen = await count(8, (i) => ask('/peer/x', { 'x-test-peer': i % 2 ? '::ffff:198.51.100.77' : '198.51.100.77' }));
    assert.deepEqual([seen[200], seen[429]], [5, 3]);
  });

  test('J179 a program is one, whoever it acts for', async () => {
    const seen = await count(20, (i) => ask('/client/x', token(`p${i}`, { client_id: 'batch' })));
    assert.deepEqual([seen[200], seen[429]], [5, 15]);
    assert.equal((await ask('/client/x', token('p1', { azp: 'other' }))).status, 200);
    inv.mark();
  });

  test('J179 names with the delimiter inside are others', async () => {
    for (const [one, two] of [['a:b', 'a'], ['who:x', 'x'], ['1:who:y', 'y']]) {
      await count(6, () => ask('/who/x', token(one)));
      assert.equal((await ask('/who/x', token(one))).status, 429);
      assert.equal((await ask('/who/x', token(`${two}-other`))).status, 200);
    }
    await count(6, () => ask('/client/x', token('q', { client_id: 'same' })));
    assert.equal((await ask('/client/x', token('same'))).status, 200, 'a person of the same name as a program');
    inv.mark();
  });

  test('several limits all hold', async () => {
    const seen = await count(12, () => ask('/two/x', { ...token('d'), 'x-test-peer': '198.51.100.2' }));
    assert.equal(seen[200], 3);
    const others = await count(12, (i) => ask('/two/x', { ...token(`e${i}`), 'x-test-peer': '198.51.100.2' }));
    assert.ok(others[200] <= 2, JSON.stringify(others[200]));
  });

  test('a bucket fills again at its rate', async () => {
    const peer = { 'x-test-peer': '198.51.100.3' };
    for (let round = 0; round < 2; round++) {
      const from = performance.now();
      const seen = await count(10, () => ask('/quick/x', peer));
      const added = (performance.now() - from) * 0.02;
      assert.ok(seen[200] >= 2 && seen[200] <= 2 + Math.ceil(added), `${seen[200]} passed while ${added} were added to 2`);
      await sleep(300);
    }
  });

  test('the API has the same limits; a body is not read for an answer of 429', async () => {
    const seen = await count(12, () => g.call(null, 'GET', '/me', { headers: token('f') }));
    assert.deepEqual([seen[200], seen[429]], [5, 7]);
    const text = await new Promise((done) => {
      const s = net.connect(g.nginx.socket, () => s.write(`POST /api/v1/records HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: ${token('f').authorization}\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n`));
      let t = '';
      s.on('data', (d) => { t += d; });
      s.on('error', () => {});
      s.on('close', () => done(t));
      setTimeout(() => s.destroy(), 10000).unref();
    });
    assert.match(text, /^HTTP\/1\.1 429 /);
    assert.doesNotMatch(text, /100 Continue/);
    inv.alive();
  });

  test('K187 a full table lets the least used go and neither opens nor spins', async () => {
    await inv.undisturbed(async () => {
      for (let i = 0; i < 400; i++) await Promise.all(Array.from({ length: 8 }, (_, k) => ask('/peer/x', { 'x-test-peer': `10.${i % 256}.${k}.${i >> 8}` })));
    }, { floor: 60, rounds: 3 });
    inv.mark();
    const seen = await count(12, () => ask('/peer/x', { 'x-test-peer': '198.51.100.4' }));
    assert.deepEqual([seen[200], seen[429]], [5, 7]);
  });

  test('buckets live through a reload, and through a Redis that is away', async () => {
    const peer = { 'x-test-peer': '198.51.100.5' };
    await count(6, () => ask('/peer/x', peer));
    await g.nginx.reload();
    inv.pids = g.nginx.workers();
    assert.equal((await ask('/peer/x', peer)).status, 429);
    await g.redis.kill();
    const seen = await count(12, () => ask('/peer/x', { 'x-test-peer': '198.51.100.6' }));
    assert.deepEqual([seen[200], seen[429]], [5, 7]);
    await g.redis.start();
    inv.mark();
  });

  test('a worker that is killed leaves the table usable', async () => {
    g.nginx.options.allow = [/exited on signal 9/];
    const [victim] = g.nginx.workers();
    process.kill(victim, 'SIGKILL');
    await until('another worker', () => g.nginx.workers().length === 2 && !g.nginx.workers().includes(victim));
    inv.pids = g.nginx.workers();
    const seen = await count(12, () => ask('/peer/x', { 'x-test-peer': '198.51.100.8' }).catch(() => ({ status: 0 })));
    assert.ok(seen[200] >= 4 && seen[200] <= 5);
    inv.refused(await rawRequest(g.nginx, get('/peer/x', 'X-Test-Peer: 198.51.100.8\r\n')), 429);
  });

  test('what makes no sense is refused with its line', async () => {
    for (const line of ['yimen_limit;', 'yimen_limit rate=0r/s;', 'yimen_limit rate=5;', 'yimen_limit rate=x;', 'yimen_limit rate=5r/h;', 'yimen_limit burst=5;', 'yimen_limit rate=5r/s burst=0;', 'yimen_limit rate=5r/s key=cookie;', 'yimen_limit rate=2000000r/s;']) {
      const t = await testNginx({ http: `yimen_catalog ${g.deploy.file};`, server: line });
      assert.notEqual(t.code, 0, line);
    }
    assert.notEqual((await testNginx({ http: `yimen_catalog ${g.deploy.file}; yimen_limit_zone 1k;` })).code, 0);
  });
});
