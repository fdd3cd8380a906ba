// SPDX-License-Identifier: Apache-2.0
// Proves that whatever was answered is on disk: after every single step Redis is killed with SIGKILL
// and started again, and everything it holds is the same; then life goes on.
import test from 'node:test';
import assert from 'node:assert/strict';
import { startRedis } from '../lib/redis-server.mjs';
import { Store, dump, makeId, sha256 } from './store.mjs';

let redis, store, steps = 0;
test.before(async () => {
  redis = await startRedis();
  store = new Store(redis.client);
});
test.after(() => redis.stop());

async function step(what, run) {
  const reply = await run();
  const before = await dump(redis.client);
  store.client = await redis.restart();
  assert.deepEqual(await dump(redis.client), before, `after ${what}`);
  steps++;
  return reply;
}

test('every function survives SIGKILL right after its answer', async () => {
  const id = makeId(), other = makeId();
  await step('accept', () => store.accept({ id, systems: ['a', 'b', ['h', 'h']], idem: sha256('i'), digest: sha256('d'),
    keys: [['phone', sha256('p')]], envelope: '{"n":1}' }));
  await step('accept', () => store.accept({ id: other, systems: ['a', 'b'] }));
  const a = await step('attach', () => store.worker('a'));
  const b = await step('attach', () => store.worker('b'));
  const { items } = await step('claim', () => a.claim());
  await step('revise', () => store.revise(id, 1, '{"n":2}', 'u', [['phone', sha256('q')]]));
  await step('settle', () => a.settleAll([[items[0], 'd', { number: '1', digest: sha256('x') }], [items[1], 'r', { delay: 1 }]]));
  assert.deepEqual(await step('settle again', () => a.settle(items[0], 'd', { number: '1' })), ['ok']);
  await step('due', () => a.due());
  const again = await step('claim', () => a.claim());
  assert.deepEqual(again.items.map((i) => [i.id, i.op]).sort(), [[id, 'update'], [other, 'create']].sort());
  const next = await step('attach', () => store.worker('a', 'w2'));
  assert.deepEqual(await step('reclaim', () => next.reclaim()), [2, 0]);
  const looks = await step('claim', () => next.claim());
  await step('settle', () => next.settleAll(looks.items.map((i) => [i, 'u', { delay: -1 }])));
  await step('resolve', () => store.call('resolve', id, 'a', 'delivered', '7', 'p', 'seen'));
  const mine = (await step('claim', () => b.claim())).items;
  await step('settle', () => b.settleAll([[mine[0], 'x'], [mine[1], 'j']]));
  await step('retry', () => store.call('retry', mine[0].id, 'b', 'op', 'w'));
  await step('replay', () => store.call('replay', 'b', 'xj', 0, 10, 'op', 'w', 0));
  await step('pause', () => store.call('pause', 'b', 'op', 'w'));
  await step('report', () => store.call('report', 'b', 'beat', '1'));
  await step('resume', () => store.call('resume', 'b', 'op', 'w'));
  await step('withdraw', () => store.withdraw(id, ['a']));
  assert.deepEqual(await step('reconcile', () => store.reconcile()), []);
  assert.equal(steps, 24);
});

test('killed in the middle of a stream of calls: what was answered is there, nothing is there by half', async () => {
  await redis.client.command('FLUSHALL');
  const accepted = new Set(), asked = [];
  for (let round = 0; round < 4; round++) {
    const enough = accepted.size + 5 + round * 30;
    let killed = null;
    let open = 0;
    while (!killed) { /* asked without a pause, and killed while hundreds are under way */
      for (let i = 0; i < 20 && open < 400; i++, open++) {
        const id = makeId();
        asked.push(id);
        store.accept({ id, systems: ['a', 'b', 'c'], keys: [['k', sha256(id)]] }).then(() => {
          accepted.add(id);
          if (accepted.size >= enough) killed ??= redis.kill();
        }, () => {}).finally(() => { open--; });
      }
      await new Promise((resolve) => { setImmediate(resolve); });
    }
    await killed;
    store.client = await redis.start();
  }
  const there = new Set(await store.listAll({}, { limit: 500, steps: 5000 }));
  assert.ok(accepted.size > 0 && accepted.size < asked.length, `${accepted.size} of ${asked.length} answered`);
  assert.ok([...accepted].every((id) => there.has(id)));
  for (const id of there) {
    assert.ok(asked.includes(id));
    assert.deepEqual(Object.keys((await store.get(id)).deliveries), ['a', 'b', 'c']);
  }
  assert.deepEqual((await store.counts()).c.queued, there.size);
  assert.deepEqual(await store.reconcile(500), []);
});

test('a torn end of the AOF loses whole functions, never half a one', async () => {
  const { readdirSync, statSync, truncateSync } = await import('node:fs');
  const path = await import('node:path');
  await redis.client.command('FLUSHALL');
  for (let i = 0; i < 5; i++) await store.accept({ systems: ['a', 'b'] });
  await redis.kill();
  const dir = path.join(redis.dir, 'appendonlydir');
  const file = path.join(dir, readdirSync(dir).find((f) => f.endsWith('.incr.aof')));
  truncateSync(file, statSync(file).size - 30);
  store.client = await redis.start();
  assert.equal((await store.listAll({})).length, 4);
  assert.deepEqual(Object.values(await store.counts()).map((c) => c.queued), [4, 4]);
  assert.deepEqual(await store.reconcile(), []);
  assert.match(redis.log(), /Truncating the AOF/);
});
