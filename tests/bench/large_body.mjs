// SPDX-License-Identifier: Apache-2.0
// What a record with a large body costs the others at the door: paced clients file notes of about a
// kilobyte, alone and while one client files large ones; interleaved rounds, appendfsync always.
// Usage: node tests/bench/large_body.mjs [SECONDS=5] [ROUNDS=3]   (BUILD, YIMEN_MODULE as for tests)
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { note, startGateway } from '../lib/gateway.mjs';

const SECONDS = Number(process.argv[2] ?? 5), ROUNDS = Number(process.argv[3] ?? 3);
const CLIENTS = 16, PER_S = 160;
const CASES = [
  { name: 'alone', size: 0, perS: 0 },
  { name: '64 KiB, one a second', size: 64 << 10, perS: 1 },
  { name: '1 MiB, one a second', size: (1 << 20) - 2048, perS: 1 },
  { name: '1 MiB, ten a second', size: (1 << 20) - 2048, perS: 10 },
];
const small = JSON.stringify(note({ text: '示例'.repeat(100) }));
const largeBody = (size) => JSON.stringify({ ...note(), data: { ...note().data, extra: { text: 'x'.repeat(size) } } });
const at = (list, share) => [...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * share))];
const median = (list) => at(list, 0.5);

async function filed(g, body) {
  const began = performance.now();
  const { status, body: text } = await g.call('staff', 'POST', '/records', { body, headers: { 'content-type': 'application/json' } });
  if (status !== 201) throw new Error(`${status} ${text.slice(0, 200)}\n${g.nginx.log().slice(-2000)}\n${g.redis.log().slice(-1000)}`);
  return performance.now() - began;
}

// Each client keeps its own beat: what is late is not left out.
async function paced(everyMs, firstMs, until, run) {
  for (let next = performance.now() + firstMs; next < until; next += everyMs) {
    await sleep(Math.max(0, next - performance.now()));
    await run();
  }
}

async function round(g, { size, perS }) {
  const until = performance.now() + SECONDS * 1000, took = [], large = [];
  const body = largeBody(size);
  const everyMs = CLIENTS / PER_S * 1000;
  const jobs = Array.from({ length: CLIENTS }, (_, i) => paced(everyMs, everyMs * i / CLIENTS, until, async () => { took.push(await filed(g, small)); }));
  if (perS) {
    jobs.push(paced(1000 / perS, 50, until, async () => {
      large.push(await filed(g, body));
    }));
  }
  await Promise.all(jobs);
  return { p50: at(took, 0.5), p99: at(took, 0.99), most: at(took, 1), large: large.length ? median(large) : 0 };
}

// Processor time of a process, ms.
function spent(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

const used = async (g) => Number(/used_memory:(\d+)/.exec(await g.redis.client.command('INFO', 'memory'))[1]);

const g = await startGateway();
try {
  await round(g, CASES[0]); // warm
  const all = CASES.map(() => []);
  for (let i = 0; i < ROUNDS; i++) {
    for (const [n, c] of CASES.entries()) all[n].push(await round(g, c));
  }
  console.log(`${PER_S} small records a second; medians of ${ROUNDS} rounds of ${SECONDS} s, ms`);
  console.log('beside them'.padEnd(24) + ['p50', 'p99', 'longest', 'a large one'].map((s) => s.padStart(12)).join(''));
  for (const [n, c] of CASES.entries()) {
    const of = (key) => median(all[n].map((r) => r[key])).toFixed(1).padStart(12);
    console.log(c.name.padEnd(24) + of('p50') + of('p99') + of('most') + (c.size ? of('large') : ''));
  }
  const pids = { nginx: g.nginx.workers()[0], Redis: g.redis.pid };
  for (const size of [0, CASES[1].size, CASES[2].size]) {
    const body = largeBody(size), before = { memory: await used(g), nginx: spent(pids.nginx), Redis: spent(pids.Redis) };
    for (let i = 0; i < 100; i++) await filed(g, body);
    const ms = (name) => ((spent(pids[name]) - before[name]) / 100).toFixed(1);
    console.log(`${String(size >> 10).padStart(4)} KiB: ${ms('nginx')} ms of nginx's processor, ${ms('Redis')} ms of Redis', ${Math.round((await used(g) - before.memory) / 100 / 1024)} KiB of memory`);
  }
} finally {
  await g.stop();
}
