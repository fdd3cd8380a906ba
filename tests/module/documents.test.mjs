/* SPDX-License-Identifier: Apache-2.0
 * What describes a deployment: OpenAPI, types, codes, systems, metrics, health.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { deliver, note, startGateway } from '../lib/gateway.mjs';

describe('documents', () => {
  let g;
  before(async () => { g = await startGateway(); });
  after(() => g.stop());

  test('openapi.json: 3.1, every route, every reference resolves, the types as they are', async () => {
    const r = await g.call(null, 'GET', '/openapi.json');
    assert.equal(r.status, 200);
    const doc = r.json;
    assert.equal(doc.openapi, '3.1.0');
    const operations = Object.entries(doc.paths).flatMap(([p, ms]) => Object.entries(ms).map(([m, op]) => ({ path: p, method: m, ...op })));
    assert.ok(operations.length >= 20);
    assert.equal(new Set(operations.map((o) => o.operationId)).size, operations.length);
    for (const p of ['/api/v1/records', '/api/v1/records/{id}', '/api/v1/records/{id}/deliveries/{system}/resolve', '/api/v1/audit', '/metrics']) assert.ok(doc.paths[p], p);
    for (const o of operations) {
      assert.ok(o.summary && o.responses, o.operationId);
      const inPath = [...o.path.matchAll(/\{(\w+)\}/g)].map((m) => m[1]);
      assert.deepEqual(o.parameters.filter((p) => p.in === 'path').map((p) => p.name), inPath);
      if (o.method === 'post' || o.method === 'patch') assert.ok(o.requestBody, o.operationId);
    }
    const refs = JSON.stringify(doc).match(/#\/components\/schemas\/[\w-]+/g);
    for (const ref of refs) assert.ok(doc.components.schemas[ref.split('/').pop()], ref);
    const file = JSON.parse(fs.readFileSync(path.join(g.deploy.dir, 'types/note.json'), 'utf8'));
    const { $id, ...schema } = doc.components.schemas.note;
    assert.equal($id, '/api/v1/types/note');
    assert.deepEqual(schema, file);
  });

  test('what the document promises of a route is what the route does', async () => {
    const doc = (await g.call(null, 'GET', '/openapi.json')).json;
    for (const [p, methods] of Object.entries(doc.paths)) {
      const target = p.replace('{id}', '01M80RTG1W5ZTZXYR1YGXKS6R0').replace('{system}', 'alpha').replace('{type}', 'note').replace('{table}', 'levels').replace('{session}', 'x');
      for (const [method, op] of Object.entries(methods)) {
        const open = op.security?.length === 0;
        const r = await g.nginx.request(method.toUpperCase(), target);
        /* what belongs to sign-in is not there while it is not configured, or wants its own words */
        if (open && /^\/(auth|cas|\.well-known)\//.test(p)) assert.ok([200, 302, 303, 400, 401, 403, 404, 415].includes(r.status), `${method} ${p}: ${r.status}`);
        else if (open) assert.ok(r.status < 400, `${method} ${p}: ${r.status}`);
        else assert.equal(r.status, 401, `${method} ${p}`);
      }
    }
  });

  test('which system takes which field of a type', async () => {
    const { items } = (await g.call('staff', 'GET', '/types/note/targets')).json;
    const alpha = items.find((s) => s.id === 'alpha');
    assert.deepEqual(alpha, { id: 'alpha', title: { zh: '甲系统', en: 'Alpha System' }, conditional: false, handoff: false,
      fields: [{ pointer: '/title', required: true, max: 100, to: ['title'] }, { pointer: '/level', required: false, to: ['level'] },
        { pointer: '/people/-/phone', required: false, max: 11, to: ['phone'] }] });
    assert.equal((await g.call('staff', 'GET', '/types/nothing/targets')).status, 404);
  });

  test('types and codes', async () => {
    const types = (await g.call('staff', 'GET', '/types')).json;
    assert.deepEqual(types.items, [{ name: 'note', title: { zh: '便条', en: 'Note' } }]);
    const type = await g.call('staff', 'GET', '/types/note');
    assert.equal(type.headers['content-type'], 'application/schema+json');
    assert.deepEqual(JSON.parse(type.body), JSON.parse(fs.readFileSync(path.join(g.deploy.dir, 'types/note.json'), 'utf8')));
    const codes = (await g.call('staff', 'GET', '/codes/levels')).json;
    assert.deepEqual(codes, { table: 'levels', items: [{ code: '1', label: '一般', label_en: 'Normal' }, { code: '2', label: '紧急', label_en: 'Urgent' }] });
  });

  test('systems: titles, counters, depth, age of the oldest', async () => {
    const r = await g.call('staff', 'POST', '/records', { body: note() });
    const by = () => g.call('staff', 'GET', '/systems').then((a) => Object.fromEntries(a.json.items.map((s) => [s.id, s])));
    const s = await by();
    assert.deepEqual(Object.keys(s), ['alpha', 'away', 'beta', 'paper']);
    assert.deepEqual(s.alpha.title, { zh: '甲系统', en: 'Alpha System' });
    assert.deepEqual([s.alpha.enabled, s.away.enabled, s.away.health, s.alpha.transport, s.paper.transport], [true, false, 'disabled', 'http', 'handoff']);
    assert.equal(s.alpha.depth, 1);
    assert.equal(s.alpha.oldest_at, r.json.created_at);
    assert.equal(s.paper.counts.handoff, 1);
    await deliver(g, 'alpha', () => ({ verdict: 'd', number: 'A' }));
    const after2 = await by();
    assert.deepEqual([after2.alpha.depth, after2.alpha.counts.delivered, after2.alpha.counts.attempts, after2.alpha.oldest_at], [0, 1, 1, null]);
  });

  test('metrics: Prometheus text, bounded labels, no names of people', async () => {
    const r = await g.nginx.request('GET', '/metrics');
    assert.equal(r.status, 200);
    assert.match(r.headers['content-type'], /^text\/plain; version=0\.0\.4/);
    const lines = r.body.trim().split('\n');
    for (const line of lines) assert.match(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{[a-z]+="[\w-]+"(,[a-z]+="[\w-]+")*\})? -?\d+)$/, line);
    const value = (name) => Number(lines.find((l) => l.startsWith(`${name} `)).split(' ').pop());
    assert.equal(value('yimen_redis_up'), 1);
    assert.equal(value('yimen_deliveries{system="alpha",state="delivered"}'), 1);
    assert.equal(value('yimen_deliveries{system="paper",state="handoff"}'), 1);
    const before = value('yimen_accepted_total');
    await g.call('staff', 'POST', '/records', { body: note() });
    const again = (await g.nginx.request('GET', '/metrics')).body;
    assert.match(again, new RegExp(`^yimen_accepted_total ${before + 1}$`, 'm'));
    assert.match(again, /^yimen_requests_total\{status="2xx"\} \d+$/m);
    assert.doesNotMatch(again, /mei|13800000000|away/);
  });

  test('healthz and readyz', async () => {
    assert.deepEqual((await g.nginx.request('GET', '/healthz')).json, { status: 'ok' });
    assert.deepEqual((await g.nginx.request('GET', '/readyz')).json, { status: 'ready' });
    await g.redis.client.command('FUNCTION', 'LOAD', 'REPLACE', "#!lua name=yimen\nredis.register_function('ym_version', function() return '0' end)");
    const r = await g.nginx.request('GET', '/readyz', { headers: { 'accept-language': 'en' } });
    assert.equal(r.status, 503);
    assert.match(r.json.detail, /another version/);
  });
});
