/* SPDX-License-Identifier: Apache-2.0
 * Feedback: anybody files it, operators read and close it, nobody's superior sees it.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { TOP } from '../lib/nginx.mjs';
import { startGateway } from '../lib/gateway.mjs';

const feedback = (more = {}) => ({ data: { kind: 'fault', text: '点提交后没有反应', page: '/new/dispute', ...more } });

describe('feedback', () => {
  let g, from;
  before(async () => {
    from = fs.mkdtempSync(path.join(os.tmpdir(), 'yimen-feedback-'));
    fs.cpSync(path.join(TOP, 'tests/data/deploy'), from, { recursive: true });
    fs.copyFileSync(path.join(TOP, 'config/types/feedback.json'), path.join(from, 'types/feedback.json'));
    fs.copyFileSync(path.join(TOP, 'config/codes/feedback-kind.csv'), path.join(from, 'codes/feedback-kind.csv'));
    g = await startGateway({ deploy: { from: path.relative(TOP, from) } });
  });
  after(async () => {
    await g?.stop();
    fs.rmSync(from, { recursive: true, force: true });
  });

  const file = async (who, more, opts = {}) => g.call(who, 'POST', '/feedback', { body: feedback(more), ...opts });

  test('whoever is signed in may file it, with any role; no other system is asked', async () => {
    for (const who of ['staff', 'supervisor', 'operator', 'auditor', 'admin']) {
      const r = await file(who);
      assert.equal(r.status, 201, `${who}: ${r.body}`);
      assert.deepEqual([r.json.type, r.json.targets, r.json.deliveries], ['feedback', [], {}]);
    }
    assert.equal((await g.call(null, 'POST', '/feedback', { body: feedback() })).status, 401);
    assert.equal((await g.call('auditor', 'POST', '/records', { body: { type: 'feedback', ...feedback() } })).status, 403);
  });

  test('it is what the type says: no query, no form contents, no other type under this name', async () => {
    for (const [more, pointer] of [[{ page: '/records?key.phone=13800000000' }, '/page'], [{ form: { title: 'x' } }, '/form'],
      [{ text: '' }, '/text'], [{ kind: 'rank' }, '/kind'], [{ error_id: 'a b' }, '/error_id']]) {
      const r = await file('staff', more);
      assert.equal(r.status, 422, JSON.stringify(more));
      assert.equal(r.json.errors[0].pointer, pointer);
    }
    const r = await g.call('staff', 'POST', '/feedback', { body: { type: 'note', ...feedback() } });
    assert.equal(r.status === 201 && r.json.type, 'feedback');
  });

  test('the same key files it once', async () => {
    const headers = { 'idempotency-key': 'feedback-1' };
    const [a, b] = [await file('staff', {}, { headers }), await file('staff', {}, { headers })];
    assert.deepEqual([a.status, b.status, a.json.id], [201, 201, b.json.id]);
  });

  test('neither unit nor area: a supervisor does not see what his people say; the author and operators do', async () => {
    const { id, org, area } = (await file('staff', { contact: '8021' })).json;
    assert.deepEqual([org, area], ['', '']);
    assert.equal((await g.call('supervisor', 'GET', `/records/${id}`)).status, 404);
    const listed = async (who) => (await g.call(who, 'GET', '/records?type=feedback&limit=200')).json.items.some((r) => r.id === id);
    assert.deepEqual([await listed('supervisor'), await listed('other'), await listed('staff'), await listed('operator')], [false, false, true, true]);
    const seen = await g.call('operator', 'GET', `/records/${id}`);
    assert.deepEqual([seen.json.masked, seen.json.data.contact, seen.json.data.text], [undefined, '8021', '点提交后没有反应']);
  });

  test('operators close it with a reason that stands in the evidence; they close nothing else', async () => {
    const { id } = (await file('staff')).json;
    const close = (who, of, body = { reason: '已修复' }) => g.call(who, 'POST', `/feedback/${of}/close`, { body });
    assert.equal((await close('staff', id)).status, 403);
    assert.equal((await close('operator', id, {})).status, 422);
    const r = await close('operator', id);
    assert.equal(r.status, 200, r.body);
    assert.ok(r.json.withdrawn_at);
    assert.ok((await g.call('staff', 'GET', `/records/${id}`)).json.withdrawn_at, 'its author sees that');
    const { items } = (await g.call('admin', 'GET', '/audit?limit=200')).json;
    assert.ok(items.some((e) => e.record === id && e.what === 'withdraw' && e.who === 'op'));
    const note = (await g.call('staff', 'POST', '/records', { body: { type: 'note', data: { title: 't', level: '1', text: 'x', people: [{ role: 'applicant', name: '王某', phone: '13800000000' }] } } })).json;
    assert.equal((await close('operator', note.id)).status, 404);
    assert.equal((await close('admin', note.id)).status, 404);
    assert.equal((await g.call('staff', 'GET', `/records/${note.id}`)).json.withdrawn_at, null);
  });

  test('what is refused carries the id that the evidence knows it by', async () => {
    const r = await g.call('supervisor', 'POST', '/users', { body: {} });
    assert.equal(r.status, 403);
    const id = r.headers['x-request-id'];
    assert.match(id, /^[0-9a-f]{32}$/);
    const { items } = (await g.call('admin', 'GET', '/audit?limit=200&what=access_refused')).json;
    assert.ok(items.some((e) => e.request === id), JSON.stringify(items[0]));
  });
});
