/* SPDX-License-Identifier: Apache-2.0
 * J178 errors: problem details in the reader's language, right methods and paths, nothing inside out.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { note, startGateway } from '../lib/gateway.mjs';

describe('problems', () => {
  let g;
  before(async () => { g = await startGateway(); });
  after(() => g.stop());
  const get = (target, headers = {}, who = 'staff') => g.call(who, 'GET', target, { headers });

  test('type, title, status, detail, instance; Chinese unless English is asked for', async () => {
    const zh = await get('/records/01M80RTG1W5ZTZXYR1YGXKS6R0');
    assert.deepEqual(zh.json, { type: 'urn:yimen:problem:not-found', title: '没有找到', status: 404, instance: '/api/v1/records/01M80RTG1W5ZTZXYR1YGXKS6R0' });
    assert.equal(zh.headers['content-type'], 'application/problem+json');
    assert.equal(zh.headers['content-language'], 'zh-CN');
    for (const [language, title] of [['en', 'Not found'], ['en-GB,zh;q=0.5', 'Not found'], ['zh-TW, en;q=0.9', '没有找到'],
      ['fr', '没有找到'], ['zh;q=0.2, en;q=0.8', 'Not found'], ['', '没有找到'], ['%%%;q=x', '没有找到']]) {
      assert.equal((await get('/records/01M80RTG1W5ZTZXYR1YGXKS6R0', { 'accept-language': language })).json.title, title, language);
    }
  });

  test('problems of a record in both languages name the systems', async () => {
    const bad = note({ title: 'x'.repeat(21) });
    const zh = await g.call('staff', 'POST', '/records', { body: bad });
    assert.equal(zh.json.errors[0].message, '乙系统 最多接受 20 个字符');
    const en = await g.call('staff', 'POST', '/records', { body: bad, headers: { 'accept-language': 'en' } });
    assert.equal(en.json.errors[0].message, 'Beta System takes at most 20 characters');
    assert.equal(en.json.errors[0].limit, 20);
  });

  test('unknown paths are 404, known ones with another method 405 with Allow', async () => {
    for (const path of ['/', '/nothing', '/records/', '/records/x/y', '/records//history', '/types/none', '/codes/none', '/records/lower01m80rtg1w5ztzxyr1']) {
      assert.equal((await get(path)).status, 404, path);
    }
    for (const [method, path, allow] of [['DELETE', '/records', 'GET, HEAD, POST'], ['PUT', '/records/01M80RTG1W5ZTZXYR1YGXKS6R0', 'GET, HEAD, PATCH'],
      ['POST', '/me', 'GET, HEAD'], ['GET', '/systems/alpha/pause', 'POST']]) {
      const r = await g.call('staff', method, path);
      assert.equal(r.status, 405, path);
      assert.equal(r.headers.allow, allow);
      assert.equal(r.json.status, 405);
    }
  });

  test('HEAD answers as GET without a body', async () => {
    const made = await g.call('staff', 'POST', '/records', { body: note() });
    const full = await get(`/records/${made.json.id}`);
    const head = await g.call('staff', 'HEAD', `/records/${made.json.id}`);
    assert.equal(head.status, 200);
    assert.equal(head.body, '');
    assert.equal(head.headers['content-length'], full.headers['content-length']);
    assert.equal(head.headers.etag, '"1"');
  });

  test('an instance never carries the query', async () => {
    const r = await get('/records?limit=0&key.phone=13800000000');
    assert.equal(r.status, 400);
    assert.equal(r.json.instance, '/api/v1/records');
    assert.doesNotMatch(g.nginx.log(), /13800000000/);
  });

  test('escaped paths are the same paths; dots do not climb', async () => {
    assert.equal((await get('/%6De')).status, 200);
    assert.equal((await get('/x/../me')).status, 200);
    assert.equal((await get('/records/..%2Fme')).status, 200, 'resolved to /me before routing');
    assert.equal((await get('/records/%00')).status, 400);
  });
});
