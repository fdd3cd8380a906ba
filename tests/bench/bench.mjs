// SPDX-License-Identifier: Apache-2.0
// `make bench`: Yimen against its own ceilings and its peers, all in one run on one machine, so that
// the ratios mean something where absolute figures do not. Writes build/bench.json and a table.
// BENCH_PARTS=check,accept,memory,deliver,door,peers runs some of it; a ratio is left out when its other side is.
// Peers come from npm into a scratch folder under build/; without network they are left out and said so.
import { spawn, execFileSync } from 'node:child_process';
import { createServer } from 'node:net';
import { cpSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '../lib/redis.mjs';
import { measureDoor } from './door.mjs';

const top = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const build = process.env.BUILD ?? join(top, 'build');
const seconds = Number(process.env.BENCH_SECONDS ?? 10);
const records = Number(process.env.BENCH_RECORDS ?? 5000);
const parts = (process.env.BENCH_PARTS ?? 'check,accept,memory,deliver,door,peers').split(',');
const dir = mkdtempSync(join(tmpdir(), 'yimen-bench-'));
const scratch = join(build, 'bench-peers');
const figures = {};
const children = [];

const run = (command, args, options = {}) => execFileSync(command, args, { encoding: 'utf8', maxBuffer: 64 << 20, stdio: ['ignore', 'pipe', 'inherit'], ...options });
const say = (text) => process.stderr.write(`bench: ${text}\n`);
const port = () => new Promise((done) => {
  const s = createServer().listen(0, '127.0.0.1', () => {
    const p = s.address().port;
    s.close(() => done(p));
  });
});

function start(name, command, args, options = {}) {
  const log = openSync(join(dir, `${name}.log`), 'a');
  const child = spawn(command, args, { stdio: ['ignore', options.pipe ? 'pipe' : log, log], ...options });
  children.push(child);
  return child;
}

async function stop(child, signal = 'SIGTERM') {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((done) => child.once('exit', done));
  child.kill(signal);
  await gone;
}

async function until(what, test, limit = 20) {
  for (const end = Date.now() + limit * 1000; Date.now() < end; await sleep(20)) {
    if (await test()) return;
  }
  throw new Error(`${what} did not become ready; logs in ${dir}`);
}

/* A Redis of its own for every case: same configuration, empty. */
async function redis(name) {
  const home = mkdtempSync(join(dir, `redis-${name}-`));
  const socket = join(home, 'redis.sock');
  const child = start(`redis-${name}`, 'redis-server', [join(top, 'config/redis.conf'), '--port', '0', '--unixsocket', socket, '--dir', home, '--daemonize', 'no', '--pidfile', join(home, 'pid'), '--maxmemory', '0']);
  const cli = (...args) => run('redis-cli', ['-s', socket, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
  await until('redis', () => {
    try {
      return cli('ping').trim() === 'PONG';
    } catch {
      return false;
    }
  });
  return { socket, cli, pid: child.pid, stop: () => stop(child) };
}

/* N systems alike: 25 fields, JSON over HTTP to the sink. */
function deployment(name, redisSocket, count, sink) {
  const home = mkdtempSync(join(dir, `${name}-`));
  mkdirSync(join(home, 'sites'));
  mkdirSync(join(home, 'state'));
  const table = readFileSync(join(top, 'tests/bench/bench-adapter.yaml'), 'utf8');
  for (let i = 0; i < count; i++) {
    const id = `bench-${String(i).padStart(2, '0')}`;
    mkdirSync(join(home, 'systems', id), { recursive: true });
    writeFileSync(join(home, 'systems', id, 'adapter.yaml'), table.replaceAll('SYSTEM', id));
    writeFileSync(join(home, 'sites', `${id}.yaml`), `enabled: true\nendpoint: "${sink}"\n`);
  }
  const keys = join(dir, 'keys');
  if (!existsSync(keys)) run(join(build, 'yimen'), ['keys', 'new', keys]);
  const config = join(home, 'yimen.yaml');
  writeFileSync(config, `redis: "unix:${redisSocket}"\nshards: 1\ntypes_dir: ${top}/config/types\ncodes_dir: ${top}/config/codes\ncrosswalks_dir: ${top}/config/crosswalks\nsystems_dir: systems\nsites_dir: sites\nstate_dir: state\nauth: { jwks: ${keys}/jwks.json, issuer: "https://yimen.test", audience: yimen, algorithms: [ES256] }\n`);
  return { home, config };
}

const token = () => run(join(build, 'yimen'), ['token', '--sub', 'bench', '--role', 'staff', '--area', '330106', '--org', 'bench', '--iss', 'https://yimen.test', '--aud', 'yimen', '--ttl', '24h', '--key', join(dir, 'keys/key.pem')]).trim();

async function nginx(name, http, server) {
  const home = mkdtempSync(join(dir, `nginx-${name}-`));
  const p = await port();
  writeFileSync(join(home, 'nginx.conf'), `${process.getuid() === 0 ? 'user root;' : ''}
load_module ${build}/nginx/ngx_http_yimen_module.so;
worker_processes 1; daemon off; pid ${home}/pid; error_log ${home}/error.log warn;
events { worker_connections 4096; }
http { access_log off; keepalive_requests 100000000; client_body_buffer_size 64k; client_body_temp_path ${home}/b; proxy_temp_path ${home}/p; fastcgi_temp_path ${home}/f; uwsgi_temp_path ${home}/u; scgi_temp_path ${home}/s; ${http}
server { listen 127.0.0.1:${p} reuseport backlog=4096; ${server} } }`);
  const child = start(`nginx-${name}`, 'nginx', ['-p', home, '-c', join(home, 'nginx.conf'), '-e', join(home, 'error.log')]);
  await until('nginx', () => fetch(`http://127.0.0.1:${p}/healthz`).then((r) => r.ok, () => false));
  return { url: `http://127.0.0.1:${p}`, pid: child.pid, stop: () => stop(child, 'SIGQUIT') };
}

function wrk(url, env) {
  const text = run('wrk', ['-t1', '-c64', `-d${seconds}s`, '--timeout', '10s', '-s', join(top, 'tests/bench/accept.lua'), url], { env: { ...process.env, ...env } });
  const [, rate, p99, failed] = /RESULT ([\d.]+) ([\d.]+) (\d+)/.exec(text);
  if (Number(failed) > 0) throw new Error(`${failed} requests failed:\n${text}`);
  return { rate: Number(rate), p99: Number(p99) };
}

const body = readFileSync(join(top, 'tests/data/dispute.json'), 'utf8');
const envelope = JSON.stringify({ at: '2026-01-01T00:00:00.000Z', by: 'bench', data: JSON.parse(body).data });

/* An id of today, as the store's indexes expect; redis-benchmark fills in twelve digits. */
function benchId() {
  let ms = Date.now();
  let time = '';
  for (let i = 0; i < 10; i++) {
    time = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'[ms % 32] + time;
    ms = Math.floor(ms / 32);
  }
  return `${time}YMB__rand_int__0`;
}

async function acceptCeiling() {
  const r = await redis('ceiling');
  run(join(build, 'yimen'), ['store', 'load', '--config', deployment('ceiling', r.socket, 1, 'http://127.0.0.1:1').config]);
  const targets = Array.from({ length: 12 }, (_, i) => [`bench-${String(i).padStart(2, '0')}`, 'q']).flat();
  const text = run('redis-benchmark', ['-s', r.socket, '-c', '64', '-n', String(records * 6), '-r', '2000000000', '--csv',
    'FCALL', 'ym_accept', '1', '{s0}', benchId(), envelope, 'dispute', 'bench', 'bench', '330106',
    `__rand_int____rand_int__${'a'.repeat(40)}`, 'b'.repeat(64), '12', ...targets, '0']);
  const made = Number(r.cli('dbsize'));
  if (made < records * 5) throw new Error(`the ceiling's calls made only ${made} keys: they were no new records`);
  await r.stop();
  return Number(/"FCALL[^\n]*?","([\d.]+)"/.exec(text)[1]);
}

async function accept() {
  const r = await redis('accept');
  const d = deployment('accept', r.socket, 12, 'http://127.0.0.1:1');
  run(join(build, 'yimen'), ['store', 'load', '--config', d.config]);
  const n = await nginx('accept', `yimen_catalog ${d.config};`, `include ${top}/config/snippets/api.conf;`);
  const env = { BENCH_BODY: join(top, 'tests/data/dispute.json'), BENCH_TOKEN: token() };
  const result = wrk(n.url, env);
  await n.stop();
  await r.stop();
  return result;
}

async function memory() {
  const r = await redis('memory');
  const d = deployment('memory', r.socket, 30, 'http://127.0.0.1:1');
  run(join(build, 'yimen'), ['store', 'load', '--config', d.config]);
  const n = await nginx('memory', `yimen_catalog ${d.config};`, `include ${top}/config/snippets/api.conf;`);
  const t = token();
  const used = () => Number(/used_memory:(\d+)/.exec(r.cli('info', 'memory'))[1]);
  const padded = padTo(body, 2048);
  const post = (i) => fetch(`${n.url}/api/v1/records`, { method: 'POST', headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${t}`, 'Idempotency-Key': `m-${i}` }, body: distinct(padded, i) }).then(async (a) => {
    if (a.status !== 201) throw new Error(`${a.status} ${await a.text()}`);
    await a.arrayBuffer();
  });
  const many = async (from, to) => {
    for (let i = from; i < to; i += 50) await Promise.all(Array.from({ length: 50 }, (_, k) => post(i + k)));
  };
  await many(0, 500);
  const before = used();
  await many(500, 5500);
  const bytes = (used() - before) / 5000;
  await n.stop();
  await r.stop();
  return Math.round(bytes);
}

/* Other people and other numbers of the same length: search keys cost what they cost in real life. */
function distinct(text, i) {
  const record = JSON.parse(text);
  record.data.source_no = `JFM-2026-${String(i).padStart(6, '0')}`;
  record.data.parties.forEach((p, k) => {
    p.phone = `13${k}${String(i).padStart(8, '0')}`;
    if (p.id_no) {
      const two = (n) => String(n).padStart(2, '0');
      const digits = `3301061890${two((Math.floor(i / 1000) % 12) + 1)}${two((i % 28) + 1)}${String(i % 1000).padStart(3, '0')}`;
      const sum = [...digits].reduce((n, c, at) => n + Number(c) * [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2][at], 0);
      p.id_no = digits + '10X98765432'[sum % 11];
    }
  });
  return JSON.stringify(record);
}

/* A record of exactly `size` bytes as compact JSON data, by padding or cutting the summary. */
function padTo(text, size) {
  const record = JSON.parse(text);
  const length = () => Buffer.byteLength(JSON.stringify(record.data));
  while (length() > size) record.data.summary = record.data.summary.slice(0, -1);
  record.data.summary += '.'.repeat(size - length());
  return JSON.stringify(record);
}

const sinkServer = 'location / { default_type application/json; return 200 \'{"code":"0","number":"N1"}\'; }';

/* Processor time of a process and its children so far, in µs. */
function processorTime(pid) {
  const tick = 1e6 / 100;
  let sum = 0;
  for (const id of [pid, ...readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean)]) {
    const fields = readFileSync(`/proc/${id}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
    sum += (Number(fields[11]) + Number(fields[12])) * tick;
  }
  return sum;
}

/* All records wait in Redis before the dispatcher starts; counted from the first look that sees a delivery. */
async function deliver(sink) {
  const r = await redis('deliver');
  const d = deployment('deliver', r.socket, 12, sink.url);
  run(join(build, 'yimen'), ['store', 'load', '--config', d.config]);
  const systems = Array.from({ length: 12 }, (_, i) => `bench-${String(i).padStart(2, '0')}`);
  run('redis-benchmark', ['-s', r.socket, '-c', '16', '-n', String(records), '-r', '2000000000', '-q',
    'FCALL', 'ym_accept', '1', '{s0}', benchId(), envelope, 'dispute', 'bench', 'bench', '330106', '', '', '12', ...systems.flatMap((s) => [s, 'q']), '0']);
  const client = await connect(r.socket);
  const counts = async () => {
    const rows = await client.fcall('ym_counts', '{s0}', ...systems);
    return rows.reduce((sum, row) => sum + Number(row[row.indexOf('delivered') + 1]), 0);
  };
  const wanted = records * 12;
  const began = performance.now();
  const child = start('dispatcher', join(build, 'yimen-dispatcher'), ['--config', d.config]);
  const spent = () => [r.pid, child.pid, sink.pid].map(processorTime);
  let first = 0;
  let at = 0;
  let before;
  await until('all deliveries', async () => {
    const n = await counts();
    if (n > 0 && first === 0) {
      first = n;
      at = performance.now();
      before = spent();
    }
    await sleep(50);
    return n >= wanted;
  }, 120);
  const rate = (wanted - first) / ((performance.now() - at) / 1000);
  const cost = spent().map((us, i) => (us - before[i]) / (wanted - first));
  say(`first delivery ${Math.round(at - began)} ms after the dispatcher's start; µs of processor a delivery: Redis ${cost[0].toFixed(0)}, workers ${cost[1].toFixed(0)}, sink ${cost[2].toFixed(0)}`);
  client.close();
  await stop(child);
  await r.stop();
  return { rate, cost };
}

function peers() {
  if (existsSync(join(scratch, 'node_modules/bullmq')) && existsSync(join(scratch, 'node_modules/node-red'))) return true;
  mkdirSync(scratch, { recursive: true });
  writeFileSync(join(scratch, 'package.json'), '{"private":true,"type":"module"}');
  try {
    run('npm', ['install', '--no-audit', '--no-fund', '--silent', 'bullmq@5', 'undici@7', 'node-red@4', 'express@4'], { cwd: scratch });
    return true;
  } catch {
    say('peers left out: npm could not install bullmq and node-red');
    return false;
  }
}

async function bullmq(mode, n, ...args) {
  const r = await redis(`bullmq-${mode}`);
  const text = run('node', [join(top, 'tests/bench/bullmq.mjs'), mode, r.socket, String(n), ...args], { cwd: scratch });
  await r.stop();
  return Number(text.trim().split('\n').pop());
}

async function nodeRed(sink) {
  const home = join(dir, 'node-red');
  mkdirSync(home);
  const child = start('node-red', 'node', [join(top, 'tests/bench/node-red.mjs'), home, sink], { cwd: scratch, pipe: true });
  let out = '';
  child.stdout.on('data', (b) => { out += b; });
  await until('Node-RED', () => out.includes('\n'), 60);
  const result = wrk(`http://127.0.0.1:${out.trim()}`, { BENCH_BODY: join(top, 'tests/data/dispute.json'), BENCH_PATH: '/records' });
  await stop(child);
  return result;
}

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

async function measureCheck() {
  const d30 = deployment('check', '/nonexistent', 30, 'http://127.0.0.1:1');
  for (const n of [1, 12, 30]) {
    figures[`check_us_${n}`] = Number(median(Array.from({ length: 5 }, () => Number(run(join(build, 'bench/bench_check'), [d30.config, join(top, 'tests/data/dispute.json'), String(n), '20000'])))).toFixed(2));
  }
  say(`check: ${figures.check_us_1} / ${figures.check_us_12} / ${figures.check_us_30} µs for 1 / 12 / 30 systems`);
}

async function measureAccept(rounds) {
  const ceilings = [];
  const accepts = [];
  for (let i = 0; i < rounds; i++) {
    ceilings.push(await acceptCeiling());
    accepts.push(await accept());
    say(`accept round ${i + 1}: ceiling ${ceilings.at(-1).toFixed(0)}/s, yimen ${accepts.at(-1).rate.toFixed(0)}/s, p99 ${accepts.at(-1).p99} ms`);
  }
  figures.accept_ceiling_per_s = Math.round(median(ceilings));
  figures.accept_per_s = Math.round(median(accepts.map((a) => a.rate)));
  figures.accept_p99_ms = median(accepts.map((a) => a.p99));
  figures.accept_vs_ceiling = Number(median(accepts.map((a, i) => a.rate / ceilings[i])).toFixed(2));
}

async function measureDeliver(rounds, sink, bodyFile) {
  const curls = [];
  const delivers = [];
  for (let i = 0; i < rounds; i++) {
    curls.push(Number(run(join(build, 'bench/bench_curl'), [`${sink.url}/x`, bodyFile, String(records * 12), '64'])));
    delivers.push(await deliver(sink));
    say(`deliver round ${i + 1}: bare curl_multi ${curls.at(-1).toFixed(0)}/s, yimen ${delivers.at(-1).rate.toFixed(0)}/s`);
  }
  figures.curl_per_s = Math.round(median(curls));
  figures.deliver_per_s = Math.round(median(delivers.map((x) => x.rate)));
  figures.deliver_vs_curl = Number(median(delivers.map((x, i) => x.rate / curls[i])).toFixed(2));
  ['redis', 'worker', 'sink'].forEach((name, k) => {
    figures[`deliver_${name}_us`] = Math.round(median(delivers.map((x) => x.cost[k])));
  });
}

const ratio = (a, b) => (figures[a] && b ? Number((figures[a] / b).toFixed(1)) : undefined);

async function measurePeers(sink, bodyFile) {
  figures.bullmq_add_per_s = await bullmq('add', 2000);
  figures.bullmq_deliver_per_s = await bullmq('deliver', 1500, `${sink.url}/x`, bodyFile);
  figures.accept_vs_bullmq = ratio('accept_per_s', figures.bullmq_add_per_s);
  figures.deliver_vs_bullmq = ratio('deliver_per_s', figures.bullmq_deliver_per_s);
  const red = await nodeRed(`${sink.url}/x`);
  figures.node_red_per_s = Math.round(red.rate);
  figures.node_red_p99_ms = red.p99;
  figures.accept_vs_node_red = ratio('accept_per_s', red.rate);
}

async function main() {
  const rounds = Number(process.env.BENCH_ROUNDS ?? 3);
  const sink = await nginx('sink', '', `${sinkServer} location = /healthz { return 200; }`);
  const bodyFile = join(dir, 'body.json');
  writeFileSync(bodyFile, padTo(body, 2048));

  if (parts.includes('check')) await measureCheck();
  if (parts.includes('accept')) await measureAccept(rounds);
  if (parts.includes('memory')) {
    figures.redis_bytes_per_record_30 = await memory();
    say(`memory: ${figures.redis_bytes_per_record_30} bytes per 2 KB record queued to 30 systems`);
  }
  if (parts.includes('deliver')) await measureDeliver(rounds, sink, bodyFile);
  if (parts.includes('door')) await measureDoor(figures, { rounds, seconds, say });
  if (parts.includes('peers') && peers()) await measurePeers(sink, bodyFile);
  await sink.stop();
  writeFileSync(join(build, 'bench.json'), `${JSON.stringify(figures, null, 2)}\n`);
  for (const [name, value] of Object.entries(figures)) console.log(`${name.padEnd(28)} ${value}`);
}

try {
  await main();
  rmSync(dir, { recursive: true, force: true });
} catch (error) {
  console.error(`bench: ${error.message}\nlogs in ${dir}`);
  process.exitCode = 1;
} finally {
  await Promise.all(children.map((c) => stop(c)));
}
