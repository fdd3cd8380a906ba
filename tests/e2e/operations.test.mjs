/* SPDX-License-Identifier: Apache-2.0
 * What operations do to a running system: pause and resume, hours, dead letters, reloads good and
 * bad, repair of the store, death of Redis. Nothing that was accepted is lost or doubled by it.
 */
import { after, afterEach, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { QUICK, dispute, openStack, sleep, until } from './stack_helper.mjs';

const run = promisify(execFile);
const THREE = ['zj-odr', 'grid-platform', 'data-commons'];

describe('operations', () => {
  let s;
  before(async () => {
    s = await openStack({ systems: THREE, own: true, settings: { ...QUICK, attempts: 3, breaker_failures: 50 }, expected: ['config.refused', 'adapter.yaml'] });
  });
  after(() => s.close());
  afterEach(() => s.lab('/reset', { records: false }));

  const state = (id, system, word) => s.settled(id, `${system} ${word}`, (d) => d[system].state === word);
  const allDelivered = (targets) => (d) => targets.every((id) => d[id].state === 'delivered');
  const adapter = (system) => join(s.adapters, system, 'adapter.yaml');
  const reload = () => {
    s.signal('nginx', 'SIGHUP');
    s.signal('dispatcher', 'SIGHUP');
  };
  const reloads = () => (s.log('dispatcher').match(/event=config\.reloaded/g) ?? []).length;
  const refusals = () => (s.log('dispatcher').match(/event=config\.refused/g) ?? []).length;
  const once = async (ids, targets) => {
    for (const system of targets) {
      const kept = await s.kept(system);
      for (const id of ids) assert.equal(kept.filter((r) => r.ref === id).length, 1, `${system} ${id}`);
    }
  };
  const audit = async () => (await s.api('auditor', '/audit?limit=200')).json.items;

  test('pause holds one system, the others go on; resume sends; both leave an entry', async () => {
    const bare = await s.post('operator', '/systems/zj-odr/pause', {});
    assert.equal(bare.status, 422, 'a reason is wanted');
    assert.equal((await s.post('staff', '/systems/zj-odr/pause', { reason: 'x' })).status, 403);
    assert.equal((await s.post('operator', '/systems/zj-odr/pause', { reason: '对方升级' })).status, 200);
    const made = await s.file(dispute({}, THREE));
    await s.settled(made.id, 'held there, delivered elsewhere', (d) => d['zj-odr'].state === 'held'
      && d['grid-platform'].state === 'delivered' && d['data-commons'].state === 'delivered');
    await sleep(600);
    const held = await s.record(made.id);
    assert.equal(held.deliveries['zj-odr'].state, 'held');
    assert.equal(held.deliveries['zj-odr'].attempts, 0, 'waiting costs no attempt');
    assert.deepEqual(await s.calls('zj-odr'), []);
    const shown = (await s.api('operator', '/systems')).json.items.find((x) => x.id === 'zj-odr');
    assert.ok(shown.paused);
    assert.equal((await s.post('operator', '/systems/zj-odr/resume', { reason: '升级完成' })).status, 200);
    await state(made.id, 'zj-odr', 'delivered');
    await once([made.id], THREE);
    const entries = (await audit()).filter((e) => e.system === 'zj-odr').map((e) => e.why);
    assert.ok(entries.includes('对方升级') && entries.includes('升级完成'), JSON.stringify(entries));
  });

  test('outside its hours a system is left in peace', async () => {
    const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
    const text = readFileSync(adapter('grid-platform'), 'utf8');
    const other = days[(new Date().getUTCDay() + 3) % 7];
    writeFileSync(adapter('grid-platform'), text.replace(/^takes:/m, `hours: ["${other} 09:00-10:00"]\ntakes:`));
    const n = reloads();
    reload();
    await until('the reload', 5, () => reloads() > n);
    const made = await s.file(dispute({}, ['grid-platform', 'zj-odr']));
    await s.settled(made.id, 'held there, delivered elsewhere', (d) => d['grid-platform'].state === 'held' && d['zj-odr'].state === 'delivered');
    assert.deepEqual(await s.calls('grid-platform', made.id), []);
    writeFileSync(adapter('grid-platform'), text);
    reload();
    await state(made.id, 'grid-platform', 'delivered');
    await once([made.id], ['grid-platform', 'zj-odr']);
  });

  test('dead letters: listed by the tool, replayed by the tool and by the API', async () => {
    const bury = async () => {
      await s.behave('data-commons', 'fail_200');
      const made = await Promise.all([1, 2, 3].map(() => s.file(dispute({}, ['data-commons']))));
      for (const m of made) await state(m.id, 'data-commons', 'dead');
      await s.behave('data-commons', 'normal');
      return made.map((m) => m.id);
    };
    const first = await bury();
    const listed = await s.tool('dead', 'list', 'data-commons', '--json');
    assert.equal(listed.code, 0, listed.stderr);
    for (const id of first) assert.ok(listed.stdout.includes(id), `${id} is not in ${listed.stdout}`);
    assert.notEqual((await s.tool('dead', 'replay', 'data-commons')).code, 0, 'a reason is wanted');
    const dry = await s.tool('dead', 'replay', 'data-commons', '--why', '试', '--dry-run', '--json');
    assert.equal(dry.code, 0, dry.stderr);
    assert.equal((await s.record(first[0])).deliveries['data-commons'].state, 'dead', 'dry');
    const replayed = await s.tool('dead', 'replay', 'data-commons', '--why', '系统恢复');
    assert.equal(replayed.code, 0, replayed.stderr);
    for (const id of first) await state(id, 'data-commons', 'delivered');

    const second = await bury();
    const answer = await s.post('operator', '/systems/data-commons/replay', { reason: '再次恢复' });
    assert.equal(answer.status, 200, answer.text);
    for (const id of second) await state(id, 'data-commons', 'delivered');
    await once([...first, ...second], ['data-commons']);
    const why = (await audit()).map((e) => e.why);
    assert.ok(why.includes('系统恢复') && why.includes('再次恢复'));
  });

  test('a broken adapter: check and nginx -t name file and line, a reload keeps what was', async () => {
    const text = readFileSync(adapter('zj-odr'), 'utf8');
    const line = text.split('\n').findIndex((l) => l.includes('[oneline]')) + 1;
    writeFileSync(adapter('zj-odr'), text.replace('[oneline]', '[oneliner]'));
    try {
      const where = new RegExp(`zj-odr/adapter\\.yaml:${line}:`);
      const checked = await s.tool('check');
      assert.equal(checked.code, 1);
      assert.match(checked.stdout + checked.stderr, where);
      const conf = ['-p', s.dir, '-c', join(s.dir, 'conf/nginx.conf'), '-e', join(s.dir, 'log/nginx-test.log')];
      const tried = await run('nginx', [...conf, '-t']).then(() => undefined, (e) => e);
      assert.ok(tried, 'nginx -t must fail');
      assert.match(tried.stderr, where);
      const n = refusals();
      s.signal('dispatcher', 'SIGHUP');
      await until('the refusal', 5, () => refusals() > n);
      assert.match(s.log('dispatcher'), where);
      const made = await s.file(dispute({}, THREE), 10);
      assert.ok(allDelivered(THREE)(made.deliveries), JSON.stringify(made.deliveries));
    } finally {
      writeFileSync(adapter('zj-odr'), text);
    }
    const n = reloads();
    reload();
    await until('the reload', 5, () => reloads() > n);
    const made = await s.file(dispute({}, THREE), 10);
    assert.ok(allDelivered(THREE)(made.deliveries));
  });

  test('a lost consumer group: reconcile says what it did, nothing is lost or doubled', async () => {
    assert.equal((await s.post('operator', '/systems/zj-odr/pause', { reason: 'x' })).status, 200);
    const made = await Promise.all(Array.from({ length: 8 }, () => s.file(dispute({}, ['zj-odr']))));
    for (const shard of ['{s0}', '{s1}']) s.redis('XGROUP', 'DESTROY', `${shard}:q:zj-odr`, 'w');
    const mended = await s.tool('reconcile', '--json');
    assert.equal(mended.code, 0, mended.stderr);
    assert.match(mended.stdout, /zj-odr/);
    assert.equal((await s.post('operator', '/systems/zj-odr/resume', { reason: 'x' })).status, 200);
    for (const m of made) await state(m.id, 'zj-odr', 'delivered');
    await once(made.map((m) => m.id), ['zj-odr']);
    const again = JSON.parse((await s.tool('reconcile', '--json')).stdout);
    assert.equal(JSON.stringify(again).includes('zj-odr'), false, 'nothing is left to repair');
  });

  test('a whole queue deleted: reconcile fills it again', async () => {
    assert.equal((await s.post('operator', '/systems/zj-odr/pause', { reason: 'x' })).status, 200);
    const made = await Promise.all(Array.from({ length: 6 }, () => s.file(dispute({}, ['zj-odr']))));
    for (const shard of ['{s0}', '{s1}']) s.redis('DEL', `${shard}:q:zj-odr`);
    assert.equal((await s.tool('reconcile')).code, 0);
    assert.equal((await s.post('operator', '/systems/zj-odr/resume', { reason: 'x' })).status, 200);
    for (const m of made) await state(m.id, 'zj-odr', 'delivered');
    await once(made.map((m) => m.id), ['zj-odr']);
  });

  /* Files with a key until it is told 201 or 422; says what it was answered on the way. */
  async function insist(body, seen) {
    const key = randomUUID();
    for (let n = 0; n < 100; n++) {
      const r = await s.api('staff', '/records', { method: 'POST', body, headers: { 'Idempotency-Key': key } }).catch((e) => ({ status: 0, e }));
      seen.push(r);
      if (r.status === 201) return r.json.id;
      await sleep(100);
    }
    throw new Error(`never taken: ${seen.at(-1).status}`);
  }

  test('Redis dies in the middle: 503 with Retry-After, then everything is there once', async () => {
    const seen = [];
    let stop = false;
    const ids = [];
    const writer = async () => { while (!stop) ids.push(await insist(dispute({}, THREE), seen)); };
    const writers = [writer(), writer(), writer()];
    await until('some records', 10, () => ids.length > 10);
    process.kill(s.info.pids.redis, 'SIGKILL');
    await until('a 503', 5, () => seen.some((r) => r.status === 503));
    const refused = seen.find((r) => r.status === 503);
    assert.match(refused.headers.get('retry-after'), /^\d+$/);
    assert.equal((await s.api(undefined, '/readyz')).status, 503);
    assert.equal((await s.api(undefined, '/healthz')).status, 200);
    await s.restart('redis');
    const before = ids.length;
    await until('more records', 10, () => ids.length > before + 10);
    stop = true;
    await Promise.all(writers);
    assert.ok(seen.every((r) => [0, 201, 503].includes(r.status)), `${[...new Set(seen.map((r) => r.status))]}`);
    for (const id of ids) await s.settled(id, 'delivered', allDelivered(THREE), 30);
    await once(ids, THREE);
    assert.equal((await s.tool('reconcile')).code, 0);
  });

  test('five reloads under load: no request fails, no worker stays, nothing grows', async () => {
    const seen = [], ids = [];
    let stop = false;
    const writer = async () => { while (!stop) { ids.push(await insist(dispute({}, THREE), seen)); await sleep(20); } };
    const writers = [writer(), writer()];
    const master = s.info.pids.nginx;
    const kids = () => readdirSync('/proc').filter((d) => /^\d+$/.test(d)).filter((d) => {
      try { return new RegExp(`^PPid:\\s+${master}$`, 'm').test(readFileSync(`/proc/${d}/status`, 'utf8')); } catch { return false; }
    }).map(Number);
    const figure = (file, name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync(file, 'utf8'))[1]);
    const fds = () => readdirSync(`/proc/${master}/fd`).length;
    let marks;
    for (let n = 0; n <= 5; n++) {
      const old = kids(), done = reloads();
      reload();
      await until('new workers', 10, () => { const now = kids(); return now.length === 2 && now.every((p) => !old.includes(p)); });
      await until('the dispatcher', 10, () => reloads() > done);
      s.read();
      if (n === 0) marks = { fds: fds(), kb: figure(`/proc/${master}/status`, 'VmRSS') };
      await sleep(150);
    }
    stop = true;
    await Promise.all(writers);
    assert.deepEqual(seen.filter((r) => ![0, 201].includes(r.status)).map((r) => r.status), [], 'no refusal');
    assert.equal(fds(), marks.fds, 'open files of the master');
    const grown = figure(`/proc/${master}/status`, 'VmRSS') - marks.kb;
    assert.ok(grown < 3000, `the master grew by ${grown} kB in five reloads`);
    for (const id of ids) await s.settled(id, 'delivered', allDelivered(THREE), 30);
    await once(ids, THREE);
    assert.ok(ids.length > 20);
  });

  test('nginx started again: no worker of before is left, which would go on answering', async () => {
    const old = [s.info.pids.nginx, ...readFileSync(`/proc/${s.info.pids.nginx}/task/${s.info.pids.nginx}/children`, 'utf8').trim().split(' ').map(Number)];
    assert.ok(old.length >= 2);
    const { id } = await s.file(dispute({}, THREE));
    await s.restart('nginx');
    const state = (pid) => { try { return /^State:\s+(\w)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]; } catch { return 'Z'; } };
    assert.deepEqual(old.filter((pid) => state(pid) !== 'Z'), []);
    assert.ok(!old.includes(s.info.pids.nginx));
    await s.settled(id, 'delivered', allDelivered(THREE));
  });

  test('the dispatcher killed in mid-work: the rest arrives after its restart', async () => {
    const ids = [];
    for (let n = 0; n < 20; n++) ids.push((await s.file(dispute({}, THREE))).id);
    await s.restart('dispatcher');
    for (const id of ids) await s.settled(id, 'delivered', allDelivered(THREE), 20);
    await once(ids, THREE);
  });
});
