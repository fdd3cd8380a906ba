/* SPDX-License-Identifier: Apache-2.0
 * Attachments: uploaded, sealed on disk, named by records, read by those who may read these.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { note, startGateway } from '../lib/gateway.mjs';
import { until } from '../lib/nginx.mjs';
import { jpeg, pdf, png, wav } from '../lib/pictures.mjs';
import { dump } from '../lib/ring.mjs';

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

function filesBelow(dir) {
  return fs.existsSync(dir) ? fs.readdirSync(dir, { recursive: true, withFileTypes: true }).filter((e) => e.isFile()).map((e) => path.join(e.parentPath ?? e.path, e.name)) : [];
}

/* Bytes back, not text. */
function download(g, who, id, { method = 'GET', pause = 0 } = {}) {
  return new Promise((done, fail) => {
    const req = http.request({ socketPath: g.nginx.socket, method, path: `/api/v1/attachments/${id}`, headers: { host: 'localhost', authorization: `Bearer ${g.tokens[who]}` } }, (res) => {
      const parts = [];
      res.on('data', (d) => {
        parts.push(d);
        if (pause && parts.length === 1) { res.pause(); setTimeout(() => res.resume(), pause); }
      });
      res.on('end', () => done({ status: res.statusCode, headers: res.headers, bytes: Buffer.concat(parts) }));
      res.on('error', fail);
    });
    req.on('error', fail);
    req.end();
  });
}

const upload = (g, who, bytes, { type = 'image/jpeg', query = '', headers = {} } = {}) =>
  g.call(who, 'POST', `/attachments${query}`, { body: bytes, headers: { 'content-type': type, ...headers } });

describe('attachments', () => {
  let g;
  let dir;
  before(async () => {
    g = await startGateway({ deploy: { auth: { ring: 'file:keys/ring.json' } } });
    dir = path.join(g.deploy.dir, 'state/attachments');
  });
  after(() => g.stop());

  test('a photo: 201 with what it is, the same bytes again, sealed on disk and in Redis', async () => {
    const bytes = jpeg(700_000);   /* several pieces */
    const made = await upload(g, 'staff', bytes, {
      query: '?kind=photo&captured_at=2026-11-20T21%3A30%3A00%2B08%3A00',
      headers: { 'content-disposition': "attachment; filename=\"x.jpg\"; filename*=UTF-8''%E7%8E%8B%E6%9F%90%E7%8E%B0%E5%9C%BA.JPG" },
    });
    assert.equal(made.status, 201, made.body);
    const { id, ...rest } = made.json;
    assert.match(id, /^[0-9A-HJKMNP-TV-Z]{26}$/);
    assert.deepEqual(rest, { kind: 'photo', name: '王某现场.jpg', mime: 'image/jpeg', size: bytes.length, sha256: sha256(bytes), captured_at: '2026-11-20T21:30:00+08:00' });
    assert.equal(made.headers.location, `/api/v1/attachments/${id}`);

    const got = await download(g, 'staff', id);
    assert.equal(got.status, 200);
    assert.ok(got.bytes.equals(bytes));
    assert.equal(got.headers['content-type'], 'image/jpeg');
    assert.equal(got.headers['content-length'], String(bytes.length));
    assert.equal(got.headers['content-disposition'], "attachment; filename=\"____________.jpg\"; filename*=UTF-8''%E7%8E%8B%E6%9F%90%E7%8E%B0%E5%9C%BA.jpg");
    assert.equal(got.headers['x-content-type-options'], 'nosniff');
    assert.equal(got.headers['content-security-policy'], "default-src 'none'; sandbox");
    assert.equal(got.headers['cache-control'], 'no-store');
    assert.ok((await download(g, 'staff', id, { pause: 400 })).bytes.equals(bytes), 'to a slow reader');
    const head = await download(g, 'staff', id, { method: 'HEAD' });
    assert.deepEqual([head.status, head.bytes.length, head.headers['content-length']], [200, 0, String(bytes.length)]);

    const [file, ...others] = filesBelow(dir).filter((f) => f.endsWith(id));
    assert.deepEqual(others, []);
    const kept = fs.readFileSync(file);
    assert.ok(!kept.includes(bytes.subarray(1000, 1032)), 'plain bytes on disk');
    assert.ok(!file.includes(sha256(bytes)), 'a name that tells whether a known picture is there');
    const redis = await dump(g.redis.client);
    assert.ok(!redis.includes('王某现场') && !redis.includes(sha256(bytes)));
    assert.doesNotMatch(g.nginx.log(), /王某/);
    assert.equal(filesBelow(path.join(dir, 'new')).length, 0);
  });

  test('the same again is the same one; another name is another one', async () => {
    const bytes = png();
    const first = await upload(g, 'staff', bytes, { type: 'image/png' });
    const again = await upload(g, 'staff', bytes, { type: 'image/png' });
    const named = await upload(g, 'staff', bytes, { type: 'image/png', headers: { 'content-disposition': 'attachment; filename=b.png' } });
    const other = await upload(g, 'other', bytes, { type: 'image/png' });
    assert.equal(first.json.name, 'photo.png');
    assert.equal(again.json.id, first.json.id);
    assert.equal(new Set([first, named, other].map((r) => r.json.id)).size, 3);
    assert.equal(filesBelow(dir).filter((f) => /^[0-9a-f]{64}\.[0-9A-Z]{26}$/.test(path.basename(f)) && [first, again].some((r) => f.endsWith(r.json.id))).length, 1);
  });

  test('every kind that is on the list, and nothing else', async () => {
    for (const [bytes, type, kind] of [[pdf(), 'application/pdf', 'doc'], [wav(), 'audio/wav', 'audio'], [png(), 'image/png', 'signature'],
      [Buffer.concat([Buffer.from('#!AMR\n'), Buffer.alloc(50)]), 'audio/amr', 'audio'], [Buffer.concat([Buffer.from('ID3\x04'), Buffer.alloc(50)]), 'audio/mpeg', 'audio'],
      [Buffer.from('\0\0\0 ftypM4A \0\0\0\0isom', 'latin1'), 'audio/mp4', 'audio'], [Buffer.from('RIFF\x10\0\0\0WEBPVP8 1234', 'latin1'), 'image/webp', 'photo']]) {
      const made = await upload(g, 'staff', bytes, { type, query: `?kind=${kind}` });
      assert.deepEqual([made.status, made.json?.kind, made.json?.mime], [201, kind, type], made.body);
    }
    for (const type of ['text/html', 'image/svg+xml', 'application/xml', 'application/octet-stream', 'image/jpeg; charset=utf-8', 'image/gif', '', 'image']) {
      assert.equal((await upload(g, 'staff', jpeg(), { type })).status, 415, type);
    }
    for (const [bytes, type] of [[png(), 'image/jpeg'], [Buffer.from('<svg onload=alert(1)>'), 'image/png'], [Buffer.from('%PDF'), 'application/pdf'], [Buffer.from('\xff\xd8', 'latin1'), 'image/jpeg'], [wav(), 'image/webp'], [Buffer.from('ÿûÿÿ', 'latin1'), 'audio/mpeg']]) {
      const made = await upload(g, 'staff', bytes, { type });
      assert.equal(made.status, 415, `${type}: ${made.body}`);
    }
    assert.equal((await upload(g, 'staff', jpeg(), { headers: { 'content-encoding': 'gzip' } })).status, 415);
    assert.equal((await upload(g, 'staff', pdf(), { type: 'application/pdf', query: '?kind=photo' })).status, 400);
    assert.equal((await upload(g, 'staff', jpeg(), { query: '?captured_at=yesterday' })).status, 400);
    assert.equal((await upload(g, 'staff', Buffer.alloc(0))).status, 400);
    for (const cd of ['attachment; filename="a', 'attachment; filename*=latin1\'\'a', 'attachment; filename*=UTF-8\'\'%ff', 'attachment; filename=a filename=b', 'attachment filename']) {
      assert.equal((await upload(g, 'staff', jpeg(), { headers: { 'content-disposition': cd } })).status, 400, cd);
    }
    assert.equal(filesBelow(path.join(dir, 'new')).length, 0, 'nothing is left of what was refused');
  });

  test('a name is only a name', async () => {
    for (const [cd, name] of [['attachment; filename="../../etc/passwd"', 'passwd.jpg'], ['attachment; filename="C:\\\\a\\\\b.JPEG"', 'b.jpg'], ['attachment; filename=".htaccess"', 'htaccess.jpg'],
      ["attachment; filename*=UTF-8''a%E2%80%AEgpj.exe", 'agpj.exe.jpg'], ["attachment; filename*=UTF-8''a%0D%0AX%3A%20y.jpg", 'aX: y.jpg'], ['attachment; filename="..."', 'photo.jpg'], ['inline', 'photo.jpg'],
      [`attachment; filename="${'n'.repeat(500)}.jpg"`, `${'n'.repeat(96)}.jpg`]]) {
      const made = await upload(g, 'staff', jpeg(), { headers: { 'content-disposition': cd } });
      assert.equal(made.json?.name, name, made.body);
    }
  });

  test('who may: writers upload; before a record names it only the uploader reads it', async () => {
    for (const who of ['operator', 'auditor']) assert.equal((await upload(g, who, jpeg())).status, 403, who);
    assert.equal((await upload(g, null, jpeg())).status, 401);
    const { id } = (await upload(g, 'staff', jpeg())).json;
    for (const who of ['other', 'supervisor', 'operator', 'admin']) assert.equal((await download(g, who, id)).status, 404, who);
    assert.equal((await download(g, 'auditor', id)).status, 403);
    for (const bad of ['x', '01M80V3P1ETDE6KEMRVYZW5WW0', '..%2f..%2fyimen.yaml', `${id}a`]) assert.ok([400, 404].includes((await download(g, 'staff', bad)).status), bad);
  });

  test('too large is refused before it is read, and when the length was not said', async () => {
    const answer = await g.nginx.raw(`POST /api/v1/attachments HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${g.tokens.staff}\r\ncontent-type: image/jpeg\r\nexpect: 100-continue\r\ncontent-length: ${21 << 20}\r\n\r\n`, 1500);
    assert.match(answer, /^HTTP\/1.1 413/);
    assert.doesNotMatch(answer, /100 Continue/);
    const status = await new Promise((done) => {
      const req = http.request({ socketPath: g.nginx.socket, method: 'POST', path: '/api/v1/attachments', headers: { host: 'x', authorization: `Bearer ${g.tokens.staff}`, 'content-type': 'image/jpeg', 'transfer-encoding': 'chunked' } }, (res) => {
        res.resume();
        done(res.statusCode);
      });
      req.on('error', () => {});
      req.write(jpeg(1 << 20));
      for (let i = 0; i < 20; i++) req.write(Buffer.alloc(1 << 20));
      req.end();
    });
    assert.equal(status, 413);
    const most = jpeg(20 << 20);
    const made = await upload(g, 'staff', most);
    assert.equal(made.status, 201, made.body);
    assert.ok((await download(g, 'staff', made.json.id)).bytes.equals(most), '20 MiB, byte for byte');
    await until('nothing is left', () => filesBelow(path.join(dir, 'new')).length === 0);
  });

  test('a client that goes away in the middle leaves nothing', async () => {
    const s = net.connect(g.nginx.socket);
    s.on('error', () => {});
    s.write(`POST /api/v1/attachments HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${g.tokens.staff}\r\ncontent-type: image/jpeg\r\ncontent-length: 3000000\r\n\r\n`);
    s.write(jpeg(1_500_000));
    await until('it is being written', () => filesBelow(path.join(dir, 'new')).length > 0);
    s.destroy();
    await until('it is gone', () => filesBelow(path.join(dir, 'new')).length === 0);
  });

  test('a record names them: shown, in its history, for everybody who may read it', async () => {
    const bytes = jpeg(3000);
    const one = (await upload(g, 'staff', bytes, { headers: { 'content-disposition': 'attachment; filename="门口 ]},.jpg"'.replace('门口', 'x') } })).json;
    const two = (await upload(g, 'staff', png(), { type: 'image/png' })).json;
    const made = await g.call('staff', 'POST', '/records', { body: { ...note(), attachments: [{ id: one.id }] } });
    assert.equal(made.status, 201, made.body);
    assert.deepEqual(made.json.attachments, [one]);
    const id = made.json.id;
    const read = (who) => g.call(who, 'GET', `/records/${id}`);
    assert.deepEqual((await read('staff')).json.attachments, [one]);
    assert.deepEqual((await read('staff')).json.data, note().data);
    assert.deepEqual((await read('operator')).json.attachments, [{ id: one.id, kind: 'photo', name: '***', mime: 'image/jpeg', size: 3000 }]);
    assert.ok((await download(g, 'supervisor', one.id)).bytes.equals(bytes), 'the supervisor of the area');
    assert.equal((await download(g, 'operator', one.id)).status, 403);
    assert.equal((await download(g, 'other', one.id)).status, 404);

    const patch = (body, etag) => g.call('supervisor', 'PATCH', `/records/${id}`, { headers: { 'if-match': etag, 'content-type': 'application/merge-patch+json' }, body: JSON.stringify(body) });
    assert.equal((await patch({ attachments: [{ id: one.id }, { id: two.id }] }, '"1"')).status, 422, 'two is not the supervisor’s');
    const three = (await upload(g, 'supervisor', pdf(), { type: 'application/pdf' })).json;
    const changed = await patch({ attachments: [one, { id: three.id }] }, '"1"');
    assert.equal(changed.status, 200, changed.body);
    assert.deepEqual([changed.json.revision, changed.json.attachments], [2, [one, three]]);
    assert.equal((await patch({ attachments: [{ id: one.id }, { id: three.id }] }, '"2"')).json.revision, 2, 'nothing changes');
    const kept = await patch({ data: { text: '改过' } }, '"2"');
    assert.deepEqual([kept.json.revision, kept.json.attachments, kept.json.data.text], [3, [one, three], '改过']);
    const without = await patch({ attachments: null }, '"3"');
    assert.deepEqual([without.json.revision, without.json.attachments], [4, []]);
    const history = (await g.call('staff', 'GET', `/records/${id}/history`)).json.revisions;
    assert.deepEqual(history.map((r) => r.attachments.map((a) => a.id)), [[one.id], [one.id, three.id], [one.id, three.id], []]);
    assert.deepEqual((await g.call('staff', 'GET', '/records')).json.items.find((r) => r.id === id).attachments, []);
    const masked = (await g.call('operator', 'GET', `/records/${id}/history`)).json.revisions;
    assert.ok(masked.every((r) => r.attachments.every((a) => a.name === '***' && a.sha256 === undefined)));
    assert.ok((await download(g, 'staff', three.id)).bytes.length > 0, 'what an earlier revision names is still there');
    assert.equal((await g.call('auditor', 'GET', `/audit?record=${id}&what=read`)).json.items.some((e) => e.why === 'attachment' && e.who === 'sun'), true);
  });

  test('what cannot be named', async () => {
    const mine = (await upload(g, 'staff', jpeg())).json;
    const theirs = (await upload(g, 'other', jpeg())).json;
    const post = (attachments, query = '') => g.call('staff', 'POST', `/records${query}`, { body: { ...note(), attachments } });
    for (const [list, pointer, code] of [['x', '/attachments', 'type'], [[{ id: theirs.id }], '/attachments/0', 'unknown'], [[{ id: mine.id }, { id: mine.id }], '/attachments/1', 'duplicate'],
      [[{ id: '../../x' }], '/attachments/0', 'format'], [['x'], '/attachments/0', 'format'], [Array.from({ length: 21 }, () => ({ id: mine.id })), '/attachments', 'type'],
      [[{ id: mine.id }, { id: mine.id.slice(0, 5) + 'ZZZZZZ' + mine.id.slice(11) }], '/attachments/1', 'unknown']]) {
      const r = await post(list);
      assert.equal(r.status, 422, r.body);
      assert.deepEqual([r.json.errors[0].pointer, r.json.errors[0].code], [pointer, code]);
    }
    assert.equal((await post([{ id: mine.id }], '?dry_run=true')).status, 200);
    const again = () => g.call('staff', 'POST', '/records', { body: { ...note(), attachments: [{ id: mine.id }] }, headers: { 'idempotency-key': 'with-photo' } });
    const first = await again();
    const second = await again();
    assert.deepEqual([first.status, second.status, second.json.id, second.headers['idempotent-replayed']], [201, 201, first.json.id, 'true']);
    assert.deepEqual(second.json.attachments, [mine]);
  });
});

describe('limits of the site, and without a ring', () => {
  let g;
  before(async () => {
    g = await startGateway({ deploy: { ring: undefined } });
    fs.appendFileSync(g.deploy.file, 'attachments:\n  max: 64k\n  person_count: 3\n  person_bytes: 1m\n');
    await g.nginx.reload();
  });
  after(() => g.stop());

  test('size and number of what no record names; filed ones do not count', async () => {
    assert.equal((await upload(g, 'staff', jpeg(70_000))).status, 413);
    const ids = [];
    for (let i = 0; i < 3; i++) ids.push((await upload(g, 'staff', jpeg())).json.id);
    assert.equal((await upload(g, 'staff', jpeg())).status, 429);
    assert.equal((await upload(g, 'other', jpeg())).status, 201);
    assert.equal((await g.call('staff', 'POST', '/records', { body: { ...note(), attachments: [{ id: ids[0] }] } })).status, 201);
    assert.equal((await upload(g, 'staff', jpeg())).status, 201);
    assert.equal((await upload(g, 'staff', jpeg())).status, 429);
  });

  test('plain on disk, named by its SHA-256; one that was altered is not sent as if it were whole', async () => {
    const bytes = jpeg(5000);
    const made = (await upload(g, 'supervisor', bytes)).json;
    const file = filesBelow(path.join(g.deploy.dir, 'state/attachments')).find((f) => f.endsWith(made.id));
    assert.equal(path.basename(file), `${sha256(bytes)}.${made.id}`);
    fs.truncateSync(file, 1000);
    assert.equal((await download(g, 'supervisor', made.id)).status, 500);
    fs.rmSync(file);
    assert.equal((await download(g, 'supervisor', made.id)).status, 404);
  });
});
