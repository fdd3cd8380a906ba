/* SPDX-License-Identifier: Apache-2.0
 * A gateway with local accounts, made by `yimen user`, and one-time codes as an app makes them.
 */
import { spawn } from 'node:child_process';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import path from 'node:path';
import { startGateway, withSessions } from './gateway.mjs';
import { TOP } from './nginx.mjs';

export const YIMEN = path.join(path.resolve(TOP, process.env.BUILD ?? 'build'), 'yimen');
export const PASSWORD = 'gate-7-moon-river';

/* Cheap hashes and patient counters, unless a test is about them. */
export const LOCAL = { scrypt_log_n: '10', free_tries: '100', address_tries: '1000000' };

export const cli = (deploy, args, input) => run('user', [...args, '--config', deploy.file], input);

/* `yimen COMMAND ARGS` → {code, out, err} */
export function run(command, args, input = '') {
  return new Promise((done) => {
    const child = spawn(YIMEN, [command, ...args], { env: { ...process.env, LC_ALL: 'C.UTF-8' } });
    let out = '', err = '';
    child.stdout.on('data', (d) => { out += d; });
    child.stderr.on('data', (d) => { err += d; });
    child.on('close', (code) => done({ code, out, err }));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

/* accounts: {login: {roles, password, …options of `yimen user add`}} → gateway with .user(login) = id */
export async function startAccounts(accounts = { limei: { roles: 'staff,admin' } }, options = {}) {
  const g = await startGateway({
    ...options,
    deploy: { ...options.deploy, auth: withSessions(options.session ?? {}, { local: { ...LOCAL, ...options.local }, ...options.auth }) },
  });
  g.ids = {};
  g.add = async (login, { password = PASSWORD, temporary, ...more } = {}) => {
    const args = Object.entries({ roles: 'staff', ...more }).flatMap(([k, v]) => [`--${k}`, v]);
    const r = await cli(g.deploy, ['add', login, ...args, ...(temporary ? ['--temporary'] : []), '--json'], `${password}\n`);
    assert.equal(r.code, 0, r.err + r.out);
    g.ids[login] = JSON.parse(r.out).id;
    return g.ids[login];
  };
  g.cli = (args, input) => cli(g.deploy, args, input);
  try {
    for (const [login, more] of Object.entries(accounts)) await g.add(login, more);
  } catch (e) {
    await g.stop();
    throw e;
  }
  return g;
}

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/* RFC 6238, made without the code under test. */
export function code(secret, offset = 0, now = Date.now()) {
  let bits = '';
  for (const c of secret.replace(/\s/g, '')) bits += BASE32.indexOf(c).toString(2).padStart(5, '0');
  const key = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(now / 30000) + offset));
  const mac = crypto.createHmac('sha1', key).update(counter).digest();
  const at = mac[19] & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1000000).padStart(6, '0');
}

/* Switches the second factor on for who is signed in → {secret, codes} */
export async function enrol(browser, password = PASSWORD) {
  const page = await browser.get('/auth/totp');
  assert.equal(page.status, 200, page.body);
  const secret = /id="secret">([A-Z2-7 ]+)</.exec(page.body)[1].replaceAll(' ', '');
  const r = await browser.submit({ code: code(secret, -1), password });
  assert.equal(r.status, 200, browser.alert);
  return { secret, codes: [...r.body.matchAll(/<li>([a-z2-7-]{19})<\/li>/g)].map((m) => m[1]) };
}
