/* SPDX-License-Identifier: Apache-2.0
 * The staging tables on PostgreSQL: the same adapter, not changed by a letter.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { NUMBERS, dispute, openStack } from './stack_helper.mjs';

describe('gov-service on PostgreSQL', () => {
  let s, record;
  before(async () => { s = await openStack({ systems: ['gov-service'], sql: 'postgres' }); });
  after(() => s.close());

  const state = (word, revision) => s.settled(record.id, word, (d) => d['gov-service'].state === word
    && (revision === undefined || d['gov-service'].revision === revision));

  test('a delivery with its number and the right row', async () => {
    record = await s.file(dispute({ title: "它的标题 𬭎'; DROP TABLE up_pro_accept; --" }, ['gov-service']), 15);
    const d = record.deliveries['gov-service'];
    assert.equal(d.state, 'delivered', JSON.stringify(d));
    assert.match(d.number, NUMBERS['gov-service']);
    const kept = await s.kept('gov-service');
    assert.equal(kept.length, 1);
    assert.equal(kept[0].fields.project_name, "它的标题 𬭎'; DROP TABLE up_pro_accept; --");
    assert.equal(kept[0].fields.apply_date, '2026-04-02 09:12:30');
    assert.equal(kept[0].fields.applyer_page_code, '330106189003070015');
  });

  test('an edit is a row of its own, a withdrawal too', async () => {
    await s.patch(record.id, 1, { data: { title: '更正' } });
    await state('delivered', 2);
    assert.equal((await s.post('staff', `/records/${record.id}/withdraw`, { reason: '误报' })).status, 200);
    await state('withdrawn');
    const [one, ...more] = await s.kept('gov-service');
    assert.deepEqual(more, []);
    assert.deepEqual(one.history.map((h) => h.op), ['create', 'update', 'withdraw']);
    assert.deepEqual(one.history.slice(0, 2).map((h) => h.revision), [1, 2]);
    assert.equal(one.status, 'withdrawn');
  });

  for (const mode of ['cut_after', 'cut_before', 'answer_lost']) {
    test(`${mode} at the COMMIT: one row`, async () => {
      await s.behave('gov-service', mode, { calls: 1 });
      const made = await s.file(dispute({}, ['gov-service']));
      await s.settled(made.id, 'delivered', (d) => d['gov-service'].state === 'delivered');
      const kept = await s.kept('gov-service', made.id);
      assert.equal(kept.length, 1);
      assert.equal(kept[0].received, 1);
    });
  }
});
