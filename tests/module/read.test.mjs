/* SPDX-License-Identifier: Apache-2.0
 * Who sees what: own records, own area's, masked bodies for operators, nothing for others.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { deliver, note, startGateway } from '../lib/gateway.mjs';
import { claims, makeToken } from '../lib/tokens.mjs';

describe('reading and roles', () => {
  let g, mine, theirs;
  const person = (sub, roles, more) => makeToken(g.key, claims(sub, roles, more));
  const see = async (who, id) => (await g.call(who, 'GET', `/records/${id}`)).status;

  before(async () => {
    g = await startGateway();
    mine = (await g.call('staff', 'POST', '/records', { body: note({ extra: { secret: '私' } }) })).json;
    theirs = (await g.call('other', 'POST', '/records', { body: note() })).json;
  });
  after(() => g.stop());

  test('an author sees their own; a colleague of the area does; the next area does not', async () => {
    assert.equal(await see('staff', mine.id), 200);
    assert.equal(await see('staff', theirs.id), 404);
    assert.equal(await see('other', mine.id), 404);
    assert.equal(await see(person('colleague', 'staff', { area: '330106003' }), mine.id), 200);
    assert.equal(await see(person('below', 'staff', { area: '330106003001' }), mine.id), 404);
    assert.equal(await see(person('nowhere', 'staff'), mine.id), 404, 'no area is no wildcard');
  });

  test('a supervisor sees the area below', async () => {
    assert.equal(await see('supervisor', mine.id), 200);
    assert.equal(await see('supervisor', theirs.id), 200);
    assert.equal(await see(person('far', 'supervisor', { area: '330105' }), mine.id), 404);
  });

  test('what one may not see cannot be told from what does not exist', async () => {
    const hidden = await g.call('other', 'GET', `/records/${mine.id}`);
    const absent = await g.call('other', 'GET', '/records/01M80RTG1W5ZTZXYR1YGXKS6R0');
    assert.deepEqual({ ...hidden.json, instance: 0 }, { ...absent.json, instance: 0 });
    for (const [method, target, body] of [['GET', 'history'], ['POST', 'withdraw', { reason: 'x' }], ['POST', 'deliveries/alpha/resolve', { action: 'rejected', reason: 'x' }]]) {
      assert.equal((await g.call('other', method, `/records/${mine.id}/${target}`, { body })).status, 404, target);
    }
  });

  test('operators see every record, with personal fields masked; also in history and lists', async () => {
    const r = await g.call('operator', 'GET', `/records/${mine.id}`);
    assert.equal(r.status, 200);
    assert.equal(r.json.masked, true);
    assert.deepEqual(r.json.data, { title: '邻里噪声', level: '1', text: '***', people: [{ role: 'applicant', name: '***', phone: '***' }], extra: { secret: '***' } });
    assert.ok(r.json.deliveries.alpha);
    const history = await g.call('operator', 'GET', `/records/${mine.id}/history`);
    assert.equal(history.json.revisions[0].data.people[0].name, '***');
    const list = await g.call('operator', 'GET', '/records');
    assert.ok(list.json.items.every((i) => i.masked && i.data.text === '***'));
    assert.doesNotMatch(JSON.stringify([r.json, history.json, list.json]), /13800000000|王某|私/);
  });

  test('an admin sees all of it; an auditor no record at all', async () => {
    const r = await g.call('admin', 'GET', `/records/${mine.id}`);
    assert.deepEqual(r.json.data, mine.data);
    assert.equal(r.json.masked, undefined);
    assert.equal(await see('auditor', mine.id), 403);
    assert.equal((await g.call('auditor', 'GET', '/records')).status, 403);
  });

  test('each route has its roles', async () => {
    const cases = [
      ['POST', '/records', { body: note() }, { staff: 201, supervisor: 201, operator: 403, auditor: 403 }],
      ['GET', '/audit', {}, { staff: 403, supervisor: 403, operator: 403, auditor: 200, admin: 200 }],
      ['POST', '/systems/alpha/pause', { body: {} }, { staff: 403, supervisor: 403, auditor: 403, operator: 422 }],
      ['POST', '/systems/alpha/replay', { body: {} }, { staff: 403, supervisor: 403, auditor: 403, operator: 422 }],
      ['GET', '/deliveries', {}, { staff: 403, supervisor: 403, auditor: 403, operator: 200, admin: 200 }],
      ['GET', '/systems', {}, { staff: 200, auditor: 200, operator: 200 }],
      ['GET', '/types', {}, { staff: 200, auditor: 200 }],
      ['POST', `/records/${mine.id}/deliveries/alpha/retry`, { body: { reason: 'x' } }, { staff: 403, auditor: 403 }],
    ];
    for (const [method, target, opts, expected] of cases) {
      for (const [who, status] of Object.entries(expected)) {
        assert.equal((await g.call(who, method, target, opts)).status, status, `${who} ${method} ${target}`);
      }
    }
    for (const target of ['/records', '/me', '/systems', '/types', '/audit']) {
      assert.equal((await g.call(null, 'GET', target)).status, 401, target);
    }
  });

  test('a delivery is shown in the API\'s words', async () => {
    const r = await g.call('staff', 'POST', '/records', { body: { ...note(), targets: ['alpha', 'beta'] } });
    const id = r.json.id;
    const verdicts = {
      alpha: { verdict: 'd', number: 'A-17' },
      beta: { verdict: 'r', delay: 60000, problem: { code: 'busy', message: 'try later' } },
    };
    for (const system of ['alpha', 'beta']) await deliver(g, system, (d) => (d.id === id ? verdicts[system] : { verdict: 'd', number: 'x' }));
    const { deliveries } = (await g.call('staff', 'GET', `/records/${id}`)).json;
    assert.deepEqual(deliveries.alpha, { state: 'delivered', revision: 1, wanted: 1, number: 'A-17', attempts: 1, next_attempt: null, problem: null });
    assert.equal(deliveries.beta.state, 'retrying');
    assert.match(deliveries.beta.next_attempt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+08:00$/);
    assert.deepEqual(deliveries.beta.problem, { code: 'busy', message: 'try later' });
    const bare = (await g.call('staff', 'POST', '/records', { body: { ...note(), targets: ['alpha'] } })).json.id;
    await deliver(g, 'alpha', () => ({ verdict: 'd', digest: 'ab'.repeat(32) }));
    const proof = (await g.call('staff', 'GET', `/records/${bare}`)).json.deliveries.alpha;
    assert.deepEqual([proof.state, proof.number, proof.digest], ['delivered', null, 'ab'.repeat(32)], 'never delivered without evidence');
  });
});
