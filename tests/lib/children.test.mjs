/* SPDX-License-Identifier: Apache-2.0
 * A test that fails before it has stopped its gateway neither holds up its file nor leaves it running.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { test } from 'node:test';
import { until } from './nginx.mjs';

test('what a test leaves behind ends with it', async () => {
  const lib = new URL('./gateway.mjs', import.meta.url).href;
  const child = spawn(process.execPath, ['--input-type=module', '-e', `
    import { startGateway } from '${lib}';
    const g = await startGateway();
    console.log(g.nginx.child.pid, ...g.nginx.workers(), g.redis.pid);
  `], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (d) => { text += d; });
  const ended = new Promise((done) => { child.on('exit', done); });
  const timer = setTimeout(() => child.kill('SIGKILL'), 30000);
  assert.equal(await ended, 0, 'it ended by itself');
  clearTimeout(timer);
  const pids = text.trim().split(' ').map(Number);
  assert.equal(pids.length, 3);
  const runs = (pid) => { try { return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8')); } catch { return false; } };
  await until('they are gone', () => !pids.some(runs));
});
