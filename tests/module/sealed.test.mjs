/* SPDX-License-Identifier: Apache-2.0
 * Personal data at rest: sealed in Redis, opened for those who may read, found by keyed digests.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { deliver, startGateway, note } from '../lib/gateway.mjs';
import { dump, makeRing } from '../lib/ring.mjs';
import { sha256 } from '../queue/store.mjs';

describe('with a key ring', () => {
  let g;
  let ring;
  before(async () => {
    ring = makeRing('r1');
    const file = path.join(fs.mkdtempSync('/tmp/yimen-ring-'), 'ring.json');
    fs.writeFileSync(file, JSON.stringify(ring), { mode: 0o600 });
    g = await startGateway({ deploy: { auth: { ring: `file:${file}` } } });
    g.ringFile = file;
  });
  after(async () => {
    await g.stop();
    fs.rmSync(path.dirname(g.ringFile), { recursive: true });
  });

  const SECRETS = ['13800000000', '王某', '楼上夜间装修', '邻里噪声', '误报了'];
  const clean = async () => {
    const all = await dump(g.redis.client);
    for (const s of SECRETS) assert.ok(!all.includes(s), `${s} stands in Redis`);
    assert.ok(!all.includes(sha256('13800000000')), 'a plain digest stands in Redis');
    return all;
  };

  test('filing, reading, changing, history, list: plain for who may, sealed in Redis', async () => {
    const made = await g.call('staff', 'POST', '/records', { body: note(), headers: { 'idempotency-key': 'k1' } });
    assert.equal(made.status, 201, made.body);
    assert.equal(made.json.data.people[0].phone, '13800000000');
    await clean();
    const read = (await g.call('staff', 'GET', `/records/${made.json.id}`)).json;
    assert.deepEqual(read.data, note().data);
    const patched = await g.call('staff', 'PATCH', `/records/${made.json.id}`, {
      headers: { 'if-match': '"1"', 'content-type': 'application/merge-patch+json' }, body: JSON.stringify({ data: { text: '另一段话' } }) });
    assert.equal(patched.status, 200, patched.body);
    const all = await clean();
    assert.ok(!all.includes('另一段话'));
    const history = (await g.call('staff', 'GET', `/records/${made.json.id}/history`)).json.revisions;
    assert.deepEqual(history.map((r) => r.data.text), ['楼上夜间装修', '另一段话']);
    const list = (await g.call('staff', 'GET', '/records')).json.items;
    assert.equal(list.find((r) => r.id === made.json.id).data.text, '另一段话');
    const again = await g.call('staff', 'POST', '/records', { body: note(), headers: { 'idempotency-key': 'k1' } });
    assert.deepEqual([again.status, again.json.id, again.headers['idempotent-replayed']], [201, made.json.id, 'true']);
    assert.equal((await g.call('staff', 'POST', '/records', { body: note({ text: 'x' }), headers: { 'idempotency-key': 'k1' } })).status, 422);
  });

  test('search keys are found, by digests that nobody can compute without the ring', async () => {
    const mine = (await g.call('staff', 'POST', '/records', { body: note({ people: [{ role: 'applicant', name: '李某', phone: '13911112222' }] }) })).json;
    const found = (await g.call('staff', 'GET', '/records?key.phone=13911112222')).json.items;
    assert.deepEqual(found.map((r) => r.id), [mine.id]);
    assert.ok(!(await dump(g.redis.client)).includes('13911112222'));
  });

  test('reasons and problems: sealed, and shown again', async () => {
    const r = (await g.call('staff', 'POST', '/records', { body: note() })).json;
    const { seal } = await import('../lib/seal.mjs');
    const problem = { code: 'refused', message: '王某 已登记', at: 1 };
    const kept = seal(ring, `problem:${r.id}`, JSON.stringify(problem));
    await deliver(g, 'alpha', () => ({ verdict: 'j', problem: kept }));
    assert.deepEqual((await g.call('staff', 'GET', `/records/${r.id}`)).json.deliveries.alpha.problem, problem);
    const item = (await g.call('operator', 'GET', '/deliveries?state=rejected')).json.items.find((d) => d.record === r.id);
    assert.deepEqual(item.problem, problem);
    assert.equal((await g.call('staff', 'POST', `/records/${r.id}/withdraw`, { body: { reason: '误报了,王某 已搬走' } })).status, 200);
    await g.call('operator', 'POST', '/systems/beta/pause', { body: { reason: '王某 说系统坏了' } });
    await clean();
    const audit = (await g.call('auditor', 'GET', '/audit?limit=200')).json.items;
    assert.ok(audit.some((e) => e.record === r.id && e.why === '误报了,王某 已搬走'));
    const beta = (await g.call('operator', 'GET', '/systems')).json.items.find((s) => s.id === 'beta');
    assert.equal(beta.paused.why, '王某 说系统坏了');
  });

  test('records from before there was a ring stay readable', async () => {
    const id = (await g.call('staff', 'POST', '/records', { body: note() })).json.id;
    const key = `{s${'0123456789ABCDEFGHJKMNPQRSTVWXYZ'.indexOf(id.at(-1))}}:r:${id}`;
    await g.redis.client.command('HSET', key, 'b1', JSON.stringify({ at: '2026-01-31T08:30:00.000+08:00', by: 'mei', data: { title: 't', level: '1', text: 'plain', people: [] } }));
    assert.equal((await g.call('staff', 'GET', `/records/${id}`)).json.data.text, 'plain');
  });
});

test('a record that was altered in Redis, or moved to another, opens for nobody and hides no other', async () => {
  const file = path.join(fs.mkdtempSync('/tmp/yimen-ring-'), 'ring.json');
  fs.writeFileSync(file, JSON.stringify(makeRing('r1')), { mode: 0o600 });
  const g = await startGateway({ deploy: { shards: 1, auth: { ring: `file:${file}` } } });
  try {
    const ids = [];
    for (let i = 0; i < 3; i++) ids.push((await g.call('staff', 'POST', '/records', { body: note({ text: `t${i}` }) })).json.id);
    const key = (i) => `{s0}:r:${ids[i]}`;
    /* the whole sealed text of the first put into the second: GCM binds it to its record */
    await g.redis.client.command('EVAL', "redis.call('HSET', KEYS[2], 'b1', redis.call('HGET', KEYS[1], 'b1'))", 2, key(0), key(1));
    const list = (await g.call('staff', 'GET', '/records')).json.items;
    assert.deepEqual(list.map((r) => r.data?.text ?? null).sort(), ['t0', 't2', null].sort());
    assert.equal((await g.call('staff', 'GET', `/records/${ids[1]}`)).json.data, null);
    assert.equal((await g.call('staff', 'GET', '/records?key.phone=13800000000')).status, 200);
    assert.match(g.nginx.log(), /cannot be opened.*request: "GET \/api\/v1\/records"/);
    assert.doesNotMatch(g.nginx.log(), /t1|13800000000/);
  } finally {
    await g.stop();
    fs.rmSync(path.dirname(file), { recursive: true });
  }
});
