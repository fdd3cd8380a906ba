/* SPDX-License-Identifier: Apache-2.0
 * Configuration: what is broken is named with file and line and changes nothing; reloads under load
 * lose no request and leak nothing (the sanitizer run of this file proves the latter).
 */
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { Deployment, LOCATIONS, note, startGateway } from '../lib/gateway.mjs';
import { testNginx, until } from '../lib/nginx.mjs';
import { claims, makeKey, makeToken } from '../lib/tokens.mjs';

const check = async (d, http = `yimen_catalog ${d.file};`) => {
  const r = await testNginx({ http, server: LOCATIONS });
  return r;
};

describe('nginx -t', () => {
  const broken = {
    'an adapter with an unknown key': (d) => d.edit('adapters/alpha/adapter.yaml', (t) => t.replace('version: 1', 'version: 1\ncolour: blue')),
    'an adapter that is no YAML': (d) => fs.writeFileSync(path.join(d.dir, 'adapters/beta/adapter.yaml'), 'a: [\n'),
    'a type with a keyword outside the subset': (d) => d.edit('types/note.json', (t) => t.replace('"maxLength": 200', '"maxLength": 200, "dynamicAnchor": "x"')),
    'a type that is no JSON': (d) => fs.writeFileSync(path.join(d.dir, 'types/note.json'), '{\n  "type": oops\n}'),
    'a key of yimen.yaml that does not exist': (d) => fs.appendFileSync(d.file, 'colour: blue\n'),
    'an algorithm that does not exist': (d) => { d.auth.algorithms = '[ES256, none]'; d.write(); },
    'a key of auth that does not exist': (d) => { d.auth.secret = 'x'; d.write(); },
  };
  for (const [name, breakIt] of Object.entries(broken)) {
    test(`${name}: refused with file and line`, async () => {
      const d = new Deployment({ redis: 'unix:/nowhere.sock' });
      try {
        assert.equal((await check(d)).code, 0);
        breakIt(d);
        const r = await check(d);
        assert.notEqual(r.code, 0);
        assert.match(r.text, new RegExp(`\\[emerg\\].*${d.dir}[^ ]*:\\d+`), r.text);
      } finally { d.remove(); }
    });
  }

  test('several faults are named at once', async () => {
    const d = new Deployment({ redis: 'unix:/nowhere.sock' });
    try {
      broken['an adapter with an unknown key'](d);
      broken['a type with a keyword outside the subset'](d);
      const r = await check(d);
      assert.match(r.text, /adapter\.yaml:\d+/);
      assert.match(r.text, /note\.json:\d+/);
    } finally { d.remove(); }
  });

  test('other ways to be wrong: keys, addresses, directives', async () => {
    const d = new Deployment({ redis: 'unix:/nowhere.sock' });
    const site = `yimen_catalog ${d.file};`;
    const cases = [
      ['', /needs "yimen_catalog"/],
      [`${site} ${site}`, /is duplicate/],
      ['yimen_catalog /nowhere.yaml;', /nowhere\.yaml/],
      [`${site} yimen_redis unix:/a x=1;`, /invalid parameter "x=1"/],
      [`${site} yimen_redis unix:/a connections=0;`, /connections=1 to/],
      [`${site} yimen_redis unix:/a password=secret;`, /must be given as file:PATH or env:NAME/],
      [`${site} yimen_redis unix:/a password=env:YIMEN_NOT_SET;`, /is not set/],
      [`${site} yimen_redis unix:/a password=file:/nowhere;`, /nowhere/],
      [`${site} yimen_redis_timeout soon;`, /invalid value/],
    ];
    try {
      for (const [http, words] of cases) {
        const r = await check(d, http);
        assert.notEqual(r.code, 0, http);
        assert.match(r.text, words);
        assert.doesNotMatch(r.text, /password=secret/);
      }
      fs.writeFileSync(path.join(d.dir, 'jwks.json'), '{"keys":[]}');
      assert.match((await check(d)).text, /no usable key/);
      fs.rmSync(path.join(d.dir, 'jwks.json'));
      assert.match((await check(d)).text, /jwks\.json/);
      d.writeKeys();
      fs.writeFileSync(d.file, fs.readFileSync(d.file, 'utf8').replace(/auth:[^]*/, ''));
      assert.match((await check(d)).text, /nobody could sign in/);
    } finally { d.remove(); }
  });
});

test('five reloads under load, a broken catalogue in between: no request is lost', async () => {
  const g = await startGateway({ nginx: { workers: 2, allow: [/\[emerg\]/] } });
  let stop = false;
  const failures = [];
  let done = 0;
  const load = Array.from({ length: 6 }, async (_, k) => {
    while (!stop) {
      const r = await g.call('staff', 'POST', '/records', { body: note(), agent: false }).catch((e) => ({ status: e.code }));
      done++;
      if (r.status !== 201) failures.push(`${k}: ${r.status}`);
    }
  });
  try {
    await until('some load', () => done > 20);
    for (let i = 0; i < 5; i++) {
      await g.nginx.reload();
      if (i === 2) {
        g.deploy.edit('adapters/alpha/adapter.yaml', (t) => `${t}\ncolour: blue\n`);
        const pids = g.nginx.workers();
        await g.nginx.reload({ expectRefused: true });
        assert.match(g.nginx.log(), /\[emerg\].*adapter\.yaml:\d+/);
        assert.deepEqual(g.nginx.workers(), pids, 'the old configuration goes on');
        assert.equal((await g.call('staff', 'GET', '/systems')).json.items.length, 4);
        g.deploy.edit('adapters/alpha/adapter.yaml', (t) => t.replace('\ncolour: blue\n', ''));
      }
      const seen = done;
      await until('load goes on', () => done > seen + 10);
    }
    stop = true;
    await Promise.all(load);
    assert.deepEqual(failures, []);
    await until('old workers are gone', () => fs.readFileSync(`/proc/${g.nginx.child.pid}/task/${g.nginx.child.pid}/children`, 'utf8').trim().split(/\s+/).length === 2, 10000);
  } finally {
    stop = true;
    await Promise.all(load);
    await g.stop();
  }
});

test('a reload brings new keys and types, and forgets old tokens', async () => {
  const g = await startGateway();
  try {
    const next = makeKey('ES256', 'next');
    const token = makeToken(next, claims('neu', 'staff'));
    assert.equal((await g.call(token, 'GET', '/me')).status, 401);
    assert.equal((await g.call('staff', 'GET', '/me')).status, 200);
    g.deploy.keys = [next];
    g.deploy.writeKeys();
    g.deploy.edit('types/note.json', (t) => t.replace('"maxLength": 200', '"maxLength": 3'));
    await g.nginx.reload();
    assert.equal((await g.call('staff', 'GET', '/me')).status, 401, 'the old key is gone, and with it the cache');
    await until('ready', async () => (await g.nginx.request('GET', '/readyz')).status === 200);
    const r = await g.call(token, 'POST', '/records', { body: note() });
    assert.equal(r.status, 422);
    assert.equal(r.json.errors[0].limit, 3);
  } finally { await g.stop(); }
});

test('quit while a client waits: it gets its answer first', async () => {
  const g = await startGateway();
  const waiting = g.call('staff', 'POST', '/records', { body: { ...note(), targets: ['alpha'] }, headers: { prefer: 'wait=20' }, agent: false });
  await until('accepted', async () => (await g.call('admin', 'GET', '/records')).json.items.length === 1);
  const from = Date.now();
  await g.stop();
  const r = await waiting;
  assert.equal(r.status, 201);
  assert.equal(r.json.deliveries.alpha.state, 'queued');
  assert.ok(Date.now() - from < 5000);
});
