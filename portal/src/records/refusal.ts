// SPDX-License-Identifier: Apache-2.0
// A system speaks of its own fields; people know those of the form. Which of them a system means.
import type { Delivery, Target } from '@/api/types';
import type { ProblemEntry } from '@/api/client';
import { patternOf } from '@/forms/model';
import { flatWords } from './flatten';
import type { FormType } from '@/forms/use-type';

/** "data.persons.1.name" → "persons.name" as far as it matters: without counters. */
const plain = (name: string): string => name.replace(/\.\d+(?=\.|$)/g, '').replace(/\[\d*\]/g, '');

/** The pattern ("/parties/-/phone") behind a system's own name; undefined: it comes from nowhere in the form. */
export function patternBehind(target: Target | undefined, name: string): string | undefined {
  if (name.startsWith('/data/')) return patternOf(name.slice('/data'.length));
  const wanted = plain(name);
  const fits = (to: string): boolean => plain(to) === wanted;
  const ends = (to: string): boolean => plain(to).endsWith(`.${wanted}`);
  return (target?.fields.find((f) => f.to?.some(fits)) ?? target?.fields.find((f) => f.to?.some(ends)))?.pointer;
}

/** What the form calls it, else the system's own name. */
export function wordsBehind(type: FormType | null, system: string, name: string): string {
  const pattern = patternBehind(type?.targets.find((t) => t.id === system), name);
  return type && pattern ? flatWords(type.fields, pattern.replace(/\/-/g, '')) : name;
}

/** A refusal as an objection at its field; one of several items is not known, so it stands at all of them. */
export function objectionOf(type: FormType, system: string, delivery: Delivery | undefined): ProblemEntry | null {
  const problem = delivery?.problem;
  if (delivery?.state !== 'rejected' || !problem?.field) return null;
  const pattern = patternBehind(type.targets.find((t) => t.id === system), problem.field);
  return pattern ? { pointer: pattern.replace(/\/-.*$/, ''), code: 'refused', message: problem.message ?? problem.code ?? '', systems: [system] } : null;
}
