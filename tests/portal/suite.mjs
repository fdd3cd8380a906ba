/* SPDX-License-Identifier: Apache-2.0
 * What the tests of the portal begin and end with: a stack, a browser, whoever sits before it.
 */
import { after, before } from 'node:test';
import { openStack } from '../e2e/stack_helper.mjs';
import { openBrowser } from './browser.mjs';

/**
 * Opened before the tests of a describe(), closed after them whatever happened; `given` gets all of it.
 * options: those of openStack; arrange(its) = what is there before anybody signs in; people = name →
 * { role (the name), viewport, locale, care }. Whatever `arrange` leaves in `its` that can leave() does so.
 */
export function portal({ arrange, people = {}, ...options }, given) {
  const its = {};
  before(async () => {
    its.stack = await openStack(options);
    its.chrome = await openBrowser();
    await arrange?.(its);
    for (const [name, { role = name, ...look }] of Object.entries(people)) {
      its[name] = await (await its.chrome.person(its.stack, role, look)).signIn();
    }
    given(its);
  });
  after(async () => {
    try {
      for (const one of Object.values(its)) await one?.leave?.();
    } finally {
      await its.chrome?.close();
      await its.stack?.close();
    }
  });
}
