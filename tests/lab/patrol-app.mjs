/* SPDX-License-Identifier: Apache-2.0
 * Simulated 巡防APP: SOAP 1.1 RPC, one string argument that holds XML. From the domain reference:
 * §3.8 the three methods, the XML with the account inside, oppoSideBusiCode, swapped coordinates,
 * attachment types; misc-codes the sources. The public sample's reply carries no number: eventId in
 * the reply, the reply codes, event types and sourceVersion are our own (switch `no_event_id`).
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkAll, codes, fileOf, fromBase64, readable } from './lab_check.mjs';
import { HttpHost, busyText, interceptPage } from './lab_http.mjs';
import { fault11, kid, kidText, leaves, parseXml, readEnvelope, soapService } from './lab_soap.mjs';
import { Store } from './lab_store.mjs';

const NS = 'http://patrol.lab.test/service';
const PATH = '/services/PatrolEventService';
const WSDL = readFileSync(join(import.meta.dirname, 'patrol-app.wsdl'), 'utf8');
const TYPES = codes.set(['01', '矛盾纠纷'], ['02', '治安隐患'], ['03', '消防隐患'], ['04', '环境卫生'],
    ['05', '公共设施'], ['06', '交通秩序'], ['99', '其他']);
const PLATFORM = { n: 'bizPlatform', zh: '平台', req: true, re: /^\d{3}$/ };
const NUMBER = { n: 'eventId', zh: '事件编号', max: 20 };
const VERSION = { n: 'sourceVersion', zh: '来源版本', kind: 'int' };
const METHODS = {
    startEvt: [
        NUMBER,
        { n: 'gridCode', zh: '网格编码', re: /^\d{15,18}$/ },
        { n: 'orgCode', zh: '机构编码', req: true, kind: 'areaOrg' },
        { n: 'eventName', zh: '事件名称', req: true, max: 100 },
        { n: 'happenTimeStr', zh: '发生时间', req: true, kind: 'second' },
        { n: 'occurred', zh: '发生地点', req: true, max: 200 },
        { n: 'content', zh: '事件内容', req: true, max: 2000 },
        { n: 'handleDate', zh: '处理时限', kind: 'second' },
        { n: 'oppoSideBusiCode', zh: '对方业务编号', req: true, max: 64 },
        PLATFORM,
        { n: 'eventType', zh: '事件类型', req: true, codes: TYPES },
        { n: 'longitude', zh: '经度', kind: 'lon' },
        { n: 'latitude', zh: '纬度', kind: 'lat' },
        { n: 'urgency', zh: '紧急程度', codes: codes.level },
        { n: 'influence', zh: '影响范围', codes: codes.level },
        { n: 'source', zh: '来源', codes: codes.eventSource },
        { n: 'creatorName', zh: '登记人', max: 80 },
        { n: 'contactUserName', zh: '联系人', max: 80 },
        { n: 'contactTel', zh: '联系电话', kind: 'phone' },
        { n: 'registerTimeStr', zh: '登记时间', kind: 'second' },
        { n: 'advice', zh: '意见', max: 500 },
        VERSION,
    ],
    rejectEvt: [{ ...NUMBER, req: true }, { n: 'advice', zh: '意见', req: true, max: 500 }, PLATFORM, VERSION],
    closeEvt: [{ ...NUMBER, req: true }, { n: 'closeOrgName', zh: '办结单位', max: 100 }, { n: 'closeDate', zh: '办结时间', kind: 'second' },
        { n: 'advice', zh: '意见', req: true, max: 500 }, PLATFORM, VERSION],
};
const esc = (s) => String(s).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

class PatrolApp {
    constructor(store, secrets, vars) {
        this.store = store;
        this.secrets = secrets;
        this.vars = vars;
    }

    async open() {
        const method = (name) => (args, cb, headers, request) => ({ return: this.#do(name, request.connection) });
        this.service = await soapService({
            wsdl: WSDL, path: PATH, service: 'PatrolEventService', port: 'PatrolEvent', v12: false,
            methods: Object.fromEntries(Object.keys(METHODS).map((n) => [n, method(n)])),
        });
    }

    handle(req) {
        const plain = (reply) => ({ op: 'session', run: () => reply });
        if (req.path !== PATH) return plain({ status: 404, type: 'text/html', body: '<h1>404</h1>', outcome: 'none' });
        if (req.method === 'GET') return plain({ status: 200, type: 'text/xml', body: WSDL.replace('http://127.0.0.1/', `http://${req.headers.host}/`), outcome: 'wsdl' });
        const env = readEnvelope(req.body);
        const name = env?.method.name;
        let data;
        try {
            data = parseXml(kidText(env?.method, 'xml') ?? '');
        } catch {
            data = undefined;
        }
        const event = kid(data, 'event');
        const number = kidText(event, 'eventId') ?? '';
        const op = METHODS[name] === undefined ? 'other' : name === 'startEvt' ? (number === '' ? 'create' : 'update') : 'withdraw';
        return {
            op, ref: kidText(event, 'oppoSideBusiCode') ?? this.store.records.get(number)?.ref,
            revision: kidText(event, 'sourceVersion'), page: interceptPage, run: (mis) => this.#run(req, env, data, mis),
        };
    }

    #run(req, env, data, mis) {
        if (mis.mode === 'throttle') return { status: 429, type: 'text/html', headers: { 'Retry-After': String(mis.retry_after ?? 2) }, body: '<h1>429</h1>', outcome: 'limit' };
        if (!(req.headers['content-type'] ?? '').startsWith('text/xml')) return { status: 415, type: 'text/html', body: '<h1>415</h1>', outcome: 'type' };
        if (env?.version !== '1.1') return fault11('VersionMismatch', '无法处理的报文');
        if (METHODS[env.method.name] === undefined || env.method.ns !== NS) return fault11('Client', '方法不存在');
        const ctx = { data, mis, outcome: 'none' };
        return this.service.call({ ...req, headers: { ...req.headers, soapaction: '""' } }, ctx);
    }

    #do(name, ctx) {
        const { data, mis } = ctx;
        const say = (code, message, number) => {
            if (code !== '0') ctx.outcome = `refused ${code}`;
            const id = number === undefined || this.store.on('no_event_id') ? '' : `<eventId>${number}</eventId>`;
            return `<result><code>${code}</code><message>${esc(message)}</message>${id}</result>`;
        };
        const auth = kid(data, 'auth'), event = kid(data, 'event');
        if (data?.name !== 'data' || event === undefined) return say('9002', 'XML格式错误');
        if (kidText(auth, 'username') !== this.secrets.username || kidText(auth, 'password') !== this.secrets.password) return say('1001', '认证失败');
        if (mis.mode === 'fail_200') return say('9001', busyText);
        const { fields, twice } = leaves(event);
        if (twice !== undefined) return say('2001', `字段[${twice}]重复`);
        if (mis.mode === 'duplicate') return say('3003', '事件已存在', mis.number === false ? undefined : this.store.find(fields.oppoSideBusiCode)?.number);
        if (mis.mode === 'reject') return say('2001', `字段[${mis.field ?? 'eventName'}]不符合要求`);
        const p = checkAll(METHODS[name], fields) ?? this.#more(name, fields, event);
        if (p !== null) return say('2001', `字段[${p.field}]${p.reason}`);
        return this.#store(name, fields, ctx, say);
    }

    #more(name, f, event) {
        const bad = (field, reason) => ({ field, reason });
        if (f.bizPlatform !== this.vars.bizPlatform) return bad('bizPlatform', '未登记');
        if (!f.longitude !== !f.latitude) return bad(f.longitude ? 'latitude' : 'longitude', '不能为空');
        for (const a of kid(event, 'attrs')?.kids ?? []) {
            const type = kidText(a, 'attrType');
            if (a.name !== 'attr' || !['.png', '.jpg'].includes(type)) return bad('attrs', '附件类型不支持');
            const bytes = fromBase64(kidText(a, 'attrBase64') ?? '');
            if (bytes === undefined || (bytes.length > 0 && (type === '.png') !== (bytes[0] === 0x89))) return bad('attrs', '附件内容无法识别');
        }
        return null;
    }

    #store(name, fields, ctx, say) {
        const kept = Object.fromEntries(Object.entries(fields).filter(([, v]) => v !== ''));
        const content = readable(METHODS[name], kept);
        const files = (kid(kid(ctx.data, 'event'), 'attrs')?.kids ?? []).map((a) => fileOf(kidText(a, 'attrName'), fromBase64(kidText(a, 'attrBase64') ?? '')));
        if (files.length > 0) content['附件'] = files;
        let rec = fields.eventId ? this.store.records.get(fields.eventId) : undefined;
        if (fields.eventId && rec === undefined) return say('3001', '事件不存在');
        if (rec !== undefined && fields.oppoSideBusiCode && fields.oppoSideBusiCode !== rec.ref) return say('3001', '事件不存在');
        if (rec !== undefined && rec.status !== 'open' && name === 'startEvt') return say('3002', '事件已关闭');
        if (name !== 'startEvt') {
            if (rec.status === 'open') this.store.withdraw(rec, fields.sourceVersion, fields.advice);
            if (name === 'closeEvt') rec.status = 'closed';
            ctx.outcome = name;
        } else if (rec === undefined) {
            rec = this.store.create(fields.oppoSideBusiCode, fields.sourceVersion, kept, content);
            ctx.outcome = 'created';
        } else {
            this.store.update(rec, fields.sourceVersion, kept, content);
            ctx.outcome = 'updated';
        }
        const shown = ctx.mis.mode === 'other_number' ? [...this.store.records.values()].find((r) => r !== rec) ?? rec : rec;
        return say('0', '成功', shown.number);
    }
}

export async function start() {
    const store = new Store('patrol-app', 'XF');
    const secrets = { username: 'yimen', password: randomBytes(12).toString('base64url') };
    const vars = { bizPlatform: '016' };
    const platform = new PatrolApp(store, secrets, vars);
    await platform.open();
    const host = new HttpHost(store, platform);
    const port = await host.start();
    return {
        store, stop: () => host.stop(), settled: () => host.changing,
        site: { title: '巡防APP', transport: 'soap', endpoint: `http://127.0.0.1:${port}${PATH}`, charset: 'utf-8', secrets, vars },
    };
}
