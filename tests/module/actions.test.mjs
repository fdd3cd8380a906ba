/* SPDX-License-Identifier: Apache-2.0
 * What people do: withdraw, retry, resolve, pause, resume, replay; each with a reason and an audit entry.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { deliver, note, startGateway } from '../lib/gateway.mjs';

describe('actions', () => {
  let g;
  const make = async (targets, who = 'staff') => (await g.call(who, 'POST', '/records', { body: { ...note(), ...(targets ? { targets } : {}) } })).json;
  const act = (who, id, system, what, body) => g.call(who, 'POST', `/records/${id}/deliveries/${system}/${what}`, { body });
  /* what people did to records and systems; that somebody read the audit is in it, too */
  const deeds = (items) => items.filter((e) => !['audit_read', 'access_refused', 'read', 'list', 'revise'].includes(e.what));
  const audit = async () => deeds((await g.call('auditor', 'GET', '/audit?limit=200')).json.items);
  const settle = (system, v) => deliver(g, system, () => v);

  before(async () => { g = await startGateway(); });
  after(() => g.stop());

  test('withdraw: what never arrived is done, what arrived is called back, the rest a person does', async () => {
    const r = await make(['alpha', 'beta', 'paper']);
    await settle('alpha', { verdict: 'd', number: 'A' });
    await settle('beta', { verdict: 'd', number: 'B' });
    const w = await g.call('staff', 'POST', `/records/${r.id}/withdraw`, { body: { reason: '误报' } });
    assert.equal(w.status, 200, w.body);
    assert.match(w.json.withdrawn_at, /^\d{4}-/);
    assert.equal(w.json.deliveries.alpha.state, 'queued', 'alpha has a withdraw operation');
    assert.equal(w.json.deliveries.beta.state, 'handoff', 'beta has none');
    assert.equal(w.json.deliveries.paper.state, 'withdrawn');
    const again = await g.call('staff', 'POST', `/records/${r.id}/withdraw`, { body: { reason: '再次' } });
    assert.equal(again.status, 200);
    assert.equal(again.json.withdrawn_at, w.json.withdrawn_at);
    assert.ok((await audit()).some((e) => e.record === r.id && e.who === 'mei' && e.why === '误报'));
  });

  test('a reason is asked for everywhere', async () => {
    const r = await make(['alpha']);
    for (const [who, target, more] of [['staff', `/records/${r.id}/withdraw`, {}], ['operator', `/records/${r.id}/deliveries/alpha/retry`, {}],
      ['operator', `/records/${r.id}/deliveries/alpha/resolve`, { action: 'rejected' }], ['operator', '/systems/alpha/pause', {}],
      ['operator', '/systems/alpha/resume', {}], ['operator', '/systems/alpha/replay', {}]]) {
      for (const reason of [undefined, '', 5, 'x'.repeat(501)]) {
        const answer = await g.call(who, 'POST', target, { body: { ...more, reason } });
        assert.equal(answer.status, 422, `${target} ${reason}`);
        assert.equal(answer.json.errors[0].pointer, '/reason');
      }
    }
  });

  test('retry: a dead or rejected delivery is queued; others are refused', async () => {
    const r = await make(['alpha']);
    assert.equal((await act('operator', r.id, 'alpha', 'retry', { reason: 'x' })).status, 409, 'queued is in no need');
    await settle('alpha', { verdict: 'x', problem: { code: 'gone', message: '超时' } });
    assert.equal((await g.call('staff', 'GET', `/records/${r.id}`)).json.deliveries.alpha.state, 'dead');
    const again = await act('operator', r.id, 'alpha', 'retry', { reason: '已修复' });
    assert.equal(again.status, 200, again.body);
    assert.equal(again.json.deliveries.alpha.state, 'queued');
    assert.equal(again.json.masked, true, 'operators see no personal data here either');
    assert.ok((await audit()).some((e) => e.record === r.id && e.system === 'alpha' && e.who === 'op' && e.why === '已修复'));
    assert.equal((await act('operator', r.id, 'beta', 'retry', { reason: 'x' })).status, 404);
    assert.equal((await act('operator', '01M80RTG1W5ZTZXYR1YGXKS6R0', 'alpha', 'retry', { reason: 'x' })).status, 404);
    await settle('alpha', { verdict: 'd', number: 'later' });
  });

  test('resolve: a hand-off by its author, with or without a number', async () => {
    const r = await make(['paper']);
    const done = await act('staff', r.id, 'paper', 'resolve', { action: 'delivered', number: 'P-9', reason: '已手工录入' });
    assert.equal(done.status, 200, done.body);
    assert.deepEqual([done.json.deliveries.paper.state, done.json.deliveries.paper.number], ['delivered', 'P-9']);
    const q = await make(['paper']);
    const without = await act('staff', q.id, 'paper', 'resolve', { action: 'delivered', reason: '已录入' });
    assert.equal(without.json.deliveries.paper.state, 'delivered');
    assert.equal((await act('staff', q.id, 'paper', 'resolve', { action: 'delivered', reason: '再来' })).status, 403, 'done is done for staff');
    assert.equal((await act('operator', q.id, 'paper', 'resolve', { action: 'delivered', reason: '再来' })).status, 409);
  });

  test('resolve: an unknown delivery by operations, not by its author', async () => {
    const r = await make(['alpha']);
    await settle('alpha', { verdict: 'u', delay: -1, problem: { code: 'cut', message: '无回应' } });
    assert.equal((await g.call('staff', 'GET', `/records/${r.id}`)).json.deliveries.alpha.state, 'unknown');
    assert.equal((await act('staff', r.id, 'alpha', 'resolve', { action: 'delivered', number: 'x', reason: 'x' })).status, 403);
    const sent = await act('operator', r.id, 'alpha', 'resolve', { action: 'resend', reason: '对方查无' });
    assert.equal(sent.json.deliveries.alpha.state, 'queued');
    await settle('alpha', { verdict: 'u', delay: -1 });
    const found = await act('supervisor', r.id, 'alpha', 'resolve', { action: 'delivered', number: 'A-5', reason: '电话核实' });
    assert.deepEqual([found.json.deliveries.alpha.state, found.json.deliveries.alpha.number], ['delivered', 'A-5']);
    for (const body of [{ reason: 'x' }, { action: 'maybe', reason: 'x' }, { action: 'delivered', number: 5, reason: 'x' }, { action: 'delivered', number: 'a\nb', reason: 'x' }, { action: 'delivered', number: 'x'.repeat(201), reason: 'x' }]) {
      assert.equal((await act('operator', r.id, 'alpha', 'resolve', body)).status, 422, JSON.stringify(body));
    }
  });

  test('pause and resume: held is shown, systems say who and why, both are audited', async () => {
    const r = await make(['alpha']);
    const p = await g.call('operator', 'POST', '/systems/alpha/pause', { body: { reason: '对方维护' } });
    assert.deepEqual(p.json, { system: 'alpha', result: 'paused' });
    assert.equal((await g.call('operator', 'POST', '/systems/alpha/pause', { body: { reason: 'x' } })).json.result, 'already');
    assert.equal((await g.call('staff', 'GET', `/records/${r.id}`)).json.deliveries.alpha.state, 'held');
    assert.equal((await g.call('staff', 'GET', '/records?limit=1')).json.items[0].deliveries.alpha.state, 'held');
    const one = (await g.call('staff', 'GET', '/systems')).json.items.find((s) => s.id === 'alpha');
    assert.equal(one.health, 'paused');
    assert.deepEqual([one.paused.by, one.paused.why], ['op', '对方维护']);
    assert.match(one.paused.at, /^\d{4}-/);
    assert.ok(one.depth >= 1);
    assert.equal((await g.call('operator', 'POST', '/systems/alpha/resume', { body: { reason: '恢复' } })).json.result, 'resumed');
    assert.equal((await g.call('staff', 'GET', `/records/${r.id}`)).json.deliveries.alpha.state, 'queued');
    const entries = await audit();
    assert.ok(entries.some((e) => e.system === 'alpha' && e.why === '对方维护') && entries.some((e) => e.why === '恢复'));
    assert.equal((await g.call('operator', 'POST', '/systems/none/pause', { body: { reason: 'x' } })).status, 404);
  });

  test('a suspended or closed system holds its deliveries, as its worker reports', async () => {
    const r = await make(['beta']);
    const beat = ['beat', String(Date.now())];
    for (const [fields, health] of [[[...beat, 'breaker', 'open', 'until', String(Date.now() + 5000), 'problem', '{"code":"down"}'], 'suspended'], [['breaker', 'closed', 'until', '', 'problem', '', 'hours_open', '0'], 'closed'], [['hours_open', '1'], 'running']]) {
      await g.redis.client.command('FCALL', 'ym_report', 1, '{s0}', 'beta', ...fields);
      const system = (await g.call('staff', 'GET', '/systems')).json.items.find((s) => s.id === 'beta');
      assert.equal(system.health, health);
      const state = (await g.call('staff', 'GET', `/records/${r.id}`)).json.deliveries.beta.state;
      assert.equal(state, health === 'running' ? 'queued' : 'held');
    }
    await settle('beta', { verdict: 'd', number: 'B' });
  });

  test('a system whose worker is silent has stopped; its deliveries are queued, not held', async () => {
    const r = await make(['beta']);
    const health = async (...fields) => {
      await g.redis.client.command('FCALL', 'ym_report', 1, '{s0}', 'beta', ...fields);
      const one = (await g.call('staff', 'GET', '/systems')).json.items.find((s) => s.id === 'beta');
      const running = (await g.nginx.request('GET', '/metrics')).body.match(/^yimen_system_running\{system="beta"\} (\d)$/m)[1];
      assert.equal(running, one.health === 'running' ? '1' : '0');
      assert.equal(one.last_beat === null, fields[1] === '');
      return one.health;
    };
    const ago = (ms) => ['beat', String(Date.now() - ms)];
    assert.equal(await health('beat', ''), 'stopped', 'never heard of');
    assert.equal((await g.call('staff', 'GET', `/records/${r.id}`)).json.deliveries.beta.state, 'queued');
    assert.equal(await health(...ago(0)), 'running');
    assert.equal(await health(...ago(10_000)), 'running', 'a late report');
    assert.equal(await health(...ago(180_000)), 'stopped');
    assert.equal(await health(...ago(180_000), 'hours_open', '0'), 'stopped', 'what it said last is old');
    assert.equal(await health(...ago(180_000), 'breaker', 'broken'), 'suspended', 'it said why it ended');
    await g.call('operator', 'POST', '/systems/beta/pause', { body: { reason: 'x' } });
    assert.equal(await health(...ago(180_000)), 'paused', 'a decision of people comes first');
    await g.call('operator', 'POST', '/systems/beta/resume', { body: { reason: 'x' } });
    assert.equal(await health('beat', '', 'breaker', 'closed', 'hours_open', '1'), 'stopped');
    assert.equal((await g.call('staff', 'GET', '/systems')).json.items.find((s) => s.id === 'paper').health, 'running', 'a hand-off has no worker');
    await settle('beta', { verdict: 'd', number: 'B2' });
  });

  test('replay: counted dry, then done; by state and time', async () => {
    const ids = [];
    await g.call('operator', 'POST', '/systems/alpha/replay', { body: { reason: '清理', states: ['dead', 'rejected'] } });
    await settle('alpha', { verdict: 'd', number: 'clean' });
    for (let i = 0; i < 6; i++) ids.push((await make(['alpha'])).id);
    await deliver(g, 'alpha', (d) => ({ verdict: ids.indexOf(d.id) % 2 ? 'j' : 'x', problem: { code: 'x', message: 'x' } }));
    const replay = (body) => g.call('operator', 'POST', '/systems/alpha/replay', { body: { reason: '批量', ...body } });
    assert.deepEqual((await replay({ dry_run: true })).json, { system: 'alpha', count: 3, more: false, dry_run: true });
    assert.equal((await replay({ dry_run: true, states: ['dead', 'rejected'] })).json.count, 6);
    assert.equal((await replay({ dry_run: true, since: '2099-01-01T00:00:00Z' })).json.count, 0);
    assert.equal((await g.call('operator', 'GET', '/deliveries?state=dead&system=alpha')).json.items.length, 3);
    assert.equal((await replay({})).json.count, 3);
    assert.equal((await g.call('operator', 'GET', '/deliveries?state=dead&system=alpha')).json.items.length, 0);
    for (const body of [{ states: [] }, { states: ['queued'] }, { since: 'x' }, { max: 0 }, { max: 1001 }]) assert.equal((await replay(body)).status, 422, JSON.stringify(body));
    assert.equal((await replay({ states: ['rejected'], max: 1000 })).json.count, 3);
  });

  test('the list of deliveries pages to its end', async () => {
    const expected = new Set();
    for (let i = 0; i < 12; i++) expected.add((await make(['paper'])).id);
    const seen = [];
    let next = '/deliveries?state=handoff&system=paper&limit=5';
    while (next) {
      const page = (await g.call('operator', 'GET', next.replace('/api/v1', ''))).json;
      seen.push(...page.items.map((i) => i.record));
      next = page.next;
    }
    for (const id of expected) assert.equal(seen.filter((s) => s === id).length, 1);
    assert.equal(new Set(seen).size, seen.length);
  });

  test('the audit trail pages without loss, oldest first', async () => {
    const whole = await audit();
    const seen = [];
    let next = '/audit?limit=3';
    while (next) {
      const page = (await g.call('auditor', 'GET', next.replace('/api/v1', ''))).json;
      seen.push(...deeds(page.items));
      next = page.next;
    }
    assert.deepEqual(seen, whole);
    assert.ok(whole.length > 5);
    for (let i = 1; i < whole.length; i++) assert.ok(whole[i - 1].at <= whole[i].at);
    assert.equal((await g.call('auditor', 'GET', '/audit?cursor=x')).status, 400);
  });
});
