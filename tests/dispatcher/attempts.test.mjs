// SPDX-License-Identifier: Apache-2.0
// Proves what is kept of attempts that did not go well: the request as it went and the answer as it
// came, in full and with what tells of a person hidden, secrets and sessions in neither, sealed where
// records are; nothing of what went well, unless the site asks for it.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { makeRing } from '../lib/ring.mjs';
import { openBytes, sealBytes } from '../lib/seal.mjs';
import { Store, makeId } from '../queue/store.mjs';
import { envelope, startRig, until } from './rig.mjs';

const HEX = "local out = {} for i, v in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do out[i] = string.gsub(v, '.', function(c) return string.format('%02x', string.byte(c)) end) end return out";

/* Every kept trace of a delivery, oldest first, as bytes. */
async function bytesOf(rig, id) {
  const [key] = await rig.redis.client.command('KEYS', `*:t:${id}:*`);
  return key ? (await rig.redis.client.command('EVAL', HEX, 1, key)).map((h) => Buffer.from(h, 'hex')) : [];
}
const traces = async (rig, id) => (await bytesOf(rig, id)).map((b) => JSON.parse(b));

async function withRig(options, run) {
  const rig = await startRig(options);
  try { await run(rig); } finally { await rig.close(); }
}

/* the note's text is somebody's */
function makeSensitive(rig) {
  const file = path.join(rig.dir, 'config/types/note.json');
  writeFileSync(file, readFileSync(file, 'utf8').replace('"type": "string",', '"type": "string", "x-sensitive": "personal",'));
}

test('a refusal: what went, what came, and the rule that judged it', () => withRig({ systems: ['ledger'], start: false }, async (rig) => {
  makeSensitive(rig);
  await rig.start();
  rig.platforms.ledger.behave = () => ({ status: 400, json: { code: 'refused', message: '王某已登记', phone: '13800000000' } });
  const id = await rig.accept(['ledger'], '王某的话');
  await rig.settled(id, 'ledger', 'j');
  const [t, ...rest] = await traces(rig, id);
  assert.equal(rest.length, 0);
  assert.deepEqual([t.attempt, t.revision, t.op, t.letter], [1, 1, 'create', 'j']);
  assert.ok(Math.abs(t.at - Date.now()) < 10000);
  const [s] = t.steps;
  assert.deepEqual([s.operation, s.outcome, s.sent, s.status, s.error], ['create', 'rejected', 'replied', 400, undefined]);
  assert.ok(s.rule > 0 && s.took >= 0);
  assert.match(s.request.text, new RegExp(`^POST http://127.0.0.1:\\d+/notes\nContent-Type: application/json[^]*"ref":"${id}"[^]*"text":"王某的话"`));
  assert.match(s.answer.text, /王某已登记/);
  assert.match(s.answer.type, /application\/json/);
  assert.match(s.request.masked, new RegExp(`"ref":"${id}"[^]*"revision":1[^]*"text":"\\*\\*\\*"`), 'its id and revision say nothing of a person');
  assert.match(s.answer.masked, /"message":"\*\*\*","phone":"\*\*\*"/);
  assert.equal(s.request.cut || s.answer.cut, false);
}));

test('a field that its type does not mark is shown', () => withRig({ systems: ['ledger'] }, async (rig) => {
  rig.platforms.ledger.behave = () => ({ status: 400, json: { code: 'refused' } });
  const id = await rig.accept(['ledger'], '公开的话');
  await rig.settled(id, 'ledger', 'j');
  assert.match((await traces(rig, id))[0].steps[0].request.masked, /"text":"公开的话"/);
}));

test('no answer, and a look: each attempt by itself, the last five', () => withRig({ systems: ['ledger'], settings: { ledger: { attempts: 2, backoff_base: '10ms', backoff_cap: '20ms', breaker_failures: 50 } } }, async (rig) => {
  rig.platforms.ledger.behave = (call) => (call.op === 'create' ? 'cut' : { status: 500, json: { code: 'mist' } });
  const id = await rig.accept(['ledger']);
  await until('only a person', async () => (await rig.delivery(id, 'ledger')).next === '-1');
  const all = await traces(rig, id);
  assert.ok(all.length >= 3 && all.length <= 5, String(all.length));
  const [first, look] = [all[0], all.at(-1)];
  assert.deepEqual([first.op, first.letter, first.steps[0].sent, first.steps[0].answer], ['create', 'u', 'no_reply', undefined]);
  assert.ok(first.steps[0].error && first.steps[0].request.text.startsWith('POST '));
  assert.deepEqual([look.op, look.steps[0].operation, look.steps[0].status], ['lookup', 'find', 500]);
}));

test('nothing listens: nothing was sent, so nothing is kept of a request', () => withRig({ systems: ['ledger'] }, async (rig) => {
  await rig.platforms.ledger.close();
  const id = await rig.accept(['ledger']);
  await rig.settled(id, 'ledger', 'q');
  const [t] = await until('the trace', async () => { const all = await traces(rig, id); return all.length > 0 && all; });
  assert.deepEqual([t.letter, t.steps[0].sent, t.steps[0].outcome, t.steps[0].request], ['p', 'not_sent', 'unavailable', undefined]);
}));

test('exists already, and the look that follows, are two steps of one attempt', () => withRig({ systems: ['ledger'] }, async (rig) => {
  rig.platforms.ledger.behave = (call) => (call.op === 'create' ? { status: 409, json: { code: 'duplicate' } } : { status: 404, json: { code: 'absent' } });
  const id = await rig.accept(['ledger']);
  await rig.settled(id, 'ledger', 'u');
  const [t] = await traces(rig, id);
  assert.deepEqual(t.steps.map((s) => [s.operation, s.outcome]), [['create', 'duplicate'], ['find', 'absent']]);
}));

test('neither password nor session is kept, in any form', () => withRig({ systems: ['gate'] }, async (rig) => {
  rig.platforms.gate.behave = (call) => (call.op === 'create' ? { status: 400, json: { echo: call.token, by: 'open sesame', code: 'odd' } } : null);
  const id = await rig.accept(['gate']);
  await rig.settled(id, 'gate', 'u');
  const text = Buffer.concat(await bytesOf(rig, id)).toString();
  const token = rig.platforms.gate.calls.find((c) => c.op === 'create').token;
  assert.match(token, /^t\d+$/);
  assert.doesNotMatch(text, /open sesame|open%20sesame/);
  assert.match(text, /X-Token: \[secret\]/);
  assert.match(text, /"by\\":\\"\[secret\]/);
}));

test('what went well leaves nothing, unless the site says all; none is none', async () => {
  await withRig({ systems: ['ledger'] }, async (rig) => {
    const id = await rig.accept(['ledger']);
    await rig.settled(id, 'ledger');
    assert.deepEqual(await rig.redis.client.command('KEYS', '*:t*'), []);
  });
  await withRig({ systems: ['ledger'], settings: { ledger: { keep_attempts: 'all' } } }, async (rig) => {
    const id = await rig.accept(['ledger']);
    await rig.settled(id, 'ledger');
    const [t] = await traces(rig, id);
    assert.deepEqual([t.letter, t.steps[0].outcome, t.steps[0].number], ['d', 'ok', 'ledger-1']);
    assert.match(t.steps[0].answer.masked, /"number":"ledger-1"/, 'the number of the case is shown');
  });
  await withRig({ systems: ['ledger'], settings: { ledger: { keep_attempts: 'none' } } }, async (rig) => {
    rig.platforms.ledger.behave = () => ({ status: 400, json: { code: 'refused' } });
    const id = await rig.accept(['ledger']);
    await rig.settled(id, 'ledger', 'j');
    assert.deepEqual(await rig.redis.client.command('KEYS', '*:t*'), []);
  });
});

test('a long answer is cut, and says so', () => withRig({ systems: ['ledger'] }, async (rig) => {
  rig.platforms.ledger.behave = () => ({ status: 400, json: { code: 'refused', more: '长'.repeat(200000) } });
  const id = await rig.accept(['ledger']);
  await rig.settled(id, 'ledger', 'j');
  const [{ steps: [s] }] = await traces(rig, id);
  assert.equal(s.answer.cut, true);
  assert.ok(s.answer.bytes > 600000);
  assert.ok(Buffer.byteLength(s.answer.text) <= 16384 && !s.answer.text.includes('�'));
}));

test('sealed where records are', async () => {
  const ring = makeRing('a1');
  await withRig({ systems: ['ledger'], start: false }, async (rig) => {
    const file = path.join(rig.dir, 'ring.json');
    writeFileSync(file, JSON.stringify(ring), { mode: 0o600 });
    writeFileSync(rig.config, `${readFileSync(rig.config, 'utf8')}auth:\n  ring: "file:${file}"\n`);
    await rig.start();
    rig.platforms.ledger.behave = () => ({ status: 400, json: { code: 'refused' } });
    const id = makeId(Date.now(), 0);
    await new Store(rig.redis.client, 0).accept({ id, type: 'note', systems: ['ledger'], envelope: sealBytes(ring, `record:${id}`, envelope('王某的话')) });
    await rig.settled(id, 'ledger', 'j');
    const [bytes] = await bytesOf(rig, id);
    assert.ok(!bytes.includes('王某') && !bytes.includes('refused'));
    assert.match(openBytes(ring, `attempt:${id}`, bytes).toString(), /王某的话/);
  });
});
