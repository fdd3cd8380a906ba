/* SPDX-License-Identifier: Apache-2.0
 * Entries into applications: the first way of each session into each, whoever carries the request;
 * counted by application and day, and nobody waits for it.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { LOCATIONS, startGateway, withSessions } from '../lib/gateway.mjs';
import { until } from '../lib/nginx.mjs';
import { endSession, makeSession } from '../lib/session.mjs';

const NAVIGATION = { accept: 'text/html', 'sec-fetch-mode': 'navigate' };
const app = (path) => ({ title: { zh: '系统', en: 'System' }, path });

describe('usage', () => {
  let g, up;
  before(async () => {
    up = http.createServer((_, res) => res.end('ok')).listen(0, '127.0.0.1');
    await new Promise((done) => { up.once('listening', done); });
    const to = `yimen_auth on; yimen_identity headers user=X-Remote-User; proxy_pass http://127.0.0.1:${up.address().port};`;
    g = await startGateway({
      nginx: { workers: 2, server: `${LOCATIONS} location /apps/odr/ { ${to} } location /apps/odr/stats/ { ${to} } location /apps/other/ { ${to} }` },
      deploy: { shards: 2, auth: withSessions({}, { applications: { odr: app('/apps/odr/index?lang=zh'), stats: app('/apps/odr/stats/'), all: app('/apps/odr/') } }) },
    });
  });
  after(async () => { await g?.stop(); up?.close(); });

  const usage = async () => Object.fromEntries((await g.call('operator', 'GET', '/reports/usage')).json.applications.map((a) => [a.id, a.entries]));
  const enter = (s, target, headers = NAVIGATION) => g.nginx.request('GET', target, { headers: { ...s.headers, ...headers }, agent: false });
  const counted = (id, n) => until(`${id} ${n}`, async () => (await usage())[id] === n);

  test('once per session and application, on the longest path; what is no navigation is no entry', async () => {
    assert.deepEqual(await usage(), { odr: 0, stats: 0, all: 0 });
    const [a, b] = [await makeSession(g), await makeSession(g, { person: 'city:bo', sub: 'bo' })];
    assert.equal((await enter(a, '/apps/odr/index', { accept: '*/*', 'sec-fetch-mode': 'cors' })).status, 200);
    assert.equal((await enter(a, '/apps/other/')).status, 200, 'no application has this path');
    for (let i = 0; i < 12; i++) assert.equal((await enter(a, '/apps/odr/index')).status, 200);
    await counted('odr', 1);
    await enter(a, '/apps/odr/elsewhere');
    await enter(a, '/apps/odr/stats/2026');
    await counted('stats', 1);
    await enter(b, '/apps/odr/index');
    await counted('odr', 2);
    await counted('all', 1);
    assert.deepEqual(await usage(), { odr: 2, stats: 1, all: 1 });
    assert.equal((await g.call('operator', 'GET', '/reports/burden')).json.totals.entries, 4);
    assert.equal((await g.call('operator', 'GET', '/reports/usage')).json.sign_ins, 2);
  });

  test('what a session has been to is gone with it; the counters name nobody', async () => {
    const s = await makeSession(g);
    await enter(s, '/apps/odr/index');
    await counted('odr', 3);
    await endSession(g, s);
    assert.equal((await g.redis.client.command('KEYS', `*:sa:${s.digest}`)).length, 0);
    const text = [];
    for (const key of await g.redis.client.command('KEYS', '*:day:*')) text.push(key, ...(await g.redis.client.command('HGETALL', key)));
    for (const word of ['mei', 'bo', 'street', '330106', s.digest]) assert.ok(!text.some((t) => String(t).split(':').includes(word)), word);
  });
});
