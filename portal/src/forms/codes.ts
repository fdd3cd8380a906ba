// SPDX-License-Identifier: Apache-2.0
// Code tables, fetched once per page, and the search by label, code and pinyin initials.
import { reactive, shallowRef } from 'vue';
import { get } from '@/api/client';
import type { Code } from '@/api/types';
import { language } from '@/state/settings';

const tables = reactive<Record<string, Code[]>>({});
const under_way = new Map<string, Promise<Code[]>>();

export function codesOf(table: string): Code[] {
  if (!tables[table]) void loadCodes(table);
  return tables[table] ?? [];
}

export function loadCodes(table: string): Promise<Code[]> {
  const known = tables[table];
  if (known) return Promise.resolve(known);
  let loading = under_way.get(table);
  if (!loading) {
    loading = get<{ items: Code[] }>(`/codes/${encodeURIComponent(table)}`)
      .then((answer) => { tables[table] = answer.items; return answer.items; })
      .finally(() => under_way.delete(table));
    under_way.set(table, loading);
  }
  return loading;
}

export const labelOf = (code: Code): string => (language.value === 'en' ? code.label_en ?? code.label : code.label);

export function labelFor(table: string, code: unknown): string {
  const found = codesOf(table).find((c) => c.code === code);
  return found ? labelOf(found) : String(code ?? '');
}

/** For Chinese papers, whatever language the page speaks. */
export const labelInChinese = (table: string, code: unknown): string =>
  codesOf(table).find((c) => c.code === code)?.label ?? String(code ?? '');

const today = (): string => new Date().toISOString().slice(0, 10);

/** Codes that may be chosen today. */
export function validCodes(table: string): Code[] {
  const day = today();
  return codesOf(table).filter((c) => (c.valid_from ?? '') <= day && (c.valid_to ?? '9999') >= day);
}

const initials = shallowRef<((text: string) => string) | null>(null);

/** Loaded when somebody searches for the first time. */
export async function loadPinyin(): Promise<void> {
  if (initials.value) return;
  const pinyin = (await import('tiny-pinyin')).default as { isSupported(): boolean; parse(t: string): { source: string; target: string }[] };
  initials.value = pinyin.isSupported()
    ? (text) => pinyin.parse(text).map((t) => t.target.charAt(0)).join('').toLowerCase()
    : () => '';
}

export function matches(code: Code, wanted: string): boolean {
  const text = wanted.trim().toLowerCase();
  if (text === '') return true;
  return code.code.startsWith(text) || code.label.toLowerCase().includes(text)
    || (code.label_en ?? '').toLowerCase().includes(text) || (initials.value?.(code.label).includes(text) ?? false);
}
