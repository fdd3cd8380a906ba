/* SPDX-License-Identifier: Apache-2.0
 * A proxy between two unix sockets that misbehaves on order: single bytes, stalls, cuts in
 * mid-reply. Most faults of a state machine show when every byte arrives alone.
 */
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

const later = () => new Promise((done) => setImmediate(done));

export class SlowProxy {
  constructor(target) {
    this.target = target;
    this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'yimen-proxy-'));
    this.path = path.join(this.dir, 'proxy.sock');
    this.mode = 'pass';
    this.cutAfter = 0;
    this.pairs = new Set();
    this.accepted = 0;
  }

  async start() {
    this.server = net.createServer((client) => this.#serve(client));
    await new Promise((done) => this.server.listen(this.path, done));
    return this;
  }

  pass() { this.mode = 'pass'; this.#wake(); }
  /* Both directions one byte at a time. */
  dribble() { this.mode = 'dribble'; this.#wake(); }
  /* Replies stop; requests are still forwarded. */
  stall() { this.mode = 'stall'; }
  /* The connection is cut after so many more reply bytes; next: what the proxy does after that. */
  cut(bytes, next = 'pass') { this.mode = 'cut'; this.cutAfter = bytes; this.next = next; this.#wake(); }
  /* Connections are accepted and closed at once. */
  refuse() { this.mode = 'refuse'; this.dropAll(); }
  dropAll() { for (const [a, b] of this.pairs) { a.destroy(); b.destroy(); } }

  async stop() {
    this.mode = 'pass';
    this.#wake();
    this.dropAll();
    await new Promise((done) => this.server.close(done));
    fs.rmSync(this.dir, { recursive: true, force: true });
  }

  #waiters = [];
  #wake() { const w = this.#waiters; this.#waiters = []; w.forEach((f) => f()); }

  #serve(client) {
    this.accepted += 1;
    if (this.mode === 'refuse') { client.destroy(); return; }
    const server = net.connect(this.target);
    const pair = [client, server];
    this.pairs.add(pair);
    const end = () => { client.destroy(); server.destroy(); this.pairs.delete(pair); };
    for (const s of pair) { s.on('error', end); s.on('close', end); s.setNoDelay?.(true); }
    this.#pump(client, server, false, end).catch(end);
    this.#pump(server, client, true, end).catch(end);
  }

  async #pump(from, to, isReply, end) {
    for await (const chunk of from.iterator({ destroyOnReturn: false })) {
      let rest = chunk;
      while (rest.length > 0) {
        if (to.destroyed) return;
        if (isReply && this.mode === 'stall') {
          await new Promise((done) => this.#waiters.push(done));
          continue;
        }
        if (isReply && this.mode === 'cut') {
          const n = Math.min(this.cutAfter, rest.length);
          if (n > 0) to.write(rest.subarray(0, n));
          this.cutAfter -= n;
          rest = rest.subarray(n);
          if (this.cutAfter <= 0) {
            this.mode = this.next;
            await later();
            end();
            return;
          }
          continue;
        }
        const n = this.mode === 'dribble' ? 1 : rest.length;
        to.write(rest.subarray(0, n));
        rest = rest.subarray(n);
        if (n === 1) await later();
      }
    }
    to.end();
  }
}

export const startSlowProxy = (target) => new SlowProxy(target).start();
