/* SPDX-License-Identifier: Apache-2.0
 * Two CAS clients that others wrote, unmodified from Debian, against our server: mod_auth_cas in
 * Apache and phpCAS. One sign-in, then each of them shows the person's name; the end of the session
 * ends theirs.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { PASSWORD } from '../lib/accounts.mjs';
import { CAS_LOCATIONS, startCas } from '../lib/cas.mjs';
import { sleep, until } from '../lib/nginx.mjs';
import { Server, freePort, makeDir } from './peer.mjs';

/* A browser that follows redirects, refreshes and our form, with a jar per host and port. */
class Person {
  constructor() { this.jar = new Map(); this.trail = []; }

  one(method, url, body, headers = {}) {
    const u = new URL(url);
    const jar = this.jar.get(u.host) ?? new Map();
    this.jar.set(u.host, jar);
    return new Promise((done, fail) => {
      const cookie = [...jar].map(([k, v]) => `${k}=${v}`).join('; ');
      const req = http.request(u, { method, headers: {
        accept: 'text/html', ...(cookie ? { cookie } : {}), ...headers,
        ...(body ? { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) } : {}),
      } }, (res) => {
        let text = '';
        res.setEncoding('utf8').on('data', (d) => { text += d; }).on('end', () => {
          for (const line of res.headers['set-cookie'] ?? []) {
            const [pair, ...rest] = line.split(';');
            const at = pair.indexOf('=');
            if (rest.some((a) => /^\s*max-age=0$/i.test(a))) jar.delete(pair.slice(0, at)); else jar.set(pair.slice(0, at), pair.slice(at + 1));
          }
          done({ url, status: res.statusCode, headers: res.headers, body: text });
        });
      });
      req.on('error', fail);
      req.end(body);
    });
  }

  async open(url, { method = 'GET', body, headers } = {}) {
    let r = await this.one(method, url, body, headers);
    for (let i = 0; i < 20; i++) {
      this.trail.push(`${r.status} ${r.url.replace(/ticket=[^&]*/, 'ticket=…')}`);
      const to = r.headers.location ?? /^0;url=(.*)$/.exec(r.headers.refresh ?? '')?.[1];
      if (!to) return r;
      r = await this.one('GET', new URL(to, r.url).href);
    }
    throw new Error(`no end:\n${this.trail.join('\n')}`);
  }

  /* Fills in the sign-in page that r is. */
  async signIn(r, name) {
    assert.match(r.body, /name="password"/, `no sign-in page:\n${this.trail.join('\n')}\n${r.body.slice(0, 600)}`);
    const form = {};
    for (const [tag] of r.body.matchAll(/<input type="hidden"[^>]*>/g)) {
      form[/name="([^"]*)"/.exec(tag)[1]] = /value="([^"]*)"/.exec(tag)[1].replaceAll('&quot;', '"').replaceAll('&amp;', '&');
    }
    const body = new URLSearchParams({ ...form, name, password: PASSWORD }).toString();
    return this.open(new URL('/auth/login', r.url).href, { method: 'POST', body, headers: { origin: new URL(r.url).origin } });
  }
}

const MODULES = '/usr/lib/apache2/modules';

function writeApache(dir, port, cas) {
  for (const d of ['htdocs/cas', 'cache']) fs.mkdirSync(path.join(dir, d), { recursive: true });
  fs.writeFileSync(path.join(dir, 'htdocs/cas/index.html'), 'the application\n');
  fs.writeFileSync(path.join(dir, 'mime.types'), 'text/html html\n');
  const load = ['mpm_prefork', 'authn_core', 'authz_core', 'authz_user', 'dir', 'mime', 'headers', 'auth_cas']
    .map((m) => `LoadModule ${m}_module ${MODULES}/mod_${m}.so`).join('\n');
  fs.writeFileSync(path.join(dir, 'apache.conf'), `
${load}
ServerName 127.0.0.1
ServerRoot ${dir}
Listen 127.0.0.1:${port}
PidFile ${dir}/pid
ErrorLog ${dir}/error.log
LogLevel info
DefaultRuntimeDir ${dir}
Mutex file:${dir}
StartServers 2
MinSpareServers 1
MaxSpareServers 2
${process.getuid() === 0 ? 'User www-data\nGroup www-data' : ''}
TypesConfig ${dir}/mime.types
DocumentRoot ${dir}/htdocs
DirectoryIndex index.html
CASVersion 2
CASLoginURL ${cas}/cas/login
CASValidateURL ${cas}/cas/p3/serviceValidate
CASCookiePath ${dir}/cache/
CASSSOEnabled On
CASRootProxiedAs http://127.0.0.1:${port}
<Location /cas>
  AuthType CAS
  Require valid-user
  CASAuthNHeader X-Cas-User
  CASScope /cas
  Header always set X-Seen-User "expr=%{req:X-Cas-User}"
</Location>
`);
  if (process.getuid() === 0) {
    const [uid, gid] = [fs.readFileSync('/etc/passwd', 'utf8').match(/^www-data:[^:]*:(\d+):(\d+)/m)].flatMap((m) => [Number(m[1]), Number(m[2])]);
    fs.chmodSync(dir, 0o755);
    for (const d of ['cache', '.']) fs.chownSync(path.join(dir, d), uid, gid);
  }
}

/* phpCAS 1.6 as its documentation says; sign-outs are taken from the gateway's address. */
function writePhp(dir, port, gateway) {
  fs.mkdirSync(path.join(dir, 'php/sessions'), { recursive: true });
  fs.writeFileSync(path.join(dir, 'php/index.php'), `<?php
require_once 'CAS.php';
phpCAS::client(CAS_VERSION_3_0, '127.0.0.1', ${gateway}, '/cas', 'http://127.0.0.1:${port}');
phpCAS::setServerLoginURL('http://127.0.0.1:${gateway}/cas/login?service=' . urlencode('http://127.0.0.1:${port}/php/'));
phpCAS::setServerServiceValidateURL('http://127.0.0.1:${gateway}/cas/p3/serviceValidate');
phpCAS::setFixedServiceURL('http://127.0.0.1:${port}/php/');
phpCAS::setNoCasServerValidation();
phpCAS::handleLogoutRequests(true, ['127.0.0.1']);
phpCAS::forceAuthentication();
echo 'user=', phpCAS::getUser(), ' name=', phpCAS::getAttribute('name'), ' roles=', json_encode(phpCAS::getAttribute('roles'));
`);
}

describe('CAS clients that others wrote', () => {
  let g, apache, php, gateway, ports;

  before(async () => {
    gateway = await freePort();
    ports = { apache: await freePort(), php: await freePort() };
    const own = `http://127.0.0.1:${gateway}`;
    g = await startCas([
      { id: 'apache', url: `http://127.0.0.1:${ports.apache}/cas`, match: 'prefix', logout: 'true' },
      { id: 'php', url: `http://127.0.0.1:${ports.php}/php/`, attributes: '[name, roles]', logout: 'true' },
    ], {
      auth: { public_url: own },
      nginx: { server: `listen 127.0.0.1:${gateway};\n${CAS_LOCATIONS}` },
    });
    apache = new Server(makeDir('apache'), ports.apache);
    php = new Server(makeDir('php'), ports.php);
    writeApache(apache.dir, ports.apache, own);
    writePhp(php.dir, ports.php, gateway);
    await apache.start('/usr/sbin/apache2', ['-f', path.join(apache.dir, 'apache.conf'), '-DFOREGROUND']);
    await php.start('/usr/bin/php', ['-d', `session.save_path=${php.dir}/php/sessions`, '-d', 'include_path=/usr/share/php',
      '-d', 'error_reporting=0', '-S', `127.0.0.1:${ports.php}`, '-t', php.dir, path.join(php.dir, 'php/index.php')], { env: { PHP_CLI_SERVER_WORKERS: '2' } });
  });

  after(async () => {
    await apache?.stop();
    await php?.stop();
    await g?.stop();
  });

  const atApache = () => `http://127.0.0.1:${ports.apache}/cas/`;
  const atPhp = () => `http://127.0.0.1:${ports.php}/php/`;
  const errors = () => fs.readFileSync(path.join(apache.dir, 'error.log'), 'utf8').slice(-2000);
  const why = (p) => `\n${p.trail.join('\n')}\n${apache.log()}${errors()}\n${php.log().slice(-1000)}`;

  test('one sign-in, and both show who it is; signing out of the gateway signs out of both', async () => {
    const p = new Person();
    const first = await p.signIn(await p.open(atApache()), 'limei');
    assert.equal(first.status, 200, why(p));
    assert.equal(first.body, 'the application\n', why(p));
    assert.equal(first.headers['x-seen-user'], 'limei');

    const second = await p.open(atPhp());
    assert.equal(second.body, 'user=limei name=李梅 roles=["staff","admin"]', why(p));

    /* both go on by their own sessions, without us */
    const before1 = p.trail.length;
    assert.equal((await p.open(atApache())).body, 'the application\n');
    assert.match((await p.open(atPhp())).body, /^user=limei/);
    assert.equal(p.trail.length, before1 + 2);

    await p.open(`http://127.0.0.1:${gateway}/cas/logout`);
    const heard = (who) => new RegExp(`event=cas.logout service=${who} status=\\d+`).exec(g.nginx.log())?.[0];
    await until('both have heard', () => heard('apache') && heard('php'), 8000).catch((e) => assert.fail(`${e.message}: ${g.nginx.log().match(/event=cas.*/g)}${why(p)}`));
    for (const url of [atApache(), atPhp()]) {
      const r = await p.open(url);
      assert.match(r.body, /name="password"/, `still inside ${url}${why(p)}`);
    }
  });

  test('H158 a poisoned Host does not move where phpCAS takes its ticket', async () => {
    const p = new Person();
    await p.signIn(await p.open(atPhp()), 'zhao');
    const q = new Person();
    const r = await q.one('GET', atPhp(), undefined, { host: 'evil.test', 'x-forwarded-host': 'evil.test' });
    assert.equal(r.status, 302);
    assert.equal(new URL(r.headers.location).searchParams.get('service'), atPhp());
    assert.doesNotMatch(r.headers.location, /evil/);
  });

  test('a ticket that was made up gets nobody in', async () => {
    for (const url of [atApache(), atPhp()]) {
      const p = new Person();
      const r = await p.one('GET', `${url}?ticket=ST-${'0'.repeat(48)}`);
      assert.doesNotMatch(r.body, /the application|user=/);
      assert.notEqual(r.headers['x-seen-user'], 'limei');
      await sleep(10);
    }
  });
});
