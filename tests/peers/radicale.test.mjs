/* SPDX-License-Identifier: Apache-2.0
 * A Basic application and one with a trusted header, behind the gateway: one sign-in there, and each
 * knows the person.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Person, startDoor } from './people.mjs';
import { principal, startRadicale } from './radicale.mjs';

let basic, header, g;

before(async () => {
  [basic, header] = await Promise.all([startRadicale({ lm: 'Geheim-1!', cg: 'Geheim-2!' }), startRadicale(null)]);
  g = await startDoor(
    `location /apps/calendar/ { yimen_identity basic system=calendar; proxy_set_header X-Script-Name /apps/calendar; proxy_pass ${basic.origin}/; }
     location /apps/dates/ { yimen_identity headers user=X-Remote-User; proxy_set_header X-Script-Name /apps/dates; proxy_pass ${header.origin}/; }`,
    { calendar: { title: { zh: '日历', en: 'Calendar' } } });
});
after(async () => {
  await g?.stop();
  await basic?.stop();
  await header?.stop();
});

test('a trusted header: the name of who is signed in, whatever the client says', async () => {
  const li = await Person.signedIn(g, 'limei');
  assert.equal((await principal(li, '/apps/dates/')).name, 'limei');
  li.headers['x-remote-user'] = 'chen';
  li.headers['X_Remote_User'] = 'chen';
  assert.equal((await principal(li, '/apps/dates/')).name, 'limei');
  assert.equal((await principal(await Person.signedIn(g, 'chen'), '/apps/dates/')).name, 'chen');
});

test('Basic from the vault: nothing entered, entered, wrong, entered anew', async () => {
  const li = await Person.signedIn(g, 'limei');
  const none = await principal(li, '/apps/calendar/');
  assert.equal(none.status, 403);
  assert.equal(none.headers['www-authenticate'], undefined, 'the browser is not to ask for a password');
  await li.enter('calendar', { login: 'lm', password: 'Geheim-1!' });
  assert.equal((await principal(li, '/apps/calendar/')).name, 'lm');
  const chen = await Person.signedIn(g, 'chen');
  assert.equal((await principal(chen, '/apps/calendar/')).status, 403);
  await chen.enter('calendar', { login: 'cg', password: 'Geheim-2!' });
  assert.equal((await principal(chen, '/apps/calendar/')).name, 'cg');
  assert.equal((await principal(li, '/apps/calendar/')).name, 'lm');
  li.headers.authorization = undefined;
  assert.doesNotMatch(basic.log() + header.log(), /Geheim/);
});
