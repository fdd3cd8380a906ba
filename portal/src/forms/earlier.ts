// SPDX-License-Identifier: Apache-2.0
// What is known of a person from earlier records that the author may see; shown before it is used.
import { get } from '@/api/client';
import type { Page, YimenRecord } from '@/api/types';

export type Known = Record<string, unknown>;

const TAKEN = ['name', 'phone', 'address', 'domicile', 'ethnic', 'education', 'occupation', 'employer', 'person_type'];

export async function knownPerson(idNumber: string): Promise<Known | null> {
  const page = await get<Page<YimenRecord>>('/records', { 'key.id_no': idNumber, limit: 5 }).catch(() => ({ items: [] as YimenRecord[] }));
  for (const record of page.items) {
    if (record.masked || !Array.isArray(record.data.parties)) continue;
    const party = (record.data.parties as Known[]).find((p) => p.id_no === idNumber);
    if (!party) continue;
    const known = Object.fromEntries(TAKEN.filter((k) => party[k] !== undefined).map((k) => [k, party[k]]));
    if (Object.keys(known).length > 0) return known;
  }
  return null;
}
