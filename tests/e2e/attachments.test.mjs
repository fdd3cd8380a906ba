/* SPDX-License-Identifier: Apache-2.0
 * One photo, filed once: byte for byte at every platform that takes photos, and nowhere in plain on our
 * own disk. What a platform would refuse is said before anything is filed.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { jpeg, pdf, png } from '../lib/pictures.mjs';
import { dispute, openStack, QUICK } from './stack_helper.mjs';

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const TWO = ['patrol-app', 'zj-odr'];

describe('attachments at the platforms', () => {
  let s;
  before(async () => { s = await openStack({ settings: { ...QUICK, timeout: '15s' }, systems: [...TWO, 'data-commons'], expected: [/event=record\.unreadable/] }); });
  after(() => s?.close());

  async function upload(bytes, name, type) {
    const r = await s.api('staff', '/attachments', { method: 'POST', raw: bytes,
      headers: { 'content-type': type, 'content-disposition': `attachment; filename*=UTF-8''${encodeURIComponent(name)}` } });
    assert.equal(r.status, 201, r.text);
    return r.json;
  }

  const filed = (files, targets = TWO, more = {}) => ({ ...dispute(more, targets), attachments: files.map(({ id }) => ({ id })) });
  const files = async (system, id) => (await s.kept(system, id))[0].content.附件;
  const blobs = () => readdirSync(join(s.dir, 'state/attachments'), { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile()).map((e) => join(e.parentPath ?? e.path, e.name));

  let id;
  const photo = jpeg(600_000);
  const paper = pdf();
  test('a photo arrives byte-identical at both; a document only where documents are taken', async () => {
    const list = [await upload(photo, '现场 照片.jpg', 'image/jpeg'), await upload(paper, '协议.pdf', 'application/pdf')];
    const record = await s.file(filed(list, [...TWO, 'data-commons']), 20);
    id = record.id;
    await s.settled(id, 'delivered', (d) => Object.values(d).every((x) => x.state === 'delivered'), 30);
    const one = { name: '现场 照片.jpg', size: photo.length, sha256: sha256(photo) };
    assert.deepEqual(await files('patrol-app', id), [one]);
    assert.deepEqual(await files('zj-odr', id), [one, { name: '协议.pdf', size: paper.length, sha256: sha256(paper) }]);
    assert.equal(await files('data-commons', id), undefined);
    for (const file of blobs()) assert.ok(!readFileSync(file).includes(photo.subarray(5000, 5064)), file);
  });

  test('another photo with the next revision: both platforms have it', async () => {
    const next = png(40, 40);
    const added = await upload(next, 'b.png', 'image/png');
    const had = (await s.record(id)).attachments;
    await s.patch(id, 1, { attachments: [...had, { id: added.id }] });
    await s.settled(id, 'delivered again', (d) => TWO.every((x) => d[x].state === 'delivered' && d[x].revision === 2), 30);
    assert.deepEqual((await files('patrol-app', id)).map((f) => f.sha256), [sha256(photo), sha256(next)]);
    assert.deepEqual((await files('zj-odr', id)).map((f) => f.sha256), [sha256(photo), sha256(paper), sha256(next)]);
  });

  test('what a platform does not take, or not so much of, is said before anything is filed', async () => {
    const webp = await upload(Buffer.concat([Buffer.from('RIFF\0\0\0\0WEBPVP8 ', 'latin1'), Buffer.alloc(64)]), 'a.webp', 'image/webp');
    const refused = await s.post('staff', '/records', filed([webp]));
    assert.equal(refused.status, 422, refused.text);
    assert.deepEqual(refused.json.errors.map((e) => [e.pointer, e.code, e.systems]), [['/attachments/0/mime', 'unmapped', ['patrol-app']]]);
    const large = await upload(jpeg(5 << 20), 'large.jpg', 'image/jpeg');
    const full = await s.post('staff', '/records', filed([large]));
    assert.equal(full.status, 422, full.text);
    assert.deepEqual(full.json.errors.map((e) => [e.pointer, e.code, e.limit, e.systems.sort()]), [['/attachments', 'too_large', 4096, TWO]]);
    const papers = await upload(Buffer.concat([pdf(), Buffer.alloc(5 << 20)]), 'large.pdf', 'application/pdf');
    const r = await s.post('staff', '/records', filed([papers], ['patrol-app']));
    assert.equal(r.status, 201, 'patrol-app gets no documents, so their size is no matter to it');
    await s.settled(r.json.id, 'delivered', (d) => d['patrol-app'].state === 'delivered', 20);
  });

  test('a file that is lost stops that delivery for a person; nothing incomplete is sent', async () => {
    const bytes = jpeg(4000);
    const { id: file } = await upload(bytes, 'c.jpg', 'image/jpeg');
    await s.post('admin', '/systems/patrol-app/pause', { reason: 'test' });
    const record = await s.file(filed([{ id: file }], ['patrol-app'], { title: '附件丢失' }));
    for (const f of blobs().filter((x) => x.endsWith(file))) rmSync(f);
    await s.post('admin', '/systems/patrol-app/resume', { reason: 'test' });
    const last = await s.settled(record.id, 'dead', (d) => d['patrol-app'].state === 'dead', 20);
    assert.equal(last.deliveries['patrol-app'].problem.code, 'unreadable');
    assert.deepEqual(await s.kept('patrol-app', record.id), []);
  });
});
