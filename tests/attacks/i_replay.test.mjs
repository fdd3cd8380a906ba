/* SPDX-License-Identifier: Apache-2.0
 * I159–I169: old applications, their forms and cookies, the vault, addresses that lead elsewhere.
 * The application of tests/lib/legacy.mjs misbehaves on a loopback port; what it was asked, and what
 * nobody was ever told, is what counts.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import zlib from 'node:zlib';
import { Invariants, NAVIGATION, startUpstream } from './invariants.mjs';
import { LOCATIONS, startGateway, withSessions } from '../lib/gateway.mjs';
import { startLegacy } from '../lib/legacy.mjs';
import { sleep, until } from '../lib/nginx.mjs';
import { clock } from '../lib/pace.mjs';
import { openBytes, sealBytes } from '../lib/seal.mjs';
import { makeSession, personDigest, shardOf } from '../lib/session.mjs';

const WANG = { login: 'wang', password: 'Geheim-一-1!' };
const LI = { login: 'li', password: 'Geheim-二-2!' };
const YOUNG = 2100;    /* ms after which forgetting is no longer "at once" */

/* One application per case, so that nobody waits for another case's hold. */
const CASES = ['main', 'two', 'tabs', 'elsewhere', 'large', 'bomb', 'slow', 'hops', 'meta', 'breaker', 'cookies', 'wrong', 'page',
  'changed', 'captcha', 'expired', 'ssrf', 'peek', 'forgets', 'out', 'seal', 'rotate', 'service', 'post', 'held'];

let app, evil, basic, g, inv, dir, told;

const form = (id, more = {}) => ({ origin: app.origin, prefix: `/${id}/`, page: '/login', user: 'user', password: 'pass', logout: '/logout', timeout: '1s', by_hand: 'https://old.test/', ...more });

const application = (id) => ({ title: { zh: `旧系统 ${id}`, en: `Old ${id}` }, form: form(id) });

before(async () => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'yimen-told-'));
  told = path.join(dir, 'access.log');
  app = await startLegacy({ wang: WANG.password, li: LI.password, all: 'for-everybody' });
  evil = await startLegacy({});
  basic = await startUpstream();
  const applications = Object.fromEntries(CASES.map((id) => [id, application(id)]));
  applications.peek.form = form('peek', { signed_out: [{ status: '302', location: '/login' }, { status: '200', body: 'name="pass"' }] });
  applications.expired.form = form('expired', { expired_password: { location: '/new-password' } });
  applications.cookies.form = form('cookies', { browser_cookies: ['theme'] });
  applications.service.service = { login: 'all', password: 'env:YIMEN_TEST_SERVICE' };
  applications.basic = { title: { zh: '基本', en: 'Basic' } };
  const locations = CASES.map((id) => `location /${id}/ { yimen_identity form system=${id}; proxy_pass ${app.origin}/; }`);
  g = await startGateway({
    nginx: {
      workers: 2,
      env: { YIMEN_TEST_SERVICE: 'for-everybody' },
      http: "log_format told '$http_authorization|$http_cookie|$remote_user';",
      server: `${LOCATIONS} yimen_auth on; proxy_buffer_size 32k; proxy_buffers 8 32k;
        access_log ${told} told;
        ${locations.join('\n')}
        location /whole { yimen_identity form system=main; proxy_pass ${app.origin}; }
        location /basic/ { yimen_identity basic system=basic; add_header X-Told "[$http_authorization$remote_user]" always; proxy_pass http://unix:${basic.socket}:; }`,
    },
    deploy: { auth: withSessions({}, { applications }) },
  });
  inv = new Invariants(g);
  for (const p of [WANG, LI]) inv.secret(p.password, Buffer.from(`${p.login}:${p.password}`).toString('base64'));
  inv.secret('for-everybody');
});

beforeEach(() => { app.reset(); evil.reset(); });

after(async () => {
  try {
    const log = fs.readFileSync(told, 'utf8');
    assert.doesNotMatch(log, /Basic d|sid=(?!attacker)|visit=/, 'no variable of nginx shows what the gateway sends along');
    inv?.done();
  } finally {
    await g?.stop();
    await app?.stop();
    await evil?.stop();
    await basic?.stop();
    fs.rmSync(dir, { recursive: true, force: true });
  }
});

const get = (who, target, options = {}) => g.call(who, options.method ?? 'GET', target, { bare: true, ...options });
const enter = async (who, system, account) => {
  const r = await g.call(who, 'PUT', `/vault/${system}`, { body: account });
  assert.equal(r.status, 200, r.body);
};
const entered = async (who, system) => (await g.call(who, 'GET', '/vault')).json.items.find((i) => i.system === system);

/* Refused with that status; the text in English names the application. */
async function refusedWith(who, target, status, words, options = {}) {
  const r = await get(who, target, { headers: { 'accept-language': 'en', ...options.headers }, ...options });
  inv.refused(r, status);
  assert.match(r.json.detail, words);
  return r;
}

/* No password has left for anywhere, in whatever form. */
function untold(...servers) {
  for (const s of servers) {
    for (const r of s.seen) assert.doesNotMatch(`${r.url} ${r.body} ${JSON.stringify(r.headers)}`, /Geheim|pass=/);
  }
}

/* The session of a person that came with a cookie, as a browser shows pages. */
const browse = async (person, target) => {
  const s = await makeSession(g, { person });
  return g.nginx.request('GET', target, { headers: { ...NAVIGATION, ...s.headers, 'accept-language': 'en' } });
};

test('form sign-in: once, and then every page is the person\'s own', async () => {
  await refusedWith('staff', '/main/home', 403, /Old main.*entered/);
  assert.equal(app.seen.length, 0);
  await enter('staff', 'main', WANG);
  const r = await get('staff', '/main/home?a=1&b=%20', { headers: { cookie: 'own=1; __Host-yimen=0.abc; yimen=x' } });
  assert.equal(r.status, 200, r.body);
  assert.match(r.body, /<h1>wang<\/h1>/);
  assert.match(r.body, /"url":"\/home\?a=1&b=%20"/);
  assert.match(r.body, /"cookie":"visit=\w+; sid=\w+; theme=dark; own=1"}/);
  assert.equal(r.headers['set-cookie'], undefined);
  assert.equal((await get('staff', '/main/home')).status, 200);
  assert.equal(app.count('POST', '/session'), 1);
  const whole = await get('staff', '/whole/%E4%B8%80?x=%2F');
  assert.match(whole.body, /"url":"\/whole\/%E4%B8%80\?x=%2F"/);
});

test('forgotten by the application: signed in again, and the page comes as if nothing had been', async () => {
  await sleep(YOUNG);
  app.forget();
  const r = await get('staff', '/main/home?q=1');
  assert.equal(r.status, 200, r.body);
  assert.match(r.body, /"url":"\/home\?q=1"/);
  assert.deepEqual(app.seen.map((s) => `${s.method} ${s.url}`), ['GET /home?q=1', 'GET /login', 'POST /session', 'GET /home', 'GET /home?q=1']);
  await sleep(YOUNG);
  app.forget();
  app.reset();
  const whole = await get('staff', '/whole/%E4%B8%80?x=%2F', { method: 'HEAD' });
  assert.equal(whole.status, 200);
  assert.equal(app.seen.at(-1).url, '/whole/%E4%B8%80?x=%2F');
});

test('forgotten during a submission: not repeated, and the person is told', async () => {
  await enter('staff', 'post', WANG);
  assert.equal((await get('staff', '/post/home')).status, 200);
  await sleep(YOUNG);
  app.forget();
  app.reset();
  const r = await get('staff', '/post/save', { method: 'POST', body: 'x=1', headers: { 'accept-language': 'en' } });
  assert.equal(r.status, 503);
  assert.match(r.json.detail, /send it once more/);
  assert.equal(app.count('POST', '/save'), 1);
  const again = await get('staff', '/post/save', { method: 'POST', body: 'x=1' });
  assert.equal(again.status, 200);
  assert.match(again.body, /"body":"x=1"/);
});

test('a page that says so in its text: read, signed in again; other pages come through whole', async () => {
  app.on['GET /secret'] = (req, res) => {
    if (app.who(req)) return false;
    app.form(res);
    return true;
  };
  app.on['GET /large'] = (req, res) => {
    res.setHeader('Content-Type', 'text/html');
    res.end('x'.repeat(300000));
    return true;
  };
  app.on['GET /empty'] = (req, res) => {
    res.setHeader('Content-Type', 'text/html');
    res.end();
    return true;
  };
  await enter('staff', 'peek', WANG);
  assert.match((await get('staff', '/peek/secret')).body, /<h1>wang/);
  assert.equal((await get('staff', '/peek/large')).body.length, 300000);
  assert.equal((await get('staff', '/peek/empty')).body, '');
  assert.equal(app.seen.at(-1).headers['accept-encoding'], 'identity');
  await sleep(YOUNG);
  app.forget();
  const r = await get('staff', '/peek/secret?n=1');
  assert.equal(r.status, 200);
  assert.match(r.body, /<h1>wang<\/h1>.*"url":"\/secret\?n=1"/s);
});

test('an application that forgets at once is not signed in to in circles', async () => {
  app.on['GET /home'] = (req, res) => {
    res.writeHead(302, { Location: '/login' });
    res.end();
    return true;
  };
  app.on['POST /session'] = (req, res) => {
    res.writeHead(200, { 'Set-Cookie': 'sid=x; Path=/' });
    res.end('<p>in</p>');
    return true;
  };
  await enter('staff', 'forgets', WANG);
  await Promise.all(Array.from({ length: 10 }, () => refusedWith('staff', '/forgets/home', 503, /asks to sign in again|does not|not possible/)));
  assert.ok(app.count('POST', '/session') <= 4, `${app.count('POST', '/session')} sign-ins`);
});

test('I159 login page redirects to another host', async () => {
  await enter('staff', 'elsewhere', WANG);
  const turns = {
    'a redirect': (req, res) => { res.writeHead(302, { Location: `${evil.origin}/login` }); res.end(); },
    'a redirect without a scheme': (req, res) => { res.writeHead(302, { Location: `//127.0.0.1:${evil.port}/login` }); res.end(); },
    'the form': (req, res) => { res.setHeader('Content-Type', 'text/html'); res.end(`<form method=post action="${evil.origin}/session"><input name=user><input name=pass></form>`); },
    'a base': (req, res) => { res.setHeader('Content-Type', 'text/html'); res.end(`<base href="${evil.origin}/"><form method=post action="session"><input name=user><input name=pass></form>`); },
  };
  for (const [name, turn] of Object.entries(turns)) {
    app.on['GET /login'] = (req, res) => { turn(req, res); return true; };
    await enter('staff', 'elsewhere', WANG);
    await refusedWith('staff', '/elsewhere/home', 503, /another server.*not sent/s);
    untold(app, evil);
    assert.equal(evil.seen.length, 0, name);
  }
  app.on = { 'POST /session': (req, res) => { res.writeHead(307, { Location: `${evil.origin}/session` }); res.end(); return true; } };
  await enter('staff', 'elsewhere', WANG);
  await refusedWith('staff', '/elsewhere/home', 503, /changed|another server/);
  assert.equal(evil.seen.length, 0, '307 after the submission');
});

test('I160 page of 10 MB', async () => {
  app.on['GET /login'] = (req, res) => { res.setHeader('Content-Type', 'text/html'); res.end(Buffer.alloc(10 << 20, 'x')); return true; };
  await enter('staff', 'large', WANG);
  await refusedWith('staff', '/large/home', 503, /far too large/);
});

test('I160 gzip bomb', async () => {
  const bomb = zlib.gzipSync(Buffer.alloc(64 << 20));
  app.on['GET /login'] = (req, res) => { res.writeHead(200, { 'Content-Type': 'text/html', 'Content-Encoding': 'gzip' }); res.end(bomb); return true; };
  await enter('staff', 'bomb', WANG);
  await refusedWith('staff', '/bomb/home', 503, /far too large|has changed|does not answer/);
  untold(app);
});

test('I160 one byte a second', async () => {
  app.on['GET /login'] = (req, res) => {
    res.writeHead(200, { 'Content-Type': 'text/html' });
    const timer = setInterval(() => res.write('x'), 300);
    res.on('close', () => clearInterval(timer));
    return true;
  };
  await enter('staff', 'slow', WANG);
  const ms = clock();
  await refusedWith('staff', '/slow/home', 503, /does not answer/);
  assert.ok(ms() < 4000, `given up in time: ${ms()} ms`);
});

test('I160 fifty redirects', async () => {
  app.on['GET /login'] = (req, res) => { res.writeHead(302, { Location: '/login' }); res.end(); return true; };
  await enter('staff', 'hops', WANG);
  await refusedWith('staff', '/hops/home', 503, /in circles/);
  assert.ok(app.count('GET', '/login') <= 6);
});

test('I160 endless meta-refresh', async () => {
  app.on['GET /login'] = (req, res) => { res.setHeader('Content-Type', 'text/html'); res.end('<meta http-equiv="refresh" content="0;url=/login">'); return true; };
  await enter('staff', 'meta', WANG);
  await refusedWith('staff', '/meta/home', 503, /has changed/);
  assert.equal(app.count('GET', '/login'), 1);
});

test('I160 the breaker opens', async () => {
  app.on['GET /login'] = (req, res) => { res.destroy(); return true; };
  for (let i = 0; i < 30; i++) {
    await enter('staff', 'breaker', WANG);
    await refusedWith('staff', '/breaker/home', 503, /does not answer/);
  }
  const asked = app.count('GET', '/login');
  /* five of each of two workers; a kept connection that is found closed is asked once more */
  assert.ok(asked <= 2 * 5 + 4, `${asked} requests of two workers`);
  assert.match(g.nginx.log() + g.nginx.stderr, /event=application\.suspended system=breaker/);
});

test('I161 two people at once', async () => {
  await enter('staff', 'two', WANG);
  await enter('other', 'two', LI);
  const turn = (who, name) => get(who, '/two/home', { headers: { cookie: 'own=1' } }).then((r) => {
    assert.equal(r.status, 200, r.body);
    assert.match(r.body, new RegExp(`<h1>${name}</h1>`));
  });
  for (let round = 0; round < 3; round++) {
    await Promise.all(Array.from({ length: 40 }, (_, i) => (i % 2 ? turn('staff', 'wang') : turn('other', 'li'))));
  }
  assert.equal(app.count('POST', '/session'), 2, 'each signed in once');
  const cookies = new Map();
  for (const r of app.seen.filter((s) => s.url === '/home')) {
    const sid = /sid=(\w+)/.exec(r.headers.cookie)[1];
    cookies.set(sid, (cookies.get(sid) ?? new Set()).add(app.sessions.get(sid)));
  }
  assert.deepEqual([...cookies.values()].map((s) => [...s]).sort(), [['li'], ['wang']]);
});

test('I161 twenty tabs of one person: one sign-in', async () => {
  await enter('staff', 'tabs', WANG);
  const all = await Promise.all(Array.from({ length: 20 }, () => get('staff', '/tabs/home')));
  for (const r of all) assert.match(r.body, /<h1>wang<\/h1>/);
  assert.equal(app.count('POST', '/session'), 1);
  /* a counter in a cookie: what an answer changes is there for the next request, whichever worker has it */
  for (let n = 1; n <= 20; n++) assert.equal((await get('staff', '/tabs/count', { agent: new http.Agent() })).body, String(n));
});

test('I162 cookies of the application', async () => {
  await enter('staff', 'cookies', WANG);
  app.on['GET /give'] = (req, res) => {
    res.writeHead(200, { 'Content-Type': 'text/plain', 'Set-Cookie': [
      'corp=1; Domain=.corp; Path=/', '__Host-in=1; Path=/; Secure', '__Host-bad=1; Path=/give', 'sub=1; Path=/deep', 'gone=1; Max-Age=0; Path=/',
      `big=${'x'.repeat(8000)}; Path=/`, 'theme=light; Path=/', 'sid2=1', '__Host-yimen=evil; Path=/', 'yimen=evil; Path=/',
      ...Array.from({ length: 80 }, (_, i) => `many${i}=1; Path=/`)] });
    res.end('given');
    return true;
  };
  const given = await get('staff', '/cookies/give');
  assert.equal(given.body, 'given');
  assert.deepEqual(given.headers['set-cookie'], ['theme=light; Path=/'], 'only what scripts need reaches the browser');
  await until('kept', async () => /corp=1/.test((await get('staff', '/cookies/home')).body));
  const cookie = (await get('staff', '/cookies/home', { headers: { cookie: 'sid=attacker; corp=attacker; __Host-in=attacker; theme=mine; free=1' } })).body;
  assert.match(cookie, /corp=1/);
  assert.match(cookie, /__Host-in=1/);
  assert.match(cookie, /theme=mine; free=1"/);
  assert.doesNotMatch(cookie, /attacker|__Host-bad|big=|gone=|sub=|yimen=/);
  const kept = cookie.match(/many\d+=1/g).length;
  assert.ok(kept > 40 && kept < 64, `${kept} of 80`);
  assert.match((await get('staff', '/cookies/deep/x')).body, /"cookie":"sub=1; /);
});

test('I163 stored password wrong', async () => {
  await enter('staff', 'wrong', { login: 'wang', password: 'Geheim-alt' });
  await Promise.all(Array.from({ length: 30 }, () => refusedWith('staff', '/wrong/home', 403, /refused the login/)));
  for (let i = 0; i < 5; i++) await refusedWith('staff', '/wrong/home', 403, /refused the login/);
  assert.deepEqual(app.refused, ['wang'], 'one try');
  assert.equal((await entered('staff', 'wrong')).stale, 'refused');
  await enter('staff', 'wrong', WANG);
  assert.equal((await entered('staff', 'wrong')).stale, null);
  assert.match((await get('staff', '/wrong/home')).body, /<h1>wang/);
});

test('I163 a service account that is refused is left alone', async () => {
  assert.match((await get('staff', '/service/home')).body, /<h1>all</);
  assert.match((await get('other', '/service/home')).body, /<h1>all</);
  inv.refused(await g.call('staff', 'PUT', '/vault/service', { body: WANG }), 404);
  app.people.all = 'changed';
  try {
    for (let i = 0; i < 3; i++) await refusedWith('supervisor', '/service/home', 503, /everybody uses/);
    assert.deepEqual(app.refused, ['all']);
  } finally { app.people.all = 'for-everybody'; }
});

test('I164 the page has changed', async () => {
  const pages = {
    'no form': '<p>Under maintenance</p>',
    'no password': '<form method=post action=/session><input name=user></form>',
    'twice': '<form method=post action=/session><input name=user><input name=pass></form>'.repeat(2),
    'in a comment': '<!-- <form method=post action=/session><input name=user><input name=pass></form> -->',
    'by GET': '<form action=/session><input name=user><input name=pass></form>',
  };
  for (const [name, page] of Object.entries(pages)) {
    app.on['GET /login'] = (req, res) => { res.setHeader('Content-Type', 'text/html'); res.end(page); return true; };
    await enter('staff', 'changed', WANG);
    await refusedWith('staff', '/changed/home', 503, /has changed/);
    assert.equal(app.count('POST', '/session'), 0, name);
    untold(app);
  }
});

test('I164 a captcha is for the person', async () => {
  app.on['GET /login'] = (req, res) => { app.form(res, '<img src=/code><input name="verifyCode">'); return true; };
  await enter('staff', 'captcha', WANG);
  await enter('staff', 'captcha', WANG);
  await refusedWith('staff', '/captcha/home', 403, /verification code/);
  await refusedWith('staff', '/captcha/home', 403, /verification code/);
  assert.equal(app.count('GET', '/login'), 1, 'held for a while');
  untold(app);
});

test('I164 an expired password is for the person', async () => {
  app.on['GET /home'] = (req, res) => { res.writeHead(302, { Location: '/new-password' }); res.end(); return true; };
  await enter('staff', 'expired', WANG);
  await refusedWith('staff', '/expired/x', 403, /new password/);
  assert.equal((await entered('staff', 'expired')).stale, null, 'it is not wrong');
});

test('I164 attributes quoted in every way, GBK, hidden fields', async () => {
  const seen = [];
  app.on['GET /login'] = (req, res) => {
    res.setHeader('Content-Type', 'text/html; charset=gbk');
    res.end(Buffer.concat([Buffer.from('<FORM METHOD=POST ACTION=/session><INPUT TYPE=HIDDEN NAME="a" VALUE=\'&lt;\'><input type=hidden name=b value='), Buffer.from([0xd5, 0xc5]), Buffer.from('><input name=user><input name=pass></FORM>')]));
    return true;
  };
  app.on['POST /session'] = (req, res, body) => { seen.push(body); res.end('<p>in</p>'); return true; };
  await enter('staff', 'page', { login: '张', password: WANG.password });
  app.sessions.set('x', 'wang');
  await get('staff', '/page/home');
  assert.deepEqual([...new Set(seen)], ['a=%3C&b=%D5%C5&user=%D5%C5&pass=Geheim-%D2%BB-1%21']);
});

test('I165 gateway logout ends the upstream session', async () => {
  const s = await makeSession(g, { person: 'city:mei' });
  const csrf = { ...s.headers, 'x-yimen-csrf': s.csrf, origin: 'https://yimen.example' };
  const put = await g.nginx.request('PUT', '/api/v1/vault/out', { headers: csrf, body: WANG });
  assert.equal(put.status, 200, put.body);
  const page = await g.nginx.request('GET', '/out/home', { headers: s.headers });
  assert.match(page.body, /<h1>wang/);
  assert.equal(app.sessions.size > 0, true);
  const mine = /sid=(\w+)/.exec(page.body)[1];
  assert.ok(app.sessions.has(mine));
  const out = await g.nginx.request('POST', '/auth/logout', { headers: { ...csrf, ...NAVIGATION, 'content-type': 'application/x-www-form-urlencoded' }, body: `csrf=${s.csrf}` });
  assert.ok([200, 302, 303].includes(out.status), `${out.status} ${out.body}`);
  await until('signed out there', () => !app.sessions.has(mine));
  assert.deepEqual(app.seen.slice(-2).map((r) => `${r.method} ${r.url} ${r.body}`), ['GET /logout ', 'POST /logout token=bye']);
  const whose = personDigest(g, 'city:mei');
  assert.equal(await g.redis.client.command('EXISTS', `{s${shardOf(g, whose)}}:vj:${whose}:out`), 0);
});

test('I166 the vault says nothing, to nobody', async () => {
  await enter('staff', 'seal', WANG);
  const list = await g.call('staff', 'GET', '/vault');
  assert.doesNotMatch(list.body, /wang|Geheim/);
  assert.equal((await entered('other', 'seal')).since, null, 'another person sees his own');
  for (const body of [{}, { login: 'x' }, { login: '', password: 'x' }, { login: 'x', password: 'a\nb' }, { ...WANG, more: { a: '1' } }, { ...WANG, x: 1 }, { login: 1, password: 'x' }]) {
    const r = await g.call('staff', 'PUT', '/vault/seal', { body });
    inv.refused(r, 422);
    assert.doesNotMatch(r.body, /Geheim/);
  }
  inv.refused(await g.call('staff', 'PUT', '/vault/unknown', { body: WANG }), 404);
  inv.refused(await g.call(null, 'PUT', '/vault/seal', { body: WANG }), 401);
  await get('staff', '/seal/home');
  for (const key of await g.redis.client.command('KEYS', '*')) {
    const type = await g.redis.client.command('TYPE', key);
    const dump = type === 'hash' ? await g.redis.client.command('HGETALL', key) : type === 'stream' ? await g.redis.client.command('XRANGE', key, '-', '+') : type === 'string' ? await g.redis.client.command('GET', key) : [];
    assert.doesNotMatch(`${key} ${JSON.stringify(dump)}`, /Geheim|wang|sid=|theme/);
  }
});

/* A hash's value as bytes: the small client makes text of what it reads, so Redis hands it out in hex. */
const bytes = async (key, field) => Buffer.from(await g.redis.client.command('EVAL', "local v = redis.call('HGET', KEYS[1], ARGV[1]); return v and (v:gsub('.', function(c) return string.format('%02x', c:byte()) end))", 1, key, field), 'hex');
const vaultKey = () => { const d = personDigest(g, 'mei'); return `{s${shardOf(g, d)}}:va:${d}`; };

test('I166 wrong key, another place, tampered: fails closed; nonces differ', async () => {
  const nonces = new Set();
  for (let i = 0; i < 20; i++) {
    await enter('staff', 'seal', WANG);
    const sealed = await bytes(vaultKey(), 'seal');
    nonces.add(sealed.subarray(3 + sealed[2], 3 + sealed[2] + 12).toString('hex'));
    assert.equal(JSON.parse(openBytes(g.deploy.ring, 'vault:seal:mei', sealed)).password, WANG.password);
  }
  assert.equal(nonces.size, 20);
  const good = await bytes(vaultKey(), 'seal');
  const flipped = Buffer.from(good);
  flipped[flipped.length - 1] ^= 1;
  const foreign = { keys: g.deploy.ring.keys.map((k) => (k.alg === 'A256GCM' ? { ...k, k: Buffer.alloc(32, 7).toString('base64url') } : k)) };
  const bad = {
    flipped, 'cut short': good.subarray(0, 20), 'no seal at all': Buffer.from(JSON.stringify(WANG)), 'of another key': sealBytes(foreign, 'vault:seal:mei', JSON.stringify(WANG)),
    'of another person': sealBytes(g.deploy.ring, 'vault:seal:bo', JSON.stringify(WANG)), 'of another system': sealBytes(g.deploy.ring, 'vault:main:mei', JSON.stringify(WANG)),
    'of another kind': sealBytes(g.deploy.ring, 'vault:seal:mei', '{"t":"session"}'),
  };
  for (const [name, value] of Object.entries(bad)) {
    await enter('staff', 'seal', WANG);
    await g.redis.client.command('HSET', vaultKey(), 'seal', value);
    app.reset();
    await sleep(5);
    await refusedWith('staff', '/seal/home', 403, /can no longer be read/);
    assert.equal(app.seen.length, 0, name);
  }
  await enter('staff', 'seal', WANG);
  assert.match((await get('staff', '/seal/home')).body, /<h1>wang/);
});

test('I166 rotated key: old entries open and are sealed anew; without the old key they are closed', async () => {
  await enter('staff', 'rotate', WANG);
  const old = g.deploy.ring;
  const next = { kty: 'oct', alg: 'A256GCM', kid: 't2', k: Buffer.alloc(32, 9).toString('base64url') };
  g.deploy.writeRing({ keys: [next, ...old.keys] });
  await g.nginx.reload();
  inv.pids = g.nginx.workers();
  assert.match((await get('staff', '/rotate/home')).body, /<h1>wang/);
  await until('sealed anew', async () => (await bytes(vaultKey(), 'rotate')).subarray(3, 5).toString() === 't2');
  await enter('staff', 'held', WANG);
  g.deploy.writeRing(old);
  await g.nginx.reload();
  inv.pids = g.nginx.workers();
  await refusedWith('staff', '/held/home', 403, /can no longer be read/);
});

test('I168 a login page leads inwards', async () => {
  const internal = http.createServer((req, res) => { internal.asked = (internal.asked ?? 0) + 1; res.end('metadata'); });
  await new Promise((done) => { internal.listen(0, '127.0.0.1', done); });
  const { port } = internal.address();
  try {
    for (const where of [`http://127.0.0.1:${port}/`, `http://localhost:${port}/`, `http://[::1]:${port}/`, `http://[::ffff:127.0.0.1]:${port}/`, `http://2130706433:${port}/`, `http://0177.0.0.1:${port}/`,
      `http://0:${port}/`, 'http://169.254.169.254/latest/', 'unix:/run/x.sock', 'file:///etc/passwd', `gopher://127.0.0.1:${port}/`, `//127.0.0.1:${port}/`, `http:\\\\127.0.0.1:${port}/`]) {
      app.on['GET /login'] = (req, res) => { res.writeHead(302, { Location: where }); res.end(); return true; };
      await enter('staff', 'ssrf', WANG);
      await refusedWith('staff', '/ssrf/home', 503, /another server/);
    }
    assert.equal(internal.asked, undefined);
    untold(app);
  } finally { internal.close(); }
});

test('E113 Basic from the vault', async () => {
  inv.upstream = basic;
  inv.mark();
  try {
    const r = await refusedWith('staff', '/basic/', 403, /Basic.*entered/);
    assert.equal(r.headers['www-authenticate'], undefined);
    await enter('staff', 'basic', WANG);
    const ok = await get('staff', '/basic/?a=1', { headers: { 'x-authorization': 'Basic eDp5' } });
    const seen = inv.passed(ok);
    const wanted = `Basic ${Buffer.from(`wang:${WANG.password}`).toString('base64')}`;
    assert.deepEqual(seen.list.filter(([k]) => k.toLowerCase() === 'authorization').map(([, v]) => v), [wanted]);
    assert.equal(ok.headers['x-told'], '[]', 'no variable shows it');
    /* the client's own, beside a session: discarded */
    const s = await makeSession(g, { person: 'mei' });
    const own = await g.nginx.request('GET', '/basic/', { headers: { ...s.headers, authorization: 'Basic eDp5' } });
    assert.deepEqual(inv.passed(own).list.filter(([k]) => k.toLowerCase() === 'authorization').map(([, v]) => v), [wanted]);
    /* a redirect to another host is the browser's business: nothing goes along */
    basic.respond = () => ({ status: 302, headers: { Location: `${evil.origin}/` }, body: '' });
    await get('staff', '/basic/');
    assert.equal(evil.seen.length, 0);
    basic.respond = undefined;
    inv.mark();
    await g.call('staff', 'DELETE', '/vault/basic').then((d) => assert.equal(d.status, 204));
    await refusedWith('staff', '/basic/', 403, /entered/);
    await enter('staff', 'basic', { login: 'a:b', password: 'x' });
    await refusedWith('staff', '/basic/', 403, /can no longer be read/);
  } finally {
    inv.upstream = null;
    inv.mark();
  }
});

test('people get a page that says what to do, in their language, without a script', async () => {
  const r = await browse('nobody:new', '/main/home');
  assert.equal(r.status, 403);
  assert.match(r.headers['content-type'], /^text\/html/);
  assert.match(r.headers['content-security-policy'], /default-src 'none'/);
  assert.match(r.body, /Old main/);
  assert.match(r.body, /href="\/vault\/main"/);
  assert.doesNotMatch(r.body, /<script/);
  app.on['GET /login'] = (req, res) => { app.form(res, '<input name=captcha>'); return true; };
  const s = await makeSession(g, { person: 'city:bo' });
  const csrf = { ...s.headers, 'x-yimen-csrf': s.csrf, origin: 'https://yimen.example' };
  assert.equal((await g.nginx.request('PUT', '/api/v1/vault/captcha', { headers: csrf, body: LI })).status, 200);
  const page = await g.nginx.request('GET', '/captcha/home', { headers: { ...s.headers, ...NAVIGATION } });
  assert.equal(page.status, 403);
  assert.match(page.body, /验证码/);
  assert.match(page.body, /href="https:\/\/old\.test\/"/);
});

test('Redis away: 503, and nobody is signed in anywhere', async () => {
  await enter('staff', 'held', WANG);
  await g.redis.client.command('CONFIG', 'SET', 'maxmemory', '1');
  await g.redis.client.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
  try {
    app.reset();
    await refusedWith('staff', '/held/home', 503, /not possible at the moment/);
    assert.equal(app.seen.length, 0);
  } finally { await g.redis.client.command('CONFIG', 'SET', 'maxmemory', '0'); }
  assert.match((await get('staff', '/held/home')).body, /<h1>wang/);
});

/*
 * Elsewhere: the gateway reads no XML of applications and passes their answers on as they are; what
 * the dispatcher reads of old systems is I167 and I169 in tests/unit/test_doc.c, test_reply.c and the
 * fuzz targets. Callback addresses do not exist: every address that a worker or the dispatcher asks
 * stands in the configuration or in a provider's discovery (I168 above, b_oidc, test_reach.c).
 */
