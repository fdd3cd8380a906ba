/* SPDX-License-Identifier: Apache-2.0
 * A whole stack for one test file, by the same scripts/stack that people use: Redis, nginx with the
 * module, dispatcher, lab. close() takes it down and insists on manners: nothing alarming in nginx's
 * log, no error event of the dispatcher that the test did not announce, no fault noted by the lab,
 * nothing left running.
 *
 * BUILD               the build folder (default: build)
 */
import { execFile, execFileSync } from 'node:child_process';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';

const run = promisify(execFile);
export { sleep };
export const TOP = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
export const BUILD = resolve(TOP, process.env.BUILD ?? 'build');
const STACK = join(TOP, 'scripts/stack');
const ALARM = /\[(alert|emerg|crit)\]|Sanitizer|runtime error|exited on signal/;

/* Time-outs of a test, where the adapters have those of a town. */
export const QUICK = {
  timeout: '2s', absence_after: '1500ms', backoff_base: '100ms', backoff_cap: '1s', probe_every: '300ms',
};

/** Every system that machines serve; leader-board is a copy card. */
export const NINE = ['zj-odr', 'people-mediation', 'grid-platform', 'hotline-12345', 'data-commons', 'gov-service',
  'village-admin', 'patrol-app', 'leader-board'];
export const EIGHT = NINE.filter((id) => id !== 'leader-board');
export const BLIND = ['hotline-12345', 'patrol-app'];   /* no lookup exists there */
export const NUMBERS = {
  'zj-odr': /^ODR\d{10}$/, 'people-mediation': /^TJ\d{10}$/, 'grid-platform': /^SJ\d{10}$/, 'hotline-12345': /^RX\d{10}$/,
  'data-commons': /^GG\d{10}$/, 'gov-service': /^SL\d{10}$/, 'village-admin': /^NC\d{10}$/, 'patrol-app': /^XF\d{10}$/,
};

/** A copy of the demo's dispute, its data changed by a shallow merge. */
export function dispute(data = {}, targets = undefined) {
  const body = JSON.parse(readFileSync(join(TOP, 'tests/data/dispute.json'), 'utf8'));
  return { type: 'dispute', data: { ...body.data, ...data }, ...(targets ? { targets } : {}) };
}

/** Polls until fn() gives something; never less than half a minute: a busy machine is no fault. */
export async function until(what, seconds, fn) {
  const end = Date.now() + Math.max(seconds, 30) * 1000;
  for (;;) {
    const value = await fn();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${seconds} s in vain for ${typeof what === 'function' ? what() : what}`);
    await sleep(40);
  }
}

const parentOf = (pid) => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' ? undefined : Number(parent);
  } catch {
    return undefined;
  }
};

function family(roots) {
  const parents = readdirSync('/proc').filter((d) => /^\d+$/.test(d)).map((d) => [Number(d), parentOf(d)]);
  const all = new Set(roots.filter((p) => parentOf(p) !== undefined));
  for (let size = -1; size !== all.size;) {
    size = all.size;
    for (const [pid, parent] of parents) if (all.has(parent)) all.add(pid);
  }
  return all;
}

/** options: settings, own = a copy of the adapters that may be changed (stack.adapters), systems, sql, expected = error events that the test provokes */
export async function openStack({ settings = QUICK, own = false, systems, sql, expected = [] } = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'yimen-e2e-'));
  const args = ['up', '--dir', join(dir, 's'), '--build', BUILD, '--settings', Object.entries(settings).map((x) => x.join('=')).join(',')];
  if (own) {
    cpSync(join(TOP, 'adapters/systems'), join(dir, 'adapters'), { recursive: true });
    args.push('--adapters', join(dir, 'adapters'));
  }
  if (systems) args.push('--systems', systems.join(','));
  if (sql) args.push('--sql', sql);
  try {
    await run(STACK, args, { timeout: 120_000 });
  } catch (error) {
    rmSync(dir, { recursive: true, force: true });
    throw new Error(`scripts/stack: ${error.stderr}`);
  }
  return new Stack(dir, expected);
}

class Stack {
  constructor(dir, expected) {
    this.root = dir;
    this.dir = join(dir, 's');
    this.adapters = join(dir, 'adapters');
    this.expected = expected;
    this.family = new Set();
    this.read();
  }

  read() {
    this.info = JSON.parse(readFileSync(join(this.dir, 'stack.json'), 'utf8'));
    for (const pid of family(Object.values(this.info.pids))) this.family.add(pid);
  }

  /** One request. path is under /api/v1 unless it is one of the few beside it. */
  async api(role, path, { method = 'GET', body, headers = {}, raw } = {}) {
    const url = this.info.base_url + (/^\/(healthz|readyz|metrics|api\/)/.test(path) ? path : `/api/v1${path}`);
    const ask = () => fetch(url, {
      method,
      headers: {
        ...(role ? { Authorization: `Bearer ${this.info[`${role}_token`]}` } : {}),
        ...(body !== undefined ? { 'Content-Type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' } : {}),
        ...headers,
      },
      body: raw ?? (body === undefined ? undefined : JSON.stringify(body)),
    });
    /* a reload closes idle connections: what met the closing one is asked again, as every HTTP client
     * does for requests that may be repeated (filing carries a key; switches are the same twice) */
    const answer = await ask().catch((e) => { if (method === 'PATCH' || e.cause?.code !== 'UND_ERR_SOCKET') throw e; return ask(); });
    const text = await answer.text();
    let json;
    try { json = JSON.parse(text); } catch { json = undefined; }
    return { status: answer.status, headers: answer.headers, text, json };
  }

  post(role, path, body = {}) {
    return this.api(role, path, { method: 'POST', body });
  }

  /** Files a record; the test fails if it is not taken. wait: seconds, 0 = do not wait. */
  async file(body, wait = 0) {
    const r = await this.api('staff', '/records', {
      method: 'POST', body, headers: { 'Idempotency-Key': randomUUID(), ...(wait ? { Prefer: `wait=${wait}` } : {}) },
    });
    assert.equal(r.status, 201, r.text);
    return r.json;
  }

  async record(id) {
    const r = await this.api('staff', `/records/${id}`);
    assert.equal(r.status, 200, r.text);
    return r.json;
  }

  /** Waits until test(deliveries, record) is true. */
  settled(id, what, test, seconds = 15) {
    let last;
    return until(() => `${what}; ${id} has ${JSON.stringify(last?.deliveries)}`, seconds, async () => {
      last = await this.record(id);
      return test(last.deliveries, last) ? last : undefined;
    });
  }

  async patch(id, revision, data) {
    const r = await this.api('staff', `/records/${id}`, { method: 'PATCH', body: data, headers: { 'If-Match': `"${revision}"` } });
    assert.equal(r.status, 200, r.text);
    return r.json;
  }

  async lab(path, body) {
    const r = await fetch(this.info.lab_url + path, body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) });
    const value = await r.json();
    assert.equal(r.status, 200, `${path}: ${JSON.stringify(value)}`);
    return value;
  }

  behave(system, mode, more = {}) { return this.lab(`/systems/${system}/behave`, { mode, ...more }); }
  kept(system, ref) { return this.lab(`/systems/${system}/records${ref ? `?ref=${ref}` : ''}`); }
  calls(system, ref) { return this.lab(`/systems/${system}/calls${ref ? `?ref=${ref}` : ''}`); }

  redis(...args) {
    return execFileSync('redis-cli', ['-s', this.info.redis_socket, ...args], { encoding: 'utf8' }).trim();
  }

  /** yimen <args> --config …: {code, stdout, stderr}; never throws. */
  async tool(...args) {
    try {
      const { stdout, stderr } = await run(join(BUILD, 'yimen'), [...args, '--config', this.info.config], { cwd: TOP, timeout: 60_000 });
      return { code: 0, stdout, stderr };
    } catch (error) {
      return { code: error.code, stdout: error.stdout, stderr: error.stderr };
    }
  }

  /** kill -9 and start again. */
  async restart(part) {
    this.read();
    await run(STACK, ['restart', part, '--dir', this.dir], { timeout: 60_000 });
    this.read();
  }

  signal(part, name) { process.kill(this.info.pids[part], name); }
  log(name) {
    const file = join(this.dir, 'log', `${name}.log`);
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  async close() {
    const faults = [];
    try {
      this.read();
      for (const s of await this.lab('/systems')) {
        if (s.faults) faults.push(...await this.lab(`/systems/${s.id}/faults`));
      }
    } finally {
      await run(STACK, ['down', '--dir', this.dir], { timeout: 90_000 });
    }
    try {
      const nginx = this.log('nginx-error') + this.log('nginx');
      assert.equal(nginx.split('\n').filter((l) => ALARM.test(l)).join('\n'), '', 'the log of nginx');
      const events = this.log('dispatcher').split('\n')
        .filter((l) => (/^error /.test(l) || ALARM.test(l)) && !this.expected.some((e) => (e instanceof RegExp ? e.test(l) : l.includes(e))));
      assert.equal(events.join('\n'), '', 'error events of the dispatcher');
      assert.deepEqual(faults, [], 'faults that the platforms noted');
      const left = [...this.family].filter((p) => parentOf(p) !== undefined);
      assert.deepEqual(left, [], 'still running');
    } finally {
      rmSync(this.root, { recursive: true, force: true });
    }
  }
}
