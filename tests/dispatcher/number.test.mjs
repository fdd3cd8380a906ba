// SPDX-License-Identifier: Apache-2.0
// Proves that a number which belongs to another record is never linked: `verify: lookup` asks by our
// reference before a created record counts as delivered, through lost answers, dead workers and
// systems that are away; an update that is answered under another number goes to a person.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, beforeEach, test } from 'node:test';
import { pause, startRig, until } from './rig.mjs';

let rig, p;
before(async () => {
  rig = await startRig({ systems: ['ledger', 'blind'], settings: { ledger: { verify: 'lookup' }, blind: { verify: 'seen' } } });
  p = rig.platforms.ledger;
});
after(() => rig.close());
beforeEach(() => { p.behave = null; });

const steps = (id) => p.calls.filter((c) => c.ref === id).map((c) => c.op).join(' ');
const problem = (d) => { const { code, message } = JSON.parse(d.problem); return { code, message }; };

// Stores the note, and names another one.
function liar(call) {
  if (call.op !== 'create') return null;
  p.notes.set(call.ref, { number: 'true-1', revision: call.revision, text: call.text, received: 1 });
  return { status: 200, json: { code: '0', number: 'false-1' } };
}

test('the number counts when the lookup gives the same', async () => {
  const id = await rig.accept(['ledger']);
  const d = await rig.settled(id, 'ledger');
  assert.equal(d.number, p.notes.get(id).number);
  assert.equal(steps(id), 'create find');
  await rig.revise(id, 1, 'second');
  await until('revision 2', async () => (await rig.delivery(id, 'ledger')).has === '2');
  assert.equal(steps(id), 'create find update', 'an update is held to the number that is known');
});

test('what is kept as the answer is the answer to what was sent, not the lookup\'s', async () => {
  const told = { code: '0', number: 'true-9' };
  p.behave = (call) => {
    if (call.op === 'create') p.notes.set(call.ref, { number: 'true-9', revision: 1, text: call.text, received: 1 });
    return call.op === 'create' ? { status: 200, json: told } : null;
  };
  const id = await rig.accept(['ledger']);
  const d = await rig.settled(id, 'ledger');
  assert.equal(d.digest, createHash('sha256').update(JSON.stringify(told)).digest('hex'));
});

test('a number that belongs to another record is linked to nothing; a person looks', async () => {
  p.behave = liar;
  const id = await rig.accept(['ledger']);
  const d = await rig.settled(id, 'ledger', 'u');
  assert.equal(d.next, '-1');
  assert.equal(d.number, '');
  assert.deepEqual(problem(d), { code: 'other_number', message: 'false-1 ≠ true-1' });
  assert.equal(p.count('create', id), 1);
  p.behave = null;
  assert.equal((await rig.store(id).call('resolve', id, 'ledger', 'delivered', 'true-1', 'clerk', 'seen there'))[0], 'resolved');
  const after = await rig.delivery(id, 'ledger');
  assert.equal(after.letter, 'd');
  assert.equal(after.number, 'true-1');
});

test('named, and not there: looked for, never sent again, then a person', async () => {
  let goOn, finds = 0;
  const looked = new Promise((resolve) => { goOn = resolve; }); // the second look has words of its own
  p.behave = async (call) => {
    if (call.op === 'create') return { status: 200, json: { code: '0', number: 'false-2' } };
    if (call.op === 'find' && ++finds > 1) await looked;
    return null;
  };
  const id = await rig.accept(['ledger']);
  const waiting = await rig.settled(id, 'ledger', 'c');
  goOn();
  assert.equal(waiting.number, '');
  assert.deepEqual(problem(waiting), { code: 'number_unproven', message: 'false-2' });
  const d = await rig.settled(id, 'ledger', 'u');
  assert.equal(d.next, '-1');
  assert.equal(problem(d).code, 'number_unproven');
  assert.equal(d.number, '');
  assert.equal(p.count('create', id), 1);
});

test('a list that is late is waited for', async () => {
  let asked = 0;
  p.behave = (call) => (call.op === 'find' && asked++ < 2 ? { status: 404, json: { code: 'absent' } } : null);
  const id = await rig.accept(['ledger']);
  const d = await rig.settled(id, 'ledger');
  assert.equal(d.number, p.notes.get(id).number);
  assert.equal(steps(id), 'create find find find');
});

for (const [name, how] of [['cut off', 'cut'], ['in trouble', { status: 500 }], ['at its limit', { status: 429, headers: { 'retry-after': '1' } }]]) {
  test(`the lookup is ${name}: the record stays taken and is not sent again`, async () => {
    let asked = 0;
    p.behave = (call) => (call.op === 'find' && asked++ === 0 ? how : null);
    const id = await rig.accept(['ledger']);
    const d = await rig.settled(id, 'ledger');
    assert.equal(d.number, p.notes.get(id).number);
    assert.equal(p.count('create', id), 1);
    assert.equal(p.count('find', id), 2);
  });
}

test('the worker is killed between answer and lookup: the next one looks, by our reference', async () => {
  p.behave = (call) => (call.op === 'find' ? 'hang' : liar(call));
  const id = await rig.accept(['ledger']);
  await until('the lookup is under way', () => p.count('find', id) === 1);
  process.kill(rig.worker('ledger'), 'SIGKILL');
  p.behave = null;
  const d = await rig.settled(id, 'ledger');
  assert.equal(d.number, 'true-1', 'what the dead one was told is forgotten; what the lookup gives is ours');
  assert.equal(p.count('create', id), 1);
});

test('a worker that is told to end leaves the record taken', async () => {
  p.behave = (call) => (call.op === 'find' ? 'hang' : null);
  const id = await rig.accept(['ledger']);
  await until('the lookup is under way', () => p.count('find', id) === 1);
  const ended = rig.stop();
  await pause(100);
  await ended;
  assert.match((await rig.delivery(id, 'ledger')).letter, /[cs]/);
  p.behave = null;
  await rig.start();
  const d = await rig.settled(id, 'ledger');
  assert.equal(d.number, p.notes.get(id).number);
  assert.equal(p.count('create', id), 1);
});

test('one number for two records: the second is linked to nothing, in a system that cannot be asked', async () => {
  const first = await rig.accept(['blind']);
  const { number } = await rig.settled(first, 'blind');
  rig.platforms.blind.behave = () => ({ status: 200, json: { code: '0', number } });
  const second = await rig.accept(['blind']);
  const d = await rig.settled(second, 'blind', 'u');
  assert.equal(d.next, '-1');
  assert.equal(d.number, '');
  assert.deepEqual(problem(d), { code: 'other_number', message: number });
  assert.equal((await rig.delivery(first, 'blind')).number, number);
  rig.platforms.blind.behave = null;
});

test('one number for two records, and the lookup says the same: still one of them is wrong', async () => {
  const first = await rig.accept(['ledger']);
  const { number } = await rig.settled(first, 'ledger');
  p.behave = (call) => (['create', 'find'].includes(call.op) ? { status: 200, json: { code: '0', number } } : null);
  const second = await rig.accept(['ledger']);
  const d = await rig.settled(second, 'ledger', 'u');
  assert.deepEqual([d.next, d.number], ['-1', '']);
  assert.deepEqual(problem(d), { code: 'other_number', message: number });
});

test('an update that is answered under another number: the link stays, a person looks', async () => {
  const id = await rig.accept(['ledger']);
  const { number } = await rig.settled(id, 'ledger');
  p.behave = (call) => (call.op === 'update' ? { status: 200, json: { code: '0', number: 'false-3' } } : null);
  await rig.revise(id, 1, 'second');
  const d = await rig.settled(id, 'ledger', 'u');
  assert.equal(d.next, '-1');
  assert.equal(d.number, number);
  assert.equal(d.has, '1');
  assert.deepEqual(problem(d), { code: 'other_number', message: `false-3 ≠ ${number}` });
});

test('a lookup that finds what we have under another number: a person looks', async () => {
  const id = await rig.accept(['ledger']);
  const { number } = await rig.settled(id, 'ledger');
  p.behave = (call) => {
    if (call.op === 'update') return 'commit-cut';
    return call.op === 'find' ? { status: 200, json: { code: '0', number: 'new-1', revision: 2 } } : null;
  };
  await rig.revise(id, 1, 'second');
  const d = await until('a person', async () => {
    const now = await rig.delivery(id, 'ledger');
    return now.next === '-1' && now;
  });
  assert.equal(d.letter, 'u');
  assert.equal(d.number, number);
  assert.deepEqual(problem(d), { code: 'other_number', message: `new-1 ≠ ${number}` });
});
