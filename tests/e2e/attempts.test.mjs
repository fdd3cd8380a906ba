/* SPDX-License-Identifier: Apache-2.0
 * What operators see of attempts that failed, over every transport and with the shipped adapters: the
 * shape of request and answer, nothing that tells of a person and no secret; in full for a purpose.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { EIGHT, QUICK, dispute, openStack, until } from './stack_helper.mjs';

const LOOKED = ['gov-service', 'village-admin'];   /* refused when they are looked at */

/* Texts of the dispute that its type marks as personal. */
const PERSONAL = (() => {
  const { data } = dispute();
  return [data.summary, data.place.address, ...data.parties.filter((p) => p.kind === 'person').flatMap((p) => [p.name, p.id_no, p.phone, p.address])].filter((t) => typeof t === 'string' && t.length > 1);
})();

const LOOKS = {
  'zj-odr': /^POST http:\/\//, 'people-mediation': /^FORM http:\/\//, 'grid-platform': /soap:Envelope/, 'hotline-12345': /Envelope/,
  'data-commons': /^POST http:\/\//, 'gov-service': /^SELECT /, 'village-admin': /^READ /, 'patrol-app': /Envelope/,
};

describe('attempts', () => {
  let s, id;
  const path = (system) => `/records/${id}/deliveries/${system}/attempts`;

  before(async () => {
    s = await openStack({ settings: { ...QUICK, attempts: 3, breaker_failures: 50 } });
    for (const system of EIGHT) await s.behave(system, 'reject', { field: 'title' });
    id = (await s.file(dispute({ title: '邻里纠纷' }, EIGHT))).id;
    await s.settled(id, 'refused everywhere', (d) => EIGHT.every((x) => d[x].state === 'rejected'), 40);
  });
  after(() => s.close());

  const secrets = () => {
    const dir = join(s.dir, 'secrets');
    let files = [];
    try { files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((f) => f.isFile()); } catch { /* none */ }
    return files.map((f) => readFileSync(join(f.parentPath ?? f.path, f.name), 'utf8').trim()).filter((t) => t.length >= 4 && t.length < 200);
  };

  for (const system of EIGHT) {
    test(`${system}: the shape for operators, everything for a purpose, secrets for nobody`, async () => {
      const masked = await s.api('operator', path(system));
      assert.equal(masked.status, 200, masked.text);
      const [a] = masked.json.items;
      assert.ok(a, 'it is kept');
      assert.equal(a.state, 'rejected');
      assert.ok(a.steps.every((x) => x.operation && x.outcome && x.took_ms >= 0));
      const step = a.steps.at(-1);
      assert.equal(step.outcome, 'rejected');
      assert.match(a.steps.map((x) => x.request?.text ?? '').join('\n'), LOOKS[system]);
      for (const text of PERSONAL) assert.ok(!masked.text.includes(text), `${system} shows ${text}`);
      const full = await s.post('operator', `${path(system)}/reveal`, { purpose: '核对退回原因' });
      assert.equal(full.status, 200, full.text);
      if (!LOOKED.includes(system)) assert.ok(PERSONAL.some((text) => full.text.includes(text)), 'in full it is what was sent');
      for (const secret of secrets()) assert.ok(!full.text.includes(secret), `${system} shows a secret`);
      assert.equal((await s.api('staff', path(system))).status, 403);
    });
  }

  test('who saw it, and what for, is evidence', async () => {
    const { items } = (await s.api('auditor', `/audit?what=reveal&record=${id}&limit=200`)).json;
    assert.deepEqual([...new Set(items.map((e) => e.system))].sort(), [...EIGHT].sort());
    assert.ok(items.every((e) => e.why === '核对退回原因'));
  });

  test('an operator without the right mends nothing; with it, with a reason, it goes the same way again', async () => {
    const { revision } = await s.record(id);
    const amend = () => s.api('operator', `/records/${id}/amend`, {
      method: 'POST', body: { data: { title: '邻里噪声纠纷' }, reason: '申请人来电更正标题' }, headers: { 'If-Match': `"${revision}"` } });
    assert.equal((await amend()).status, 403);
    appendFileSync(s.info.config, 'audit:\n  amend: operator\n');
    s.signal('nginx', 'SIGHUP');
    await until('the right', 10, async () => (await s.api('operator', '/me')).json?.rights.includes('amend'));
    for (const system of EIGHT) await s.behave(system, 'normal', {});
    const done = await amend();
    assert.equal(done.status, 200, done.text);
    assert.equal(done.json.masked, true);
    await s.settled(id, 'mended everywhere', (d) => EIGHT.every((x) => d[x].state === 'delivered' && d[x].revision === revision + 1), 40);
    const last = (await s.api('staff', `/records/${id}/history`)).json.revisions.at(-1);
    assert.deepEqual([last.revision, last.data.title, last.reason], [revision + 1, '邻里噪声纠纷', '申请人来电更正标题']);
    const e = (await s.api('auditor', `/audit?what=amend&record=${id}&limit=10`)).json.items.at(-1);
    assert.deepEqual([e.who, e.why, e.outcome], [last.by, '/title: 申请人来电更正标题', 'ok']);
  });
});
