/* SPDX-License-Identifier: Apache-2.0
 * Simulated 人民调解工作管理平台: an HTML form system in GB18030. From the domain reference: §7.2 the
 * names of the application's fields, §7.3 the node names, §3.12 local area ids, committee and
 * mediator ids, session and captcha rules, moj18.csv the dispute types. Routes, pages, outerNo,
 * outerVersion and the ids themselves are our own.
 */
import { randomBytes } from 'node:crypto';
import { checkAll, checkField, codes, readable } from './lab_check.mjs';
import { HttpHost, busyText, parseForm } from './lab_http.mjs';
import { Store } from './lab_store.mjs';

const COUNTIES = codes.set(['5101', '示例区'], ['5102', '示范区'], ['5103', '样例区']);
const TOWNS = codes.set(['61001', '示例街道'], ['61002', '示例镇'], ['61003', '示例乡'], ['62001', '示范街道'], ['63001', '样例街道']);
const TOWN_OF = { 61001: '5101', 61002: '5101', 61003: '5101', 62001: '5102', 63001: '5103' };
const COMMITTEES = codes.set(['7001', '示例镇人民调解委员会'], ['7002', '示例街道人民调解委员会'],
    ['7003', '示例区矛盾纠纷调处化解中心'], ['7004', '示范区人民调解委员会'], ['7005', '样例区人民调解委员会']);
const MEDIATORS = codes.set(['8001', '测试调解员甲'], ['8002', '测试调解员乙'], ['8003', '测试调解员丙'],
    ['8004', '测试调解员丁'], ['8005', '测试调解员戊'], ['8006', '测试调解员己']);
const MEDIATOR_OF = { 8001: '7001', 8002: '7001', 8003: '7002', 8004: '7003', 8005: '7004', 8006: '7005' };

const person = (who, zh) => [
    { n: `${who}Name`, zh: `${zh}姓名`, req: true, max: 80 },
    { n: `${who}Idcard`, zh: `${zh}身份证号`, max: 18, kind: 'idcard' },
    { n: `${who}Sex`, zh: `${zh}性别`, codes: codes.sex12 },
    { n: `${who}Birthday`, zh: `${zh}出生日期`, kind: 'date' },
    { n: `${who}Ethnic`, zh: `${zh}民族`, codes: codes.ethnic },
    { n: `${who}County.id`, zh: `${zh}所在县区`, codes: COUNTIES },
    { n: `${who}Town.id`, zh: `${zh}所在乡镇`, codes: TOWNS },
    { n: `${who}Occupation`, zh: `${zh}职业`, max: 64 },
    { n: `${who}Domicile`, zh: `${zh}户籍地`, max: 255 },
    { n: `${who}Address`, zh: `${zh}住址`, max: 255 },
    { n: `${who}PostCode`, zh: `${zh}邮编`, re: /^\d{6}$/ },
    { n: `${who}Phone`, zh: `${zh}联系电话`, max: 13, kind: 'phone' },
];
const SPECS = [
    { n: 'outerNo', zh: '外部编号', req: true, max: 64 },
    { n: 'outerVersion', zh: '外部版本', kind: 'int' },
    { n: 'caseTitle', zh: '纠纷标题', req: true, max: 100 },
    { n: 'caseSituation', zh: '纠纷情况', req: true, max: 2000 },
    { n: 'caseType', zh: '纠纷类型', req: true, codes: codes.moj18 },
    { n: 'caseTypeDesc', zh: '类型说明', max: 100 },
    { n: 'caseCounty.id', zh: '纠纷发生县区', req: true, codes: COUNTIES },
    { n: 'caseTown.id', zh: '纠纷发生乡镇', req: true, codes: TOWNS },
    { n: 'peopleMediationCommittee.id', zh: '调解委员会', req: true, codes: COMMITTEES },
    { n: 'mediator.id', zh: '调解员', codes: MEDIATORS },
    ...person('accuser', '申请人'),
    ...person('defendant', '被申请人'),
    { n: 'caseFile', zh: '附件', max: 1000, re: /^\|/ },
];
const AREAS = ['case', 'accuser', 'defendant'];
const TYPE = 'text/html;charset=GB18030';
const STATUS = { open: '调解中', withdrawn: '已撤回' };

const esc = (v) => String(v ?? '').replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
const token = () => randomBytes(16).toString('hex');
const page = (title, inner, outcome, extra = {}) => ({
    status: 200, type: TYPE, outcome, ...extra,
    body: `<!DOCTYPE html>\n<html><head><meta charset="GB18030"><title>${esc(title)}</title></head>\n<body>\n${inner}\n</body></html>\n`,
});
const error = (code, message, attrs = '') =>
    page('提示', `<div id="messageBox" class="error" data-code="${code}"${attrs}>${esc(message)}</div>`, `refused ${code}`);
const redirect = (to, headers = {}) => ({ status: 302, type: TYPE, headers: { Location: to, ...headers }, body: '', outcome: `redirect ${to}` });

function control(s, value) {
    const label = `<label for="${s.n}">${s.zh}${s.req ? '*' : ''}</label>`;
    if (s.n === 'caseSituation') return `${label}<textarea id="${s.n}" name="${s.n}" rows="5">\n${esc(value)}</textarea>`;
    if (s.codes === undefined) return `${label}<input type="text" id="${s.n}" name="${s.n}" value="${esc(value)}"${s.max ? ` maxlength="${s.max}"` : ''}>`;
    const options = [...s.codes].map(([c, l]) => `<option value="${c}"${c === value ? ' selected' : ''}>${esc(l)}</option>`);
    return `${label}<select id="${s.n}" name="${s.n}"><option value="">请选择</option>${options.join('')}</select>`;
}

class PeopleMediation {
    constructor(store, secrets) {
        this.store = store;
        this.secrets = secrets;
        this.sessions = new Map();
        this.idleMs = 20 * 60_000;
        store.listeners.push((b) => {
            if (['secret_expired', 'captcha', 'login_page'].includes(b.mode) && b.ops === undefined) this.sessions.clear();
            if (b.session_ms > 0) this.idleMs = b.session_ms;
            if (b.mode === 'normal') this.idleMs = 20 * 60_000;
        });
    }

    handle(req) {
        const m = /^\/case\/(new|save|edit|update|withdraw|search)$/.exec(req.path);
        const post = req.method === 'POST';
        let form = {};
        try {
            if (post) form = parseForm(req.body, 'gb18030');
        } catch {
            form = undefined;
        }
        if (m === null) return { op: 'session', run: () => this.#door(req, form) };
        const name = m[1];
        const op = name === 'search' ? 'query' : !post ? 'page' : { save: 'create', update: 'update', withdraw: 'withdraw' }[name] ?? 'page';
        const rec = this.store.records.get(req.query.get('caseNo') ?? form?.id ?? '');
        return {
            op, ref: form?.outerNo ?? req.query.get('outerNo') ?? rec?.ref, revision: form?.outerVersion,
            page: (kind) => (kind === 'captcha' ? this.#captchaPage() : this.#loginPage()),
            run: (mis) => this.#inside(req, name, post, form, mis),
        };
    }

    /* ---- sign-in ---- */
    #session(req) {
        const id = /(?:^|;\s*)JSESSIONID=([0-9a-f]+)/.exec(req.headers.cookie ?? '')?.[1];
        const s = id === undefined ? undefined : this.sessions.get(id);
        if (s === undefined) return undefined;
        if (Date.now() - s.seen > this.idleMs) {
            this.sessions.delete(id);
            return undefined;
        }
        s.seen = Date.now();
        return s;
    }

    #open(user) {
        const id = token();
        for (const [k, v] of this.sessions) if (Date.now() - v.seen > this.idleMs) this.sessions.delete(k);
        const s = { id, user, seen: Date.now(), tokens: new Set() };
        this.sessions.set(id, s);
        return s;
    }

    #csrf(s) {
        const t = token();
        s.tokens.add(t);
        if (s.tokens.size > 500) s.tokens.delete(s.tokens.values().next().value);
        return t;
    }

    #door(req, form) {
        if (req.path === '/') return redirect('/index');
        if (req.path === '/captcha.png') return { status: 200, type: 'image/png', body: Buffer.from('89504e470d0a1a0a', 'hex'), outcome: 'captcha' };
        if (req.path === '/index') {
            const s = this.#session(req);
            if (s?.user === undefined) return redirect('/login');
            return page('首页', `<div id="welcome">欢迎您,${esc(s.user)}</div><a href="/case/new">新增申请</a> <a href="/case/search">查询</a>`, 'index');
        }
        if (req.path !== '/login') return page('404', '<div id="messageBox" class="error" data-code="route">页面不存在</div>', 'none', { status: 404 });
        if (req.method !== 'POST') return this.#loginPage(this.#session(req));
        const s = this.#session(req);
        if (s === undefined || form === undefined || !s.tokens.delete(form._csrf)) return this.#loginPage(s, '表单已过期,请重新登录');
        if (this.store.on('captcha')) return this.#loginPage(s, '验证码错误');
        if (form.username !== this.secrets.username || form.password !== this.secrets.password) {
            return this.#loginPage(s, '用户名或密码错误');
        }
        this.sessions.delete(s.id);
        const fresh = this.#open(form.username);
        return redirect('/index', { 'Set-Cookie': `JSESSIONID=${fresh.id}; Path=/; HttpOnly` });
    }

    #loginPage(session, message) {
        const s = session ?? this.#open(undefined);
        const captcha = this.store.on('captcha')
            ? '<img id="captchaImage" src="/captcha.png" alt="验证码"><input type="text" name="validateCode" value="">' : '';
        return page('登录', `${message ? `<div id="messageBox" class="error">${esc(message)}</div>\n` : ''}`
            + `<form id="loginForm" action="/login" method="post"><input type="hidden" name="_csrf" value="${this.#csrf(s)}">\n`
            + `<input type="text" name="username" value=""><input type="password" name="password" value="">${captcha}`
            + '<button type="submit">登录</button></form>', 'login page',
        { headers: { 'Set-Cookie': `JSESSIONID=${s.id}; Path=/; HttpOnly` } });
    }

    #captchaPage() {
        return page('安全验证', '<form id="captchaForm" action="/verify" method="post"><img id="captchaImage" src="/captcha.png" alt="验证码">'
            + '<input type="text" name="validateCode" value=""></form><p>请输入验证码</p>', 'captcha');
    }

    /* ---- cases ---- */
    #inside(req, name, post, form, mis) {
        if (mis.mode === 'secret_expired' && mis.calls !== null) this.sessions.clear();
        if (mis.mode === 'throttle') {
            return page('提示', '<div id="messageBox" class="error" data-code="limit">访问过于频繁</div>', 'limit',
                { status: 429, headers: { 'Retry-After': String(mis.retry_after ?? 2) } });
        }
        const s = this.#session(req);
        if (s?.user === undefined) return redirect('/login');
        if (post && form === undefined) return error('charset', '请求编码错误');
        if (mis.mode === 'fail_200') return error('busy', busyText);
        if (name === 'search') return this.#search(req.query, mis);
        if (!post) return this.#formPage(s, name, req.query);
        if (!s.tokens.delete(form._csrf)) return error('csrf', '表单已过期,请刷新后重试');
        if (mis.mode === 'duplicate') return this.#exists(form.outerNo, mis);
        if (mis.mode === 'reject') return this.#invalid({ field: mis.field ?? 'caseTitle', zh: '字段', reason: '不符合要求' });
        if (name === 'save') return this.#save(form, mis);
        if (name === 'update') return this.#update(form, mis);
        return name === 'withdraw' ? this.#withdraw(form) : error('route', '页面不存在');
    }

    #formPage(s, name, query) {
        if (name === 'new') return this.#caseForm(s, '/case/save', '', 'mediation_start', {});
        const rec = this.store.records.get(query.get('caseNo') ?? '');
        if (rec === undefined) return error('notfound', '案件不存在');
        if (name === 'edit') {
            return rec.status === 'withdrawn' ? error('closed', '案件已撤回') : this.#caseForm(s, '/case/update', rec.number, 'mediation_xiugai', rec.fields);
        }
        if (name !== 'withdraw') return error('route', '页面不存在');
        return page('撤回', `<form id="withdrawForm" action="/case/withdraw" method="post"><input type="hidden" name="_csrf" value="${this.#csrf(s)}">`
            + `<input type="hidden" name="id" value="${rec.number}"><input type="text" name="reason" value="" maxlength="200"><button type="submit">撤回</button></form>`, 'page');
    }

    #caseForm(s, action, id, node, values) {
        return page('人民调解申请', `<form id="caseForm" action="${action}" method="post" accept-charset="GB18030">\n`
            + `<input type="hidden" name="_csrf" value="${this.#csrf(s)}"><input type="hidden" name="id" value="${id}">\n`
            + `<input type="hidden" name="act.taskDefKey" value="${node}"><input type="hidden" name="act.flag" value="yes">\n`
            + `${SPECS.map((x) => `<div>${control(x, values[x.n])}</div>`).join('\n')}\n<button type="submit">提交</button></form>`, 'page');
    }

    #invalid(p) {
        return error('invalid', `${p.zh}${p.reason}`, ` data-field="${esc(p.field)}"`);
    }

    #exists(ref, mis) {
        const rec = this.store.find(ref);
        return error('exists', '该外部编号已存在', rec === undefined || mis.number === false ? '' : ` data-no="${rec.number}"`);
    }

    #check(f, node) {
        const known = new Set(['_csrf', 'id', 'act.taskDefKey', 'act.flag', ...SPECS.map((s) => s.n)]);
        const strange = Object.keys(f).find((k) => !known.has(k));
        const bad = (field, zh, reason) => ({ field, zh, reason });
        if (strange !== undefined) return bad(strange, '字段', '不支持');
        if (f['act.taskDefKey'] !== node || f['act.flag'] !== 'yes' || f.id === undefined) return bad('act.taskDefKey', '流程节点', '错误');
        const p = checkAll(SPECS, f);
        if (p !== null) return p;
        for (const who of AREAS) {
            const town = f[`${who}Town.id`];
            if (town && TOWN_OF[town] !== f[`${who}County.id`]) return bad(`${who}Town.id`, '乡镇', '不属于所选县区');
        }
        if (f['mediator.id'] && MEDIATOR_OF[f['mediator.id']] !== f['peopleMediationCommittee.id']) {
            return bad('mediator.id', '调解员', '不属于所选调解委员会');
        }
        for (const who of ['accuser', 'defendant']) {
            const id = f[`${who}Idcard`], born = f[`${who}Birthday`], sex = f[`${who}Sex`];
            if (!id) continue;
            if (born && born.replaceAll('-', '') !== id.slice(6, 14)) return bad(`${who}Birthday`, '出生日期', '与身份证号不一致');
            if (sex && (sex === '1') !== (+id[16] % 2 === 1)) return bad(`${who}Sex`, '性别', '与身份证号不一致');
        }
        return null;
    }

    #keep(f) {
        const fields = Object.fromEntries(SPECS.map((s) => [s.n, (f[s.n] ?? '').replaceAll('\r\n', '\n')]).filter(([, v]) => v !== ''));
        return [fields, readable(SPECS, fields)];
    }

    #done(rec, mis, outcome) {
        const shown = mis.mode === 'other_number' ? [...this.store.records.values()].find((r) => r !== rec) ?? rec : rec;
        return page('保存成功', `<div id="resultBox" class="success">保存成功</div>\n<p>案件编号:<span id="caseNo">${shown.number}</span></p>`, outcome);
    }

    #save(f, mis) {
        const p = this.#check(f, 'mediation_start');
        if (p !== null) return this.#invalid(p);
        if (this.store.find(f.outerNo) !== undefined) return this.#exists(f.outerNo, mis);
        return this.#done(this.store.create(f.outerNo, f.outerVersion, ...this.#keep(f)), mis, 'created');
    }

    #update(f, mis) {
        const p = this.#check(f, 'mediation_xiugai');
        if (p !== null) return this.#invalid(p);
        const rec = this.store.records.get(f.id);
        if (rec === undefined) return error('notfound', '案件不存在');
        if (rec.status === 'withdrawn') return error('closed', '案件已撤回');
        if (rec.ref !== f.outerNo) return this.#invalid({ field: 'outerNo', zh: '外部编号', reason: '不能修改' });
        return this.#done(this.store.update(rec, f.outerVersion, ...this.#keep(f)), mis, 'updated');
    }

    #withdraw(f) {
        const rec = this.store.records.get(f.id ?? '');
        if (rec === undefined) return error('notfound', '案件不存在');
        const p = checkField({ n: 'reason', zh: '撤回原因', req: true, max: 200 }, f.reason);
        if (p !== null) return this.#invalid(p);
        if (rec.status !== 'withdrawn') this.store.withdraw(rec, f.outerVersion ?? rec.revision, f.reason);
        return this.#done(rec, {}, 'withdrawn');
    }

    #search(query, mis) {
        const ref = query.get('outerNo') ?? '';
        const rows = this.store.byRef.get(ref) ?? [];
        if (rows.length === 0) return page('查询', '<div id="empty">没有查询到数据</div>', 'absent');
        const status = (r) => (mis.mode === 'unknown_status' ? '状态七十七' : STATUS[r.status]);
        return page('查询', `<table id="list">\n${rows.map((r) => `<tr class="case" data-no="${r.number}"><td class="caseNo">${r.number}</td>`
            + `<td class="outerNo">${esc(r.ref)}</td><td class="outerVersion">${r.revision}</td><td class="status">${status(r)}</td></tr>`).join('\n')}\n</table>`, 'found');
    }
}

export async function start() {
    const store = new Store('people-mediation', 'TJ');
    const secrets = { username: 'yimen', password: randomBytes(12).toString('base64url') };
    const host = new HttpHost(store, new PeopleMediation(store, secrets), { charset: 'gb18030' });
    const port = await host.start();
    return {
        store, stop: () => host.stop(), settled: () => host.changing,
        site: { title: '人民调解工作管理平台', transport: 'form', endpoint: `http://127.0.0.1:${port}`, charset: 'gb18030', secrets, vars: {} },
    };
}
