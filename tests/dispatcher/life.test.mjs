// SPDX-License-Identifier: Apache-2.0
// Proves the ordinary life of a delivery: create, update, withdraw, lookup, refusal, duplicate,
// session, number that comes later; and that revisions arrive in order, the last one always.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startRig, until } from './rig.mjs';

let rig;
before(async () => { rig = await startRig(); });
after(() => rig.close());
const calm = () => { for (const p of Object.values(rig.platforms)) p.behave = null; };

test('one record reaches every system, each with its own number', async () => {
  const id = await rig.accept(['ledger', 'blind', 'gate', 'slow']);
  for (const system of ['ledger', 'blind', 'gate', 'slow']) {
    const d = await rig.settled(id, system);
    assert.equal(d.number, rig.platforms[system].notes.get(id).number);
    assert.equal(d.has, '1');
    assert.equal(d.digest.length, 64);
    assert.equal(d.problem, '');
    assert.equal(rig.platforms[system].count('create', id), 1);
  }
});

test('a revision becomes an update, a withdrawal a withdrawal', async () => {
  const id = await rig.accept(['ledger'], 'first');
  const first = await rig.settled(id, 'ledger');
  assert.deepEqual(await rig.revise(id, 1, 'second'), ['revised', '2']);
  await until('revision 2', async () => (await rig.delivery(id, 'ledger')).has === '2');
  assert.equal(rig.platforms.ledger.notes.get(id).text, 'second');
  assert.equal((await rig.delivery(id, 'ledger')).number, first.number);
  await rig.withdraw(id, ['ledger']);
  await rig.settled(id, 'ledger', 'w');
  assert.equal(rig.platforms.ledger.notes.has(id), false);
});

test('revisions that come while one is in flight arrive in order, the last one always', async () => {
  const id = await rig.accept(['ledger'], 'r1');
  for (let n = 1; n < 12; n++) assert.equal((await rig.revise(id, n, `r${n + 1}`))[0], 'revised');
  await until('revision 12', async () => (await rig.delivery(id, 'ledger')).has === '12');
  const sent = rig.platforms.ledger.calls.filter((c) => c.ref === id && c.revision).map((c) => c.revision);
  assert.deepEqual(sent, [...sent].sort((a, b) => a - b));
  assert.equal(rig.platforms.ledger.notes.get(id).revision, 12);
});

test('a system without update gets a person, not a second record', async () => {
  const id = await rig.accept(['blind'], 'first');
  await rig.settled(id, 'blind');
  await rig.revise(id, 1, 'second');
  const d = await rig.settled(id, 'blind', 'h');
  assert.equal(JSON.parse(d.problem).code, 'cannot_update');
  assert.equal(rig.platforms.blind.count('create', id), 1);
});

test('a refusal shows the field and the system\'s words, and is not repeated', async () => {
  rig.platforms.ledger.behave = () => ({ status: 422, json: { code: 'refused', message: '字数过多', field: '/text' } });
  const id = await rig.accept(['ledger']);
  const d = await rig.settled(id, 'ledger', 'j');
  const { code, message, field, at } = JSON.parse(d.problem);
  assert.deepEqual({ code, message, field }, { code: 'rejected', message: '字数过多', field: '/text' });
  assert.ok(Math.abs(at - Date.now()) < 60000);
  assert.equal(rig.platforms.ledger.count('create', id), 1);
  calm();
});

test('data the system could never take is rejected without being sent', async () => {
  const id = await rig.accept(['ledger'], 'x'.repeat(41));
  const d = await rig.settled(id, 'ledger', 'j');
  assert.equal(JSON.parse(d.problem).code, 'too_long');
  assert.equal(JSON.parse(d.problem).field, '/text');
  assert.equal(rig.platforms.ledger.count('create', id), 0);
});

test('"already exists" is ours when the lookup finds it, and nobody\'s when it does not', async () => {
  const p = rig.platforms.ledger;
  const ours = await rig.accept(['slow']); // an id to borrow; ledger has never seen it
  await rig.settled(ours, 'slow');
  p.behave = (call) => (call.op === 'create' ? { status: 409, json: { code: 'duplicate' } } : null);
  const stranger = await rig.accept(['ledger']);
  const d = await rig.settled(stranger, 'ledger', 'u');
  assert.equal(d.next, '-1');
  assert.equal(JSON.parse(d.problem).code, 'duplicate');
  p.behave = (call) => {
    if (call.op !== 'create') return null;
    p.notes.set(call.ref, { number: 'old-1', revision: 1, text: call.text, received: 1 });
    return { status: 409, json: { code: 'duplicate' } };
  };
  const known = await rig.accept(['ledger']);
  assert.equal((await rig.settled(known, 'ledger')).number, 'old-1');
  calm();
});

test('the session is opened once for many, and renewed once when it ends', async () => {
  const p = rig.platforms.gate;
  let good = null;
  p.behave = (call) => {
    if (call.op === 'sign_in') { assert.equal(call.body.password, 'open sesame'); good = null; return null; }
    good ??= call.token;
    return call.token === good ? null : { status: 401 };
  };
  const before = p.count('sign_in');
  const ids = await Promise.all(Array.from({ length: 12 }, () => rig.accept(['gate'])));
  for (const id of ids) await rig.settled(id, 'gate');
  assert.ok(p.count('sign_in') - before <= 1);
  good = 'another'; // every token they have is refused from now on
  const again = await Promise.all(Array.from({ length: 6 }, () => rig.accept(['gate'])));
  for (const id of again) {
    await rig.settled(id, 'gate');
    assert.equal(p.notes.get(id).received, 1);
  }
  assert.ok(p.count('sign_in') - before <= 2, 'one flight for all');
  calm();
});

test('accepted without a number waits for the number', async () => {
  const p = rig.platforms.gate;
  let asked = 0;
  p.behave = (call) => {
    if (call.op === 'create') {
      p.notes.set(call.ref, { number: 'late-7', revision: 1, text: call.text, received: 1 });
      return { status: 202, json: {} };
    }
    if (call.op === 'find' && asked++ < 2) return { status: 200, json: { code: 'wait' } };
    return null;
  };
  const id = await rig.accept(['gate']);
  const d = await rig.settled(id, 'gate');
  assert.equal(d.number, 'late-7');
  assert.equal(p.count('create', id), 1);
  assert.equal(asked, 3);
  calm();
});

test('a sign-in that meets a captcha hands over to a person', async () => {
  const p = rig.platforms.gate;
  p.behave = (call) => (call.op === 'sign_in' ? { status: 200, json: { code: 'captcha' } } : { status: 401 });
  const id = await rig.accept(['gate']);
  assert.equal(JSON.parse((await rig.settled(id, 'gate', 'h')).problem).code, 'handoff');
  assert.equal(p.notes.has(id), false);
  calm();
});
