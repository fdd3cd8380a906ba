/* SPDX-License-Identifier: Apache-2.0
 * HTTP/2 frames by hand, for what no client would send: header fields as literals, without Huffman.
 */
import net from 'node:net';

export const TYPE = { DATA: 0, HEADERS: 1, RST_STREAM: 3, SETTINGS: 4, PING: 6, GOAWAY: 7, CONTINUATION: 9 };
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

export function frame(type, flags, stream, payload = Buffer.alloc(0)) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/* An HPACK integer with a prefix of so many bits (RFC 7541 §5.1). */
function integer(n, bits, first = 0) {
  const most = (1 << bits) - 1;
  if (n < most) return Buffer.from([first | n]);
  const out = [first | most];
  for (n -= most; n >= 128; n = Math.floor(n / 128)) out.push((n % 128) | 128);
  out.push(n);
  return Buffer.from(out);
}
const text = (s) => { const b = Buffer.from(s, 'latin1'); return Buffer.concat([integer(b.length, 7), b]); };

/* A literal without indexing; index true: it is put into the dynamic table. */
export const field = (name, value, index = false) => Buffer.concat([Buffer.from([index ? 0x40 : 0]), text(name), text(value)]);
export const indexed = (n) => integer(n, 7, 0x80);
export const block = (pairs) => Buffer.concat(pairs.map(([k, v]) => field(k, v)));
export const request = (path, more = [], authority = 'localhost') => [[':method', 'GET'], [':scheme', 'http'], [':path', path], [':authority', authority], ...more];
export const headers = (stream, bytes, flags = 5) => frame(TYPE.HEADERS, flags, stream, bytes);

/*
 * Sends and reads until every stream asked for has ended, the peer closes, or ms pass.
 * → {status: {stream: n}, body, reset, goaway, closed}; statuses are read from indexed and literal
 * forms as nginx writes them.
 */
export function talk(socket, frames, { streams = 1, ms = 3000 } = {}) {
  return new Promise((done) => {
    const out = { status: {}, body: {}, reset: {}, goaway: null, closed: false };
    const s = net.connect(socket, () => s.write(Buffer.concat([Buffer.from(PREFACE), frame(TYPE.SETTINGS, 0, 0), ...frames])));
    let data = Buffer.alloc(0), ended = 0;
    const end = () => { clearTimeout(timer); s.destroy(); done(out); };
    const timer = setTimeout(end, ms);
    const KNOWN = { 0x88: 200, 0x89: 204, 0x8a: 206, 0x8b: 304, 0x8c: 400, 0x8d: 404, 0x8e: 500 };
    s.on('data', (d) => {
      data = Buffer.concat([data, d]);
      while (data.length >= 9 && data.length >= 9 + data.readUIntBE(0, 3)) {
        const length = data.readUIntBE(0, 3), type = data[3], flags = data[4], stream = data.readUInt32BE(5);
        const payload = data.subarray(9, 9 + length);
        data = data.subarray(9 + length);
        if (type === TYPE.HEADERS) out.status[stream] = KNOWN[payload[0]] ?? (Number(/\d{3}/.exec(payload.subarray(0, 8).toString('latin1'))?.[0]) || -1);
        if (type === TYPE.DATA) out.body[stream] = (out.body[stream] ?? '') + payload.toString('utf8');
        if (type === TYPE.RST_STREAM) { out.reset[stream] = payload.readUInt32BE(0); ended++; }
        if (type === TYPE.GOAWAY) { out.goaway = payload.readUInt32BE(4); }
        if ((type === TYPE.HEADERS || type === TYPE.DATA) && (flags & 1)) ended++;
      }
      if (ended >= streams) end();
    });
    s.on('error', () => {});
    s.on('close', () => { out.closed = true; end(); });
  });
}
