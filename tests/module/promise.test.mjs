/* SPDX-License-Identifier: Apache-2.0
 * docs/promise.md: no check-in, points, ranking or tracking of staff. What a test can hold of it.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { TOP } from '../lib/nginx.mjs';
import { startGateway } from '../lib/gateway.mjs';

const sources = (dir) => fs.readdirSync(dir, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? sources(path.join(dir, e.name)) : [path.join(dir, e.name)]));

describe('the promise', () => {
  let g;
  before(async () => { g = await startGateway(); });
  after(() => g.stop());

  test('no operation of the API checks in, scores, ranks or follows anybody', async () => {
    const doc = (await g.call(null, 'GET', '/openapi.json')).json;
    for (const [p, methods] of Object.entries(doc.paths)) {
      const words = `${p} ${Object.values(methods).map((o) => `${o.operationId} ${o.summary}`).join(' ')}`;
      assert.doesNotMatch(words, /check-?in|attendance|\bpoints?\b|score|badge|leaderboard|\brank(ing|ed)? of (people|staff)|location|position/i, p);
    }
  });

  test('the portal asks where one is only in a form, and reports nothing behind one\'s back', () => {
    for (const file of sources(path.join(TOP, 'portal/src'))) {
      const text = fs.readFileSync(file, 'utf8');
      const name = path.relative(TOP, file);
      if (!name.startsWith('portal/src/forms/')) assert.doesNotMatch(text, /geolocation/, name);
      assert.doesNotMatch(text, /watchPosition|sendBeacon|beforeunload/, name);
    }
  });

  test('it is written where staff and deciders read it', () => {
    for (const [file, words] of [['docs/promise.md', ['check-in', 'points', 'ranking', 'tracking']], ['docs/zh/promise.md', ['打卡', '积分', '排名', '追踪']],
      ['docs/zh/staff-guide.md', ['不打卡']], ['portal/src/i18n/zh/feedback.ts', ['不打卡', '不积分', '不排名', '不追踪']], ['README.md', ['docs/promise.md']]]) {
      const text = fs.readFileSync(path.join(TOP, file), 'utf8');
      for (const word of words) assert.ok(text.includes(word), `${file}: ${word}`);
    }
  });
});
