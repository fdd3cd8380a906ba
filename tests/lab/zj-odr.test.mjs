/* SPDX-License-Identifier: Apache-2.0
 * zj-odr driven by plain fetch with a signature made here from the published recipe.
 */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { beforeEach, test } from 'node:test';
import { loadTable } from './lab_check.mjs';
import { eventually, newRef, openLab } from './lab_client.mjs';
import { bgSign } from './zj-odr.mjs';

const ID = 'zj-odr';
const lab = await openLab([ID]);
const { endpoint, secrets } = lab.systems[ID];
const BASE = '/restapi/prod/IC33000020260000000001/odr/case/';
beforeEach(() => lab.reset());

const full = (ref) => ({
    outCaseNo: ref, outVersion: '1', title: '测试甲与测试乙“漏水”纠纷 & <其他>', disputeType: '相邻关系', content: '楼上漏水。\n"引号"\\反斜杠', occurDate: '2026-03-01',
    occurArea: '330106100201', occurAddress: '示例镇示例村1号', amount: '1234.50', peopleCount: '2',
    applicantType: '自然人', applicantName: '测试甲', applicantIdType: '居民身份证', applicantIdNo: '330106189003070015', applicantSex: '男', applicantPhone: '13000000001',
    respondentType: '法人', respondentName: '示例公司', respondentIdType: '统一社会信用代码', respondentIdNo: '91000000MA00000157',
});

function headers(op, { key = secrets.accessKey, secret = secrets.secretKey, date = new Date().toUTCString() } = {}) {
    const sign = createHmac('sha256', secret).update(`POST\n${BASE}${op}\n\n${key}\n${date}\n`).digest('base64');
    return { 'X-BG-HMAC-ACCESS-KEY': key, 'X-BG-HMAC-ALGORITHM': 'hmac-sha256', 'X-BG-DATE-TIME': date, 'X-BG-HMAC-SIGNATURE': sign };
}

async function call(op, fields, auth) {
    const r = await fetch(endpoint + BASE + op, { method: 'POST', headers: headers(op, auth), body: new URLSearchParams(fields), signal: AbortSignal.timeout(5000) });
    const text = await r.text();
    return { status: r.status, text, head: r.headers, get json() { return JSON.parse(text); } };
}

test('the gateway signature agrees with the published vectors', () => {
    for (const id of ['bg-post', 'bg-query', 'bg-plus']) {
        const v = loadTable('test-vectors').find((x) => x.id === id);
        const [method, path, , ak, date] = v.string_to_sign.split('\\n');
        const query = { 'bg-post': '', 'bg-query': 'b=你 好&a=1', 'bg-plus': 'c=1+1' }[id];
        assert.equal(bgSign('sk-demo', method, path, query, ak, date), v.expected);
    }
});

test('create, query, update, withdraw; the content is what was sent', async () => {
    const ref = newRef(), f = full(ref);
    const made = (await call('create', f)).json;
    assert.match(made.data.caseNo, /^ODR\d{10}$/);
    assert.deepEqual((await call('query', { outCaseNo: ref })).json.data, { caseNo: made.data.caseNo, outCaseNo: ref, outVersion: 1, status: '10' });
    const changed = (await call('update', { ...f, caseNo: made.data.caseNo, outVersion: '2', title: '改' })).json;
    assert.equal(changed.data.outVersion, 2);
    const [rec] = await lab.records(ID, ref);
    assert.equal(rec.received, 2);
    assert.deepEqual(rec.history.map((h) => h.revision), [1, 2]);
    assert.equal(rec.fields.content, f.content);
    assert.equal(rec.content.纠纷类型, '相邻关系');
    assert.equal((await call('withdraw', { outCaseNo: ref, caseNo: made.data.caseNo, outVersion: '3', reason: '当事人撤回' })).json.data.status, '90');
    assert.equal((await call('update', { ...f, caseNo: made.data.caseNo })).json.errorCode, 'ODR-CASE-CLOSED');
});

test('an unknown reference is found absent, data null', async () => {
    const r = (await call('query', { outCaseNo: newRef() })).json;
    assert.equal(r.success, true);
    assert.equal(r.data, null);
});

test('a second create is refused with the number and stores nothing', async () => {
    const ref = newRef(), f = full(ref);
    const first = (await call('create', f)).json;
    const second = (await call('create', f)).json;
    assert.equal(second.errorCode, 'ODR-CASE-EXISTS');
    assert.equal(second.data.caseNo, first.data.caseNo);
    assert.equal((await lab.records(ID, ref)).length, 1);
});

for (const [field, value] of [['title', ''], ['title', '长'.repeat(101)], ['disputeType', '邻里纠纷'], ['occurDate', '2026-02-30'],
    ['occurArea', '3301'], ['applicantIdNo', '330106189003070016'], ['respondentIdNo', '91000000MA00000158'], ['amount', '12.5'],
    ['applicantPhone', '12000000001'], ['result', '1'], ['unknownField', 'x']]) {
    test(`refuses ${field} = ${value.slice(0, 20)} and names it`, async () => {
        const ref = newRef();
        const r = (await call('create', { ...full(ref), [field]: value })).json;
        assert.equal(r.errorCode, 'ODR-PARAM-INVALID');
        assert.equal(r.data.field, field);
        assert.deepEqual(await lab.records(ID, ref), []);
    });
}

test('refuses a wrong key, a wrong signature and a clock 10 minutes off', async () => {
    assert.equal((await call('query', {}, { key: 'x' })).json.errorCode, 'BG-AK-UNKNOWN');
    const wrong = await call('query', {}, { secret: 'x' });
    assert.equal(wrong.status, 401);
    assert.equal(wrong.json.errorCode, 'BG-SIGN-INVALID');
    assert.equal((await call('query', {}, { date: new Date(Date.now() - 600_000).toUTCString() })).json.errorCode, 'BG-DATE-EXPIRED');
});

for (const [mode, stored] of [['cut_before', 0], ['cut_after', 1], ['500', 0], ['garbage', 1], ['truncated', 1], ['wrong_charset', 1], ['fail_200', 0],
    ['throttle', 0], ['login_page', 0], ['captcha', 0], ['bad_sign', 0], ['reject', 0], ['duplicate', 0]]) {
    test(`${mode} for one call stores ${stored}, the next call is well again`, async () => {
        const ref = newRef(), f = full(ref);
        await lab.behave(ID, { mode, calls: 1, field: 'content' });
        const r = await call('create', f).catch((err) => ({ err }));
        assert.equal((await lab.records(ID, ref)).length, stored);
        if (mode.startsWith('cut')) assert.ok(r.err);
        if (mode === '500') assert.equal(r.status, 500);
        if (['garbage', 'truncated', 'login_page', 'captcha'].includes(mode)) assert.throws(() => r.json);
        if (mode === 'wrong_charset') assert.match(r.text, /\ufffd/);
        if (mode === 'throttle') assert.deepEqual([r.status, r.head.get('retry-after')], [429, '2']);
        if (mode === 'reject') assert.equal(r.json.data.field, 'content');
        if (mode === 'duplicate') assert.deepEqual([r.json.errorCode, r.json.data], ['ODR-CASE-EXISTS', null]);
        assert.equal((await call('query', { outCaseNo: ref })).json.success, true);
        assert.equal((await lab.calls(ID))[0].mode, mode);
    });
}

test('answer_lost stores and never answers; slow stores before it waits; late after', async () => {
    const ref = newRef();
    await lab.behave(ID, { mode: 'answer_lost', calls: 1 });
    const give = AbortSignal.timeout(2000);
    await assert.rejects(fetch(endpoint + BASE + 'create', { method: 'POST', headers: headers('create'), body: new URLSearchParams(full(ref)), signal: give }));
    assert.equal((await lab.records(ID, ref)).length, 1);
    for (const [mode, early] of [['slow', 1], ['late', 0]]) {
        const other = newRef();
        await lab.behave(ID, { mode, calls: 1, ms: 2000 });
        const pending = call('create', full(other));
        if (early) await eventually(async () => (await lab.records(ID, other)).length === early, mode);
        else await new Promise((r) => setTimeout(r, 200));
        assert.equal((await lab.records(ID, other)).length, early, mode);
        assert.equal(await Promise.race([pending, 'still waiting']), 'still waiting', mode);
        assert.equal((await pending).json.success, true);
        assert.equal((await lab.records(ID, other)).length, 1, mode);
    }
});

test('down refuses connections until reset, on the same port afterwards, store kept', async () => {
    const ref = newRef();
    await call('create', full(ref));
    await lab.behave(ID, { mode: 'down' });
    await assert.rejects(call('query', { outCaseNo: ref }), (e) => e.cause.code === 'ECONNREFUSED');
    await lab.reset({ records: false });
    assert.equal((await call('query', { outCaseNo: ref })).json.data.outCaseNo, ref);
});

test('down for N calls resets so many connections', async () => {
    await lab.behave(ID, { mode: 'down', calls: 1 });
    await assert.rejects(call('query', { outCaseNo: 'x' }));
    assert.equal((await call('query', { outCaseNo: 'x' })).status, 200);
});

test('a behaviour bound to one reference leaves the others alone (the poison record)', async () => {
    const bad = newRef(), good = newRef();
    await lab.behave(ID, { mode: '500', ref: bad });
    assert.equal((await call('create', full(bad))).status, 500);
    assert.equal((await call('create', full(good))).json.success, true);
    assert.equal((await call('create', full(bad))).status, 500);
});

test('other_number and unknown_status', async () => {
    const a = newRef(), b = newRef();
    const first = (await call('create', full(a))).json.data.caseNo;
    await lab.behave(ID, { mode: 'other_number', calls: 1 });
    assert.equal((await call('create', full(b))).json.data.caseNo, first);
    await lab.behave(ID, { mode: 'unknown_status', calls: 1 });
    assert.equal((await call('query', { outCaseNo: a })).json.data.status, '77');
});
