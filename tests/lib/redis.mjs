// SPDX-License-Identifier: Apache-2.0
// A small Redis client for tests: RESP2 over a unix socket (or host and port), pipelining, no package.
import net from 'node:net';

// A reply that is an error; `code` is its first word (ERR, OOM, NOGROUP …).
export class RedisError extends Error {
  constructor(text) {
    super(text);
    this.name = 'RedisError';
    this.code = text.split(' ', 1)[0];
  }
}

function encode(args) {
  const parts = [Buffer.from(`*${args.length}\r\n`)];
  for (const arg of args) {
    const bytes = Buffer.isBuffer(arg) ? arg : Buffer.from(String(arg));
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'));
  }
  return Buffer.concat(parts);
}

// Returns [value, next offset], or null while the reply is not complete.
function decode(buf, at) {
  const end = buf.indexOf('\r\n', at);
  if (end < 0) return null;
  const line = buf.toString('utf8', at + 1, end);
  switch (buf[at]) {
    case 0x2b: return [line, end + 2];
    case 0x2d: return [new RedisError(line), end + 2];
    case 0x3a: return [Number(line), end + 2];
    case 0x24: return decodeBulk(buf, Number(line), end + 2);
    case 0x2a: return decodeArray(buf, Number(line), end + 2);
    default: throw new Error(`no RESP2 type: ${buf[at]}`);
  }
}

function decodeBulk(buf, length, at) {
  if (length < 0) return [null, at];
  if (buf.length < at + length + 2) return null;
  return [buf.toString('utf8', at, at + length), at + length + 2];
}

function decodeArray(buf, length, at) {
  if (length < 0) return [null, at];
  const out = [];
  for (let i = 0; i < length; i++) {
    const item = decode(buf, at);
    if (!item) return null;
    out.push(item[0]);
    at = item[1];
  }
  return [out, at];
}

// where: a socket path, "unix:PATH", "HOST:PORT". → client, once it is connected.
export async function connect(where) {
  const path = where.replace(/^unix:/, '');
  const tcp = /^([^/]+):(\d+)$/.exec(path);
  const socket = tcp ? net.connect(Number(tcp[2]), tcp[1]) : net.connect(path);
  await new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  return new Client(socket);
}

export class Client {
  #socket; #waiting = []; #buffer = Buffer.alloc(0); #dead = null;

  constructor(socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('error', (err) => this.#die(err));
    socket.on('close', () => this.#die(new Error('connection closed')));
  }

  #read(chunk) {
    this.#buffer = this.#buffer.length ? Buffer.concat([this.#buffer, chunk]) : chunk;
    let at = 0;
    for (;;) {
      const item = at < this.#buffer.length ? decode(this.#buffer, at) : null;
      if (!item) break;
      at = item[1];
      const { resolve, reject } = this.#waiting.shift();
      if (item[0] instanceof RedisError) reject(item[0]); else resolve(item[0]);
    }
    this.#buffer = this.#buffer.subarray(at);
    if (this.#waiting.length === 0) this.#socket.unref(); // an idle client keeps nobody alive
  }

  #die(err) {
    this.#dead ??= err;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#dead);
  }

  // One command; calls made without waiting travel in one pipeline. Rejects with RedisError.
  command(...args) {
    if (this.#dead) return Promise.reject(this.#dead);
    this.#socket.ref();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#socket.write(encode(args));
    });
  }

  // Commands (arrays of arguments) in one write → their replies; an error stands as a value.
  pipeline(commands) {
    if (this.#dead) return Promise.reject(this.#dead);
    this.#socket.ref();
    const replies = commands.map(() => new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject: (e) => (e instanceof RedisError ? resolve(e) : reject(e)) });
    }));
    this.#socket.write(Buffer.concat(commands.map(encode)));
    return Promise.all(replies);
  }

  fcall(name, key, ...args) {
    return this.command('FCALL', name, 1, key, ...args);
  }

  close() {
    this.#socket.destroy();
  }
}
