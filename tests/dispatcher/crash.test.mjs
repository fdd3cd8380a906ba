// SPDX-License-Identifier: Apache-2.0
// Proves that nothing is lost, doubled or falsely delivered when workers, supervisor or Redis are
// killed with attempts in flight.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { SHARDS, pause, startRig, until } from './rig.mjs';

// Nobody may be there to reap an orphan: a zombie is gone, too.
const alive = (pid) => {
  try { return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')); } catch { return false; }
};

// Every note is there once with its last revision, and the store says so with the right number.
async function allRight(rig, system, ids) {
  for (const id of ids) {
    const d = await rig.settled(id, system, 'd', 20000);
    const note = rig.platforms[system].notes.get(id);
    assert.ok(note, 'delivered means it is there');
    assert.equal(d.number, note.number);
    assert.equal(note.received, 1, 'written once');
  }
}

test('a worker killed with attempts in flight: each record arrives exactly once', async () => {
  const rig = await startRig({ systems: ['ledger', 'blind'] });
  try {
    const p = rig.platforms.ledger;
    p.behave = async () => { await pause(100); return null; };
    const ids = await Promise.all(Array.from({ length: 24 }, () => rig.accept(['ledger'])));
    for (let kill = 0; kill < 3; kill++) {
      const seen = p.calls.length;
      await until('attempts in flight', () => p.calls.length > seen);
      const pid = rig.worker('ledger');
      process.kill(pid, 'SIGKILL');
      await until('a new worker', () => rig.worker('ledger') !== pid);
    }
    p.behave = null;
    await allRight(rig, 'ledger', ids);
    assert.ok(rig.logged('worker.reclaimed', 'ledger') >= 1);
  } finally {
    await rig.close();
  }
});

test('a worker killed before a system without lookup could answer: unknown, never again', async () => {
  const rig = await startRig({ systems: ['blind'] });
  try {
    const p = rig.platforms.blind;
    p.behave = () => 'hang';
    const id = await rig.accept(['blind']);
    await until('in flight', () => p.count('create', id) === 1);
    const pid = rig.worker('blind');
    process.kill(pid, 'SIGKILL');
    await until('a new worker', () => rig.worker('blind') !== pid);
    p.behave = null;
    const d = await rig.settled(id, 'blind', 'u');
    await until('nobody but a person', async () => (await rig.delivery(id, 'blind')).next === '-1');
    assert.equal(d.has, '0');
    await rig.settled(await rig.accept(['blind']), 'blind'); // the queue goes on
    assert.equal(p.count('create', id), 1);
  } finally {
    await rig.close();
  }
});

test('a killed supervisor: its workers end what they have, the next one goes on', async () => {
  const rig = await startRig({ systems: ['ledger', 'blind'] });
  try {
    const p = rig.platforms;
    for (const one of Object.values(p)) one.behave = async () => { await pause(150); return null; };
    const ids = await Promise.all(Array.from({ length: 20 }, () => rig.accept(['ledger', 'blind'])));
    await until('in flight', () => p.ledger.calls.length > 0 && p.blind.calls.length > 0);
    const pids = ['ledger', 'blind'].map((s) => rig.worker(s));
    await rig.killSupervisor();
    await rig.start();
    await allRight(rig, 'ledger', ids);
    await allRight(rig, 'blind', ids); // drained, not lost: even without a lookup nothing is unknown
    await until('the old workers are gone', () => pids.every((pid) => !alive(pid)));
  } finally {
    await rig.close();
  }
});

test('Redis killed and started again while attempts are in flight', async () => {
  const rig = await startRig({ systems: ['ledger', 'slow'] });
  try {
    const p = rig.platforms.ledger;
    p.behave = async () => { await pause(60); return null; };
    const ids = [];
    for (let round = 0; round < 3; round++) {
      const seen = p.calls.length;
      ids.push(...await Promise.all(Array.from({ length: 20 }, () => rig.accept(['ledger', 'slow']))));
      await until('in flight', () => p.calls.length > seen);
      await rig.redis.kill();
      await pause(round * 100); // answers come while it is away, and before, and after
      await rig.redis.start();
    }
    p.behave = null;
    await allRight(rig, 'ledger', ids);
    await allRight(rig, 'slow', ids);
    assert.equal(rig.logged('worker.died'), 0, 'no worker needs to die for that');
  } finally {
    await rig.close();
  }
});

test('everything at once: nothing lost, nothing doubled, last revisions in order', async () => {
  const rig = await startRig({ systems: ['ledger', 'slow'], settings: { slow: { attempts: '50' }, ledger: { attempts: '50' } } });
  try {
    const p = rig.platforms;
    let n = 0;
    const mood = (call) => {
      if (call.op === 'sign_in' || call.op === 'probe') return null;
      return [null, null, 'commit-cut', null, 'cut', null, { status: 500 }, null, null][n++ % 9];
    };
    p.ledger.behave = mood;
    p.slow.behave = mood;
    const ids = [];
    for (let round = 0; round < 6; round++) {
      ids.push(...await Promise.all(Array.from({ length: 12 }, () => rig.accept(['ledger', 'slow'], 'v1'))));
      for (const id of ids.slice(-6)) await rig.revise(id, 1, 'v2');
      const seen = p.ledger.calls.length;
      await until('work', () => p.ledger.calls.length > seen);
      if (round % 3 === 0) process.kill(rig.worker('ledger'), 'SIGKILL');
      if (round % 3 === 1) await rig.redis.restart();
      if (round % 3 === 2) { await rig.killSupervisor(); await rig.start(); }
    }
    p.ledger.behave = p.slow.behave = null;
    for (const system of ['ledger', 'slow']) {
      for (const id of ids) {
        const wanted = (await rig.delivery(id, system)).wanted;
        await until('the wanted revision', async () => {
          const d = await rig.delivery(id, system);
          return d.letter === 'd' && d.has === wanted;
        }, 30000);
        const note = p[system].notes.get(id);
        assert.equal(String(note.revision), wanted);
        assert.equal((await rig.delivery(id, system)).number, note.number);
        const written = p[system].calls.filter((c) => c.ref === id && c.revision).map((c) => c.revision);
        assert.deepEqual(written, [...written].sort((a, b) => a - b), 'in order');
      }
      assert.equal(p[system].notes.size, ids.length);
    }
    for (let shard = 0; shard < SHARDS; shard++) {
      const store = rig.store(`${'0'.repeat(25)}${shard}`);
      assert.deepEqual(await store.reconcile(), [], 'nothing to mend');
    }
  } finally {
    await rig.close();
  }
});
