/* SPDX-License-Identifier: Apache-2.0
 * Everything by keyboard, seen while one does and said to who cannot see; quick on a slow phone; a strict
 * Content-Security-Policy.
 */
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { dispute } from '../e2e/stack_helper.mjs';
import { DESK, PHONE } from './browser.mjs';
import { focusNow, peopleOf } from './looks.mjs';
import { portal } from './suite.mjs';
import { makeTown, pages, show } from './town.mjs';

const INTERACTIVE_MS = 2000;     /* with a processor four times slower */
const SLOWER = 4;

describe('portal: by keyboard, aloud, quickly', () => {
  let stack, chrome, town, people;

  portal({
    async arrange(its) {
      its.town = await makeTown(its.stack);
      its.people = peopleOf(its.stack, its.chrome);
    },
  }, (its) => { ({ stack, chrome, town, people } = its); });

  for (const [where, viewport] of [['on a phone', PHONE], ['at a desk', DESK]]) {
    test(`by keyboard: one sees where the focus is, on every page ${where}`, async () => {
      const found = [];
      for (const p of pages(town)) {
        const who = await people.of(p.role, `keys ${where}`, { viewport });
        await show(who, p);
        for (let i = 0; i < 40; i++) {
          await who.page.keyboard.press('Tab');
          const now = await focusNow(who.page);
          if (!now) break;
          if (!now.ring) found.push(`${p.name}: ${now.name}: no ring`);
          if (!now.clear) found.push(`${p.name}: ${now.name}: lies under something`);
        }
      }
      await people.leave(`keys ${where}`);
      assert.deepEqual(found, []);
    });
  }

  test('by keyboard: the skip link comes first and leads into the page', async () => {
    const { page, go } = await people.of('staff', 'at a desk', { viewport: DESK });
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
    const { page, go } = await people.of('staff', 'at a desk', { viewport: DESK });
    await go('/new/dispute');
    await page.locator('#f_title').focus();
    const order = [];
    for (let i = 0; i < 12; i++) {
      order.push(await page.evaluate(() => document.activeElement.getBoundingClientRect().top + window.scrollY));
      await page.keyboard.press('Tab');
    }
    for (let i = 1; i < order.length; i++) assert.ok(order[i] >= order[i - 1] - 60, `stop ${i}: ${order.join(' ')}`);
  });

  test('by keyboard alone: sign in, file a dispute, see where it goes', async () => {
    const visitor = await chrome.person(stack, 'staff', { viewport: DESK });
    const { page } = visitor;
    const keys = page.keyboard;
    const reach = async (what, id, backwards = false) => {
      for (let i = 0; i < 90; i++) {
        if (await page.evaluate(([kind, name]) => {
          const e = document.activeElement;
          return kind === 'id' ? e.id === name : e.matches(name);
        }, [what, id])) return;
        await keys.press(backwards ? 'Shift+Tab' : 'Tab');
      }
      throw new Error(`Tab does not come to ${id}`);
    };
    const field = async (id, text) => { await reach('id', `f_${id}`); await keys.type(text); };
    await visitor.go('/');
    await page.waitForSelector('input[type=password]');
    const { login, password } = stack.info.accounts.staff;
    await reach('css', 'input[autocomplete=username]');
    await keys.type(login);
    await reach('css', 'input[type=password]');
    await keys.type(password);
    await keys.press('Enter');
    await page.waitForSelector('.tile.first');
    await reach('css', '.tile.first');
    await keys.press('Enter');
    await page.waitForSelector('#f_title');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'content', 'the focus has come along into the page');
    await field('title', '键盘填报的纠纷');
    await field('summary', '楼上住户夜间装修,噪声扰民,双方请求调解。');
    await field('occurred_at', '11202026');   /* in the order of the browser's own language, American here */
    await keys.press('ArrowRight');
    await keys.type('0930P');
    await reach('id', 'f_place_area12');
    await keys.type('330106001002');
    await field('place_address', '示例镇示例路5号2单元');
    await field('category_code4', '0401');
    await keys.press('Enter');
    await reach('id', 'f_scale');
    await keys.press('Space');
    await field('people_count', '2');
    await reach('id', 'f_parties_0_role');
    await keys.press('ArrowDown');
    await field('parties_0_name', '测试甲');
    await field('parties_0_phone', '13000000001');
    await reach('css', 'button.add');
    await keys.press('Enter');
    await page.waitForSelector('#f_parties_1_role');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'f_parties_1_role', 'the focus stands in what was added');
    await keys.press('ArrowDown');
    await keys.press('ArrowDown');
    await field('parties_1_name', '测试乙');
    await field('handler_org', '示例镇人民调解委员会');
    await reach('css', 'form button[type=submit]');
    await keys.press('Enter');
    await page.waitForURL(/\/records\/[0-9A-Z]{26}$/, { timeout: 30000 }).catch(async (error) => {
      const values = await page.evaluate(() => [...document.querySelectorAll('main input, main select, main textarea')].filter((e) => e.value).map((e) => `${e.id}=${e.value}`));
      throw new Error(`not filed: ${(await page.locator('#problems').allInnerTexts()).join()} ${values.join(' ')}`, { cause: error });
    });
    const record = await stack.record(page.url().split('/').pop());
    assert.equal(record.data.title, '键盘填报的纠纷');
    assert.equal(record.data.occurred_at, '2026-11-20T21:30:00+08:00');
    assert.equal(record.data.parties.length, 2);
    await page.waitForSelector('main section li');
    await visitor.leave();
  });

  test('by keyboard: a dialog keeps the focus, Escape closes it and gives it back', async () => {
    const who = await people.of('staff', 'at a desk', { viewport: DESK });
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
    await page.evaluate(() => document.activeElement.blur());
    await page.keyboard.press('Tab');
    assert.ok(await inside(), 'Tab from nowhere');
    await page.keyboard.press('Escape');
    await page.waitForFunction(() => !document.querySelector('[role=dialog]'));
    assert.match(await page.evaluate(() => document.activeElement.textContent), /查看填报卡片/);
  });

  test('what changes is said: a lane that moves, objections, the number of records', async () => {
    const { page, go } = await people.of('staff', 'at a desk', { viewport: DESK });
    await stack.behave('zj-odr', 'down', {});
    const record = await stack.file(dispute({ title: '会动的泳道' }));
    await go(`/records/${record.id}`);
    await page.waitForSelector('main section li');
    const region = page.locator('#moved[role=status]');
    assert.equal(await region.count(), 1, 'it is there before anything is said');
    await stack.behave('zj-odr', 'normal', {});
    await page.waitForFunction(() => /在线多元矛盾化解平台: 已送达/.test(document.querySelector('#moved').textContent), null, { timeout: 30000 });
    await go('/records');
    await page.waitForFunction(() => /显示 \d+ 条/.test(document.querySelector('main [role=status]')?.textContent ?? ''));
    await go('/new/dispute');
    await page.waitForSelector('#f_title');
    await page.locator('form button[type=submit]').click();
    await page.waitForSelector('#problems[role=alert]');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'problems');
    const described = await page.locator('#f_title').getAttribute('aria-describedby');
    assert.match(await page.evaluate((ids) => ids.split(' ').map((id) => document.getElementById(id)?.textContent ?? '').join(''), described), /\S/);
  });

  test('strict Content-Security-Policy on every file of the portal', async () => {
    const { base_url } = stack.info;
    const html = await (await fetch(`${base_url}/`)).text();
    const [, script] = /<script[^>]*src="([^"]+)"/.exec(html);
    assert.equal((await fetch(base_url + script)).headers.get('x-content-type-options'), 'nosniff');
    for (const path of ['/', '/records', '/no/such/page', '/sw.js', '/manifest.webmanifest']) {
      const r = await fetch(base_url + path);
      const policy = r.headers.get('content-security-policy') ?? '';
      assert.equal(r.status, 200, path);
      assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/, path);
      assert.doesNotMatch(policy, /unsafe|\*|https?:/, path);
    }
  });

  test('interactive within two seconds on a slow phone, from nothing', async (t) => {
    const who = await (await chrome.person(stack, 'staff', { viewport: PHONE })).signIn();
    const cdp = await who.context.newCDPSession(who.page);
    await cdp.send('Network.setCacheDisabled', { cacheDisabled: true });
    await cdp.send('Network.setBypassServiceWorker', { bypass: true });
    await cdp.send('Emulation.setCPUThrottlingRate', { rate: SLOWER });
    const times = [];
    for (let i = 0; i < 3; i++) {   /* the best of three: what the machine does beside it is not the page's */
      await who.go('/records');
      await who.page.waitForSelector('main li');
      await who.go('/');
      await who.page.waitForSelector('.tile.first');
      times.push(await who.page.evaluate(() => performance.now()));
    }
    await who.page.locator('.tile.first').click();
    await who.page.waitForSelector('#f_title');
    await who.leave();
    t.diagnostic(`first tile with a processor ${SLOWER} times slower: ${times.map((x) => Math.round(x)).join(', ')} ms`);
    assert.ok(Math.min(...times) < INTERACTIVE_MS, `${times.map((x) => Math.round(x)).join(', ')} ms`);
  });
});
