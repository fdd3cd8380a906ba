// SPDX-License-Identifier: Apache-2.0
// Proves what operators do: pause and resume, hours, reload (a broken one changes nothing), drain,
// a broken configuration that stops one system only, refusal to start with faults.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { TOP, library } from '../lib/redis-server.mjs';
import { makeId, sha256 } from '../queue/store.mjs';
import { pause, startRig, until } from './rig.mjs';

const BUILD = process.env.BUILD ? path.resolve(process.env.BUILD) : path.join(TOP, 'build');

test('the program carries the very library of this tree', async () => {
  const rig = await startRig({ systems: ['ledger'] });
  try {
    const [lib] = await rig.redis.client.command('FUNCTION', 'LIST', 'LIBRARYNAME', 'yimen', 'WITHCODE');
    assert.equal(sha256(lib[lib.indexOf('library_code') + 1]), sha256(library()));
  } finally {
    await rig.close();
  }
});

test('pause stops one system at once, resume goes on, nothing is lost', async () => {
  const rig = await startRig({ systems: ['ledger', 'slow'] });
  try {
    const { client } = rig.redis;
    assert.deepEqual(await client.fcall('ym_pause', '{s0}', 'ledger', 'op', 'maintenance'), ['paused']);
    await until('heard', () => rig.logged('system.paused', 'ledger') === 1, 3000);
    const ids = await Promise.all(Array.from({ length: 6 }, () => rig.accept(['ledger', 'slow'])));
    for (const id of ids) await rig.settled(id, 'slow');
    for (const id of ids) assert.equal((await rig.delivery(id, 'ledger')).letter, 'q');
    assert.equal(rig.platforms.ledger.count('create'), 0);
    await client.fcall('ym_resume', '{s0}', 'ledger', 'op', 'done');
    for (const id of ids) await rig.settled(id, 'ledger');
  } finally {
    await rig.close();
  }
});

test('a pause is remembered by a worker that starts later', async () => {
  const rig = await startRig({ systems: ['ledger'] });
  try {
    await rig.redis.client.fcall('ym_pause', '{s0}', 'ledger', 'op', 'maintenance');
    await rig.stop();
    const id = await rig.accept(['ledger']);
    await rig.start();
    await until('heard', () => rig.logged('system.paused', 'ledger') >= 1 && rig.logged('worker.ready') === 2);
    await pause(200); // the oracle is the count below: a worker that ignores the pause needs 20 ms
    assert.equal(rig.platforms.ledger.count('create'), 0);
    await rig.redis.client.fcall('ym_resume', '{s0}', 'ledger', 'op', 'done');
    await rig.settled(id, 'ledger');
  } finally {
    await rig.close();
  }
});

test('outside its hours a system gets nothing; the others go on', async () => {
  const rig = await startRig({ systems: ['ledger', 'slow'], start: false });
  try {
    // a holiday today and the days around it, whatever the zone
    const days = [-1, 0, 1].map((n) => new Date(Date.now() + n * 86400000).toISOString().slice(0, 10));
    const file = path.join(rig.dir, 'adapters/ledger/adapter.yaml');
    appendFileSync(file, `\nhours: ["Mon-Sun 00:00-24:00"]\nholidays: [${days.join(', ')}]\n`);
    await rig.start();
    const id = await rig.accept(['ledger', 'slow']);
    await rig.settled(id, 'slow');
    await until('reported', async () => (await rig.system('ledger')).hours_open === '0');
    assert.equal((await rig.delivery(id, 'ledger')).letter, 'q');
    assert.equal(rig.platforms.ledger.count('create'), 0);
    writeFileSync(file, readFileSync(file, 'utf8').replace(/holidays: .*\n/, ''));
    rig.child.kill('SIGHUP');
    await rig.settled(id, 'ledger');
  } finally {
    await rig.close();
  }
});

test('a reload with a broken adapter is refused with file and line, and the old one stays', async () => {
  const rig = await startRig({ systems: ['ledger', 'slow'] });
  try {
    rig.expectFaults = true;
    const file = path.join(rig.dir, 'adapters/ledger/adapter.yaml');
    const good = readFileSync(file, 'utf8');
    const pid = rig.worker('slow');
    writeFileSync(file, good.replace('path: /notes\n', 'path: /notes\n    colour: red\n'));
    rig.child.kill('SIGHUP');
    await until('refused', () => rig.logged('config.refused') === 1);
    assert.match(rig.logs, /event=config.fault at="?\S*ledger\/adapter.yaml:\d+:\d+/);
    await rig.settled(await rig.accept(['ledger', 'slow']), 'ledger');
    assert.equal(rig.worker('slow'), pid, 'nobody was restarted');

    writeFileSync(file, good.replace('in_flight: 8', 'in_flight: 9'));
    rig.child.kill('SIGHUP');
    await until('rolled', () => rig.logged('worker.ready') === 4 && rig.worker('slow') !== pid);
    await rig.settled(await rig.accept(['ledger', 'slow']), 'slow');
  } finally {
    await rig.close();
  }
});

test('a reload in full work loses and doubles nothing', async () => {
  const rig = await startRig({ systems: ['ledger', 'blind'] });
  try {
    for (const p of Object.values(rig.platforms)) p.behave = async () => { await pause(40); return null; };
    const ids = await Promise.all(Array.from({ length: 40 }, () => rig.accept(['ledger', 'blind'])));
    await until('work', () => rig.platforms.blind.calls.length > 4);
    rig.child.kill('SIGHUP');
    for (const id of ids) {
      for (const system of ['ledger', 'blind']) {
        await rig.settled(id, system);
        assert.equal(rig.platforms[system].notes.get(id).received, 1);
      }
    }
    await until('rolled', () => rig.logged('worker.ready') === 4);
  } finally {
    await rig.close();
  }
});

test('a system taken out of the configuration stops, one put in starts', async () => {
  const rig = await startRig({ systems: ['ledger', 'slow'] });
  try {
    writeFileSync(path.join(rig.dir, 'config/systems/slow.yaml'), 'enabled: false\n');
    rig.child.kill('SIGHUP');
    await until('stopped', () => rig.logged('worker.ended', 'slow') === 1);
    const id = await rig.accept(['ledger', 'slow']);
    await rig.settled(id, 'ledger');
    assert.equal((await rig.delivery(id, 'slow')).letter, 'q');
    await until('ledger rolled', () => rig.logged('worker.ready', 'ledger') === 2);
    rig.writeSite('slow');
    rig.child.kill('SIGHUP');
    await rig.settled(id, 'slow');
  } finally {
    await rig.close();
  }
});

test('SIGTERM finishes what is in flight and leaves the rest queued', async () => {
  const rig = await startRig({ systems: ['blind'] });
  try {
    const p = rig.platforms.blind;
    p.behave = async () => { await pause(400); return null; };
    const ids = await Promise.all(Array.from({ length: 20 }, () => rig.accept(['blind'])));
    await until('in flight', () => p.calls.length >= 8);
    assert.deepEqual(await rig.stop(), { code: 0, signal: null });
    assert.equal(existsSync(rig.readyFile), false);
    const letters = [];
    for (const id of ids) letters.push((await rig.delivery(id, 'blind')).letter);
    assert.equal(letters.filter((l) => l === 'd').length, p.notes.size);
    assert.equal(letters.filter((l) => l === 'q').length, 20 - p.notes.size);
    assert.ok(p.notes.size >= 8 && p.notes.size < 20, `${p.notes.size}`);
  } finally {
    await rig.close();
  }
});

test('a broken configuration stops that system only, loudly, until a reload', async () => {
  const rig = await startRig({ systems: ['gate', 'ledger'] });
  try {
    rig.expectFaults = true;
    const p = rig.platforms.gate;
    p.behave = (call) => (call.op === 'sign_in' ? { status: 403, json: { code: 'refused' } } : null);
    const id = await rig.accept(['gate', 'ledger']);
    await rig.settled(id, 'ledger');
    await until('broken', () => rig.logged('worker.broken', 'gate') === 1);
    assert.equal((await rig.system('gate')).breaker, 'broken');
    assert.match((await rig.system('gate')).problem, /sign_in/);
    assert.equal((await rig.delivery(id, 'gate')).letter, 'q');
    assert.equal(p.count('sign_in'), 1, 'a refused password is not tried again');
    p.behave = null;
    rig.child.kill('SIGHUP');
    await rig.settled(id, 'gate');
    await until('mended', async () => (await rig.system('gate')).breaker === 'closed');
    assert.equal((await rig.system('gate')).problem, undefined);
  } finally {
    await rig.close();
  }
});

test('a stored record that cannot be read is dead with that cause; the queue goes on', async () => {
  const rig = await startRig({ systems: ['ledger'] });
  try {
    rig.expectFaults = true;
    const id = makeId(Date.now(), 0);
    const store = rig.store(id);
    await store.accept({ id, type: 'note', systems: ['ledger'], envelope: '{"data":' });
    const d = await rig.settled(id, 'ledger', 'x');
    assert.equal(JSON.parse(d.problem).code, 'unreadable');
    await rig.settled(await rig.accept(['ledger']), 'ledger');
    assert.equal(rig.logged('record.unreadable'), 1);
  } finally {
    await rig.close();
  }
});

test('faults at start: every one is named, nothing runs', async () => {
  const rig = await startRig({ systems: ['ledger', 'slow'], start: false });
  try {
    for (const id of ['ledger', 'slow']) {
      appendFileSync(path.join(rig.dir, `adapters/${id}/adapter.yaml`), '\nflavour: sweet\n');
    }
    for (const extra of [[], ['--once-check']]) {
      const run = spawnSync(path.join(BUILD, 'yimen-dispatcher'), ['--config', rig.config, ...extra], { encoding: 'utf8' });
      assert.equal(run.status, 2);
      for (const id of ['ledger', 'slow']) assert.match(run.stderr, new RegExp(`${id}/adapter.yaml:\\d+`));
    }
    assert.equal(existsSync(path.join(rig.dir, 'state/dispatcher.ready')), false);
  } finally {
    await rig.close();
  }
});

test('a second dispatcher with the same state folder refuses to run', async () => {
  const rig = await startRig({ systems: ['ledger'] });
  try {
    const run = spawnSync(path.join(BUILD, 'yimen-dispatcher'), ['--config', rig.config], { encoding: 'utf8' });
    assert.equal(run.status, 1);
    assert.match(run.stderr, /another dispatcher/);
    assert.ok(existsSync(rig.readyFile), 'the first one is not disturbed');
  } finally {
    await rig.close();
  }
});

test('secrets of the environment are gone from a worker that has read them', async () => {
  const rig = await startRig({ systems: ['gate', 'ledger'], start: false });
  try {
    process.env.YIMEN_TEST_PASSWORD = 'open sesame';
    writeFileSync(path.join(rig.dir, 'config/systems/gate.yaml'),
      `enabled: true\nendpoint: http://127.0.0.1:${rig.platforms.gate.port}\nsecrets: { password: "env:YIMEN_TEST_PASSWORD" }\n`);
    await rig.start();
    await rig.settled(await rig.accept(['gate']), 'gate');
    for (const id of ['gate', 'ledger']) {
      const environ = readFileSync(`/proc/${rig.worker(id)}/environ`, 'latin1');
      assert.doesNotMatch(environ, /open sesame/, id);
      assert.ok(readdirSync(`/proc/${rig.worker(id)}/fd`).length > 0);
    }
  } finally {
    delete process.env.YIMEN_TEST_PASSWORD;
    await rig.close();
  }
});
