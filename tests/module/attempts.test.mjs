/* SPDX-License-Identifier: Apache-2.0
 * What the last attempts of a delivery sent and got: hidden for those who run the system, in full for
 * those who may, once the purpose is written down; for nobody else at all.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { deliver, makeRing, note, startGateway, withSessions } from '../lib/gateway.mjs';
import { sealBytes } from '../lib/seal.mjs';

const message = (text, masked, more = {}) => ({ text, masked, bytes: text.length, cut: false, ...more });
const trace = (n, letter, more = {}) => ({
  at: 1767225600000 + n, attempt: n, revision: 1, op: 'create', letter,
  steps: [{ operation: 'create', outcome: 'unknown', sent: 'replied', status: 502, took: 12, rule: 7,
    request: message('POST /x\n\n{"name":"王某"}', 'POST /x\n\n{"name":"***"}'),
    answer: message('王某已登记', '***', { type: 'text/plain' }) }],
  ...more,
});

describe('attempts', () => {
  let g;
  let id;
  before(async () => {
    g = await startGateway();
    id = (await g.call('staff', 'POST', '/records', { body: { ...note(), targets: ['alpha', 'beta'] } })).json.id;
    await deliver(g, 'alpha', () => ({ verdict: 'r', delay: 0, trace: JSON.stringify(trace(1, 'r')) }));
    await deliver(g, 'alpha', () => ({ verdict: 'p', delay: 0, trace: JSON.stringify(trace(2, 'p', { steps: [{ operation: 'create', outcome: 'unavailable', sent: 'not_sent', status: 0, took: 3, rule: 0, error: 'connect: refused' }] })) }));
    await deliver(g, 'alpha', () => ({ verdict: 'u', delay: -1, trace: JSON.stringify(trace(3, 'u')) }));
  });
  after(() => g.stop());

  const list = (who, system = 'alpha', which = id) => g.call(who, 'GET', `/records/${which}/deliveries/${system}/attempts`);
  const reveal = (who, body = { purpose: '核对对方答复' }, system = 'alpha') => g.call(who, 'POST', `/records/${id}/deliveries/${system}/attempts/reveal`, { body });
  const audit = async () => (await g.call('auditor', 'GET', '/audit?what=reveal&limit=200')).json.items;

  test('newest first, shape without values, for operators, administrators and the area\'s supervisor', async () => {
    for (const who of ['operator', 'admin', 'supervisor']) {
      const r = await list(who);
      assert.equal(r.status, 200, r.body);
      assert.equal(r.json.masked, true);
      assert.deepEqual([r.json.record, r.json.system], [id, 'alpha']);
      assert.deepEqual(r.json.items.map((i) => [i.attempt, i.state]), [[3, 'unknown'], [2, 'queued'], [1, 'retrying']]);
      assert.doesNotMatch(r.body, /王某/);
      const [{ at, steps: [s] }] = r.json.items;
      assert.equal(at, '2026-01-01T08:00:00.003+08:00');
      assert.deepEqual(s, { operation: 'create', outcome: 'unknown', sent: 'replied', status: 502, rule: 7, took_ms: 12,
        request: { text: 'POST /x\n\n{"name":"***"}', bytes: 22, cut: false }, answer: { text: '***', bytes: 5, cut: false, type: 'text/plain' } });
      assert.deepEqual(r.json.items[1].steps[0], { operation: 'create', outcome: 'unavailable', sent: 'not_sent', status: 0, rule: 0, error: 'connect: refused', took_ms: 3 });
    }
    assert.equal((await audit()).length, 0, 'nobody saw anything of a person');
  });

  test('no attempt that failed: an empty list; what is not there is not there', async () => {
    assert.deepEqual((await list('operator', 'beta')).json.items, []);
    assert.equal((await list('operator', 'paper')).status, 404);
    assert.equal((await list('operator', 'alpha', id.slice(0, -2) + (id.at(-2) === '0' ? '1' : '0') + id.at(-1))).status, 404);
    for (const who of ['staff', 'other', 'auditor']) assert.equal((await list(who)).status, 403, who);
    assert.equal((await list(null)).status, 401);
  });

  test('in full for a purpose, which the auditor reads together with record and system', async () => {
    const r = await reveal('operator');
    assert.equal(r.status, 200, r.body);
    assert.equal(r.json.masked, undefined);
    assert.equal(r.json.items[0].steps[0].request.text, 'POST /x\n\n{"name":"王某"}');
    assert.equal(r.json.items[0].steps[0].answer.text, '王某已登记');
    assert.doesNotMatch(r.body, /masked/);
    assert.match(r.headers['cache-control'], /no-store/);
    const [e, ...rest] = await audit();
    assert.deepEqual([e.who, e.record, e.system, e.why, e.outcome, rest.length], ['op', id, 'alpha', '核对对方答复', 'ok', 0]);
  });

  test('without a purpose, or without the right, nothing', async () => {
    const had = (await audit()).length;
    for (const body of [{}, { purpose: '' }, { purpose: 7 }, { purpose: '长'.repeat(501) }]) assert.equal((await reveal('operator', body)).status, 422, JSON.stringify(body));
    for (const who of ['supervisor', 'admin', 'staff', 'other', 'auditor']) {
      const r = await reveal(who);
      assert.equal(r.status, 403, who);
      assert.doesNotMatch(r.body, /王某/);
    }
    assert.equal((await reveal('operator', undefined, 'paper')).status, 404);
    assert.equal((await audit()).length, had);
    const refused = (await g.call('auditor', 'GET', '/audit?what=access_refused&limit=200')).json.items;
    assert.ok(refused.some((e) => e.who === 'sun' && e.record === id), 'that somebody tried is written down');
  });

  test('no evidence, no messages', async () => {
    const { library } = await import('../lib/redis-server.mjs');
    await g.redis.client.command('FUNCTION', 'DELETE', 'yimen');
    await g.redis.client.command('FUNCTION', 'LOAD', 'REPLACE', library().replace("register('ym_evidence', ", "register('ym_evidence_gone', "));
    const r = await reveal('operator');
    assert.ok(r.status >= 500, String(r.status));
    assert.doesNotMatch(r.body, /王某/);
  });
});

test('sealed: opened here; what cannot be opened is said and hides no other', async () => {
  const ring = makeRing();
  const g = await startGateway({ deploy: { ring, auth: withSessions() }, nginx: { allow: [/yimen:/] } });
  try {
    const { id } = (await g.call('staff', 'POST', '/records', { body: { ...note(), targets: ['alpha'] } })).json;
    for (const [context, n] of [[`attempt:${id}`, 1], ['attempt:01M80RTG1W5ZTZXYR1YGXKS6R0', 2], [`attempt:${id}`, 3]]) {
      await deliver(g, 'alpha', () => ({ verdict: 'r', delay: 0, trace: sealBytes(ring, context, JSON.stringify(trace(n, 'r'))) }));
    }
    const r = await g.call('operator', 'POST', `/records/${id}/deliveries/alpha/attempts/reveal`, { body: { purpose: 'x' } });
    assert.equal(r.status, 200, r.body);
    assert.deepEqual(r.json.items.map((i) => i.unreadable ?? i.attempt), [3, true, 1]);
    assert.match(r.body, /王某已登记/);
  } finally {
    await g.stop();
  }
});
