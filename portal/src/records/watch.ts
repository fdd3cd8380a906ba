// SPDX-License-Identifier: Apache-2.0
// A record as it goes on: server-sent events while the page is seen, else a look now and then.
import type { Delivery, YimenRecord } from '@/api/types';

/** What an event tells; the rest of the record changes only with its revision. */
export type Progress = Pick<YimenRecord, 'id' | 'revision' | 'updated_at' | 'withdrawn_at' | 'deliveries'>;

const PATIENCE_MS = 10000;
const MOVING_MS = 4000;
const RESTING_MS = 30000;

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

const UNDER_WAY = new Set(['queued', 'sending', 'retrying']);

/* How soon a delivery may look different. */
function soon(d: Delivery): number {
  if (UNDER_WAY.has(d.state) || (d.state === 'unknown' && d.next_attempt !== null)) return MOVING_MS;
  return d.state === 'held' ? PATIENCE_MS : RESTING_MS;
}

/**
 * A list that goes on by itself: asked anew every few seconds while anything in it is under way, else now
 * and then, and at once when somebody looks at it again. A page that nobody sees asks nothing.
 */
export function watchList(records: () => YimenRecord[], look: () => Promise<void>): () => void {
  let timer = 0;
  let over = false;

  function later(): void {
    window.clearTimeout(timer);
    if (over || document.hidden) return;
    const wait = Math.min(RESTING_MS, ...records().flatMap((r) => Object.values(r.deliveries).map(soon)));
    timer = window.setTimeout(() => { void again(); }, wait);
  }

  /* A look that fails leaves what is shown; the next one comes. */
  async function again(): Promise<void> {
    if (navigator.onLine) await look().catch(() => undefined);
    later();
  }

  function seen(): void {
    if (document.hidden) window.clearTimeout(timer);
    else void again();
  }

  document.addEventListener('visibilitychange', seen);
  later();
  return () => {
    over = true;
    document.removeEventListener('visibilitychange', seen);
    window.clearTimeout(timer);
  };
}
