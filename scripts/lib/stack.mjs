// SPDX-License-Identifier: Apache-2.0
// Starts and stops one stack; see scripts/stack. Every process is remembered by pid in stack.json
// and stopped by pid; nothing listens outside loopback.
import { spawn, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';

const top = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const ROLES = ['staff', 'supervisor', 'operator', 'auditor', 'admin'];
const NAMES = { staff: '演示调解员', supervisor: '演示主管', operator: '演示运维', auditor: '演示审计员', admin: '演示管理员' };
const PARTS = ['redis', 'lab', 'nginx', 'dispatcher'];

function options(argv) {
  const o = { verb: argv[0], part: undefined, dir: join(top, '.run'), build: join(top, 'build'), sql: 'mariadb' };
  for (let i = 1; i < argv.length; i++) {
    if (argv[i] === '--dir') o.dir = resolve(argv[++i]);
    else if (argv[i] === '--build') o.build = resolve(argv[++i]);
    else if (argv[i] === '--sql') o.sql = argv[++i];
    else if (argv[i] === '--systems') o.systems = argv[++i];
    else if (argv[i] === '--adapters') o.adapters = resolve(argv[++i]);
    else if (argv[i] === '--settings') o.settings = Object.fromEntries(argv[++i].split(',').map((x) => x.split('=')));
    else if (!o.part) o.part = argv[i];
    else throw new Error(`unknown argument ${argv[i]}`);
  }
  return o;
}

const alive = (pid) => {
  if (!pid) return false;
  try {
    process.kill(pid, 0);
    // A zombie still answers to signal 0.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

async function until(what, seconds, test) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await test();
    if (value) return value;
    if (Date.now() > end) throw new Error(`${what} did not become ready within ${seconds} s`);
    await sleep(25);
  }
}

function freePort() {
  return new Promise((done, fail) => {
    const s = createServer();
    s.once('error', fail);
    s.listen(0, '127.0.0.1', () => {
      const { port } = s.address();
      s.close(() => done(port));
    });
  });
}

function start(name, command, args, { dir, env }) {
  const log = openSync(join(dir, 'log', `${name}.log`), 'a');
  const child = spawn(command, args, { detached: true, stdio: ['ignore', log, log], env: { ...process.env, ...env }, cwd: top });
  child.unref();
  return new Promise((done, fail) => {
    child.once('error', fail);
    child.once('spawn', () => done(child.pid));
  });
}

function tail(dir, name) {
  try {
    return readFileSync(join(dir, 'log', `${name}.log`), 'utf8').split('\n').slice(-20).join('\n');
  } catch {
    return '';
  }
}

const run = (stack, tool, ...args) => execFileSync(join(stack.build, tool), args, { encoding: 'utf8', cwd: top });

/* YAML of the strict subset: every scalar quoted. */
function yaml(value, indent = '') {
  if (value === null || typeof value !== 'object') return ` ${JSON.stringify(String(value))}\n`;
  const rows = Object.entries(value).filter(([, v]) => v !== undefined);
  if (rows.length === 0) return ' {}\n';
  return `\n${rows.map(([k, v]) => `${indent}${k}:${Array.isArray(v) ? ` [${v.map((x) => JSON.stringify(String(x))).join(', ')}]\n` : yaml(v, `${indent}  `)}`).join('')}`;
}

const parts = {
  async redis(s) {
    const pid = await start('redis', 'redis-server', [join(top, 'config/redis.conf'), '--port', '0', '--unixsocket', s.redis_socket,
      '--dir', join(s.dir, 'redis'), '--daemonize', 'no', '--pidfile', join(s.dir, 'redis.pid')], s);
    await until(`redis (${tail(s.dir, 'redis')})`, 20, () => {
      try {
        return execFileSync('redis-cli', ['-s', s.redis_socket, 'ping'], { encoding: 'utf8', stdio: 'pipe' }).trim() === 'PONG';
      } catch {
        if (!alive(pid)) throw new Error(`redis ended:\n${tail(s.dir, 'redis')}`);
        return false;
      }
    });
    return pid;
  },

  async lab(s) {
    rmSync(join(s.dir, 'lab', 'lab.json'), { force: true });
    const args = [join(top, 'tests/lab/lab.mjs'), '--dir', join(s.dir, 'lab'), '--sql', s.sql];
    if (s.systems) args.push('--systems', s.systems);
    const pid = await start('lab', process.execPath, args, s);
    await until('the lab', 60, () => {
      if (!alive(pid)) throw new Error(`the lab ended:\n${tail(s.dir, 'lab')}`);
      return existsSync(join(s.dir, 'lab', 'lab.json'));
    });
    const lab = JSON.parse(readFileSync(join(s.dir, 'lab', 'lab.json'), 'utf8'));
    s.lab_url = lab.control_url;
    writeSites(s, lab);
    return pid;
  },

  async nginx(s) {
    writeFileSync(join(s.dir, 'conf', 'nginx.conf'), nginxConf(s));
    const pid = await start('nginx', 'nginx', ['-p', s.dir, '-c', join(s.dir, 'conf', 'nginx.conf'), '-e', join(s.dir, 'log', 'nginx-error.log'), '-g', 'daemon off;'], s);
    await until('nginx', 20, async () => {
      if (!alive(pid)) throw new Error(`nginx ended:\n${tail(s.dir, 'nginx')}${tail(s.dir, 'nginx-error')}`);
      return fetch(`${s.base_url}/healthz`).then((r) => r.ok, () => false);
    });
    return pid;
  },

  async dispatcher(s) {
    const ready = join(s.dir, 'state', 'dispatcher.ready');
    rmSync(ready, { force: true });
    const pid = await start('dispatcher', join(s.build, 'yimen-dispatcher'), ['--config', s.config], s);
    await until('the dispatcher', 20, () => {
      if (!alive(pid)) throw new Error(`the dispatcher ended:\n${tail(s.dir, 'dispatcher')}`);
      return existsSync(ready);
    });
    return pid;
  },
};

/* One site file per simulated platform: where it lives and with which secrets (as files, mode 0600). */
function writeSites(s, lab) {
  const secrets = join(s.dir, 'secrets');
  mkdirSync(secrets, { recursive: true, mode: 0o700 });
  for (const [id, site] of Object.entries(lab.systems)) {
    const references = {};
    for (const [name, value] of Object.entries(site.secrets ?? {})) {
      const file = join(secrets, `${id}.${name}`);
      writeFileSync(file, String(value), { mode: 0o600 });
      references[name] = `file:${file}`;
    }
    const text = yaml({ enabled: 'true', endpoint: site.endpoint, secrets: Object.keys(references).length ? references : undefined,
      settings: site.transport === 'handoff' ? undefined : s.settings, connection: site.connection, vars: site.vars });
    writeFileSync(join(s.dir, 'conf', 'systems', `${id}.yaml`), text.replace(/^\n/, ''));
  }
}

function writeConfig(s) {
  run(s, 'yimen', 'keys', 'new', join(s.dir, 'keys'));
  run(s, 'yimen', 'keys', 'ring', join(s.dir, 'keys/ring.json'));
  const text = yaml({
    redis: `unix:${s.redis_socket}`, shards: '2',
    types_dir: join(top, 'config/types'), codes_dir: join(top, 'config/codes'), crosswalks_dir: join(top, 'config/crosswalks'),
    systems_dir: s.adapters ?? join(top, 'adapters/systems'), sites_dir: join(s.dir, 'conf/systems'), state_dir: join(s.dir, 'state'),
    auth: {
      jwks: join(s.dir, 'keys/jwks.json'), issuer: 'https://yimen.test', audience: 'yimen', algorithms: ['ES256'],
      public_url: s.base_url, ring: `file:${join(s.dir, 'keys/ring.json')}`,
      session: { idle: '30m', absolute: '12h' }, local: { enabled: 'true' },
    },
  });
  writeFileSync(s.config, text.replace(/^\n/, ''));
}

function nginxConf(s) {
  const files = join(s.build, 'portal');
  const portal = existsSync(join(files, 'index.html')) ? `        root ${files};\n        include ${join(top, 'config/snippets/portal.conf')};\n` : '';
  const user = process.getuid() === 0 ? 'user root;\n' : '';
  return `${user}load_module ${join(s.build, 'nginx/ngx_http_yimen_module.so')};
worker_processes ${s.workers ?? 2};
pid ${join(s.dir, 'nginx.pid')};
error_log ${join(s.dir, 'log/nginx-error.log')} notice;
events { worker_connections 1024; }
http {
    include /etc/nginx/mime.types;
    access_log off;
    client_body_temp_path ${join(s.dir, 'nginx/body')};
    proxy_temp_path ${join(s.dir, 'nginx/proxy')};
    fastcgi_temp_path ${join(s.dir, 'nginx/fastcgi')};
    uwsgi_temp_path ${join(s.dir, 'nginx/uwsgi')};
    scgi_temp_path ${join(s.dir, 'nginx/scgi')};
    yimen_catalog ${s.config};
    server {
        listen 127.0.0.1:${s.port};
        include ${join(top, 'config/snippets/api.conf')};
        include ${join(top, 'config/snippets/door.conf')};
${portal}    }
}
`;
}

/* One person of each role, with a password of this stack alone. */
/* The console shows what the adapters' tests said, good or bad: a copy without their data starts as well. */
function recordTests(s) {
  try {
    run(s, 'yimen', 'test', '--record', '--config', s.config);
  } catch (error) {
    if (error.status !== 1) throw error;
  }
}

function makePeople(s) {
  s.accounts = {};
  for (const role of ROLES) {
    const password = randomBytes(9).toString('base64url');
    execFileSync(join(s.build, 'yimen'), ['user', 'add', `demo-${role}`, '--roles', role, '--name', NAMES[role], '--area', '330106',
      '--org', 'demo-committee', '--config', s.config], { input: `${password}\n`, stdio: ['pipe', 'ignore', 'pipe'], cwd: top });
    s.accounts[role] = { login: `demo-${role}`, password };
  }
}

async function up(o) {
  const file = join(o.dir, 'stack.json');
  if (existsSync(file) && Object.values(JSON.parse(readFileSync(file, 'utf8')).pids ?? {}).some(alive)) {
    throw new Error(`a stack is already running in ${o.dir}: scripts/stack down --dir ${o.dir}`);
  }
  rmSync(o.dir, { recursive: true, force: true });
  for (const d of ['log', 'redis', 'lab', 'nginx', 'state', 'conf/systems', 'keys']) mkdirSync(join(o.dir, d), { recursive: true });
  const port = await freePort();
  const s = { dir: o.dir, build: o.build, sql: o.sql, systems: o.systems, settings: o.settings,
    adapters: o.adapters, port, base_url: `http://127.0.0.1:${port}`, lab_url: undefined,
    redis: `unix:${join(o.dir, 'redis.sock')}`, redis_socket: join(o.dir, 'redis.sock'), config: join(o.dir, 'conf/yimen.yaml'), pids: {} };
  const save = () => writeFileSync(file, JSON.stringify(s, null, 2), { mode: 0o600 });
  try {
    writeConfig(s);
    [s.pids.redis, s.pids.lab] = await Promise.all([parts.redis(s), parts.lab(s)]);
    save();
    run(s, 'yimen', 'store', 'load', '--config', s.config);
    recordTests(s);
    makePeople(s);
    s.pids.nginx = await parts.nginx(s);
    s.pids.dispatcher = await parts.dispatcher(s);
    for (const role of ROLES) {
      s[`${role}_token`] = run(s, 'yimen', 'token', '--sub', `demo-${role}`, '--role', role, '--area', '330106', '--org', 'demo-committee',
        '--iss', 'https://yimen.test', '--aud', 'yimen', '--ttl', '24h', '--key', join(s.dir, 'keys/key.pem')).trim();
    }
    save();
  } catch (error) {
    save();
    await down(o);
    throw error;
  }
  return s;
}

const children = (pid) => {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/).filter(Boolean).map(Number);
  } catch {
    return [];
  }
};

// Signals are tried in turn; the last resort takes the process and its children, so that no worker
// is left which still has the port. SIGKILL alone plays a crash: children are left to themselves.
async function stop(pid, ...signals) {
  const kids = signals[0] === 'SIGKILL' ? [] : children(pid);
  for (const signal of signals) {
    if (!alive(pid)) break;
    process.kill(pid, signal);
    await until(`the end of process ${pid}`, 15, () => !alive(pid)).catch(() => {});
  }
  for (const one of [pid, ...kids]) {
    if (alive(one)) process.kill(one, 'SIGKILL');
  }
  await until(`the end of process ${pid}`, 15, () => ![pid, ...kids].some(alive));
}

async function down(o) {
  const file = join(o.dir, 'stack.json');
  if (!existsSync(file)) return;
  const s = JSON.parse(readFileSync(file, 'utf8'));
  for (const part of ['dispatcher', 'nginx', 'lab', 'redis']) {
    await stop(s.pids?.[part], ...(part === 'nginx' ? ['SIGQUIT', 'SIGTERM'] : ['SIGTERM']));
  }
  s.pids = {};
  writeFileSync(file, JSON.stringify(s, null, 2), { mode: 0o600 });
}

async function restart(o) {
  if (!PARTS.includes(o.part)) throw new Error(`restart one of: ${PARTS.join(', ')}`);
  const file = join(o.dir, 'stack.json');
  const s = JSON.parse(readFileSync(file, 'utf8'));
  // As if it had crashed; but a master of nginx that is killed would leave its workers, and their port.
  await stop(s.pids[o.part], o.part === 'nginx' ? 'SIGTERM' : 'SIGKILL');
  s.pids[o.part] = await parts[o.part](s);
  writeFileSync(file, JSON.stringify(s, null, 2), { mode: 0o600 });
}

function status(o) {
  const s = JSON.parse(readFileSync(join(o.dir, 'stack.json'), 'utf8'));
  for (const part of PARTS) console.log(`${part.padEnd(12)} ${alive(s.pids[part]) ? `running, pid ${s.pids[part]}` : 'stopped'}`);
  console.log(`${'base_url'.padEnd(12)} ${s.base_url}\n${'lab_url'.padEnd(12)} ${s.lab_url}`);
  return PARTS.every((part) => alive(s.pids[part]));
}

const o = options(process.argv.slice(2));
try {
  if (o.verb === 'up') {
    const s = await up(o);
    console.log(`stack in ${s.dir}: ${s.base_url}, lab ${s.lab_url}`);
  } else if (o.verb === 'down') await down(o);
  else if (o.verb === 'restart') await restart(o);
  else if (o.verb === 'status') process.exitCode = status(o) ? 0 : 1;
  else throw new Error('usage: scripts/stack up|down|status|restart PART [--dir DIR] [--build DIR] [--sql mariadb|postgres] [--systems a,b] [--settings timeout=2s,…] [--adapters DIR]');
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
