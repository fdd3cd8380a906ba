// SPDX-License-Identifier: Apache-2.0
// Every page of the portal as a picture: phone and desk in Chinese, and each once in care mode and once in
// English: as staff see theirs on a phone, and operators at a desk.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { openStack } from '../../tests/e2e/stack_helper.mjs';
import { DESK, PHONE, openBrowser } from '../../tests/portal/browser.mjs';
import { makeTown, pages, show } from '../../tests/portal/town.mjs';

const staff = (p) => p.role === 'staff';
const LOOKS = [
  { name: 'phone', options: { viewport: PHONE }, only: staff, door: true },
  { name: 'desk', options: { viewport: DESK }, only: () => true, door: true },
  { name: 'phone-care', options: { viewport: PHONE, care: true }, only: staff },
  { name: 'desk-care', options: { viewport: DESK, care: true }, only: (p) => !staff(p) },
  { name: 'phone-en', options: { viewport: PHONE, locale: 'en-GB' }, only: staff, door: true },
  { name: 'desk-en', options: { viewport: DESK, locale: 'en-GB' }, only: (p) => !staff(p) || ['home', 'record'].includes(p.name) },
];
const MOST = 5 * 1024 * 1024;

const out = process.argv[2];
const stack = await openStack();
const chrome = await openBrowser();
try {
  const town = await makeTown(stack);
  mkdirSync(out, { recursive: true });
  for (const f of readdirSync(out)) if (f.endsWith('.png')) rmSync(join(out, f));
  const files = [];
  const shoot = async (page, name) => {
    const file = join(out, `${name}.png`);
    await page.screenshot({ path: file, animations: 'disabled' });
    files.push(file);
  };
  for (const look of LOOKS) {
    const people = {};
    if (look.door) {
      const visitor = await chrome.person(stack, 'staff', look.options);
      await visitor.go('/');
      await visitor.page.waitForSelector('input[type=password]');
      await shoot(visitor.page, `sign-in-${look.name}`);
      await visitor.leave();
    }
    for (const p of pages(town).filter(look.only)) {
      people[p.role] ??= await (await chrome.person(stack, p.role, look.options)).signIn();
      await show(people[p.role], p);
      await shoot(people[p.role].page, `${p.name}-${look.name}`);
    }
    for (const one of Object.values(people)) await one.leave();
  }
  execFileSync('pngquant', ['--force', '--ext', '.png', '--strip', '--speed', '3', '64', '--', ...files]);
  const bytes = files.reduce((n, f) => n + statSync(f).size, 0);
  console.log(`${files.length} pictures, ${Math.round(bytes / 1024)} KB, in ${out}`);
  if (bytes > MOST) throw new Error(`more than ${MOST} bytes`);
} finally {
  await chrome.close();
  await stack.close();
}
