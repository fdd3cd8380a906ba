/* SPDX-License-Identifier: Apache-2.0
 * POST /records: accepted once, checked first, repeated safely.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { deliver, note, startGateway } from '../lib/gateway.mjs';
import { clock } from '../lib/pace.mjs';

describe('create', () => {
  let g;
  const post = (body, headers = {}, who = 'staff', query = '') => g.call(who, 'POST', `/records${query}`, { body, headers });
  const stored = async () => (await g.call('admin', 'GET', '/records?limit=200')).json.items.length;

  before(async () => { g = await startGateway(); });
  after(() => g.stop());

  test('201: Location, ETag, the record and its deliveries; GET says the same', async () => {
    const r = await post(note());
    assert.equal(r.status, 201, r.body);
    assert.equal(r.headers.etag, '"1"');
    assert.equal(r.headers.location, `/api/v1/records/${r.json.id}`);
    assert.equal(r.headers['cache-control'], 'no-store');
    assert.match(r.json.id, /^[0-9A-HJKMNP-TV-Z]{26}$/);
    assert.deepEqual(r.json.data, note().data);
    assert.deepEqual([r.json.type, r.json.revision, r.json.owner, r.json.org, r.json.area, r.json.withdrawn_at],
      ['note', 1, 'mei', 'committee-1', '330106003', null]);
    assert.deepEqual(r.json.targets, ['alpha', 'beta', 'paper']);
    assert.deepEqual(r.json.deliveries.alpha,
      { state: 'queued', revision: 0, wanted: 1, number: null, attempts: 0, next_attempt: null, problem: null });
    assert.equal(r.json.deliveries.paper.state, 'handoff');
    const again = await g.call('staff', 'GET', r.headers.location);
    assert.equal(again.status, 200);
    assert.deepEqual(again.json, r.json);
    assert.equal(again.headers.etag, '"1"');
  });

  test('blanks, escapes and order of the body do not matter; data comes back as it was', async () => {
    const data = { people: [{ name: 'a"b\\c\n', role: 'applicant' }], title: ' 空 格 ', text: '{"data": [1, 2 ]}', ref: '\u{1f600}' };
    for (const text of [JSON.stringify({ data, type: 'note' }, null, 4), JSON.stringify({ type: 'note', data }),
      `{"type":"note","\\u0064ata":${JSON.stringify(data)}}`, `\n\t{ "targets" : ["alpha"],"data"\n:\t${JSON.stringify(data)} ,"type":"note"}\r\n`]) {
      const r = await post(text, { 'content-type': 'application/json; charset=UTF-8' });
      assert.equal(r.status, 201, r.body);
      assert.deepEqual(r.json.data, data);
      assert.deepEqual((await g.call('staff', 'GET', `/records/${r.json.id}`)).json.data, data);
    }
  });

  test('targets: only those named, once each; none at all', async () => {
    assert.deepEqual((await post({ ...note(), targets: ['beta', 'beta'] })).json.targets, ['beta']);
    const none = await post({ ...note(), targets: [] });
    assert.equal(none.status, 201);
    assert.deepEqual(none.json.deliveries, {});
    for (const targets of [['nowhere'], ['away'], 'alpha', [5], {}]) {
      const r = await post({ ...note(), targets });
      assert.equal(r.status, 422, JSON.stringify(targets));
      assert.match(r.json.errors[0].pointer, /^\/targets/);
    }
  });

  test('every problem at once, with pointer, code, words and the systems; nothing is stored', async () => {
    const before = await stored();
    const bad = note({ title: 'x'.repeat(30), level: '7', people: [{ role: 'applicant', phone: '1'.repeat(40) }], colour: 1 });
    const r = await post(bad, { 'accept-language': 'en' });
    assert.equal(r.status, 422);
    assert.equal(r.headers['content-type'], 'application/problem+json');
    assert.equal(r.json.type, 'urn:yimen:problem:invalid');
    const by = Object.fromEntries(r.json.errors.map((e) => [`${e.pointer} ${e.code} ${(e.systems ?? []).join(',')}`, e.message]));
    assert.ok(by['/level code '], r.body);
    assert.ok(by['/people/0/name required '], r.body);
    assert.ok(by['/people/0/phone too_long '], r.body);
    assert.ok(by['/colour unknown_field '], r.body);
    assert.equal(await stored(), before);
    const taken = await post(note({ title: 'x'.repeat(30), people: [{ role: 'applicant', name: 'a', phone: '138-0000-0000' }] }), { 'accept-language': 'en' });
    assert.equal(taken.status, 422);
    const errors = Object.fromEntries(taken.json.errors.map((e) => [e.pointer, e]));
    assert.deepEqual(errors['/title'].systems, ['beta']);
    assert.equal(errors['/title'].message, 'Beta System takes at most 20 characters');
    assert.deepEqual([...errors['/people/0/phone'].systems].sort(), ['alpha', 'beta']);
    assert.equal(await stored(), before);
  });

  test('the envelope of the request itself', async () => {
    for (const [body, pointer] of [[{ data: {} }, '/type'], [{ type: 'letter', data: {} }, '/type'], [{ type: 5, data: {} }, '/type'],
      [{ type: 'note' }, '/data'], [{ type: 'note', data: [] }, '/data'], [{ ...note(), more: 1 }, '']]) {
      const r = await post(body);
      assert.equal(r.status, 422, JSON.stringify(body));
      assert.equal(r.json.errors[0].pointer, pointer);
    }
  });

  test('dry run: says what would happen, and nothing does', async () => {
    const before = await stored();
    const good = await post(note(), {}, 'staff', '?dry_run=true');
    assert.equal(good.status, 200);
    assert.deepEqual(good.json, { valid: true, targets: ['alpha', 'beta', 'paper'] });
    assert.equal((await post(note({ title: '' }), {}, 'staff', '?dry_run=true')).status, 422);
    assert.equal((await post(note(), {}, 'staff', '?dry_run=maybe')).status, 400);
    assert.equal(await stored(), before);
  });

  test('J177 the same key and body: the first answer again', async () => {
    const headers = { 'idempotency-key': 'key-1' };
    const first = await post(note(), headers);
    assert.equal(first.headers['idempotent-replayed'], undefined);
    const id = first.json.id;
    const patched = await g.call('staff', 'PATCH', `/records/${id}`, { body: JSON.stringify({ data: { title: '改后' } }),
      headers: { 'if-match': '"1"', 'content-type': 'application/merge-patch+json' } });
    assert.equal(patched.json.revision, 2);
    const again = await post(note(), headers);
    assert.equal(again.status, 201);
    assert.equal(again.headers['idempotent-replayed'], 'true');
    assert.equal(again.headers.location, first.headers.location);
    assert.equal(again.headers.etag, '"1"');
    /* targets are a set: a shard lists them in the order in which it met the systems */
    const sorted = (r) => ({ ...r, targets: [...r.targets].sort() });
    assert.deepEqual(sorted(again.json), sorted(first.json));
  });

  test('J177 the same key, other content: 422 and nothing stored', async () => {
    const headers = { 'idempotency-key': 'key-2' };
    assert.equal((await post(note(), headers)).status, 201);
    const before = await stored();
    const r = await post(note({ title: '别的' }), headers);
    assert.equal(r.status, 422);
    assert.equal(r.json.type, 'urn:yimen:problem:key-reused');
    assert.equal(await stored(), before);
  });

  test('J177 a key belongs to its sender', async () => {
    const headers = { 'idempotency-key': 'key-3' };
    const mine = await post(note(), headers);
    const theirs = await post(note(), headers, 'other');
    assert.equal(theirs.status, 201);
    assert.notEqual(theirs.json.id, mine.json.id);
    assert.equal(theirs.headers['idempotent-replayed'], undefined);
  });

  test('J177 forty at once with one key make one record', async () => {
    const before = await stored();
    const answers = await Promise.all(Array.from({ length: 40 }, () => post(note(), { 'idempotency-key': 'key-4' })));
    assert.deepEqual([...new Set(answers.map((a) => a.status))], [201]);
    assert.equal(new Set(answers.map((a) => a.json.id)).size, 1);
    assert.equal(answers.filter((a) => !a.headers['idempotent-replayed']).length, 1);
    assert.equal(await stored(), before + 1);
  });

  test('J177 keys that are none', async () => {
    for (const key of ['', 'x'.repeat(201), 'a b', 'é', 'a\tb']) {
      const r = await g.nginx.raw(`POST /api/v1/records HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer ${g.tokens.staff}\r\nContent-Type: application/json\r\nIdempotency-Key: ${key}\r\nContent-Length: 2\r\n\r\n{}`);
      assert.match(r, /^HTTP\/1\.1 400/, JSON.stringify(key));
    }
    assert.equal((await post(note(), { 'idempotency-key': 'x'.repeat(200) })).status, 201);
  });

  test('Prefer: wait answers when everything has settled', async () => {
    const waiting = post({ ...note(), targets: ['alpha', 'paper'] }, { prefer: 'respond-async, wait=10' });
    let n = 0;
    const end = Date.now() + 5000;
    while (n === 0 && Date.now() < end) {
      n = (await deliver(g, 'alpha', ({ id }) => ({ verdict: 'd', number: `A-${id}` }))).length;
    }
    const r = await waiting;
    assert.equal(r.status, 201);
    assert.equal(r.headers['preference-applied'], 'wait=10');
    assert.equal(r.json.deliveries.alpha.state, 'delivered');
    assert.match(r.json.deliveries.alpha.number, /^A-/);
    assert.equal(r.json.deliveries.paper.state, 'handoff');
    const replay = await post({ ...note(), targets: ['alpha'] }, { prefer: 'wait=0' });
    assert.equal(replay.headers['preference-applied'], undefined);
  });

  test('Prefer: wait ends in time when nothing settles; live state on a replay', async () => {
    const headers = { 'idempotency-key': 'key-5', prefer: 'wait=1' };
    const from = Date.now();
    const ms = clock();
    const r = await post({ ...note(), targets: ['alpha'] }, headers);
    assert.ok(Date.now() - from >= 950 && ms() < 2500, `${Date.now() - from} ms`);
    assert.equal(r.json.deliveries.alpha.state, 'queued');
    await deliver(g, 'alpha', () => ({ verdict: 'd', number: 'N-1' }));
    const again = await post({ ...note(), targets: ['alpha'] }, headers);
    assert.equal(again.headers['idempotent-replayed'], 'true');
    assert.equal(again.json.deliveries.alpha.number, 'N-1');
  });
});
