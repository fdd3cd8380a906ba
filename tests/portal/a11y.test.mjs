/* SPDX-License-Identifier: Apache-2.0
 * For everybody: no violation that axe-core finds (WCAG 2.2 A and AA, best practices) on any page, in
 * normal and care mode, Chinese and English, phone and desk; no page wider than its screen, down to
 * 320 px and at twice the size; everything that is tapped large enough. By keyboard: keyboard.test.mjs.
 */
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TOP } from '../e2e/stack_helper.mjs';
import { DESK, PHONE } from './browser.mjs';
import { peopleOf, tooSmall, tooWide, violations } from './looks.mjs';
import { portal } from './suite.mjs';
import { makeTown, pages, show } from './town.mjs';

const SMALLEST = 24;             /* px, WCAG 2.5.8 */
const NARROW = { width: 320, height: 640 };   /* WCAG 1.4.10; the same as 1280 px at four times the size */
const TWICE = { width: 640, height: 430 };    /* a desk's window at twice the size (WCAG 1.4.4) */

const LOOKS = [];
for (const [where, viewport] of [['on a phone', PHONE], ['at a desk', DESK]]) {
  for (const care of [false, true]) {
    for (const locale of ['zh-CN', 'en-GB']) LOOKS.push([`${where}, ${locale}${care ? ', care mode' : ''}`, { viewport, care, locale }]);
  }
}

describe('portal: for everybody', () => {
  let stack, chrome, town, people;

  portal({
    async arrange(its) {
      its.town = await makeTown(its.stack);
      its.people = peopleOf(its.stack, its.chrome);
    },
  }, (its) => { ({ stack, chrome, town, people } = its); });

  test('every page of the router is looked at', () => {
    const routes = [...readFileSync(join(TOP, 'portal/src/router.ts'), 'utf8').matchAll(/path: '([^']*)', name: '(\w+)'/g)];
    assert.ok(routes.length > 10);
    const shown = pages(town).map((p) => p.path.split('?')[0]);
    for (const [, path, name] of routes) {
      const full = path.startsWith('/') ? path : `/console${path ? `/${path}` : ''}`;
      const pattern = new RegExp(`^${full.replace(/:unknown\(\.\*\)\*/, '.*').replace(/:\w+/g, '[^/]+')}$`);
      assert.ok(shown.some((p) => pattern.test(p)), `${name} (${full}) is missing in tests/portal/town.mjs`);
    }
  });

  for (const [look, options] of LOOKS) {
    test(`no violation on any page ${look}`, async () => {
      const found = [];
      for (const p of pages(town)) {
        const who = await people.of(p.role, look, options);
        await show(who, p).catch((e) => { throw new Error(`${p.name}: ${e.message}`); });
        for (const v of await violations(who.page)) found.push(`${p.name}: ${v}`);
        for (const s of await tooSmall(who.page, SMALLEST)) found.push(`${p.name}: too small to tap: ${s}`);
        if (!/ · (一门|Yimen)$/.test(await who.page.title())) found.push(`${p.name}: no title of its own: ${await who.page.title()}`);
        for (const size of [options.viewport, ...(options.viewport === PHONE ? [NARROW] : [TWICE])]) {
          await who.page.setViewportSize(size);
          const wide = await tooWide(who.page);
          if (wide > 0) found.push(`${p.name}: scrolls sideways by ${wide} px at ${size.width} px`);
        }
        await who.page.setViewportSize(options.viewport);
      }
      await people.leave(look);
      assert.deepEqual(found, []);
    });
  }

  test('the sign-in page', async () => {
    for (const options of [{ viewport: PHONE }, { viewport: DESK }, { viewport: PHONE, locale: 'en-GB' }]) {
      const visitor = await chrome.person(stack, 'staff', options);
      await visitor.go('/');
      await visitor.page.waitForSelector('input[type=password]');
      assert.deepEqual(await violations(visitor.page), []);
      assert.deepEqual(await tooSmall(visitor.page, SMALLEST), []);
      await visitor.page.setViewportSize(NARROW);
      assert.equal(await tooWide(visitor.page), 0);
      await visitor.leave();
    }
  });
});
