/* SPDX-License-Identifier: Apache-2.0
 * The three SOAP platforms: grid-platform by an npm soap client from its WSDL, hotline-12345 and
 * patrol-app also by envelopes written by hand, as other clients would send them.
 */
import assert from 'node:assert/strict';
import http from 'node:http';
import { beforeEach, test } from 'node:test';
import soap from 'soap';
import { newRef, openLab } from './lab_client.mjs';
import { kidText, parseXml, readEnvelope } from './lab_soap.mjs';

const GRID = 'grid-platform', HOT = 'hotline-12345', PAT = 'patrol-app';
const lab = await openLab([GRID, HOT, PAT]);
const sys = lab.systems;
beforeEach(() => lab.reset());

/* ---- grid-platform ---- */
async function gridClient(password = sys[GRID].secrets.password) {
    const c = await soap.createClientAsync(`${sys[GRID].endpoint}?wsdl`, { forceSoap12Headers: true });
    c.addSoapHeader({ AuthHeader: { userName: sys[GRID].secrets.username, password } }, '', 'tns', 'http://grid.lab.test/event/v1');
    return c;
}
const event = () => ({
    eventName: '测试甲与测试乙漏水纠纷', eventDate: '20260301', eventPlace: '330106100201示例镇示例村1号', evenScaleTypeValue: '01', eventTypeValue: '17',
    numberofJoinning: 2, eventIntroduction: '楼上漏水 <x> & "y"', majorPersonName: '测试甲', majorPersonCertTypeCode: '111', majorPersonCertID: '33010618900307004X',
    majorPersonSex: '2', majorPersonEthnicity: '01', majorPersonEducation: '71', majorPersonType: '农林牧渔从业人员', solvingMethodType: '人民调解',
    solvingManagment: '示例镇人民调解委员会', solvingByPersonContact: '0571-00000000', longitude: '120.12345678', latitude: '30.1', netGridID: '330106100201001',
});
const faultOf = async (p) => {
    const err = await p.then(() => assert.fail('no fault'), (e) => e);
    const f = parseXml(err.body).kids[0].kids[0];
    const detail = f.kids.find((k) => k.name === 'Detail').kids[0];
    return { status: err.response.status, text: f.kids.find((k) => k.name === 'Reason').kids[0].text, code: kidText(detail, 'code'), field: kidText(detail, 'field'), eventId: kidText(detail, 'eventId') };
};

test('grid-platform: report, query, update, close', async () => {
    const c = await gridClient(), ref = newRef();
    assert.equal((await c.QueryEventAsync({ sourceNo: ref }))[0].total, 0);
    const [made] = await c.ReportEventAsync({ sourceNo: ref, sourceVersion: 1, event: event() });
    assert.match(made.eventId, /^SJ\d{10}$/);
    const [q] = await c.QueryEventAsync({ sourceNo: ref });
    assert.deepEqual([q.total, q.eventId, q.sourceVersion, q.eventStatus], [1, made.eventId, 1, '04']);
    await c.UpdateEventAsync({ eventId: made.eventId, sourceNo: ref, sourceVersion: 2, event: { ...event(), eventName: '改' } });
    await c.CloseEventAsync({ eventId: made.eventId, sourceNo: ref, sourceVersion: 3, closeType: '09', closeOpinion: '撤回' });
    const [rec] = await lab.records(GRID, ref);
    assert.equal(rec.fields.eventIntroduction, event().eventIntroduction);
    assert.equal(rec.content.事件类别, '17 邻里关系');
    assert.deepEqual(rec.history.map((h) => h.revision), [1, 2, 3]);
    assert.equal((await c.QueryEventAsync({ sourceNo: ref }))[0].eventStatus, '10');
});

test('grid-platform: replies are SOAP 1.2', async () => {
    const c = await gridClient();
    await c.QueryEventAsync({ sourceNo: 'x' });
    assert.match(c.lastResponse, /http:\/\/www\.w3\.org\/2003\/05\/soap-envelope/);
    const r = await fetch(sys[GRID].endpoint, { method: 'POST', headers: { 'content-type': 'application/soap+xml' }, body: c.lastRequest.replace('2003/05/soap-envelope', 'x') });
    assert.equal(r.status, 400);
});

for (const [field, value] of [['eventName', ''], ['eventDate', '2026-03-01'], ['eventPlace', '示例镇'], ['evenScaleTypeValue', '1'], ['eventTypeValue', '00'], ['eventTypeValue', '0201'],
    ['numberofJoinning', 0], ['majorPersonCertID', '330106189003070016'], ['majorPersonType', '01'], ['longitude', '30.1'], ['solvingByPersonContact', '00000000'], ['eventIntroduction', '长'.repeat(2001)]]) {
    test(`grid-platform: a fault in Chinese for ${field} = ${String(value).slice(0, 20)}`, async () => {
        const c = await gridClient(), ref = newRef();
        const f = await faultOf(c.ReportEventAsync({ sourceNo: ref, event: { ...event(), [field]: value } }));
        assert.deepEqual([f.status, f.code, f.field], [400, 'VALID', field]);
        assert.match(f.text, /[\u4e00-\u9fff]/);
        assert.deepEqual(await lab.records(GRID, ref), []);
    });
}

test('grid-platform: second report, unknown number, wrong password, unknown element', async () => {
    const c = await gridClient(), ref = newRef();
    const [made] = await c.ReportEventAsync({ sourceNo: ref, event: event() });
    const dup = await faultOf(c.ReportEventAsync({ sourceNo: ref, event: event() }));
    assert.deepEqual([dup.code, dup.eventId], ['EXISTS', made.eventId]);
    assert.equal((await faultOf(c.UpdateEventAsync({ eventId: 'SJ1', sourceNo: ref, event: event() }))).code, 'NOTFOUND');
    assert.equal((await faultOf((await gridClient('x')).QueryEventAsync({ sourceNo: ref }))).code, 'AUTH');
    assert.equal((await faultOf(c.ReportEventAsync({ sourceNo: newRef(), event: { ...event(), eventScaleTypeValue: '01' } }))).field, 'eventScaleTypeValue');
    assert.equal((await lab.records(GRID, ref)).length, 1);
});

test('grid-platform: busy under HTTP 200, cut after commit', async () => {
    const c = await gridClient(), ref = newRef();
    await lab.behave(GRID, { mode: 'fail_200', calls: 1 });
    assert.equal((await c.ReportEventAsync({ sourceNo: ref, event: event() }))[0].code, '9001');
    await lab.behave(GRID, { mode: 'cut_after', calls: 1 });
    await assert.rejects(c.ReportEventAsync({ sourceNo: ref, event: event() }));
    assert.equal((await c.QueryEventAsync({ sourceNo: ref }))[0].total, 1);
});

/* ---- hotline-12345 ---- */
const order = (ref) => ({
    ThirdNumber: '', CaseSourceID: Number(sys[HOT].vars.caseSourceId), CaseTypeID: 6, WantPerson: '测试甲', WantPersonTel: '13000000001', Title: '漏水 <纠纷> & "引号"', WantContent: '于2026年3月1日,在示例村发生漏水\n第二行',
    WantDate: '2026-03-01 09:00:00', Village: '330106', Address: '示例镇', State: 0, SourceNumber: ref, SourceVersion: 1, Result: '', FinishDate: '', ReplyContent: '', remark: '',
});
async function hotClient() {
    return soap.createClientAsync(`${sys[HOT].endpoint}?wsdl`);
}
async function submit(c, o, over = {}) {
    const [r] = await c.SubmitThirdAsync({
        CaseSourceID: sys[HOT].vars.caseSourceId, SessionID: sys[HOT].secrets.sessionId, CaseSourceName: sys[HOT].vars.caseSourceName, strThird: typeof o === 'string' ? o : JSON.stringify(o), ...over,
    });
    return JSON.parse(r.SubmitThirdResult);
}

test('hotline: create, update by their number, withdraw', async () => {
    const c = await hotClient(), ref = newRef();
    const made = await submit(c, order(ref));
    assert.deepEqual(Object.keys(made), ['Success', 'Number']);
    assert.match(made.Number, /^RX\d{10}$/);
    assert.equal((await submit(c, { ...order(ref), ThirdNumber: made.Number, State: 1, SourceVersion: 2 })).Number, made.Number);
    assert.equal((await submit(c, { ...order(ref), ThirdNumber: made.Number, State: 9, SourceVersion: 3 })).Success, true);
    const [rec] = await lab.records(HOT, ref);
    assert.equal(rec.fields.WantContent, order(ref).WantContent);
    assert.equal(rec.content.诉求类型, '6 求助');
    assert.deepEqual(rec.history.map((h) => h.revision), [1, 2, 3]);
});

test('hotline: the same create twice makes two orders, as the real contract would', async () => {
    const c = await hotClient(), ref = newRef();
    const [a, b] = [await submit(c, order(ref)), await submit(c, order(ref))];
    assert.notEqual(a.Number, b.Number);
    assert.equal((await lab.records(HOT, ref)).length, 2);
});

for (const [key, value] of [['Title', ''], ['WantDate', '2026-03-01'], ['Village', '330106100201'], ['CaseTypeID', 7], ['CaseTypeID', '6'], ['WantPersonTel', '1'], ['CaseSourceID', 1], ['State', 1], ['Attachs', {}]]) {
    test(`hotline: Success false, naming ${key}`, async () => {
        const ref = newRef();
        const r = await submit(await hotClient(), { ...order(ref), [key]: value });
        assert.deepEqual([r.Success, r.Number, r.Message.split(' ')[0]], [false, '{1}', key]);
        assert.deepEqual(await lab.records(HOT, ref), []);
    });
}

test('hotline: wrong session word, broken JSON, no message when told', async () => {
    const c = await hotClient();
    assert.match((await submit(c, order(newRef()), { SessionID: 'x' })).Message, /^SessionID/);
    assert.match((await submit(c, '{"Title":"a"b"}')).Message, /JSON/);
    await lab.behave(HOT, { mode: 'no_message' });
    assert.deepEqual(await submit(c, '{'), { Success: false, Number: '{1}' });
});

test('hotline: a chunked body is refused with 411', async () => {
    const status = await new Promise((resolve, reject) => {
        const r = http.request(sys[HOT].endpoint, { method: 'POST', headers: { 'content-type': 'text/xml', soapaction: '"http://tempuri.org/SubmitThird"', 'transfer-encoding': 'chunked' } }, (res) => {
            res.resume();
            resolve([res.statusCode, res.headers.connection]);
        });
        r.on('error', reject);
        r.end('<x/>');
    });
    assert.deepEqual(status, [411, 'close']);
});

test('hotline: an unknown SOAPAction is a fault in Chinese', async () => {
    const c = await hotClient();
    await submit(c, order(newRef()));
    const r = await fetch(sys[HOT].endpoint, { method: 'POST', headers: { 'content-type': 'text/xml', soapaction: '"urn:x"' }, body: c.lastRequest });
    assert.equal(r.status, 500);
    assert.match(await r.text(), /<faultstring>服务器未能识别/);
});

/* ---- patrol-app ---- */
const xe = (s) => String(s).replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const evt = (f, over = {}) => `<?xml version="1.0" encoding="UTF-8"?>\n<data><auth><username>${sys[PAT].secrets.username}</username><password>${over.password ?? sys[PAT].secrets.password}</password></auth>`
    + `<event>${Object.entries(f).map(([k, v]) => `<${k}>${xe(v)}</${k}>`).join('')}${over.attrs ?? ''}</event></data>`;
const patrol = (ref) => ({
    eventId: '', gridCode: '330106100201001', orgCode: '330106100', eventName: '漏水 & 纠纷', happenTimeStr: '2026-03-01 09:00:00', occurred: '示例村', content: '  前后空格 <b>  ', oppoSideBusiCode: ref,
    bizPlatform: sys[PAT].vars.bizPlatform, eventType: '01', longitude: '120.1', latitude: '30.1', urgency: '04', source: '网格员巡查', contactTel: '13000000001', sourceVersion: '1',
});
async function send(method, xml, wrap = (s) => `<![CDATA[${s}]]>`) {
    const r = await fetch(sys[PAT].endpoint, {
        method: 'POST', headers: { 'content-type': 'text/xml; charset=utf-8', soapaction: '""' },
        body: `<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/"><SOAP-ENV:Body><q:${method} xmlns:q="http://patrol.lab.test/service"><xml>${wrap(xml)}</xml></q:${method}></SOAP-ENV:Body></SOAP-ENV:Envelope>`,
    });
    const env = readEnvelope(Buffer.from(await r.text()));
    if (env.method.name === 'Fault') return { fault: kidText(env.method, 'faultstring') };
    assert.equal(env.method.name, `${method}Response`);
    const result = parseXml(kidText(env.method, 'return'));
    return { code: kidText(result, 'code'), message: kidText(result, 'message'), eventId: kidText(result, 'eventId') };
}

test('patrol-app: start, re-dispatch, reject; CDATA and escaped text alike', async () => {
    const ref = newRef();
    const made = await send('startEvt', evt(patrol(ref)));
    assert.deepEqual([made.code, made.message], ['0', '成功']);
    const again = await send('startEvt', evt({ ...patrol(ref), eventId: made.eventId, sourceVersion: '2' }), xe);
    assert.equal(again.eventId, made.eventId);
    const [rec] = await lab.records(PAT, ref);
    assert.equal(rec.fields.content, '  前后空格 <b>  ');
    assert.deepEqual(rec.history.map((h) => h.revision), [1, 2]);
    assert.equal((await send('rejectEvt', evt({ eventId: made.eventId, advice: '退回', bizPlatform: '016' }))).code, '0');
    assert.equal((await send('startEvt', evt({ ...patrol(ref), eventId: made.eventId }))).code, '3002');
});

test('patrol-app: an npm soap client from the WSDL gets through as well', async () => {
    const c = await soap.createClientAsync(`${sys[PAT].endpoint}?wsdl`);
    const [r] = await c.startEvtAsync({ xml: evt(patrol(newRef())) });
    assert.match(r.return, /<code>0<\/code>/);
});

test('patrol-app: a repeated first report makes a second event', async () => {
    const ref = newRef();
    await send('startEvt', evt(patrol(ref)));
    await send('startEvt', evt(patrol(ref)));
    assert.equal((await lab.records(PAT, ref)).length, 2);
});

for (const [field, value] of [['eventName', '长'.repeat(101)], ['longitude', '30.1'], ['latitude', ''], ['orgCode', '33'], ['eventType', '88'], ['bizPlatform', '999'], ['source', '其他'], ['oppoSideBusiCode', '']]) {
    test(`patrol-app: 2001 naming ${field}`, async () => {
        const r = await send('startEvt', evt({ ...patrol(newRef()), [field]: value }));
        assert.equal(r.code, '2001');
        assert.match(r.message, new RegExp(`^字段\\[${field}\\]`));
    });
}

test('patrol-app: attachments, sign-in, broken XML, a DTD, unknown method, no number', async () => {
    const attr = (t) => `<attrs><attr><attrBase64>aGk=</attrBase64><attrType>${t}</attrType><attrName>a${t}</attrName></attr></attrs>`;
    assert.equal((await send('startEvt', evt(patrol(newRef()), { attrs: attr('.jpg') }))).code, '0');
    assert.match((await send('startEvt', evt(patrol(newRef()), { attrs: attr('.pdf') }))).message, /attrs/);
    assert.equal((await send('startEvt', evt(patrol(newRef()), { password: 'x' }))).code, '1001');
    assert.equal((await send('startEvt', '<data><event></data>')).code, '9002');
    assert.equal((await send('startEvt', '<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]><data>&e;</data>')).code, '9002');
    assert.match((await send('nothing', '<data/>')).fault, /方法不存在/);
    await lab.behave(PAT, { mode: 'no_event_id' });
    const r = await send('startEvt', evt(patrol(newRef())));
    assert.deepEqual([r.code, r.eventId], ['0', undefined]);
});
