// SPDX-License-Identifier: Apache-2.0
// Proves that the dispatcher opens what the gateway has sealed, seals what a system says of people,
// and waits for a key that it does not have yet instead of losing or sending anything.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { makeRing, oct } from '../lib/ring.mjs';
import { open, sealBytes } from '../lib/seal.mjs';
import { Store, makeId } from '../queue/store.mjs';
import { envelope, pause, startRig, until } from './rig.mjs';

async function sealedRig(ring) {
  const rig = await startRig({ systems: ['ledger'], start: false });
  rig.ringFile = path.join(rig.dir, 'ring.json');
  rig.writeRing = (r) => writeFileSync(rig.ringFile, JSON.stringify(r), { mode: 0o600 });
  rig.writeRing(ring);
  writeFileSync(rig.config, `${readFileSync(rig.config, 'utf8')}auth:\n  ring: "file:${rig.ringFile}"\n`);
  await rig.start();
  return rig;
}

async function file(rig, ring, text, change = (b) => b) {
  const id = makeId(Date.now(), 0);
  await new Store(rig.redis.client, 0).accept({ id, type: 'note', systems: ['ledger'], envelope: change(sealBytes(ring, `record:${id}`, envelope(text))) });
  return id;
}

test('a sealed record arrives as it was filed; what the system says is sealed', async () => {
  const ring = makeRing('a1');
  const rig = await sealedRig(ring);
  try {
    const p = rig.platforms.ledger;
    const id = await file(rig, ring, '测试甲的话');
    await rig.settled(id, 'ledger');
    assert.equal(p.notes.get(id).text, '测试甲的话');
    p.behave = (call) => (call.op === 'create' ? { status: 400, json: { code: 'refused', message: '测试乙已登记' } } : null);
    const two = await file(rig, ring, '又一次');
    const d = await rig.settled(two, 'ledger', 'jx');
    assert.ok(!d.problem.includes('测试乙'));
    const problem = JSON.parse(open(ring, `problem:${two}`, d.problem));
    assert.match(problem.message, /测试乙已登记/);
    assert.ok(!rig.logs.includes('测试乙') && !rig.logs.includes('测试甲'));
  } finally {
    await rig.close();
  }
});

test('sealed with a newer key: the ring is read again, without a restart', async () => {
  const ring = makeRing('a1');
  const rig = await sealedRig(ring);
  try {
    await rig.settled(await file(rig, ring, 'first'), 'ledger');
    const rotated = { keys: [oct('A256GCM', 'b2'), ...ring.keys] };
    rig.writeRing(rotated);
    await rig.settled(await file(rig, rotated, 'second'), 'ledger');
    await rig.settled(await file(rig, ring, 'third'), 'ledger');
    assert.equal(rig.logged('keys.reloaded'), 1);
    assert.equal(rig.logged('worker.died'), 0);
  } finally {
    await rig.close();
  }
});

test('a key that is nowhere: nothing is sent, nothing is lost, and it goes on when the key comes', async () => {
  const ring = makeRing('a1');
  const rig = await sealedRig(ring);
  rig.expectFaults = true;
  try {
    const other = { keys: [oct('A256GCM', 'c3'), ...ring.keys] };
    const id = await file(rig, other, 'locked');
    await until('it is told', () => rig.logged('record.locked') > 0);
    assert.equal((await rig.delivery(id, 'ledger')).letter, 'q');
    assert.equal(rig.platforms.ledger.calls.length, 0);
    rig.writeRing(other);
    await pause(1100);
    await rig.settled(id, 'ledger', 'd', 30000);
    assert.equal(rig.platforms.ledger.notes.get(id).text, 'locked');
  } finally {
    await rig.close();
  }
});

test('an altered record is sent nowhere: a person looks', async () => {
  const ring = makeRing('a1');
  const rig = await sealedRig(ring);
  rig.expectFaults = true;
  try {
    const id = await file(rig, ring, 'altered', (b) => { b[b.length - 20] ^= 1; return b; });
    const d = await rig.settled(id, 'ledger', 'x');
    assert.equal(JSON.parse(open(ring, `problem:${id}`, d.problem)).code, 'unreadable');
    assert.equal(rig.platforms.ledger.calls.length, 0);
  } finally {
    await rig.close();
  }
});
