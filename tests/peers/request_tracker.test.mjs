/* SPDX-License-Identifier: Apache-2.0
 * Request Tracker behind the gateway: it shows its sign-in form in place of the page, with status 200,
 * writes whole addresses, and lives below another path than it knows itself by.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { until } from '../lib/nginx.mjs';
import { Person, startDoor } from './people.mjs';
import { startRt } from './rt.mjs';

const LM = { login: 'lm', password: 'Geheim-1!' };
const CG = { login: 'cg', password: 'Geheim-2!' };

let rt, g;

before(async () => {
  rt = await startRt({ lm: { password: LM.password, name: '李梅' }, cg: { password: CG.password, name: '陈工' } });
  g = await startDoor(`location /apps/rt/ { yimen_identity form system=rt; proxy_pass ${rt.origin}/; }`, {
    rt: {
      title: { zh: '工单', en: 'Tickets' },
      form: { origin: rt.origin, prefix: '/apps/rt/', page: '/', form: 'login', user: 'user', password: 'pass',
        signed_out: [{ status: '3xx', location: '/NoAuth/Login\\.html' }, { status: '200', body: '<form id="login" name="login"' }],
        logout: '/NoAuth/Logout.html' },
    },
  });
});
after(async () => {
  await g?.stop();
  await rt?.stop();
});

const page = async (person, target = '/apps/rt/') => {
  const r = await person.get(target);
  return { ...r, as: /<span[^>]*class="current-user"[^>]*>([^<]*)</.exec(r.body)?.[1] };
};

test('one sign-in at the gateway, then Request Tracker shows the name', async () => {
  const li = await Person.signedIn(g, 'limei');
  assert.equal((await page(li)).status, 403);
  await li.enter('rt', LM);
  const first = await page(li);
  assert.equal(first.status, 200, first.body);
  assert.equal(first.as, 'lm');
  assert.equal(first.headers['set-cookie'], undefined);
  assert.match((await page(li, '/apps/rt/Prefs/AboutMe.html')).body, /value="李梅"/);
  const chen = await Person.signedIn(g, 'chen');
  await chen.enter('rt', CG);
  assert.equal((await page(chen)).as, 'cg');
  assert.equal((await page(li)).as, 'lm');
});

test('forgotten: on a page that redirects and on one that shows the form in its place', async () => {
  const li = await Person.signedIn(g, 'limei');
  for (const target of ['/apps/rt/Prefs/AboutMe.html', '/apps/rt/']) {
    assert.equal((await page(li, target)).as, 'lm');
    await new Promise((done) => { setTimeout(done, 2200); });
    for (const f of fs.readdirSync(path.join(rt.dir, 'session'))) fs.rmSync(path.join(rt.dir, 'session', f), { force: true });
    const r = await page(li, target);
    assert.equal(r.status, 200);
    assert.equal(r.as, 'lm', target);
  }
});

test('a wrong password is tried once; signing out at the gateway signs out there', async () => {
  const chen = await Person.signedIn(g, 'chen');
  await chen.enter('rt', { login: 'cg', password: 'wrong' });
  for (let i = 0; i < 3; i++) assert.match((await page(chen)).body, /refused the login or password/);
  assert.equal(rt.log().match(/FAILED LOGIN for cg/g)?.length, 1, rt.log());
  const li = await Person.signedIn(g, 'limei');
  assert.equal((await page(li)).as, 'lm');
  const sessions = () => fs.readdirSync(path.join(rt.dir, 'session')).filter((f) => /^[0-9a-f]{32}$/.test(f));
  const then = sessions();
  await li.signOut();
  await until('a session is gone there', () => then.some((name) => !sessions().includes(name)), 20000);
});
