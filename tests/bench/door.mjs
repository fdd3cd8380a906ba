// SPDX-License-Identifier: Apache-2.0
// The door's price: requests proxied to a keep-alive upstream, plain, behind a session cookie and
// behind an RS256 bearer token, and the same behind Debian's Apache with mod_auth_openidc.  One nginx
// worker, Apache on one core, 64 connections, all in one run.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { Browser } from '../lib/browser.mjs';
import { HostileOp } from '../attacks/hostile_op.mjs';
import { LOCATIONS, startGateway, withSessions } from '../lib/gateway.mjs';
import { Nginx, until } from '../lib/nginx.mjs';
import { makeSession } from '../lib/session.mjs';
import { makeKey } from '../lib/tokens.mjs';
import { freePort, makeDir } from '../peers/peer.mjs';

const MODULES = '/usr/lib/apache2/modules';
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

/* Requests a second; every answer must be the upstream's. */
function load(url, seconds, headers = {}) {
  const given = Object.entries(headers).flatMap(([k, v]) => ['-H', `${k}: ${v}`]);
  const text = execFileSync('wrk', ['-t1', '-c64', `-d${seconds}s`, '--timeout', '10s', ...given, url], { encoding: 'utf8' });
  if (/Non-2xx|Socket errors/.test(text)) throw new Error(`${url}: ${text}`);
  return { rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)[1]), requests: Number(/(\d+) requests in/.exec(text)[1]) };
}

/* Processor time of one process, µs. */
function spent(pid) {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10000;
}

const keepAlive = (up) => `upstream up { server 127.0.0.1:${up}; keepalive 128; keepalive_requests 100000000; } keepalive_timeout 600s;`;
const TO = 'proxy_pass http://up/; proxy_http_version 1.1; proxy_set_header Connection "";';

async function startDoor(up) {
  const port = await freePort();
  const g = await startGateway({
    deploy: { keys: [makeKey('RS256')], auth: withSessions() },
    nginx: {
      level: 'warn', http: keepAlive(up),
      server: `listen 127.0.0.1:${port} backlog=4096; ${LOCATIONS}
        location /plain/ { ${TO} }
        location /app/ { yimen_auth on; yimen_require role=staff; yimen_identity headers; ${TO} }`,
    },
  });
  const session = await makeSession(g, {}, { idle: 3600000 });
  return {
    g, url: `http://127.0.0.1:${port}`, cookie: session.headers,
    bearer: { Authorization: `Bearer ${g.tokens.staff}` }, pid: () => g.nginx.workers()[0],
  };
}

function writeApache(dir, port, up, issuer) {
  const load = ['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'proxy', 'proxy_http', 'auth_openidc']
    .map((m) => `LoadModule ${m}_module ${MODULES}/mod_${m}.so`).join('\n');
  fs.writeFileSync(path.join(dir, 'apache.conf'), `
${load}
ServerName 127.0.0.1
ServerRoot ${dir}
Listen 127.0.0.1:${port}
PidFile ${dir}/pid
ErrorLog ${dir}/error.log
LogLevel warn
DefaultRuntimeDir ${dir}
Mutex file:${dir}
StartServers 1
ServerLimit 1
ThreadLimit 256
ThreadsPerChild 192
MaxRequestWorkers 192
MaxKeepAliveRequests 0
${process.getuid() === 0 ? 'User www-data\nGroup www-data' : ''}
OIDCProviderMetadataURL ${issuer}/.well-known/openid-configuration
OIDCClientID gw
OIDCClientSecret bench-secret
OIDCRedirectURI http://127.0.0.1:${port}/app/callback
OIDCCryptoPassphrase bench-passphrase-of-no-worth
OIDCPKCEMethod S256
OIDCSessionInactivityTimeout 3600
<Location /app/>
  AuthType openid-connect
  Require valid-user
  ProxyPass http://127.0.0.1:${up}/ enablereuse=on max=192
</Location>
`);
  if (process.getuid() === 0) {
    const [, uid, gid] = /^www-data:[^:]*:(\d+):(\d+)/m.exec(fs.readFileSync('/etc/passwd', 'utf8')).map(Number);
    fs.chownSync(dir, uid, gid);
    fs.chmodSync(dir, 0o755);
  }
}

async function startApache(up) {
  const op = await new HostileOp({ clientSecret: 'bench-secret' }).start();
  const dir = makeDir('bench-apache');
  const port = await freePort();
  writeApache(dir, port, up, op.issuer);
  /* one core, as one worker of nginx has */
  const child = spawn('taskset', ['-c', '0', '/usr/sbin/apache2', '-f', path.join(dir, 'apache.conf'), '-DFOREGROUND'], { stdio: 'inherit' });
  const origin = `http://127.0.0.1:${port}`;
  const stop = async () => {
    const gone = new Promise((done) => { child.once('exit', done); });
    if (child.exitCode === null && child.kill('SIGTERM')) await gone;
    await op.stop();
    fs.rmSync(dir, { recursive: true, force: true });
  };
  try {
    await until('Apache answers', () => fetch(origin).then(() => true, () => child.exitCode !== null), 20000);
    const b = new Browser(null);
    const last = await b.follow(await b.get(`${origin}/app/`));
    if (last.status !== 200) throw new Error(`sign-in at Apache: ${last.status} ${last.trail.join(' ')}\n${last.body}`);
    return { url: origin, cookie: { Cookie: b.header(origin, '/app/') }, stop };
  } catch (e) {
    await stop();
    throw e;
  }
}

/* Fills in cookie_vs_plain, bearer_vs_plain, check_auth_us and cookie_vs_mod_auth_openidc. */
export async function measureDoor(figures, { rounds, seconds, say }) {
  const up = await freePort();
  const upstream = await new Nginx({ level: 'warn', server: `listen 127.0.0.1:${up} backlog=4096; keepalive_timeout 600s; location / { return 200 "${'x'.repeat(1024)}"; }` }).start();
  const stops = [() => upstream.stop()];
  const all = { plain: [], cookie: [], bearer: [], apache: [], cost: [] };
  try {
    const door = await startDoor(up);
    stops.unshift(() => door.g.stop());
    const apache = await startApache(up);
    stops.unshift(() => apache.stop());
    const timed = (place, headers) => {
      const before = spent(door.pid());
      const r = load(`${door.url}${place}`, 1, headers);
      return { rate: r.rate, us: (spent(door.pid()) - before) / r.requests };
    };
    /* many short turns: what else the machine does falls on all of them */
    for (let i = 0; i < rounds * Math.ceil(seconds); i++) {
      const plain = timed('/plain/');
      const cookie = timed('/app/', door.cookie);
      const bearer = timed('/app/', door.bearer);
      const other = load(`${apache.url}/app/`, 1, apache.cookie);
      all.plain.push(plain.rate);
      all.cookie.push(cookie.rate);
      all.bearer.push(bearer.rate);
      all.apache.push(other.rate);
      all.cost.push(cookie.us - plain.us);
      say(`door round ${i + 1}: plain ${plain.rate.toFixed(0)}/s (${plain.us.toFixed(1)} µs), cookie ${cookie.rate.toFixed(0)}/s (${cookie.us.toFixed(1)} µs), bearer ${bearer.rate.toFixed(0)}/s (${bearer.us.toFixed(1)} µs), Apache ${other.rate.toFixed(0)}/s`);
    }
  } finally {
    for (const stop of stops) await stop();
  }
  const ratio = (a, b) => Number(median(a.map((x, i) => x / b[i])).toFixed(2));
  figures.plain_per_s = Math.round(median(all.plain));
  figures.cookie_vs_plain = ratio(all.cookie, all.plain);
  figures.bearer_vs_plain = ratio(all.bearer, all.plain);
  figures.check_auth_us = Number(median(all.cost).toFixed(2));
  figures.cookie_vs_mod_auth_openidc = ratio(all.cookie, all.apache);
}
