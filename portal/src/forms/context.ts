// SPDX-License-Identifier: Apache-2.0
// What every field of one form shares: objections, what the systems want, what is shown.
import { inject, provide, type InjectionKey } from 'vue';
import type { ProblemEntry } from '@/api/client';
import { patternOf, type Field } from './model';

export interface Want { systems: string[]; required: string[]; max: number }

export interface FormContext {
  /** Objections at exactly this pointer. */
  objections(pointer: string): ProblemEntry[];
  /** Which of the chosen systems take this field; undefined: none. */
  want(pattern: string): Want | undefined;
  titleOf(system: string): string;
  /** Whether a field is drawn at all. */
  shown(field: Field, holder: Record<string, unknown>): boolean;
  /** Whether the type or one of the chosen systems needs it. */
  needed(field: Field): boolean;
  /** Whether anything is wrong there or below. */
  troubled(pointer: string): boolean;
  /** Somebody changed something there. */
  changed(pointer: string): void;
  idOf(pointer: string): string;
  /** The field of a pattern, wherever it stands in the type. */
  field(pattern: string): Field | undefined;
}

const KEY: InjectionKey<FormContext> = Symbol('form');

export const provideForm = (context: FormContext): void => provide(KEY, context);

export function useForm(): FormContext {
  const context = inject(KEY);
  if (!context) throw new Error('a field outside a form');
  return context;
}

export const idOf = (pointer: string): string => `f${pointer.replace(/[^\w-]/g, '_')}`;

/** Whether anything is filled in below. */
export function filled(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return false;
  if (Array.isArray(value)) return value.some(filled);
  if (typeof value === 'object') return Object.values(value).some(filled);
  return true;
}

/** A group or list is wanted when anything in it is. */
export function wantedBelow(context: Pick<FormContext, 'want'>, field: Field): boolean {
  return context.want(patternOf(field.pattern)) !== undefined || field.children.some((c) => wantedBelow(context, c));
}

export function neededBelow(context: Pick<FormContext, 'want'>, field: Field): boolean {
  return field.required || (context.want(field.pattern)?.required.length ?? 0) > 0 || field.asked !== undefined
    || (field.shape === 'group' && field.children.some((c) => neededBelow(context, c)));
}

/** `only`: fields of an organisation are there for organisations only. */
export function fits(field: Field, holder: Record<string, unknown>): boolean {
  return Object.entries(field.only ?? {}).every(([key, values]) => values.includes(String(holder[key] ?? '')));
}
