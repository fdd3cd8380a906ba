/* SPDX-License-Identifier: Apache-2.0
 * The counting behind scripts/timing: no field twice, nothing for what a platform does not take, and a
 * card that is copied by hand is not forgotten.
 */
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { burden, leaves, located, markdown, minutes } from '../../scripts/lib/burden.mjs';

const data = { title: '四个字呀', category: { code4: '0401' }, parties: [{ name: '甲乙' }, { name: '丙' }], reported_at: 'derived' };
const typed = [{ id: 'title', text: '四个字呀' }, { id: 'category_code4', choice: true, search: '0401' }, { id: 'parties_0_name', text: '甲乙' }, { id: 'parties_1_name', text: '丙' }];
const speed = { cpm: 60, choice: 3, copy: 2, signIn: 10 };
const targets = [
  { id: 'all', handoff: false, fields: [{ pointer: '/title' }, { pointer: '/category/code4' }, { pointer: '/parties/-/name' }, { pointer: '/reported_at' }] },
  { id: 'card', handoff: true, fields: [{ pointer: '/title' }] },
];
const cards = { all: new Array(5), card: new Array(3) };

describe('portal: what filing costs a person', () => {
  test('once, and by hand', () => {
    const { yimen, rows, hand } = burden({ typed, data, targets, cards, speed });
    assert.deepEqual(rows[0], { id: 'all', handoff: false, delivered: 5, fields: 4, characters: 7, choices: 1, signIns: 1, seconds: 7 + 3 + 10 });
    assert.deepEqual(rows[1], { id: 'card', handoff: true, delivered: 3, fields: 1, characters: 4, choices: 0, signIns: 1, seconds: 4 + 10 });
    assert.deepEqual(hand, { fields: 5, characters: 11, choices: 1, delivered: 8, signIns: 2, seconds: 34 });
    assert.deepEqual(yimen, { fields: 4, characters: 11, choices: 1, delivered: 8, copied: 3, signIns: 2, seconds: 11 + 3 + 2 * 10 + 3 * 2 });
  });

  test('what was typed must be in the record', () => {
    assert.throws(() => located([{ id: 'nowhere', text: 'x' }], data), /nowhere/);
    assert.deepEqual(leaves({ a: [{ b: 1 }], c: 'd' }), [['/a/0/b', 1], ['/c', 'd']]);
  });

  test('the table names its assumptions', () => {
    const text = markdown(burden({ typed, data, targets, cards, speed }), speed);
    assert.match(text, /\| \*\*all of them by hand\*\* \| 5 \| 11 \| 1 \| 2 \| 8 \| 0:34 \|/);
    assert.match(text, /60 characters a minute, 3 s for a choice, 2 s for a field copied from a card, 10 s for a sign-in/);
    assert.equal(minutes(119.7), '2:00');
  });
});
