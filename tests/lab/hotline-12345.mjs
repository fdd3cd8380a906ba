/* SPDX-License-Identifier: Apache-2.0
 * Simulated 12345 hotline: SOAP 1.1 as an .asmx gives it, JSON in a string argument. From the
 * domain reference: §3.8 operation, arguments, JSON keys, reply string, the placeholder number,
 * chunked bodies refused, no query and no duplicate check. Case type integers, states 1, 2 and 9,
 * SourceVersion and Message are our own.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkAll, codes, readable } from './lab_check.mjs';
import { HttpHost, busyText, interceptPage } from './lab_http.mjs';
import { fault11, kidText, readEnvelope, soapService } from './lab_soap.mjs';
import { Store } from './lab_store.mjs';

const NS = 'http://tempuri.org/';
const PATH = '/ThirdService2.asmx';
const WSDL = readFileSync(join(import.meta.dirname, 'hotline-12345.wsdl'), 'utf8');
const TYPES = codes.set(['1', '咨询'], ['2', '投诉'], ['3', '建议'], ['4', '催办'], ['5', '表扬'], ['6', '求助']);
const STATES = codes.set(['0', '新增'], ['1', '修改'], ['2', '办结'], ['9', '撤回']);

const SPECS = [
    { n: 'ThirdNumber', zh: '工单编号', max: 20 },
    { n: 'CaseSourceID', zh: '来源', req: true, kind: 'int' },
    { n: 'CaseTypeID', zh: '诉求类型', req: true, codes: TYPES },
    { n: 'WantPerson', zh: '诉求人', req: true, max: 50 },
    { n: 'WantPersonTel', zh: '诉求人电话', req: true, max: 20, kind: 'phone' },
    { n: 'Title', zh: '诉求主题', req: true, max: 100 },
    { n: 'WantContent', zh: '诉求内容', req: true, max: 2000 },
    { n: 'WantDate', zh: '诉求时间', req: true, kind: 'second' },
    { n: 'Village', zh: '区划', req: true, kind: 'area6' },
    { n: 'Address', zh: '地址', max: 200 },
    { n: 'State', zh: '状态', req: true, codes: STATES },
    { n: 'SourceNumber', zh: '来源编号', req: true, max: 50 },
    { n: 'SourceVersion', zh: '来源版本', kind: 'int' },
    { n: 'Result', zh: '结果', max: 20 },
    { n: 'FinishDate', zh: '办结时间', kind: 'second' },
    { n: 'ReplyContent', zh: '答复内容', max: 2000 },
    { n: 'remark', zh: '备注', max: 500 },
    { n: 'Remark', zh: '备注', max: 500 },
];
const INTEGERS = ['CaseSourceID', 'CaseTypeID', 'State'];

function parse(text) {
    try {
        const v = JSON.parse(text ?? '');
        return v !== null && typeof v === 'object' && !Array.isArray(v) ? v : undefined;
    } catch {
        return undefined;
    }
}

class Hotline {
    constructor(store, secrets, vars) {
        this.store = store;
        this.secrets = secrets;
        this.vars = vars;
    }

    async open() {
        this.service = await soapService({
            wsdl: WSDL, path: PATH, service: 'ThirdService2', port: 'ThirdService2Soap', v12: false,
            methods: { SubmitThird: (args, cb, headers, request) => ({ SubmitThirdResult: this.#submit(request.connection) }) },
        });
    }

    handle(req) {
        const plain = (reply) => ({ op: 'session', run: () => reply });
        if (req.path !== PATH) return plain({ status: 404, type: 'text/html', body: '<h1>404</h1>', outcome: 'none' });
        if (req.method === 'GET') return plain({ status: 200, type: 'text/xml', body: WSDL.replace('http://127.0.0.1/', `http://${req.headers.host}/`), outcome: 'wsdl' });
        if (/chunked/i.test(req.headers['transfer-encoding'] ?? '')) {
            return plain({ status: 411, type: 'text/html', headers: { Connection: 'close' }, body: '<h1>411 Length Required</h1>', outcome: 'chunked' });
        }
        const env = readEnvelope(req.body);
        const order = parse(kidText(env?.method, 'strThird'));
        const op = order === undefined ? 'other' : !order.ThirdNumber ? 'create' : String(order.State) === '9' ? 'withdraw' : 'update';
        return { op, ref: order?.SourceNumber, revision: order?.SourceVersion, page: interceptPage, run: (mis) => this.#run(req, env, order, mis) };
    }

    #run(req, env, order, mis) {
        if (mis.mode === 'throttle') return { status: 429, type: 'text/html', headers: { 'Retry-After': String(mis.retry_after ?? 2) }, body: '<h1>429</h1>', outcome: 'limit' };
        if (!(req.headers['content-type'] ?? '').startsWith('text/xml')) return { status: 415, type: 'text/html', body: '<h1>415</h1>', outcome: 'type' };
        if (env?.version !== '1.1') return fault11('VersionMismatch', '无法处理的报文');
        const action = (req.headers.soapaction ?? '').replaceAll('"', '');
        if (env.method.name !== 'SubmitThird' || env.method.ns !== NS || action !== `${NS}SubmitThird`) {
            return fault11('Client', '服务器未能识别 HTTP 标头 SOAPAction 的值');
        }
        const ctx = { env, order, mis, outcome: 'none' };
        return this.service.call(req, ctx);
    }

    #submit(ctx) {
        const { env, order, mis } = ctx;
        const no = (message) => {
            ctx.outcome = `refused ${message.split(' ')[0]}`;
            return JSON.stringify({ Success: false, Number: '{1}', ...(this.store.on('no_message') ? {} : { Message: message }) });
        };
        if (kidText(env.method, 'SessionID') !== this.secrets.sessionId) return no('SessionID 无效');
        if (kidText(env.method, 'CaseSourceID') !== this.vars.caseSourceId) return no('CaseSourceID 无效');
        if (kidText(env.method, 'CaseSourceName') !== this.vars.caseSourceName) return no('CaseSourceName 无效');
        if (mis.mode === 'fail_200') return no(busyText);
        if (order === undefined) return no('strThird 不是有效的JSON');
        if (mis.mode === 'duplicate') {
            const rec = this.store.find(order.SourceNumber);
            return JSON.stringify({ Success: false, Number: rec !== undefined && mis.number !== false ? rec.number : '', Message: 'SourceNumber 已存在' });
        }
        if (mis.mode === 'reject') return no(`${mis.field ?? 'Title'} 不符合要求`);
        const p = this.#check(order);
        if (p !== null) return no(`${p.field} ${p.reason}`);
        return this.#store(order, ctx, no);
    }

    #check(order) {
        const bad = (field, reason) => ({ field, reason });
        if (!('ThirdNumber' in order)) return bad('ThirdNumber', '缺失');
        for (const n of INTEGERS) if (!Number.isInteger(order[n])) return bad(n, '不是整数');
        for (const s of SPECS) {
            const v = order[s.n];
            if (v !== undefined && v !== null && typeof v === 'object') return bad(s.n, '类型错误');
        }
        const p = checkAll(SPECS, order);
        if (p !== null) return p;
        if (String(order.CaseSourceID) !== this.vars.caseSourceId) return bad('CaseSourceID', '与参数不一致');
        if (order.Attachs === undefined) return null;
        if (!Array.isArray(order.Attachs)) return bad('Attachs', '不是数组');
        const broken = order.Attachs.findIndex((a, i) => typeof a?.FileName !== 'string' || a.OrderValue !== i + 1);
        return broken < 0 ? null : bad('Attachs', `第${broken + 1}项错误`);
    }

    #store(order, ctx, no) {
        const fields = Object.fromEntries(Object.entries(order).filter(([, v]) => v !== null && v !== ''));
        const content = readable(SPECS, fields);
        let rec;
        if (!order.ThirdNumber) {
            if (order.State !== 0) return no('State 新增时应为0');
            rec = this.store.create(order.SourceNumber, order.SourceVersion, fields, content);
            ctx.outcome = 'created';
        } else {
            rec = this.store.records.get(order.ThirdNumber);
            if (rec === undefined || rec.ref !== order.SourceNumber) return no('ThirdNumber 不存在');
            if (rec.status === 'withdrawn' && order.State !== 9) return no('ThirdNumber 已撤回');
            if (order.State === 9) this.store.withdraw(rec, order.SourceVersion, order.remark ?? '');
            else this.store.update(rec, order.SourceVersion, fields, content);
            ctx.outcome = 'updated';
        }
        const shown = ctx.mis.mode === 'other_number' ? [...this.store.records.values()].find((r) => r !== rec) ?? rec : rec;
        return JSON.stringify({ Success: true, Number: shown.number });
    }
}

export async function start() {
    const store = new Store('hotline-12345', 'RX');
    const secrets = { sessionId: randomBytes(18).toString('base64') };
    const vars = { caseSourceId: '57', caseSourceName: '基层治理一门平台' };
    const platform = new Hotline(store, secrets, vars);
    await platform.open();
    const host = new HttpHost(store, platform);
    const port = await host.start();
    return {
        store, stop: () => host.stop(), settled: () => host.changing,
        site: {
            title: '12345热线', transport: 'soap', endpoint: `http://127.0.0.1:${port}${PATH}`, charset: 'utf-8', secrets, vars,
        },
    };
}
