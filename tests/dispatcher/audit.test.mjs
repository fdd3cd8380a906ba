// SPDX-License-Identifier: Apache-2.0
// Proves that evidence reaches the chain of files exactly once whatever is killed, and that
// `yimen audit verify` names every place that somebody touched.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TOP } from '../lib/redis-server.mjs';
import { Store } from '../queue/store.mjs';
import { SHARDS, pause, startRig, until } from './rig.mjs';

const BUILD = process.env.BUILD ? path.resolve(process.env.BUILD) : path.join(TOP, 'build');

const oct = (alg, kid) => ({ kty: 'oct', alg, kid, k: randomBytes(32).toString('base64url') });

function yimen(...args) {
  return new Promise((resolve) => {
    execFile(path.join(BUILD, 'yimen'), args, { maxBuffer: 1 << 28 }, (error, stdout, stderr) => {
      resolve({ code: error ? error.code : 0, stdout, stderr });
    });
  });
}

// A rig whose deployment has a key ring; no dispatcher runs yet.
async function keyedRig(more = '') {
  const rig = await startRig({ systems: ['ledger'], start: false });
  const ring = path.join(rig.dir, 'ring.json');
  writeFileSync(ring, JSON.stringify({ keys: [oct('A256GCM', 'a'), oct('HS256', 'd')] }), { mode: 0o600 });
  writeFileSync(rig.config, `${readFileSync(rig.config, 'utf8')}auth:\n  ring: "file:${ring}"\n${more}`);
  rig.audit = path.join(rig.dir, 'state/audit');
  rig.ring = ring;
  return rig;
}

const segments = (dir) => readdirSync(dir).filter((f) => f.endsWith('.jsonl')).sort();
const lines = (dir) => segments(dir).flatMap((f) => readFileSync(path.join(dir, f), 'utf8').split('\n').filter(Boolean).map(JSON.parse));
const entries = (dir) => lines(dir).filter((l) => l.entry);

let n = 0;
// One event on a shard. → its mark
async function event(rig, shard = n % SHARDS) {
  const mark = `e${n++}`;
  await rig.redis.client.fcall('ym_evidence', `{s${shard}}`, 'u1', 'sign_in', '', '', mark, '192.0.2.1', `r${mark}`, 'ok', `uid-${mark}`, '', '');
  return mark;
}

async function archived(rig, marks, patience = 15000) {
  let last = [];
  await until('everything is in the files', () => {
    try { last = entries(rig.audit).map((l) => l.why); } catch (e) { if (e.code !== 'ENOENT' && !(e instanceof SyntaxError)) throw e; }
    const there = new Set(last);
    return marks.every((m) => there.has(m));
  }, patience).catch((e) => { throw new Error(`${e.message}; ${last.length} of ${marks.length}\n${rig.logs}`); });
  const ours = last.filter((w) => marks.includes(w));
  assert.equal(ours.length, new Set(ours).size, 'nothing is there twice');
  return last;
}

const archivist = (rig) => rig.worker('@archivist');
// In turn: the archivist, the supervisor with all its children, Redis; each is back afterwards.
async function killOne(rig, round) {
  if (round % 3 === 2) {
    await rig.redis.kill();
    await rig.redis.start();
  } else if (round % 3 === 1) {
    await rig.killSupervisor();
    await rig.start();
  } else {
    const pid = archivist(rig);
    process.kill(pid, 'SIGKILL');
    await until('another archivist', () => archivist(rig) !== pid);
  }
}
const verify = (rig, ...more) => yimen('audit', 'verify', '--config', rig.config, '--json', ...more)
  .then((r) => ({ ...r, json: r.stdout.startsWith('{') ? JSON.parse(r.stdout) : undefined }));

test('every entry and every record comes into the chain once; the chain holds', async () => {
  const rig = await keyedRig();
  try {
    await rig.start();
    const marks = [];
    for (let i = 0; i < 50; i++) marks.push(await event(rig));
    const ids = await Promise.all(Array.from({ length: 12 }, () => rig.accept(['ledger'])));
    await archived(rig, marks);
    await until('records', () => lines(rig.audit).filter((l) => l.what === 'file').length === ids.length);
    const filed = lines(rig.audit).filter((l) => l.what === 'file');
    assert.deepEqual(filed.map((l) => l.id).sort(), [...ids].sort());
    for (const f of filed) {
      assert.equal(f.who, 'u1');
      assert.match(f.digest, /^[0-9a-f]{64}$/);
    }
    const one = entries(rig.audit).find((l) => l.why === marks[0]);
    assert.deepEqual([one.who, one.what, one.peer, one.request, one.outcome], ['u1', 'sign_in', '192.0.2.1', `r${marks[0]}`, 'ok']);
    const r = await verify(rig);
    assert.deepEqual([r.code, r.json.ok, r.json.head_checked, r.json.keyed], [0, true, true, true], r.stdout + r.stderr);
    assert.ok(r.json.lines >= 63);
  } finally {
    await rig.close();
  }
});

const delivered = (dir) => lines(dir).filter((l) => l.what === 'deliver');

test('every delivery comes into the chain with its number, what was sent and what was answered', async () => {
  const rig = await keyedRig();
  try {
    await rig.start();
    const { ledger } = rig.platforms;
    ledger.behave = ({ op, text }) => (op === 'create' && text === 'bad' ? { status: 422, json: { code: 'refused', message: 'no' } } : null);
    const [good, bad] = [await rig.accept(['ledger'], 'good'), await rig.accept(['ledger'], 'bad')];
    const { number } = await rig.settled(good, 'ledger');
    await rig.settled(bad, 'ledger', 'j');
    await rig.revise(good, 1, 'better');
    await until('the update', () => ledger.calls.find((c) => c.op === 'update'));
    await rig.settled(good, 'ledger');
    await until('three lines', () => delivered(rig.audit).length === 3);

    const of = (ref, op) => ledger.calls.find((c) => c.ref === ref && c.op === op);
    const short = ({ id, op, outcome, revision, number: n, sent_sha256: sent, answer_sha256: answer }) => ({ id, op, outcome, revision, number: n, sent, answer });
    const line = (id, op, outcome, revision, n) => ({ id, op, outcome, revision, number: n, sent: of(id, op).sent, answer: of(id, op).answered });
    const byOp = (a, b) => `${a.id}${a.op}`.localeCompare(`${b.id}${b.op}`);
    assert.deepEqual(delivered(rig.audit).map(short).sort(byOp), [line(good, 'create', 'ok', 1, number), line(good, 'update', 'ok', 2, number),
      line(bad, 'create', 'refused', 1, undefined)].sort(byOp));
    for (const l of delivered(rig.audit)) assert.deepEqual([l.who, l.system], ['engine', 'ledger']);

    const told = await yimen('audit', 'export', '--config', rig.config, '--record', good);
    assert.deepEqual(told.stdout.trimEnd().split('\n').map((l) => JSON.parse(l).what).sort(), ['deliver', 'deliver', 'file']);
    assert.equal((await verify(rig)).code, 0);
    for (let shard = 0; shard < SHARDS; shard++) {
      await until('Redis keeps nothing of it', async () => Number(await rig.redis.client.command('XLEN', `{s${shard}}:settled`)) === 0);
    }
  } finally {
    await rig.close();
  }
});

test('deliveries go on while everything is killed: each stands in the chain, none twice', async () => {
  const rig = await keyedRig();
  rig.expectFaults = true; // Redis is away: workers say so
  try {
    await rig.start();
    const ids = [];
    for (let round = 0; round < 9; round++) {
      for (let i = 0; i < 15; i++) ids.push(await rig.accept(['ledger']));
      await pause(Math.random() * 150);
      await killOne(rig, round);
    }
    for (const id of ids) await rig.settled(id, 'ledger');
    await until('all of them', () => new Set(delivered(rig.audit).map((l) => l.id)).size === ids.length);
    await pause(500); // what would come twice comes now
    const got = delivered(rig.audit).filter((l) => l.outcome === 'ok');
    assert.deepEqual(got.map((l) => l.id).sort(), [...ids].sort());
    for (const l of got) assert.equal(l.number, (await rig.delivery(l.id, 'ledger')).number);
    const r = await verify(rig);
    assert.equal(r.code, 0, r.stdout + r.stderr);
  } finally {
    await rig.close();
  }
});

test('an entry of many deliveries that came into the files in part: the rest is taken, nothing twice', async () => {
  const rig = await keyedRig();
  try {
    await rig.start(); // loads the library
    await rig.stop();
    const store = new Store(rig.redis.client, 0), worker = await store.worker('ledger');
    for (let i = 0; i < 6; i++) await rig.accept(['ledger'], 'x', 0);
    const { items } = await worker.claim();
    await worker.settleAll(items.map((item, i) => [item, 'd', { number: `N${i}` }]));
    const entry = await rig.redis.client.command('XRANGE', '{s0}:settled', '-', '+');
    assert.equal(entry.length, 1);
    const copy = async () => rig.redis.client.command('COPY', '{s0}:settled', '{s0}:kept', 'REPLACE');
    assert.equal(await copy(), 1);
    await rig.start();
    await until('six lines', () => delivered(rig.audit).length === 6);
    await rig.stop();

    /* as after a crash before the sync: two of the six are there, Redis has not heard of any */
    const file = path.join(rig.audit, segments(rig.audit).at(-1));
    const text = readFileSync(file, 'utf8').trimEnd().split('\n');
    const at = text.findIndex((l) => l.includes('"deliver"'));
    writeFileSync(file, text.slice(0, at + 2).map((l) => `${l}\n`).join(''), { mode: 0o600 });
    const { seq, mac } = JSON.parse(text[at - 1]);
    await rig.redis.client.command('HSET', '{s0}:ch', 'seq', seq, 'mac', mac);
    await rig.redis.client.command('COPY', '{s0}:kept', '{s0}:settled', 'REPLACE');
    await rig.start();
    await until('six lines again', () => delivered(rig.audit).length >= 6);
    await pause(500);
    assert.deepEqual(delivered(rig.audit).map((l) => l.number), ['N0', 'N1', 'N2', 'N3', 'N4', 'N5']);
    assert.equal((await verify(rig)).code, 0);
  } finally {
    await rig.close();
  }
});

test('a repeated call leaves one entry; a new one another', async () => {
  const rig = await keyedRig();
  try {
    await rig.start();
    const put = (uid, since) => rig.redis.client.fcall('ym_evidence', '{s0}', 'u', 'x', '', '', '', '', '', '', uid, '', since);
    const [, entry] = await put('one', '');
    assert.deepEqual(await put('one', String(Date.now() - 5)), ['there', entry]);
    assert.equal((await put('two', String(Date.now())))[0], 'kept');
  } finally {
    await rig.close();
  }
});

test('archivist, supervisor and Redis killed at random: the chain holds, nothing missing, nothing doubled', async () => {
  const rig = await keyedRig();
  rig.expectFaults = true; // Redis is away: workers say so
  try {
    await rig.start();
    const marks = [];
    let stop = false;
    const write = (async () => {
      while (!stop) {
        try {
          for (let i = 0; i < 20; i++) marks.push(await event(rig));
        } catch { /* Redis is being killed: what it did not answer does not count */ }
        await pause(3);
      }
    })();
    for (let round = 0; round < 9; round++) {
      await pause(60 + Math.random() * 200);
      await killOne(rig, round);
    }
    stop = true;
    await write;
    await archived(rig, marks, 30000);
    const all = entries(rig.audit).map((l) => `${l.shard} ${l.entry}`);
    assert.equal(all.length, new Set(all).size, 'every entry of the streams once');
    const r = await verify(rig);
    assert.equal(r.code, 0, r.stdout + r.stderr);
    assert.ok(marks.length > 200, `${marks.length} entries`);
  } finally {
    await rig.close();
  }
});

test('a torn last line is cut, and its entry taken again', async () => {
  const rig = await keyedRig();
  try {
    await rig.start();
    const marks = [await event(rig, 0), await event(rig, 1), await event(rig, 0)];
    await archived(rig, marks);
    await rig.stop();
    const file = path.join(rig.audit, segments(rig.audit).at(-1));
    const text = readFileSync(file, 'utf8');
    /* as after a crash before the sync: Redis has not heard of the last line */
    const kept = text.trimEnd().split('\n');
    const before2 = JSON.parse(kept.at(-2));
    await rig.redis.client.command('HSET', '{s0}:ch', 'seq', before2.seq, 'mac', before2.mac);
    truncateSync(file, Buffer.byteLength(text) - 40);
    await rig.start();
    await archived(rig, marks);
    assert.equal(rig.logged('audit.cut'), 1);
    assert.equal((await verify(rig)).code, 0);
  } finally {
    await rig.close();
  }
});

test('a full disk: evidence waits in Redis and comes later', async () => {
  const rig = await keyedRig();
  try {
    await rig.start();
    const first = await event(rig);
    await archived(rig, [first]);
    await rig.stop();
    const limited = `ulimit -f 1; exec "${path.join(BUILD, 'yimen-dispatcher')}" --config "${rig.config}"`;
    const { spawn } = await import('node:child_process');
    const child = spawn('bash', ['-c', `trap '' XFSZ; ${limited}`], { stdio: ['ignore', 'ignore', 'pipe'] });
    let log = '';
    child.stderr.on('data', (d) => { log += d; });
    const gone = new Promise((resolve) => { child.once('exit', resolve); });
    const marks = [];
    for (let i = 0; i < 200; i++) marks.push(await event(rig));
    await until('it says so', () => /event=audit\.waits/.test(log));
    child.kill('SIGTERM');
    await gone;
    assert.ok(entries(rig.audit).length < marks.length);
    await rig.start();
    await archived(rig, [first, ...marks]);
    const r = await verify(rig);
    assert.equal(r.code, 0, r.stdout + r.stderr);
  } finally {
    await rig.close();
  }
});

describe('verify names the place', () => {
  let rig;
  let copy;
  before(async () => {
    rig = await keyedRig('audit:\n  segment: 64k\n');
    await rig.start();
    /* three segments: the size is looked at whenever the archivist starts */
    for (let part = 0; part < 3; part++) {
      const marks = [];
      for (let i = 0; i < 220; i++) marks.push(await event(rig));
      await archived(rig, marks);
      await rig.stop();
      await rig.start();
    }
    await rig.stop();
    assert.ok(segments(rig.audit).length >= 3, String(segments(rig.audit)));
    copy = mkdtempSync(path.join(tmpdir(), 'yimen-audit-'));
    cpSync(rig.audit, copy, { recursive: true });
  });
  after(async () => {
    rmSync(copy, { recursive: true, force: true });
    await rig.close();
  });

  const restore = () => {
    rmSync(rig.audit, { recursive: true, force: true });
    cpSync(copy, rig.audit, { recursive: true });
  };
  const file = (i) => path.join(rig.audit, segments(rig.audit)[i]);
  const edit = (i, change) => {
    const all = readFileSync(file(i), 'utf8').trimEnd().split('\n');
    writeFileSync(file(i), change(all).map((l) => `${l}\n`).join(''), { mode: 0o600 });
  };
  const findings = async (...more) => {
    const r = await verify(rig, ...more);
    assert.equal(r.code, 1, r.stdout + r.stderr);
    return r.json.findings;
  };

  test('untouched, it holds; also a copy, offline, with the ring alone', async () => {
    restore();
    assert.equal((await verify(rig)).code, 0);
    const r = await yimen('audit', 'verify', copy, '--ring', `file:${rig.ring}`);
    assert.equal(r.code, 0, r.stdout + r.stderr);
    assert.match(r.stdout, /all of it holds/);
  });

  test('one byte flipped', async () => {
    restore();
    const name = segments(rig.audit)[1];
    const bytes = readFileSync(file(1));
    const at = bytes.indexOf('\n', 5000) + 200; // somewhere in the line after that
    const line = bytes.subarray(0, at).toString().split('\n').length;
    bytes[at] ^= 1;
    writeFileSync(file(1), bytes, { mode: 0o600 });
    const [f, ...rest] = await findings();
    assert.deepEqual([f.file, f.line, f.code, rest.length], [name, line, 'altered', 0]);
    assert.equal(f.seq, JSON.parse(readFileSync(path.join(copy, name), 'utf8').split('\n')[line - 1]).seq);
  });

  test('one line dropped', async () => {
    restore();
    edit(0, (all) => all.toSpliced(10, 1));
    const [f, ...rest] = await findings();
    assert.deepEqual([f.file, f.line, f.code, rest.length], [segments(rig.audit)[0], 11, 'missing', 0]);
    assert.match(f.message, /seq 11 to 11/);
  });

  test('two segments swapped', async () => {
    restore();
    const [a, b] = [file(0), file(1)];
    renameSync(a, `${a}.x`);
    renameSync(b, a);
    renameSync(`${a}.x`, b);
    const found = await findings();
    assert.ok(found.some((f) => f.file === path.basename(b) && f.line === 1 && f.code === 'doubled'), JSON.stringify(found));
  });

  test('the tail cut, with or without whole segments', async () => {
    restore();
    edit(segments(rig.audit).length - 1, (all) => all.slice(0, -1));
    assert.ok((await findings()).some((f) => f.code === 'tail'));
    restore();
    rmSync(file(segments(rig.audit).length - 1));
    assert.ok((await findings()).some((f) => f.code === 'tail'));
  });

  test('the first segment gone, or all of them', async () => {
    restore();
    rmSync(file(0));
    assert.ok((await findings()).some((f) => f.code === 'start'));
    rmSync(rig.audit, { recursive: true, force: true });
    const r = await verify(rig);
    assert.notEqual(r.code, 0);
  });

  test('a line with a right plain digest, by somebody without the key', async () => {
    restore();
    const { createHash } = await import('node:crypto');
    edit(1, (all) => all.map((l, i) => {
      if (i !== 20) return l;
      const bare = l.replace(/"who":"[^"]*"/, '"who":"somebody-else"').replace(/,"mac":"[0-9a-f]{64}"}$/, '');
      return `${bare},"mac":"${createHash('sha256').update(bare).digest('hex')}"}`;
    }));
    assert.equal((await findings())[0].code, 'altered');
  });

  test('what was cut away is noticed by the archivist, too, and stays noted', async () => {
    restore();
    edit(segments(rig.audit).length - 1, (all) => all.slice(0, -3));
    rig.expectFaults = true;
    await rig.start();
    await until('it says so', () => rig.logged('audit.lost') > 0);
    await archived(rig, [await event(rig)]);
    assert.ok((await findings()).some((f) => f.code === 'lost'));
    await rig.stop();
  });

  test('export: a span of time, lines as they stand', async () => {
    restore();
    const all = await yimen('audit', 'export', '--config', rig.config);
    assert.equal(all.stdout.trimEnd().split('\n').length, lines(copy).length);
    const none = await yimen('audit', 'export', '--config', rig.config, '--to', '2020-01-01');
    assert.deepEqual([none.code, none.stdout], [0, '']);
    assert.equal((await yimen('audit', 'export', '--config', rig.config, '--from', 'yesterday')).code, 2);
  });
});
