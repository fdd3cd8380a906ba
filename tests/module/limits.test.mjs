/* SPDX-License-Identifier: Apache-2.0
 * J bodies: each limit has its refusal, as problem details, and the worker stays as it was.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import { note, startGateway } from '../lib/gateway.mjs';
import { stopwatch } from '../lib/pace.mjs';

describe('limits', () => {
  let g, pids;
  before(async () => { g = await startGateway(); pids = g.nginx.workers(); });
  after(async () => {
    assert.deepEqual(g.nginx.workers(), pids, 'the same workers');
    await g.stop();
  });
  const post = (body, headers = {}) => g.call('staff', 'POST', '/records', { body, headers: { 'content-type': 'application/json', ...headers } });
  const bad = async (body, status, headers = {}) => {
    const r = await post(body, headers);
    assert.equal(r.status, status, `${String(body).slice(0, 60)}: ${r.status} ${r.body.slice(0, 200)}`);
    assert.equal(r.headers['content-type'], 'application/problem+json');
    return r;
  };
  const wrap = (data) => `{"type":"note","data":${data}}`;

  test('J170 duplicate keys, at any depth', async () => {
    await bad('{"type":"note","type":"note","data":{}}', 400);
    await bad(wrap('{"title":"a","extra":{"a":1,"a":2}}'), 400);
  });

  test('J171 depth 32 is read, 33 is not, nor is any more', async () => {
    const nest = (n) => wrap(`{"title":"a","extra":{"x":${'['.repeat(n)}${']'.repeat(n)}}}`);
    assert.equal((await post(nest(29))).status, 201);
    for (const n of [30, 2045, 2046, 100000]) await bad(nest(n), 400);
  });

  test('J172 J173 what is no JSON', async () => {
    for (const v of ['9223372036854775808', '1e400', 'NaN', '01', '[1,]', '/**/1', "'a'", '"\\u0000"', '"\\ud800"', '"\x01"', '', '{']) {
      await bad(wrap(`{"title":"a","extra":{"x":${v}}}`), 400);
    }
    await bad(`\ufeff${JSON.stringify(note())}`, 400);
    await bad(`${JSON.stringify(note())}{}`, 400);
    await bad(Buffer.concat([Buffer.from('{"type":"note","data":{"title":"'), Buffer.from([0xff, 0xc0, 0x80]), Buffer.from('"}}')]), 400);
    await bad(Buffer.from('{"type":"note"}\0'), 400);
    for (const v of ['[]', '5', '"x"', 'null']) await bad(v, 400);
    const zero = await post(wrap('{"title":"a","extra":{"x":-0}}'));
    assert.equal(zero.status, 201);
  });

  test('a problem says where: line and column, and none of the text', async () => {
    const r = await bad('{"type":"note",\n "data": 王秘密}', 400, { 'accept-language': 'zh' });
    assert.match(r.json.detail, /第 2 行/);
    assert.doesNotMatch(g.nginx.log(), /秘密/);
  });

  test('J174 10,000 members are the most; a megabyte of them costs next to nothing', async () => {
    const many = (n) => wrap(`{"title":"a","extra":{"x":[${'0,'.repeat(n - 1)}0]}}`);
    assert.equal((await post(many(9990))).status, 201);
    await bad(many(10001), 400);
    const rss = () => Number(/VmHWM:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pids[0]}/status`, 'utf8'))[1]);
    const before = rss();
    const passed = stopwatch(pids);
    for (let i = 0; i < 20; i++) await bad(wrap(`{"title":"a","extra":{"x":[${'{},'.repeat(340000)}{}]}}`), 400);
    const ms = passed() / 20;
    if (!process.env.YIMEN_MODULE?.includes('static')) {
      assert.ok(rss() - before < 16 * 1024, `${rss() - before} KiB more`);
      assert.ok(ms < 60, `${ms} ms each`);
    }
  });

  test('1 MiB is read, a byte more is 413; announced or chunked', async () => {
    const body = (n) => {
      const head = '{"type":"note","data":{"title":"a","text":"';
      return `${head}${'x'.repeat(n - head.length - 3)}"}}`;
    };
    const full = body(1024 * 1024);
    assert.equal(full.length, 1024 * 1024);
    const over = await post(full);
    assert.equal(over.status, 422, 'read whole: its text is too long for the type');
    const fits = await post(body(1000030));
    assert.equal(fits.status, 201, fits.body.slice(0, 300));
    assert.equal((await g.call('staff', 'GET', `/records/${fits.json.id}`)).json.data.text.length, fits.json.data.text.length);
    const r = await post(`${full} `);
    assert.equal(r.status, 413);
    assert.equal(r.json.type, 'urn:yimen:problem:too-large');

    const chunked = (text) => new Promise((done, fail) => {
      const s = net.connect(g.nginx.socket);
      let got = '';
      s.on('data', (d) => { got += d; });
      s.on('error', fail);
      s.on('close', () => done(got));
      s.write(`POST /api/v1/records HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer ${g.tokens.staff}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`);
      for (let i = 0; i < text.length; i += 50000) {
        const part = text.slice(i, i + 50000);
        s.write(`${part.length.toString(16)}\r\n${part}\r\n`);
      }
      s.write('0\r\n\r\n');
    });
    assert.match(await chunked(body(300000)), /^HTTP\/1\.1 201/);
    const large = await chunked(body(1024 * 1024 + 5000));
    assert.match(large, /^HTTP\/1\.1 413/);
    assert.match(large, /application\/problem\+json/);
  });

  test('no body ever touches the disk', () => {
    assert.deepEqual(fs.existsSync(`${g.nginx.dir}/body`) ? fs.readdirSync(`${g.nginx.dir}/body`) : [], []);
  });

  test('a body in single bytes, and one that stops in the middle', async () => {
    const text = JSON.stringify(note());
    const bytes = Buffer.from(text);
    const head = `POST /api/v1/records HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer ${g.tokens.staff}\r\nContent-Type: application/json\r\nContent-Length: ${bytes.length}\r\n\r\n`;
    const answer = await new Promise((done, fail) => {
      const s = net.connect(g.nginx.socket, async () => {
        s.write(head);
        for (const b of bytes) { s.write(Buffer.from([b])); await new Promise((t) => { setImmediate(t); }); }
      });
      let got = '';
      s.on('data', (d) => { got += d; });
      s.on('error', fail);
      s.on('close', () => done(got));
    });
    assert.match(answer, /^HTTP\/1\.1 201/);
    await new Promise((done) => {
      const s = net.connect(g.nginx.socket, () => { s.write(head); s.write(bytes.subarray(0, 20)); setTimeout(() => { s.destroy(); done(); }, 50); });
    });
  });

  test('a body that is refused unread is never taken for the next request', async () => {
    const inner = 'GET /api/v1/me HTTP/1.1\r\nHost: b\r\n\r\n';
    const next = 'GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
    const auth = `Authorization: Bearer ${g.tokens.staff}\r\n`;
    const cases = [['POST /api/v1/records', 'Content-Type: text/plain\r\n', '415'], ['POST /api/v1/records', 'Content-Type: application/json\r\nIdempotency-Key: a b\r\n', '400'],
      ['GET /api/v1/me', '', '400'], ['POST /api/v1/nowhere', '', '404'], ['PUT /api/v1/records', '', '405'], ['POST /api/v1/systems/alpha/pause', 'Content-Type: application/json\r\n', '403']];
    for (const [line, headers, status] of cases) {
      for (const split of [false, true]) {
        const text = await new Promise((done, fail) => {
          const s = net.connect(g.nginx.socket, () => {
            const head = `${line} HTTP/1.1\r\nHost: a\r\n${auth}${headers}Content-Length: ${inner.length}\r\n\r\n`;
            if (!split) { s.write(head + inner + next); return; }
            s.write(head);
            setTimeout(() => s.write(inner), 20);
            setTimeout(() => s.write(next), 40);
          });
          let got = '';
          s.on('data', (d) => { got += d; });
          s.on('error', fail);
          s.on('close', () => done(got));
        });
        const seen = [...text.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map((m) => m[1]);
        assert.deepEqual(seen, [status, '200'], `${line} ${split}: ${text}`);
      }
    }
  });

  test('J175 content types, encodings, and bodies where none belongs', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/json; charset=utf-16', 'application/jsonx', '']) {
      await bad(JSON.stringify(note()), 415, { 'content-type': type });
    }
    await bad('x', 415, { 'content-encoding': 'gzip' });
    await bad('', 400);
    const get = await g.call('staff', 'GET', '/records', { body: '{}', headers: { 'content-type': 'application/json' } });
    assert.equal(get.status, 400);
    const patch = await g.call('staff', 'PATCH', '/records/01M80RTG1W5ZTZXYR1YGXKS6R0', { body: '{}', headers: { 'if-match': '"1"', 'content-type': 'application/json' } });
    assert.equal(patch.status, 415);
  });
});
