// SPDX-License-Identifier: Apache-2.0
// A record's data as labelled lines for people, codes as their words.
import { labelFor } from '@/forms/codes';
import { centsToYuan } from '@/forms/identity';
import type { Field } from '@/forms/model';
import { forPeople } from '@/forms/time';
import { words } from '@/i18n';
import { language } from '@/state/settings';

export interface Line { pointer: string; label: string; value: string }

export interface Say { yes: string; no: string; yuan: string }

export function scalar(field: Field, value: unknown, say: Say): string {
  if (field.codes) return labelFor(field.codes, value);
  if (typeof value === 'boolean') return value ? say.yes : say.no;
  if (field.widget === 'money') return `${centsToYuan(String(value))} ${say.yuan}`;
  if (field.widget === 'datetime') return forPeople(String(value), language.value);
  return String(value);
}

export function linesOf(fields: Field[], data: Record<string, unknown>, say: Say, above = '', prefix = ''): Line[] {
  return fields.filter((f) => !f.hidden && data[f.key] !== undefined && data[f.key] !== null).flatMap((f) => {
    const value = data[f.key];
    const pointer = `${above}/${f.key}`;
    const label = `${prefix}${words(f.label)}`;
    if (f.shape === 'group') return linesOf(f.children, value as Record<string, unknown>, say, pointer, prefix);
    if (f.shape === 'list') {
      return (value as Record<string, unknown>[]).flatMap((item, i) => linesOf(f.children, item, say, `${pointer}/${i}`, `${label} ${i + 1} · `));
    }
    if (f.shape === 'choices') return [{ pointer, label, value: (value as unknown[]).map((v) => scalar(f, v, say)).join('、') }];
    return [{ pointer, label, value: scalar(f, value, say) }];
  });
}

/** The label of the field at a pointer. */
export function flatWords(fields: Field[], pointer: string): string {
  const [key, ...rest] = pointer.slice(1).split('/').filter((part) => !/^\d+$/.test(part));
  const field = fields.find((f) => f.key === key);
  if (!field) return pointer;
  return rest.length > 0 ? `${words(field.label)} · ${flatWords(field.children, `/${rest.join('/')}`)}` : words(field.label);
}
