// SPDX-License-Identifier: Apache-2.0
// yimen token verify: holds, or the reason why not; exit codes; nothing of a token in what it says.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { AUDIENCE, ISSUER, claims, makeKey, makeToken } from '../lib/tokens.mjs';

const top = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const yimen = path.join(path.resolve(top, process.env.BUILD ?? 'build'), 'yimen');
const dir = mkdtempSync(path.join(tmpdir(), 'yimen-verify-'));
const key = makeKey('ES256');
const jwks = path.join(dir, 'jwks.json');
writeFileSync(jwks, JSON.stringify({ keys: [key.jwk] }));
const usual = ['--jwks', jwks, '--iss', ISSUER, '--aud', AUDIENCE];

after(() => rmSync(dir, { recursive: true, force: true }));

function verify(args, input = '') {
  return new Promise((done) => {
    const child = spawn(yimen, ['token', 'verify', ...args]);
    let out = '', err = '';
    child.stdout.on('data', (d) => { out += d; });
    child.stderr.on('data', (d) => { err += d; });
    child.on('close', (code) => done({ code, out, err }));
    child.stdin.on('error', () => {}); // a run that reads nothing may be gone already
    child.stdin.end(input);
  });
}

test('a good token holds, as an argument and from standard input', async () => {
  const token = makeToken(key, claims('mei', ['staff']));
  for (const [args, input] of [[[token]], [['-'], `${token}\n`]]) {
    const r = await verify([...usual, ...args], input);
    assert.equal(r.code, 0, r.err);
    assert.match(r.out, /^holds\n/);
    assert.match(r.out, /"sub": "mei"/);
  }
  const json = JSON.parse((await verify([...usual, '--json', token])).out);
  assert.equal(json.holds, true);
  assert.equal(json.claims.sub, 'mei');
});

test('a refused one says why, and nothing of itself', async () => {
  const good = claims('mei', ['staff']);
  const cases = [
    [makeToken(key, { ...good, exp: 1 }), /expired/],
    [makeToken(key, { ...good, iss: 'https://other.test' }), /another issuer/],
    [makeToken(key, { ...good, aud: 'other' }), /another audience/],
    [makeToken(key, good, { kid: 'other' }), /no key fits/],
    [makeToken(makeKey('ES256'), good), /signature does not hold/],
    [makeToken(key, good, { alg: 'none' }), /algorithm is not allowed/],
    [makeToken(key, good, { crit: ['x'] }), /header has crit/],
    [makeToken(key, good, { typ: 'logout+jwt' }), /another type/],
    [makeToken(key, { ...good, cnf: { jkt: 'x' } }), /bound to a key/],
    ['x'.repeat(20000), /three base64url parts/],
    ['', /three base64url parts/],
  ];
  for (const [token, reason] of cases) {
    const r = await verify([...usual, '-'], token);
    assert.equal(r.code, 1, `${reason}: ${r.out}${r.err}`);
    assert.match(r.out, /^refused: /);
    assert.match(r.out, reason);
    assert.doesNotMatch(r.out + r.err, /eyJ|mei/);
    const json = JSON.parse((await verify([...usual, '--json', '-'], token)).out);
    assert.equal(json.holds, false);
    assert.match(json.reason, reason);
  }
});

test('issuer and audience are checked only when given; algorithms and skew are settings', async () => {
  const token = makeToken(key, claims('mei', [], { iss: 'https://any.test', aud: 'any' }));
  assert.equal((await verify(['--jwks', jwks, token])).code, 0);
  assert.equal((await verify(['--jwks', jwks, '--alg', 'RS256,EdDSA', token])).code, 1);
  assert.equal((await verify(['--jwks', jwks, '--alg', 'RS256,ES256', token])).code, 0);
  const late = makeToken(key, claims('mei', [], { exp: Math.floor(Date.now() / 1000) - 20 }));
  assert.equal((await verify(['--jwks', jwks, late])).code, 0);
  assert.equal((await verify(['--jwks', jwks, '--skew', '0s', late])).code, 1);
  const oct = { kty: 'oct', kid: 'h', k: Buffer.alloc(32, 7).toString('base64url') };
  const file = path.join(dir, 'oct.json');
  writeFileSync(file, JSON.stringify({ keys: [oct] }));
  const hs = makeToken({ alg: 'HS256', kid: 'h', privateKey: Buffer.alloc(32, 7) }, claims('mei', []));
  assert.equal((await verify(['--jwks', file, '--alg', 'HS256', hs])).code, 0);
});

test('wrong usage is 2, a key set that cannot be read is 3', async () => {
  for (const args of [[], ['x'], ['--jwks', jwks], ['--jwks', jwks, 'a', 'b'], ['--what', 'x'], ['--jwks', jwks, '--skew', '1d', 'x'],
    ['--jwks', jwks, '--alg', '', 'x']]) {
    assert.equal((await verify(args)).code, 2, args.join(' '));
  }
  writeFileSync(path.join(dir, 'bad.json'), '{"keys":[]}');
  for (const file of ['missing.json', 'bad.json']) {
    assert.equal((await verify(['--jwks', path.join(dir, file), 'x'])).code, 3, file);
  }
});
