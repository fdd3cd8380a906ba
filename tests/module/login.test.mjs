/* SPDX-License-Identifier: Apache-2.0
 * Local accounts as people use them: sign in on a page, change the password, add a second factor;
 * and as administrators see them.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { Browser } from '../lib/browser.mjs';
import { PASSWORD, cli, code, enrol, run, startAccounts } from '../lib/accounts.mjs';
import { PUBLIC_URL, startGateway } from '../lib/gateway.mjs';
import { testNginx, until } from '../lib/nginx.mjs';

describe('signing in on a page', () => {
  let g;
  before(async () => {
    g = await startAccounts({
      limei: { roles: 'staff,admin', name: '李梅', email: 'limei@example.cn', aliases: '李梅', area: '330106', org: 'street' },
      zhao: { roles: 'staff' }, temp: { roles: 'staff', temporary: true },
    }, { local: { title: { zh: '西湖区 <门>', en: 'West Lake' } } });
  });
  after(() => g.stop());

  test('the page is a page: escaped, framed by nobody, without script, in two languages', async () => {
    const b = new Browser(g.nginx);
    const r = await b.get('/auth/login');
    assert.equal(r.status, 200);
    assert.equal(r.headers['content-type'], 'text/html; charset=utf-8');
    assert.equal(r.headers['cache-control'], 'no-store');
    assert.equal(r.headers['x-frame-options'], 'DENY');
    assert.match(r.headers['content-security-policy'], /^default-src 'none'; style-src 'sha256-[\w+/=]{44}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'$/);
    assert.match(r.body, /<html lang="zh-CN">/);
    assert.match(r.body, /西湖区 &lt;门&gt;/);
    assert.doesNotMatch(r.body, /<script|style=|onload|javascript:/i);
    assert.match((await new Browser(g.nginx, { headers: { 'accept-language': 'en-GB' } }).get('/auth/login')).body, /<html lang="en">.*West Lake.*Sign in/s);
    for (const cookie of r.headers['set-cookie']) assert.match(cookie, /^__Host-yimen-(form|device)=[\w-]{22}; Path=\/; HttpOnly; SameSite=Lax; Secure/);
  });

  test('by login, e-mail address or alias: a session, and on to where one wanted to go', async () => {
    for (const name of ['limei', 'LiMei', ' limei ', 'LIMEI@example.cn', '李梅']) {
      const b = new Browser(g.nginx);
      const r = await b.signInAs(name, PASSWORD, { rd: '/apps/odr/?id=7' });
      assert.equal(r.status, 303, b.alert);
      assert.equal(r.headers.location, '/apps/odr/?id=7');
      const me = await b.who();
      assert.equal(me.subject, `local:${g.ids.limei}`);
      assert.deepEqual([me.roles, me.area, me.org], [['staff', 'admin'], '330106', 'street']);
    }
  });

  test('who is signed in is not asked again', async () => {
    const b = new Browser(g.nginx);
    await b.signInAs('zhao', PASSWORD);
    const r = await b.get('/auth/login?rd=/x');
    assert.deepEqual([r.status, r.headers.location], [303, '/x']);
  });

  test('a wrong password: the same page again, with the name, without a session', async () => {
    const b = new Browser(g.nginx);
    const r = await b.signInAs('limei', 'not-the-password');
    assert.equal(r.status, 403);
    assert.equal(b.alert, '用户名或密码不正确。');
    assert.match(r.body, /name="name"[^>]* value="limei"/);
    assert.doesNotMatch(r.body, /not-the-password/);
    assert.equal(await b.who(), null);
  });

  test('another password: others are signed out, this browser stays', async () => {
    const here = new Browser(g.nginx), there = new Browser(g.nginx);
    await here.signInAs('zhao', PASSWORD);
    await there.signInAs('zhao', PASSWORD);
    await here.get('/auth/password');
    assert.equal((await here.submit({ password: 'wrong-wrong-wrong', fresh: 'river-8-gate-moon', again: 'river-8-gate-moon' })).status, 403);
    assert.equal(here.alert, '当前密码不正确。');
    for (const [fresh, again] of [['short', 'short'], ['river-8-gate-moon', 'river-8-gate-mooN'], ['zhao123456789', 'zhao123456789'], ['password1234', 'password1234']]) {
      const r = await here.submit({ password: PASSWORD, fresh, again });
      assert.equal(r.status, 403, fresh);
      assert.notEqual(here.alert, '');
    }
    assert.ok(await there.who(), 'nothing happened yet');
    const r = await here.submit({ password: PASSWORD, fresh: 'river-8-gate-moon', again: 'river-8-gate-moon' });
    assert.equal(r.status, 200, here.alert);
    assert.ok(await here.who());
    await until('the other is out', async () => (await there.who()) === null, 1000);
    assert.equal((await new Browser(g.nginx).signInAs('zhao', PASSWORD)).status, 403);
    assert.equal((await new Browser(g.nginx).signInAs('zhao', 'river-8-gate-moon')).status, 303);
  });

  test('a temporary password: another one before anything else', async () => {
    const b = new Browser(g.nginx);
    const r = await b.signInAs('temp', PASSWORD);
    assert.equal(r.status, 303);
    assert.match(r.headers.location, /^\/auth\/reset\?t=/);
    assert.equal(await b.who(), null);
    await b.get(r.headers.location);
    assert.equal((await b.submit({ fresh: 'river-9-gate-moon', again: 'river-9-gate-moon' })).status, 200, b.alert);
    assert.equal((await b.signInAs('temp', 'river-9-gate-moon')).status, 303);
    assert.ok(await b.who());
  });

  test('a second factor: on with a code, asked for at sign-in, off with the password', async () => {
    const b = new Browser(g.nginx);
    await g.add('otto');
    await b.signInAs('otto', PASSWORD);
    const { secret, codes } = await enrol(b);
    assert.equal(codes.length, 10);
    assert.ok(await b.who());

    const other = new Browser(g.nginx);
    let r = await other.signInAs('otto', PASSWORD, { rd: '/here' });
    assert.equal(r.status, 200);
    assert.equal(await other.who(), null, 'the password alone is not enough');
    assert.equal((await other.submit({ code: '000000' })).status, 403);
    r = await other.submit({ code: code(secret) });
    assert.deepEqual([r.status, r.headers.location], [303, '/here'], other.alert);
    assert.ok(await other.who());

    await other.get('/auth/totp');
    assert.equal((await other.submit({ password: 'wrong-wrong-wrong' })).status, 403);
    assert.equal((await other.submit({ password: PASSWORD })).status, 200);
    assert.equal((await new Browser(g.nginx).signInAs('otto', PASSWORD)).status, 303);
  });

  test('signed out, and pages for who is not signed in', async () => {
    const b = new Browser(g.nginx);
    assert.equal((await b.get('/auth/signed-out')).status, 200);
    for (const page of ['/auth/password', '/auth/totp']) {
      const r = await b.get(page);
      assert.ok([302, 303, 401].includes(r.status), `${page}: ${r.status}`);
    }
    const token = await g.nginx.request('GET', '/auth/password', { token: g.tokens.staff, headers: { accept: 'text/html' } });
    assert.equal(token.status, 403, 'no page for a bearer token');
  });

  test('a hash made at another cost is made anew', async () => {
    const kept = async () => (await g.redis.client.fcall('ym_account_get', '{s0}', g.ids.limei))[1];
    const before = await kept();
    g.deploy.auth.local.scrypt_log_n = '11';
    g.deploy.write();
    await g.nginx.reload();
    assert.equal((await new Browser(g.nginx).signInAs('limei', PASSWORD)).status, 303);
    assert.equal(Number(await kept()), Number(before) + 1);
    assert.equal((await new Browser(g.nginx).signInAs('limei', PASSWORD)).status, 303);
    assert.equal(Number(await kept()), Number(before) + 1);
  });
});

describe('accounts as administrators see them', () => {
  let g;
  before(async () => { g = await startAccounts({ boss: { roles: 'admin' } }); });
  after(() => g.stop());
  const post = (path, body, who = 'admin') => g.call(who, 'POST', path, { body });
  const patch = (id, body, who = 'admin') => g.call(who, 'PATCH', `/users/${id}`, { body, headers: { 'content-type': 'application/merge-patch+json' } });

  test('only administrators', async () => {
    for (const who of ['staff', 'supervisor', 'operator', 'auditor']) {
      assert.equal((await g.call(who, 'GET', '/users')).status, 403);
      assert.equal((await post('/users', { login: 'x', roles: ['staff'] }, who)).status, 403);
      assert.equal((await patch(g.ids.boss, { roles: ['staff'] }, who)).status, 403);
    }
    assert.equal((await g.call(null, 'GET', '/users')).status, 401);
  });

  test('added, given a link, signed in, changed, disabled', async () => {
    const made = await post('/users', { login: 'qian', name: '钱', email: 'qian@example.cn', aliases: ['老钱'], roles: ['staff'], area: '330106' });
    assert.equal(made.status, 201, made.body);
    const { user, link } = made.json;
    assert.deepEqual([user.login, user.aliases, user.roles, user.password, user.disabled], ['qian', ['老钱'], ['staff'], false, false]);
    assert.ok(link.startsWith(`${PUBLIC_URL}/auth/reset?t=`));
    assert.equal((await new Browser(g.nginx).signInAs('qian', PASSWORD)).status, 403, 'there is no password yet');

    const b = new Browser(g.nginx);
    assert.equal((await b.get(link.slice(PUBLIC_URL.length))).status, 200);
    assert.equal((await b.submit({ fresh: PASSWORD, again: PASSWORD })).status, 200, b.alert);
    assert.equal((await b.signInAs('老钱', PASSWORD)).status, 303);
    assert.deepEqual((await b.who()).roles, ['staff']);

    const changed = await patch(user.id, { roles: ['staff', 'supervisor'], aliases: null });
    assert.deepEqual([changed.status, changed.json.roles, changed.json.aliases], [200, ['staff', 'supervisor'], []]);
    await until('the session of the old roles has ended', async () => (await b.who()) === null, 1000);
    assert.equal((await new Browser(g.nginx).signInAs('老钱', PASSWORD)).status, 403);

    await b.signInAs('qian', PASSWORD);
    assert.ok(await b.who());
    assert.equal((await patch(user.id, { disabled: true })).json.disabled, true);
    await until('disabled: out within a second', async () => (await b.who()) === null, 1000);
    assert.equal((await b.signInAs('qian', PASSWORD)).status, 403);
    assert.equal(b.alert, '此账号已停用，请联系管理员。');
    assert.equal((await b.signInAs('qian', 'wrong-wrong-wrong')).status, 403);
    assert.equal(b.alert, '用户名或密码不正确。');
    assert.equal((await patch(user.id, { disabled: false })).status, 200);
    assert.equal((await b.signInAs('qian', PASSWORD)).status, 303);
  });

  test('listed in pages, without anything secret', async () => {
    const all = [];
    for (let url = '/api/v1/users?limit=1'; url;) {
      const r = await g.call('admin', 'GET', url);
      assert.equal(r.status, 200, r.body);
      assert.doesNotMatch(r.body, /scrypt|hash|totp/);
      all.push(...r.json.items);
      url = r.json.next;
    }
    assert.ok(all.some((u) => u.login === 'boss') && all.length >= 2);
    assert.equal((await g.call('admin', 'GET', '/users?cursor=x')).status, 400);
  });

  test('what cannot be is refused with its place', async () => {
    for (const [body, pointer] of [
      [{ roles: ['staff'] }, '/login'], [{ login: '', roles: ['staff'] }, '/login'], [{ login: '../x', roles: ['staff'] }, '/login'],
      [{ login: 'x' }, '/roles'], [{ login: 'x', roles: ['root'] }, '/roles'], [{ login: 'x', roles: 'staff' }, '/roles'],
      [{ login: 'x', roles: ['staff'], area: '33x' }, '/area'], [{ login: 'x', roles: ['staff'], email: 'nobody' }, '/email'],
      [{ login: 'x', roles: ['staff'], aliases: ['a b'] }, '/aliases'], [{ login: 'x', roles: ['staff'], aliases: ['1', '2', '3', '4', '5', '6'] }, '/aliases'],
      [{ login: 'x', roles: ['staff'], password: 'x' }, '/password'], [{ login: 'x', roles: ['staff'], hash: 'x' }, '/hash'],
      [{ login: 'x', roles: ['staff'], second_factor: true }, '/second_factor'], [{ login: 7, roles: ['staff'] }, '/login'],
      [{ login: 'x', roles: ['staff'], name: 'a\u202eb' }, '/name'],
    ]) {
      const r = await post('/users', body);
      assert.equal(r.status, 422, JSON.stringify(body));
      assert.equal(r.json.errors[0].pointer, pointer, r.body);
    }
    assert.equal((await post('/users', { login: 'BOSS', roles: ['staff'] })).status, 409);
    assert.equal((await patch('01J8ZZZZZZZZZZZZZZZZZZZZZ0', {})).status, 404);
    assert.equal((await patch('x', {})).status, 404);
  });

  test('nobody shuts the door behind himself', async () => {
    const b = new Browser(g.nginx);
    await b.signInAs('boss', PASSWORD);
    const me = await b.who();
    for (const body of [{ disabled: true }, { roles: ['staff'] }]) {
      const r = await b.request('PATCH', `/api/v1/users/${g.ids.boss}`, {
        headers: { 'content-type': 'application/merge-patch+json', origin: PUBLIC_URL, 'sec-fetch-site': 'same-origin', accept: 'application/json', 'sec-fetch-mode': 'cors', 'x-yimen-csrf': me.csrf },
        body: JSON.stringify(body),
      });
      assert.equal(r.status, 409, r.body);
    }
    assert.ok(await b.who());
  });
});

describe('yimen user', () => {
  let g;
  before(async () => { g = await startAccounts({ first: { roles: 'admin', email: 'first@example.cn' } }); });
  after(() => g.stop());

  test('refuses what the door would refuse', async () => {
    for (const [args, input, code2, words] of [
      [['add', 'first', '--roles', 'staff'], PASSWORD, 1, /another account/], [['add', 'FIRST@example.cn', '--roles', 'staff'], PASSWORD, 1, /another account/],
      [['add', 'x', '--roles', 'root'], PASSWORD, 1, /roles/], [['add', 'x'], PASSWORD, 1, /roles/], [['add', 'a/b', '--roles', 'staff'], PASSWORD, 1, /login/],
      [['add', 'x', '--roles', 'staff'], 'short', 1, /not fit \(short\)/], [['add', 'x', '--roles', 'staff'], '', 1, /no password/],
      [['add', 'x', '--roles', 'staff'], 'x'.repeat(1025), 1, /1024/], [['passwd', 'nobody'], PASSWORD, 1, /no account/],
      [['add', 'x', '--roles', 'staff', '--password', PASSWORD], '', 2, /unknown option/], [['remove', 'first'], '', 2, /usage/], [['totp', 'first'], '', 2, /usage/],
    ]) {
      const r = await g.cli(args, `${input}\n`);
      assert.equal(r.code, code2, `${args.join(' ')}: ${r.err}`);
      assert.match(r.err, words);
    }
    const list = JSON.parse((await g.cli(['list', '--json'])).out);
    assert.deepEqual(list.map((u) => u.login), ['first']);
  });

  test('disable ends sessions within a second, enable and passwd let in again', async () => {
    const b = new Browser(g.nginx);
    await b.signInAs('first', PASSWORD);
    assert.ok(await b.who());
    assert.equal((await g.cli(['disable', 'first'])).code, 0);
    await until('out', async () => (await b.who()) === null, 1000);
    assert.equal((await b.signInAs('first', PASSWORD)).status, 403);
    assert.equal((await g.cli(['enable', 'first'])).code, 0);
    assert.equal((await g.cli(['passwd', 'first@example.cn'], 'river-8-gate-moon\n')).code, 0);
    assert.equal((await b.signInAs('first', PASSWORD)).status, 403);
    assert.equal((await b.signInAs('first', 'river-8-gate-moon')).status, 303);
    const what = (await g.redis.client.command('XRANGE', '{s0}:audit', '-', '+')).map(([, f]) => Object.fromEntries(f.flatMap((v, i) => (i % 2 ? [] : [[v, f[i + 1]]]))));
    for (const w of ['user_added', 'user_disabled', 'user_enabled', 'password_set']) {
      assert.ok(what.some((e) => e.what === w && e.who.startsWith('cli:') && e.id === `local:${g.ids.first}`), w);
    }
  });

  test('accounts outlive the keys of the ring', async () => {
    const keys = async (...args) => assert.equal((await run('keys', [...args, '--config', g.deploy.file])).code, 0, args[0]);
    const old = JSON.parse(fs.readFileSync(`${g.deploy.dir}/keys/ring.json`, 'utf8')).keys[0].kid;
    await keys('rotate');
    await g.nginx.reload();
    await keys('reseal');
    await keys('drop', old);
    await g.nginx.reload();
    assert.equal((await new Browser(g.nginx).signInAs('first', 'river-8-gate-moon')).status, 303);
    assert.deepEqual(JSON.parse((await g.cli(['list', '--json'])).out).map((u) => u.login), ['first']);
  });

  test('without a ring it says what is missing', async () => {
    const ring = g.deploy.auth.ring;
    g.deploy.auth.ring = undefined;
    const auth = { ...g.deploy.auth };
    delete g.deploy.auth.ring;
    g.deploy.write();
    const r = await cli(g.deploy, ['list']);
    assert.equal(r.code, 1);
    assert.match(r.err, /ring:/);
    g.deploy.auth = { ...auth, ring };
    g.deploy.write();
  });
});

describe('configuration', () => {
  test('local accounts need a ring and sessions, and are off without their block', async () => {
    const g = await startGateway();
    try {
      for (const page of ['/auth/login', '/auth/reset']) assert.equal((await new Browser(g.nginx).get(page)).status, 404);
      assert.equal((await g.call('admin', 'GET', '/users')).status, 404);
      g.deploy.auth.local = {};
      g.deploy.write();
      const t = await testNginx({ http: `yimen_catalog ${g.deploy.file};` });
      assert.notEqual(t.code, 0);
      assert.match(t.text, /"auth.local" .* needs "auth.ring" and "auth.session"/);
      g.deploy.auth.local = { scrypt_log_n: '9', nonsense: '1' };
      g.deploy.write();
      const wrong = await testNginx({ http: `yimen_catalog ${g.deploy.file};` });
      assert.match(wrong.text, /scrypt_log_n/);
      assert.match(wrong.text, /nonsense/);
    } finally { await g.stop(); }
  });

  test('a thread pool of one\'s own is used as it is', async () => {
    const g = await startAccounts({ a: { roles: 'staff' } }, { nginx: { main: 'thread_pool yimen threads=1 max_queue=8;' } });
    try {
      assert.equal((await new Browser(g.nginx).signInAs('a', PASSWORD)).status, 303);
    } finally { await g.stop(); }
  });
});
