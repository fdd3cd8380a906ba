/* SPDX-License-Identifier: Apache-2.0
 * Changing a record on behalf of its owner: a right of its own, with a reason, the same check and the
 * same way as the owner's change; who, why and which places stand in the evidence before it happens.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { deliver, note, startGateway, withSessions } from '../lib/gateway.mjs';

const allow = (g, roles) => g.deploy.edit('yimen.yaml', (text) => `${text}audit:\n  amend: ${roles}\n`);

describe('amend', () => {
  let g;
  before(async () => {
    g = await startGateway({ deploy: { auth: withSessions() } });
    allow(g, 'operator');
    await g.nginx.reload();
  });
  after(() => g.stop());

  const file = async (more, targets = ['alpha', 'beta']) => (await g.call('staff', 'POST', '/records', { body: { ...note(more), targets } })).json;
  const amend = (who, id, body, match = '"1"') => g.call(who, 'POST', `/records/${id}/amend`, { body, headers: match ? { 'if-match': match } : {} });
  const audit = async (what, id) => (await g.call('auditor', 'GET', `/audit?what=${what}&record=${id}&limit=200`)).json.items;

  test('a new revision, delivered; history says by whom and why, the evidence which places', async () => {
    const { id } = await file();
    await deliver(g, 'alpha', () => ({ verdict: 'j', problem: { code: 'rejected', field: '/people/0/phone' } }));
    const r = await amend('operator', id, { data: { title: '噪声', people: [{ role: 'applicant', name: '王某', phone: '13900000000' }] }, reason: '电话少一位,已与本人核实' });
    assert.equal(r.status, 200, r.body);
    assert.deepEqual([r.json.revision, r.json.masked, r.headers.etag], [2, true, '"2"'], 'who may change it need not see it');
    assert.equal(r.json.data.people[0].phone, '***');
    assert.equal(r.json.owner, 'mei', 'it stays the owner\'s');
    assert.equal(r.json.deliveries.alpha.state, 'queued');
    const sent = [];
    await deliver(g, 'alpha', (d) => { sent.push(Number(d.revision)); return { verdict: 'd', number: 'A' }; });
    assert.deepEqual(sent, [2]);
    const { revisions } = (await g.call('staff', 'GET', `/records/${id}/history`)).json;
    assert.deepEqual(revisions.map((v) => [v.by, v.reason, v.data.people[0].phone]), [['mei', undefined, '13800000000'], ['op', '电话少一位,已与本人核实', '13900000000']]);
    const [e, ...rest] = await audit('amend', id);
    assert.deepEqual([e.who, e.why, e.outcome, rest.length], ['op', '/title /people/0/phone: 电话少一位,已与本人核实', 'ok', 0]);
    assert.ok((await audit('revise', id)).some((x) => /^revision 2, digest /.test(x.why)), 'and the revision itself');
    assert.equal((await g.call('staff', 'GET', '/records?key.phone=13900000000')).json.items[0].id, id, 'found by what it says now');
  });

  test('the same check as the owner\'s: every objection, nothing written', async () => {
    const { id } = await file();
    const r = await amend('operator', id, { data: { title: '', nonsense: 1 }, reason: 'x' });
    assert.equal(r.status, 422);
    assert.ok(r.json.errors.length >= 2, r.body);
    assert.equal((await g.call('staff', 'GET', `/records/${id}`)).json.revision, 1);
    assert.equal((await audit('amend', id)).length, 0);
  });

  test('without the right 403, whoever it is; the owner has PATCH', async () => {
    const { id } = await file();
    for (const who of ['staff', 'other', 'supervisor', 'admin', 'auditor']) {
      assert.equal((await amend(who, id, { data: { title: 'x' }, reason: 'x' })).status, 403, who);
    }
    assert.equal((await amend(null, id, { data: { title: 'x' }, reason: 'x' })).status, 401);
    assert.equal((await g.call('operator', 'PATCH', `/records/${id}`, { headers: { 'if-match': '"1"', 'content-type': 'application/merge-patch+json' }, body: '{"data":{"title":"x"}}' })).status, 403);
    assert.equal((await g.call('staff', 'GET', `/records/${id}`)).json.revision, 1);
    assert.ok((await audit('access_refused', id)).some((e) => e.who === 'root'));
  });

  test('a reason, the revision that was read, and nothing but data', async () => {
    const { id } = await file();
    for (const reason of [undefined, '', 7, '长'.repeat(501)]) {
      const r = await amend('operator', id, { data: { title: 'x' }, reason });
      assert.equal(r.status, 422);
      assert.equal(r.json.errors[0].pointer, '/reason');
    }
    assert.equal((await amend('operator', id, { data: { title: 'x' }, reason: 'x' }, null)).status, 428);
    assert.equal((await amend('operator', id, { data: { title: 'x' }, reason: 'x' }, '"7"')).status, 412);
    for (const body of [{ reason: 'x' }, { data: [], reason: 'x' }, { data: {}, attachments: [], reason: 'x' }, { data: {}, owner: 'op', reason: 'x' }]) {
      assert.equal((await amend('operator', id, body)).status, 422, JSON.stringify(body));
    }
    const missing = id.slice(0, -2) + (id.at(-2) === '0' ? '1' : '0') + id.at(-1);
    assert.equal((await amend('operator', missing, { data: { title: 'x' }, reason: 'x' })).status, 404);
    assert.equal((await audit('amend', id)).length, 0);
    const same = await amend('operator', id, { data: { level: '1' }, reason: 'x' });
    assert.deepEqual([same.status, same.json.revision], [200, 1], 'what changes nothing is no revision');
    await g.call('staff', 'POST', `/records/${id}/withdraw`, { body: { reason: '误报' } });
    assert.equal((await amend('operator', id, { data: { title: 'x' }, reason: 'x' })).status, 409);
  });

  test('many places: twenty are named, the rest counted', async () => {
    const people = Array.from({ length: 30 }, (_, i) => ({ name: `甲${i}` }));
    const { id } = await file({ people });
    assert.equal((await amend('operator', id, { data: { people: people.map((p) => ({ name: `${p.name}x` })) }, reason: '批量更正' })).status, 200);
    const [e] = await audit('amend', id);
    assert.match(e.why, /^\/people\/0\/name .*\/people\/19\/name \+10: 批量更正$/);
  });

  test('who may is told by GET /me', async () => {
    const rights = async (who) => (await g.call(who, 'GET', '/me')).json.rights;
    assert.deepEqual(await rights('operator'), ['reveal', 'amend']);
    assert.deepEqual(await rights('admin'), []);
    assert.deepEqual(await rights('staff'), []);
  });

  test('reasons and data are sealed', async () => {
    const { id } = await file();
    await amend('operator', id, { data: { text: '赵某的话' }, reason: '赵某来电' });
    const { dump } = await import('../lib/ring.mjs');
    const all = await dump(g.redis.client);
    for (const s of ['赵某的话', '赵某来电']) assert.ok(!all.includes(s), s);
  });

  test('no evidence, no change', async () => {
    const { id } = await file();
    const { library } = await import('../lib/redis-server.mjs');
    await g.redis.client.command('FUNCTION', 'DELETE', 'yimen');
    await g.redis.client.command('FUNCTION', 'LOAD', 'REPLACE', library().replace("register('ym_evidence', ", "register('ym_evidence_gone', "));
    assert.ok((await amend('operator', id, { data: { title: 'x' }, reason: 'x' })).status >= 500);
    assert.equal((await g.call('staff', 'GET', `/records/${id}`)).json.revision, 1);
  });
});

test('nobody may unless the site says so; an unknown role is refused at load', async () => {
  const g = await startGateway({ nginx: { allow: [/yimen:/, /emerg/] } });
  try {
    const { id } = (await g.call('staff', 'POST', '/records', { body: note() })).json;
    for (const who of ['operator', 'admin']) {
      assert.equal((await g.call(who, 'POST', `/records/${id}/amend`, { body: { data: { title: 'x' }, reason: 'x' }, headers: { 'if-match': '"1"' } })).status, 403);
    }
    allow(g, 'wizard');
    await g.nginx.reload({ expectRefused: true });
    assert.match(g.nginx.log(), /"amend:" in .*there is no role "wizard"/);
  } finally {
    await g.stop();
  }
});
