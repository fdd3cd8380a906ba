/* SPDX-License-Identifier: Apache-2.0
 * Every system, every way in which a platform can misbehave: where a lookup exists the record is
 * there exactly once in the end and no ambiguous attempt was repeated unasked; where none exists the
 * ambiguity is shown as `unknown` and there is never a silent second order.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { BLIND, EIGHT, NUMBERS, QUICK, dispute, openStack, sleep, until } from './stack_helper.mjs';

const D = 'delivered', U = 'unknown';
const UNLOGGED = ['gov-service', 'village-admin'];    /* they log no queries */

/*
 * mode, its settings, and what becomes of the two systems without a lookup: [hotline, patrol].
 * unclear: after this nobody knows whether it arrived, so another create needs a question in between.
 */
const CASES = [
  { mode: 'slow', more: { ms: 400, calls: 2 }, last: [D, D] },
  { mode: 'slow', name: 'slower than the time-out', more: { ms: 2600, calls: 1 }, last: [U, U], unclear: true },
  { mode: 'late', more: { ms: 2400, calls: 1 }, last: [U, U], unclear: 'noted late' },
  { mode: 'dribble', more: { ms: 1, calls: 1 }, last: [D, D] },
  { mode: 'down', name: 'down for a second', more: { ms: 1000 }, last: [D, D] },
  { mode: 'down', name: 'two connections reset', more: { calls: 2 }, last: [`${U} or ${D}`, `${U} or ${D}`], not: ['gov-service', 'village-admin'] },
  { mode: '500', more: { calls: 2 }, last: [U, U], unclear: true },
  { mode: 'cut_before', more: { calls: 2 }, last: [U, U], unclear: true },
  { mode: 'cut_after', more: { calls: 1 }, last: [U, U], unclear: true },
  { mode: 'answer_lost', more: { calls: 1 }, last: [U, U], unclear: true },
  { mode: 'garbage', more: { calls: 2 }, last: [U, U], unclear: true },
  { mode: 'truncated', more: { calls: 1 }, last: [U, U], unclear: true },
  { mode: 'truncated', name: 'truncated by a lost connection', more: { calls: 1, how: 'cut' }, last: [U, U], unclear: true },
  { mode: 'wrong_charset', more: { calls: 2 }, last: [D, D] },
  { mode: 'fail_200', more: { calls: 2 }, last: [D, D] },
  { mode: 'throttle', more: { calls: 2, retry_after: 1 }, last: [D, D] },
  { mode: 'login_page', more: { calls: 1 }, last: [U, U] },
  { mode: 'datas_string', more: { calls: 2 } },
  { mode: 'secret_expired', name: 'the secret has expired', more: { calls: 1 } },
  { mode: 'secret_expired', name: 'both secrets have expired', more: { calls: 1, both: true } },
  { mode: 'no_event_id', more: {}, last: [D, D] },
  { mode: 'lock', more: { ms: 1200 } },
  { mode: 'ack_late', more: { ms: 1500 } },
  { mode: 'ack_error', more: { calls: 1 } },
  { mode: 'ack_garbage', more: { calls: 1 } },
  { mode: 'ack_truncated', more: { calls: 1 } },
];

const titled = (c) => c.name ?? c.mode;

describe('misbehaving platforms', () => {
  let s, modes;
  before(async () => {
    s = await openStack({ settings: { ...QUICK, attempts: 8, breaker_failures: 20 } });
    modes = Object.fromEntries((await s.lab('/systems')).map((x) => [x.id, x.modes]));
    await s.file(dispute({}, EIGHT), 15);    /* sessions are open, queues have moved */
  });
  after(() => s.close());

  const well = () => s.lab('/reset', { records: false });
  const able = (mode, not = []) => EIGHT.filter((id) => modes[id].includes(mode) && !not.includes(id));
  const blind = (targets, state) => Object.fromEntries(targets.map((id) => [id, BLIND.includes(id) ? state : D]));

  /* Between two creates whose first one is unclear stands a query; platforms that log none are left out. */
  function noBlindRepeat(id, calls, inOrder) {
    if (UNLOGGED.includes(id)) return;
    const steps = calls.filter((c) => c.op === 'create' || c.op === 'query').map((c) => c.op);
    if (inOrder) assert.doesNotMatch(steps.join(' '), /create create/, `${id}: repeated unasked`);
    const creates = steps.filter((op) => op === 'create').length;
    assert.ok(steps.length - creates >= creates - 1, `${id}: repeated unasked: ${steps}`);
  }

  /* What every system that can be asked shows in the end. */
  async function once(id, record, revision = 1) {
    const d = record.deliveries[id];
    assert.equal(d.state, 'delivered', `${id}: ${JSON.stringify(d)}`);
    assert.equal(d.revision, revision, id);
    assert.match(d.number, NUMBERS[id], id);
    const kept = await s.kept(id, record.id);
    assert.equal(kept.length, 1, `${id} holds ${kept.length}`);
    assert.equal(kept[0].number, d.number, id);
    assert.equal(kept[0].revision, revision, id);
    assert.deepEqual(kept[0].history.map((h) => h.op === 'create'), kept[0].history.map((h, i) => i === 0), `${id}: one create`);
  }

  const rest = (states) => (d) => Object.entries(d).every(([id, x]) => states[id].split(' or ').includes(x.state)
    && (x.state !== 'unknown' || x.next_attempt === null));

  const unknownToAll = (targets) => Object.fromEntries(targets.map((id) => [id, U]));

  const audit = async (id) => (await s.api('auditor', '/audit?limit=200')).json.items.filter((e) => e.record === id || e.id === id);

  for (const c of CASES) {
    test(`${titled(c)}`, async () => {
      const targets = able(c.mode, c.not);
      assert.ok(targets.length > 0);
      const wanted = Object.fromEntries(targets.map((id) => [id, BLIND.includes(id) ? c.last[BLIND.indexOf(id)] : D]));
      for (const id of targets) await s.behave(id, c.mode, c.more);
      const made = await s.file(dispute({ title: `失常:${titled(c)}` }, targets));
      const record = await s.settled(made.id, titled(c), rest(wanted), 20);
      await well();
      for (const id of targets) {
        const calls = BLIND.includes(id) && wanted[id] === U
          ? await until(`${id} to note the call`, 3, async () => { const x = await s.calls(id, made.id); return x.length ? x : undefined; })
          : await s.calls(id, made.id);
        if (wanted[id] === D && !BLIND.includes(id)) await once(id, record);
        else assert.ok((await s.kept(id, made.id)).length <= 1, `${id} has a second one`);
        if (BLIND.includes(id) && wanted[id] === U) assert.equal(calls.filter((x) => x.op === 'create').length, 1, `${id}: sent once`);
        if (c.unclear) noBlindRepeat(id, calls, c.unclear === true);
      }
    });
  }

  test('answer lost and the lookups fail too: nobody gives up, nobody repeats', async () => {
    const targets = able('answer_lost').filter((id) => id !== 'gov-service');
    for (const id of targets) {
      await s.behave(id, 'cut_after', { calls: 1 });
      await s.behave(id, '500', { calls: 2, ops: ['query'], add: true });
      await s.behave(id, 'garbage', { calls: 1, ops: ['query'], add: true });
    }
    const made = await s.file(dispute({}, targets));
    const record = await s.settled(made.id, 'found at last', rest(blind(targets, U)), 20);
    await well();
    for (const id of targets) {
      assert.equal((await s.calls(id, made.id)).filter((c) => c.op === 'create').length, 1, id);
      if (!BLIND.includes(id)) await once(id, record);
    }
  });

  test('answer lost, then the lookups are cut off: no answer is no word, the record is not sent again', async () => {
    const targets = able('cut_before').filter((id) => !BLIND.includes(id));
    assert.ok(targets.length > 0);
    for (const id of targets) {
      await s.behave(id, 'cut_after', { calls: 1, ops: ['create'] });
      await s.behave(id, 'cut_before', { calls: 2, ops: ['query'], add: true });
    }
    const made = await s.file(dispute({}, targets));
    const record = await s.settled(made.id, 'found when the lookup is answered', rest(blind(targets, U)), 20);
    await well();
    for (const id of targets) {
      const steps = (await s.calls(id, made.id)).filter((c) => ['create', 'query'].includes(c.op)).map((c) => c.op);
      assert.equal(steps.filter((op) => op === 'create').length, 1, `${id}: ${steps}`);
      if (!UNLOGGED.includes(id)) assert.ok(steps.filter((op) => op === 'query').length > 2, `${id}: the lookups were cut: ${steps}`);
      await once(id, record);
    }
  });

  test('a lookup that shows a state nobody has seen still gives the number', async () => {
    const targets = able('unknown_status').filter((id) => !BLIND.includes(id));
    for (const id of targets) {
      await s.behave(id, 'cut_after', { calls: 1 });
      await s.behave(id, 'unknown_status', { ops: ['query'], add: true });
    }
    const made = await s.file(dispute({}, targets));
    const record = await s.settled(made.id, 'found', rest(blind(targets, U)));
    await well();
    for (const id of targets) await once(id, record);
  });

  for (const mode of ['cut_after', 'cut_before', 'garbage', 'answer_lost']) {
    test(`an edit meets ${mode}: revision 2 is there, once, still one record`, async () => {
      const targets = able(mode);
      const made = await s.file(dispute({}, targets), 15);
      for (const id of targets) await s.behave(id, mode, { calls: 1, ops: ['update'] });
      await s.patch(made.id, 1, { data: { title: '更正' } });
      const record = await s.settled(made.id, 'revision 2', (d) => targets.every((id) => d[id].state === D && d[id].revision === 2));
      await well();
      for (const id of targets) {
        await once(id, record, 2);
        const steps = (await s.kept(id, made.id))[0].history.map((h) => h.revision);
        assert.deepEqual(steps, [...steps].sort(), `${id}: in order`);
      }
    });
  }

  test('a withdrawal meets cut_after: withdrawn there, withdrawn here', async () => {
    const targets = able('cut_after');
    const made = await s.file(dispute({}, targets), 15);
    for (const id of targets) await s.behave(id, 'cut_after', { calls: 1, ops: ['withdraw'] });
    assert.equal((await s.post('staff', `/records/${made.id}/withdraw`, { reason: '误报' })).status, 200);
    await s.settled(made.id, 'withdrawn', (d) => targets.every((id) => d[id].state === 'withdrawn'));
    await well();
    for (const id of targets) assert.notEqual((await s.kept(id, made.id))[0].status, 'open', id);
  });

  test('reject: the field and the words of the system; PATCH mends it', async () => {
    const fields = { 'zj-odr': 'title', 'people-mediation': 'caseTitle', 'grid-platform': 'eventName', 'hotline-12345': 'Title',
      'data-commons': 'title', 'gov-service': 'project_name', 'village-admin': '标题', 'patrol-app': 'eventName' };
    for (const id of EIGHT) await s.behave(id, 'reject', { calls: 1, field: fields[id] });
    const made = await s.file(dispute({ title: '他们不收的标题' }, EIGHT));
    const refused = await s.settled(made.id, 'rejected', (d) => EIGHT.every((id) => d[id].state === 'rejected'));
    for (const id of EIGHT) {
      const { problem, number, revision } = refused.deliveries[id];
      assert.equal(problem.field, fields[id], `${id}: ${JSON.stringify(problem)}`);
      assert.ok(problem.message.length > 0, id);
      assert.equal(number, null);
      assert.equal(revision, 0);
      assert.deepEqual(await s.kept(id, made.id), [], id);
    }
    await s.patch(made.id, 1, { data: { title: '改好的标题' } });
    const record = await s.settled(made.id, 'mended', (d) => EIGHT.every((id) => d[id].state === D && d[id].revision === 2));
    for (const id of EIGHT) {
      await once(id, record, 2);
      assert.deepEqual((await s.kept(id, made.id))[0].history.map((h) => h.revision), [2], id);
    }
    await well();
  });

  test('refused as known already, but not under our reference: a person decides, with an entry in the audit', async () => {
    const targets = able('duplicate');
    for (const id of targets) await s.behave(id, 'duplicate', { calls: 1 });
    const made = await s.file(dispute({}, targets));
    await s.settled(made.id, 'unknown', rest(unknownToAll(targets)));
    await well();
    for (const id of targets) assert.deepEqual(await s.kept(id, made.id), [], id);
    const at = (id) => `/records/${made.id}/deliveries/${id}/resolve`;
    const bare = await s.post('operator', at('zj-odr'), { action: 'resend' });
    assert.equal(bare.status, 422, 'a reason is wanted');
    for (const id of targets) {
      const body = id === 'hotline-12345' ? { action: 'delivered', number: 'RX2026999999', reason: '电话核实' } : { action: 'resend', reason: '对方确认没有' };
      const r = await s.post('operator', at(id), body);
      assert.equal(r.status, 200, `${id}: ${r.text}`);
    }
    const record = await s.settled(made.id, 'resolved', (d) => targets.every((id) => d[id].state === D));
    assert.equal(record.deliveries['hotline-12345'].number, 'RX2026999999');
    assert.deepEqual(await s.kept('hotline-12345', made.id), [], 'nothing was sent there');
    for (const id of targets.filter((x) => !BLIND.includes(x))) await once(id, record);
    const entries = await audit(made.id);
    for (const id of targets) {
      const one = entries.find((e) => e.system === id && e.who === 'demo-operator');
      assert.ok(one, `${id}: ${JSON.stringify(entries)}`);
      assert.match(one.why, /电话核实|对方确认没有/);
    }
  });

  const VERIFIED = ['zj-odr', 'people-mediation', 'grid-platform', 'data-commons'];
  const numbers = ({ code, message }) => ({ code, message });

  test('a number that belongs to another record is linked to nothing: a person looks, and says which', async () => {
    for (const id of VERIFIED) await s.behave(id, 'other_number', { calls: 1, ops: ['create'] });
    const made = await s.file(dispute({}, VERIFIED));
    const shown = await s.settled(made.id, 'unknown', rest(unknownToAll(VERIFIED)));
    await well();
    for (const id of VERIFIED) {
      const [theirs, ...more] = await s.kept(id, made.id), d = shown.deliveries[id];
      assert.deepEqual(more, [], id);
      assert.equal(d.number, null, id);
      assert.equal(d.problem.code, 'other_number', id);
      const [named, found] = d.problem.message.split(' ≠ ');
      assert.equal(found, theirs.number, id);
      assert.match(named, NUMBERS[id], id);
      assert.notEqual(named, found, id);
      const r = await s.post('operator', `/records/${made.id}/deliveries/${id}/resolve`, { action: 'delivered', number: found, reason: '电话核实' });
      assert.equal(r.status, 200, r.text);
    }
    await s.patch(made.id, 1, { data: { title: '按正确编号更正' } });
    const record = await s.settled(made.id, 'revision 2', (d) => VERIFIED.every((id) => d[id].state === D && d[id].revision === 2));
    for (const id of VERIFIED) await once(id, record, 2);
  });

  test('one number for two records: where nobody can be asked, the second is linked to nothing', async () => {
    const targets = [...BLIND, 'village-admin'];
    for (const id of targets) await s.behave(id, 'other_number', { calls: 1, ops: ['create'] });
    const made = await s.file(dispute({}, targets));
    const shown = await s.settled(made.id, 'unknown', rest(unknownToAll(targets)));
    await well();
    for (const id of targets) {
      const { number, problem } = shown.deliveries[id];
      assert.equal(number, null, id);
      assert.equal(problem.code, 'other_number', id);
      assert.match(problem.message, NUMBERS[id], id);
      assert.equal((await s.kept(id, made.id)).length, 1, id);
    }
  });

  test('an update that is answered under another number leaves the link as it was', async () => {
    const targets = able('other_number');
    assert.ok(targets.length > VERIFIED.length);
    const made = await s.file(dispute({}, targets), 15);
    const before = await s.settled(made.id, 'delivered', (d) => targets.every((id) => d[id].state === D));
    for (const id of targets) await s.behave(id, 'other_number', { calls: 1, ops: ['update'] });
    await s.patch(made.id, 1, { data: { title: '更正一次' } });
    const after = await s.settled(made.id, 'unknown', rest(unknownToAll(targets)));
    await well();
    for (const id of targets) {
      const { number, problem } = after.deliveries[id];
      assert.equal(number, before.deliveries[id].number, id);
      const named = problem.message.split(' ≠ ')[0];
      assert.notEqual(named, number, id);
      assert.deepEqual(numbers(problem), { code: 'other_number', message: `${named} ≠ ${number}` }, id);
      assert.equal((await s.kept(id, made.id)).length, 1, id);
    }
  });

  test('a captcha is handed to a person, before and after sign-in; resend when it is gone', async () => {
    await s.behave('people-mediation', 'captcha');
    const made = await s.file(dispute({}, ['people-mediation']));
    await s.settled(made.id, 'handoff', (d) => d['people-mediation'].state === 'handoff');
    await well();
    assert.deepEqual(await s.kept('people-mediation', made.id), []);
    const r = await s.post('staff', `/records/${made.id}/deliveries/people-mediation/resolve`, { action: 'resend', reason: '验证码已取消' });
    assert.equal(r.status, 200, r.text);
    await once('people-mediation', await s.settled(made.id, 'delivered', (d) => d['people-mediation'].state === D));
    assert.ok((await audit(made.id)).some((e) => e.who === 'demo-staff' && e.why === '验证码已取消'));
  });

  test('busy for longer than the budget: dead, visible to operations, sent again by retry', async () => {
    const targets = able('fail_200');
    for (const id of targets) await s.behave(id, 'fail_200');
    const made = await s.file(dispute({}, targets));
    await s.settled(made.id, 'dead', (d) => targets.every((id) => d[id].state === 'dead'), 40);
    await well();
    const listed = await s.tool('dead', 'list', '--json');
    assert.equal(listed.code, 0, listed.stderr);
    for (const id of targets) assert.ok(listed.stdout.includes(id));
    for (const id of targets) {
      const r = await s.post('operator', `/records/${made.id}/deliveries/${id}/retry`, { reason: '系统恢复' });
      assert.equal(r.status, 200, r.text);
    }
    const record = await s.settled(made.id, 'delivered', (d) => targets.every((id) => d[id].state === D));
    for (const id of targets) await once(id, record);
    assert.equal((await audit(made.id)).filter((e) => e.why === '系统恢复').length, targets.length);
  });

  test('a refusal of the hotline without words is unknown, never an invention', async () => {
    await s.behave('hotline-12345', 'reject', { calls: 1, field: 'Title' });
    await s.behave('hotline-12345', 'no_message', { add: true });
    const made = await s.file(dispute({}, ['hotline-12345']));
    await s.settled(made.id, 'unknown', rest({ 'hotline-12345': U }));
    await well();
  });

  test('without a number the digest of the answer is the evidence', async () => {
    await s.behave('patrol-app', 'no_event_id');
    const made = await s.file(dispute({}, ['patrol-app']));
    const record = await s.settled(made.id, 'delivered', (d) => d['patrol-app'].state === D);
    assert.equal(record.deliveries['patrol-app'].number, null);
    assert.match(record.deliveries['patrol-app'].digest, /^[0-9a-f]{64}$/);
    await well();
  });

  test('in the end nobody has two, and the unknown ones were left alone', async () => {
    for (const id of EIGHT) {
      const refs = (await s.kept(id)).map((r) => r.ref);
      assert.equal(new Set(refs).size, refs.length, `${id} has doubles`);
    }
    const open = (await s.api('operator', '/records?state=unknown&limit=200')).json.items;
    assert.ok(open.length >= 10);
    for (const r of open) {
      for (const id of BLIND.filter((x) => r.deliveries[x]?.state === U)) {
        assert.ok((await s.calls(id, r.id)).filter((c) => c.op === 'create').length <= 1, `${id} ${r.id}`);
      }
    }
  });
});

describe('a refused signature', () => {
  let s;
  before(async () => { s = await openStack({ systems: ['zj-odr', 'data-commons'], expected: ['system=zj-odr'] }); });
  after(() => s.close());

  test('the worker stops with an alarm, nothing is lost, a reload goes on', async () => {
    await s.behave('zj-odr', 'bad_sign');
    const made = await s.file(dispute({}, ['zj-odr', 'data-commons']));
    await s.settled(made.id, 'held there, delivered elsewhere', (d) => d['zj-odr'].state === 'held' && d['data-commons'].state === D);
    await until('the alarm', 5, () => /^error .*system=zj-odr/m.test(s.log('dispatcher')));
    await sleep(700);
    assert.ok((await s.calls('zj-odr', made.id)).length <= 2, 'no hammering with a wrong key');
    await s.behave('zj-odr', 'normal');
    s.signal('dispatcher', 'SIGHUP');
    await s.settled(made.id, 'delivered after the reload', (d) => d['zj-odr'].state === D);
    assert.equal((await s.kept('zj-odr', made.id)).length, 1);
  });

  test('an expired secret is renewed within the same attempt', async () => {
    await s.behave('data-commons', 'bad_sign', { calls: 1 });
    const made = await s.file(dispute({}, ['data-commons']));
    const record = await s.settled(made.id, 'delivered', (d) => d['data-commons'].state === D);
    assert.equal(record.deliveries['data-commons'].attempts, 1);
    assert.equal((await s.kept('data-commons', made.id)).length, 1);
  });
});
