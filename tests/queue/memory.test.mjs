// SPDX-License-Identifier: Apache-2.0
// Proves the price of a queued record: a 2 KB envelope queued to 30 systems, with idempotency entry,
// listing indexes and two search keys, takes at most 3.5 KB of Redis memory, and half of it is body.
import test from 'node:test';
import assert from 'node:assert/strict';
import { startRedis } from '../lib/redis-server.mjs';
import { Store } from './store.mjs';
import { sampleRecord } from './measure.mjs';

const LIMIT = 3500;
const RECORDS = 20000;
const BATCH = 50;

test(`at most ${LIMIT} bytes a record with 30 targets`, async () => {
  const redis = await startRedis({ config: { appendonly: 'no' } });
  try {
    const store = new Store(redis.client);
    const used = async () => Number(/used_memory:(\d+)/.exec(await redis.client.command('INFO', 'memory'))[1]);
    const before = await used();
    for (let i = 0; i < RECORDS; i += BATCH) {
      const replies = await redis.client.pipeline(Array.from({ length: BATCH }, (_, k) => ['FCALL', 'ym_accept', 1,
        store.key, ...store.acceptArgs(sampleRecord(i + k, 30))]));
      assert.ok(replies.every((r) => r[0] === 'created'), String(replies.find((r) => r[0] !== 'created')));
    }
    const each = (await used() - before) / RECORDS;
    assert.equal((await store.counts('system-number-29'))['system-number-29'].queued, RECORDS);
    console.log(`# ${each.toFixed(0)} bytes a record`);
    assert.ok(each <= LIMIT, `${each.toFixed(0)} bytes a record`);
    const [id] = (await store.list({}, { limit: 1 })).rows.map((r) => r.id);
    assert.equal(await redis.client.command('OBJECT', 'ENCODING', store.k(`r:${id}`)), 'listpack');
  } finally {
    await redis.stop();
  }
});
