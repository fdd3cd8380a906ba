/* SPDX-License-Identifier: Apache-2.0
 * Personal data at rest: disputes of named people go through the whole stack, with everything that
 * can be done to them, and then neither Redis nor any file outside the legacy platforms holds a name,
 * an identity number, a telephone number or a word of what was told.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connect } from '../lib/redis.mjs';
import { dump } from '../lib/ring.mjs';
import { dispute, openStack } from './stack_helper.mjs';

/* GB 11643: 17 digits and a check digit; births before 1900, so that nobody alive has such a number */
const idNo = (digits) => digits + '10X98765432'[[...digits].reduce((sum, d, i) => sum + Number(d) * (2 ** (17 - i) % 11), 0) % 11];

const PEOPLE = [
  { name: '欧阳春晓', id_no: idNo('33010618990707071'), phone: '13000004711', address: '凤起苑甲区九幢', told: '邻居每晚十点以后装修' },
  { name: '尉迟明月', id_no: idNo('33010618951231252'), phone: '13000004712', address: '望江弄二十一号', told: '押金一直没有退还' },
];
const WORDS = { why: '上官小雨来电说是误会', told2: '双方约定周五再谈', purpose: '慕容主任核对投诉', answer: '司徒先生已登记' };
const needles = () => [
  ...PEOPLE.flatMap((p) => Object.values(p)), ...Object.values(WORDS), '欧阳', '尉迟', '上官', '慕容', '司徒',
];

/* The same text in the encodings that platforms use. */
const forms = (text) => [Buffer.from(text), ...gb(text)];
const GB = new Map();
function gb(text) {
  if (GB.size === 0) {
    const decoder = new TextDecoder('gb18030');
    for (let lead = 0x81; lead <= 0xfe; lead++) {
      for (let trail = 0x40; trail <= 0xfe; trail++) if (trail !== 0x7f) GB.set(decoder.decode(Uint8Array.of(lead, trail)), Buffer.from([lead, trail]));
    }
  }
  return /^[\x20-\x7e]+$/.test(text) ? [] : [Buffer.concat([...text].map((c) => GB.get(c) ?? Buffer.from(c)))];
}

function files(dir) {
  return readdirSync(dir).flatMap((name) => {
    const file = join(dir, name);
    const st = statSync(file, { throwIfNoEntry: false });
    if (!st || st.isSocket()) return [];
    return st.isDirectory() ? files(file) : st.isFile() ? [file] : [];
  });
}

describe('personal data at rest', () => {
  let s;
  before(async () => { s = await openStack({ expected: [/event=record\./] }); });
  after(() => s.close());

  const body = (p, targets) => dispute({
    title: `${p.name}反映的纠纷`, summary: `${p.name}(电话${p.phone}):${p.told}。`,
    place: { area12: '330106001002', grid_code: '330106001002003', address: p.address, lon: 120.1, lat: 30.2, coord_sys: 'cgcs2000' },
    parties: [
      { role: 'applicant', kind: 'person', name: p.name, id_type: '111', id_no: p.id_no, sex: '1', birth: `${p.id_no.slice(6, 10)}-${p.id_no.slice(10, 12)}-${p.id_no.slice(12, 14)}`, ethnic: '01', person_type: '15', phone: p.phone, address: p.address, domicile: '示例镇', occupation: '务工' },
      { role: 'respondent', kind: 'org', name: '示例建筑有限公司', org_code: '91000000MA00000157', org_legal: '测试乙', phone: '13000000002', address: '示例镇示例路1号' },
    ],
  }, targets);

  test('what is done to records: filed, found, changed, refused, resolved, revealed, withdrawn', async () => {
    const config = readFileSync(s.info.config, 'utf8');
    assert.match(config, /ring:/, 'the stack has a key ring');
    const one = await s.file(body(PEOPLE[0]), 10);
    await s.behave('zj-odr', 'reject', { message: WORDS.answer });
    const two = await s.file(body(PEOPLE[1], ['zj-odr', 'people-mediation']), 10);
    await s.behave('zj-odr', 'normal');
    await s.behave('people-mediation', 'down');
    const found = await s.api('staff', `/records?key.phone=${PEOPLE[0].phone}`);
    assert.deepEqual(found.json?.items?.map((r) => r.id), [one.id], found.text);
    const patched = await s.api('staff', `/records/${one.id}`, { method: 'PATCH', headers: { 'If-Match': '"1"' }, body: { data: { summary: `${PEOPLE[0].name}:${WORDS.told2}` } } });
    assert.equal(patched.status, 200, patched.text);
    const shown = await s.post('operator', `/records/${one.id}/reveal`, { purpose: WORDS.purpose });
    assert.equal(shown.json?.data?.parties?.[0]?.name, PEOPLE[0].name, shown.text);
    assert.equal((await s.post('operator', '/systems/village-admin/pause', { reason: WORDS.why })).status, 200);
    assert.equal((await s.post('operator', '/systems/village-admin/resume', { reason: WORDS.why })).status, 200);
    await s.behave('people-mediation', 'normal');
    assert.equal((await s.post('staff', `/records/${two.id}/withdraw`, { reason: WORDS.why })).status, 200);
    /* nonsense that a careless log would print */
    await s.api('staff', `/records?key.phone=${PEOPLE[1].phone}&limit=${encodeURIComponent(PEOPLE[1].name)}`);
    await s.api('staff', `/records/${encodeURIComponent(PEOPLE[1].name)}`);
    await s.api('staff', '/records', { method: 'POST', body: { type: 'dispute', data: { title: PEOPLE[1].name, parties: PEOPLE[1].phone } } });
    await s.api('staff', '/records', { method: 'POST', raw: `{"type": "${PEOPLE[0].name}`, headers: { 'Content-Type': 'application/json' } });
    /* and it is all still there for those who may see it */
    const mine = await s.record(one.id);
    assert.match(JSON.stringify(mine.data), new RegExp(PEOPLE[0].phone));
    const audit = (await s.api('auditor', '/audit?limit=200')).json.items.map((e) => e.why);
    for (const w of [WORDS.why, WORDS.purpose]) assert.ok(audit.includes(w), w);
  });

  test('no trace in Redis: no key, no value, no file of it', async () => {
    const client = await connect(s.info.redis_socket);
    const all = await dump(client);
    assert.ok(all.length > 10000);
    for (const word of needles()) assert.ok(!all.includes(word), `${word} stands in Redis`);
    await client.command('SAVE');
    client.close();
  });

  test('no trace in any file of the stack: AOF, RDB, state, evidence, logs, configuration', async () => {
    /* what the archivist has taken is on disk */
    for (let i = 0; i < 200 && !/"what":"reveal"/.test((await s.tool('audit', 'export')).stdout); i++) await new Promise((r) => { setTimeout(r, 50); });
    const verified = await s.tool('audit', 'verify');
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
    const lab = /^(lab\/|log\/lab)/;
    const seen = [];
    for (const file of files(s.dir)) {
      const name = file.slice(s.dir.length + 1);
      if (lab.test(name)) continue;
      const bytes = readFileSync(file);
      seen.push(name);
      for (const word of needles()) for (const form of forms(word)) assert.ok(bytes.indexOf(form) < 0, `${word} stands in ${name}`);
    }
    for (const part of [/appendonly|\.aof/, /\.rdb$/, /state\/audit\/.*\.jsonl$/, /log\/nginx-error/, /log\/dispatcher/]) assert.ok(seen.some((f) => part.test(f)), `${part} among ${seen}`);
  });

  test('K181 no token, key, password or session in any log', () => {
    const secrets = [...Object.entries(s.info).filter(([k]) => k.endsWith('_token')).map(([, v]) => v)];
    const ring = JSON.parse(readFileSync(join(s.dir, 'keys/ring.json'), 'utf8'));
    secrets.push(...ring.keys.map((k) => k.k));
    for (const account of Object.values(s.info.accounts ?? {})) secrets.push(account.password);
    for (const file of files(join(s.dir, 'log'))) {
      const text = readFileSync(file, 'utf8');
      for (const secret of secrets) {
        assert.ok(!text.includes(secret), `a secret stands in ${file}`);
        if (secret.split('.').length === 3) assert.ok(!text.includes(secret.split('.')[2]), `a signature stands in ${file}`);
      }
      assert.doesNotMatch(text, /eyJ[A-Za-z0-9_-]{10,}\.eyJ/, file);
    }
  });
});
