// SPDX-License-Identifier: Apache-2.0
// The command `yimen`: exit codes, file:line of faults, exact bytes, tests as data, one record sent
// for commissioning, tokens another library can verify, dead deliveries listed and replayed.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import crypto from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startRedis } from '../lib/redis-server.mjs';

const top = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const yimen = path.join(path.resolve(top, process.env.BUILD ?? 'build'), 'yimen');
const dir = mkdtempSync(path.join(tmpdir(), 'yimen-cli-'));
const config = path.join(dir, 'yimen.yaml');

after(() => rmSync(dir, { recursive: true, force: true }));

function write(name, text) {
  const file = path.join(dir, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

// → {code, out, err}
function run(...args) {
  return new Promise((resolve) => {
    execFile(yimen, args, { cwd: dir, env: { ...process.env, LC_ALL: 'C.UTF-8', YIMEN_CONFIG: config, ALPHA_KEY: 'k-1' } },
      (error, out, err) => resolve({ code: error ? error.code : 0, out, err }));
  });
}

const adapter = `system: alpha
title: { zh: 甲, en: Alpha }
version: 1
verified: own-simulator
verified_against: tests
transport: http
takes: [note]
operations:
  create:
    method: POST
    path: /notes
    body: json
    headers: [ { to: X-Key, from: $secret.key, required: true } ]
    fields:
      - { to: ref, from: $ref }
      - { to: title, from: /data/title, required: true, max: 10 }
      - { to: phone, from: /data/phone, apply: [digits], max: 11 }
    lookup: find
    reply:
      format: json
      read: { number: { json: /no }, message: { json: /error } }
      outcomes:
        - { when: { status: 201, has: number }, then: ok }
        - { when: { status: 422 }, then: rejected }
        - { then: unknown }
  find:
    method: GET
    path: /notes/{ref}
    body: none
    idempotent: true
    reply:
      format: json
      read: { number: { json: /no } }
      outcomes:
        - { when: { status: 200, has: number }, then: ok }
        - { then: pending }
`;
const tests = `- name: a phone with dashes keeps its digits
  operation: create
  given: { record: { title: 标题, phone: "130-0000-0001" }, secrets: { key: k } }
  sends: golden/create.txt
  reply: { status: 201, text: '{"no":"A-1"}' }
  expect: { outcome: ok, number: A-1 }
- name: too long
  operation: create
  given: { record: { title: "12345678901" }, secrets: { key: k } }
  problems: [ "too_long /title 10" ]
- name: refused in words
  operation: create
  reply: { status: 422, text: '{"error":"重复"}' }
  expect: { outcome: rejected, message: 重复, number: '' }
- name: nothing that can be understood
  operation: create
  reply: { status: 200, text: '{}' }
  expect: { outcome: unknown }
- name: the answer is lost
  operation: create
  reply: { sent: no_reply }
  expect: { outcome: unknown }
- name: found
  operation: find
  given: { record: { title: t } }
  sends: golden/find.txt
  reply: { status: 200, text: '{"no":"A-1"}' }
  expect: { outcome: ok, number: A-1 }
- name: not found yet
  operation: find
  reply: { status: 404, text: '{}' }
  expect: { outcome: pending }
`;

let redis;
let server;
const seen = [];
let answer = () => ({ status: 201, body: { no: 'A-77' } });

before(async () => {
  redis = await startRedis({ functions: false });
  server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => { body += chunk; });
    request.on('end', () => {
      seen.push({ method: request.method, url: request.url, key: request.headers['x-key'], body });
      const { status, body: reply } = answer(request);
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(reply));
    });
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  write('yimen.yaml', `redis: "unix:${redis.socket}"\nshards: 2\nsystems_dir: adapters\nstate_dir: state\n`);
  write('types/note.json', JSON.stringify({
    $schema: 'https://json-schema.org/draft/2020-12/schema', 'x-label': { zh: '便签', en: 'Note' }, type: 'object',
    properties: { title: { type: 'string' }, phone: { type: 'string' } }, additionalProperties: false,
  }));
  write('codes/levels.csv', 'code,label,label_en\n01,一般,ordinary\n');
  write('crosswalks/level-digit.csv', 'from,to,label\n01,1,一般\n');
  write('adapters/alpha/adapter.yaml', adapter);
  write('adapters/alpha/tests/all.yaml', tests);
  write('adapters/alpha/tests/golden/create.txt', '');
  write('adapters/alpha/tests/golden/find.txt', '');
  write('systems/alpha.yaml', `enabled: true\nendpoint: "http://127.0.0.1:${server.address().port}"\nsecrets: { key: "env:ALPHA_KEY" }\n`);
  write('record.json', JSON.stringify({ type: 'note', data: { title: '标题', phone: '130-0000-0001' } }));
});

after(async () => {
  await new Promise((resolve) => { server.close(resolve); });
  await redis.stop();
});

test('help, unknown commands and options', async () => {
  const help = await run('--help');
  assert.equal(help.code, 0);
  for (const name of ['check', 'render', 'test', 'send', 'dead', 'reconcile', 'store', 'token', 'keys', 'reference']) {
    assert.match(help.out, new RegExp(`^  ${name} `, 'm'));
    const one = await run(name, '--help');
    assert.equal(one.code, 0);
    assert.match(one.out, new RegExp(`usage: yimen ${name}`));
  }
  assert.equal((await run()).code, 2);
  assert.equal((await run('dance')).code, 2);
  assert.equal((await run('check', '--colour')).code, 2);
  assert.equal((await run('render', 'alpha')).code, 2);
  assert.equal((await run('render', 'nobody', 'record.json')).code, 2);
  assert.equal((await run('check', '--config', '/nowhere.yaml')).code, 3);
});

test('test: a golden that differs fails with both lines, --update rewrites, then all pass', async () => {
  const first = await run('test', 'alpha');
  assert.equal(first.code, 1);
  assert.match(first.out, /^not ok 1 - alpha create: a phone with dashes/m);
  assert.match(first.out, /# .*all\.yaml:1$/m);
  assert.match(first.out, /# line 1 differs/);
  assert.match(first.out, /^ok 2 - alpha create: too long/m);
  assert.equal((await run('test', '--update')).code, 0);
  const golden = readFileSync(path.join(dir, 'adapters/alpha/tests/golden/create.txt'), 'utf8');
  assert.match(golden, /^POST http:\/\/alpha\.test\/notes\n/);
  assert.match(golden, /"phone":"13000000001"/);
  const again = await run('test');
  assert.equal(again.code, 0, again.out);
  assert.match(again.out, /^1\.\.7$/m);
  const json = JSON.parse((await run('test', '--json')).out);
  assert.equal(json.ok, true);
  assert.equal(json.run, 7);
});

test('test: a wrong expectation is named', async () => {
  write('adapters/alpha/tests/all.yaml', tests.replace('number: A-1 }', 'number: A-2 }'));
  const r = await run('test');
  assert.equal(r.code, 1);
  assert.match(r.out, /# number: expected "A-2", got "A-1"/);
  write('adapters/alpha/tests/all.yaml', tests.replace('"too_long /title 10"', '"too_long /title 9"'));
  assert.match((await run('test')).out, /# unexpected problem: too_long \/title 10/);
  write('adapters/alpha/tests/all.yaml', tests);
});

test('check: well, then each fault with file and line', async () => {
  const well = await run('check');
  assert.equal(well.code, 0, well.err);
  assert.match(well.out, /1 systems \(1 enabled\): no fault/);
  assert.deepEqual(JSON.parse((await run('check', '--json')).out), { ok: true, total: 0, faults: [] });

  write('adapters/alpha/adapter.yaml', adapter.replace('from: /data/title', 'form: /data/title'));
  const typo = await run('check');
  assert.equal(typo.code, 1);
  assert.match(typo.err, /adapter\.yaml:16:\d+: unknown key "form"; did you mean "from"\?/);
  const json = JSON.parse((await run('check', '--json')).out);
  assert.equal(json.ok, false);
  assert.equal(json.faults[0].line, 16);
  write('adapters/alpha/adapter.yaml', adapter);
});

test('check: an operation or a rule without a test is a fault', async () => {
  const kept = tests.split('- name: ').filter((t) => !t.startsWith('refused')).join('- name: ');
  write('adapters/alpha/tests/all.yaml', kept);
  const rule = await run('check');
  assert.equal(rule.code, 1);
  assert.match(rule.err, /adapter\.yaml:24:\d+: rule without a test/);
  write('adapters/alpha/tests/all.yaml', tests.slice(0, tests.indexOf('- name: found')));
  const operation = await run('check');
  assert.match(operation.err, /adapter\.yaml:26:\d+: operation without a test: "find"/);
  write('adapters/alpha/tests/all.yaml', `${tests}- name: proves nothing\n  operation: find\n`);
  assert.match((await run('check')).err, /this one proves nothing/);
  write('adapters/alpha/tests/all.yaml', tests);
});

test('render: exact bytes without a secret, lineage, problems', async () => {
  const r = await run('render', 'alpha', 'record.json', '--now', '2026-01-31T08:30:00+08:00');
  assert.equal(r.code, 0, r.err);
  assert.match(r.out, /^POST http:\/\/127\.0\.0\.1:\d+\/notes$/m);
  assert.match(r.out, /^X-Key: \(secret key\)$/m);
  assert.doesNotMatch(r.out, /k-1/);
  assert.match(r.out, /phone +<- \/data\/phone max 11/);
  const json = JSON.parse((await run('render', 'alpha', 'record.json', '--json')).out);
  assert.equal(json.ok, true);
  assert.deepEqual(json.fields.find((f) => f.to === 'title'), { table: 'fields', to: 'title', required: true, line: 16, from: '/data/title', max: 10 });
  write('long.json', JSON.stringify({ title: '12345678901' }));
  const long = await run('render', 'alpha', 'long.json', '--json');
  assert.equal(long.code, 1);
  assert.deepEqual(JSON.parse(long.out).problems, [{ pointer: '/title', code: 'too_long', systems: [], limit: 10 }]);
  assert.equal(seen.length, 0, 'nothing is sent');
});

test('send: for real, once, with the secret; the outcome decides the exit code', async () => {
  const r = await run('send', 'alpha', 'record.json', '--json');
  assert.equal(r.code, 0, r.err + r.out);
  const said = JSON.parse(r.out);
  assert.equal(said.outcome, 'ok');
  assert.equal(said.number, 'A-77');
  assert.equal(seen.length, 1);
  assert.equal(seen[0].key, 'k-1');
  assert.deepEqual(JSON.parse(seen[0].body), { ref: said.ref, title: '标题', phone: '13000000001' });

  answer = () => ({ status: 422, body: { error: '重复' } });
  const refused = await run('send', 'alpha', 'record.json');
  assert.equal(refused.code, 1);
  assert.match(refused.out, /alpha create: rejected/);
  assert.match(refused.out, /message +重复/);

  answer = () => ({ status: 200, body: {} });
  const unknown = await run('send', 'alpha', 'record.json', '--ref', said.ref);
  assert.equal(unknown.code, 1);
  assert.match(unknown.out, new RegExp(`--op find --ref ${said.ref}`));
  answer = () => ({ status: 200, body: { no: 'A-77' } });
  const found = await run('send', 'alpha', 'record.json', '--op', 'find', '--ref', said.ref);
  assert.equal(found.code, 0);
  assert.equal(seen.at(-1).url, `/notes/${said.ref}`);
});

// A system with a sign-in: the session is opened first, and once more when it is refused.
test('send: opens a session, renews a refused one once', async () => {
  const beta = `system: beta
title: { zh: 乙, en: Beta }
version: 1
verified: own-simulator
verified_against: tests
transport: http
takes: [note]
session: { open: sign_in, keep: { token: token }, lifetime: 20m }
operations:
  sign_in:
    method: POST
    path: /login
    body: none
    reply:
      read: { token: { json: /token } }
      outcomes: [ { when: { has: token }, then: ok }, { then: unavailable } ]
  create:
    method: POST
    path: /notes
    body: json
    headers: [ { to: X-Key, from: $session.token, required: true } ]
    fields: [ { to: title, from: /data/title } ]
    reply:
      read: { number: { json: /no } }
      outcomes: [ { when: { status: 401 }, then: reauth }, { when: { has: number }, then: ok }, { then: unknown } ]
`;
  write('adapters/beta/adapter.yaml', beta);
  write('systems/beta.yaml', `enabled: true\nendpoint: "http://127.0.0.1:${server.address().port}"\n`);
  let logins = 0;
  const from = seen.length;
  answer = (request) => {
    if (request.url === '/login') return { status: 200, body: { token: `t${++logins}` } };
    return request.headers['x-key'] === 't2' ? { status: 201, body: { no: 'B-1' } } : { status: 401, body: {} };
  };
  const good = await run('send', 'beta', 'record.json', '--json');
  assert.equal(good.code, 0, good.err + good.out);
  assert.equal(JSON.parse(good.out).number, 'B-1');
  assert.deepEqual(seen.slice(from).map((s) => `${s.url} ${s.key ?? ''}`.trim()), ['/login', '/notes t1', '/login', '/notes t2']);
  answer = (request) => (request.url === '/login' ? { status: 200, body: { token: 'never' } } : { status: 401, body: {} });
  const refused = await run('send', 'beta', 'record.json', '--json');
  assert.equal(refused.code, 1);
  assert.equal(JSON.parse(refused.out).outcome, 'reauth');
  answer = () => ({ status: 500, body: {} });
  const locked = await run('send', 'beta', 'record.json');
  assert.equal(locked.code, 3);
  assert.match(locked.err, /sign_in: beta answers "unavailable"/);
  rmSync(path.join(dir, 'adapters/beta'), { recursive: true });
  rmSync(path.join(dir, 'systems/beta.yaml'));
});

test('keys and token: 0600, never overwritten, verifiable by another library', async () => {
  const made = await run('keys', 'new', 'keys');
  assert.equal(made.code, 0, made.err);
  const pem = path.join(dir, 'keys/key.pem');
  assert.equal(statSync(pem).mode & 0o777, 0o600);
  const before_ = readFileSync(pem, 'utf8');
  assert.equal((await run('keys', 'new', 'keys')).code, 3);
  assert.equal(readFileSync(pem, 'utf8'), before_);

  const { keys: [jwk] } = JSON.parse(readFileSync(path.join(dir, 'keys/jwks.json'), 'utf8'));
  assert.equal(jwk.d, undefined);
  const r = await run('token', '--sub', 'op-1', '--role', 'operator,auditor', '--area', '330106', '--org', 'o', '--iss', 'https://i.test',
    '--aud', 'yimen', '--ttl', '10m', '--key', pem);
  assert.equal(r.code, 0, r.err);
  const [head, body, signature] = r.out.trim().split('.');
  const decode = (s) => JSON.parse(Buffer.from(s, 'base64url').toString());
  assert.equal(decode(head).alg, 'ES256');
  assert.equal(decode(head).kid, jwk.kid);
  const claims = decode(body);
  assert.deepEqual(claims.roles, ['operator', 'auditor']);
  assert.equal(claims.exp - claims.iat, 600);
  assert.equal(claims.sub, 'op-1');
  const key = crypto.createPublicKey({ key: jwk, format: 'jwk' });
  assert.ok(crypto.verify('sha256', Buffer.from(`${head}.${body}`), { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url')));
  // the thumbprint of RFC 7638
  const canonical = JSON.stringify({ crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y });
  assert.equal(jwk.kid, crypto.createHash('sha256').update(canonical).digest('base64url'));

  const rsa = write('rsa.pem', crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }));
  chmodSync(rsa, 0o600);
  const rs = (await run('token', '--sub', 's', '--role', 'staff', '--key', rsa)).out.trim().split('.');
  assert.equal(decode(rs[0]).alg, 'RS256');
  assert.ok(crypto.verify('sha256', Buffer.from(`${rs[0]}.${rs[1]}`), crypto.createPublicKey(readFileSync(rsa)), Buffer.from(rs[2], 'base64url')));

  const secret = write('secret', `${'s'.repeat(32)}\n`);
  assert.equal((await run('token', '--sub', 's', '--role', 'staff', '--key', secret, '--alg', 'HS256')).code, 3, 'others may read it');
  chmodSync(secret, 0o600);
  const hs = (await run('token', '--sub', 's', '--role', 'staff', '--key', secret, '--alg', 'HS256')).out.trim().split('.');
  assert.equal(hs[2], crypto.createHmac('sha256', 's'.repeat(32)).update(`${hs[0]}.${hs[1]}`).digest('base64url'));
  writeFileSync(secret, 'short');
  assert.equal((await run('token', '--sub', 's', '--role', 'staff', '--key', secret, '--alg', 'HS256')).code, 1);
  assert.equal((await run('token', '--sub', 's', '--role', 'staff', '--key', pem, '--ttl', '90d')).code, 1);
  assert.equal((await run('token', '--sub', 's')).code, 2);
});

// A delivery that gave up, made through the store's own functions.
async function dead(id) {
  const shard = `{s${'0123456789ABCDEFGHJKMNPQRSTVWXYZ'.indexOf(id.at(-1))}}`;
  const call = (fn, ...args) => redis.client.command('FCALL', fn, '1', shard, ...args.map(String));
  const envelope = JSON.stringify({ at: '2026-01-31T08:30:00.000+08:00', by: 'u', data: { title: 't' } });
  assert.equal((await call('ym_accept', id, envelope, 'note', 'u', 'o', '330106', '', '', 1, 'alpha', 'q', 0))[0], 'created');
  const [epoch] = await call('ym_attach', 'alpha', 'test');
  const [, , , entry] = await call('ym_claim', 'alpha', 'test', epoch, 10, 0);
  const problem = JSON.stringify({ code: 'gave_up', message: '系统繁忙', at: 1 });
  assert.equal((await call('ym_settle', 'alpha', 'test', epoch, entry[0], id, entry[3], 'x', 0, '', '', 0, problem, ''))[0], 'ok');
}

test('store, dead, reconcile against a real Redis', async () => {
  const early = await run('dead', 'list');
  assert.equal(early.code, 3, 'no function library yet');
  const load = await run('store', 'load');
  assert.equal(load.code, 0, load.err);
  assert.equal((await run('store', 'load')).code, 0, 'safe to repeat');
  const ids = ['01KG9N4T2B0000000000000000', '01KG9N4T2B0000000000000001'];
  for (const id of ids) await dead(id);

  const list = JSON.parse((await run('dead', 'list', '--json')).out);
  assert.equal(list.count, 2);
  assert.deepEqual(list.deliveries.map((d) => d.id).sort(), ids);
  assert.equal(list.deliveries[0].state, 'dead');
  assert.equal(list.deliveries[0].problem.message, '系统繁忙');
  assert.match((await run('dead', 'list', 'alpha')).out, /gave_up: 系统繁忙[\s\S]*2 deliveries/);
  const status = JSON.parse((await run('store', 'status', '--json')).out);
  assert.equal(status.systems.alpha.dead, 2);

  assert.equal((await run('dead', 'replay', 'alpha')).code, 2, 'a reason is needed');
  const dry = JSON.parse((await run('dead', 'replay', 'alpha', '--dry-run', '--json')).out);
  assert.equal(dry.count, 2);
  assert.equal(JSON.parse((await run('dead', 'list', '--json')).out).count, 2);
  assert.equal((await run('dead', 'list', '--state', 'asleep')).code, 2);
  const replay = await run('dead', 'replay', 'alpha', '--why', 'system repaired');
  assert.equal(replay.code, 0, replay.err);
  assert.match(replay.out, /2 deliveries are queued again/);
  assert.equal(JSON.parse((await run('dead', 'list', '--json')).out).count, 0);
  const audit = await redis.client.command('XRANGE', '{s0}:audit', '-', '+');
  assert.match(JSON.stringify(audit), /system repaired/);
  assert.match(JSON.stringify(audit), /cli:/);

  const nothing = await run('reconcile', '--json');
  assert.equal(nothing.code, 0, nothing.err);
  await redis.client.command('DEL', '{s0}:q:alpha');
  const repaired = JSON.parse((await run('reconcile', '--json')).out);
  assert.ok(repaired.repaired >= 1, JSON.stringify(repaired));
  assert.ok(repaired.list.some((r) => r.system === 'alpha'));
});

test('reference prints Markdown tables', async () => {
  for (const part of ['site', 'settings', 'functions', 'transports', 'schema']) {
    const r = await run('reference', part);
    assert.equal(r.code, 0);
    assert.match(r.out, /^\|/m);
  }
  assert.equal((await run('reference', 'nothing')).code, 2);
});

test('report: who asks for the same, for people, as JSON and as a table', async () => {
  assert.equal((await run('report')).code, 2);
  assert.equal((await run('report', 'people')).code, 2);
  assert.equal((await run('report', 'redundancy', '--type', 'nothing')).code, 1);
  const [{ type, systems }] = JSON.parse((await run('report', 'redundancy', '--json')).out).types;
  assert.equal(type, 'note');
  assert.equal(systems[0].id, 'alpha');
  const csv = (await run('report', 'redundancy', '--csv')).out;
  assert.match(csv, /^\ufefftype,pointer,field,asked_by,required_by,alpha\r\n/);
  assert.match((await run('report', 'redundancy', '--lang', 'en')).out, /Alpha/);
});

test('report: burden and usage out of the store\'s counters', async () => {
  const day = Math.floor((Date.now() + 28800000) / 86400000);
  await redis.client.command('HSET', `{s0}:day:${day}`, 'filed:note', 2, 'typed:note', 10, 'arrived:alpha:note', 2, 'fields:alpha:note', 26, 'signin', 3, 'entry:odr', 5, 'filed:feedback', 9);
  const { totals } = JSON.parse((await run('report', 'burden', '--json')).out);
  assert.deepEqual([totals.typed, totals.delivered, totals.saved, totals.sign_ins_saved], [10, 26, 16, 2]);
  assert.match((await run('report', 'burden')).out, /26 fields delivered, 16 not typed again/);
  assert.match((await run('report', 'usage', '--csv')).out, /,odr,odr,5,0\r\n/);
  assert.equal((await run('report', 'usage', '--from', 'yesterday')).code, 1);
});

test('test --record keeps what the tests said, of one system beside the others', async () => {
  const state = path.join(dir, 'state');
  const r = await run('test', '--record', 'alpha');
  assert.equal(r.code, 0, r.out + r.err);
  const file = path.join(state, 'adapter-tests.json');
  const kept = JSON.parse(readFileSync(file, 'utf8'));
  assert.ok(kept.alpha.items.length > 0 && kept.alpha.items.every((i) => typeof i.ok === 'boolean'));
  assert.equal(kept.alpha.digest, crypto.createHash('sha256').update(readFileSync(path.join(dir, 'adapters/alpha/adapter.yaml'))).digest('hex'));
  writeFileSync(file, JSON.stringify({ other: { at: 1 } }));
  await run('test', '--record', 'alpha');
  const both = JSON.parse(readFileSync(file, 'utf8'));
  assert.deepEqual([both.other, both.alpha.version], [{ at: 1 }, 1]);
});
