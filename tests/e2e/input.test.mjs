/* SPDX-License-Identifier: Apache-2.0
 * Bad input through the real front: every limit of the API with its answer, every problem of a wrong
 * record in one answer, and nothing of it stored or sent.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { stopwatch } from '../lib/pace.mjs';
import { EIGHT, NINE, dispute, openStack } from './stack_helper.mjs';

describe('input', () => {
  let s, size;
  /* evidence of the refusals, and where its archivist stands, are no traces of records */
  const keys = () => s.redis('KEYS', '*').split('\n').filter((k) => !/:(audit|ch)$/.test(k)).length;
  before(async () => { s = await openStack(); size = keys(); });
  after(async () => {
    try {
      const { json } = await s.api('admin', '/records');
      assert.deepEqual(json.items, [], 'nothing was stored');
      assert.equal(keys(), size, 'no key was left in Redis');
      for (const id of EIGHT) assert.deepEqual(await s.calls(id), [], `${id} was called`);
    } finally {
      await s.close();
    }
  });

  const post = (raw, headers = {}) => s.api('staff', '/records', { method: 'POST', raw, headers: { 'Content-Type': 'application/json', ...headers } });
  const refused = async (status, raw, headers) => {
    const r = await post(raw, headers);
    assert.equal(r.status, status, `${String(raw).slice(0, 80)}: ${r.text.slice(0, 300)}`);
    assert.equal(r.headers.get('content-type'), 'application/problem+json');
    assert.equal(r.json.status, status);
    assert.ok(r.json.title.length > 0);
    return r;
  };
  const good = () => JSON.stringify(dispute());
  const withTitle = (bytes) => {
    const [a, b] = good().split('示例建筑公司拖欠测试甲工资纠纷');
    return Buffer.concat([Buffer.from(a), Buffer.from(bytes), Buffer.from(b)]);
  };

  test('body over 1 MiB: 413', async () => {
    await refused(413, JSON.stringify(dispute({ summary: 'x'.repeat(1024 * 1024) })));
  });

  test('nested deeper than 32: 400', async () => {
    await refused(400, `{"type":"dispute","data":${'{"a":'.repeat(33)}1${'}'.repeat(33)}}`);
    await refused(400, '['.repeat(100000));
  });

  test('more than 10,000 members: 400', async () => {
    await refused(400, `{"type":"dispute","data":{"title":"x","list":[${'0,'.repeat(10000)}0]}}`);
  });

  test('duplicate keys: 400', async () => {
    await refused(400, good().replace('"title":', '"title":"a","title":'));
    await refused(400, good().replace('"title":', '"title":"a","\\u0074itle":'));
  });

  test('invalid UTF-8, NUL, lone surrogates: 400', async () => {
    for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe7, 0xa4]]) await refused(400, withTitle(bytes));
    await refused(400, withTitle([0]));
    for (const text of ['\\u0000', '\\ud800', '\\udc00', '\\ud800x']) await refused(400, withTitle(Buffer.from(text)));
  });

  test('what is no JSON, or no object: 400', async () => {
    for (const raw of ['', '{', good().slice(0, -1), `${good()}{}`, '[]', 'null', '"x"', 'NaN', `\ufeff${good()}`]) await refused(400, raw);
  });

  test('content type: 415', async () => {
    await refused(415, good(), { 'Content-Type': 'text/plain' });
    await refused(415, good(), { 'Content-Type': 'application/x-www-form-urlencoded' });
  });

  test('list page over 200: 400; under it no', async () => {
    assert.equal((await s.api('staff', '/records?limit=201')).status, 400);
    assert.equal((await s.api('staff', '/records?limit=0')).status, 400);
    assert.equal((await s.api('staff', '/records?limit=200')).status, 200);
  });

  test('Idempotency-Key: 1 to 200 visible characters', async () => {
    for (const key of ['x'.repeat(201), 'a b', '']) {
      const r = await post(good(), { 'Idempotency-Key': key });
      assert.equal(r.status, 400, `"${key.slice(0, 10)}": ${r.text}`);
    }
  });

  test('Prefer: wait beyond 30 seconds does not hold anybody', async () => {
    const ms = stopwatch();
    await refused(422, '{"type":"dispute","data":{}}', { Prefer: 'wait=100000' });
    assert.ok(ms() < 5000);
  });

  test('tokens: none, not ours, too long: 401', async () => {
    for (const value of [undefined, 'Bearer x', `Bearer ${'x'.repeat(9000)}`, `Bearer ${s.info.staff_token}x`, 'Basic eDp5']) {
      const r = await s.api(undefined, '/records', { method: 'POST', raw: good(), headers: { 'Content-Type': 'application/json', ...(value ? { Authorization: value } : {}) } });
      /* a header line beyond nginx's own buffer never reaches the module: 400 */
      const status = value?.length > 8192 ? 400 : 401;
      assert.equal(r.status, status, value?.slice(0, 20));
      if (status === 401) assert.ok(r.headers.get('www-authenticate'));
    }
  });

  test('an auditor files nothing: 403', async () => {
    assert.equal((await s.api('auditor', '/records', { method: 'POST', body: dispute() })).status, 403);
  });

  test('unknown type, unknown target, unknown member: said with a pointer', async () => {
    const type = await s.api('staff', '/records', { method: 'POST', body: { type: 'nothing', data: {} } });
    assert.ok([404, 422].includes(type.status), type.text);
    const target = await s.api('staff', '/records', { method: 'POST', body: dispute({}, ['zj-odr', 'moon-base']) });
    assert.equal(target.status, 422, target.text);
    assert.match(target.text, /moon-base/);
    const member = await s.api('staff', '/records', { method: 'POST', body: dispute({ colour: 'blue' }) });
    assert.equal(member.status, 422);
    assert.ok(member.json.errors.some((e) => e.pointer === '/data/colour' || e.pointer === '/colour'), member.text);
  });

  /* A record with many faults, some of the type's own, some of one system, some of several. */
  const wrong = () => {
    const d = dispute({}, NINE);
    d.data.title = '很'.repeat(101);                    /* type: 200 are allowed; most systems: 100 */
    d.data.place.area12 = '330106001';                  /* type */
    d.data.parties[0].id_no = '330106189003070016';     /* type: check digit */
    d.data.parties[1].org_code = '91000000MA00000158';  /* type: check digit */
    d.data.parties[0].phone = '0571-88888888-01';       /* village-admin takes 11 digits */
    d.data.category.code4 = '9999';                     /* type: no such code */
    delete d.data.summary;                              /* wanted by type or systems */
    d.data.handler.org = '没有登记的调解委员会';          /* people-mediation has no id for it */
    d.data.people_count = -1;                           /* type */
    return d;
  };

  test('a wrong record: 422 with every problem at once, its pointer, reason and systems', async () => {
    const r = await s.api('staff', '/records', { method: 'POST', body: wrong(), headers: { 'Idempotency-Key': 'wrong-1' } });
    assert.equal(r.status, 422, r.text);
    assert.equal(r.headers.get('content-type'), 'application/problem+json');
    const by = Object.groupBy ? Object.groupBy(r.json.errors, (e) => e.pointer) : r.json.errors.reduce((o, e) => ({ ...o, [e.pointer]: [...(o[e.pointer] ?? []), e] }), {});
    const want = ['/place/area12', '/parties/0/id_no', '/parties/1/org_code', '/category/code4', '/summary', '/people_count',
      '/title', '/parties/0/phone', '/handler/org'];
    for (const pointer of want) assert.ok(by[pointer], `${pointer} is not among ${Object.keys(by)}`);
    for (const e of r.json.errors) {
      assert.match(e.code, /^[a-z_]+$/);
      assert.match(e.message, /\p{Script=Han}/u, JSON.stringify(e));
      if (e.systems) assert.ok(e.systems.every((id) => NINE.includes(id)) && e.systems.length > 0);
    }
    const objecting = (pointer) => [...new Set(by[pointer].flatMap((e) => e.systems ?? []))].sort();
    const title = objecting('/title');
    for (const id of ['zj-odr', 'people-mediation', 'grid-platform', 'hotline-12345', 'village-admin', 'patrol-app']) assert.ok(title.includes(id), `${id} takes 100 characters`);
    for (const id of ['data-commons', 'gov-service']) assert.ok(!title.includes(id), `${id} takes more`);
    assert.ok(objecting('/parties/0/phone').includes('village-admin'));
    assert.deepEqual(objecting('/handler/org'), ['people-mediation']);
    assert.doesNotMatch(s.log('nginx-error'), /没有登记|330106189003070016|88888888/, 'no personal data in the log');
  });

  test('the same in English', async () => {
    const r = await s.api('staff', '/records', { method: 'POST', body: wrong(), headers: { 'Accept-Language': 'en' } });
    assert.equal(r.status, 422);
    const title = r.json.errors.find((e) => e.pointer === '/title' && e.systems?.includes('zj-odr'));
    assert.match(title.message, /at most 100 characters/);
    const phone = r.json.errors.find((e) => e.pointer === '/parties/0/phone' && e.systems?.includes('village-admin'));
    assert.match(phone.message, /\b11\b/);
    for (const e of r.json.errors) assert.doesNotMatch(e.message.replace(/“[^”]*”|"[^"]*"/g, ''), /\p{Script=Han}/u, JSON.stringify(e));
  });

  test('a refused record leaves its idempotency key free', async () => {
    const again = await s.api('staff', '/records', { method: 'POST', body: { type: 'dispute', data: {} }, headers: { 'Idempotency-Key': 'wrong-1' } });
    assert.equal(again.status, 422);
    assert.ok(again.json.errors.some((e) => e.pointer === '/title'), 'judged anew, not replayed');
  });

  test('only the targets object: without them the record would pass', async () => {
    const long = (targets) => s.api('staff', '/records?dry_run=true', { method: 'POST', body: dispute({ title: '长'.repeat(150) }, targets) });
    assert.equal((await long(['data-commons', 'gov-service'])).status, 200);
    assert.equal((await long(['data-commons', 'gov-service', 'zj-odr'])).status, 422);
  });

  test('dry run: the targets it would have, nothing stored', async () => {
    const r = await s.api('staff', '/records?dry_run=true', { method: 'POST', body: dispute(), headers: { 'Idempotency-Key': 'dry-1' } });
    assert.equal(r.status, 200, r.text);
    assert.deepEqual([...r.json.targets].sort(), [...NINE].sort());
    assert.equal(r.headers.get('location'), null);
    assert.equal((await s.api('staff', '/records?dry_run=true', { method: 'POST', body: wrong() })).status, 422);
  });
});
