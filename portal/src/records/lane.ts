// SPDX-License-Identifier: Apache-2.0
// A delivery in plain words, and how far a record has come.
import type { Delivery, DeliveryState, YimenRecord } from '@/api/types';

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

export const titleOf = (r: YimenRecord): string => (typeof r.data.title === 'string' && r.data.title !== '' ? r.data.title : r.id);
