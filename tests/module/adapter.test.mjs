/* SPDX-License-Identifier: Apache-2.0
 * An adapter as operators read it: field table, tests' results, a dry run with the lineage of each value.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { deliver, note, startGateway } from '../lib/gateway.mjs';
import { jpeg } from '../lib/pictures.mjs';

describe('adapter', () => {
  let g;
  before(async () => {
    g = await startGateway();
    /* one table that joins, one that is masked, one secret, as adapters have them */
    g.deploy.edit('adapters/alpha/adapter.yaml', (t) => t.replace('takes: [note]\n', 'takes: [note]\nmasks: [level]\n')
      .replace('      - { to: level, from: /data/level }\n', `      - { to: level, from: /data/level }
      - { to: key, from: $secret.key }
      - { to: words, concat: [ { from: /data/title }, { const: " / " }, { from: /data/text } ] }
      - { to: files, each: /attachments, fields: [ { to: file, from: /name } ] }
      - { to: who, each: /data/people, fields: [ { to: name, from: /name, required: true }, { to: role, from: /role } ] }
`));
    g.deploy.edit('systems/alpha.yaml', (t) => `${t}\nsecrets: { key: "env:NOBODY_READS_THIS" }\n`);
    await g.nginx.reload?.();
  });
  after(() => g.stop());

  const adapter = async (id, who = 'operator') => g.call(who, 'GET', `/systems/${id}/adapter`);
  const render = async (id, body, who = 'operator') => g.call(who, 'POST', `/systems/${id}/render`, { body });
  const tests = (all) => {
    fs.mkdirSync(path.join(g.deploy.dir, 'state'), { recursive: true });
    fs.writeFileSync(path.join(g.deploy.dir, 'state/adapter-tests.json'), typeof all === 'string' ? all : JSON.stringify(all));
  };

  test('for operators; a system that is not there is 404', async () => {
    for (const [who, status] of [['staff', 403], ['supervisor', 403], ['auditor', 403], ['operator', 200], ['admin', 200]]) {
      assert.equal((await adapter('alpha', who)).status, status, who);
      assert.equal((await render('alpha', { data: note().data }, who)).status, status, who);
    }
    assert.equal((await adapter('nothing')).status, 404);
    assert.equal((await render('nothing', { data: {} })).status, 404);
  });

  test('version, standing and the field table', async () => {
    const a = (await adapter('alpha')).json;
    assert.deepEqual([a.id, a.version, a.transport, a.verified, a.verified_against, a.takes], ['alpha', 1, 'http', 'own-simulator', 'nothing: only the module\'s tests know it', ['note']]);
    const create = a.operations.find((o) => o.name === 'create');
    assert.equal(create.idempotent, true);
    const by = Object.fromEntries(create.fields.map((f) => [`${f.to} ${f.from ?? f.constant}`, f]));
    assert.deepEqual([by['title /data/title'].required, by['title /data/title'].max, by['title /data/title'].table], [true, 100, 'fields']);
    assert.equal(by['who.name /data/people/-/name'].required, true);
    assert.ok(by['key $secret.key'], 'the name of a secret, never more');
    assert.ok(by['words /data/title'] && by['words /data/text'] && by['words  / ']);
    assert.ok(a.operations.some((o) => o.name === 'withdraw'));
  });

  test('results of the tests: none honestly, then those of the last run, and whether the adapter is still the same', async () => {
    assert.equal((await adapter('alpha')).json.tests, null);
    const digest = crypto.createHash('sha256').update(fs.readFileSync(path.join(g.deploy.dir, 'adapters/alpha/adapter.yaml'))).digest('hex');
    const of = (d) => ({ alpha: { at: 1785542400000, version: 1, digest: d, items: [{ name: 'a', operation: 'create', ok: true }, { name: 'b', operation: 'create', ok: false, why: 'line 3' }] } });
    tests(of(digest));
    const kept = (await adapter('alpha')).json.tests;
    assert.deepEqual([kept.at, kept.passed, kept.failed, kept.stale, kept.items[1].why], ['2026-08-01T08:00:00+08:00', 1, 1, false, 'line 3']);
    tests(of('0'.repeat(64)));
    assert.equal((await adapter('alpha')).json.tests.stale, true);
    assert.equal((await adapter('beta')).json.tests, null);
    for (const broken of ['', '[]', '{"alpha": 7}', '{"alpha": {"digest": "x"}}', 'no json']) {
      tests(broken);
      assert.equal((await adapter('alpha')).json.tests, null, broken);
    }
  });

  test('a dry run of data one has: every value with where it comes from; nothing is sent or stored', async () => {
    const count = async () => (await g.call('admin', 'GET', '/records?limit=200')).json.items.length;
    const before = await count();
    const r = await render('alpha', { type: 'note', data: note().data });
    assert.equal(r.status, 200, r.body);
    assert.deepEqual([r.json.valid, r.json.errors, r.json.masked, r.json.operation], [true, [], false, 'create']);
    const by = Object.fromEntries(r.json.fields.map((f) => [f.sources[0].to, f]));
    assert.deepEqual([by.title.value, by.title.pointer, by.title.sources[0].from], ['邻里噪声', '/title', '/data/title']);
    assert.deepEqual([by.words.value, by.words.sources.map((s) => s.from ?? s.constant)], ['邻里噪声 / 楼上夜间装修', ['/data/title', ' / ', '/data/text']]);
    assert.deepEqual([by['who.name'].value, by['who.name'].pointer], ['王某', '/people/0/name']);
    assert.equal(by.key.value, '***', 'no secret is read');
    assert.equal(await count(), before);
    assert.equal((await g.call('operator', 'GET', '/systems')).json.items.find((s) => s.id === 'alpha').depth, 0);
  });

  test('what the system would object to is told beside what it would get', async () => {
    const data = { ...note().data, title: 'x'.repeat(101) };
    const r = (await render('alpha', { type: 'note', data })).json;
    assert.equal(r.valid, false);
    assert.ok(r.errors.some((e) => e.pointer === '/title' && e.code === 'too_long' && e.systems.includes('alpha')), JSON.stringify(r.errors));
    assert.ok(r.fields.some((f) => f.sources[0].to === 'level'));
    for (const [body, status] of [[{}, 422], [{ record: 'x', data: {} }, 422], [{ record: 'nonsense' }, 404], [{ record: '01M80RTG1W5ZTZXYR1YGXKS6R0' }, 404],
      [{ data: {}, type: 'nothing' }, 422], [{ data: {}, operation: 'nothing' }, 422], [{ data: {}, more: 1 }, 422], [{ data: [] }, 422]]) {
      assert.equal((await render('alpha', body)).status, status, JSON.stringify(body));
    }
  });

  test('a stored record: personal data and what the adapter masks are hidden from operators, not from who may see them', async () => {
    const { id } = (await g.call('staff', 'POST', '/records', { body: note() })).json;
    const photo = await g.call('staff', 'POST', '/attachments', { body: jpeg(), headers: { 'content-type': 'image/jpeg', 'content-disposition': "attachment; filename*=UTF-8''%E7%8E%8B%E6%9F%90.jpg" } });
    const added = await g.call('staff', 'PATCH', `/records/${id}`, { headers: { 'if-match': '"1"', 'content-type': 'application/merge-patch+json' }, body: JSON.stringify({ attachments: [{ id: photo.json.id }] }) });
    assert.equal(added.status, 200, added.body);
    await deliver(g, 'alpha', () => ({ verdict: 'd', number: 'A7' }));
    const seen = await render('alpha', { record: id });
    assert.equal(seen.status, 200, seen.body);
    assert.equal(seen.json.masked, true);
    const by = Object.fromEntries(seen.json.fields.map((f) => [f.sources[0].to, f.value]));
    assert.deepEqual([by.phone, by['who.name'], by.words, by.level, by['files.file']], ['***', '***', '***', '***', '***']);
    assert.deepEqual([by.title, by['who.role']], ['邻里噪声', 'applicant']);
    for (const secret of ['13800000000', '王某', '楼上夜间装修']) assert.ok(!seen.body.includes(secret), secret);
    const full = (await render('alpha', { record: id }, 'admin')).json;
    assert.equal(full.masked, false);
    assert.ok(full.fields.some((f) => f.value === '13800000000') && full.fields.some((f) => f.value === '王某.jpg'));
    const { items } = (await g.call('admin', 'GET', '/audit?limit=200')).json;
    assert.ok(items.some((e) => e.record === id && e.what === 'read' && e.who === 'root' && e.why === 'dry run'), 'seeing it in full is written down');
  });
});
