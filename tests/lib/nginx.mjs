/* SPDX-License-Identifier: Apache-2.0
 * Starts nginx with an inline configuration on a unix socket and, when it stops, insists that it
 * ended cleanly: exit code 0, no alert, no sanitizer report, nothing left running.
 *
 * YIMEN_NGINX         binary (default: the installed nginx)
 * YIMEN_MODULE        the dynamic module; "static" when the binary has it built in (build-nginx-asan)
 * YIMEN_PRELOAD       LD_PRELOAD of nginx: the sanitizers, when the module alone has them
 */
import { spawn } from 'node:child_process';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { leaveNothing } from './children.mjs';
import { clock } from './pace.mjs';

export const TOP = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const BINARY = process.env.YIMEN_NGINX ?? '/usr/sbin/nginx';
const MODULE = process.env.YIMEN_MODULE ?? path.join(TOP, 'build/nginx/ngx_http_yimen_module.so');
const PRELOAD = process.env.YIMEN_PRELOAD ? { LD_PRELOAD: process.env.YIMEN_PRELOAD } : {};
const BAD = /\[(alert|emerg|crit)\]|Sanitizer|runtime error|exited on signal/;

/* UBSan's one note in nginx itself: ngx_pstrdup() copies nothing from a NULL pointer. */
const KNOWN = /core\/ngx_string\.c:\d+:\d+: runtime error: null pointer passed as argument 2/;

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/*
 * Polls until fn() gives something true; the message names what never came. ms is time that this
 * test and its servers had: when it last began to look and saw nothing, less than that was over.
 */
export async function until(what, fn, ms = 5000) {
  const passed = clock();
  const began = Date.now();
  for (;;) {
    const late = Date.now() - began > ms && passed() > ms;
    const value = await fn();
    if (value) return value;
    if (late) throw new Error(`${what}: not within ${ms} ms`);
    await sleep(10);
  }
}

const accepts = (socketPath) => new Promise((done) => {
  const s = net.connect(socketPath);
  s.on('connect', () => { s.destroy(); done(true); });
  s.on('error', () => done(false));
});

/*
 * options: http   text inside http {}, beside the server
 *          server text inside server {}
 *          main   text at the top (env, …)
 *          workers, level (error_log), allow: [RegExp] of log lines that a test provokes on purpose
 */
export class Nginx {
  constructor(options) {
    this.options = { workers: 1, level: 'info', allow: [], http: '', server: '', main: '', ...options };
    this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'yimen-nginx-'));
    this.socket = path.join(this.dir, 'http.sock');
    this.logFile = path.join(this.dir, 'error.log');
    this.confFile = path.join(this.dir, 'nginx.conf');
    this.stderr = '';
    this.agents = [];
    this.newAgent();
    this.write();
  }

  /*
   * Connections that are kept belong to the workers of now. A worker on its way out closes them
   * when it likes, also while the next request travels; nothing may be repeated but a GET.
   */
  newAgent() {
    for (const old of this.agents) for (const s of Object.values(old.freeSockets).flat()) s.destroy();
    this.agent = new http.Agent({ keepAlive: true, maxSockets: 256 });
    this.agents.push(this.agent);
  }

  /* (Re)writes the configuration; reload() makes it count. */
  write(changes = {}) {
    Object.assign(this.options, changes);
    const o = this.options;
    fs.writeFileSync(this.confFile, `
${MODULE === 'static' ? '' : `load_module ${MODULE};`}
${process.getuid() === 0 ? 'user root;' : ''}
daemon off;
worker_processes ${o.workers};
worker_shutdown_timeout 20s;
pid ${this.dir}/nginx.pid;
error_log ${this.logFile} ${o.level};
${o.main}
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${this.dir}/body;
  proxy_temp_path ${this.dir}/proxy;
  fastcgi_temp_path ${this.dir}/fastcgi;
  uwsgi_temp_path ${this.dir}/uwsgi;
  scgi_temp_path ${this.dir}/scgi;
  keepalive_requests 1000000;
  ${o.http}
  server {
    listen unix:${this.socket};
    ${o.server}
  }
}
`);
  }

  async start() {
    const env = {
      ...process.env,
      ASAN_OPTIONS: 'detect_odr_violation=0:abort_on_error=0:detect_leaks=1',
      UBSAN_OPTIONS: 'print_stacktrace=1',
      LSAN_OPTIONS: `suppressions=${path.join(TOP, 'tests/lib/lsan.supp')}:print_suppressions=0`,
      ...PRELOAD,
      ...this.options.env,
    };
    this.child = leaveNothing(spawn(BINARY, ['-p', this.dir, '-c', this.confFile, '-e', this.logFile],
      { env, stdio: ['ignore', 'ignore', 'pipe'] }));
    this.child.stderr.on('data', (d) => { this.stderr += d; });
    this.exited = new Promise((done) => this.child.on('exit', (code, signal) => done({ code, signal })));
    let gone = null;
    this.exited.then((how) => { gone = how; });
    try {
      await until('nginx accepts', async () => {
        if (gone) throw new Error(`nginx ended: ${JSON.stringify(gone)}\n${this.stderr}${this.log()}`);
        return accepts(this.socket);
      }, 20000);
      await until('workers', () => this.workers().length >= this.options.workers, 20000);
    } catch (e) {
      this.child.kill('SIGKILL');
      throw e;
    }
    return this;
  }

  log() {
    return fs.existsSync(this.logFile) ? fs.readFileSync(this.logFile, 'utf8') : '';
  }

  /* Process ids of all children: workers, those on their way out, and the dead not yet waited for. */
  children() {
    const pid = this.child.pid;
    const kids = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return kids.split(/\s+/).filter(Boolean).map(Number);
  }

  /* Process ids of the workers that are not on their way out. */
  workers() {
    return this.children().filter((p) => {
      try {
        return /worker process$/.test(fs.readFileSync(`/proc/${p}/cmdline`, 'utf8').replace(/\0.*$/s, ''));
      } catch { return false; }
    });
  }

  /*
   * Resolves when old workers have ended and the master has put away what it held for them: it keeps
   * two files for each until it has waited for it. What is counted in a process is counted after this.
   */
  async rest() {
    const files = () => fs.readdirSync(`/proc/${this.child.pid}/fd`).length;
    let [seen, since] = [0, Date.now()];
    await until('nginx at rest: its workers, no others, no file that comes or goes', () => {
      const now = this.children().length === this.options.workers && this.workers().length === this.options.workers ? files() : 0;
      if (now === 0 || now !== seen) [seen, since] = [now, Date.now()];
      return now > 0 && Date.now() - since >= 250;
    }, 40000);
  }

  /* Sends HUP; resolves when new workers serve (or, with expectRefused, when the refusal is logged). */
  async reload({ expectRefused = false } = {}) {
    const before = this.log().length;
    const old = this.workers();
    if (!expectRefused) this.newAgent();
    this.child.kill('SIGHUP');
    if (expectRefused) {
      await until('the refusal is logged', () => /\[emerg\]/.test(this.log().slice(before)));
      return;
    }
    await until('new workers', () => {
      const now = this.workers();
      return now.length >= this.options.workers && now.every((p) => !old.includes(p));
    }, 20000);
    this.newAgent(); /* what was asked meanwhile may have met an old worker */
  }

  /* One request; body: string, Buffer or object (sent as JSON). Resolves to {status, headers, body, json}. */
  request(method, target, { headers = {}, body, token, agent } = {}) {
    return new Promise((done, fail) => {
      const h = { ...headers };
      if (token) h.authorization = `Bearer ${token}`;
      let payload = body;
      if (body !== undefined && typeof body !== 'string' && !Buffer.isBuffer(body)) {
        payload = JSON.stringify(body);
        h['content-type'] ??= 'application/json';
      }
      if (payload !== undefined) h['content-length'] ??= Buffer.byteLength(payload);
      const req = http.request({
        socketPath: this.socket, method, path: target, headers: { host: 'localhost', ...h }, agent: agent ?? this.agent,
      }, (res) => {
        const parts = [];
        res.on('data', (d) => parts.push(d));
        res.on('error', fail);
        res.on('end', () => {
          const text = Buffer.concat(parts).toString('utf8');
          let json;
          if (/json/.test(res.headers['content-type'] ?? '') && text) {
            try { json = JSON.parse(text); } catch (e) { fail(new Error(`no JSON: ${e.message}: ${text}`)); return; }
          }
          done({ status: res.statusCode, headers: res.headers, body: text, json });
        });
      });
      /* a kept connection that an old worker closed in the same moment: asked again on another */
      req.on('error', (e) => {
        const stale = req.reusedSocket && method === 'GET' && (e.code === 'ECONNRESET' || e.code === 'EPIPE');
        if (stale) this.request(method, target, { headers, body, token, agent }).then(done, fail);
        else fail(e);
      });
      req.end(payload);
    });
  }

  /* Raw bytes out, everything that comes back until the peer closes or `ms` pass. */
  raw(bytes, ms = 2000) {
    return new Promise((done) => {
      const s = net.connect(this.socket, () => s.write(bytes));
      let text = '';
      const end = setTimeout(() => s.destroy(), ms);
      s.on('data', (d) => { text += d; });
      s.on('error', () => {});
      s.on('close', () => { clearTimeout(end); done(text); });
    });
  }

  /* Lines of the log that must not be there. */
  complaints() {
    return (this.log() + this.stderr).split('\n')
      .filter((line) => BAD.test(line) && !KNOWN.test(line) && !this.options.allow.some((re) => re.test(line)));
  }

  /* Ends nginx gracefully and asserts that all was well. */
  async stop({ signal = 'SIGQUIT' } = {}) {
    for (const a of this.agents) a.destroy();
    this.child.ref();
    this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 30000);
    const how = await this.exited;
    clearTimeout(timer);
    const bad = this.complaints();
    const tail = this.log().split('\n').slice(-60).join('\n');
    assert.deepEqual(bad, [], `log lines that must not be there; the log ends:\n${tail}`);
    assert.deepEqual(how, { code: 0, signal: null }, `nginx ended badly; the log ends:\n${tail}${this.stderr}`);
    fs.rmSync(this.dir, { recursive: true, force: true });
  }
}

export const startNginx = (options) => new Nginx(options).start();

/* nginx -t with a configuration: {code, text}. */
export function testNginx(options) {
  const n = new Nginx(options);
  return new Promise((done) => {
    const child = spawn(BINARY, ['-t', '-p', n.dir, '-c', n.confFile, '-e', n.logFile],
      { env: { ...process.env, ASAN_OPTIONS: 'detect_odr_violation=0:detect_leaks=0', ...PRELOAD, ...options.env } });
    let text = '';
    child.stdout.on('data', (d) => { text += d; });
    child.stderr.on('data', (d) => { text += d; });
    child.on('exit', (code) => {
      fs.rmSync(n.dir, { recursive: true, force: true });
      done({ code, text });
    });
  });
}
