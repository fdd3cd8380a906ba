// SPDX-License-Identifier: Apache-2.0
// BullMQ as a peer, run from a scratch folder that holds bullmq and undici.
// Usage: node bullmq.mjs add SOCKET RECORDS | deliver SOCKET RECORDS SINK_URL BODY_FILE
// `add`: one record = 12 jobs by addBulk over 12 queues, 64 records at once; prints records per second.
// `deliver`: the jobs of RECORDS records are waiting in 12 queues; prints deliveries per second.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(join(process.cwd(), 'package.json'));
const { Queue, Worker } = require('bullmq');
const [mode, socket, count, sink, bodyFile] = process.argv.slice(2);
const records = Number(count);
const connection = { path: socket, maxRetriesPerRequest: null };
const body = bodyFile ? readFileSync(bodyFile, 'utf8') : 'x'.repeat(2048);
const queues = Array.from({ length: 12 }, (_, i) => new Queue(`q${i}`, { connection }));
const keep = { removeOnComplete: true, attempts: 3 };

async function add() {
  let next = 0;
  const one = async () => {
    while (next < records) {
      next++;
      await Promise.all(queues.map((q) => q.add('d', { body }, keep)));
    }
  };
  await Promise.all(Array.from({ length: 64 }, one));
}

let began = performance.now();
await add();
if (mode === 'add') {
  console.log(Math.round((records * 1000) / (performance.now() - began)));
} else {
  const { Pool } = require('undici');
  const url = new URL(sink);
  const pool = new Pool(url.origin, { connections: 64 });
  let done = 0;
  began = performance.now();
  await new Promise((finish) => {
    for (const q of queues) {
      const w = new Worker(q.name, async (job) => {
        const r = await pool.request({ method: 'POST', path: url.pathname, body: job.data.body, headers: { 'content-type': 'application/json' } });
        await r.body.dump();
        if (r.statusCode !== 200) throw new Error('sink');
      }, { connection, concurrency: 16 });
      w.on('completed', () => {
        if (++done === records * 12) finish();
      });
    }
  });
  console.log(Math.round((done * 1000) / (performance.now() - began)));
}
process.exit(0);
