// SPDX-License-Identifier: Apache-2.0
// Which systems ask for the same fields, from the field tables alone (no record is read).
import type { Target } from '@/api/types';

export interface FieldRow { pointer: string; systems: string[] }
export interface SystemRow { id: string; fields: number; shared: number; covered: number }

export interface Matrix { fields: FieldRow[]; systems: SystemRow[] }

/** Fields by how many ask for them; systems by how much of what they ask others ask for too. */
export function matrixOf(targets: Target[]): Matrix {
  const asked = new Map<string, string[]>();
  for (const t of targets) {
    for (const f of t.fields) asked.set(f.pointer, [...(asked.get(f.pointer) ?? []), t.id]);
  }
  const fields = [...asked].map(([pointer, systems]) => ({ pointer, systems }))
    .sort((a, b) => b.systems.length - a.systems.length || a.pointer.localeCompare(b.pointer));
  const systems = targets.map((t) => {
    const shared = t.fields.filter((f) => (asked.get(f.pointer)?.length ?? 0) > 1).length;
    return { id: t.id, fields: t.fields.length, shared, covered: t.fields.length === 0 ? 0 : shared / t.fields.length };
  }).sort((a, b) => b.covered - a.covered || b.fields - a.fields);
  return { fields, systems };
}

export interface Burden { records: number; deliveries: number; typed: number; delivered: number; saved: number }

/** delivered[system] = deliveries so far; the most that any system got is how many records there were. */
export function burdenOf(targets: Target[], delivered: Record<string, number>): Burden {
  const union = new Set(targets.flatMap((t) => t.fields.map((f) => f.pointer))).size;
  const deliveries = targets.reduce((n, t) => n + (delivered[t.id] ?? 0), 0);
  const records = Math.max(0, ...targets.map((t) => delivered[t.id] ?? 0));
  const fields = targets.reduce((n, t) => n + (delivered[t.id] ?? 0) * t.fields.length, 0);
  const typed = records * union;
  return { records, deliveries, typed, delivered: fields, saved: Math.max(0, fields - typed) };
}

const quoted = (cell: string | number): string => {
  const text = String(cell);
  // A cell that begins like a formula would be run by a spreadsheet.
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return `"${safe.replace(/"/g, '""')}"`;
};

export const csvOf = (rows: (string | number)[][]): string => `\ufeff${rows.map((r) => r.map(quoted).join(',')).join('\r\n')}\r\n`;

export function download(name: string, text: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type: 'text/csv;charset=utf-8' }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
