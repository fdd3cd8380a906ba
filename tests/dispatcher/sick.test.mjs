// SPDX-License-Identifier: Apache-2.0
// Proves what sick systems lead to: retries within a budget, suspension and probes, lookups before
// any repeat, unknown where nobody can look; and that a sick system delays no other.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { stopwatch } from '../lib/pace.mjs';
import { pause, startRig, until } from './rig.mjs';

let rig;
before(async () => { rig = await startRig(); });
after(() => rig.close());
afterEach(() => { for (const p of Object.values(rig.platforms)) p.behave = null; });

// Fails the first n calls of one operation.
const first = (n, op, how) => {
  let left = n;
  return (call) => (call.op === op && left-- > 0 ? how : null);
};

test('a 500 is repeated after a pause and then delivered once', async () => {
  const p = rig.platforms.ledger;
  p.behave = first(2, 'create', { status: 500 });
  const id = await rig.accept(['ledger']);
  const d = await rig.settled(id, 'ledger');
  assert.equal(p.count('create', id), 3);
  assert.equal(d.attempts, '3');
  assert.equal(p.notes.get(id).received, 1);
});

test('the budget ends in dead, with the last cause', async () => {
  const p = rig.platforms.ledger;
  const poisoned = new Set();
  p.behave = (call) => (poisoned.has(call.ref) ? { status: 503, json: { message: '内部错误' } } : null);
  const ids = [];
  for (let i = 0; i < 2; i++) {
    const id = await rig.accept(['ledger'], 'hello', i % 2);
    poisoned.add(id);
    ids.push(id);
    // healthy ones between: one poisoned record must not suspend the system
    for (let k = 0; k < 6; k++) await rig.settled(await rig.accept(['ledger']), 'ledger');
  }
  for (const id of ids) {
    const d = await rig.settled(id, 'ledger', 'x');
    assert.equal(d.attempts, '4');
    const problem = JSON.parse(d.problem);
    assert.equal(problem.code, 'retry');
    assert.equal(problem.message, '内部错误');
    assert.equal(p.count('create', id), 4);
  }
});

test('an answer lost after the commit is found by lookup: exactly one', async () => {
  const p = rig.platforms.ledger;
  p.behave = first(1, 'create', 'commit-cut');
  const id = await rig.accept(['ledger']);
  const d = await rig.settled(id, 'ledger');
  assert.equal(d.number, p.notes.get(id).number);
  assert.equal(p.count('create', id), 1);
  assert.ok(p.count('find', id) >= 1);
  assert.equal(p.notes.get(id).received, 1);
});

test('an answer lost before the commit is sent again, but only once absence can be trusted', async () => {
  const p = rig.platforms.ledger;
  p.behave = first(1, 'create', 'cut');
  const id = await rig.accept(['ledger']);
  await rig.settled(id, 'ledger');
  const [one, two] = p.calls.filter((c) => c.op === 'create' && c.ref === id);
  assert.ok(two.at - one.at >= 1450, `${two.at - one.at} ms between the two`);
  assert.equal(p.notes.get(id).received, 1);
});

test('a lookup that fails is repeated, and never taken for an answer', async () => {
  const p = rig.platforms.ledger;
  const lost = first(1, 'create', 'commit-cut');
  const dumb = first(2, 'find', { status: 500 });
  p.behave = (call) => lost(call) ?? dumb(call);
  const id = await rig.accept(['ledger']);
  await rig.settled(id, 'ledger');
  assert.equal(p.count('create', id), 1);
  assert.equal(p.count('find', id), 3);
});

test('a system that takes and drops the same note again and again is given up within the budget', async () => {
  const p = rig.platforms.gate;
  p.behave = (call) => {
    if (call.op === 'create') return { status: 202, json: {} };
    return call.op === 'find' ? { status: 200, json: { code: 'busy' } } : null;
  };
  const id = await rig.accept(['gate']);
  const d = await rig.settled(id, 'gate', 'x');
  assert.equal(p.count('create', id), 4);
  assert.equal(JSON.parse(d.problem).code, 'retry');
});

test('an update whose answer was lost is compared by revision', async () => {
  const p = rig.platforms.ledger;
  const id = await rig.accept(['ledger'], 'one');
  await rig.settled(id, 'ledger');
  p.behave = first(1, 'update', 'cut'); // not done: the lookup still shows revision 1
  await rig.revise(id, 1, 'two');
  await until('revision 2', async () => (await rig.delivery(id, 'ledger')).has === '2');
  assert.equal(p.count('update', id), 2);
  p.behave = first(1, 'update', 'commit-cut'); // done: the lookup shows revision 3
  await rig.revise(id, 2, 'three');
  await until('revision 3', async () => (await rig.delivery(id, 'ledger')).has === '3');
  assert.equal(p.count('update', id), 3);
});

test('a withdrawal whose answer was lost ends as withdrawn', async () => {
  const p = rig.platforms.ledger;
  for (const how of ['cut', 'commit-cut']) {
    const id = await rig.accept(['ledger']);
    await rig.settled(id, 'ledger');
    p.behave = first(1, 'withdraw', how);
    await rig.withdraw(id, ['ledger']);
    await rig.settled(id, 'ledger', 'w');
    assert.equal(p.notes.has(id), false, how);
  }
});

test('without a lookup a lost answer stays unknown and is never repeated', async () => {
  const p = rig.platforms.blind;
  p.behave = first(1, 'create', 'commit-cut');
  const id = await rig.accept(['blind']);
  const d = await rig.settled(id, 'blind', 'u');
  assert.equal(d.next, '-1');
  assert.equal(JSON.parse(d.problem).code, 'no_reply');
  for (let i = 0; i < 3; i++) await rig.settled(await rig.accept(['blind']), 'blind');
  assert.equal(p.count('create', id), 1);
});

test('garbage with status 200 is never success', async () => {
  const p = rig.platforms.blind;
  p.behave = first(1, 'create', { status: 200, json: { hello: 'world' } });
  const id = await rig.accept(['blind']);
  assert.equal(JSON.parse((await rig.settled(id, 'blind', 'u')).problem).code, 'unknown');
});

test('a system that is down is suspended, probed and served when it is back; nothing counts', async () => {
  const p = rig.platforms.ledger;
  const { port } = p;
  await p.close();
  const ids = await Promise.all(Array.from({ length: 20 }, () => rig.accept(['ledger'])));
  await until('suspended', async () => ['open', 'half'].includes((await rig.system('ledger')).breaker));
  assert.match((await rig.system('ledger')).problem, /connect/i);
  for (const id of ids) assert.match((await rig.delivery(id, 'ledger')).letter, /^[qs]$/);
  const other = await rig.accept(['slow']);
  await rig.settled(other, 'slow', 'd', 2000);
  await p.open(port);
  for (const id of ids) {
    const d = await rig.settled(id, 'ledger');
    assert.equal(d.attempts, '1');
    assert.equal(p.notes.get(id).received, 1);
  }
  assert.ok(p.count('probe') > 0);
  await until('reported', async () => (await rig.system('ledger')).breaker === 'closed');
});

test('five failures in a row suspend; one trial brings it back', async () => {
  const p = rig.platforms.slow; // has no probe: a delivery is the trial
  let sick = true;
  p.behave = (call) => (sick && call.op === 'create' ? { status: 500 } : null);
  const suspended = rig.logged('system.suspended', 'slow');
  const ids = await Promise.all(Array.from({ length: 5 }, () => rig.accept(['slow'])));
  await until('suspended', () => rig.logged('system.suspended', 'slow') > suspended);
  sick = false;
  for (const id of ids) await rig.settled(id, 'slow', 'd');
});

test('Retry-After is honoured for the whole system', async () => {
  const p = rig.platforms.ledger;
  p.behave = first(1, 'create', { status: 429, headers: { 'retry-after': '1' } });
  const id = await rig.accept(['ledger']);
  await until('the 429', () => p.count('create', id) === 1);
  const other = await rig.accept(['ledger']);
  const d = await rig.settled(id, 'ledger');
  await rig.settled(other, 'ledger');
  const [one, two] = p.calls.filter((c) => c.op === 'create' && [id, other].includes(c.ref));
  assert.ok(two.at - one.at >= 950, `${two.at - one.at} ms`);
  assert.equal(d.attempts, '1'); // the refused one did not count
});

test('a slow system holds its own slots only, and no attempt outlives its timeout', async () => {
  const p = rig.platforms.slow;
  let open = 0, most = 0;
  p.behave = async () => {
    open++;
    most = Math.max(most, open);
    await pause(300);
    open--;
    return null;
  };
  const slow = await Promise.all(Array.from({ length: 12 }, () => rig.accept(['slow'])));
  const ms = stopwatch([rig.worker('ledger')], [rig.redis.pid]);
  for (let i = 0; i < 20; i++) await rig.settled(await rig.accept(['ledger']), 'ledger');
  assert.ok(ms() < 2000, `the other system is not delayed: ${ms()} ms`);
  for (const id of slow) await rig.settled(id, 'slow');
  assert.ok(most <= 4, `${most} at once`);

  p.behave = first(1, 'create', 'hang');
  const id = await rig.accept(['slow']);
  await until('given up', async () => (await rig.delivery(id, 'slow')).letter === 'u', 2500);
  await rig.settled(id, 'slow');
  assert.equal(p.notes.get(id).received, 1);
});
