/* SPDX-License-Identifier: Apache-2.0
 * Ways to look at a page: with axe-core, at its width, at what can be tapped, at where the focus is; and the
 * people who look, each signed in once.
 */
import axe from 'axe-core';

/** What axe-core finds. */
export async function violations(page) {
  await page.evaluate(axe.source);
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  return found.violations.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => `${n.target.join(' ')} — ${n.failureSummary?.split('\n').slice(1, 3).join('; ')}`).join(' | ')}`);
}

/** By how many pixels a page is wider than its screen. */
export const tooWide = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

/** Whatever can be pressed, except links within a line of text (the exception of WCAG 2.5.8) and what a label around it enlarges. */
export const tooSmall = (page, least) => page.evaluate((px) => [...document.querySelectorAll('button, input, select, textarea, summary, a[href], [role=option]')]
  .filter((e) => e.offsetParent && !e.closest('label') && !(e.tagName === 'A' && getComputedStyle(e).display === 'inline'))
  .map((e) => [(e.textContent.trim() || e.id || e.className).slice(0, 30), e.getBoundingClientRect()])
  .filter(([, r]) => r.width > 1 && (r.height < px || r.width < px)).map(([t, r]) => `${t}: ${Math.round(r.width)}×${Math.round(r.height)}`), least);

/** What the focus stands on: whether one sees that it does, and whether anything lies over it. */
export const focusNow = (page) => page.evaluate(() => {
  const e = document.activeElement;
  if (!e || e === document.body) return null;
  const seen = e.getBoundingClientRect().width > 1 ? e : e.closest('label') ?? e;   /* a file's own control is its label */
  const style = getComputedStyle(seen);
  const box = e.getBoundingClientRect();
  const [left, right] = [Math.max(0, box.left), Math.min(innerWidth, box.right)];
  const [top, bottom] = [Math.max(0, box.top), Math.min(innerHeight, box.bottom)];
  const points = [0.15, 0.5, 0.85].flatMap((x) => [0.2, 0.5, 0.8].map((y) => [left + (right - left) * x, top + (bottom - top) * y]));
  const over = (p) => { const top = document.elementFromPoint(...p); return top && (e.contains(top) || top.contains(e) || e.closest('label')?.contains(top)); };
  return {
    name: `${e.tagName.toLowerCase()} ${e.id || e.textContent.trim().slice(0, 20) || e.className}`,
    ring: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
    clear: points.some(over),
  };
});

/** Persons by role and look: of(role, look, options) signs in once; leave(look) ends those, or all. */
export function peopleOf(stack, chrome) {
  const people = new Map();
  return {
    async of(role, look, options) {
      const key = `${role} ${look}`;
      if (!people.has(key)) people.set(key, await (await chrome.person(stack, role, options)).signIn());
      return people.get(key);
    },
    async leave(look) {
      for (const [key, who] of people) {
        if (look !== undefined && !key.endsWith(` ${look}`)) continue;
        people.delete(key);
        await who.leave();
      }
    },
  };
}
