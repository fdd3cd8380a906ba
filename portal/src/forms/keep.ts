// SPDX-License-Identifier: Apache-2.0
// So that the form opens without a network: what describes it is asked for once, when nothing else is
// under way, and the service worker keeps the answers.
import { loadCodes } from './codes';
import type { Field } from './model';
import { loadType } from './use-type';

const LATER_MS = 4000;
let asked = false;

function tablesOf(fields: Field[]): string[] {
  return fields.flatMap((f) => [...(f.codes ? [f.codes] : []), ...tablesOf(f.children)]);
}

async function keep(type: string): Promise<void> {
  const form = await loadType(type);
  for (const table of new Set(['areas', ...tablesOf(form.fields)])) await loadCodes(table).catch(() => undefined);
}

export function keepForOffline(type: string): void {
  if (asked || !navigator.serviceWorker?.controller) return;
  asked = true;
  window.setTimeout(() => { keep(type).catch(() => { asked = false; }); }, LATER_MS);
}
