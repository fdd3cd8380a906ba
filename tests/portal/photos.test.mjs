/* SPDX-License-Identifier: Apache-2.0
 * Photos with a record, on a phone: made small, without what the camera wrote beside them, kept with the
 * draft, uploaded when it is filed, shown where the record is.
 */
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { pdf } from '../lib/pictures.mjs';
import { DESK, PHONE, draftKept, typeDispute } from './browser.mjs';
import { portal } from './suite.mjs';

/* A large photo as a camera makes it: with an Exif block that says where it was taken. */
async function photo(page, width, height) {
  const base64 = await page.evaluate(async ([w, h]) => {
    const canvas = document.createElement('canvas');
    canvas.width = w;
    canvas.height = h;
    const c = canvas.getContext('2d');
    for (let i = 0; i < 400; i++) {
      c.fillStyle = `hsl(${i * 7}, 80%, ${20 + (i % 60)}%)`;
      c.fillRect((i * 97) % w, (i * 61) % h, w / 9, h / 9);
    }
    return canvas.toDataURL('image/jpeg', 0.95).split(',')[1];
  }, [width, height]);
  const plain = Buffer.from(base64, 'base64');
  const text = Buffer.from('Exif\0\0GPS 30.2741N 120.1551E SECRET-PLACE', 'latin1');
  const head = Buffer.from([0xff, 0xe1, 0, text.length + 2]);
  return Buffer.concat([plain.subarray(0, 2), head, text, plain.subarray(2)]);
}

function bytesOf(stack, who, id) {
  return new Promise((done, fail) => {
    http.get(`${stack.info.base_url}/api/v1/attachments/${id}`, { headers: { authorization: `Bearer ${stack.info[`${who}_token`]}` } }, (res) => {
      const parts = [];
      res.on('data', (d) => parts.push(d));
      res.on('end', () => done({ status: res.statusCode, bytes: Buffer.concat(parts) }));
    }).on('error', fail);
  });
}

/* Width and height of a JPEG, from its frame header. */
function sizeOf(jpeg) {
  for (let i = 2; i < jpeg.length;) {
    const marker = jpeg[i + 1];
    if (marker >= 0xc0 && marker <= 0xc2) return [jpeg.readUInt16BE(i + 7), jpeg.readUInt16BE(i + 5)];
    i += 2 + jpeg.readUInt16BE(i + 2);
  }
  throw new Error('no frame');
}

describe('portal: photos', () => {
  let stack, chrome, staff;

  portal({ people: { staff: { viewport: PHONE } } }, (its) => { ({ stack, chrome, staff } = its); });

  const camera = (page) => page.locator('input[type=file][capture=environment]');
  const chooser = (page) => page.locator('#f_attachments');
  const items = (page) => page.locator('section:has(#f_attachments) li:has(button)');

  async function form(page, title) {
    await staff.go('/new/dispute');
    await page.waitForSelector('#f_title');
    const f = await typeDispute(page, { title });
    await f.fill('parties_0_phone', '13000000001');
    await page.getByLabel('个体性事件', { exact: false }).first().check();
    await f.fill('people_count', '2');
    await f.fill('handler_org', '示例镇人民调解委员会');
  }

  let id;
  test('taken without a signal, kept with the draft, uploaded small and without its place', async () => {
    const { page, context } = staff;
    const title = `带照片的纠纷 ${Date.now()}`;
    await form(page, title);
    const large = await photo(page, 3200, 2400);
    assert.ok(large.includes('SECRET-PLACE'));
    await context.setOffline(true);
    await camera(page).setInputFiles({ name: '现场.jpg', mimeType: 'image/jpeg', buffer: large });
    await chooser(page).setInputFiles([
      { name: '协议.pdf', mimeType: 'application/pdf', buffer: pdf() },
      { name: '坏的.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('not a picture') },
      { name: '程序.exe', mimeType: 'application/x-msdownload', buffer: Buffer.from('MZ') },
    ]);
    await page.getByText('坏的.jpg:这张图片打不开').waitFor();
    await page.getByText('程序.exe:不支持这种文件').waitFor();
    assert.equal(await items(page).count(), 2);
    assert.ok(await items(page).first().locator('img').evaluate((i) => i.decode().then(() => i.naturalWidth > 0)), 'a small picture of it');
    await page.locator('form button[type=submit]').click();
    await page.getByText('已排队').waitFor();
    await context.setOffline(false);
    const found = async () => (await stack.api('staff', '/records?limit=50')).json.items.filter((r) => r.data.title === title);
    for (let i = 0; i < 400 && (await found()).length === 0; i++) await page.waitForTimeout(100);
    const [record, ...more] = await found();
    assert.equal(more.length, 0, 'exactly one record');
    assert.deepEqual(record.attachments.map((a) => [a.kind, a.name, a.mime]), [['photo', '现场.jpg', 'image/jpeg'], ['doc', '协议.pdf', 'application/pdf']]);
    const { status, bytes } = await bytesOf(stack, 'staff', record.attachments[0].id);
    assert.equal(status, 200);
    assert.deepEqual(sizeOf(bytes), [1600, 1200]);
    assert.ok(bytes.length < large.length / 2, `${large.length} → ${bytes.length}`);
    assert.ok(!bytes.includes('SECRET-PLACE') && !bytes.includes('Exif'));
    id = record.id;
  });

  test('a draft with photos is there after the page was closed; one photo is taken out again', async () => {
    const { page } = staff;
    await form(page, '草稿带照片');
    await chooser(page).setInputFiles([
      { name: 'a.jpg', mimeType: 'image/jpeg', buffer: await photo(page, 400, 300) },
      { name: 'b.jpg', mimeType: 'image/jpeg', buffer: await photo(page, 300, 400) },
    ]);
    await page.getByRole('button', { name: '移除 a.jpg' }).click();
    await page.getByRole('button', { name: '撤销' }).click();
    assert.deepEqual(await items(page).locator('.name').allInnerTexts().then((all) => all.map((t) => t.slice(0, 5))), ['a.jpg', 'b.jpg'], 'back in its place');
    await page.getByRole('button', { name: '移除 a.jpg' }).click();
    assert.equal(await items(page).count(), 1);
    await draftKept(page, '草稿带照片', 'a.jpg');
    await staff.go('/');
    await page.getByRole('link', { name: '草稿带照片' }).click();
    await page.waitForSelector('#f_attachments', { state: 'attached' });
    await page.getByText('b.jpg').waitFor();
    assert.ok(await items(page).first().locator('img').evaluate((i) => i.decode().then(() => i.naturalWidth === 300)));
    await page.getByRole('button', { name: '放弃草稿' }).click();
    await page.getByRole('dialog').getByRole('button', { name: '放弃草稿' }).click();
    await page.waitForURL(`${stack.info.base_url}/`);
    const kept = await page.evaluate(() => new Promise((done) => {
      const open = indexedDB.open('yimen');
      open.onsuccess = () => { open.result.transaction('files').objectStore('files').count().onsuccess = (e) => { open.result.close(); done(e.target.result); }; };
    }));
    assert.equal(kept, 0, 'nothing of it stays on the device');
  });

  test('the record shows them; mending takes one out and puts another in; operators see that they are there', async () => {
    const { page } = staff;
    await staff.go(`/records/${id}`);
    const shown = page.getByRole('region', { name: '照片和附件' });
    assert.ok(await shown.locator('img').evaluate((i) => i.decode().then(() => i.naturalWidth === 1600)));
    assert.equal(await shown.locator('a[download]').count(), 2);
    await page.getByRole('link', { name: '修改', exact: true }).click();
    await page.getByRole('button', { name: '移除 协议.pdf' }).click();
    await chooser(page).setInputFiles({ name: '第二张.png', mimeType: 'image/png', buffer: await page.screenshot() });
    await page.getByText('第二张.jpg').waitFor();
    await page.locator('form button[type=submit]').click();
    await page.waitForURL(new RegExp(`/records/${id}$`));
    await page.getByText('第二张.jpg').waitFor();
    const record = await stack.record(id);
    assert.deepEqual([record.revision, record.attachments.map((a) => a.name)], [2, ['现场.jpg', '第二张.jpg']]);
    await page.getByText('改动: 照片和附件').waitFor();
    const operator = await (await chrome.person(stack, 'operator', { viewport: DESK, locale: 'en' })).signIn();
    await operator.go(`/records/${id}`);
    await operator.page.getByText('2 attachments; your role does not see what is in them.').waitFor();
    assert.equal(await operator.page.locator('main img').count(), 0);
    await operator.leave();
  });
});
