/* SPDX-License-Identifier: Apache-2.0
 * Simulated 在线多元矛盾化解平台 (ODR). From the domain reference: §3.4 the bg_hmac gateway signature
 * and the envelope's four names; odr-labels.csv the dispute types; misc-codes the result values.
 * No interface of the Zhejiang ODR is public: routes, fields, error codes and states are our own.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { checkAll, checkIdentity, codes, fileOf, fromBase64, readable } from './lab_check.mjs';
import { HttpHost, busyText, interceptPage, json, parseForm } from './lab_http.mjs';
import { Store } from './lab_store.mjs';

const BASE = '/restapi/prod/IC33000020260000000001/odr/case/';
const SKEW_MS = 300_000;
const KINDS = codes.same(['自然人', '法人']);

const party = (who, zh) => [
    { n: `${who}Type`, zh: `${zh}类型`, req: true, codes: KINDS },
    { n: `${who}Name`, zh: `${zh}姓名`, req: true, max: 50 },
    { n: `${who}IdType`, zh: `${zh}证件类型`, codes: codes.idLabels },
    { n: `${who}IdNo`, zh: `${zh}证件号码`, max: 30 },
    { n: `${who}Sex`, zh: `${zh}性别`, codes: codes.sexLabel },
    { n: `${who}Phone`, zh: `${zh}联系电话`, max: 20, kind: 'phone' },
    { n: `${who}Address`, zh: `${zh}住址`, max: 200 },
];
const SPECS = [
    { n: 'outCaseNo', zh: '外部编号', req: true, max: 64 },
    { n: 'outVersion', zh: '外部版本', max: 9, kind: 'int' },
    { n: 'title', zh: '纠纷标题', req: true, max: 100 },
    { n: 'disputeType', zh: '纠纷类型', req: true, codes: codes.odr },
    { n: 'content', zh: '纠纷内容', req: true, max: 2000 },
    { n: 'occurDate', zh: '发生日期', kind: 'date' },
    { n: 'occurArea', zh: '发生区划', req: true, kind: 'area' },
    { n: 'occurAddress', zh: '发生地点', max: 200 },
    { n: 'amount', zh: '涉及金额', max: 15, kind: 'money' },
    { n: 'peopleCount', zh: '涉及人数', max: 6, kind: 'int' },
    ...party('applicant', '申请人'),
    ...party('respondent', '被申请人'),
    { n: 'orgName', zh: '调解组织', max: 100 },
    { n: 'mediatorName', zh: '调解员', max: 50 },
    { n: 'mediatorPhone', zh: '调解员电话', max: 20, kind: 'phone' },
    { n: 'result', zh: '调解结果', codes: codes.set(['0', '调解成功'], ['-1', '调解失败']) },
    { n: 'resultText', zh: '调解情况', max: 2000 },
    { n: 'files', zh: '附件' },
];

/** Decoded, sorted, encoded again: a literal + is a space, ! ' ( ) ~ * - _ . stay (§3.4). */
export function canonicalQuery(raw) {
    const enc = (s) => encodeURIComponent(s).replaceAll('%25', '%');
    const dec = (s) => { try { return decodeURIComponent(s.replaceAll('+', ' ')); } catch { return s; } };
    return raw.split('&').filter((p) => p !== '').map((p) => {
        const eq = p.indexOf('=');
        return eq < 0 ? [dec(p), ''] : [dec(p.slice(0, eq)), dec(p.slice(eq + 1))];
    }).sort((a, b) => (`${a[0]}=${a[1]}` < `${b[0]}=${b[1]}` ? -1 : 1))
        .map(([k, v]) => `${enc(k)}=${enc(v)}`).join('&');
}

export const bgSign = (secret, method, path, query, key, date) =>
    createHmac('sha256', secret).update(`${method}\n${path}\n${canonicalQuery(query)}\n${key}\n${date}\n`).digest('base64');

const same = (a, b) => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
const fail = (errorCode, errorMsg, data = null, status = 200) =>
    json({ success: false, errorCode, errorMsg, data }, { status, outcome: `refused ${errorCode}` });
const ok = (data, outcome) => json({ success: true, errorCode: '', errorMsg: '成功', data }, { outcome });

/** {"list": [{name, type, sha256, content}]}: each must be what its digest says; undefined when not. */
function filesOf(f) {
    try {
        const { list } = JSON.parse(f.files);
        return list.map((x) => {
            const file = fileOf(x.name, fromBase64(x.content));
            if (file.sha256 !== x.sha256) throw new Error('digest');
            return file;
        });
    } catch {
        return undefined;
    }
}

const shownOf = (f) => ({ ...readable(SPECS.filter((s) => s.n !== 'files'), f), ...(f.files === undefined ? {} : { 附件: filesOf(f) }) });
const keptOf = ({ files, ...f }) => (files === undefined ? f : { ...f, files: `${filesOf({ files }).length} 个` });

class ZjOdr {
    constructor(store, secrets) {
        this.store = store;
        this.secrets = secrets;
    }

    handle(req) {
        const op = req.path.startsWith(BASE) ? req.path.slice(BASE.length) : '';
        let f;
        try {
            f = parseForm(req.body);
        } catch {
            f = undefined;
        }
        const known = ['create', 'update', 'withdraw', 'query'].includes(op);
        const ref = f?.outCaseNo || this.store.records.get(f?.caseNo)?.ref;
        return {
            op: known ? op : 'other', ref, revision: f?.outVersion, page: interceptPage,
            run: (mis) => this.#run(req, known ? op : undefined, f, mis),
        };
    }

    #gate(req) {
        const h = req.headers;
        const date = h['x-bg-date-time'] ?? '';
        if (h['x-bg-hmac-access-key'] !== this.secrets.accessKey) return fail('BG-AK-UNKNOWN', 'AK不存在', null, 401);
        if ((h['x-bg-hmac-algorithm'] ?? '') !== 'hmac-sha256') return fail('BG-SIGN-INVALID', '签名算法不支持', null, 401);
        const t = Date.parse(date);
        if (!/ GMT$/.test(date) || Number.isNaN(t) || Math.abs(Date.now() - t) > SKEW_MS) {
            return fail('BG-DATE-EXPIRED', '请求时间超出允许范围', null, 401);
        }
        const want = bgSign(this.secrets.secretKey, req.method, req.rawPath, req.rawQuery, this.secrets.accessKey, date);
        return same(want, h['x-bg-hmac-signature'] ?? '') ? null : fail('BG-SIGN-INVALID', '签名错误', null, 401);
    }

    #run(req, op, f, mis) {
        if (mis.mode === 'throttle') {
            return { ...fail('BG-FLOW-LIMIT', '请求过于频繁', null, 429), headers: { 'Retry-After': String(mis.retry_after ?? 2) } };
        }
        if (mis.mode === 'bad_sign') return fail('BG-SIGN-INVALID', '签名错误', null, 401);
        const refused = this.#gate(req);
        if (refused !== null) return refused;
        if (op === undefined) return json({ success: false, errorCode: 'BG-API-UNKNOWN', errorMsg: '接口不存在', data: null }, { status: 404, outcome: 'unknown' });
        if (req.method !== 'POST') return fail('BG-METHOD', '请使用POST', null, 405);
        if (!(req.headers['content-type'] ?? '').startsWith('application/x-www-form-urlencoded') || f === undefined) {
            return fail('ODR-PARAM-INVALID', '请求格式错误', { field: '' });
        }
        if (mis.mode === 'fail_200') return fail('ODR-SYSTEM-BUSY', busyText);
        if (op === 'query') return this.#query(f, mis);
        if (mis.mode === 'duplicate') return this.#exists(f.outCaseNo, mis);
        if (mis.mode === 'reject') return this.#invalid({ field: mis.field ?? 'title', zh: '字段', reason: '不符合要求' });
        if (op === 'withdraw') return this.#withdraw(f);
        return op === 'create' ? this.#create(f, mis) : this.#update(f, mis);
    }

    #invalid(p) {
        return fail('ODR-PARAM-INVALID', `${p.zh}[${p.field}]${p.reason}`, { field: p.field });
    }

    #exists(ref, mis) {
        const rec = this.store.find(ref);
        return fail('ODR-CASE-EXISTS', '外部编号已存在', rec === undefined || mis.number === false ? null : { caseNo: rec.number });
    }

    #check(f, extra = []) {
        const known = new Set([...SPECS.map((s) => s.n), ...extra]);
        const strange = Object.keys(f).find((k) => !known.has(k));
        if (strange !== undefined) return { field: strange, zh: '字段', reason: '不支持' };
        const spec = (n) => SPECS.find((s) => s.n === n);
        if (f.files !== undefined && filesOf(f) === undefined) return { field: 'files', zh: '附件', reason: '内容无法识别' };
        return checkAll(SPECS, f)
            ?? checkIdentity(spec('applicantIdNo'), f.applicantIdType, f.applicantIdNo)
            ?? checkIdentity(spec('respondentIdNo'), f.respondentIdType, f.respondentIdNo);
    }

    #data(rec, mis) {
        const shown = mis.mode === 'other_number'
            ? [...this.store.records.values()].find((r) => r !== rec) ?? rec : rec;
        const status = mis.mode === 'unknown_status' ? '77' : { open: '10', withdrawn: '90' }[rec.status];
        return { caseNo: shown.number, outCaseNo: rec.ref, outVersion: rec.revision, status };
    }

    #create(f, mis) {
        const p = this.#check(f);
        if (p !== null) return this.#invalid(p);
        if (this.store.find(f.outCaseNo) !== undefined) return this.#exists(f.outCaseNo, mis);
        const rec = this.store.create(f.outCaseNo, f.outVersion, keptOf(f), shownOf(f));
        return ok(this.#data(rec, mis), 'created');
    }

    #known(f) {
        const rec = this.store.records.get(f.caseNo ?? '');
        if (!f.caseNo) return [undefined, this.#invalid({ field: 'caseNo', zh: '案件编号', reason: '不能为空' })];
        if (rec === undefined || rec.ref !== f.outCaseNo) return [undefined, fail('ODR-CASE-NOTFOUND', '案件不存在', { field: 'caseNo' })];
        if (rec.status === 'withdrawn') return [undefined, fail('ODR-CASE-CLOSED', '案件已撤回')];
        return [rec, undefined];
    }

    #update(f, mis) {
        const p = this.#check(f, ['caseNo']);
        if (p !== null) return this.#invalid(p);
        const [rec, no] = this.#known(f);
        if (rec === undefined) return no;
        this.store.update(rec, f.outVersion, keptOf(f), shownOf(f));
        return ok(this.#data(rec, mis), 'updated');
    }

    #withdraw(f) {
        const p = checkAll([SPECS[0], SPECS[1], { n: 'reason', zh: '撤回原因', req: true, max: 200 }], f);
        if (p !== null) return this.#invalid(p);
        const rec = this.store.records.get(f.caseNo ?? '');
        if (rec === undefined || rec.ref !== f.outCaseNo) return fail('ODR-CASE-NOTFOUND', '案件不存在', { field: 'caseNo' });
        if (rec.status !== 'withdrawn') this.store.withdraw(rec, f.outVersion, f.reason);
        return ok(this.#data(rec, {}), 'withdrawn');
    }

    #query(f, mis) {
        if (!f.outCaseNo && !f.caseNo) return this.#invalid({ field: 'outCaseNo', zh: '外部编号', reason: '不能为空' });
        const rec = f.outCaseNo ? this.store.find(f.outCaseNo) : this.store.records.get(f.caseNo);
        return ok(rec === undefined ? null : this.#data(rec, mis), rec === undefined ? 'absent' : 'found');
    }
}

export async function start() {
    const store = new Store('zj-odr', 'ODR');
    const secrets = { accessKey: `ak-${randomBytes(6).toString('hex')}`, secretKey: randomBytes(24).toString('base64url') };
    const host = new HttpHost(store, new ZjOdr(store, secrets));
    const port = await host.start();
    return {
        store, stop: () => host.stop(), settled: () => host.changing,
        site: { title: '在线多元矛盾化解平台', transport: 'http', endpoint: `http://127.0.0.1:${port}`, charset: 'utf-8', secrets, vars: {} },
    };
}
