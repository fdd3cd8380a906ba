/* SPDX-License-Identifier: Apache-2.0
 * PATCH: merge patches guarded by If-Match, checked again, kept as history.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { deliver, note, startGateway } from '../lib/gateway.mjs';

describe('patch', () => {
  let g;
  const patch = (id, data, match = '"1"', { who = 'staff', headers = {} } = {}) => g.call(who, 'PATCH', `/records/${id}`, {
    body: JSON.stringify(data), headers: { 'content-type': 'application/merge-patch+json', ...(match === null ? {} : { 'if-match': match }), ...headers } });
  const make = async (more = {}) => (await g.call('staff', 'POST', '/records', { body: note(more) })).json;

  before(async () => { g = await startGateway(); });
  after(() => g.stop());

  test('a new revision: merged, ETag raised, deliveries wanted anew', async () => {
    const r = await make();
    await deliver(g, 'alpha', () => ({ verdict: 'd', number: 'A-1' }));
    const p = await patch(r.id, { data: { title: '改后', level: null, people: [{ role: 'respondent', name: '李某' }] } });
    assert.equal(p.status, 200, p.body);
    assert.equal(p.headers.etag, '"2"');
    assert.deepEqual(p.json.data, { title: '改后', text: '楼上夜间装修', people: [{ role: 'respondent', name: '李某' }] });
    assert.deepEqual([p.json.revision, p.json.id, p.json.created_at], [2, r.id, r.created_at]);
    assert.ok(p.json.updated_at >= r.updated_at);
    assert.deepEqual([p.json.deliveries.alpha.state, p.json.deliveries.alpha.revision, p.json.deliveries.alpha.wanted], ['queued', 1, 2]);
    const again = await g.call('staff', 'GET', `/records/${r.id}`);
    assert.deepEqual(again.json, p.json);
  });

  test('history keeps every revision, with who and when', async () => {
    const r = await make();
    await patch(r.id, { data: { title: '二' } });
    await patch(r.id, { data: { title: '三' } }, '"2"', { who: 'supervisor' });
    const h = await g.call('staff', 'GET', `/records/${r.id}/history`);
    assert.deepEqual(h.json.revisions.map((v) => [v.revision, v.by, v.data.title]), [[1, 'mei', '邻里噪声'], [2, 'mei', '二'], [3, 'sun', '三']]);
    for (const v of h.json.revisions) assert.match(v.at, /^\d{4}-.*\+08:00$/);
  });

  test('If-Match: missing 428, stale 412 with the present ETag, * and lists', async () => {
    const r = await make();
    const none = await patch(r.id, { data: { title: 'a' } }, null);
    assert.equal(none.status, 428);
    assert.equal((await patch(r.id, { data: { title: 'b' } })).status, 200);
    const stale = await patch(r.id, { data: { title: 'c' } });
    assert.equal(stale.status, 412);
    assert.equal(stale.headers.etag, '"2"');
    for (const match of ['W/"2"', '2', '"02"', '', '"3"', 'x"2"']) assert.equal((await patch(r.id, { data: { title: 'd' } }, match)).status, 412, match);
    assert.equal((await patch(r.id, { data: { title: 'e' } }, '"1", "2"')).status, 200);
    assert.equal((await patch(r.id, { data: { title: 'f' } }, '*')).status, 200);
  });

  test('twenty at once on one revision: one wins, the others are told', async () => {
    const r = await make();
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => patch(r.id, { data: { title: `t${i}` } })));
    assert.equal(answers.filter((a) => a.status === 200).length, 1);
    assert.equal(answers.filter((a) => a.status === 412).length, 19);
    const now = (await g.call('staff', 'GET', `/records/${r.id}`)).json;
    assert.equal(now.revision, 2);
    assert.equal(now.data.title, answers.find((a) => a.status === 200).json.data.title);
  });

  test('checked like a new record: 422 with systems, nothing changes', async () => {
    const r = await make();
    const p = await patch(r.id, { data: { title: 'x'.repeat(25), people: [{ role: 'applicant' }] } }, '"1"', { headers: { 'accept-language': 'en' } });
    assert.equal(p.status, 422);
    assert.deepEqual(p.json.errors.map((e) => e.pointer).sort(), ['/people/0/name', '/title']);
    const q = await patch(r.id, { data: { title: 'x'.repeat(25) } });
    assert.deepEqual(q.json.errors.map((e) => [e.pointer, e.systems]), [['/title', ['beta']]]);
    assert.equal((await g.call('staff', 'GET', `/records/${r.id}`)).json.revision, 1);
  });

  test('only data can be changed', async () => {
    const r = await make();
    for (const body of [{ type: 'x' }, { data: { title: 'a' }, owner: 'b' }, {}, { data: null }, { data: [] }]) {
      assert.equal((await patch(r.id, body)).status, 422, JSON.stringify(body));
    }
  });

  test('a patch that changes nothing makes no revision', async () => {
    const r = await make();
    const p = await patch(r.id, { data: { title: r.data.title, ref: null } });
    assert.equal(p.status, 200);
    assert.equal(p.headers.etag, '"1"');
    assert.equal(p.json.revision, 1);
  });

  test('a withdrawn record stays as it is: 409; Prefer: wait follows the new revision', async () => {
    const r = await make();
    const waiting = patch(r.id, { data: { title: '等' } }, '"1"', { headers: { prefer: 'wait=5' } });
    const end = Date.now() + 4000;
    const seen = new Set();
    while (seen.size < 2 && Date.now() < end) {
      for (const system of ['alpha', 'beta']) {
        const done = await deliver(g, system, (d) => ({ verdict: 'd', number: `${system}-${d.revision}` }));
        if (done.includes(r.id) && (await g.call('staff', 'GET', `/records/${r.id}`)).json.deliveries[system].revision === 2) seen.add(system);
      }
    }
    const p = await waiting;
    assert.equal(p.json.deliveries.alpha.revision, 2);
    assert.equal((await g.call('staff', 'POST', `/records/${r.id}/withdraw`, { body: { reason: '误报' } })).status, 200);
    const after2 = await patch(r.id, { data: { title: '晚' } }, '"2"');
    assert.equal(after2.status, 409);
    assert.equal(after2.json.type, 'urn:yimen:problem:withdrawn');
  });
});
