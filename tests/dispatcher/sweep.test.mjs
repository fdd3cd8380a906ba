// SPDX-License-Identifier: Apache-2.0
// Uploads that no record names go after a while, with what the store knows of them; nothing else goes.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { makeId } from '../queue/store.mjs';
import { startRig, until } from './rig.mjs';

const DAY = 86400000;
const hex = (n) => n.toString(16).padStart(64, '0');

test('what nobody names goes after a week, and its room is free again', async () => {
  const rig = await startRig({ systems: ['ledger'] });
  try {
    const record = await rig.accept(['ledger'], 'with a photo', 0);
    await rig.stop();
    let n = 0;
    const put = async (age, { records = [], known = true, bound = age } = {}) => {
      const id = makeId(Date.now() - age, 0);
      const file = path.join(rig.dir, 'state/attachments/ab', `${hex(++n)}.${id}`);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, 'bytes');
      if (!known) return { id, file };
      const [word] = await rig.redis.client.fcall('ym_attachment_put', '{s0}', id, hex(7), 'sealed', hex(n), '5', '100', '1000');
      assert.equal(word, 'kept');
      await rig.redis.client.command('HSET', `{s0}:at:${id}`, 'c', Date.now() - age);
      for (const r of records) {
        assert.deepEqual(await rig.redis.client.fcall('ym_attachment_bind', '{s0}', id, hex(7), r), ['bound']);
        await rig.redis.client.command('HSET', `{s0}:at:${id}`, `r:${r}`, Date.now() - bound);
      }
      return { id, file };
    };
    const old = await put(8 * DAY);
    const young = await put(6 * DAY);
    const named = await put(30 * DAY, { records: [record] });
    const lost = await put(9 * DAY, { records: [makeId(Date.now() - 9 * DAY, 0)] });
    const beingFiled = await put(9 * DAY, { records: [makeId(Date.now(), 0)], bound: 1000 });
    const orphan = await put(8 * DAY, { known: false });
    const ancient = await put(40 * DAY, { known: false });
    const cut = path.join(rig.dir, 'state/attachments/new', 'x');
    mkdirSync(path.dirname(cut), { recursive: true });
    writeFileSync(cut, 'half');
    utimesSync(cut, new Date(Date.now() - 2 * DAY), new Date(Date.now() - 2 * DAY));

    const room = () => rig.redis.client.command('HMGET', `{s0}:ap:${hex(7)}`, 'n', 'z');
    assert.deepEqual(await room(), ['2', '10']);
    await rig.start();
    await until('they are gone', () => [old.file, orphan.file, cut].every((f) => !existsSync(f)));
    for (const f of [young, named, lost, beingFiled, ancient]) assert.ok(existsSync(f.file));
    assert.equal(await rig.redis.client.command('EXISTS', `{s0}:at:${old.id}`), 0);
    assert.equal(await rig.redis.client.command('HGET', `{s0}:at:${named.id}`, `r:${record}`), '+');
    await until('the log says it', () => rig.logged('attachment.removed') === 1 && rig.logged('attachment.unknown') === 1);
    /* the one of a record that was never accepted is nobody's now, and goes with the next walk */
    assert.deepEqual(await room(), ['2', '10']);
    await rig.stop();
    await rig.start();
    await until('it is gone too', () => !existsSync(lost.file));
    assert.deepEqual(await room(), ['1', '5']);
    assert.ok([young, named, beingFiled, ancient].every((f) => existsSync(f.file)));
  } finally {
    await rig.close();
  }
});
