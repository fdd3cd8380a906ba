// SPDX-License-Identifier: Apache-2.0
// Turns a type (JSON Schema 2020-12 subset with x- keywords, docs/types.md) into what is drawn:
// sections of fields in order. Pure; knows no component.
import type { Words } from '@/api/types';

export interface UiHints {
  section?: string;
  order?: number;
  widget?: string;
  hidden?: boolean;
  derived?: string;
  asked?: string[];
  /** Only where the object beside it says so: { kind: ['org'] }. */
  only?: Record<string, string[]>;
  help?: Words;
}

export interface Schema {
  $ref?: string;
  $defs?: Record<string, Schema>;
  type?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
  required?: string[];
  const?: unknown;
  default?: unknown;
  enum?: unknown[];
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  minimum?: number;
  maximum?: number;
  pattern?: string;
  format?: string;
  examples?: unknown[];
  'x-label'?: Words;
  'x-codes'?: string;
  'x-sensitive'?: string;
  'x-ui'?: UiHints & { sections?: { id: string; label: Words }[]; draft?: string[] };
  [keyword: string]: unknown;
}

export type Shape = 'group' | 'list' | 'choices' | 'scalar';

export interface Field {
  key: string;
  /** As field tables name it: "/parties/-/phone" ("-" stands for any item). */
  pattern: string;
  label: Words;
  help?: Words;
  shape: Shape;
  widget: string;
  schema: Schema;
  required: boolean;
  codes?: string;
  hidden: boolean;
  derived?: string;
  asked?: string[];
  only?: Record<string, string[]>;
  children: Field[];
}

export interface Section {
  id: string;
  label: Words;
  fields: Field[];
}

const MERGED = ['x-label', 'x-ui', 'x-sensitive'] as const;

/** Follows $ref; the words beside the $ref win. */
export function resolve(schema: Schema, root: Schema): Schema {
  const name = schema.$ref?.replace(/^#\/\$defs\//, '');
  const target = name === undefined ? undefined : root.$defs?.[name];
  if (!target) return schema;
  const merged: Schema = { ...resolve(target, root) };
  for (const word of MERGED) {
    if (schema[word] !== undefined) merged[word] = schema[word] as never;
  }
  return merged;
}

function shapeOf(schema: Schema, items: Schema | undefined): Shape {
  if (schema.type === 'object') return 'group';
  if (schema.type !== 'array') return 'scalar';
  return items?.type === 'object' ? 'list' : 'choices';
}

function widgetOf(schema: Schema, hints: UiHints, codes: string | undefined): string {
  if (hints.widget) return hints.widget;
  if (codes) return 'select';
  if (schema.type === 'boolean') return 'yes-no';
  if (schema.type === 'integer' || schema.type === 'number') return 'number';
  if (schema.format === 'date') return 'date';
  if (schema.format === 'date-time') return 'datetime';
  return 'text';
}

function fieldOf(key: string, raw: Schema, required: boolean, parent: string, root: Schema): Field {
  const schema = resolve(raw, root);
  const items = schema.items ? resolve(schema.items, root) : undefined;
  const hints = schema['x-ui'] ?? {};
  const shape = shapeOf(schema, items);
  const pattern = `${parent}/${key}`;
  const codes = schema['x-codes'] ?? items?.['x-codes'];
  const inside = shape === 'list' ? items : shape === 'group' ? schema : undefined;
  return {
    key,
    pattern,
    label: schema['x-label'] ?? { zh: key },
    help: hints.help,
    shape,
    widget: widgetOf(schema, hints, codes),
    schema,
    required,
    codes,
    hidden: hints.hidden === true || schema.const !== undefined,
    derived: hints.derived,
    asked: hints.asked,
    only: hints.only,
    children: inside ? fieldsOf(inside, shape === 'list' ? `${pattern}/-` : pattern, root) : [],
  };
}

function fieldsOf(schema: Schema, parent: string, root: Schema): Field[] {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {})
    .map(([key, value]) => fieldOf(key, value, required.has(key), parent, root))
    .sort((a, b) => (a.schema['x-ui']?.order ?? 1e6) - (b.schema['x-ui']?.order ?? 1e6));
}

/** The sections of a type in their order; fields without one stand in the last. */
export function sectionsOf(type: Schema): Section[] {
  const declared = type['x-ui']?.sections ?? [{ id: '', label: { zh: '', en: '' } }];
  const sections: Section[] = declared.map((s) => ({ id: s.id, label: s.label, fields: [] }));
  for (const field of fieldsOf(type, '', type)) {
    const wanted = field.schema['x-ui']?.section ?? '';
    const section = sections.find((s) => s.id === wanted) ?? sections[sections.length - 1];
    section?.fields.push(field);
  }
  return sections.filter((s) => s.fields.some((f) => !f.hidden));
}

/** "/parties/0/phone" → "/parties/-/phone" */
export const patternOf = (pointer: string): string => pointer.replace(/\/\d+(?=\/|$)/g, '/-');

/** The field that field tables call so. */
export function findField(fields: Field[], pattern: string): Field | undefined {
  for (const field of fields) {
    if (field.pattern === pattern) return field;
    const inside = findField(field.children, pattern);
    if (inside) return inside;
  }
  return undefined;
}

/** What a new record begins with: constants and defaults, one empty item where one is demanded. */
export function blank(fields: Field[]): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const field of fields) {
    if (field.schema.const !== undefined) out[field.key] = field.schema.const;
    else if (field.schema.default !== undefined) out[field.key] = field.schema.default;
    else if (field.shape === 'group') out[field.key] = blank(field.children);
    else if (field.shape === 'list') out[field.key] = (field.schema.minItems ?? 0) > 0 ? [blank(field.children)] : [];
  }
  return out;
}

const isObject = (v: unknown): v is Record<string, unknown> => typeof v === 'object' && v !== null && !Array.isArray(v);

/** Without what nobody filled in: empty texts, objects that hold only constants and defaults, empty lists. */
export function pruned(value: unknown, fields: Field[]): unknown {
  if (!isObject(value)) return value;
  const out: Record<string, unknown> = {};
  for (const [key, raw] of Object.entries(value)) {
    const field = fields.find((f) => f.key === key);
    const kept = prunedOne(raw, field);
    if (kept !== undefined) out[key] = kept;
  }
  return out;
}

function prunedOne(raw: unknown, field: Field | undefined): unknown {
  if (raw === '' || raw === null || raw === undefined) return undefined;
  if (typeof raw === 'string') return raw.trim() === '' ? undefined : raw;
  if (Array.isArray(raw)) {
    const items = raw.map((v) => (field?.shape === 'list' ? pruned(v, field.children) : v))
      .filter((v) => v !== undefined && v !== '' && !(isObject(v) && Object.keys(v).length === 0));
    return items.length > 0 ? items : undefined;
  }
  if (isObject(raw) && field) {
    const inside = pruned(raw, field.children) as Record<string, unknown>;
    const said = field.children.some((c) => inside[c.key] !== undefined && c.schema.const === undefined && c.schema.default === undefined);
    return said ? inside : undefined;
  }
  return raw;
}
