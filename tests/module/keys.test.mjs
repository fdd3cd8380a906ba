/* SPDX-License-Identifier: Apache-2.0
 * The life of a key ring: made, given to a deployment that had none, rotated beside the running
 * gateway, and an old key dropped once nothing is left under it.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { jpeg } from '../lib/pictures.mjs';
import { deliver, startGateway, note } from '../lib/gateway.mjs';
import { TOP } from '../lib/nginx.mjs';
import { digest, open, seal, sealBytes } from '../lib/seal.mjs';
import { dump } from '../lib/ring.mjs';

const BUILD = process.env.BUILD ? path.resolve(process.env.BUILD) : path.join(TOP, 'build');

const yimen = (...args) => new Promise((resolve) => {
  execFile(path.join(BUILD, 'yimen'), args, (error, stdout, stderr) => resolve({ code: error ? error.code : 0, stdout, stderr }));
});

describe('a key ring', () => {
  let g;
  let ring;
  const first = () => JSON.parse(fs.readFileSync(ring, 'utf8')).keys[0].kid;
  const set = () => JSON.parse(fs.readFileSync(ring, 'utf8'));
  const keys = (...args) => yimen('keys', ...args, '--config', g.deploy.file);
  const reseal = async (...more) => {
    const r = await keys('reseal', '--json', ...more);
    assert.equal(r.code, 0, r.stdout + r.stderr);
    return JSON.parse(r.stdout);
  };
  before(async () => {
    g = await startGateway();
    ring = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'yimen-ring-')), 'ring.json');
  });
  after(async () => {
    await g.stop();
    fs.rmSync(path.dirname(ring), { recursive: true });
  });

  let mine;
  test('made once, for nobody else to read', async () => {
    assert.equal((await yimen('keys', 'ring', ring)).code, 0);
    assert.equal(fs.statSync(ring).mode & 0o777, 0o600);
    const before1 = fs.readFileSync(ring, 'utf8');
    assert.notEqual((await yimen('keys', 'ring', ring)).code, 0);
    assert.equal(fs.readFileSync(ring, 'utf8'), before1);
    assert.deepEqual(set().keys.map((k) => k.alg), ['A256GCM', 'HS256']);
    assert.match(first(), /^[a-z2-9]{4}$/);
    fs.chmodSync(ring, 0o644);
    g.deploy.auth.ring = `file:${ring}`;
    g.deploy.write();
    const loose = await keys('reseal');
    assert.notEqual(loose.code, 0);
    assert.match(loose.stderr, /0600/);
    fs.chmodSync(ring, 0o600);
  });

  test('what was plain becomes sealed and stays found; history and search included', async () => {
    delete g.deploy.auth.ring;
    g.deploy.write();
    mine = (await g.call('staff', 'POST', '/records', { body: note({ people: [{ role: 'applicant', name: '李某', phone: '13911112222' }] }) })).json;
    await g.call('staff', 'PATCH', `/records/${mine.id}`, { headers: { 'if-match': '"1"', 'content-type': 'application/merge-patch+json' }, body: JSON.stringify({ data: { text: '第二版' } }) });
    assert.ok((await dump(g.redis.client)).includes('13911112222'));
    g.deploy.auth.ring = `file:${ring}`;
    g.deploy.write();
    await g.nginx.reload();
    const r = await reseal();
    assert.equal(r.plain, 0);
    assert.ok(r.resealed >= 2 && r.rekeyed >= 1, JSON.stringify(r));
    const all = await dump(g.redis.client);
    for (const s of ['13911112222', '李某', '第二版', '楼上夜间装修']) assert.ok(!all.includes(s), s);
    assert.deepEqual((await g.call('staff', 'GET', '/records?key.phone=13911112222')).json.items.map((x) => x.id), [mine.id]);
    assert.deepEqual((await g.call('staff', 'GET', `/records/${mine.id}/history`)).json.revisions.map((x) => x.data.text), ['楼上夜间装修', '第二版']);
    assert.equal((await reseal()).resealed, 0, 'nothing is left to do');
  });

  test('rotated: a new key seals, the old one opens, everything is sealed anew, the old one can go', async () => {
    const r1 = (await g.call('staff', 'POST', '/records', { body: note() })).json;
    await deliver(g, 'alpha', ({ id }) => ({ verdict: 'j', problem: seal(set(), `problem:${id}`, JSON.stringify({ code: 'refused', message: '王某', at: 1 })),
      trace: sealBytes(set(), `attempt:${id}`, JSON.stringify({ at: 1, attempt: 1, revision: 1, op: 'create', letter: 'j', steps: [{ operation: 'create', request: { text: '王某', masked: '***' } }] })) }));
    await g.call('operator', 'POST', '/systems/beta/pause', { body: { reason: '轮换' } });
    /* an account and a session, as their owners keep them */
    const account = '01J0000000000000000000000A';
    await g.redis.client.command('HSET', `{s0}:ac:${account}`, 'v', sealBytes(set(), `account:${account}`, 'login mei\n').toString('base64url'));
    const photo = jpeg(300_000);
    const sent = (await g.call('staff', 'POST', '/attachments', { body: photo, headers: { 'content-type': 'image/jpeg' } })).json;
    const old = first();
    const refused = await keys('drop', old);
    assert.equal(refused.code, 1, 'the key that seals cannot go');
    assert.equal((await keys('rotate')).code, 0);
    const fresh = first();
    assert.notEqual(fresh, old);
    assert.equal(fs.statSync(ring).mode & 0o777, 0o600);
    await g.nginx.reload();
    assert.equal((await keys('drop', old)).code, 1, 'not while things are sealed with it');
    const counted = await reseal('--dry-run');
    assert.ok(counted.left[old].records >= 3 && counted.left[old].problems >= 1 && counted.left[old].attempts >= 1 && counted.left[old].accounts === 1 && counted.left[old].reasons === 1 && counted.left[old].attachments === 2, JSON.stringify(counted));
    const r = await reseal();
    assert.deepEqual(Object.keys(r.left[old] ?? {}).filter((k) => k !== 'evidence'), []);
    assert.equal(r.unreadable, 0);
    const v = await g.redis.client.command('HGET', `{s0}:ac:${account}`, 'v');
    assert.equal(open(set(), `account:${account}`, `~${v}`), 'login mei\n');
    const words = await keys('reseal');
    assert.match(words.stdout, new RegExp(`key ${old}: (nothing is left|evidence \\d+$)`, 'm'));
    /* the reasons in the audit stream stay as they were written: the key is dropped by force */
    const dropped = await keys('drop', old, '--force');
    assert.equal(dropped.code, 0, dropped.stderr);
    assert.deepEqual(set().keys.map((k) => k.kid).includes(old), false);
    await g.nginx.reload();
    assert.equal((await g.call('staff', 'GET', `/records/${r1.id}`)).json.deliveries.alpha.problem.message, '王某');
    assert.equal((await g.call('staff', 'GET', `/records/${mine.id}`)).json.data.text, '第二版');
    const shown = await g.call('operator', 'POST', `/records/${r1.id}/deliveries/alpha/attempts/reveal`, { body: { purpose: '核对' } });
    assert.equal(shown.json.items[0].steps[0].request.text, '王某', shown.body);
    const got = await g.call('staff', 'GET', `/attachments/${sent.id}`);
    assert.deepEqual([got.status, got.headers['content-length'], got.body], [200, '300000', photo.toString('utf8')]);
    assert.deepEqual((await g.call('staff', 'GET', '/records?key.phone=13911112222')).json.items.map((x) => x.id), [mine.id]);
    assert.equal((await g.call('operator', 'GET', '/systems')).json.items.find((s) => s.id === 'beta').paused.why, '轮换');
  });

  test('digests never change: what was filed before is a replay after', async () => {
    const body = note({ text: 'einmal' });
    const one = await g.call('staff', 'POST', '/records', { body, headers: { 'idempotency-key': 'rk' } });
    await keys('rotate');
    await g.nginx.reload();
    const two = await g.call('staff', 'POST', '/records', { body, headers: { 'idempotency-key': 'rk' } });
    assert.deepEqual([two.json.id, two.headers['idempotent-replayed']], [one.json.id, 'true']);
    assert.equal(digest(set(), 'a', 'b').length, 64);
  });
});
