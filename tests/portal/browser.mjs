/* SPDX-License-Identifier: Apache-2.0
 * Chromium on the portal of a stack: signed in through the sign-in page like anybody; every page is
 * watched for errors, for requests to other hosts and for breaches of the Content-Security-Policy.
 *
 * YIMEN_CHROMIUM      the browser (default: Debian's /usr/bin/chromium)
 */
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

export const PHONE = { width: 360, height: 740 };
export const DESK = { width: 1280, height: 860 };

/* What a page may say when a request is refused on purpose, or there is no network. */
const EXPECTED = /Failed to load resource: (the server responded with a status of (401|404|412|422)|net::ERR_INTERNET_DISCONNECTED)/;

export async function openBrowser() {
  const browser = await chromium.launch({ executablePath: process.env.YIMEN_CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
  return {
    browser,
    close: () => browser.close(),
    /** A person of that role before a screen; `faults` must be empty at the end. */
    async person(stack, role, { viewport = DESK, locale = 'zh-CN', care = false } = {}) {
      const context = await browser.newContext({ viewport, locale, timezoneId: 'Asia/Shanghai', reducedMotion: 'reduce' });
      if (care) await context.addInitScript(() => localStorage.setItem('yimen.care', '1'));
      const page = await context.newPage();
      const faults = [];
      page.on('pageerror', (e) => faults.push(`error: ${e.message}`));
      page.on('console', (m) => { if (m.type() === 'error' && !EXPECTED.test(m.text())) faults.push(`console: ${m.text()}`); });
      page.on('request', (r) => { if (!r.url().startsWith(stack.info.base_url) && !/^(data|blob):/.test(r.url())) faults.push(`elsewhere: ${r.url()}`); });
      const base = stack.info.base_url;
      const self = {
        page, context, faults,
        go: (path) => page.goto(base + path),
        async signIn() {
          await page.goto(`${base}/`);
          const { login, password } = stack.info.accounts[role];
          await page.waitForSelector('input[type=password]');
          await page.locator('input[autocomplete=username]').fill(login);
          await page.locator('input[type=password]').fill(password);
          await Promise.all([page.waitForURL(`${base}/`), page.locator('button[type=submit]').first().click()]);
          await page.waitForSelector('h1');
          return self;
        },
        async leave() {
          await context.close();
          assert.deepEqual(faults, [], 'what the pages complained of');
        },
      };
      return self;
    },
  };
}

/** Waits until this device keeps a draft that says `text`, and not `gone` any more; the page says so sooner. */
export const draftKept = (page, text, gone) => page.waitForFunction(([some, none]) => new Promise((done, fail) => {
  const asked = indexedDB.open('yimen');
  asked.onerror = () => fail(asked.error);
  asked.onsuccess = () => {
    const all = asked.result.transaction('drafts').objectStore('drafts').getAll();
    all.onerror = () => fail(all.error);
    all.onsuccess = () => {
      asked.result.close();
      done(all.result.map((d) => JSON.stringify(d)).some((d) => d.includes(some) && !(none && d.includes(none))));
    };
  };
}), [text, gone]);

/** The fields of a routine dispute as a mediator types them; how many that are, and what was typed or chosen. */
export async function typeDispute(page, { title, first = '测试甲', second = '测试乙' } = {}) {
  const typed = [];
  const fill = async (id, text) => { await page.locator(`#f_${id}`).fill(text); typed.push({ id, text }); };
  const check = async (id, label) => { await page.getByLabel(label, { exact: false }).first().check(); typed.push({ id, choice: true }); };
  const pick = async (id, search) => {
    const box = page.locator(`#f_${id}`);
    if (await box.evaluate((e) => e.tagName) === 'SELECT') {
      await box.selectOption(search);
      typed.push({ id, choice: true });
    } else {
      await box.click();
      await box.fill(search);
      await page.locator(`#f_${id}-list [role=option]:not([aria-disabled])`).first().click();
      typed.push({ id, choice: true, search });
    }
  };
  await fill('title', title);
  await fill('summary', '楼上住户夜间装修,噪声扰民,多次沟通无果,双方请求调解。');
  await fill('occurred_at', '2026-11-20T21:30');
  await fill('place_area12', '330106001002');
  await fill('place_address', '示例镇示例路5号2单元');
  await pick('parties_0_role', 'applicant');
  await fill('parties_0_name', first);
  await page.getByRole('button', { name: /添加|Add:/ }).first().click();
  await pick('parties_1_role', 'respondent');
  await fill('parties_1_name', second);
  await pick('category_code4', '0401');
  return { fill, pick, check, typed, count: () => typed.length };
}
