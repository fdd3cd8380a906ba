/* SPDX-License-Identifier: Apache-2.0
 * Seeing a masked record in full: a right of its own, for a purpose that is written down before
 * anything is answered.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startGateway, note } from '../lib/gateway.mjs';

describe('reveal', () => {
  let g;
  let id;
  before(async () => {
    g = await startGateway({ nginx: { allow: [/yimen:/] } });
    id = (await g.call('staff', 'POST', '/records', { body: note() })).json.id;
  });
  after(() => g.stop());

  const reveal = (who, body = { purpose: '核对投诉' }, which = id) => g.call(who, 'POST', `/records/${which}/reveal`, { body });
  const audit = async () => (await g.call('auditor', 'GET', '/audit?what=reveal&limit=200')).json.items;

  test('an operator sees it masked, then in full, and the auditor sees who and why', async () => {
    const masked = (await g.call('operator', 'GET', `/records/${id}`)).json;
    assert.equal(masked.data.people[0].phone, '***');
    const full = await reveal('operator');
    assert.equal(full.status, 200, full.body);
    assert.equal(full.json.data.people[0].phone, '13800000000');
    assert.match(full.headers['cache-control'], /no-store/);
    const [e, ...rest] = await audit();
    assert.deepEqual([e.who, e.record, e.why, e.outcome, rest.length], ['op', id, '核对投诉', 'ok', 0]);
    assert.equal((await g.call('operator', 'GET', `/records/${id}`)).json.data.people[0].phone, '***', 'only that once');
  });

  test('without a purpose nothing; nor for those who may not', async () => {
    const had = (await audit()).length;
    for (const body of [{}, { purpose: '' }, { purpose: 7 }, { purpose: '长'.repeat(501) }]) assert.equal((await reveal('operator', body)).status, 422, JSON.stringify(body));
    assert.equal((await reveal('auditor')).status, 403);
    assert.equal((await reveal('other')).status, 404, 'what one may not see does not exist');
    assert.equal((await reveal('operator', { purpose: 'x' }, id.slice(0, -2) + (id.at(-2) === '0' ? '1' : '0') + id.at(-1))).status, 404);
    assert.equal((await audit()).length, had);
  });

  test('no evidence, no data: what cannot be written down is not answered', async () => {
    await g.redis.client.command('FUNCTION', 'DELETE', 'yimen');
    const text = (await import('../lib/redis-server.mjs')).library().replace("register('ym_evidence', ", "register('ym_evidence_gone', ");
    await g.redis.client.command('FUNCTION', 'LOAD', 'REPLACE', text);
    const r = await reveal('operator');
    assert.ok(r.status >= 500, String(r.status));
    assert.doesNotMatch(r.body, /13800000000|王某/);
  });
});

test('the site says which roles may: none, or several', async () => {
  for (const [roles, status] of [['none', 403], ['admin operator', 200]]) {
    const g = await startGateway();
    try {
      g.deploy.edit('yimen.yaml', (text) => `${text}audit:\n  reveal: ${roles}\n`);
      await g.nginx.reload();
      const { id } = (await g.call('staff', 'POST', '/records', { body: note() })).json;
      assert.equal((await g.call('operator', 'POST', `/records/${id}/reveal`, { body: { purpose: 'x' } })).status, status, roles);
    } finally {
      await g.stop();
    }
  }
});
