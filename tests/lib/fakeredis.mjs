/* SPDX-License-Identifier: Apache-2.0
 * A server that speaks enough of Redis to be believed, and then says what a test wants: answers of
 * any shape to chosen commands, on chosen connections.
 */
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

/* Complete commands in a buffer: [[words, …], rest]. */
function commands(buffer) {
  const out = [];
  let at = 0;
  for (;;) {
    const line = (from) => { const end = buffer.indexOf('\r\n', from); return end < 0 ? null : [buffer.toString('latin1', from, end), end + 2]; };
    const head = line(at);
    if (!head) break;
    let next = head[1];
    const words = [];
    for (let i = 0; i < Number(head[0].slice(1)); i++) {
      const size = line(next);
      if (!size) return [out, buffer.subarray(at)];
      const n = Number(size[0].slice(1));
      if (buffer.length < size[1] + n + 2) return [out, buffer.subarray(at)];
      words.push(buffer.toString('latin1', size[1], size[1] + n));
      next = size[1] + n + 2;
    }
    out.push(words);
    at = next;
  }
  return [out, buffer.subarray(at)];
}

export class FakeRedis {
  /* answer(words, socket) → bytes, or undefined for what Redis would say, or null for silence */
  constructor(answer) {
    this.answer = answer;
    this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'yimen-fake-'));
    this.path = path.join(this.dir, 'fake.sock');
    this.sockets = new Set();
    this.seen = [];
    this.server = net.createServer((s) => this.#serve(s));
  }

  async start() {
    await new Promise((done) => { this.server.listen(this.path, done); });
    return this;
  }

  #serve(s) {
    let buffer = Buffer.alloc(0);
    this.sockets.add(s);
    s.on('error', () => {});
    s.on('close', () => this.sockets.delete(s));
    s.on('data', (d) => {
      let list;
      [list, buffer] = commands(Buffer.concat([buffer, d]));
      for (const words of list) {
        this.seen.push(words);
        const said = this.answer?.(words, s);
        if (said === null) continue;
        s.write(said ?? this.usual(words, s));
      }
    });
  }

  usual([word, sub], s) {
    if (word === 'PING') return s.subscribed ? '*2\r\n$4\r\npong\r\n$0\r\n\r\n' : '+PONG\r\n';
    if (word === 'CLIENT' && sub === 'ID') return ':7\r\n';
    if (word === 'SUBSCRIBE') { s.subscribed = true; return `*3\r\n$9\r\nsubscribe\r\n$${sub.length}\r\n${sub}\r\n:1\r\n`; }
    if (word === 'CLIENT') return '+OK\r\n';
    return '$-1\r\n';
  }

  async stop() {
    for (const s of this.sockets) s.destroy();
    await new Promise((done) => { this.server.close(done); });
    fs.rmSync(this.dir, { recursive: true, force: true });
  }
}
