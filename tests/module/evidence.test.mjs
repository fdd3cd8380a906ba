/* SPDX-License-Identifier: Apache-2.0
 * Evidence of the gateway: what is refused or read leaves one entry with peer and request id,
 * nobody waits for it, and it outlives an absent Redis.
 */
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { startGateway, note } from '../lib/gateway.mjs';
import { sleep, until } from '../lib/nginx.mjs';
import { stopwatch } from '../lib/pace.mjs';
import { claims, makeKey, makeToken } from '../lib/tokens.mjs';

/* How many entries there are, which costs next to nothing to ask. */
async function written(g) {
  const lengths = await Promise.all(Array.from({ length: g.deploy.site.shards }, (_, shard) => g.redis.client.command('XLEN', `{s${shard}}:audit`)));
  return lengths.reduce((sum, n) => sum + n, 0);
}

/* Every entry of all shards, straight from the streams. */
export async function entriesOf(g) {
  const all = [];
  for (let shard = 0; shard < g.deploy.site.shards; shard++) {
    const rows = await g.redis.client.command('XRANGE', `{s${shard}}:audit`, '-', '+');
    for (const [entry, flat] of rows) {
      const e = { entry, shard };
      for (let i = 0; i < flat.length; i += 2) e[flat[i]] = flat[i + 1];
      all.push(e);
    }
  }
  return all;
}

const strange = makeKey('ES256', 'k-ES256');
const badToken = () => makeToken(strange, claims('eve', 'admin'));

describe('evidence of refusals and readings', () => {
  let g;
  before(async () => { g = await startGateway({ redis: { config: { appendfsync: 'no' } } }); });
  after(() => g.stop());

  const fresh = async (act) => {
    const had = new Set((await entriesOf(g)).map((e) => `${e.shard} ${e.entry}`));
    await act();
    return until('evidence', async () => {
      const now = (await entriesOf(g)).filter((e) => !had.has(`${e.shard} ${e.entry}`));
      return now.length ? now : null;
    });
  };

  test('a token that does not hold: one entry, without the token', async () => {
    const token = badToken();
    const got = await fresh(async () => assert.equal((await g.call(token, 'GET', '/records')).status, 401));
    await sleep(50);
    assert.equal(got.length, 1);
    const [e] = got;
    assert.deepEqual([e.what, e.who, e.outcome, e.why], ['access_refused', '', 'refused', 'bad-token listRecords']);
    assert.match(e.request, /^[0-9a-f]{32}$/);
    assert.ok(e.peer.startsWith('unix'), e.peer);
    assert.ok(!JSON.stringify(e).includes(token.slice(0, 20)));
  });

  test('a role that may not: who it was, and what', async () => {
    const [e] = await fresh(async () => assert.equal((await g.call('auditor', 'POST', '/records', { body: note() })).status, 403));
    assert.deepEqual([e.what, e.who, e.why], ['access_refused', 'au', 'forbidden createRecord']);
  });

  test('a record of others: 404 to them, an entry for the auditor', async () => {
    const r = (await g.call('staff', 'POST', '/records', { body: note() })).json;
    const [e] = await fresh(async () => assert.equal((await g.call('other', 'GET', `/records/${r.id}`)).status, 404));
    assert.deepEqual([e.what, e.who, e.id], ['access_refused', 'bo', r.id]);
  });

  test('nobody at all is no evidence: a request without a token leaves none', async () => {
    const had = (await entriesOf(g)).length;
    assert.equal((await g.call(null, 'GET', '/records')).status, 401);
    await sleep(100);
    assert.equal((await entriesOf(g)).length, had);
  });

  test('GET /audit filters by who, what, record, system, outcome and time; reading it is noted', async () => {
    const list = async (query) => (await g.call('auditor', 'GET', `/audit?limit=200&${query}`)).json.items;
    const [e] = await fresh(() => list('who=nobody'));
    assert.deepEqual([e.what, e.who, e.why], ['audit_read', 'au', 'limit=200&who=nobody']);
    for (const x of await list('who=bo')) assert.equal(x.who, 'bo');
    assert.ok((await list('who=bo')).length >= 1);
    assert.ok((await list('what=access_refused')).every((x) => x.what === 'access_refused' && x.outcome === 'refused' && x.request));
    assert.equal((await list('outcome=refused')).length, (await list('what=access_refused')).length);
    await g.call('operator', 'POST', '/systems/alpha/pause', { body: { reason: 'x1' } });
    await g.call('operator', 'POST', '/systems/alpha/resume', { body: { reason: 'x2' } });
    assert.deepEqual((await list('system=alpha')).map((x) => x.what), ['pause', 'resume']);
    const { record } = (await list('who=bo'))[0];
    assert.deepEqual((await list(`record=${record}`)).map((x) => x.record), [record]);
    assert.deepEqual(await list('to=2020-01-01'), []);
    assert.deepEqual(await list('from=2099-01-01'), []);
    assert.ok((await list('from=2020-01-01&to=2099-01-01')).length > 5);
    for (const bad of ['from=x', 'to=2026-02-30', `who=${'x'.repeat(201)}`]) assert.equal((await g.call('auditor', 'GET', `/audit?${bad}`)).status, 400, bad);
  });

  test('a filtered page that must look far goes on without loss', async () => {
    for (let i = 0; i < 9000; i++) await g.redis.client.fcall('ym_evidence', '{s0}', i % 3000 === 7 ? 'rare' : 'often', 'many', '', '', String(i), '', '', 'ok', '', '', '');
    for (let i = 0; i < 5; i++) await g.redis.client.fcall('ym_evidence', '{s1}', 'rare', 'many', '', '', `s${i}`, '', '', 'ok', '', '', '');
    const seen = [];
    let next = '/audit?limit=3&what=many&who=rare';
    let pages = 0;
    while (next) {
      const page = (await g.call('auditor', 'GET', next.replace('/api/v1', ''))).json;
      seen.push(...page.items);
      next = page.next;
      assert.ok(++pages < 30);
    }
    assert.deepEqual(seen.map((e) => e.why), ['7', '3007', '6007', 's0', 's1', 's2', 's3', 's4']);
  });
});

describe('evidence while Redis is away', () => {
  let g;
  before(async () => { g = await startGateway({ nginx: { allow: [/./] } }); });
  after(() => g.stop());

  test('kept in the worker, written once when Redis is back, with the time when it happened', async () => {
    await g.call(badToken(), 'GET', '/me');
    await g.redis.kill();
    const began = Date.now();
    for (let i = 0; i < 30; i++) assert.equal((await g.call(badToken(), 'GET', '/me')).status, 401);
    await sleep(700);
    await g.redis.start();
    const came = Date.now();
    const refused = async () => (await entriesOf(g)).filter((e) => e.what === 'access_refused');
    await until('all of it', async () => (await refused()).length >= 31, 10000);
    await sleep(600);
    const all = await refused();
    assert.equal(all.length, 31, 'none twice');
    assert.equal(new Set(all.map((e) => e.uid)).size, 31);
    const late = all.filter((e) => e.at);
    assert.ok(late.length >= 30);
    for (const e of late) assert.ok(Number(e.at) >= began - 1000 && Number(e.at) < came, `${e.at}`);
  });

  test('Redis hangs: what was sent without an answer is not written twice', async () => {
    const had = (await entriesOf(g)).length;
    process.kill(g.redis.pid, 'SIGSTOP');
    for (let i = 0; i < 10; i++) assert.equal((await g.call(badToken(), 'GET', '/me')).status, 401);
    await sleep(1500);
    process.kill(g.redis.pid, 'SIGCONT');
    await until('all of it', async () => (await entriesOf(g)).length >= had + 10, 10000);
    await sleep(800);
    assert.equal((await entriesOf(g)).length, had + 10);
  });

  test('what does not fit is counted, and the count is evidence', async () => {
    const had = await written(g);
    await g.redis.kill();
    const one = `GET /api/v1/records HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${g.tokens.auditor}\r\n\r\n`;
    await flood(g, one, 10100, 403);
    await g.redis.start();
    await until('all that was kept, and the count', async () => await written(g) >= had + 10001, 60000);
    const all = await entriesOf(g);
    assert.deepEqual(all.filter((e) => e.what === 'evidence_lost').map((e) => Number(e.why)), [100]);
    const kept = all.filter((e) => e.what === 'access_refused' && e.at);
    assert.ok(kept.length >= 10000, `${kept.length}`);
  });
});

/* n pipelined requests; resolves when all are answered. */
function flood(g, text, n, status, sockets = 4) {
  return Promise.all(Array.from({ length: sockets }, () => new Promise((done, fail) => {
    const share = Math.ceil(n / sockets);
    let left = share;
    let sent = 0;
    let rest = '';
    const s = net.connect(g.nginx.socket, () => push());
    const push = () => {
      const some = Math.min(50, share - sent);
      if (some > 0) s.write(text.repeat(some));
      sent += some;
    };
    s.on('data', (d) => {
      rest += d;
      const parts = rest.split(`HTTP/1.1 ${status}`);
      left -= parts.length - 1;
      rest = parts.at(-1).slice(-12);
      if (left <= 0) { s.destroy(); done(); } else if (share - left > sent - 25) push();
    });
    s.on('error', fail);
  })));
}

test('K183 ten thousand events a second do not hold up a worker', async () => {
  const g = await startGateway({ redis: { config: { appendfsync: 'no' } } });
  try {
    const ask = (target) => `GET /api/v1/${target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${g.tokens.auditor}\r\n\r\n`;
    /* how long n requests take, and the p99 of somebody else's meanwhile */
    const measure = async (target, status, n) => {
      let busy = true;
      const others = [];
      const ms = stopwatch(g.nginx.workers(), [g.redis.pid]);
      const work = flood(g, ask(target), n, status).finally(() => { busy = false; });
      while (busy) {
        const t = stopwatch(g.nginx.workers());
        assert.equal((await g.nginx.request('GET', '/healthz')).status, 200);
        others.push(t());
      }
      await work;
      return { ms: ms(), p99: others.sort((a, b) => a - b)[Math.floor(others.length * 0.99)] };
    };
    await measure('me', 200, 2000);
    /* what else the machine does only ever adds: what holds up a worker does so in every round */
    const rounds = [];
    let well = false;
    while (!well && rounds.length < 3) {
      const plain = await measure('me', 200, 10000);
      const noted = await measure('records', 403, 10000);
      rounds.push({ plain, noted });
      well = noted.ms < 10000 && noted.p99 < Math.max(150, 3 * plain.p99);
      await until('all of them are written', async () => await written(g) >= rounds.length * 10000, 60000);
    }
    assert.equal((await entriesOf(g)).filter((e) => e.what === 'access_refused').length, rounds.length * 10000);
    assert.ok(well, JSON.stringify(rounds));
  } finally {
    await g.stop();
  }
});

test('who changed a record, and who read what others filed, is written down', async () => {
  const g = await startGateway();
  try {
    const { id } = (await g.call('staff', 'POST', '/records', { body: note() })).json;
    await g.call('staff', 'GET', `/records/${id}`);
    await g.call('staff', 'GET', '/records');
    await g.call('operator', 'GET', `/records/${id}`);
    await sleep(100);
    assert.deepEqual(await entriesOf(g), [], 'one\'s own, and what is masked, is not');
    assert.equal((await g.call('staff', 'PATCH', `/records/${id}`, { headers: { 'if-match': '"1"', 'content-type': 'application/merge-patch+json' }, body: '{"data":{"text":"neu"}}' })).status, 200);
    await g.call('supervisor', 'GET', `/records/${id}`);
    await g.call('supervisor', 'GET', `/records/${id}/history`);
    await g.call('admin', 'GET', '/records');
    const all = await until('four', async () => { const e = await entriesOf(g); return e.length >= 4 && e; });
    assert.deepEqual(all.map((e) => [e.who, e.what, e.id, e.why]).sort(), [
      ['mei', 'revise', id, 'revision 2'], ['root', 'list', '', '1 records'], ['sun', 'read', id, ''], ['sun', 'read', id, 'history'],
    ].sort());
  } finally {
    await g.stop();
  }
});
