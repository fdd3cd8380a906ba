/* SPDX-License-Identifier: Apache-2.0
 * Redmine behind the gateway, below /apps/redmine: a Rails form with an authenticity token, cookies
 * that change with every answer, a password that has expired, and a sign-out by a button.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { until } from '../lib/nginx.mjs';
import { run } from './peer.mjs';
import { Person, startDoor } from './people.mjs';
import { startRedmine } from './redmine.mjs';

const LM = { login: 'lm', password: 'Geheim-1!' };
const CG = { login: 'cg', password: 'Geheim-2!' };

let redmine, g;

before(async () => {
  redmine = await startRedmine({ lm: { password: LM.password, name: ['梅', '李'] }, cg: { password: CG.password, name: ['工', '陈'] }, old: { password: 'Geheim-3!', name: ['Old', 'Password'], must: true } });
  g = await startDoor(`location /apps/redmine/ { yimen_identity form system=redmine; proxy_pass ${redmine.origin}; }`, {
    redmine: {
      title: { zh: '项目管理', en: 'Projects' },
      form: { origin: redmine.origin, host: 'yimen.example', page: '/apps/redmine/login', user: 'username', password: 'password',
        expired_password: { location: '/my/password' }, logout: '/apps/redmine/logout', by_hand: 'https://redmine.example/login' },
    },
  });
});
after(async () => {
  await g?.stop();
  await redmine?.stop();
});

const sql = (text) => run('python3', ['-c', 'import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], timeout=10)\nprint(c.execute(sys.argv[2]).fetchall())\nc.commit()', path.join(redmine.dir, 'redmine.sqlite3'), text]);
const page = async (person, target = '/apps/redmine/my/page') => {
  const r = await person.get(target);
  return { ...r, as: /Logged in as <a[^>]*>(\w+)<\/a>/.exec(r.body)?.[1] };
};

test('one sign-in at the gateway, then Redmine shows who it is', async () => {
  const li = await Person.signedIn(g, 'limei');
  const none = await page(li);
  assert.equal(none.status, 403);
  assert.match(none.body, /Projects.*has not been entered/s);
  await li.enter('redmine', LM);
  const first = await page(li);
  assert.equal(first.status, 200, first.body);
  assert.equal(first.as, 'lm');
  assert.equal(first.headers['set-cookie'], undefined, 'its cookies stay at the gateway');
  const chen = await Person.signedIn(g, 'chen');
  await chen.enter('redmine', CG);
  const both = await Promise.all(Array.from({ length: 10 }, (_, i) => page(i % 2 ? li : chen)));
  assert.deepEqual(both.map((r) => r.as), Array.from({ length: 10 }, (_, i) => (i % 2 ? 'lm' : 'cg')));
});

test('forms of Redmine work: its token is in the page, its session in the jar', async () => {
  const li = await Person.signedIn(g, 'limei');
  const account = await page(li, '/apps/redmine/my/account');
  const form = /<form[^>]*id="my_account_form"[^]*?<\/form>/.exec(account.body)[0];
  const hidden = Object.fromEntries([...form.matchAll(/<input[^>]*type="hidden"[^>]*>/g)].map(([tag]) => [/name="([^"]*)"/.exec(tag)?.[1], /value="([^"]*)"/.exec(tag)?.[1]]).filter(([k]) => k && !/\[\]$/.test(k)));
  const r = await li.post('/apps/redmine/my/account', { ...hidden, 'user[firstname]': '小梅', 'user[lastname]': '李', 'user[mail]': 'lm@yimen.test' });
  assert.equal(r.status, 302, r.body);
  assert.match((await page(li, '/apps/redmine/my/account')).body, /value="小梅"/);
  const forged = await li.post('/apps/redmine/my/account', { ...hidden, authenticity_token: 'wrong', 'user[firstname]': 'X' });
  assert.equal(forged.status, 422);
});

test('Redmine has forgotten the person: the same page comes all the same', async () => {
  const li = await Person.signedIn(g, 'limei');
  assert.equal((await page(li)).as, 'lm');
  await new Promise((done) => { setTimeout(done, 2200); });
  await sql("DELETE FROM tokens WHERE action = 'session'");
  const r = await page(li, '/apps/redmine/my/page?x=1');
  assert.equal(r.status, 200);
  assert.equal(r.as, 'lm');
});

test('an expired password is for the person: a page says so', async () => {
  const chen = await Person.signedIn(g, 'chen');
  await chen.enter('redmine', { login: 'old', password: 'Geheim-3!' });
  const r = await page(chen);
  assert.equal(r.status, 403, r.body);
  assert.match(r.body, /new password/);
  assert.match(r.body, /href="https:\/\/redmine\.example\/login"/);
});

test('a wrong password is tried once', async () => {
  const chen = await Person.signedIn(g, 'chen');
  await chen.enter('redmine', { login: 'cg', password: 'wrong' });
  const before_ = fs.readFileSync(path.join(redmine.dir, 'log/production.log'), 'utf8').match(/Started POST "\/apps\/redmine\/login"/g).length;
  for (let i = 0; i < 4; i++) assert.match((await page(chen)).body, /refused the login or password/);
  const log = fs.readFileSync(path.join(redmine.dir, 'log/production.log'), 'utf8');
  assert.equal(log.match(/Started POST "\/apps\/redmine\/login"/g).length, before_ + 1);
  assert.doesNotMatch(log + g.nginx.log(), /Geheim|"password"=>"wrong"/);
});

test('signing out at the gateway signs out of Redmine', async () => {
  const li = await Person.signedIn(g, 'limei');
  assert.equal((await page(li)).as, 'lm');
  const sessions = () => sql("SELECT count(*) FROM tokens t JOIN users u ON u.id = t.user_id WHERE t.action = 'session' AND u.login = 'lm'");
  assert.notEqual((await sessions()).trim(), '[(0,)]');
  await li.signOut();
  await until('no session at Redmine', async () => (await sessions()).trim() === '[(0,)]', 20000);
  assert.equal((await page(li)).status, 303, 'and at the gateway');
});
