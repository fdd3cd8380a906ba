/* SPDX-License-Identifier: Apache-2.0
 * For everybody: no violation that axe-core finds (WCAG 2.2 A and AA, best practices) on any page, in
 * normal and care mode, phone and desk; everything by keyboard; quick on a slow phone.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import axe from 'axe-core';
import { openStack } from '../e2e/stack_helper.mjs';
import { DESK, PHONE, openBrowser } from './browser.mjs';
import { makeTown, pages, show } from './town.mjs';

const INTERACTIVE_MS = 2000;     /* with a processor four times slower */
const SLOWER = 4;

async function violations(page) {
  await page.evaluate(axe.source);
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  return found.violations.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => `${n.target.join(' ')} — ${n.failureSummary?.split('\n').slice(1, 3).join('; ')}`).join(' | ')}`);
}

describe('portal: for everybody', () => {
  let stack, chrome, town;
  const people = new Map();

  before(async () => {
    stack = await openStack();
    chrome = await openBrowser();
    town = await makeTown(stack);
  });
  after(async () => {
    try { for (const p of people.values()) await p.leave(); } finally {
      await chrome?.close();
      await stack?.close();
    }
  });

  async function person(role, look, options) {
    const key = `${role} ${look}`;
    if (!people.has(key)) people.set(key, await (await chrome.person(stack, role, options)).signIn());
    return people.get(key);
  }

  for (const [look, options] of [
    ['on a phone', { viewport: PHONE }], ['at a desk', { viewport: DESK }],
    ['on a phone, care mode', { viewport: PHONE, care: true }], ['at a desk, care mode', { viewport: DESK, care: true }],
    ['in English', { viewport: DESK, locale: 'en-GB' }],
  ]) {
    test(`no violation on any page ${look}`, async () => {
      const found = [];
      for (const p of pages(town)) {
        const who = await person(p.role, look, options);
        await show(who, p).catch((e) => { throw new Error(`${p.name}: ${e.message}`); });
        for (const v of await violations(who.page)) found.push(`${p.name}: ${v}`);
        const wide = await who.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        if (wide > 0) found.push(`${p.name}: scrolls sideways by ${wide} px`);
      }
      assert.deepEqual(found, []);
    });
  }

  test('the sign-in page', async () => {
    for (const options of [{ viewport: PHONE }, { viewport: DESK }]) {
      const visitor = await chrome.person(stack, 'staff', options);
      await visitor.go('/');
      await visitor.page.waitForSelector('input[type=password]');
      assert.deepEqual(await violations(visitor.page), []);
      await visitor.leave();
    }
  });

  test('by keyboard: the skip link comes first and leads into the page', async () => {
    const { page, go } = await person('staff', 'at a desk');
    await go('/');
    await page.waitForSelector('.tile.first');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute('href')), '#content');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'content');
    await page.keyboard.press('Tab');
    assert.ok(await page.evaluate(() => document.activeElement.classList.contains('first')), 'then the first tile');
  });

  test('by keyboard: Tab goes through a form in the order of its fields', async () => {
    const { page, go } = await person('staff', 'at a desk');
    await go('/new/dispute');
    await page.locator('#f_title').focus();
    const order = [];
    for (let i = 0; i < 12; i++) {
      order.push(await page.evaluate(() => document.activeElement.getBoundingClientRect().top + window.scrollY));
      await page.keyboard.press('Tab');
    }
    for (let i = 1; i < order.length; i++) assert.ok(order[i] >= order[i - 1] - 60, `stop ${i}: ${order.join(' ')}`);
  });

  test('by keyboard: a dialog keeps the focus, Escape closes it and gives it back', async () => {
    const who = await person('staff', 'at a desk');
    const { page } = who;
    await show(who, pages(town).find((p) => p.name === 'card'));
    const inside = () => page.evaluate(() => document.querySelector('[role=dialog]').contains(document.activeElement));
    assert.ok(await inside(), 'it begins inside');
    const stops = await page.evaluate(() => document.querySelectorAll('[role=dialog] button, [role=dialog] input, [role=dialog] textarea').length);
    for (let i = 0; i < stops + 2; i++) {
      await page.keyboard.press('Tab');
      assert.ok(await inside(), `Tab ${i + 1}`);
    }
    for (let i = 0; i < 3; i++) {
      await page.keyboard.press('Shift+Tab');
      assert.ok(await inside(), `Shift+Tab ${i + 1}`);
    }
    await page.keyboard.press('Escape');
    assert.equal(await page.locator('[role=dialog]').count(), 0);
    assert.match(await page.evaluate(() => document.activeElement.textContent), /查看填报卡片/);
  });

  test('everything that is tapped on a phone is large enough', async () => {
    const who = await person('staff', 'on a phone');
    for (const name of ['home', 'new', 'record', 'vault']) {
      await show(who, pages(town).find((p) => p.name === name));
      const small = await who.page.evaluate(() => [...document.querySelectorAll('button, input, select, textarea, a.tile, a.button, nav a')]
        .filter((e) => e.offsetParent && !e.closest('label')).map((e) => [e.textContent.trim().slice(0, 20) || e.id || e.className, e.getBoundingClientRect()])
        .filter(([, r]) => r.width > 1 && (r.height < 24 || r.width < 24)).map(([t, r]) => `${t}: ${r.width}×${r.height}`));
      assert.deepEqual(small, [], name);
    }
  });

  test('interactive within two seconds on a slow phone, from nothing', async () => {
    const who = await (await chrome.person(stack, 'staff', { viewport: PHONE })).signIn();
    const cdp = await who.context.newCDPSession(who.page);
    await cdp.send('Network.setCacheDisabled', { cacheDisabled: true });
    await cdp.send('Network.setBypassServiceWorker', { bypass: true });
    await cdp.send('Emulation.setCPUThrottlingRate', { rate: SLOWER });
    await who.go('/records');
    await who.page.waitForSelector('main li');
    await who.go('/');
    await who.page.waitForSelector('.tile.first');
    const ms = await who.page.evaluate(() => performance.now());
    await who.page.locator('.tile.first').click();
    await who.page.waitForSelector('#f_title');
    await who.leave();
    assert.ok(ms < INTERACTIVE_MS, `${Math.round(ms)} ms`);
  });
});
