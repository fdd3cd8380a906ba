/* SPDX-License-Identifier: Apache-2.0
 * LemonLDAP::NG from Debian's packages as an OpenID provider on loopback: a configuration, sessions
 * and processes of its own in a temporary folder; the system's /etc and services stay untouched.
 */
import { execFileSync, spawn } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { Nginx, until } from '../lib/nginx.mjs';

const SERVER = '/usr/sbin/llng-fastcgi-server';
const PORTAL = '/usr/share/lemonldap-ng/portal';

/* A TCP port for something that listens on a unix socket; the system hands the port out. */
export async function door(socket, host) {
  const server = http.createServer((req, res) => {
    const up = http.request({ socketPath: socket(), method: req.method, path: req.url, headers: { ...req.headers, ...(host ? { host } : {}) } }, (r) => {
      res.writeHead(r.statusCode, r.rawHeaders);
      r.pipe(res);
    });
    up.on('error', () => res.destroy());
    req.pipe(up);
  });
  await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
  return server;
}

const pem = () => {
  const pair = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }), pub: pair.publicKey.export({ type: 'spki', format: 'pem' }) };
};

function configuration(dir, base, rp) {
  const { key, pub } = pem();
  const file = (name) => ({ Directory: `${dir}/${name}`, LockDirectory: `${dir}/${name}/lock`, generateModule: 'Lemonldap::NG::Common::Apache::Session::Generate::SHA256' });
  const o = Object.fromEntries(Object.entries(rp.options).map(([k, v]) => [`oidcRPMetaDataOptions${k}`, v]));
  return {
    cfgNum: 1, cfgAuthor: 'test', cfgDate: Math.floor(Date.now() / 1000), domain: 'probe.test', portal: base, securedCookie: 0, key: crypto.randomBytes(16).toString('hex'),
    authentication: 'Demo', userDB: 'Same', passwordDB: 'Demo', registerDB: 'Null', timeout: 72000, requireToken: 0, bruteForceProtection: 0,
    demoExportedVars: { cn: 'cn', mail: 'mail', uid: 'uid' }, exportedVars: {}, locationRules: {}, portalDisplayRegister: 0, portalDisplayResetPassword: 0, portalCheckLogins: 0,
    portalMainLogo: 'common/logos/logo_llng_400px.png', portalSkin: 'bootstrap', notification: 0, reloadUrls: {}, whatToTrace: '_whatToTrace', macros: { _whatToTrace: '$_auth eq "SAML" ? "$_user\\@$_idpConfKey" : "$_user"' },
    globalStorage: 'Apache::Session::File', globalStorageOptions: file('sessions'), persistentStorage: 'Apache::Session::File', persistentStorageOptions: file('psessions'),
    localSessionStorage: 'Cache::FileCache', localSessionStorageOptions: { namespace: 'llng', default_expires_in: 600, directory_umask: '007', cache_root: `${dir}/cache`, cache_depth: 3 },
    issuerDBOpenIDConnectActivation: 1, issuerDBOpenIDConnectPath: '^/oauth2/', issuerDBOpenIDConnectRule: 1, oidcServiceMetaDataIssuer: base,
    oidcServicePrivateKeySig: key, oidcServicePublicKeySig: pub, oidcServiceKeyIdSig: 'llng1', oidcServiceAllowAuthorizationCodeFlow: 1,
    oidcRPMetaDataOptions: { yimen: o }, oidcRPMetaDataExportedVars: { yimen: rp.vars }, oidcRPMetaDataOptionsExtraClaims: { yimen: rp.claims ?? {} },
  };
}

/* rp: {options, vars, claims} of the one client, or a function of the issuer. Stops by stop(). */
export async function startLemon(rp) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'yimen-llng-'));
  for (const d of ['conf', 'sessions/lock', 'psessions/lock', 'cache', 'log']) fs.mkdirSync(path.join(dir, d), { recursive: true });
  const socket = `${dir}/llng.sock`;
  const nginx = new Nginx({
    http: `include /etc/nginx/mime.types;`,
    server: `
      root ${PORTAL}/htdocs/;
      if ($uri !~ ^/((static|javascript|favicon).*|.*\\.psgi)) { rewrite ^/(.*)$ /index.psgi/$1 break; }
      location ~ ^(?<sc>/.*\\.psgi)(?:$|/) {
        include /etc/nginx/fastcgi_params;
        fastcgi_pass unix:${socket};
        fastcgi_param HTTP_HOST $http_host;
        fastcgi_param LLTYPE psgi;
        fastcgi_param SCRIPT_FILENAME $document_root$sc;
        fastcgi_param SERVER_NAME 127.0.0.1;
        fastcgi_param SERVER_PORT $lemon_port;
        fastcgi_param REMOTE_ADDR 127.0.0.1;
        fastcgi_split_path_info ^(.*\\.psgi)(/.*)$;
        fastcgi_param PATH_INFO $fastcgi_path_info;
      }
      location /static/ { alias ${PORTAL}/htdocs/static/; }
      location / { return 404; }`,
    allow: [/connect\(\) .* failed/],
  });
  const entry = await door(() => nginx.socket);
  const port = entry.address().port;
  const base = `http://127.0.0.1:${port}/`;
  nginx.write({ server: nginx.options.server.replace('$lemon_port', String(port)) });

  const client = typeof rp === 'function' ? rp(base) : rp;
  fs.writeFileSync(`${dir}/conf/lmConf-1.json`, JSON.stringify(configuration(dir, base, client)));
  fs.writeFileSync(`${dir}/ll.ini`, `[all]
logLevel = notice
logger = Lemonldap::NG::Common::Logger::Std
[configuration]
type=File
dirName=${dir}/conf
localStorage=Cache::FileCache
localStorageOptions={'namespace'=>'conf','default_expires_in'=>600,'directory_umask'=>'007','cache_root'=>'${dir}/cache','cache_depth'=>3}
[portal]
staticPrefix=/static
templateDir=${PORTAL}/templates
languages=en
[handler]
status=0
`);
  const log = fs.openSync(`${dir}/log/llng.log`, 'w');
  const args = ['-p', `${dir}/llng.pid`, '-s', socket, '-n', '2', '--foreground'];
  if (process.getuid() === 0) { /* it refuses to be root; www-data is in every Debian */
    execFileSync('chown', ['-R', 'www-data:www-data', dir]);
    args.push('-u', 'www-data', '-g', 'www-data');
  }
  const child = spawn(SERVER, args, { env: { ...process.env, LLNG_DEFAULTCONFFILE: `${dir}/ll.ini` }, stdio: ['ignore', log, log] });
  const gone = new Promise((done) => { child.on('exit', done); child.on('error', done); });
  const said = () => fs.readFileSync(`${dir}/log/llng.log`, 'utf8').split('\n').slice(-30).join('\n');
  const stop = async () => {
    child.kill('SIGTERM');
    await gone;
    entry.closeAllConnections();
    entry.close();
    await nginx.stop();
    fs.closeSync(log);
    fs.rmSync(dir, { recursive: true, force: true });
  };
  await nginx.start();
  try {
    await until('LemonLDAP::NG answers', async () => {
      if (child.exitCode !== null) throw new Error(`it ended\n${said()}`);
      const r = await fetch(`${base}.well-known/openid-configuration`).catch(() => null);
      return r?.status === 200 && (await r.json()).issuer === base;
    }, 30000);
  } catch (e) {
    await stop().catch(() => {});
    throw new Error(`${e.message}\n${fs.existsSync(dir) ? said() : ''}`);
  }
  return { issuer: base, dir, log: said, stop };
}
