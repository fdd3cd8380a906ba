/* SPDX-License-Identifier: Apache-2.0
 * people-mediation driven as a browser would: cookie, hidden fields from the page, GB18030 bytes.
 */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import iconv from 'iconv-lite';
import { newRef, openLab } from './lab_client.mjs';

const ID = 'people-mediation';
const lab = await openLab([ID]);
const { endpoint, secrets } = lab.systems[ID];
beforeEach(() => lab.reset());

const encode = (f) => Object.entries(f).map(([k, v]) => [k, v].map((s) => [...iconv.encode(s, 'gb18030')]
    .map((b) => (/[A-Za-z0-9._-]/.test(String.fromCharCode(b)) ? String.fromCharCode(b) : `%${b.toString(16).padStart(2, '0')}`)).join('')).join('=')).join('&');

class Browser {
    async go(path, form) {
        const r = await fetch(endpoint + path, {
            redirect: 'manual', method: form === undefined ? 'GET' : 'POST', signal: AbortSignal.timeout(5000),
            headers: { ...(this.cookie ? { cookie: this.cookie } : {}), ...(form ? { 'content-type': 'application/x-www-form-urlencoded' } : {}) },
            body: form === undefined ? undefined : encode(form),
        });
        const set = r.headers.get('set-cookie');
        if (set) this.cookie = set.split(';')[0];
        const bytes = Buffer.from(await r.arrayBuffer());
        this.page = { status: r.status, type: r.headers.get('content-type'), to: r.headers.get('location'), bytes, text: iconv.decode(bytes, 'gb18030') };
        return this.page;
    }

    hidden() {
        return Object.fromEntries([...this.page.text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)">/g)].map((m) => [m[1], m[2]]));
    }

    async signIn(password = secrets.password) {
        await this.go('/login');
        return this.go('/login', { ...this.hidden(), username: secrets.username, password });
    }

    async submit(page, action, fields) {
        const p = await this.go(page);
        return p.status === 302 || !p.text.includes('<form id="') ? p : this.go(action, { ...this.hidden(), ...fields });
    }

    get number() { return /<span id="caseNo">(TJ\d+)<\/span>/.exec(this.page.text)?.[1]; }
    get code() { return /id="messageBox" class="error" data-code="(\w+)"/.exec(this.page.text)?.[1]; }
    get field() { return /data-field="([^"]+)"/.exec(this.page.text)?.[1]; }
}

const full = (ref) => ({
    outerNo: ref, outerVersion: '1', caseTitle: '测试甲与测试乙纠纷', caseSituation: '他说:"不行"\\\n{"a":1} <b>&amp; 𠮷㐀', caseType: '2',
    'caseCounty.id': '5101', 'caseTown.id': '61002', 'peopleMediationCommittee.id': '7001', 'mediator.id': '8001',
    accuserName: '测试甲', accuserIdcard: '330106189003070015', accuserSex: '1', accuserBirthday: '1890-03-07', accuserEthnic: '01', accuserPhone: '13000000001',
    defendantName: '测试乙',
});

async function signedIn() {
    const b = new Browser();
    assert.equal((await b.signIn()).to, '/index');
    return b;
}

test('pages are GB18030 and say so', async () => {
    const b = new Browser();
    const p = await b.go('/login');
    assert.match(p.type, /charset=GB18030/);
    assert.match(p.text, /<meta charset="GB18030">/);
    assert.ok(p.bytes.includes(iconv.encode('登录', 'gb18030')));
    assert.ok(!p.bytes.includes(Buffer.from('登录')));
});

test('without a session every page leads to the sign-in, a wrong password too', async () => {
    const b = new Browser();
    for (const path of ['/case/new', '/case/search?outerNo=x', '/index']) assert.equal((await b.go(path)).to, '/login');
    const p = await b.signIn('wrong');
    assert.equal(p.status, 200);
    assert.match(p.text, /用户名或密码错误/);
});

test('new case, search, edit with values filled in, withdraw', async () => {
    const b = await signedIn(), ref = newRef(), f = full(ref);
    await b.submit('/case/new', '/case/save', f);
    const no = b.number;
    assert.ok(no, b.page.text);
    assert.match((await b.go(`/case/search?outerNo=${ref}`)).text, new RegExp(`<td class="caseNo">${no}</td><td class="outerNo">${ref}</td><td class="outerVersion">1</td><td class="status">调解中</td>`));
    assert.match((await b.go(`/case/edit?caseNo=${no}`)).text, /name="accuserName" value="测试甲"/);
    assert.match(b.page.text, /<option value="61002" selected>示例镇<\/option>/);
    assert.match(b.page.text, /他说:&quot;不行&quot;/);
    await b.submit(`/case/edit?caseNo=${no}`, '/case/update', { ...f, outerVersion: '2', caseTitle: '改过' });
    assert.equal(b.number, no);
    const [rec] = await lab.records(ID, ref);
    assert.equal(rec.fields.caseSituation, f.caseSituation);
    assert.equal(rec.content.纠纷类型, '2 邻里纠纷');
    assert.deepEqual(rec.history.map((h) => h.revision), [1, 2]);
    await b.submit(`/case/withdraw?caseNo=${no}`, '/case/withdraw', { reason: '撤回' });
    assert.equal((await lab.records(ID, ref))[0].status, 'withdrawn');
    await b.go(`/case/edit?caseNo=${no}`);
    assert.equal(b.code, 'closed');
});

test('nothing found says so', async () => {
    const b = await signedIn();
    assert.match((await b.go('/case/search?outerNo=none')).text, /<div id="empty">/);
});

test('a second case with the same reference is refused with the number', async () => {
    const b = await signedIn(), f = full(newRef());
    await b.submit('/case/new', '/case/save', f);
    const no = b.number;
    await b.submit('/case/new', '/case/save', f);
    assert.equal(b.code, 'exists');
    assert.match(b.page.text, new RegExp(`data-no="${no}"`));
});

for (const [field, value] of [['accuserName', ''], ['caseType', '19'], ['caseTown.id', '62001'], ['mediator.id', '8003'], ['accuserIdcard', '330106189003070016'],
    ['accuserBirthday', '1890-03-08'], ['accuserSex', '2'], ['accuserPhone', '1234'], ['caseTitle', '长'.repeat(101)], ['madeUp', 'x'], ['act.taskDefKey', 'mediation_xiugai']]) {
    test(`refuses ${field} = ${value.slice(0, 20)} and names it`, async () => {
        const b = await signedIn(), ref = newRef();
        await b.submit('/case/new', '/case/save', { ...full(ref), [field]: value });
        assert.deepEqual([b.code, b.field], ['invalid', field]);
        assert.deepEqual(await lab.records(ID, ref), []);
    });
}

test('a token works once, and another session cannot use it', async () => {
    const b = await signedIn(), other = await signedIn(), ref = newRef();
    await b.go('/case/new');
    const h = b.hidden();
    await other.go('/case/save', { ...h, ...full(ref) });
    assert.equal(other.code, 'csrf');
    await b.go('/case/save', { ...h, ...full(ref) });
    assert.ok(b.number);
    await b.go('/case/save', { ...h, ...full(newRef()) });
    assert.equal(b.code, 'csrf');
    assert.equal((await lab.records(ID)).length, 1);
});

test('a session ends when told, and by itself after its idle time', async () => {
    const b = await signedIn();
    await lab.behave(ID, { mode: 'secret_expired' });
    assert.equal((await b.go('/case/new')).to, '/login');
    assert.equal((await b.signIn()).to, '/index');
    await lab.behave(ID, { mode: 'secret_expired', session_ms: 50, ops: [] });
    await new Promise((r) => setTimeout(r, 120));
    assert.equal((await b.go('/case/new')).to, '/login');
});

test('with captcha on nobody signs in and the page shows it', async () => {
    const b = await signedIn();
    await lab.behave(ID, { mode: 'captcha' });
    await b.go('/case/new');
    assert.match(b.page.text, /id="captchaImage"/);
    const p = await b.signIn();
    assert.equal(p.status, 200);
    assert.match(p.text, /验证码错误/);
    assert.match(p.text, /name="validateCode"/);
});

for (const [mode, stored] of [['cut_before', 0], ['cut_after', 1], ['fail_200', 0], ['reject', 0], ['garbage', 1], ['wrong_charset', 1], ['duplicate', 0]]) {
    test(`${mode} stores ${stored}`, async () => {
        const b = await signedIn(), ref = newRef();
        await lab.behave(ID, { mode, calls: 1, field: 'caseTitle', ops: ['create'] });
        await b.submit('/case/new', '/case/save', full(ref)).catch(() => {});
        assert.equal((await lab.records(ID, ref)).length, stored);
        if (mode === 'fail_200') assert.equal(b.code, 'busy');
        if (mode === 'reject') assert.equal(b.field, 'caseTitle');
        if (mode === 'wrong_charset') assert.ok(b.page.bytes.includes(Buffer.from('保存成功')));
    });
}
