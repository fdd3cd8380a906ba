/* SPDX-License-Identifier: Apache-2.0
 * The copy card: what a system gets, label by label, for those who may see the record whole.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { note, startGateway } from '../lib/gateway.mjs';

describe('the copy card', () => {
  let g, record;
  before(async () => {
    g = await startGateway();
    record = (await g.call('staff', 'POST', '/records', { body: note() })).json;
  });
  after(() => g.stop());

  test('labels and values in the words of the system, in the order of its table', async () => {
    const card = (await g.call('staff', 'GET', `/records/${record.id}/deliveries/paper/card`)).json;
    assert.equal(card.system, 'paper');
    assert.equal(card.revision, 1);
    assert.deepEqual(card.items[0], { label: '标题', value: '邻里噪声' });
    const alpha = (await g.call('staff', 'GET', `/records/${record.id}/deliveries/alpha/card`)).json;
    assert.deepEqual(alpha.items, [{ label: 'title', value: '邻里噪声' }, { label: 'level', value: '1' }, { label: 'phone', value: '13800000000' }]);
  });

  test('nobody who sees it masked, nobody who does not see it, nothing that is not there', async () => {
    const path = `/records/${record.id}/deliveries/paper/card`;
    assert.equal((await g.call('operator', 'GET', path)).status, 403);
    assert.equal((await g.call('other', 'GET', path)).status, 404);
    assert.equal((await g.call('staff', 'GET', `/records/${record.id}/deliveries/nowhere/card`)).status, 404);
    assert.equal((await g.call(null, 'GET', path)).status, 401);
  });
});
