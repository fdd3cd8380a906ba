// SPDX-License-Identifier: Apache-2.0
// RFC 7396 merge patches: what changed between two versions of a record's data.

type Json = unknown;

const isObject = (v: Json): v is Record<string, Json> => typeof v === 'object' && v !== null && !Array.isArray(v);
const same = (a: Json, b: Json): boolean => JSON.stringify(a) === JSON.stringify(b);

/** undefined: nothing changed. Arrays are replaced whole, as the RFC has it. */
export function mergePatch(before: Record<string, Json>, after: Record<string, Json>): Record<string, Json> | undefined {
  const patch: Record<string, Json> = {};
  for (const key of Object.keys(before)) {
    if (after[key] === undefined) patch[key] = null;
  }
  for (const [key, value] of Object.entries(after)) {
    const old = before[key];
    if (same(old, value)) continue;
    if (isObject(old) && isObject(value)) {
      const inside = mergePatch(old, value);
      if (inside) patch[key] = inside;
    } else patch[key] = value;
  }
  return Object.keys(patch).length > 0 ? patch : undefined;
}

export interface Clash { pointer: string; theirs: Json; mine: Json }

/** Where both sides changed the same thing differently since `base` (top-level fields, for people). */
export function clashes(base: Record<string, Json>, theirs: Record<string, Json>, mine: Record<string, Json>): Clash[] {
  const keys = new Set([...Object.keys(theirs), ...Object.keys(mine)]);
  return [...keys]
    .filter((k) => !same(base[k], theirs[k]) && !same(base[k], mine[k]) && !same(theirs[k], mine[k]))
    .map((k) => ({ pointer: `/${k}`, theirs: theirs[k], mine: mine[k] }));
}
