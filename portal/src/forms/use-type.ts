// SPDX-License-Identifier: Apache-2.0
// A type with everything its form needs: sections, targets, and what the targets want.
import { get } from '@/api/client';
import type { Target } from '@/api/types';
import type { Want } from './context';
import { sectionsOf, type Field, type Schema, type Section } from './model';

export interface FormType {
  name: string;
  schema: Schema;
  sections: Section[];
  fields: Field[];
  targets: Target[];
}

const known = new Map<string, Promise<FormType>>();

async function load(name: string): Promise<FormType> {
  const [schema, targets] = await Promise.all([
    get<Schema>(`/types/${encodeURIComponent(name)}`),
    get<{ items: Target[] }>(`/types/${encodeURIComponent(name)}/targets`).then((t) => t.items),
  ]);
  const sections = sectionsOf(schema);
  return { name, schema, sections, fields: sections.flatMap((s) => s.fields), targets };
}

export function loadType(name: string): Promise<FormType> {
  let type = known.get(name);
  if (!type) {
    type = load(name);
    type.catch(() => known.delete(name));
    known.set(name, type);
  }
  return type;
}

/** By pattern: which of the chosen systems take a field, which of them need it, the tightest limit. */
export function wantsOf(targets: Target[], chosen: ReadonlySet<string>): Map<string, Want> {
  const wants = new Map<string, Want>();
  for (const target of targets.filter((t) => chosen.has(t.id))) {
    for (const field of target.fields) {
      const want = wants.get(field.pointer) ?? { systems: [], required: [], max: 0 };
      want.systems.push(target.id);
      if (field.required) want.required.push(target.id);
      if (field.max && (want.max === 0 || field.max < want.max)) want.max = field.max;
      wants.set(field.pointer, want);
    }
  }
  return wants;
}
