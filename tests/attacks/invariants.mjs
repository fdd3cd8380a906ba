/* SPDX-License-Identifier: Apache-2.0
 * What holds in every attack, whatever it is: the upstream is not reached by what was refused,
 * identity at the upstream is the caller's own, the workers live, problem details go to programs
 * and pages to people, and no secret of the case is written down.  README.md says how to use it.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { until } from '../lib/nginx.mjs';
import { stopwatch } from '../lib/pace.mjs';

/* Reads one HTTP/1 message from text; null when it is not complete yet. */
export function parseMessage(text) {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const [first, ...lines] = text.slice(0, end).split('\r\n');
  const list = lines.map((l) => { const at = l.indexOf(':'); return [l.slice(0, at), l.slice(at + 1).trim()]; });
  const headers = {};
  for (const [k, v] of list) headers[k.toLowerCase()] = k.toLowerCase() in headers ? `${headers[k.toLowerCase()]}, ${v}` : v;
  const rest = text.slice(end + 4);
  if (/chunked/i.test(headers['transfer-encoding'] ?? '')) {
    let at = 0, body = '';
    for (;;) {
      const line = rest.indexOf('\r\n', at);
      if (line < 0) return null;
      const n = parseInt(rest.slice(at, line), 16);
      if (rest.length < line + 2 + n + 2) return null;
      if (n === 0) return { first, list, headers, body, trailer: rest.slice(line + 2), size: text.length };
      body += rest.slice(line + 2, line + 2 + n);
      at = line + 2 + n + 2;
    }
  }
  const n = Number(headers['content-length'] ?? 0);
  if (rest.length < n) return null;
  return { first, list, headers, body: rest.slice(0, n), size: end + 4 + n };
}

/*
 * An application behind the gateway.  It counts requests, keeps each as it came (`raw`, `first`,
 * `list` of [name, value], `headers`, `body`) and answers 200 with what it saw, or what
 * respond(request, socket) gives: {status, headers, body}, a string of raw bytes, or nothing when it
 * has taken over the socket.
 */
export class Upstream {
  constructor({ respond } = {}) {
    this.respond = respond;
    this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'yimen-up-'));
    this.socket = path.join(this.dir, 'up.sock');
    this.seen = [];
    this.connections = 0;
    this.sockets = new Set();
    this.server = net.createServer((s) => this.#serve(s));
  }

  async start() {
    await new Promise((done) => { this.server.listen(this.socket, done); });
    return this;
  }

  get hits() { return this.seen.length; }

  get last() { return this.seen[this.seen.length - 1]; }

  #serve(s) {
    let text = '';
    this.connections++;
    this.sockets.add(s);
    s.on('close', () => this.sockets.delete(s));
    s.on('error', () => {});
    s.on('data', (d) => {
      if (s.takenOver) return;
      text += d.toString('latin1');
      for (;;) {
        const m = parseMessage(text);
        if (m === null) return;
        const [method, target, version] = m.first.split(' ');
        const request = { ...m, raw: text.slice(0, m.size), method, target, version };
        text = text.slice(m.size);
        this.seen.push(request);
        this.#answer(request, s);
      }
    });
  }

  #answer(request, s) {
    let a = this.respond ? this.respond(request, s) : undefined;
    if (a === undefined && this.respond && s.takenOver) return;
    if (typeof a === 'string' || Buffer.isBuffer(a)) { s.write(a); return; }
    a = { status: 200, headers: {}, body: JSON.stringify({ target: request.target, headers: request.headers }), ...a };
    const body = Buffer.from(a.body);
    const lines = Object.entries({ 'Content-Type': 'application/json', 'Content-Length': body.length, ...a.headers })
      .flatMap(([k, v]) => [].concat(v).map((one) => `${k}: ${one}\r\n`));
    s.write(`HTTP/1.1 ${a.status} X\r\n${lines.join('')}\r\n`);
    if (request.method !== 'HEAD') s.write(body);
  }

  async stop() {
    for (const s of this.sockets) s.destroy();
    await new Promise((done) => { this.server.close(done); });
    fs.rmSync(this.dir, { recursive: true, force: true });
  }
}

export const startUpstream = (options) => new Upstream(options).start();

/*
 * Bytes out as they are; the first answer parsed: {status, headers, body, text}.  status 0: the
 * connection was closed without one.  A request should say `Connection: close` or be malformed.
 */
export async function rawRequest(nginx, bytes, ms = 3000) {
  const text = await nginx.raw(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes, ms);
  const m = /^HTTP\/1\.[01] (\d{3})/.exec(text);
  if (!m) return { status: 0, headers: {}, body: text, text };
  const whole = parseMessage(text);
  if (whole?.headers['transfer-encoding']) return { status: Number(m[1]), headers: whole.headers, body: whole.body, text };
  const end = text.indexOf('\r\n\r\n');
  const { headers } = parseMessage(`${text.slice(0, end).replace(/^transfer-encoding:.*\r\n/im, '')}\r\nContent-Length: 0\r\n\r\n`);
  return { status: Number(m[1]), headers, body: text.slice(end + 4), text };
}

/* A well-formed request line and headers around a target that may be anything. */
export const get = (target, more = '', method = 'GET') => `${method} ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${more}\r\n`;

export { NAVIGATION } from '../lib/browser.mjs';

/* Names of headers under which an application may look for a person. */
const IDENTITY = /^(?:x.)?(?:remote|forwarded|auth|authenticated|authorized|jwt|webauth|iap|user|email|groups|roles|yimen)(?:[^a-z0-9].*)?$/i;

/*
 * The shared assertion.  g: what startGateway() gave; upstream: an Upstream or null; identity: names
 * of the headers that the configuration injects (lower case).
 */
export class Invariants {
  constructor(g, { upstream = null, identity = [] } = {}) {
    this.g = g;
    this.upstream = upstream;
    this.identity = identity;
    this.secrets = new Set();
    this.pids = g.nginx.workers();
    this.mark();
  }

  /* A new case begins. */
  mark() { this.hits = this.upstream?.hits ?? 0; }

  /* What is under way arrives at the upstream, and then nothing more. */
  async still() {
    let [seen, since] = [-1, 0];
    await until('the upstream is left alone', () => {
      if (this.upstream.hits !== seen) [seen, since] = [this.upstream.hits, Date.now()];
      return Date.now() - since >= 300;
    }, 20000);
  }

  /* Something that must never stand in a log: a token, a password, a cookie, a code. */
  secret(...values) {
    for (const v of values) if (v && String(v).length >= 6) this.secrets.add(String(v));
    return values[0];
  }

  /* I3: the same workers, no alert, no sanitizer report. */
  alive() {
    assert.deepEqual(this.g.nginx.workers(), this.pids, 'I3: the workers are the same');
    assert.deepEqual(this.g.nginx.complaints(), [], 'I3: nothing to complain about in the log');
  }

  /* I1 I3 I4: refused with one of these statuses. page: a navigation, so HTML or a redirect is right. */
  refused(r, status, { page = false, nginx = false } = {}) {
    const wanted = [].concat(status);
    assert.ok(wanted.includes(r.status), `status ${r.status}, wanted ${wanted}: ${r.body.slice(0, 300)}`);
    assert.equal(this.upstream?.hits ?? 0, this.hits, 'I1: the upstream saw nothing');
    this.alive();
    const type = r.headers['content-type'] ?? '';
    if (nginx || r.status === 0) { /* refused by nginx itself, before any module is asked */
      assert.doesNotMatch(r.body, /\bat \/|stack|undefined/);
    } else if (page) {
      assert.ok(/^text\/html/.test(type) || [302, 303].includes(r.status), `I4: a page for people, not ${type}`);
    } else {
      assert.equal(type, 'application/problem+json', 'I4: problem details for programs');
      const problem = r.json ?? JSON.parse(r.body);
      assert.equal(problem.status, r.status);
      assert.ok(problem.title && problem.type && problem.instance, 'I4: complete');
      if (r.status === 401) assert.match(r.headers['www-authenticate'] ?? '', /^Bearer /);
      if (r.status === 503 || r.status === 429) assert.match(r.headers['retry-after'] ?? '', /^\d+$/);
    }
    this.mark();
    return r;
  }

  /*
   * I1 I2 I3: exactly one request went through, and what it says of a person is what it must say:
   * who {header: value}, every other name that could mean a person is absent.
   */
  passed(r, who = {}, { status = 200 } = {}) {
    assert.equal(r.status, status, r.body.slice(0, 300));
    if (this.upstream) {
      assert.equal(this.upstream.hits, this.hits + 1, 'the upstream was asked once');
      this.identified(this.upstream.last, who);
    }
    this.alive();
    this.mark();
    return this.upstream?.last;
  }

  /* I2 for one recorded request. */
  identified(request, who = {}) {
    const wanted = Object.fromEntries(Object.entries(who).map(([k, v]) => [k.toLowerCase(), v]));
    for (const [name, value] of Object.entries(wanted)) {
      const found = request.list.filter(([k]) => k.toLowerCase() === name).map(([, v]) => v);
      assert.deepEqual(found, value === null ? [] : [value], `I2: ${name} at the upstream`);
    }
    for (const [k, v] of request.list) {
      const name = k.toLowerCase();
      const folded = name.replace(/[^a-z0-9]/g, '-');
      if (name in wanted) continue;
      assert.ok(!(folded in wanted) && !this.identity.includes(folded), `I2: an alias at the upstream: ${k}`);
      if (/^x-forwarded-(?:for|proto|host|port)$/.test(name) || name === 'user-agent') continue;
      assert.doesNotMatch(k, IDENTITY, `I2: ${k}: ${v} at the upstream`);
    }
  }

  /* I5, at the end: no secret of any case in nginx's logs, nor in more (texts). */
  done(more = []) {
    this.alive();
    const texts = [this.g.nginx.log(), this.g.nginx.stderr, ...more];
    for (const secret of this.secrets) {
      for (const text of texts) {
        const at = text.indexOf(secret);
        assert.equal(at, -1, `I5: a secret of ${secret.length} bytes in a log: …${text.slice(Math.max(0, at - 80), at)}`);
      }
    }
    for (const text of texts) {
      assert.doesNotMatch(text, /eyJ[\w-]{10,}/, 'I5: a token in a log');
      // eslint-disable-next-line no-control-regex
      assert.doesNotMatch(text, /[\x00-\x08\x0b-\x1f\x7f]/, 'I5: a control character in a log');
    }
  }

  /*
   * I6: while run() goes on, a harmless stream (GET /healthz) keeps its pace: its p99 stays below
   * twice its baseline, with a floor for the noise of a small machine. Time for which this process or
   * the workers had no processor does not count (own: the gateway's own threads take them away, so
   * the workers' does). A run that may be repeated is, up to `rounds` times, each with a baseline of
   * its own: noise only ever adds, and what the gateway does, it does in every round.
   */
  async undisturbed(run, { floor = 60, rounds = 1, own = false } = {}) {
    const programs = own ? [] : [this.g.nginx.workers()];
    const sample = async (going) => {
      const times = [];
      while (going(times.length)) {
        const ms = stopwatch(...programs);
        const r = await this.g.nginx.request('GET', '/healthz');
        times.push(ms());
        assert.equal(r.status, 200);
        await new Promise((done) => { setImmediate(done); });
      }
      times.sort((a, b) => a - b);
      return times[Math.min(times.length - 1, Math.floor(times.length * 0.99))] ?? 0;
    };
    const tries = [];
    for (let round = 0; round < rounds; round++) {
      const before = await sample((n) => n < 100);
      let over = false;
      const [during] = await Promise.all([sample((n) => !over || n < 20), run().finally(() => { over = true; })]);
      tries.push({ before, during });
      if (during <= Math.max(2 * before, floor)) return tries;
    }
    const words = (what) => tries.map((x) => x[what].toFixed(1)).join(', ');
    return assert.fail(`I6: p99 ${words('during')} ms, ${words('before')} ms before`);
  }
}
