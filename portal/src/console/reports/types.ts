// SPDX-License-Identifier: Apache-2.0
// What GET /reports/… answers (docs/reports.md).
import type { Words } from '@/api/types';

export interface FieldRow { pointer: string; label: Words; systems: string[]; required: string[] }
export interface SystemRow {
  id: string; title: Words; fields: number; shared: number; covered: number;
  nearest: { id: string; shared: number } | null; alone: string[];
}
export interface Redundancy { types: { type: string; title: Words; systems: SystemRow[]; fields: FieldRow[] }[] }

export interface Numbers { records: number; revisions: number; typed: number; arrived: number; changed: number; delivered: number }
export interface Burden {
  from: string; to: string;
  totals: Numbers & { saved: number; sign_ins: number; entries: number; sign_ins_saved: number };
  types: (Numbers & { type: string; title: Words })[];
  systems: { id: string; title: Words; arrived: number; changed: number; delivered: number }[];
  days: (Numbers & { day: string; sign_ins: number; entries: number })[];
}

export interface Usage {
  from: string; to: string; sign_ins: number;
  applications: { id: string; title: Words; entries: number }[];
  days: { day: string; sign_ins: number; entries: Record<string, number> }[];
}
