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

// One element at that place: {value, next}, {length, next} for an array that begins, or null while
// it is not complete.
function element(buf, at) {
  const end = buf.indexOf('\r\n', at);
  if (end < 0) return null;
  const line = buf.toString('utf8', at + 1, end);
  const next = end + 2;
  switch (buf[at]) {
    case 0x2b: return { value: line, next };
    case 0x2d: return { value: new RedisError(line), next };
    case 0x3a: return { value: Number(line), next };
    case 0x24: return bulk(buf, Number(line), next);
    case 0x2a: return Number(line) > 0 ? { length: Number(line), next } : { value: Number(line) < 0 ? null : [], next };
    default: throw new Error(`no RESP2 type: ${buf[at]}`);
  }
}

function bulk(buf, length, at) {
  if (length < 0) return { value: null, next: at };
  if (buf.length < at + length + 2) return null;
  return { value: buf.toString('utf8', at, at + length), next: at + length + 2 };
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
  #socket; #waiting = []; #buffer = Buffer.alloc(0); #open = []; #dead = null;

  constructor(socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('error', (err) => this.#die(err));
    socket.on('close', () => this.#die(new Error('connection closed')));
  }

  // What has come is read once, however long the reply: arrays that are not complete wait in #open.
  #read(chunk) {
    this.#buffer = this.#buffer.length ? Buffer.concat([this.#buffer, chunk]) : chunk;
    let at = 0;
    while (at < this.#buffer.length) {
      const item = element(this.#buffer, at);
      if (!item) break;
      at = item.next;
      if (item.length) this.#open.push({ left: item.length, list: [] });
      else this.#put(item.value);
    }
    this.#buffer = this.#buffer.subarray(at);
    if (this.#waiting.length === 0) this.#socket.unref(); // an idle client keeps nobody alive
  }

  #put(value) {
    let whole = value;
    for (let top = this.#open.at(-1); top; top = this.#open.at(-1)) {
      top.list.push(whole);
      if (--top.left > 0) return;
      whole = this.#open.pop().list;
    }
    const { resolve, reject } = this.#waiting.shift();
    if (whole instanceof RedisError) reject(whole); else resolve(whole);
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
