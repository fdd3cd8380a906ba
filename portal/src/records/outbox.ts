// SPDX-License-Identifier: Apache-2.0
// Whatever waits for the network leaves when it is back, one after the other.
import { reactive } from 'vue';
import { expired, loadMe, me } from '@/state/session';
import { comesBack, drafts, fileDraft, loadDrafts } from './drafts';
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
      try { filed[draft.key] = (await fileDraft(draft)).id; } catch (error) { if (comesBack(error)) return; }
    }
    for (const edit of edits.items.filter((e) => e.waiting && e.id !== edits.open)) {
      try { await sendEdit(edit); } catch (error) { if (comesBack(error)) return; }
    }
  } finally { sending = false; }
}

/* A signal may come back without a word, and so does a gateway that was away. */
const AGAIN_MS = 15000;

function again(): void {
  if (document.hidden || expired.value) return;
  if (drafts.items.some((d) => d.waiting) || edits.items.some((e) => e.waiting && e.id !== edits.open)) void sendWaiting();
}

window.addEventListener('online', () => { void sendWaiting(); });
document.addEventListener('visibilitychange', again);
window.setInterval(again, AGAIN_MS);
