// SPDX-License-Identifier: Apache-2.0
// The crash test: records go in through the API while everything is killed and the platforms
// misbehave; then the platforms behave, people settle what only people can, and the checker judges.
// Usage: scripts/crash, or make crash RECORDS=2000 KILLS=60 SEED=7. Exits 1 for any fault.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { TOP } from '../lib/redis-server.mjs';
import { connect } from '../lib/redis.mjs';
import { generator } from '../lib/random.mjs';
import { Api, Clients, MARK } from './clients.mjs';
import { Chaos, readStack } from './chaos.mjs';
import { check, summary } from './checker.mjs';

const run = promisify(execFile);
const env = (name, fallback) => Number(process.env[name] || fallback);
const RECORDS = env('RECORDS', 2000);
const KILLS = env('KILLS', 60);
const SEED = env('SEED', Date.now() % 100000);
const BUILD = path.resolve(TOP, process.env.BUILD || 'build');
const QUIET_MS = 600000;
const ROUNDS = 6;           // how often people may have to look after what they settled
// Short pauses, so that minutes are enough; absence is trusted later than the latest late answer.
const SETTINGS = 'timeout=3s,backoff_base=100ms,backoff_cap=2s,absence_after=8s,probe_every=500ms,attempts=15';
const NO_LOOKUP = new Set(['hotline-12345', 'patrol-app']);
const RESTING = new Set(['delivered', 'handoff', 'rejected', 'dead', 'withdrawn']);

const began = Date.now();
function note(text) {
  console.log(`[${((Date.now() - began) / 1000).toFixed(0).padStart(4)} s] ${text}`);
}


class Run {
  constructor(dir) {
    this.dir = dir;
    this.rnd = generator(SEED);
    this.states = {};
    this.byHand = {};
    this.tried = new Set();
  }

  async start() {
    await run(path.join(TOP, 'scripts/stack'), ['up', '--dir', this.dir, '--build', BUILD, '--settings', SETTINGS]);
    this.stack = readStack(this.dir);
    this.operator = new Api(this.stack.base_url, this.stack.operator_token);
    this.systems = await this.lab('');
    // long enough for every kill, and for every mode of every platform once
    this.chaos = new Chaos(this.dir, { kills: KILLS, rnd: generator(SEED + 1), lab: this.stack.lab_url, systems: this.systems });
    const modes = this.chaos.combinations.length;
    this.paceMs = Math.max(KILLS * 1700, Math.min(modes * 700, RECORDS * 60)) / RECORDS;
    this.clients = new Clients(this.stack, { records: RECORDS, count: 8, rnd: this.rnd, seed: SEED, paceMs: this.paceMs });
    note(`stack is up; ${RECORDS} records, ${KILLS} kills, ${modes} ways to misbehave, seed ${SEED}`);
  }

  async lab(at) {
    const response = await fetch(`${this.stack.lab_url}/systems${at}`);
    if (!response.ok) throw new Error(`lab: ${response.status}`);
    return response.json();
  }

  async storm() {
    const ticker = setInterval(() => note(`${this.clients.filed} filed, ${this.chaos.done} killed, ${this.chaos.played} misbehaviours`), 15000);
    try {
      const misbehaving = this.chaos.misbehaving(600);
      misbehaving.catch(() => {}); // judged below
      await Promise.all([this.clients.run(), this.chaos.killing(() => this.clients.filed / RECORDS)]);
      await this.chaos.calm();
      await misbehaving;
    } finally {
      clearInterval(ticker);
    }
    note(`filed ${this.clients.filed} (${this.clients.api.again ?? 0} requests repeated, ${this.clients.repeats} of them had been accepted before), killed ${JSON.stringify(this.chaos.by)}`);
  }

  async stored(id) {
    const row = await this.redis.fcall('ym_get', `{s${parseInt(id.at(-1), 32)}}`, id, 0);
    return row[9].map(([system, , , , , next, , digest]) => ({ system, next, digest }));
  }

  // Unknown, and a machine will look again, or only a person can tell: that is for the store to say.
  async atRest({ id, deliveries }) {
    const open = Object.entries(deliveries).filter(([, d]) => !RESTING.has(d.state));
    if (!open.length) return true;
    if (open.some(([, d]) => d.state !== 'unknown' || d.next_attempt)) return false;
    const rows = await this.stored(id);
    return open.every(([system]) => rows.find((r) => r.system === system).next === '-1');
  }

  // Reads every record until all its deliveries are at rest.
  async quiet() {
    const until = Date.now() + QUIET_MS;
    let open = this.clients.log.filter((e) => e.id).map((e) => e.id), before = -1;
    for (;;) {
      const still = [];
      for (let i = 0; i < open.length; i += 16) {
        await Promise.all(open.slice(i, i + 16).map(async (id) => {
          const { status, body } = await this.operator.surely('GET', `/api/v1/records/${id}`);
          if (status === 200) this.states[id] = body; else delete this.states[id];
          if (status === 200 && !(await this.atRest(body))) still.push(id);
        }));
      }
      open = still;
      if (!open.length || Date.now() > until) break;
      await this.mend();
      if (open.length !== before) note(`${open.length} records still on their way`);
      before = open.length;
      await sleep(2000);
    }
  }

  async loadRecords() {
    this.held = {};
    for (const { id } of this.systems) this.held[id] = await this.lab(`/${id}/records`);
  }

  // A platform that refused our signature has stopped its worker: somebody mends that and reloads.
  async mend() {
    const { status, body } = await this.operator.surely('GET', '/api/v1/systems');
    if (status !== 200 || !body.items.some((s) => s.health === 'broken')) return;
    process.kill(readStack(this.dir).pids.dispatcher, 'SIGHUP');
    this.byHand['reloaded for a broken system'] = (this.byHand['reloaded for a broken system'] ?? 0) + 1;
  }

  // Where there is no number, the store must hold the digest of the answer.
  async loadDigests() {
    for (const [id, record] of Object.entries(this.states)) {
      if (Object.values(record.deliveries).every((d) => d.state !== 'delivered' || d.number)) continue;
      for (const { system, digest } of await this.stored(id)) record.deliveries[system].digest = digest;
    }
  }

  // What people do where a machine may not: look into the platform, then say what is true.
  async people(round) {
    await this.loadRecords();
    let settled = 0;
    for (const [id, record] of Object.entries(this.states)) {
      if (round > 0 && await this.author(id, record)) settled++;
      else settled += await this.operators(id, record);
    }
    return settled;
  }

  async operators(id, record) {
    let settled = 0;
    for (const [system, delivery] of Object.entries(record.deliveries)) {
      if (await this.person(id, system, delivery)) settled++;
    }
    return settled;
  }

  // Refused again after a retry: the author files it anew.
  async author(id, { deliveries }) {
    if (!Object.entries(deliveries).some(([system, d]) => d.state === 'rejected' && !NO_LOOKUP.has(system))) return false;
    await this.clients.correct(this.clients.log.find((e) => e.id === id));
    this.byHand['corrected by the author'] = (this.byHand['corrected by the author'] ?? 0) + 1;
    return true;
  }

  async person(id, system, { state, wanted }) {
    if (state === 'rejected' && NO_LOOKUP.has(system) && this.tried.has(`${id} ${system}`)) return false;
    this.tried.add(`${id} ${system}`);
    if (system === 'leader-board' || state === 'delivered' || (state === 'unknown' && NO_LOOKUP.has(system))) return false;
    const at = `/api/v1/records/${id}/deliveries/${system}/`, reason = 'looked into the platform';
    const there = this.held[system].find((r) => r.ref === id && r.revision >= Number(wanted));
    let answer;
    if (state === 'rejected' || state === 'dead') {
      answer = await this.operator.surely('POST', `${at}retry`, { reason });
    } else {
      answer = await this.operator.surely('POST', `${at}resolve`,
        there ? { action: 'delivered', number: there.number, reason } : { action: 'resend', reason });
    }
    if (answer.status === 409) return true; // something moved it meanwhile: look again
    if (answer.status >= 300) throw new Error(`${state} ${system} ${id}: ${answer.status} ${JSON.stringify(answer.body)}`);
    this.byHand[`${state} ${system}`] = (this.byHand[`${state} ${system}`] ?? 0) + 1;
    return true;
  }

  async settle() {
    this.redis = await connect(this.stack.redis); // nobody is killed any more
    await this.quiet();
    for (let round = 0; round < ROUNDS && await this.people(round); round++) await this.quiet();
    await this.loadRecords();
    await this.loadDigests();
    await this.loadEvidence();
    note(`settled by people: ${JSON.stringify(this.byHand)}`);
  }

  // Everything is archived within a second; verified while the stack still runs.
  async loadEvidence() {
    await sleep(2000);
    const yimen = (...args) => run(path.join(BUILD, 'yimen'), ['audit', ...args, '--config', this.stack.config], { maxBuffer: 1 << 30 });
    const { stdout } = await yimen('export');
    this.evidence = stdout.trimEnd().split('\n').map(JSON.parse).filter((l) => l.system);
    await yimen('verify').catch((e) => { throw new Error(`the chain of evidence does not hold:\n${e.stdout}${e.stderr}`); });
  }

  judge() {
    const systems = {};
    for (const { id, transport } of this.systems) {
      systems[id] = { lookup: !NO_LOOKUP.has(id) && transport !== 'handoff', handoff: transport === 'handoff',
        mark: (one) => MARK.exec(JSON.stringify(one.fields ?? one.content))?.[0],
        records: this.held[id].map((r) => ({ ...r, history: r.history.map((h) => h.revision) })) };
    }
    return check({ log: this.clients.log, states: this.states, systems, evidence: this.evidence });
  }

  async labFaults() {
    const out = [];
    for (const { id } of this.systems) out.push(...(await this.lab(`/${id}/faults`)).map((f) => `${id}: ${JSON.stringify(f)}`));
    return out;
  }

  async stop() {
    this.chaos?.stop();
    this.redis?.close();
    await run(path.join(TOP, 'scripts/stack'), ['down', '--dir', this.dir]);
  }
}

const dir = process.env.DIR ? path.resolve(process.env.DIR) : mkdtempSync(path.join(tmpdir(), 'yimen-crash-'));
const it = new Run(dir);
let code = 1;
try {
  await it.start();
  await it.storm();
  await it.settle();
  const verdict = it.judge(), faults = await it.labFaults();
  for (const f of verdict.faults.slice(0, 50)) console.log(`FAULT ${f.kind} ${f.system} ${f.id}: ${f.words}`);
  for (const f of faults.slice(0, 20)) console.log(`PEER ${f}`);
  console.log(`${summary(verdict)} peer_faults=${faults.length} kills=${it.chaos.done} misbehaviours=${it.chaos.played} seed=${SEED}`);
  code = verdict.faults.length || faults.length || it.chaos.done < KILLS ? 1 : 0;
  if (code) writeFileSync(path.join(dir, 'crash.json'), JSON.stringify({ log: it.clients.log, states: it.states, held: it.held, verdict }, null, 1));
} catch (e) {
  console.error(e);
} finally {
  await it.stop().catch((e) => console.error(e.message));
}
if (code) console.log(`left for inspection: ${dir}`);
else if (!process.env.DIR) rmSync(dir, { recursive: true, force: true });
process.exit(code);
