// SPDX-License-Identifier: Apache-2.0
// What the store costs: Redis CPU per accept and per settled delivery, memory per queued record.
// Usage: node tests/queue/measure.mjs [records] [targets]   (prints figures, asserts nothing)
import { startRedis } from '../lib/redis-server.mjs';
import { Store, makeId, sha256 } from './store.mjs';

const RECORDS = Number(process.argv[2] ?? 20000);
const TARGETS = Number(process.argv[3] ?? 12);
const BATCH = 64;

export function sampleRecord(i, targets, bytes = 2048) {
  const head = `{"at":"2026-03-02T10:00:00.000+08:00","by":"mediator-${i % 300}","data":{"no":"${i}","text":"`;
  return { id: makeId(), envelope: `${head}${'x'.repeat(bytes - head.length - 3)}"}}`, owner: `mediator-${i % 300}`,
    org: 'committee-17', area: `3301060010${String(i % 40).padStart(2, '0')}`, idem: sha256(`key${i}`),
    digest: sha256(`body${i}`), systems: Array.from({ length: targets }, (_, n) => `system-number-${n}`),
    keys: [['phone', sha256(`phone${i}`)], ['id_no', sha256(`id${i}`)]] };
}

async function cpu(client) {
  const info = await client.command('INFO', 'cpu');
  return ['user', 'sys'].reduce((sum, kind) => sum + Number(new RegExp(`used_cpu_${kind}:([\\d.]+)`).exec(info)[1]), 0);
}

async function memory(client) {
  return Number(/used_memory:(\d+)/.exec(await client.command('INFO', 'memory'))[1]);
}

async function timed(client, what, n, run) {
  const before = await cpu(client);
  await run();
  const spent = await cpu(client) - before;
  console.log(`${what}: ${(spent / n * 1e6).toFixed(1)} µs of Redis CPU each, ${Math.round(n / spent)} a second`);
}

async function fill(store, targets) {
  for (let i = 0; i < RECORDS; i += BATCH) {
    const n = Math.min(BATCH, RECORDS - i);
    await store.client.pipeline(Array.from({ length: n }, (_, k) => ['FCALL', 'ym_accept', 1, store.key,
      ...store.acceptArgs(sampleRecord(i + k, targets))]));
  }
}

async function drain(store, system) {
  const worker = await store.worker(system);
  for (;;) {
    const { items } = await worker.claim({ max: BATCH });
    if (!items.length) return;
    await worker.settleAll(items.map((i) => [i, 'd', { number: `N${i.id.slice(0, 12)}`, digest: sha256(i.id) }]));
  }
}

if (process.argv[1].endsWith('measure.mjs')) {
  const redis = await startRedis();
  try {
    const store = new Store(redis.client);
    const empty = await memory(redis.client);
    await timed(redis.client, `accept, ${TARGETS} targets`, RECORDS, () => fill(store, TARGETS));
    console.log(`memory: ${((await memory(redis.client) - empty) / RECORDS).toFixed(0)} bytes a record`);
    await timed(redis.client, 'claim and settle', RECORDS * 2, async () => {
      await drain(store, 'system-number-0');
      await drain(store, 'system-number-1');
    });
    await timed(redis.client, 'get', 2000, async () => {
      const ids = await store.listAll({ owner: 'mediator-7' }, { limit: 50 });
      await redis.client.pipeline(Array.from({ length: 2000 }, (_, i) => ['FCALL', 'ym_get', 1, store.key, ids[i % ids.length]]));
    });
    await timed(redis.client, 'list page of 50', 200, () => redis.client.pipeline(Array.from({ length: 200 },
      () => ['FCALL', 'ym_list', 1, store.key, '', 50, 500])));
  } finally {
    await redis.stop();
  }
}
