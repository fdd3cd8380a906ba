// SPDX-License-Identifier: Apache-2.0
// Whatever waits for the network leaves when it is back, one after the other.
import { reactive } from 'vue';
import { Offline } from '@/api/client';
import { loadMe, me } from '@/state/session';
import { drafts, fileDraft, loadDrafts } from './drafts';
import { edits, loadEdits, sendEdit } from './edits';

/** Drafts that became records while somebody looked on: draft → record. */
export const filed = reactive<Record<string, string>>({});

let sending = false;

export async function sendWaiting(): Promise<void> {
  if (sending || !navigator.onLine) return;
  sending = true;
  try {
    if (me.value === null) await loadMe().catch(() => null); // the page was opened without a network
    if (me.value === null) return;
    await Promise.all([loadDrafts(), loadEdits()]);
    for (const draft of drafts.items.filter((d) => d.waiting)) {
      try { filed[draft.key] = (await fileDraft(draft)).id; } catch (error) { if (error instanceof Offline) return; }
    }
    for (const edit of edits.items.filter((e) => e.waiting && e.id !== edits.open)) {
      try { await sendEdit(edit); } catch (error) { if (error instanceof Offline) return; }
    }
  } finally { sending = false; }
}

window.addEventListener('online', () => { void sendWaiting(); });
