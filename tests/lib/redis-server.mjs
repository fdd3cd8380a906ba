// SPDX-License-Identifier: Apache-2.0
// A private Redis for tests: config/redis.conf with overrides, on a unix socket in a folder of its
// own; it can be killed and started again on the same data.
import { spawn } from 'node:child_process';
import { mkdtempSync, openSync, closeSync, readdirSync, readFileSync, rmSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { leaveNothing } from './children.mjs';
import { connect } from './redis.mjs';

export const TOP = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const PATIENCE_MS = 20000;

// The function library: all its parts, in name order, as one text.
export function library() {
  const dir = path.join(TOP, 'core');
  const parts = readdirSync(dir).filter((f) => /^ym_store(_\w+)?\.lua$/.test(f)).sort();
  return parts.map((f) => readFileSync(path.join(dir, f), 'utf8')).join('');
}

// options: dir (default a new temporary folder), config {name: value}, functions false = do not load.
export async function startRedis(options = {}) {
  const server = new Server(options);
  await server.start();
  return server;
}

class Server {
  constructor({ dir, config = {}, functions = true }) {
    this.own = !dir;
    this.dir = dir ?? mkdtempSync(path.join(tmpdir(), 'yimen-redis-'));
    this.socket = path.join(this.dir, 'redis.sock');
    this.config = config;
    this.functions = functions;
  }

  // Starts, waits until it answers, loads the functions. → a connected client, kept in this.client
  async start() {
    const log = openSync(path.join(this.dir, 'redis.log'), 'a');
    const extra = Object.entries(this.config).flatMap(([name, value]) => [`--${name}`, String(value)]);
    this.child = leaveNothing(spawn('redis-server', [path.join(TOP, 'config/redis.conf'), '--dir', this.dir,
      '--unixsocket', this.socket, '--daemonize', 'no', ...extra], { stdio: ['ignore', log, log] }));
    closeSync(log);
    this.pid = this.child.pid;
    this.gone = new Promise((resolve) => { this.child.once('exit', resolve); });
    let ended = false;
    this.gone.then(() => { ended = true; });
    this.client = await this.#answering(() => ended);
    if (this.functions) await this.client.command('FUNCTION', 'LOAD', 'REPLACE', library());
    return this.client;
  }

  async #answering(ended) {
    const until = Date.now() + PATIENCE_MS;
    for (;;) {
      if (ended()) throw new Error(`redis-server ended: ${this.log().slice(-2000)}`);
      try {
        const client = await connect(this.socket);
        const pong = await client.command('PING').catch((e) => e.code);
        if (pong === 'PONG') return client;
        client.close();
      } catch (e) {
        if (e.code !== 'ENOENT' && e.code !== 'ECONNREFUSED') throw e;
      }
      if (Date.now() > until) throw new Error('redis-server does not answer');
      await new Promise((resolve) => { setTimeout(resolve, 10); });
    }
  }

  // SIGKILL: what the disk holds is all that is left.
  async kill() {
    this.client?.close();
    this.child.ref();
    this.child.kill('SIGKILL');
    await this.gone;
  }

  async restart() {
    await this.kill();
    return this.start();
  }

  async stop() {
    this.client?.close();
    this.child.ref();
    this.child.kill('SIGTERM');
    await this.gone;
    if (this.own) rmSync(this.dir, { recursive: true, force: true });
  }

  log() {
    const file = path.join(this.dir, 'redis.log');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }
}
