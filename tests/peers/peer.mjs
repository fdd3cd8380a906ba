/* SPDX-License-Identifier: Apache-2.0
 * Real applications from Debian, each with private state in memory and a loopback port, ended by pid.
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { sleep } from '../lib/nginx.mjs';

export const PUBLIC = 'https://yimen.example';

/* SQLite waits for the disk hundreds of times while a database is made: memory where there is some. */
const ROOM = fs.existsSync('/dev/shm') && fs.statfsSync('/dev/shm').bavail * fs.statfsSync('/dev/shm').bsize > 48 << 20 ? '/dev/shm' : os.tmpdir();

export const makeDir = (name) => fs.mkdtempSync(path.join(ROOM, `yimen-${name}-`));

export { freePort } from '../lib/ports.mjs';

/* Runs a command to its end; throws with what it said. */
export function run(command, args, options = {}) {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], ...options });
    let text = '';
    child.stdout.on('data', (d) => { text += d; });
    child.stderr.on('data', (d) => { text += d; });
    child.on('error', fail);
    child.on('close', (code) => (code === 0 ? done(text) : fail(new Error(`${command} ${args[0] ?? ''}: code ${code}\n${text.slice(-3000)}`))));
    child.stdin.end(options.input ?? '');
  });
}

const answers = (port, target) => new Promise((done) => {
  const req = http.get({ host: '127.0.0.1', port, path: target, timeout: 5000 }, (res) => { res.resume(); done(res.statusCode); });
  req.on('error', () => done(0));
  req.on('timeout', () => { req.destroy(); });
});

/* A server in a process group of its own; ready when it answers HTTP below 500. */
export class Server {
  constructor(dir, port) {
    this.dir = dir;
    this.port = port;
    this.origin = `http://127.0.0.1:${port}`;
  }

  async start(command, args, { env = {}, cwd, ready = '/', ms = 90000 } = {}) {
    const log = fs.openSync(path.join(this.dir, 'server.log'), 'a');
    this.child = spawn(command, args, { env: { ...process.env, ...env }, cwd, detached: true, stdio: ['ignore', log, log] });
    fs.closeSync(log);
    let gone = null;
    this.exited = new Promise((done) => { this.child.on('exit', (code) => { gone = code ?? -1; done(); }); });
    this.child.on('error', () => { gone = -1; });
    for (const end = Date.now() + ms; ;) {
      const status = await answers(this.port, ready);
      if (status > 0 && status < 500) return this;
      if (gone !== null || Date.now() > end) {
        await this.stop();
        throw new Error(`${command} does not answer: ${this.log().slice(-3000)}`);
      }
      await sleep(100);
    }
  }

  log() { return fs.readFileSync(path.join(this.dir, 'server.log'), 'utf8'); }

  async stop() {
    try { process.kill(-this.child.pid, 'SIGTERM'); } catch { /* it has ended */ }
    const late = setTimeout(() => { try { process.kill(-this.child.pid, 'SIGKILL'); } catch { /* it has ended */ } }, 10000);
    await this.exited;
    clearTimeout(late);
    fs.rmSync(this.dir, { recursive: true, force: true });
  }
}
