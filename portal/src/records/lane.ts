// SPDX-License-Identifier: Apache-2.0
// A delivery in plain words, and how far a record has come.
import { FEEDBACK, type Delivery, type DeliveryState, type YimenRecord } from '@/api/types';

export const NEEDS_AUTHOR: readonly DeliveryState[] = ['rejected', 'handoff', 'unknown'];
const AT_REST: readonly DeliveryState[] = ['delivered', 'withdrawn'];

/** unknown without a next look waits for a person. */
export const waitsForPerson = (d: Delivery): boolean => d.state === 'unknown' && d.next_attempt === null;

export function needsAuthor(d: Delivery): boolean {
  return d.state === 'rejected' || d.state === 'handoff' || waitsForPerson(d);
}

export const needing = (r: YimenRecord): [string, Delivery][] => Object.entries(r.deliveries).filter(([, d]) => needsAuthor(d));

export function progressOf(r: YimenRecord): { done: number; all: number } {
  const all = Object.values(r.deliveries);
  return { done: all.filter((d) => AT_REST.includes(d.state)).length, all: all.length };
}

export function titleOf(r: YimenRecord): string {
  const title = r.type === FEEDBACK ? r.data.text : r.data.title;
  return typeof title === 'string' && title !== '' ? title : r.id;
}
