// SPDX-License-Identifier: Apache-2.0
// The gateway's own check, asked while somebody types: one question at a time, the latest wins.
import { onBeforeUnmount, ref } from 'vue';
import { call, Offline, Problem, type ProblemEntry } from '@/api/client';

const PAUSE_MS = 600;

export interface Question { type: string; data: unknown; targets: string[] | null; patch?: { id: string; etag: string } }

export function useCheck(question: () => Question) {
  const problems = ref<ProblemEntry[]>([]);
  const checked = ref(false);
  let timer = 0;
  let running: AbortController | null = null;

  async function ask(): Promise<void> {
    running?.abort();
    const mine = new AbortController();
    running = mine;
    const q = question();
    const body = q.targets ? { type: q.type, data: q.data, targets: q.targets } : { type: q.type, data: q.data };
    try {
      await call('POST', '/records', { query: { dry_run: true }, body, signal: mine.signal });
      problems.value = [];
      checked.value = true;
    } catch (error) {
      if (error instanceof Problem && error.status === 422) {
        problems.value = error.errors;
        checked.value = true;
      } else if (!(error instanceof Offline || error instanceof DOMException || error instanceof Problem)) throw error;
    }
  }

  function soon(): void {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => { void ask(); }, PAUSE_MS);
  }

  onBeforeUnmount(() => {
    window.clearTimeout(timer);
    running?.abort();
  });

  return { problems, checked, ask, soon };
}
