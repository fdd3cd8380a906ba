// SPDX-License-Identifier: Apache-2.0
// Deliveries found through their records: by declared key, type, area and time.
import type { DeliveryProblem, DeliveryState, YimenRecord } from '@/api/types';

export interface Row { record: string; system: string; state: DeliveryState; since: string; attempts: number; problem: DeliveryProblem | null }

/** The deliveries of a record that the filters mean; `held` is how queued and retrying may show. */
export function rowsOf(record: YimenRecord, system: string, state: string): Row[] {
  return Object.entries(record.deliveries)
    .filter(([id, d]) => (!system || id === system) && (!state || d.state === state || (d.state === 'held' && (state === 'queued' || state === 'retrying'))))
    .map(([id, d]) => ({ record: record.id, system: id, state: d.state, since: record.updated_at, attempts: d.attempts, problem: d.problem }));
}
