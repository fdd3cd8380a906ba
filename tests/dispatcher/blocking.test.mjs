// SPDX-License-Identifier: Apache-2.0
// Proves that a transport that blocks (a folder here) goes through the same engine: each file once,
// the folder's absence suspends the system, and the loop serves Redis between two runs.
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { startRig, until } from './rig.mjs';

test('files arrive once; while the folder is gone nothing is lost or counted', async () => {
  const rig = await startRig({ systems: ['drop'], start: false });
  try {
    const inbox = path.join(rig.dir, 'drop/inbox');
    mkdirSync(inbox, { recursive: true });
    await rig.start();
    const ids = await Promise.all(Array.from({ length: 30 }, () => rig.accept(['drop'])));
    for (const id of ids) assert.equal((await rig.settled(id, 'drop')).digest.length, 64);
    const names = readdirSync(inbox).filter((n) => n.endsWith('.csv')).sort();
    assert.deepEqual(names, ids.map((id) => `N_${id}_1.csv`).sort());

    renameSync(path.join(rig.dir, 'drop'), path.join(rig.dir, 'gone'));
    const late = await rig.accept(['drop']);
    await until('suspended', () => rig.logged('system.suspended', 'drop') === 1);
    assert.notEqual((await rig.delivery(late, 'drop')).letter, 'd');
    renameSync(path.join(rig.dir, 'gone'), path.join(rig.dir, 'drop'));
    const d = await rig.settled(late, 'drop');
    assert.equal(d.attempts, '1');
    assert.ok(readdirSync(inbox).includes(`N_${late}_1.csv.done`));
  } finally {
    await rig.close();
  }
});
