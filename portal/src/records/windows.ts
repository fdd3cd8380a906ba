// SPDX-License-Identifier: Apache-2.0
// Two windows on one draft: what one of them does, the other is told, so that neither writes over the other.
import { reactive } from 'vue';

/** saved: it was changed there; filed: it is a record now; gone: it was discarded. */
export interface Elsewhere { key: string; what: 'saved' | 'filed' | 'gone'; record?: string }

/** By key of a draft (or name of an edit): what another window did last. */
export const elsewhere = reactive<Record<string, Elsewhere>>({});

const others = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel('yimen.drafts');
const listeners: (() => void)[] = [];

/** Runs whenever another window changed something. */
export function whenElsewhere(run: () => void): void { listeners.push(run); }

export function tellWindows(said: Elsewhere): void {
  delete elsewhere[said.key];
  others?.postMessage(said);
}

others?.addEventListener('message', (event: MessageEvent<Elsewhere>) => {
  elsewhere[event.data.key] = event.data;
  for (const run of listeners) run();
});
