// SPDX-License-Identifier: Apache-2.0
// One dispatcher with its own Redis, its own deployment (tests/data/dispatch) and played systems on
// loopback, which remember everything that reached them; `drop` is a folder.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Store, makeId } from '../queue/store.mjs';
import { startRedis, TOP } from '../lib/redis-server.mjs';

const BUILD = process.env.BUILD ? path.resolve(process.env.BUILD) : path.join(TOP, 'build');
const PATIENCE_MS = 40000;
export const SHARDS = 2;

export const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

// Asks until it is true (→ what it answered) or patience ends.
export async function until(what, ask, patience = PATIENCE_MS) {
  const end = Date.now() + patience;
  for (;;) {
    const got = await ask();
    if (got) return got;
    if (Date.now() > end) throw new Error(`never came: ${what}`);
    await pause(10);
  }
}

// A platform: notes by our reference, each with a number of its own and every write that arrived.
export class Platform {
  constructor(id) {
    this.id = id;
    this.notes = new Map(); // ref → {number, revision, text, received}
    this.calls = []; // {op, ref, revision, at, sent, answered}: the last two are SHA-256 of both bodies
    this.behave = null; // async (call) → null (as usual) | {status, json, headers} | 'cut' | 'commit-cut' | 'hang'
    this.sockets = new Set();
    this.next = 1;
  }

  async open(port = 0) {
    this.server = http.createServer({ keepAliveTimeout: 60000 }, (req, res) => this.#serve(req, res));
    this.server.on('connection', (s) => {
      this.sockets.add(s);
      s.on('close', () => this.sockets.delete(s));
    });
    await new Promise((resolve) => { this.server.listen(port, '127.0.0.1', resolve); });
    this.port = this.server.address().port;
  }

  async close() {
    if (!this.server) return;
    const closed = new Promise((resolve) => { this.server.close(resolve); });
    for (const s of this.sockets) s.destroy();
    await closed;
    this.server = null;
  }

  // How often that operation was really sent for a reference.
  count(op, ref) {
    return this.calls.filter((c) => c.op === op && (!ref || c.ref === ref)).length;
  }

  async #serve(req, res) {
    let text = '';
    for await (const chunk of req) text += chunk;
    const call = { ...this.#read(req, text), sent: sha256(text) };
    this.calls.push(call);
    const how = this.behave ? await this.behave(call) : null;
    if (how === 'hang') return;
    if (how === 'cut') return void req.socket.destroy();
    if (how && how !== 'commit-cut') return void answer(res, how, call);
    const reply = this.#act(call);
    if (how === 'commit-cut') return void req.socket.destroy();
    answer(res, reply, call);
  }

  #read(req, text) {
    const at = Date.now();
    const by = { token: req.headers['x-token'], at };
    const url = req.url;
    if (req.method === 'POST' && url === '/token') return { op: 'sign_in', body: JSON.parse(text), at };
    if (url === '/ping') return { op: 'probe', at };
    if (req.method === 'GET') return { op: 'find', ref: url.split('/').pop(), ...by };
    const body = text ? JSON.parse(text) : {};
    const number = url.split('/')[2];
    const ref = body.ref ?? [...this.notes].find(([, n]) => n.number === number)?.[0];
    const op = { POST: 'create', PUT: 'update', DELETE: 'withdraw' }[req.method];
    return { op, ref, number, revision: Number(body.revision), text: body.text, ...by };
  }

  #act(call) {
    const note = this.notes.get(call.ref);
    switch (call.op) {
      case 'probe': return { status: 200, json: {} };
      case 'sign_in': return { status: 200, json: { token: `t${this.calls.length}` } };
      case 'find': return note ? ok(note) : { status: 404, json: { code: 'absent' } };
      case 'withdraw':
        if (!note) return { status: 404, json: { code: 'absent' } };
        this.notes.delete(call.ref);
        return ok(note);
      case 'update':
        if (!note) return { status: 404, json: { code: 'refused', message: 'no such note' } };
        Object.assign(note, { revision: call.revision, text: call.text, received: note.received + 1 });
        return ok(note);
      default: return this.#create(call, note);
    }
  }

  #create(call, note) {
    if (note) {
      note.received++;
      return { status: 409, json: { code: 'duplicate', message: 'exists' } };
    }
    const made = { number: `${this.id}-${this.next++}`, revision: call.revision, text: call.text, received: 1 };
    this.notes.set(call.ref, made);
    return ok(made);
  }
}

function ok(note) {
  return { status: 200, json: { code: '0', number: note.number, revision: note.revision } };
}

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

function answer(res, { status = 200, json = {}, headers = {} }, call) {
  const body = Buffer.from(JSON.stringify(json));
  call.answered = sha256(body);
  res.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length, ...headers });
  res.end(body);
}

// options: systems (default all four), settings {id: {name: text}}, redis {config}, start false.
export async function startRig(options = {}) {
  const rig = new Rig(options);
  try {
    await rig.open();
  } catch (e) {
    await rig.close().catch(() => {});
    throw e;
  }
  return rig;
}

class Rig {
  constructor({ systems = ['ledger', 'blind', 'gate', 'slow'], settings = {}, redis = {}, start = true }) {
    Object.assign(this, { ids: systems, settings, redisConfig: redis, autostart: start });
    this.dir = mkdtempSync(path.join(tmpdir(), 'yimen-dispatch-'));
    this.platforms = Object.fromEntries(systems.map((id) => [id, new Platform(id)]));
    this.logs = '';
    this.expectFaults = false;
  }

  async open() {
    cpSync(path.join(TOP, 'tests/data/dispatch'), this.dir, { recursive: true });
    mkdirSync(path.join(this.dir, 'config/systems'));
    mkdirSync(path.join(this.dir, 'redis'));
    writeFileSync(path.join(this.dir, 'password'), 'open sesame\n');
    chmodSync(path.join(this.dir, 'password'), 0o600);
    this.redis = await startRedis({ dir: path.join(this.dir, 'redis'), config: this.redisConfig, functions: false });
    writeFileSync(path.join(this.dir, 'config/yimen.yaml'), [
      `redis: "unix:${this.redis.socket}"`, `shards: ${SHARDS}`, 'types_dir: types', 'codes_dir: codes',
      'crosswalks_dir: crosswalks', 'systems_dir: ../adapters', 'sites_dir: systems', 'state_dir: ../state', ''].join('\n'));
    for (const id of this.ids) {
      if (id !== 'drop') await this.platforms[id].open();
      this.writeSite(id, this.settings[id]);
    }
    if (this.autostart) await this.start();
  }

  writeSite(id, settings = {}, lines = []) {
    const own = Object.entries(settings).map(([k, v]) => `${k}: ${v}`).join(', ');
    writeFileSync(path.join(this.dir, `config/systems/${id}.yaml`), [
      'enabled: true',
      `endpoint: ${id === 'drop' ? `file://${this.dir}/drop/` : `http://127.0.0.1:${this.platforms[id].port}`}`,
      ...(own ? [`settings: { ${own} }`] : []),
      ...(id === 'gate' ? [`secrets: { password: "file:${this.dir}/password" }`] : []), ...lines, ''].join('\n'));
  }

  get config() { return path.join(this.dir, 'config/yimen.yaml'); }
  get readyFile() { return path.join(this.dir, 'state/dispatcher.ready'); }

  // Who says that it is ready; the file of one that was killed goes when the next one begins.
  readyPid() {
    try {
      return Number(readFileSync(this.readyFile, 'utf8'));
    } catch (e) {
      if (e.code !== 'ENOENT') throw e;
      return 0;
    }
  }

  async start() {
    const child = spawn(path.join(BUILD, 'yimen-dispatcher'), ['--config', this.config],
      { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.on('data', (d) => { this.logs += d; });
    this.gone = new Promise((resolve) => { child.once('exit', (code, signal) => resolve({ code, signal })); });
    let ended = null;
    this.gone.then((e) => { ended = e; });
    this.child = child;
    await until('the dispatcher is ready', () => {
      if (ended) throw new Error(`dispatcher ended ${JSON.stringify(ended)}:\n${this.logs}`);
      return this.readyPid() === child.pid;
    });
  }

  // SIGTERM: drains. → {code, signal}
  async stop() {
    if (!this.child) return null;
    this.child.kill('SIGTERM');
    const how = await this.gone;
    this.child = null;
    return how;
  }

  async killSupervisor() {
    this.child.kill('SIGKILL');
    await this.gone;
    this.child = null;
  }

  // The process ids of the living workers, from the log.
  worker(id) {
    const found = [...this.logs.matchAll(new RegExp(`event=worker.started system=${id} pid=(\\d+)`, 'g'))];
    return Number(found.at(-1)[1]);
  }

  logged(event, id) {
    return this.logs.split('\n').filter((l) => l.includes(`event=${event}`) && (!id || l.includes(`system=${id}`))).length;
  }

  async close() {
    const how = await this.stop();
    for (const p of Object.values(this.platforms)) await p.close();
    await this.redis?.stop();
    rmSync(this.dir, { recursive: true, force: true });
    if (how) assert.deepEqual(how, { code: 0, signal: null }, this.logs);
    assert.doesNotMatch(this.logs, /Sanitizer|runtime error|event=sm\./);
    if (!this.expectFaults) assert.doesNotMatch(this.logs, /^error/m);
  }

  store(id) {
    return new Store(this.redis.client, parseInt32(id.at(-1)));
  }

  // Accepts a note for those systems. → its id
  async accept(systems, text = 'hello', shard = Math.floor(Math.random() * SHARDS)) {
    const store = new Store(this.redis.client, shard);
    const { id } = await store.accept({ id: makeId(Date.now(), shard), type: 'note', systems,
      envelope: envelope(text) });
    return id;
  }

  revise(id, expected, text) {
    return this.store(id).revise(id, expected, envelope(text));
  }

  withdraw(id, systems) {
    return this.store(id).withdraw(id, systems);
  }

  delivery(id, system) {
    return this.store(id).delivery(id, system);
  }

  // Waits until the delivery is in one of those letters.
  async settled(id, system, letters = 'd', patience = PATIENCE_MS) {
    let last;
    try {
      return await until(`${system} ${letters}`, async () => {
        last = await this.delivery(id, system);
        return letters.includes(last.letter) && last;
      }, patience);
    } catch (e) {
      throw new Error(`${e.message}; last seen: ${JSON.stringify(last)}\n${this.logs}`);
    }
  }

  async system(id) {
    const [row] = await this.redis.client.fcall('ym_systems', '{s0}', id);
    return Object.fromEntries((row ?? []).slice(1).flatMap((v, i, a) => (i % 2 ? [] : [[v, a[i + 1]]])));
  }
}

export function envelope(text) {
  return JSON.stringify({ at: '2026-01-31T08:30:00.000+08:00', by: 'u1', data: { text } });
}

function parseInt32(letter) {
  return '0123456789ABCDEFGHJKMNPQRSTVWXYZ'.indexOf(letter);
}
