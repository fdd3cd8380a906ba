// SPDX-License-Identifier: Apache-2.0
// The routine dispute in a real browser on a real stack: what is typed, what arrives, how long it takes.
import { parseArgs } from 'node:util';
import { NINE, NUMBERS, EIGHT, openStack } from '../../tests/e2e/stack_helper.mjs';
import { PHONE, openBrowser, typeDispute } from '../../tests/portal/browser.mjs';
import { SPEED, burden, markdown } from './burden.mjs';

const { values } = parseArgs({ options: { 'cpm': { type: 'string' }, 'choice': { type: 'string' }, 'copy': { type: 'string' }, 'sign-in': { type: 'string' } } });
const number = (text, usual) => {
  const n = Number(text ?? usual);
  if (!(n > 0)) throw new Error(`not a speed: ${text}`);
  return n;
};
const speed = { cpm: number(values.cpm, SPEED.cpm), choice: number(values.choice, SPEED.choice), copy: number(values.copy, SPEED.copy), signIn: number(values['sign-in'], SPEED.signIn) };

const stack = await openStack();
const chrome = await openBrowser();
try {
  const person = await (await chrome.person(stack, 'staff', { viewport: PHONE })).signIn();
  const { page } = person;
  const began = Date.now();
  await page.locator('.tile.first').click();
  await page.waitForSelector('#f_title');
  const form = await typeDispute(page, { title: '甲与乙邻里噪声纠纷' });
  await form.fill('parties_0_phone', '13000000001');
  await form.check('scale', '个体性事件');
  await form.fill('people_count', '2');
  await form.fill('handler_org', '示例镇人民调解委员会');
  await page.locator('form button[type=submit]').click();
  await page.waitForURL(/\/records\/[0-9A-Z]{26}$/);
  const id = page.url().split('/').pop();
  const record = await stack.settled(id, 'all numbers', (d) => EIGHT.every((s) => d[s]?.state === 'delivered' && NUMBERS[s].test(d[s].number)) && d['leader-board'].state === 'handoff', 60);
  const machine = (Date.now() - began) / 1000;
  const targets = (await stack.api('staff', '/types/dispute/targets')).json.items.filter((t) => NINE.includes(t.id));
  const cards = {};
  for (const t of targets) cards[t.id] = (await stack.api('staff', `/records/${id}/deliveries/${t.id}/card`)).json.items;
  const result = burden({ typed: form.typed, data: record.data, targets, cards, speed });
  console.log(markdown(result, speed));
  console.log(`\nThe machine's own share, from the first tap to the last of eight numbers: ${machine.toFixed(1)} s.`);
  await person.leave();
} finally {
  await chrome.close();
  await stack.close();
}
