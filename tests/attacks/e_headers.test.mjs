/* SPDX-License-Identifier: Apache-2.0
 * E header spoofing and smuggling: whatever a client sends, an application hears of a person only
 * from the gateway, and of one request only one thing.
 */
import { after, before, beforeEach, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { LOCATIONS, PUBLIC_URL, startGateway, withSessions } from '../lib/gateway.mjs';
import { TOP, sleep, testNginx, until } from '../lib/nginx.mjs';
import { endSession, makeSession } from '../lib/session.mjs';
import { claims, makeToken } from '../lib/tokens.mjs';
import { TYPE, block, field, frame, headers, indexed, request, talk } from './h2_raw.mjs';
import { Invariants, NAVIGATION, get, parseMessage, rawRequest, startUpstream } from './invariants.mjs';

const IDENTITY = ['x-remote-user', 'x-person', 'x-groups-of', 'x-app-token'];

/* Names under which one application or another looks for a person, as the client may write them. */
const SPOOFED = ['X-Remote-User', 'x-remote-user', 'X-REMOTE-USER', 'Remote-User', 'Remote-Groups', 'Remote-Email', 'X-Roles',
  'X-User', 'X-Forwarded-User', 'X-Forwarded-Email', 'X-Forwarded-Groups', 'X-Auth-Request-User', 'X-Auth-Username', 'X-JWT-Assertion',
  'X-WebAuth-User', 'X-Goog-IAP-JWT-Assertion', 'X-Yimen-User', 'X-Person', 'X-Groups-Of', 'X-App-Token'];
const ALIASES = ['X_Remote_User', 'X-Remote_User', 'X.Remote.User', 'X~Remote~User', 'X_Remote-User', 'x!remote!user', 'X_PERSON',
  'X.Forwarded.User', 'X_Auth_User', 'Remote_User', 'X|Remote|User'];
/* Every name that the module removes, and one behind each prefix. */
const SCRUBBED = (() => {
  const source = fs.readFileSync(path.join(TOP, 'ngx_module/ngx_http_yimen_scrub.c'), 'utf8');
  const inside = (name) => [...source.split(`${name}[] = {`)[1].split('};')[0].matchAll(/"([^"]+)"/g)].map((m) => m[1]);
  return ['ngx_http_yimen_scrub_names', 'ngx_http_yimen_scrub_forwarded'].flatMap(inside)
    .concat(inside('ngx_http_yimen_scrub_prefixes').flatMap((p) => [`${p}q`, `${p}${'q'.repeat(60)}`, `${p}7`]));
})();
const SPELLINGS = [(n) => n, (n) => n.toUpperCase(), (n) => n.replaceAll('-', '_'), (n) => n.replace(/-(?=[^-]*$)/, '.'),
  (n) => `_${n}`, (n) => `${n}!`, (n) => `${n}${'-'.repeat(64)}a`, (n) => n[0].toUpperCase() + n.slice(1)];
const lines = (names, value = 'root') => names.map((n) => `${n}: ${value}\r\n`).join('');

/* An EC key in PEM form in a file of its own, as identity_keys wants it. */
function pem(...pairs) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'yimen-idkey-'));
  const file = path.join(dir, 'keys.pem');
  fs.writeFileSync(file, pairs.map((p) => p.privateKey.export({ type: 'pkcs8', format: 'pem' })).join(''), { mode: 0o600 });
  return { dir, file };
}
const pair = () => crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });

describe('headers', () => {
  const first = pair(), second = pair();
  const keys = pem(first, second);
  let g, upstream, inv, person;

  const server = (socket) => `${LOCATIONS}
    location = /.well-known/jwks.json { yimen_api on; }
    set_real_ip_from unix:; real_ip_header X-Test-Peer;
    location /app/ { yimen_auth on; yimen_identity headers user=X-Remote-User name=X-Person roles=X-Groups-Of; proxy_pass http://up; }
    location /public/ { proxy_pass http://up; }
    location /seen/ { yimen_auth on; yimen_identity headers; add_header X-Theme "$cookie_theme" always; add_header X-Zoom "$cookie_zoom" always; proxy_pass http://up; }
    location /maybe/ { yimen_auth optional; yimen_identity headers user=X-Remote-User; proxy_pass http://up; }
    location /ws/ { yimen_auth on; yimen_identity headers; yimen_websocket on; proxy_pass http://up; proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection; }
    location /nows/ { yimen_auth on; yimen_identity headers; proxy_pass http://up; proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection; }
    location /jwt/ { yimen_auth on; yimen_identity jwt audience=app-one; proxy_pass http://up; }
    location /jwt2/ { yimen_auth on; yimen_identity jwt audience=app-two header=X-App-Token; proxy_pass http://up; }
    location /strictly/ { yimen_auth on; yimen_identity headers name=X-Person encode=plain; proxy_pass http://up; }
    location /coded/ { yimen_auth on; yimen_identity headers name=X-Person encode=base64url; proxy_pass http://up; }
    location /errors/ { yimen_auth on; yimen_identity headers; proxy_pass http://up; proxy_intercept_errors on; error_page 418 @away; error_page 403 @away; }
    location /forbidden/ { yimen_auth on; yimen_require role=admin; yimen_identity headers; proxy_pass http://up; error_page 403 @away; }
    location @away { proxy_pass http://up; }
    location /inner/ { internal; proxy_pass http://up; }
    location /try/ { yimen_auth on; yimen_identity headers; root /nonexistent; try_files $uri @fall; }
    location @fall { yimen_auth on; yimen_identity headers user=X-Person; proxy_pass http://up; }
    location /fcgi/ { yimen_auth on; yimen_identity headers; proxy_pass http://up; }
    location /mine/ { yimen_auth on; yimen_scrub on except=X-Auth-Token; proxy_pass http://up; }
    location /trusting/ { yimen_trust 192.0.2.0/24; proxy_pass http://up; }
    location /accel/ { proxy_pass http://up; }
    location /accel-on/ { yimen_accel on; proxy_pass http://up; }
    location /elsewhere/ { yimen_redirects any; proxy_pass http://up; }
    location /static/ { root /nonexistent; }
    client_max_body_size 64k;`.replaceAll('http://up', `http://unix:${socket}:`);

  before(async () => {
    upstream = await startUpstream({ respond: (q, s) => upstream.next?.(q, s) });
    g = await startGateway({
      deploy: { auth: withSessions({}, { identity_keys: `file:${keys.file}` }) },
      nginx: {
        level: 'notice', server: server(upstream.socket), allow: [/listen \.\.\. http2" directive is deprecated/],
        http: `underscores_in_headers on; ignore_invalid_headers off; large_client_header_buffers 4 8k;
          server { listen unix:${keys.dir}/h2.sock http2; server_name localhost; ${server(upstream.socket)} }`,
      },
    });
    inv = new Invariants(g, { upstream, identity: IDENTITY });
    person = await makeSession(g, { person: 'city:mei', sub: 'mei', login: 'mei', name: '王 梅' });
    inv.secret(person.id, ...Object.values(g.tokens));
  });
  beforeEach(() => { upstream.next = undefined; inv.mark(); });
  after(async () => {
    try { inv.done(); } finally {
      await g.stop();
      await upstream.stop();
      fs.rmSync(keys.dir, { recursive: true, force: true });
    }
  });

  const MEI = { 'X-Remote-User': 'mei', 'X-Person': "UTF-8''%E7%8E%8B%20%E6%A2%85", 'X-Groups-Of': 'staff' };
  const cookie = () => `Cookie: ${person.cookie}\r\n`;
  const bearer = (who = 'staff') => `Authorization: Bearer ${g.tokens[who]}\r\n`;
  const raw = (target, more, method) => rawRequest(g.nginx, get(target, more, method));

  test('what nginx knows of the remaining headers survives the removal of others', async () => {
    const line = (n) => `X-Unknown-${n}: ${'u'.repeat(40)}\r\n`;
    const many = Array.from({ length: 30 }, (_, i) => line(i)).join('');
    for (let i = 0; i < 3; i++) {   /* kept connections give memory that was used before */
      const r = await raw('/seen/x', `${many}Cookie: theme=dark; ${person.cookie}\r\nX-Remote-User: root\r\nCookie: zoom=2\r\n`);
      assert.equal(r.status, 200, r.text);
      assert.deepEqual([r.headers['x-theme'], r.headers['x-zoom']], ['dark', '2'], r.text);
    }
  });

  test('E93 every identity header of a client is replaced or removed, on every kind of route', async () => {
    const all = lines(SPOOFED);
    inv.passed(await raw('/app/x', cookie() + all), MEI);
    inv.passed(await raw('/app/x', bearer() + all), { 'X-Remote-User': 'mei', 'X-Groups-Of': 'staff' });
    inv.passed(await raw('/public/x', all));
    inv.passed(await raw('/public/x', all, 'OPTIONS'));
    inv.passed(await raw('/maybe/x', all));
    inv.passed(await raw('/maybe/x', all + cookie()), { 'X-Remote-User': 'mei' });
    inv.refused(await raw('/app/x', all), 401);
    inv.refused(await raw('/app/x', all, 'OPTIONS'), 401);
    inv.refused(await raw('/forbidden/x', all), 401);
    upstream.next = () => ({ status: 418, body: '' });
    await raw('/errors/x', all + cookie());
    assert.equal(upstream.hits, inv.hits + 2);
    inv.identified(upstream.last, {});
    inv.mark();
    upstream.next = undefined;
    const me = await raw('/api/v1/me', bearer() + all);
    assert.equal(JSON.parse(me.body).subject, 'mei');
    assert.equal((await raw('/static/x', all)).status, 404);
    for (const t of ['/auth/login', '/auth/callback/none']) assert.ok((await raw(t, all)).status < 500);
    inv.passed(await raw('/ws/x', `${cookie()}${all}Upgrade: websocket\r\nSec-WebSocket-Key: AA==\r\nOrigin: ${PUBLIC_URL}\r\n`), { 'X-Remote-User': 'mei' });
  });

  test('E94 one header, ours, however often and in whatever case it comes', async () => {
    for (const n of [2, 3, 5]) {
      const many = lines(Array.from({ length: n }, (_, i) => ['X-Remote-User', 'x-remote-user', 'X-REMOTE-user'][i % 3]));
      inv.passed(await raw('/app/x', many + cookie() + many), MEI);
    }
  });

  test('E95 aliases that an application cannot tell from the name', async () => {
    for (const name of ALIASES) {
      inv.passed(await raw('/app/x', lines([name]) + cookie()), MEI);
      inv.passed(await raw('/public/x', lines([name])));
    }
    /* all names and prefixes that the module has, each in several spellings */
    for (const spell of SPELLINGS) {
      inv.passed(await raw('/app/x', cookie() + SCRUBBED.map((name) => `${spell(name)}: root\r\n`).join('')), MEI);
      assert.doesNotMatch(upstream.last.raw, /: root/);
    }
    const r = await raw('/app/x', `${cookie()}X Remote-User: root\r\n`);
    inv.refused(r, 400, { nginx: true });
    inv.passed(await raw('/app/x', `${cookie()}X-Remote-User\x80: root\r\n`), MEI);
  });

  test('E96 a value that no header can hold is written otherwise, or the answer is 403', async () => {
    inv.passed(await raw('/coded/x', cookie()), { 'X-Person': Buffer.from('王 梅').toString('base64url') });
    inv.refused(await raw('/strictly/x', cookie()), 403);
    for (const [name, how] of [['a\r\nX-Evil: 1', null], ['a\nb', null], ['a\0b', null], ['a\x7f', null], ['x'.repeat(16000), null], [' lead', "UTF-8''%20lead"], ['trail ', "UTF-8''trail%20"], ['é', "UTF-8''%C3%A9"]]) {
      const s = await makeSession(g, { name });
      const r = await raw('/app/x', `Cookie: ${s.cookie}\r\n`);
      if (r.status === 200 && how !== null) { inv.passed(r, { ...MEI, 'X-Person': how }); continue; }
      assert.ok(how === null, `${JSON.stringify(name)} was refused with ${r.status}`);
      if (r.status === 200) inv.passed(r, { ...MEI, 'X-Person': null });
      else inv.refused(r, [401, 403]);
    }
  });

  test('E97 several values stay several', async () => {
    const s = await makeSession(g, { roles: 1 | 16, name: '王 梅' });
    inv.passed(await raw('/app/x', `Cookie: ${s.cookie}\r\n`), { ...MEI, 'X-Groups-Of': 'staff,admin' });
    /* values with the delimiter inside: tests/unit/test_header.c, lists_keep_their_items_apart */
  });

  test('E98 what is not known is not told, and never left over from the one before', async () => {
    const nameless = await makeSession(g, { person: 'city:bo', sub: 'bo', login: 'bo', name: '', roles: 0 });
    const keep = (head) => `GET /app/x HTTP/1.1\r\nHost: localhost\r\n${head}\r\n`;
    const from = upstream.hits;
    const text = await g.nginx.raw(keep(cookie()) + keep(`Cookie: ${nameless.cookie}\r\n`) + get('/maybe/x'), 3000);
    assert.equal(text.match(/HTTP\/1\.1 200/g)?.length, 3);
    const [one, two, three] = upstream.seen.slice(from);
    inv.identified(one, MEI);
    inv.identified(two, { 'X-Remote-User': 'bo', 'X-Person': null, 'X-Groups-Of': null });
    inv.identified(three, {});
    inv.mark();
    inv.passed(await raw('/try/x', cookie()), { 'X-Person': 'mei', 'X-Remote-User': null });
  });

  test('E99 a Connection header takes none of ours away', async () => {
    for (const value of ['X-Remote-User', 'close, X-Remote-User, X-Person', 'x-remote-user', 'Keep-Alive, Authorization, X-Groups-Of']) {
      inv.passed(await raw('/app/x', `${cookie()}Connection: ${value}\r\n`), MEI);
      assert.doesNotMatch(upstream.last.headers.connection ?? '', /x-/i);
      const r = await raw('/nows/x', `${cookie()}Connection: ${value}\r\n`);
      inv.passed(r, { 'X-Remote-User': 'mei' });
      assert.doesNotMatch(upstream.last.headers.connection ?? '', /x-|auth/i);
    }
    inv.passed(await raw('/ws/x', `${cookie()}Connection: Upgrade, X-Remote-User\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AA==\r\nOrigin: ${PUBLIC_URL}\r\n`), { 'X-Remote-User': 'mei' });
    assert.equal(upstream.last.headers.connection, 'upgrade');
  });

  test('E100 trailers are not merged', async () => {
    const body = `Transfer-Encoding: chunked\r\nTrailer: X-Remote-User\r\nOrigin: ${PUBLIC_URL}\r\n\r\n3\r\nabc\r\n0\r\nX-Remote-User: root\r\nX-Person: root\r\n\r\n`;
    const r = await rawRequest(g.nginx, `POST /app/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${cookie()}${body}`);
    inv.passed(r, MEI);
    assert.doesNotMatch(upstream.last.raw, /root/);
    assert.equal(upstream.last.headers.trailer, undefined);
    assert.equal(upstream.last.body, 'abc');
  });

  test('E101 forwarded headers: nobody is trusted who was not named', async () => {
    const names = ['X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Proto', 'X-Forwarded-Port', 'X-Forwarded-Prefix', 'X-Forwarded-Uri',
      'X-Forwarded-Method', 'X-Forwarded-Server', 'Forwarded', 'X-Original-URL', 'X-Rewrite-URL', 'X-Real-IP', 'True-Client-IP', 'X_Forwarded_For', 'X.Real.IP'];
    const sent = lines(names, 'evil.test');
    for (const target of ['/app/x', '/public/x']) {
      inv.passed(await raw(target, cookie() + sent), target === '/app/x' ? MEI : {});
      assert.doesNotMatch(upstream.last.raw, /evil\.test/);
    }
    inv.passed(await raw('/trusting/x', `X-Test-Peer: 198.51.100.7\r\n${sent}`));
    assert.doesNotMatch(upstream.last.raw, /evil\.test/);
    await raw('/trusting/x', `X-Test-Peer: 192.0.2.7\r\n${sent}`);
    assert.match(upstream.last.raw, /X-Forwarded-Host: evil\.test/);
    assert.doesNotMatch(upstream.last.raw, /X-Original-URL|X-Rewrite-URL/i);
    inv.mark();
    const login = await raw('/app/x', `Accept: text/html\r\nSec-Fetch-Mode: navigate\r\n${sent}`);
    inv.refused(login, 303, { page: true });
    assert.ok(login.headers.location.startsWith(`${PUBLIC_URL}/auth/login`));
    for (const cidr of ['0.0.0.0/0', '::/0']) {
      const t = await testNginx({ http: `yimen_catalog ${g.deploy.file};`, server: `yimen_trust ${cidr};` });
      assert.notEqual(t.code, 0);
      assert.match(t.text, /would trust everybody/);
    }
  });

  test('E102 a method comes from the request line alone', async () => {
    inv.passed(await raw('/app/x', `${cookie()}X-HTTP-Method-Override: DELETE\r\nX-Method-Override: PUT\r\nX_HTTP_Method: PUT\r\n`), MEI);
    assert.equal(upstream.last.method, 'GET');
    assert.doesNotMatch(upstream.last.raw, /override|DELETE|PUT|X_HTTP/i);
  });

  test('E103 no User-Agent opens a door', async () => {
    for (const ua of ['kube-probe/1.0', 'GoogleHC/1.0', 'ELB-HealthChecker/2.0']) {
      inv.refused(await raw('/app/x', `User-Agent: ${ua}\r\n`), 401);
      inv.refused(await raw('/api/v1/me', `User-Agent: ${ua}\r\n`), 401);
    }
  });

  test('E104 Proxy is removed', async () => {
    inv.passed(await raw('/app/x', `${cookie()}Proxy: http://evil.test\r\n`), MEI);
    assert.equal(upstream.last.headers.proxy, undefined);
  });

  test('E105 two readings of where a request ends', async () => {
    const post = (head, body) => rawRequest(g.nginx, `POST /app/x HTTP/1.1\r\nHost: localhost\r\n${cookie()}Origin: ${PUBLIC_URL}\r\n${head}\r\n${body}`, 1500);
    const smuggled = 'GET /app/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n';
    for (const head of ['Content-Length: 4\r\nTransfer-Encoding: chunked\r\n', 'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n',
      'Transfer-Encoding: xchunked\r\n', 'Transfer-Encoding: chunked, identity\r\n', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n',
      'Content-Length: 4\r\nContent-Length: 5\r\n', 'Content-Length: +1\r\n', 'Content-Length: 0x1\r\n', 'Content-Length: 1,1\r\n', 'Content-Length: -1\r\n',
      'Content-Length : 4\r\n', 'Transfer-Encoding:\x0bchunked\r\n', 'Transfer-Encoding: chunked\r\n X: y\r\n']) {
      inv.refused(await post(head, `0\r\n\r\n${smuggled}`), [400, 501], { nginx: true });
    }
    for (const body of ['ffffffffffffffff1\r\nx\r\n0\r\n\r\n', '-1\r\nx\r\n0\r\n\r\n', 'zz\r\nx\r\n0\r\n\r\n', `1;${'x'.repeat(65536)}`]) {
      const r = await post('Transfer-Encoding: chunked\r\n', body);
      assert.ok([0, 400, 408, 413].includes(r.status), `${r.status}`);
      assert.equal(upstream.hits, inv.hits);
    }
    inv.alive();
  });

  test('E106 HTTP/0.9 and 1.0', async () => {
    for (const target of ['/app/x', '/public/x', '/api/v1/me']) {
      const text = await g.nginx.raw(`GET ${target}\r\n`, 1500);
      assert.doesNotMatch(text, /"headers"/);
      assert.equal(upstream.hits, inv.hits, 'nothing reached the upstream');
    }
    const r = await rawRequest(g.nginx, `GET /app/x HTTP/1.0\r\n${cookie()}\r\n`);
    inv.passed(r, MEI);
  });

  test('E107 CONNECT and upgrades where none is wanted', async () => {
    inv.refused(await rawRequest(g.nginx, 'CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n'), [400, 405], { nginx: true });
    for (const up of ['h2c', 'websocket', 'TLS/1.0', 'websocket, h2c']) {
      inv.passed(await raw('/nows/x', `${cookie()}Origin: ${PUBLIC_URL}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: ${up}\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nSec-WebSocket-Key: AA==\r\n`), { 'X-Remote-User': 'mei' });
      assert.equal(upstream.last.headers.upgrade, undefined);
      assert.equal(upstream.last.headers['http2-settings'], undefined);
    }
    for (const up of ['h2c', 'websocket, h2c', 'webSocketx']) {
      inv.passed(await raw('/ws/x', `${cookie()}Origin: ${PUBLIC_URL}\r\nConnection: Upgrade\r\nUpgrade: ${up}\r\nSec-WebSocket-Key: AA==\r\n`), { 'X-Remote-User': 'mei' });
      assert.equal(upstream.last.headers.upgrade, undefined);
    }
    /* an answer that is no upgrade, with more bytes behind it: nobody else gets those */
    upstream.next = () => 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil';
    const r = await raw('/ws/x', `${cookie()}Origin: ${PUBLIC_URL}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AA==\r\n`);
    assert.equal(r.body, 'ok');
    const connections = upstream.connections;
    upstream.next = undefined;
    inv.mark();
    inv.passed(await raw('/app/x', cookie()), MEI);
    assert.ok(upstream.connections > connections, 'a connection of its own');
  });

  test('E107 a websocket passes, and is cut when its session ends', async () => {
    upstream.next = (q, s) => {
      s.takenOver = true;
      s.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
      s.on('data', (d) => s.write(d));
    };
    const open = (head) => new Promise((done, fail) => {
      const s = net.connect(g.nginx.socket, () => s.write(`GET /ws/x HTTP/1.1\r\nHost: localhost\r\n${head}Origin: ${PUBLIC_URL}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AA==\r\nSec-WebSocket-Version: 13\r\n\r\n`));
      s.text = '';
      s.on('error', fail);
      s.on('close', () => { s.gone = true; });
      s.on('data', (d) => { s.text += d; if (/\r\n\r\n/.test(s.text)) done(s); });
    });
    const mine = await makeSession(g, { person: 'city:ws', sub: 'ws', login: 'ws' });
    const a = await open(`Cookie: ${mine.cookie}\r\n`);
    const b = await open(cookie());
    const c = await open(`Authorization: Bearer ${makeToken(g.key, claims('c', ['staff'], { exp: Date.now() / 1000 - 26 }))}\r\n`);
    for (const s of [a, b, c]) {
      assert.match(s.text, /^HTTP\/1\.1 101/);
      s.write('ping');
      await until('an echo', () => /ping$/.test(s.text));
    }
    await endSession(g, mine);
    await until('the socket of the ended session is cut', () => a.gone, 6000);
    await until('the socket of the expired token is cut', () => c.gone, 10000);
    assert.ok(!b.gone, 'another session goes on');
    b.write('more');
    await until('an echo', () => /more$/.test(b.text));
    b.destroy();
    inv.alive();
    inv.mark();
    /* another site's page cannot open one, and without a session there is none */
    inv.refused(await raw('/ws/x', `Cookie: ${person.cookie}\r\nOrigin: https://evil.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AA==\r\n`), 403);
    inv.refused(await raw('/ws/x', 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AA==\r\n'), 401);
  });

  test('E108 NTLM and Negotiate are not offered on shared connections', async () => {
    for (const scheme of ['NTLM', 'Negotiate', 'negotiate oYG', 'Basic realm="x", NTLM']) {
      upstream.next = () => ({ status: 401, headers: { 'WWW-Authenticate': scheme }, body: 'x' });
      const r = await raw('/app/x', cookie());
      assert.equal(r.status, 401);
      assert.equal(r.headers['www-authenticate'], undefined);
    }
    upstream.next = () => ({ status: 401, headers: { 'WWW-Authenticate': 'Basic realm="x"' }, body: 'x' });
    assert.equal((await raw('/app/x', cookie())).headers['www-authenticate'], 'Basic realm="x"');
    inv.alive();
    inv.mark();
  });

  test('E109 what an upstream says to nginx or to the browser about other places', async () => {
    const answer = (headers, status = 200) => { upstream.next = () => ({ status, headers, body: 'body' }); };
    answer({ 'X-Accel-Redirect': '/inner/secret', 'X-Accel-Limit-Rate': '1' });
    let r = await raw('/accel/x', '');
    assert.equal(r.body, 'body');
    assert.equal(upstream.hits, inv.hits + 1);
    for (const k of Object.keys(r.headers)) assert.doesNotMatch(k, /x-accel/);
    upstream.next = (q) => (q.target === '/accel-on/x' ? { headers: { 'X-Accel-Redirect': '/inner/secret' }, body: '' } : { body: 'inner' });
    assert.equal((await raw('/accel-on/x', '')).body, 'inner', 'where it is wanted');
    for (const [location, stays] of [['//evil.test/', false], ['https://evil.test/', false], ['http:\\\\evil.test', false], ['/\\evil.test', false],
      ['javascript:alert(1)', false], ['data:text/html,x', false], ['https://localhost.evil.test/', false], ['https://localhost@evil.test/', false],
      ['/app/y', true], ['y?z=//evil.test', true], ['https://localhost/app/y', true], ['http://localhost:8080/y', true]]) {
      answer({ Location: location }, 302);
      r = await raw('/public/x', '');
      assert.equal(r.headers.location !== undefined, stays, location);
    }
    for (const [refresh, stays] of [['0; url=https://evil.test/', false], ['0;URL=//evil.test', false], ["5;url='//evil.test'", false], ['5', true], ['5; url=/app/', true]]) {
      answer({ Refresh: refresh });
      r = await raw('/public/x', '');
      assert.equal(r.headers.refresh !== undefined, stays, refresh);
    }
    answer({ Location: 'https://pay.example/' }, 302);
    assert.equal((await raw('/elsewhere/x', '')).headers.location, 'https://pay.example/');
    answer({ 'Clear-Site-Data': '"cookies"', 'Service-Worker-Allowed': '/', 'Set-Cookie': ['a=1; Path=/', '__Host-yimen=x; Path=/', 'yimen=1', ' __host-yimen-flow=1', '__Secure-yimen=1', 'yimenx=1'] });
    r = await raw('/public/x', '');
    assert.equal(r.headers['clear-site-data'], undefined);
    assert.equal(r.headers['service-worker-allowed'], undefined);
    assert.deepEqual(r.text.match(/^set-cookie: .*$/gim), ['Set-Cookie: a=1; Path=/', 'Set-Cookie: yimenx=1']);
    inv.alive();
    inv.mark();
  });

  test('E110 whoever shows the error page learns nothing of the person', async () => {
    let n = 0;
    upstream.next = () => (n++ % 2 === 0 ? { status: 418, body: '' } : { body: 'sorry' });
    for (const head of [cookie(), bearer(), `Cookie: app=1; ${person.cookie}; other=2\r\nAuthorization: Bearer ${g.tokens.staff}\r\n`]) {
      const r = await raw('/errors/x', head);
      assert.equal(r.body, 'sorry');
      inv.identified(upstream.last, {});
      assert.equal(upstream.last.headers['x-remote-user'], undefined);
      assert.doesNotMatch(upstream.last.raw, /yimen=|eyJ/);
    }
    inv.mark();
    upstream.next = undefined;
    const r = await raw('/forbidden/x', `${cookie()}Accept: ${NAVIGATION.accept}\r\nSec-Fetch-Mode: navigate\r\n`);
    assert.equal(r.status, 403);
    inv.identified(upstream.last, {});
    assert.doesNotMatch(upstream.last.raw, /yimen=/);
    inv.alive();
    inv.mark();
  });

  test('E111 HTTP/2: the same rules, and limits of its own', async () => {
    const h2 = `${keys.dir}/h2.sock`;
    const app = (more, authority) => headers(1, block(request('/app/x', [['cookie', person.cookie], ...more], authority)));
    const ok = async () => {
      const r = await talk(h2, [app([['x-remote-user', 'root'], ['x_remote_user', 'root'], ['x-forwarded-for', 'evil.test'], ['connection-x', 'y']])]);
      assert.equal(r.status[1], 200);
      inv.passed({ status: 200, body: '' }, MEI);
      assert.doesNotMatch(upstream.last.raw, /evil|root|yimen=/);
    };
    await ok();
    const none = async (frames, statuses = [400], options = {}) => {
      const r = await talk(h2, frames, options);
      const status = r.status[1];
      assert.ok(status === undefined ? (r.closed || r.goaway !== null || Object.keys(r.reset).length > 0) : statuses.includes(status), JSON.stringify(r));
      assert.equal(upstream.hits, inv.hits, 'I1');
      inv.alive();
    };
    await none([app([['host', 'evil.test']])]);
    await none([headers(1, block([[':method', 'GET'], [':scheme', 'http'], [':path', '/app/x'], [':authority', 'localhost'], [':authority', 'evil.test']]))]);
    await none([app([], 'h@e')]);
    await none([app([['X-Remote-User', 'root']])]);
    await none([app([['x-a', 'b\r\nx-remote-user: root']])]);
    await none([app([['x-a\r\nx-remote-user', 'root']])]);
    await none([app([[':path', '/admin']])]);
    await none([headers(1, block(request('/app/..;/x', [['cookie', person.cookie]])))]);
    await none([headers(1, block(request('/app/%2e%2e/x', [['cookie', person.cookie]])))]);
    for (const name of ['connection', 'transfer-encoding', 'upgrade']) {
      const r = await talk(h2, [app([[name, name === 'connection' ? 'x-remote-user' : 'h2c']])]);
      assert.ok([200, 400, 501].includes(r.status[1]) || r.reset[1] !== undefined || r.goaway !== null, JSON.stringify(r));
      if (r.status[1] === 200) inv.passed({ status: 200, body: '' }, MEI);
    }
    await none([headers(1, block(request('/app/x', Array.from({ length: 1001 }, (_, i) => [`x-${i}`, 'y']))))], [400, 401, 431]);
    /* CONTINUATION without end */
    await none([headers(1, block(request('/app/x')), 1), ...Array.from({ length: 2000 }, () => frame(TYPE.CONTINUATION, 0, 1, Buffer.concat(Array.from({ length: 20 }, () => field('x-a', 'b'.repeat(100))))))], [400, 401, 431]);
    /* one large field, put into the table and named thousands of times */
    await none([headers(1, Buffer.concat([block(request('/app/x')), field('x-bomb', 'b'.repeat(3900), true), ...Array.from({ length: 8000 }, () => indexed(62))]))], [400, 401, 431]);
    /* rapid reset (CVE-2023-44487) */
    await inv.undisturbed(async () => {
      const flood = [];
      for (let i = 0; i < 3000; i++) flood.push(headers(1 + 2 * i, block(request('/app/x'))), frame(TYPE.RST_STREAM, 0, 1 + 2 * i, Buffer.from([0, 0, 0, 8])));
      await talk(h2, flood, { streams: 3000, ms: 2000 });
    }, { floor: 500, rounds: 3 });
    inv.mark();
    await ok();
  });

  test('E112 the signed identity: for one application, for a minute, by published keys', async () => {
    inv.passed(await raw('/jwt/x', cookie() + lines(SPOOFED)), {});
    const token = upstream.last.headers.authorization.replace(/^Bearer /, '');
    inv.secret(token);
    const [h, c] = token.split('.').slice(0, 2).map((p) => JSON.parse(Buffer.from(p, 'base64url')));
    assert.equal(h.alg, 'ES256');
    assert.deepEqual([c.aud, c.iss, c.sub, c.preferred_username, c.name, c.roles], ['app-one', PUBLIC_URL, 'city:mei', 'mei', '王 梅', ['staff']]);
    assert.equal(c.exp - c.iat, 60);
    assert.match(c.jti, /^[0-9a-f]{32}$/);

    const jwks = (await g.nginx.request('GET', '/.well-known/jwks.json')).json;
    assert.equal(jwks.keys.length, 2, 'the next key is known before it signs');
    for (const k of jwks.keys) assert.deepEqual(Object.keys(k).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
    assert.equal(h.kid, jwks.keys[0].kid);
    const at = token.lastIndexOf('.');
    const key = crypto.createPublicKey({ key: jwks.keys[0], format: 'jwk' });
    assert.ok(crypto.verify('sha256', Buffer.from(token.slice(0, at)), { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(token.slice(at + 1), 'base64url')));

    inv.passed(await raw('/jwt/x', cookie()), {});
    assert.equal(upstream.last.headers.authorization, `Bearer ${token}`, 'signed once, used again');
    inv.passed(await raw('/jwt2/x', cookie()), { 'X-App-Token': upstream.last.headers['x-app-token'] ?? upstream.last.list.find(([k]) => k === 'X-App-Token')[1] });
    const other = inv.secret(upstream.last.headers['x-app-token']);
    assert.equal(JSON.parse(Buffer.from(other.split('.')[1], 'base64url')).aud, 'app-two');
    assert.equal(upstream.last.headers.authorization, undefined);

    /* presented to us, or to another application, it opens nothing */
    inv.refused(await raw('/app/x', `Authorization: Bearer ${token}\r\n`), 401);
    inv.refused(await raw('/jwt2/x', `Authorization: Bearer ${token}\r\n`), 401);
    inv.refused(await raw('/api/v1/me', `Authorization: Bearer ${token}\r\n`), 401);

    const t = await testNginx({ http: `yimen_catalog ${g.deploy.file};`, server: 'location / { yimen_identity jwt audience=yimen; }' });
    assert.match(t.text, /audience "yimen" is the gateway's own/);
  });

  test('E112 another person, another role: another token', async () => {
    const tokens = new Set();
    for (const who of [{}, { roles: 2 }, { person: 'city:bo', sub: 'bo', login: 'bo' }, { name: 'x' }]) {
      const s = await makeSession(g, who);
      inv.passed(await raw('/jwt/x', `Cookie: ${s.cookie}\r\n`), {});
      tokens.add(inv.secret(upstream.last.headers.authorization));
    }
    assert.equal(tokens.size, 4);
  });

  test('E113 Authorization that was shown to us goes no further; another scheme does where nothing replaces it', async () => {
    inv.passed(await raw('/app/x', bearer()), { 'X-Remote-User': 'mei', 'X-Groups-Of': 'staff' });
    assert.equal(upstream.last.headers.authorization, undefined);
    inv.passed(await raw('/app/x', `${cookie()}Authorization: Basic eDp5\r\n`), MEI);
    assert.equal(upstream.last.headers.authorization, 'Basic eDp5');
    inv.passed(await raw('/jwt/x', `${cookie()}Authorization: Basic eDp5\r\n`), {});
    assert.match(upstream.last.headers.authorization, /^Bearer eyJ/);
    inv.secret(upstream.last.headers.authorization);
    inv.refused(await raw('/app/x', `${cookie()}Authorization: Bearer garbage\r\n`), 401);
    inv.passed(await raw('/public/x', bearer()));
    assert.equal(upstream.last.headers.authorization, undefined, 'ours, although nobody asked who it is');
    inv.passed(await raw('/public/x', 'Authorization: Bearer own-token-of-the-application\r\n'));
    assert.equal(upstream.last.headers.authorization, 'Bearer own-token-of-the-application');
    /* Basic from the vault: i_replay */
  });

  test('E114 a body waits for the decision, and is neither lost nor sent before it', async () => {
    const fresh = await makeSession(g, { person: 'city:mei', sub: 'mei', login: 'mei', name: '王 梅' });
    const body = 'x'.repeat(60000);
    const head = (more) => `POST /app/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nOrigin: ${PUBLIC_URL}\r\n${more}`;
    const r = await rawRequest(g.nginx, `${head(`Cookie: ${fresh.cookie}\r\nContent-Length: 60000\r\n`)}\r\n${body}`);
    inv.passed(r, MEI);
    assert.equal(upstream.last.body, body);
    inv.refused(await rawRequest(g.nginx, `${head('Content-Length: 60000\r\n')}\r\n${body}`), 401);
    const again = await makeSession(g, { person: 'city:mei', sub: 'mei', login: 'mei', name: '王 梅' });
    const text = await new Promise((done) => {
      const s = net.connect(g.nginx.socket, () => s.write(`${head(`Cookie: ${again.cookie}\r\nContent-Length: 3\r\nExpect: 100-continue\r\n`)}\r\n`));
      let t = '';
      s.on('data', (d) => { t += d; if (/100 Continue/.test(t) && !s.sent) { s.sent = true; s.write('abc'); } });
      s.on('close', () => done(t));
      s.on('error', () => {});
    });
    assert.match(text, /100 Continue[^]*200 /);
    assert.equal(upstream.last.body, 'abc');
    inv.mark();
    const without = await rawRequest(g.nginx, `${head('Content-Length: 3\r\nExpect: 100-continue\r\n')}\r\n`);
    assert.doesNotMatch(without.text, /100 Continue/);
    inv.refused(without, 401);
    inv.refused(await rawRequest(g.nginx, `${head(`${cookie()}Content-Length: 70000\r\n`)}\r\n${body}`), 413, { nginx: true });
  });

  test('a site may let one name through for one application, never one of ours', async () => {
    inv.passed(await raw('/mine/x', `${cookie()}X-Auth-User: root\r\nX-Remote-User: root\r\n`), {});
    await raw('/mine/x', `${cookie()}X-Auth-Token: app-own-token\r\n`);
    assert.equal(upstream.last.headers['x-auth-token'], 'app-own-token');
    inv.mark();
  });

  test('our cookies stay with us, the others arrive as they were', async () => {
    for (const [sent, got] of [['a=1; {}; b=2', 'a=1; b=2'], ['{}', undefined], ['{};a=1', 'a=1'], ['a=1;{}', 'a=1'], ['__Host-yimen-flow=1; a="x y"; {}', 'a="x y"'],
      ['; ; {}; =; x', '=; x'], ['yimen=1; yimenx=2; {}', 'yimenx=2'], ['__HOST-YIMEN=1; {}', undefined]]) {
      const r = await raw('/app/x', `Cookie: ${sent.replace('{}', person.cookie)}\r\n`);
      inv.passed(r, MEI);
      assert.equal(upstream.last.headers.cookie, got, sent);
    }
    await raw('/app/x', `Cookie: a=1\r\n${cookie()}Cookie: b=2\r\n`);
    assert.deepEqual(upstream.last.list.filter(([k]) => /^cookie$/i.test(k)).map(([, v]) => v), ['a=1', 'b=2']);
    inv.mark();
    assert.ok(parseMessage(upstream.last.raw));
    await sleep(0);
  });
});
