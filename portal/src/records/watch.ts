// SPDX-License-Identifier: Apache-2.0
// A record as it goes on: server-sent events while the page is seen, else a look now and then.
import type { YimenRecord } from '@/api/types';

/** What an event tells; the rest of the record changes only with its revision. */
export type Progress = Pick<YimenRecord, 'id' | 'revision' | 'updated_at' | 'withdrawn_at' | 'deliveries'>;

const PATIENCE_MS = 10000;

/**
 * Tells `changed` what happens to a record; `look` is asked to read it anew where there are no events
 * (an old browser, a proxy that keeps them back). Gives back what ends it.
 */
export function watchRecord(id: string, changed: (p: Progress) => void, look: () => void): () => void {
  let source: EventSource | null = null;
  let timer = 0;

  const pollLater = (): void => {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => { if (!document.hidden) look(); pollLater(); }, PATIENCE_MS);
  };

  function open(): void {
    if (source || document.hidden || typeof EventSource === 'undefined') return;
    const mine = new EventSource(`/api/v1/events?record=${encodeURIComponent(id)}`);
    source = mine;
    mine.addEventListener('open', () => window.clearTimeout(timer));
    mine.addEventListener('record', (event) => {
      window.clearTimeout(timer);
      changed(JSON.parse((event as MessageEvent<string>).data) as Progress);
    });
    mine.addEventListener('over', () => { close(); look(); });
    mine.addEventListener('error', () => {
      if (mine.readyState === EventSource.CLOSED) source = null; // refused: no more events
      pollLater();
    });
  }

  function close(): void {
    source?.close();
    source = null;
  }

  /* A page that nobody sees costs nothing. */
  function seen(): void {
    if (document.hidden) close();
    else open();
  }

  document.addEventListener('visibilitychange', seen);
  pollLater();
  open();
  return () => {
    document.removeEventListener('visibilitychange', seen);
    window.clearTimeout(timer);
    close();
  };
}
