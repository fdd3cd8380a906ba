/* SPDX-License-Identifier: Apache-2.0
 * Simulated 公共数据平台 (IRS). From the domain reference: §3.1 token calls, signatures, life times,
 * envelope, codes 00 11 14 18, purpose of use, `datas` as object or string, null = not found;
 * dispute-zz16.csv. The two business interfaces, their fields and the E-codes are our own.
 */
import { createHash, randomBytes } from 'node:crypto';
import { checkAll, checkIdentity, codes, readable } from './lab_check.mjs';
import { HttpHost, busyText, interceptPage, json, parseForm } from './lab_http.mjs';
import { Store } from './lab_store.mjs';

const SKEW_MS = 300_000;
const REFRESH_MS = 48 * 3600_000;
const REQUEST_MS = 15 * 60_000;
const PUSH = '/gateway/api/330106001/dataSharing/ymPushRecord0001.htm';
const QUERY = '/gateway/api/330106001/dataSharing/ymQueryRecord001.htm';
const TYPES = codes.set(['dispute', '矛盾纠纷'], ['grid_event', '网格事件'], ['hotline_order', '热线工单'],
    ['petition_note', '信访事项'], ['service_case', '服务办件']);
const KEY = [
    { n: 'sourceId', zh: '来源编号', req: true, max: 64 },
    { n: 'revision', zh: '版本', req: true, kind: 'positive' },
    { n: 'operation', zh: '操作', req: true, codes: codes.same(['I', 'U', 'D']) },
    { n: 'dataNo', zh: '数据编号', max: 20 },
];
const SPECS = [
    ...KEY,
    { n: 'recordType', zh: '数据类型', req: true, codes: TYPES },
    { n: 'title', zh: '标题', req: true, max: 200 },
    { n: 'areaCode', zh: '区划代码', req: true, kind: 'area12' },
    { n: 'categoryCode', zh: '纠纷类别', codes: codes.zz16 },
    { n: 'occurredAt', zh: '发生时间', kind: 'second' },
    { n: 'summary', zh: '摘要', max: 4000 },
    { n: 'address', zh: '地址', max: 200 },
    { n: 'amount', zh: '涉及金额', kind: 'money' },
    { n: 'peopleCount', zh: '涉及人数', kind: 'int' },
    { n: 'orgName', zh: '机构名称', max: 100 },
    { n: 'orgCode', zh: '机构代码', kind: 'credit' },
    { n: 'outcome', zh: '结果', codes: codes.same(['success', 'fail', 'withdrawn', 'transferred', 'pending']) },
    { n: 'resultText', zh: '结果说明', max: 4000 },
];
const PERSON = [
    { n: 'role', zh: '角色', req: true, codes: codes.same(['applicant', 'respondent', 'third', 'agent', 'reporter']) },
    { n: 'kind', zh: '主体', req: true, codes: codes.same(['person', 'org']) },
    { n: 'name', zh: '姓名', req: true, max: 80 },
    { n: 'idTypeCode', zh: '证件类型', codes: codes.idTypes },
    { n: 'idNo', zh: '证件号码', max: 30 },
    { n: 'sex', zh: '性别', codes: codes.sex },
    { n: 'phone', zh: '电话', kind: 'phone' },
];

const md5 = (s) => createHash('md5').update(s).digest('hex');
const envelope = (code, msg, datas, extra = {}) => json({
    code, msg, data: '', datas, dataCount: 0, totalDataCount: 0, totalPage: 1, requestId: null, interfaces: null,
}, { outcome: `code ${code}`, ...extra });

class DataCommons {
    constructor(store, secrets) {
        this.store = store;
        this.secrets = secrets;
        this.#defaults();
        store.listeners.push((b) => {
            if (b.mode === 'normal') this.#defaults(true);
            if (b.request_ms > 0) this.requestMs = b.request_ms;
            if (b.refresh_ms > 0) this.refreshMs = b.refresh_ms;
            if (b.mode === 'secret_expired' && (b.calls ?? null) === null) this.#forget(b.both === true);
        });
    }

    #defaults(keep = false) {
        this.requestMs = REQUEST_MS;
        this.refreshMs = REFRESH_MS;
        if (keep) return;
        this.request = [];
        this.refresh = [];
    }

    #forget(both) {
        this.request = [];
        if (both) this.refresh = [];
    }

    handle(req) {
        const m = /^\/gateway\/app\/refreshTokenBy(Key|Sec)\.htm$/.exec(req.path);
        if (m !== null) return { op: 'session', run: () => this.#token(req, m[1]) };
        let body;
        try {
            body = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(req.body));
        } catch {
            body = undefined;
        }
        const d = body?.data ?? {};
        const op = req.path === QUERY ? 'query' : req.path === PUSH ? { U: 'update', D: 'withdraw' }[d.operation] ?? 'create' : 'other';
        return { op, ref: d.sourceId, revision: d.revision, page: interceptPage, run: (mis) => this.#run(req, op, body, mis) };
    }

    #params(req) {
        const form = /^application\/x-www-form-urlencoded/.test(req.headers['content-type'] ?? '') ? parseForm(req.body) : {};
        const get = (n) => req.query.get(n) ?? form[n] ?? req.headers[n.toLowerCase()] ?? '';
        return { appKey: get('appKey'), sign: get('sign').toLowerCase(), time: get('requestTime') };
    }

    #fresh(list) {
        const now = Date.now();
        return list.filter((s) => s.until > now);
    }

    /* The two newest of each kind stay valid until their end: one worker's renewal breaks no other's call. */
    #issue() {
        const one = (ms) => ({ secret: randomBytes(16).toString('hex'), until: Date.now() + ms });
        const request = one(this.requestMs), refresh = one(this.refreshMs);
        this.request = [request, ...this.request].slice(0, 2);
        this.refresh = [refresh, ...this.refresh].slice(0, 2);
        return { refreshSecret: refresh.secret, refreshSecretEndTime: refresh.until, requestSecret: request.secret, requestSecretEndTime: request.until };
    }

    #token(req, by) {
        const p = this.#params(req);
        if (p.appKey !== this.secrets.appKey || !/^\d{13}$/.test(p.time)) return envelope('14', '签名错误', null);
        if (Math.abs(Date.now() - Number(p.time)) > SKEW_MS) return envelope('14', '签名错误', null);
        const keys = by === 'Key' ? [this.secrets.appSecret] : this.#fresh(this.refresh).map((s) => s.secret);
        if (by === 'Sec' && keys.length === 0) return envelope('11', '请求秘钥不在有效期内', null);
        if (!keys.some((k) => md5(p.appKey + k + p.time) === p.sign)) return envelope('14', '签名错误', null);
        return envelope('00', '成功', this.#issue(), { outcome: `token by ${by}` });
    }

    #gate(req) {
        const p = this.#params(req);
        if (p.appKey !== this.secrets.appKey || !/^\d{13}$/.test(p.time)) return envelope('14', '签名错误', null);
        if (Math.abs(Date.now() - Number(p.time)) > SKEW_MS) return envelope('14', '签名错误', null);
        const alive = this.#fresh(this.request);
        if (alive.some((s) => md5(p.appKey + s.secret + p.time) === p.sign)) return null;
        const dead = alive.length === 0 || this.request.some((s) => md5(p.appKey + s.secret + p.time) === p.sign);
        return dead ? envelope('11', '请求秘钥不在有效期内', null) : envelope('14', '签名错误', null);
    }

    #run(req, op, body, mis) {
        if (mis.mode === 'throttle') return envelope('18', '接口超量', null, { headers: { 'Retry-After': String(mis.retry_after ?? 2) } });
        if (mis.mode === 'bad_sign') return envelope('14', '签名错误', null);
        if (mis.mode === 'secret_expired' && mis.calls !== null) {
            this.#forget(mis.both === true);
            return envelope('11', '请求秘钥不在有效期内', null);
        }
        const no = this.#gate(req);
        if (no !== null) return no;
        if (op === 'other' || req.method !== 'POST') return envelope('99', '接口不存在', null, { status: 404 });
        const inner = (x, outcome) => {
            const datas = { success: false, errorMsg: null, errorCode: null, field: null, data: null, ...x };
            return envelope('00', '成功', this.store.on('datas_string') || mis.mode === 'datas_string' ? JSON.stringify(datas) : datas, { outcome });
        };
        const fail = (errorCode, errorMsg, more = {}) => inner({ errorCode, errorMsg, ...more }, `refused ${errorCode}`);
        if (mis.mode === 'fail_200') return fail('E9001', busyText);
        const p = body === undefined ? { field: '', zh: '报文', reason: '不是有效的JSON' } : this.#purpose(body);
        if (p !== null) return fail('E1001', `${p.zh}${p.reason}`, { field: p.field });
        return op === 'query' ? this.#query(body.data, mis, inner, fail) : this.#push(body.data, mis, inner, fail);
    }

    #purpose(body) {
        const a = body.additional;
        const bad = (field, zh, reason) => ({ field, zh, reason });
        if (body.data === null || typeof body.data !== 'object') return bad('data', '数据', '不能为空');
        if (typeof a?.powerMatters !== 'string' || a.powerMatters === '') return bad('additional.powerMatters', '权力事项', '不能为空');
        for (const n of ['materialName', 'sponsorName']) if (typeof a[n] !== 'string') return bad(`additional.${n}`, '用途', '缺失');
        return null;
    }

    #check(d) {
        const bad = (field, zh, reason) => ({ field, zh, reason });
        const known = new Set([...SPECS.map((s) => s.n), 'persons']);
        const strange = Object.keys(d).find((k) => !known.has(k));
        if (strange !== undefined) return bad(strange, '字段', '不支持');
        for (const s of SPECS) if (d[s.n] !== null && typeof d[s.n] === 'object') return bad(s.n, s.zh, '类型错误');
        const p = checkAll(SPECS, d);
        if (p !== null) return p;
        if (d.recordType === 'dispute' && !d.categoryCode) return bad('categoryCode', '纠纷类别', '不能为空');
        if (d.persons === undefined || d.persons === null) return null;
        if (!Array.isArray(d.persons) || d.persons.length > 50) return bad('persons', '人员', '格式错误');
        for (const [i, x] of d.persons.entries()) {
            const at = (q) => (q === null ? null : { ...q, field: `persons[${i}].${q.field}` });
            const q = at(checkAll(PERSON, x ?? {}) ?? checkIdentity(PERSON[4], x?.idTypeCode, x?.idNo));
            if (q !== null) return q;
        }
        return null;
    }

    #push(d, mis, inner, fail) {
        const exists = () => {
            const rec = this.store.find(d.sourceId);
            return fail('E1002', '数据已存在', { data: rec === undefined || mis.number === false ? null : { dataNo: rec.number } });
        };
        if (mis.mode === 'duplicate') return exists();
        if (mis.mode === 'reject') return fail('E1001', `${mis.field ?? 'title'}不符合要求`, { field: mis.field ?? 'title' });
        const p = d.operation === 'D' ? checkAll(KEY, d) : this.#check(d);
        if (p !== null) return fail('E1001', `${p.zh}${p.reason}`, { field: p.field });
        let rec = this.store.find(d.sourceId);
        const persons = (d.persons ?? []).map((x) => readable(PERSON, x));
        const content = { ...readable(SPECS, d), ...(persons.length > 0 ? { 人员: persons } : {}) };
        if (d.operation === 'I') {
            if (rec !== undefined) return exists();
            rec = this.store.create(d.sourceId, d.revision, d, content);
            return inner({ success: true, data: this.#data(rec, mis) }, 'created');
        }
        if (rec === undefined || rec.number !== d.dataNo) return fail('E1004', '数据不存在', { field: 'dataNo' });
        if (d.operation === 'D') {
            if (rec.status === 'open') this.store.withdraw(rec, d.revision, '');
        } else if (rec.status !== 'open') return fail('E1005', '数据已删除');
        else this.store.update(rec, d.revision, d, content);
        return inner({ success: true, data: this.#data(rec, mis) }, d.operation === 'D' ? 'withdrawn' : 'updated');
    }

    #data(rec, mis) {
        const shown = mis.mode === 'other_number' ? [...this.store.records.values()].find((r) => r !== rec) ?? rec : rec;
        const status = mis.mode === 'unknown_status' ? '77' : { open: '1', withdrawn: '9' }[rec.status];
        return { dataNo: shown.number, sourceId: rec.ref, revision: rec.revision, status };
    }

    #query(d, mis, inner, fail) {
        if (typeof d.sourceId !== 'string' || d.sourceId === '') return fail('E1001', '来源编号不能为空', { field: 'sourceId' });
        const rec = this.store.find(d.sourceId);
        return inner({ success: true, data: rec === undefined ? null : [this.#data(rec, mis)] }, rec === undefined ? 'absent' : 'found');
    }
}

export async function start() {
    const store = new Store('data-commons', 'GG');
    const secrets = { appKey: randomBytes(16).toString('hex'), appSecret: randomBytes(16).toString('hex') };
    const host = new HttpHost(store, new DataCommons(store, secrets));
    const port = await host.start();
    return {
        store, stop: () => host.stop(), settled: () => host.changing,
        site: { title: '公共数据平台', transport: 'http', endpoint: `http://127.0.0.1:${port}`, charset: 'utf-8', secrets, vars: {} },
    };
}
