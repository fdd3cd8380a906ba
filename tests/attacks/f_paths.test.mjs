/* SPDX-License-Identifier: Apache-2.0
 * F paths, hosts, routing: what is authorised is what the application behind resolves.  `/` is open
 * to anybody who is signed in, `/admin` wants another role; an ambiguous path gets 400.
 */
import { after, before, beforeEach, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { LOCATIONS, PUBLIC_URL, startGateway, withSessions } from '../lib/gateway.mjs';
import { makeSession } from '../lib/session.mjs';
import { claims, makeToken } from '../lib/tokens.mjs';
import { Invariants, get, rawRequest, startUpstream } from './invariants.mjs';

/*
 * How servers behind a gateway read a path: each gives what it would open.  A request that got
 * through to `/`'s application must not be `/admin` for any of them.
 */
const dec = (s) => s.replace(/%([0-9a-f]{2})/gi, (_, h) => String.fromCharCode(parseInt(h, 16)));
const resolve = (p) => {
  const out = [];
  for (const s of p.split('/').slice(1)) {
    if (s === '..') out.pop();
    else if (s !== '.' && s !== '') out.push(s);
  }
  return `/${out.join('/')}`;
};
const READERS = {
  plain: (p) => resolve(dec(p)),
  tomcat: (p) => resolve(dec(p.replace(/;[^/]*/g, ''))),
  windows: (p) => resolve(dec(p).replaceAll('\\', '/').split('/').map((s) => (/^\.+$/.test(s) ? s : s.replace(/[. ]+$/, '').replace(/::\$.*$/, ''))).join('/')),
  twice: (p) => resolve(dec(dec(p))),
  cut: (p) => resolve(dec(p).replace(/[\0#?].*$/s, '')),
};
const opens = (target, reader) => READERS[reader](target.split('?')[0]);
const isAdmin = (p) => /^\/admin(?:\/|$)/.test(p);

describe('paths', () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'yimen-tls-'));
  let g, upstream, inv, mei, root;

  const server = (socket, more = '') => `${LOCATIONS} ${more}
    location / { yimen_auth on; yimen_identity headers; proxy_pass http://up; }
    location /admin { yimen_auth on; yimen_require role=admin; yimen_identity headers; proxy_pass http://up; }
    location = /exact { yimen_auth on; yimen_require role=admin; proxy_pass http://up; }
    location /public/ { proxy_pass http://up; }
    location = /app { return 404; }
    location /app/ { yimen_auth on; yimen_identity headers; proxy_pass http://up; }
    location /iis/ { yimen_path_case insensitive; yimen_auth on; proxy_pass http://up; }
    location /iis/admin { yimen_path_case insensitive; yimen_auth on; yimen_require role=admin; proxy_pass http://up; }
    location /strip/ { yimen_auth on; yimen_identity headers; rewrite ^/strip/(.*)$ /$1 break; proxy_pass http://up; }
    location /again/ { yimen_auth on; rewrite ^/again/(.*)$ /$1 last; }
    location /swap/ { yimen_auth on; proxy_pass http://up/inner/; }
    location /trying/ { yimen_auth on; root /nonexistent; try_files $uri /admin/tried; }
    location /failing/ { yimen_auth on; proxy_pass http://up; proxy_intercept_errors on; error_page 418 /admin/error; error_page 419 @named; }
    location @named { yimen_auth on; yimen_require role=admin; proxy_pass http://up; }
    location /accel/ { yimen_auth on; yimen_accel on; proxy_pass http://up; }
    location /ssi/ { yimen_auth on; ssi on; ssi_types application/json; proxy_pass http://up; }
    location /loose/ { yimen_path off; yimen_auth on; proxy_pass http://up; }`.replaceAll('http://up', `http://unix:${socket}:`);

  before(async () => {
    upstream = await startUpstream({ respond: (q, s) => upstream.next?.(q, s) });
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1', '-subj', '/CN=a.example',
      '-keyout', `${dir}/key.pem`, '-out', `${dir}/cert.pem`], { stdio: 'ignore' });
    const ssl = `ssl_certificate ${dir}/cert.pem; ssl_certificate_key ${dir}/key.pem;`;
    g = await startGateway({
      deploy: { auth: withSessions() },
      nginx: {
        level: 'notice',
        server: server(upstream.socket, 'server_name localhost;'),
        http: `server { listen unix:${dir}/loose.sock; merge_slashes off; ${server(upstream.socket)} }
          server { listen unix:${dir}/tls.sock ssl; server_name a.example; ${ssl} location / { return 200 "a"; } }
          server { listen unix:${dir}/tls.sock ssl; server_name b.example; ${ssl} location / { return 200 "b"; } }`,
      },
    });
    inv = new Invariants(g, { upstream, identity: ['x-remote-user'] });
    mei = await makeSession(g, { person: 'city:mei', sub: 'mei', login: 'mei' });
    root = await makeSession(g, { person: 'city:root', sub: 'root', login: 'root', roles: 16 });
    inv.secret(mei.id, root.id);
    /* warm: every session is known to the worker */
    for (const s of [mei, root]) assert.equal((await ask('/', s)).status, 200);
  });
  beforeEach(() => { upstream.next = undefined; inv.mark(); });
  after(async () => {
    try { inv.done(); } finally {
      await g.stop();
      await upstream.stop();
      fs.rmSync(dir, { recursive: true, force: true });
    }
  });

  const ask = (target, s = mei, more = '', method = 'GET') => rawRequest(g.nginx, get(target, `Cookie: ${s.cookie}\r\n${more}`, method));
  const loose = (target, s = mei) => rawRequest({ raw: (bytes, ms) => g.nginx.raw.call({ socket: `${dir}/loose.sock` }, bytes, ms) }, get(target, `Cookie: ${s.cookie}\r\n`));

  /* 400, or the rule of /admin: never through as `/`. */
  async function closed(target) {
    for (const how of [ask, loose]) {
      const r = await how(target);
      if (r.status === 403) inv.refused(r, 403);
      /* nginx itself adds a slash to the name of a location: nothing was decided, nothing was sent */
      else if (r.status === 301) inv.refused(r, 301, { nginx: true });
      else inv.refused(r, 400, { nginx: !/problem\+json/.test(r.headers['content-type'] ?? '') });
    }
  }

  test('the rule that all the others lean on', async () => {
    inv.passed(await ask('/x'), { 'X-Remote-User': 'mei' });
    inv.passed(await ask('/admin/x', root), { 'X-Remote-User': 'root' });
    for (const t of ['/admin', '/admin/', '/admin/x', '/%61dmin', '/adm%69n/x?y=1', '/exact']) inv.refused(await ask(t), 403);
  });

  test('F115 upper case for an application that takes both', async () => {
    inv.passed(await ask('/iis/page'));
    for (const t of ['/iis/ADMIN', '/iis/Admin/x', '/iis/%41dmin']) {
      inv.refused(await ask(t), 403);
      inv.passed(await ask(t, root));
      assert.equal(upstream.last.target, t, 'the application gets the text as it came');
    }
    for (const t of ['/iis/ADMIN~1/x', '/iis/adm%C4%B1n', '/iis/%E2%84%AA']) inv.refused(await ask(t), 400);
    inv.passed(await ask('/iis/Page/A?B=C'));
  });

  test('F116 parameters within a path', async () => {
    for (const t of ['/admin;x=1', '/;/admin', '/x/..;/admin', '/admin..;/', '/;x/admin', '/admin/;x', '/admin;jsessionid=A/..', '/x;jsessionid=1/../admin', '/admin%3b']) await closed(t);
    inv.refused(await ask('/admin;jsessionid=A1B2'), 403);
    inv.refused(await ask('/exact;jsessionid=A1B2'), 403);
    inv.passed(await ask('/exact;jsessionid=A1B2', root), {});
    inv.passed(await ask('/login;jsessionid=A1B2.node1?x=1'), { 'X-Remote-User': 'mei' });
    assert.equal(upstream.last.target, '/login;jsessionid=A1B2.node1?x=1', 'the application gets its parameter');
  });

  test('F117 encoded dots', async () => {
    for (const t of ['/%2e%2e/', '/x/%2e%2e/admin', '/.%2e/', '/x/.%2E/admin', '/%252e%252e/admin', '/x/%252e%252e/admin', '/admin/%2e']) await closed(t);
  });

  test('F118 encoded slashes', async () => {
    for (const t of ['/x%2f..%2fadmin', '/admin%2f..%2fpublic', '/public%2f..%2fadmin', '/x%2F%2e%2e%2Fadmin', '/x%252f..%252fadmin']) await closed(t);
  });

  test('F119 backslashes', async () => {
    for (const t of ['/%5cadmin', '/x\\..\\admin', '/..%5c', '/x%5c..%5cadmin', '\\admin', '/\\admin', '/x%255c..%255cadmin']) await closed(t);
  });

  test('F120 repeated slashes, with and without merge_slashes', async () => {
    for (const t of ['//admin', '/./admin', '///admin//', '/x//..//admin', '/admin//x']) await closed(t);
  });

  test('F121 what some drop at an end', async () => {
    for (const t of ['/admin%20', '/admin%09', '/admin%00.png', '/admin.', '/admin/.', '/admin::$DATA', '/admin:$i30:$INDEX_ALLOCATION', '/admin%20/x', '/%20admin', '/admin%0d%0aX:y', '/adm\tin', '/ad min', '/admin...']) await closed(t);
  });

  test('F122 fragments', async () => {
    for (const t of ['/admin#f', '/admin%23', '/x#/../admin', '/x?a#b', '/admin%3fx']) await closed(t);
  });

  test('F123 overlong and look-alike characters', async () => {
    for (const t of ['/%c0%ae%c0%ae/', '/x/%c0%ae%c0%ae/admin', '/\xc0\xae\xc0\xae/admin', '/x%ef%bc%8f..%ef%bc%8fadmin', '/%e0%80%af', '/%u002e%u002e/admin', '/%u0061dmin', '/%zz', '/%', '/x/%ef%bc%8e%ef%bc%8e/admin', '/%ff']) await closed(t);
  });

  test('F124 a rule for one prefix is none for another', async () => {
    inv.passed(await ask('/application'), { 'X-Remote-User': 'mei' });
    inv.passed(await ask('/app/x'), { 'X-Remote-User': 'mei' });
    assert.equal((await ask('/app')).status, 404);
    inv.mark();
    for (const t of ['/public/../admin', '/public%2f..%2fadmin', '/public/..%2fadmin', '/public/..;/admin']) await closed(t);
    inv.passed(await ask('/publicx'), { 'X-Remote-User': 'mei' });
    inv.refused(await rawRequest(g.nginx, get('/publicx')), 401);
  });

  test('F125 the query decides nothing', async () => {
    for (const t of ['/admin?x=/public/health', '/admin?/public/', '/admin?x=1&/../public/']) {
      inv.refused(await ask(t), 403);
      inv.refused(await rawRequest(g.nginx, get(t)), 401);
    }
    inv.passed(await ask('/x?y=/admin/../%2f%00;a\\b'), { 'X-Remote-User': 'mei' });
  });

  test('F126 a prefix that is taken off', async () => {
    for (const t of ['/strip/..%2fadmin', '/strip//admin', '/strip%2fadmin', '/strip/../admin', '/strip/%2e%2e/admin', '/again/..%2fadmin', '/again//admin', '/swap/..%2fadmin', '/swap/%2e%2e/admin']) await closed(t);
    inv.passed(await ask('/strip/x'), { 'X-Remote-User': 'mei' });
    inv.refused(await ask('/again/admin'), 403);
    inv.passed(await ask('/again/x'), { 'X-Remote-User': 'mei' });
    inv.passed(await ask('/swap/x;jsessionid=A1'), {});
    assert.equal(upstream.last.target, '/inner/x', 'what is sent is what was decided');
  });

  test('F127 inside nginx the decision is made again', async () => {
    assert.equal((await ask('/trying/x')).status, 403);
    assert.equal((await ask('/trying/x', root)).status, 200);
    for (const [status, first] of [[418, '/failing/x'], [419, '/failing/y']]) {
      upstream.next = (q) => (q.target === first ? { status, body: '' } : undefined);
      const hits = upstream.hits;
      const r = await ask(first);
      assert.equal(r.status, 403, `${status}`);
      assert.equal(upstream.hits, hits + 1, 'the second application is not reached');
    }
    upstream.next = (q) => (q.target === '/accel/x' ? { headers: { 'X-Accel-Redirect': '/admin/inner' }, body: '' } : undefined);
    assert.equal((await ask('/accel/x')).status, 403);
    assert.equal((await ask('/accel/x', root)).status, 200);
    upstream.next = (q) => (q.target === '/ssi/x' ? { body: '<!--# include virtual="/admin/part" -->' } : { body: `part:${q.target}` });
    const hits = upstream.hits;
    const r = await ask('/ssi/x');
    assert.doesNotMatch(r.body, /part:/);
    assert.equal(upstream.hits, hits + 1);
    assert.match((await ask('/ssi/x', root)).body, /part:\/admin\/part/);
    inv.alive();
  });

  test('F128 hosts', async () => {
    const host = (value, target = '/x') => rawRequest(g.nginx, `GET ${target} HTTP/1.1\r\nHost: ${value}\r\nCookie: ${mei.cookie}\r\nConnection: close\r\n\r\n`);
    for (const h of ['localhost', 'LOCALHOST', 'localhost.', 'localhost:443', 'unknown.test', '[::1]', '[::1]:8443', '127.0.0.1:80']) inv.passed(await host(h), { 'X-Remote-User': 'mei' });
    for (const h of ['h:443:80', 'h@e', 'user:pw@localhost', 'a/../b', 'loc alhost', '', 'local..host', 'h:8a', '%6cocalhost', 'localhost\\evil']) {
      const r = await host(h);
      inv.refused(r, 400, { nginx: !/problem\+json/.test(r.headers['content-type'] ?? '') });
    }
    inv.refused(await host('other.test', 'http://localhost/x'), 400);
    inv.passed(await host('localhost', 'http://localhost/x'), { 'X-Remote-User': 'mei' });
    inv.refused(await rawRequest(g.nginx, `GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n`), 400, { nginx: true });
    inv.refused(await rawRequest(g.nginx, `GET /x HTTP/1.1\r\nConnection: close\r\n\r\n`), 400, { nginx: true });

    /* the name in the TLS handshake chose another server */
    const over = (sni, h) => new Promise((done, fail) => {
      const s = tls.connect({ path: `${dir}/tls.sock`, servername: sni, rejectUnauthorized: false }, () => s.write(`GET / HTTP/1.1\r\nHost: ${h}\r\nConnection: close\r\n\r\n`));
      let text = '';
      s.on('data', (d) => { text += d; });
      s.on('end', () => done(text));
      s.on('error', fail);
    });
    assert.match(await over('a.example', 'a.example'), /^HTTP\/1\.1 200[^]*a$/);
    assert.match(await over('a.example', 'b.example'), /^HTTP\/1\.1 421/);
    assert.match(await over('b.example', 'b.example'), /^HTTP\/1\.1 200[^]*b$/);
  });

  test('F129 methods', async () => {
    inv.refused(await ask('/admin/x', mei, '', 'get'), 400, { nginx: true });
    for (const m of ['HEAD', 'OPTIONS', 'FOO', 'PROPFIND', 'REPORT']) {
      const r = await ask('/admin/x', mei, `Origin: ${PUBLIC_URL}\r\n`, m);
      assert.equal(r.status, 403, m);
      const nobody = await rawRequest(g.nginx, get('/admin/x', '', m));
      assert.equal(nobody.status, 401, m);
    }
    assert.equal(upstream.hits, inv.hits, 'none of them was passed on');
    inv.refused(await rawRequest(g.nginx, get('/admin/x', '', 'TRACE')), 405, { nginx: true });
    inv.passed(await ask('/admin/x', root, `Origin: ${PUBLIC_URL}\r\n`, 'PROPFIND'), { 'X-Remote-User': 'root' });
  });

  test('F131 many routes: the most specific decides, a reload is all or nothing', async () => {
    const many = Array.from({ length: 2000 }, (_, i) => `location /r${i}/ { yimen_auth on; yimen_require role=${i % 2 ? 'admin' : 'staff'}; proxy_pass http://unix:${upstream.socket}:; }
      location /r${i}/open/ { yimen_auth on; yimen_require role=staff; proxy_pass http://unix:${upstream.socket}:; }`).join('\n');
    const before2 = g.nginx.options.server;
    g.nginx.write({ server: `${before2} ${many}`, allow: [/\[emerg\]/] });
    await g.nginx.reload();
    inv.pids = g.nginx.workers();
    for (const i of [0, 1, 998, 1999]) {
      const r = await ask(`/r${i}/x`);
      if (i % 2) inv.refused(r, 403); else inv.passed(r);
      inv.passed(await ask(`/r${i}/open/x`));
    }
    g.nginx.write({ server: `${before2} location /r/ { yimen_auth on; yimen_require; }` });
    await g.nginx.reload({ expectRefused: true });
    inv.refused(await ask('/r1/x'), 403);
    g.nginx.write({ server: before2 });
    await g.nginx.reload();
    inv.pids = g.nginx.workers();
    inv.passed(await ask('/r1/x'), { 'X-Remote-User': 'mei' });
  });

  test('F132 roles are exact', async () => {
    for (const roles of ['administrator', 'admin,user', ['admin,user'], 'Admin', ['ADMIN'], 'аdmin', ['admin '], { admin: true }, [['admin']]]) {
      const token = inv.secret(makeToken(g.key, claims('mei', roles)));
      inv.refused(await g.nginx.request('GET', '/admin/x', { token }), 403);
    }
    inv.passed(await g.nginx.request('GET', '/admin/x', { token: makeToken(g.key, claims('mei', ['staff', 'admin'])) }), { 'X-Remote-User': 'mei' });
  });

  test('what got through means the same to every reader', async () => {
    const pieces = ['/', 'admin', '.', '..', '%2e', '%2f', ';', '%5c', '\\', 'x', '%00', '%20', '#', '?', '%25', '2e', '%61', ';jsessionid=A', '//', '/../', ':$', '%c0%af', 'public/'];
    let seed = 20260101, through = 0;
    const next = (n) => { seed = (Math.imul(seed, 1103515245) + 12345) >>> 0; return (seed >>> 8) % n; };
    for (let i = 0; i < 1500; i++) {
      const target = `/${Array.from({ length: 1 + next(6) }, () => pieces[next(pieces.length)]).join('')}`;
      const hits = upstream.hits;
      const r = await ask(target);
      if (upstream.hits === hits) continue;
      through++;
      assert.equal(r.status, 200);
      /* a session parameter at the end is known to be none of the path's */
      const sent = upstream.last.target.replace(/;jsessionid=[\w.]+(?=$|\?)/, '');
      const readings = new Set(Object.keys(READERS).map((reader) => opens(sent, reader)));
      assert.equal(readings.size, 1, `${target} is ${[...readings].join(' or ')}`);
      assert.ok(!isAdmin([...readings][0]), target);
    }
    assert.ok(through > 50, `${through} of them got through`);
    inv.alive();
    inv.mark();
  });

  test('where a site turns the policy off, nginx is as it was', async () => {
    inv.passed(await ask('/loose/a%2fb;c'));
    assert.equal(upstream.last.target, '/loose/a%2fb;c');
  });
});

export const NOT_HERE = {
  F130: 'There are no batch or aggregate calls: an API call is one route, a location one request.',
  F133: 'No rule asks for an e-mail domain; yimen_require knows roles, areas and organisations.',
};
