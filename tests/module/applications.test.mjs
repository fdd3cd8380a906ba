/* SPDX-License-Identifier: Apache-2.0
 * GET /applications: what a person may open, where, and whether his account there is known.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { LOCATIONS, note, startGateway, withSessions } from '../lib/gateway.mjs';
import { testNginx } from '../lib/nginx.mjs';
import { personDigest, shardOf } from '../lib/session.mjs';

const app = (name, more = {}) => ({ title: { zh: `${name}系统`, en: name }, ...more });
const form = { origin: 'http://127.0.0.1:1', page: '/login', user: 'user', password: 'pass' };

describe('applications', () => {
  let g;
  before(async () => {
    g = await startGateway({
      nginx: {
        env: { YIMEN_TEST_SERVICE: 'for-everybody' },
        server: `${LOCATIONS} location /old/ { yimen_auth on; yimen_identity basic system=basic; proxy_pass http://127.0.0.1:1; }`,
      },
      deploy: {
        auth: withSessions({}, {
          applications: {
            odr: app('odr', { form }),
            basic: app('basic', { path: '/old/' }),
            shared: app('shared', { form, service: { login: 'all', password: 'env:YIMEN_TEST_SERVICE' } }),
            plain: app('plain', { path: '/apps/plain/start?lang=zh' }),
            bosses: app('bosses', { roles: ['supervisor', 'admin'] }),
            town: app('town', { areas: ['330106003', '4401'] }),
            both: app('both', { roles: ['staff'], areas: ['330106004'] }),
          },
        }),
      },
    });
  });
  after(() => g?.stop());

  const list = async (who) => {
    const r = await g.call(who, 'GET', '/applications');
    assert.equal(r.status, 200, r.body);
    return r.json.items;
  };
  const one = async (who, id) => (await list(who)).find((i) => i.id === id);
  const ids = async (who) => (await list(who)).map((i) => i.id);

  test('each with its words, its address and what is known of the account', async () => {
    assert.deepEqual(await list('operator'), [
      { id: 'odr', title: { zh: 'odr系统', en: 'odr' }, href: '/apps/odr/', credentials: 'missing' },
      { id: 'basic', title: { zh: 'basic系统', en: 'basic' }, href: '/old/', credentials: 'missing' },
      { id: 'shared', title: { zh: 'shared系统', en: 'shared' }, href: '/apps/shared/', credentials: 'none' },
      { id: 'plain', title: { zh: 'plain系统', en: 'plain' }, href: '/apps/plain/start?lang=zh', credentials: 'none' },
    ]);
  });

  test('only those that one\'s role and area may open', async () => {
    const everybody = ['odr', 'basic', 'shared', 'plain'];
    assert.deepEqual(await ids('staff'), [...everybody, 'town']);
    assert.deepEqual(await ids('other'), [...everybody, 'both']);
    assert.deepEqual(await ids('supervisor'), [...everybody, 'bosses']);
    assert.deepEqual(await ids('auditor'), everybody);
  });

  test('entered, refused there, entered again, taken away: of this person alone', async () => {
    const account = { login: 'mei', password: 'Geheim-7' };
    assert.equal((await g.call('staff', 'PUT', '/vault/odr', { body: account })).status, 200);
    assert.equal((await one('staff', 'odr')).credentials, 'ok');
    assert.equal((await one('other', 'odr')).credentials, 'missing');
    const person = personDigest(g, 'mei');
    const key = `{s${shardOf(g, person)}}`;
    const [, since] = await g.redis.client.fcall('ym_vault_get', key, person, 'odr');
    assert.deepEqual(await g.redis.client.fcall('ym_vault_stale', key, person, 'odr', since, 'refused'), ['stale']);
    assert.equal((await one('staff', 'odr')).credentials, 'stale');
    const r = await g.call('staff', 'PUT', '/vault/odr', { body: account });
    assert.doesNotMatch(r.body, /Geheim|"login"/);
    assert.equal((await one('staff', 'odr')).credentials, 'ok');
    assert.equal((await g.call('staff', 'DELETE', '/vault/odr')).status, 204);
    assert.equal((await one('staff', 'odr')).credentials, 'missing');
  });

  test('nobody known sees none; there is only reading', async () => {
    assert.equal((await g.call(null, 'GET', '/applications')).status, 401);
    assert.equal((await g.call('admin', 'POST', '/applications', { body: note() })).status, 405);
  });
});

describe('configuration', () => {
  let g;
  before(async () => { g = await startGateway({ deploy: { auth: withSessions() } }); });
  after(() => g?.stop());

  test('without applications the list is empty', async () => {
    assert.deepEqual((await g.call('staff', 'GET', '/applications')).json, { items: [] });
  });

  for (const [name, more, words] of [
    ['an address of another site', { path: '//evil.test/' }, /path is an address of this site/],
    ['a whole address', { path: 'https://evil.test/' }, /path is an address of this site/],
    ['an address with a backslash', { path: '/\\evil.test' }, /path is an address of this site/],
    ['an unknown role', { roles: ['boss'] }, /roles is a list of staff/],
    ['a role that is no list', { roles: 'staff' }, /lists that name something/],
    ['an area of five digits', { areas: ['33010'] }, /areas is a list of 2, 4, 6, 9 or 12 digits/],
    ['an empty list', { areas: [] }, /lists that name something/],
  ]) {
    test(`${name}: refused`, async () => {
      const kept = g.deploy.auth;
      g.deploy.auth = { ...kept, applications: { a: app('a', more) } };
      g.deploy.write();
      const r = await testNginx({ http: `yimen_catalog ${g.deploy.file};`, server: LOCATIONS });
      g.deploy.auth = kept;
      assert.notEqual(r.code, 0);
      assert.match(r.text, words);
    });
  }
});
