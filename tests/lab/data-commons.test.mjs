/* SPDX-License-Identifier: Apache-2.0
 * data-commons driven by plain fetch; signatures made here by the published recipe.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { beforeEach, test } from 'node:test';
import { newRef, openLab } from './lab_client.mjs';

const ID = 'data-commons';
const lab = await openLab([ID]);
const { endpoint, secrets } = lab.systems[ID];
const PUSH = '/gateway/api/330106001/dataSharing/ymPushRecord0001.htm';
const QUERY = '/gateway/api/330106001/dataSharing/ymQueryRecord001.htm';
const md5 = (s) => createHash('md5').update(s).digest('hex');
beforeEach(() => lab.reset());

async function token(by, secret, how = 'query') {
    const requestTime = String(Date.now());
    const p = { appKey: secrets.appKey, sign: md5(secrets.appKey + secret + requestTime), requestTime };
    const url = `${endpoint}/gateway/app/refreshTokenBy${by}.htm`;
    const r = how === 'query' ? await fetch(`${url}?${new URLSearchParams(p)}`)
        : how === 'form' ? await fetch(url, { method: 'POST', body: new URLSearchParams(p) }) : await fetch(url, { headers: p });
    return r.json();
}
const open = async () => (await token('Key', secrets.appSecret)).datas;

async function call(path, data, secret, additional = { powerMatters: '矛盾纠纷调解', materialName: '', sponsorName: '' }, upper = false) {
    const requestTime = String(Date.now());
    const sign = md5(secrets.appKey + secret + requestTime);
    const r = await fetch(endpoint + path, {
        method: 'POST', body: JSON.stringify({ additional, data }),
        headers: { 'content-type': 'application/json', appKey: secrets.appKey, sign: upper ? sign.toUpperCase() : sign, requestTime },
    });
    return { retry: r.headers.get('retry-after'), ...(await r.json()) };
}

const full = (ref) => ({
    sourceId: ref, revision: 1, operation: 'I', recordType: 'dispute', title: '测试纠纷', areaCode: '330106100201', categoryCode: '0201', occurredAt: '2026-03-01 09:00:00',
    amount: '10.00', orgCode: '91000000MA00000157', persons: [{ role: 'applicant', kind: 'person', name: '测试甲', idTypeCode: '111', idNo: '330106189003070015' }],
});

test('token calls work in query, form and headers; end times are theirs', async () => {
    for (const how of ['query', 'form', 'headers']) {
        const t = await token('Key', secrets.appSecret, how);
        assert.equal(t.code, '00', how);
        assert.ok(Math.abs(t.datas.requestSecretEndTime - Date.now() - 900_000) < 5000);
        assert.ok(Math.abs(t.datas.refreshSecretEndTime - Date.now() - 172_800_000) < 5000);
        assert.equal((await token('Sec', t.datas.refreshSecret, how)).code, '00');
    }
    assert.equal((await token('Key', 'wrong')).code, '14');
    assert.equal((await token('Sec', 'wrong')).code, '14');
});

test('push, query, change, delete', async () => {
    const { requestSecret: s } = await open(), ref = newRef();
    assert.equal((await call(QUERY, { sourceId: ref }, s)).datas.data, null);
    const { dataNo } = (await call(PUSH, full(ref), s, undefined, true)).datas.data;
    assert.match(dataNo, /^GG\d{10}$/);
    assert.deepEqual((await call(QUERY, { sourceId: ref }, s)).datas.data, [{ dataNo, sourceId: ref, revision: 1, status: '1' }]);
    const again = (await call(PUSH, full(ref), s)).datas;
    assert.deepEqual([again.success, again.errorCode, again.data], [false, 'E1002', { dataNo }]);
    assert.equal((await call(PUSH, { ...full(ref), operation: 'U', revision: 2, dataNo }, s)).datas.data.revision, 2);
    assert.equal((await call(PUSH, { sourceId: ref, revision: '3', operation: 'D', dataNo }, s)).datas.data.status, '9');
    const [rec] = await lab.records(ID, ref);
    assert.deepEqual(rec.history.map((h) => [h.op, h.revision]), [['create', 1], ['update', 2], ['withdraw', 3]]);
    assert.equal(rec.content.人员[0].证件类型, '111 居民身份证');
});

test('refuses what a catalogue would, with the field', async () => {
    const { requestSecret: s } = await open();
    for (const [field, patch] of [['title', { title: '' }], ['categoryCode', { categoryCode: '05' }], ['categoryCode', { categoryCode: undefined }], ['areaCode', { areaCode: '330106' }],
        ['orgCode', { orgCode: '91000000MA00000158' }], ['persons[0].idNo', { persons: [{ role: 'applicant', kind: 'person', name: '甲', idTypeCode: '111', idNo: '1' }] }],
        ['revision', { revision: 0 }], ['amount', { amount: 10 }], ['extra', { extra: 1 }]]) {
        const r = (await call(PUSH, { ...full(newRef()), ...patch }, s)).datas;
        assert.deepEqual([r.errorCode, r.field], ['E1001', field]);
    }
    assert.equal((await call(PUSH, full(newRef()), s, {})).datas.field, 'additional.powerMatters');
    assert.deepEqual(await lab.records(ID), []);
});

test('an expired request secret is 11, a wrong one 14; a renewal leaves the one before alive', async () => {
    const a = await open();
    assert.equal((await call(QUERY, { sourceId: 'x' }, 'wrong')).code, '14');
    const b = (await token('Sec', a.refreshSecret)).datas;
    assert.equal((await call(QUERY, { sourceId: 'x' }, a.requestSecret)).code, '00');
    await lab.behave(ID, { mode: 'secret_expired' });
    assert.equal((await call(QUERY, { sourceId: 'x' }, b.requestSecret)).code, '11');
    assert.equal((await token('Sec', b.refreshSecret)).code, '00');
    await lab.behave(ID, { mode: 'secret_expired', both: true });
    assert.equal((await token('Sec', b.refreshSecret)).code, '11');
    assert.equal((await token('Key', secrets.appSecret)).code, '00');
});

test('life times can be set for a test', async () => {
    await lab.behave(ID, { mode: 'secret_expired', request_ms: 1500 });
    const { requestSecret: s } = await open();
    assert.equal((await call(QUERY, { sourceId: 'x' }, s)).code, '00');
    await new Promise((r) => setTimeout(r, 1600));
    assert.equal((await call(QUERY, { sourceId: 'x' }, s)).code, '11');
});

test('secret_expired for N calls forgets before each of them', async () => {
    const { requestSecret: s } = await open();
    await lab.behave(ID, { mode: 'secret_expired', calls: 1 });
    assert.equal((await call(PUSH, full(newRef()), s)).code, '11');
    assert.equal((await call(PUSH, full(newRef()), (await open()).requestSecret)).code, '00');
    assert.equal((await lab.records(ID)).length, 1);
});

test('datas as a string, quota with Retry-After, signature storm, busy', async () => {
    const { requestSecret: s } = await open();
    await lab.behave(ID, { mode: 'datas_string' });
    const r = await call(PUSH, full(newRef()), s);
    assert.equal(typeof r.datas, 'string');
    assert.equal(JSON.parse(r.datas).success, true);
    await lab.behave(ID, { mode: 'throttle', calls: 1, retry_after: 7 });
    assert.deepEqual([(await call(PUSH, full(newRef()), s))].map((x) => [x.code, x.retry])[0], ['18', '7']);
    await lab.behave(ID, { mode: 'bad_sign', calls: 1 });
    assert.equal((await call(PUSH, full(newRef()), s)).code, '14');
    await lab.behave(ID, { mode: 'fail_200', calls: 1 });
    assert.equal((await call(PUSH, full(newRef()), s)).datas.errorCode, 'E9001');
    assert.equal((await lab.records(ID)).length, 1);
});
