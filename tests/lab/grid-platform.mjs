/* SPDX-License-Identifier: Apache-2.0
 * Simulated 网格化综合服务管理平台: SOAP 1.2 document/literal. From the domain reference: §7.1 the 25
 * fields of GB/T 31000 with the names met on the wire, spelling faults included, dispute-fields
 * for their rules, legacy24.csv for the category, §13 faults in Chinese. The operations, sourceNo,
 * sourceVersion, the sign-in header and the states 09 and 10 are our own.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkAll, checkField, checkIdentity, codes, readable } from './lab_check.mjs';
import { HttpHost, busyText, interceptPage } from './lab_http.mjs';
import { kid, kidText, leaves, readEnvelope, soapService } from './lab_soap.mjs';
import { Store } from './lab_store.mjs';

const NS = 'http://grid.lab.test/event/v1';
const PATH = '/services/DisputeEventService';
const WSDL = readFileSync(join(import.meta.dirname, 'grid-platform.wsdl'), 'utf8');
const CATEGORY = new Map([...codes.legacy24].filter(([c]) => c !== '00'));

const SOURCE = [
    { n: 'sourceNo', zh: '来源编号', req: true, max: 64 },
    { n: 'sourceVersion', zh: '来源版本', kind: 'int' },
];
const SPECS = [
    { n: 'eventName', zh: '事件名称', req: true, max: 100 },
    { n: 'eventDate', zh: '发生日期', req: true, kind: 'date8' },
    { n: 'eventPlace', zh: '发生地点', req: true, max: 255, re: /^(\d{12}|\d{9}|\d{6})[^\d]/ },
    { n: 'evenScaleTypeValue', zh: '事件规模', req: true, codes: codes.scale },
    { n: 'eventTypeValue', zh: '事件类别', req: true, codes: CATEGORY },
    { n: 'numberofJoinning', zh: '涉及人数', req: true, kind: 'positive' },
    { n: 'eventIntroduction', zh: '事件简述', req: true, max: 2000 },
    { n: 'relatedOrg', zh: '涉及单位', max: 100 },
    { n: 'majorPersonCertTypeCode', zh: '主要当事人证件代码', codes: codes.idTypes },
    { n: 'majorPersonCertID', zh: '证件号码', max: 30 },
    { n: 'majorPersonName', zh: '姓名', req: true, max: 80 },
    { n: 'majorPersonSex', zh: '性别', codes: codes.sex },
    { n: 'majorPersonEthnicity', zh: '民族', codes: codes.ethnic },
    { n: 'majorPersonEducation', zh: '学历', codes: codes.education },
    { n: 'majorPersonType', zh: '人员类别', codes: codes.personTypes },
    { n: 'majorPersonDetailAddress', zh: '居住详址', max: 200 },
    { n: 'solvingDeadline', zh: '化解时限', kind: 'date8' },
    { n: 'solvingMethodType', zh: '化解方式', codes: codes.methods },
    { n: 'solvingManagment', zh: '化解组织', max: 100 },
    { n: 'solvingByPersonName', zh: '化解责任人姓名', max: 80 },
    { n: 'solvingByPersonContact', zh: '化解责任人联系方式', kind: 'phone' },
    { n: 'isSuccessInSolving', zh: '化解是否成功', codes: codes.set(['1', '成功'], ['0', '不成功']) },
    { n: 'solvingIntroduction', zh: '化解情况', max: 2000 },
    { n: 'evaluationDate', zh: '考评日期', kind: 'date8' },
    { n: 'evaluationSuggestion', zh: '考评意见', max: 2000 },
    { n: 'longitude', zh: '经度', kind: 'lon' },
    { n: 'latitude', zh: '纬度', kind: 'lat' },
    { n: 'netGridID', zh: '网格', max: 20, kind: 'digits' },
    { n: 'eventStatus', zh: '事件处理状态', codes: codes.set(['04', '可派发']) },
];
const OPS = { ReportEvent: 'create', UpdateEvent: 'update', CloseEvent: 'withdraw', QueryEvent: 'query' };
const STATUS = { open: '04', closed: '09', withdrawn: '10' };

const fault = (code, text, detail = {}, sender = true) => ({
    Fault: {
        Code: { Value: sender ? 'env:Sender' : 'env:Receiver' },
        Reason: { Text: { attributes: { 'xml:lang': 'zh-CN' }, $value: text } },
        Detail: { error: { code, ...detail } },
        statusCode: sender ? 400 : 500,
    },
});
const escape = (s) => s.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const rawFault = (code, text, sender = true, status = 400) => ({
    status, type: 'application/soap+xml', outcome: `fault ${code}`,
    body: '<?xml version="1.0" encoding="utf-8"?><env:Envelope xmlns:env="http://www.w3.org/2003/05/soap-envelope"><env:Body><env:Fault>'
        + `<env:Code><env:Value>env:${sender ? 'Sender' : 'Receiver'}</env:Value></env:Code><env:Reason><env:Text xml:lang="zh-CN">${escape(text)}</env:Text></env:Reason>`
        + `<env:Detail><error><code>${code}</code></error></env:Detail></env:Fault></env:Body></env:Envelope>`,
});

class GridPlatform {
    constructor(store, secrets) {
        this.store = store;
        this.secrets = secrets;
    }

    async open() {
        const method = (name) => (args, cb, headers, request) => this.#do(name, request.connection);
        this.service = await soapService({
            wsdl: WSDL, path: PATH, service: 'DisputeEventService', port: 'DisputeEventPort', v12: true,
            methods: Object.fromEntries(Object.keys(OPS).map((n) => [n, method(n)])),
        });
    }

    handle(req) {
        const plain = (reply) => ({ op: 'session', run: () => reply });
        if (req.path !== PATH) return plain(rawFault('ROUTE', '服务不存在', true, 404));
        if (req.method === 'GET') return plain({ status: 200, type: 'text/xml', body: WSDL.replace('http://127.0.0.1/', `http://${req.headers.host}/`), outcome: 'wsdl' });
        const env = readEnvelope(req.body);
        const name = env?.method.name.replace(/Request$/, '');
        const ref = kidText(env?.method, 'sourceNo');
        return {
            op: OPS[name] ?? 'other', ref, revision: kidText(env?.method, 'sourceVersion'), page: interceptPage,
            run: (mis) => this.#run(req, env, name, mis),
        };
    }

    async #run(req, env, name, mis) {
        if (mis.mode === 'throttle') return { ...rawFault('LIMIT', '调用超过频率限制', false, 429), headers: { 'Retry-After': String(mis.retry_after ?? 2) } };
        if (!(req.headers['content-type'] ?? '').startsWith('application/soap+xml')) return rawFault('TYPE', '请使用SOAP 1.2', true, 415);
        if (env?.version !== '1.2') return rawFault('VERSION', '报文不是SOAP 1.2');
        if (OPS[name] === undefined || env.method.ns !== NS || env.method.name !== `${name}Request`) return rawFault('OPERATION', '操作不存在');
        const ctx = { env, mis, outcome: 'none' };
        return this.service.call(req, ctx);
    }

    #do(name, ctx) {
        const no = (code, text, detail, sender) => {
            ctx.outcome = `fault ${code}`;
            throw fault(code, text, detail, sender);
        };
        const auth = kid(ctx.env.header, 'AuthHeader');
        if (kidText(auth, 'userName') !== this.secrets.username || kidText(auth, 'password') !== this.secrets.password) no('AUTH', '用户名或密码错误');
        const { mis } = ctx;
        if (mis.mode === 'fail_200') {
            ctx.outcome = 'busy';
            return { code: '9001', message: busyText, ...(name === 'QueryEvent' ? { total: 0 } : {}) };
        }
        const m = ctx.env.method;
        const source = leaves(m).fields;
        if (name !== 'QueryEvent' && mis.mode === 'duplicate') this.#exists(source.sourceNo, mis, no);
        if (name !== 'QueryEvent' && mis.mode === 'reject') no('VALID', `字段 ${mis.field ?? 'eventName'} 不符合要求`, { field: mis.field ?? 'eventName' });
        const invalid = (p) => p !== null && no('VALID', `字段 ${p.field} (${p.zh})${p.reason}`, { field: p.field });
        invalid(checkAll(SOURCE, source));
        if (name === 'QueryEvent') return this.#query(source.sourceNo, ctx);
        if (name === 'CloseEvent') return this.#close(source, ctx, no, invalid);
        const { fields, twice } = leaves(kid(m, 'event'));
        if (kid(m, 'event') === undefined) no('VALID', '字段 event 不能为空', { field: 'event' });
        if (twice !== undefined) no('VALID', `字段 ${twice} 重复`, { field: twice });
        const strange = Object.keys(fields).find((k) => SPECS.every((s) => s.n !== k));
        if (strange !== undefined) no('VALID', `字段 ${strange} 不支持`, { field: strange });
        invalid(checkAll(SPECS, fields) ?? checkIdentity(SPECS[9], fields.majorPersonCertTypeCode, fields.majorPersonCertID));
        if (name === 'ReportEvent') {
            if (this.store.find(source.sourceNo) !== undefined) this.#exists(source.sourceNo, mis, no);
            ctx.outcome = 'created';
            return this.#receipt(this.store.create(source.sourceNo, source.sourceVersion, fields, readable(SPECS, fields)), mis);
        }
        const rec = this.#known(source, no);
        ctx.outcome = 'updated';
        return this.#receipt(this.store.update(rec, source.sourceVersion, fields, readable(SPECS, fields)), mis);
    }

    #exists(ref, mis, no) {
        const rec = this.store.find(ref);
        no('EXISTS', '事件已存在', rec === undefined || mis.number === false ? {} : { eventId: rec.number });
    }

    #known(source, no) {
        const rec = this.store.records.get(source.eventId ?? '');
        if (rec === undefined || rec.ref !== source.sourceNo) no('NOTFOUND', '事件不存在', { field: 'eventId' });
        if (rec.status !== 'open') no('CLOSED', '事件已办结或已撤回', { eventId: rec.number });
        return rec;
    }

    #receipt(rec, mis) {
        const shown = mis.mode === 'other_number' ? [...this.store.records.values()].find((r) => r !== rec) ?? rec : rec;
        return { code: '0', message: '成功', eventId: shown.number, eventStatus: mis.mode === 'unknown_status' ? '77' : STATUS[rec.status] };
    }

    #close(source, ctx, no, invalid) {
        invalid(checkField({ n: 'closeType', zh: '办结类型', req: true, codes: codes.set(['01', '化解'], ['09', '撤回']) }, source.closeType));
        invalid(checkField({ n: 'closeOpinion', zh: '办结意见', req: true, max: 2000 }, source.closeOpinion));
        const rec = this.store.records.get(source.eventId ?? '');
        if (rec !== undefined && rec.ref === source.sourceNo && rec.status === 'withdrawn' && source.closeType === '09') return this.#receipt(rec, {});
        this.#known(source, no);
        this.store.withdraw(rec, source.sourceVersion, source.closeOpinion);
        if (source.closeType === '01') rec.status = 'closed';
        ctx.outcome = 'closed';
        return this.#receipt(rec, {});
    }

    #query(ref, ctx) {
        const rec = this.store.find(ref);
        ctx.outcome = rec === undefined ? 'absent' : 'found';
        if (rec === undefined) return { code: '0', message: '成功', total: 0 };
        const { code, message, eventId, eventStatus } = this.#receipt(rec, ctx.mis);
        return { code, message, total: 1, eventId, sourceNo: rec.ref, sourceVersion: rec.revision, eventStatus };
    }
}

export async function start() {
    const store = new Store('grid-platform', 'SJ');
    const secrets = { username: 'yimen', password: randomBytes(12).toString('base64url') };
    const platform = new GridPlatform(store, secrets);
    await platform.open();
    const host = new HttpHost(store, platform);
    const port = await host.start();
    return {
        store, stop: () => host.stop(), settled: () => host.changing,
        site: { title: '网格化综合服务管理平台', transport: 'soap', endpoint: `http://127.0.0.1:${port}${PATH}`, charset: 'utf-8', secrets, vars: {} },
    };
}
