/* SPDX-License-Identifier: Apache-2.0
 * Every attack of the list has a test whose title begins with its id, wherever that test stands, or a
 * reason in NOT_HERE of its section's file.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { TOP } from '../lib/nginx.mjs';

const read = (file) => fs.readFileSync(path.join(TOP, file), 'utf8');
const files = (dir, end) => fs.readdirSync(path.join(TOP, dir), { withFileTypes: true }).flatMap((e) => {
  const name = `${dir}/${e.name}`;
  if (e.isDirectory()) return e.name === 'node_modules' ? [] : files(name, end);
  return name.endsWith(end) ? [name] : [];
});

/* "| … | A1–A40 bearer tokens |" */
const sections = [...read('tests/attacks/README.md').matchAll(/\b([A-K])(\d+)–\1(\d+) /g)].map(([, letter, from, to]) => ({ letter, from: Number(from), to: Number(to) }));
const ids = sections.flatMap((s) => Array.from({ length: s.to - s.from + 1 }, (_, i) => `${s.letter}${s.from + i}`));

/* The ids that a title begins with: "A29 A30 a broken set", not "J170 to J179". */
const leading = (title) => (/^[A-K]\d+ to [A-K]\d/.test(title) ? [] : (/^(?:[A-K]\d+[,:]? +)+/.exec(title)?.[0].match(/[A-K]\d+/g) ?? []));
const titles = [
  ...files('tests', '.test.mjs').flatMap((f) => [...read(f).matchAll(/\b(?:test|it|describe)\(\s*(['"`])((?:\\.|(?!\1).)*)\1/g)].map((m) => ({ f, title: m[2] }))),
  ...files('tests/unit', '.c').flatMap((f) => [...read(f).matchAll(/^\s*\{"((?:\\.|[^"])*)",/gm)].map((m) => ({ f, title: m[1] }))),
].flatMap(({ f, title }) => leading(title).map((id) => ({ f, title, id })));
const reasons = files('tests/attacks', '.test.mjs').flatMap((f) => {
  const body = /^export const NOT_HERE = \{\n([\s\S]*?)^\};/m.exec(read(f))?.[1] ?? '';
  return [...body.matchAll(/^ {2}(?:'([^']+)'|(\w+)): ('|")(.*)\3,$/gm)].map((m) => ({ f, id: m[1] ?? m[2], why: m[4] }));
});

test('the list has sections A to K, one behind the other', () => {
  assert.equal(sections.map((s) => s.letter).join(''), 'ABCDEFGHIJK');
  sections.reduce((last, s) => (assert.equal(s.from, last + 1, s.letter), s.to), 0);
  assert.equal(ids.length, 193);
});

test('each of them has a test of its name, or a reason why there is none', () => {
  const tested = new Set(titles.map((t) => t.id));
  const excused = new Set(reasons.map((r) => r.id));
  assert.deepEqual(ids.filter((id) => !tested.has(id) && !excused.has(id)), [], 'neither a test nor a reason');
  assert.deepEqual([...tested].filter((id) => !ids.includes(id)), [], 'titles with an id that is not in the list');
});

test('a reason says something, of something that has no test', () => {
  for (const { f, id, why } of reasons) {
    assert.match(id, /^[A-K]\d+(?: \(.+\))?$/, `${f}: ${id}`);
    assert.ok(ids.includes(id.split(' ')[0]), `${f}: ${id} is not in the list`);
    assert.ok(why.length > 30, `${f}: ${id}: ${why}`);
    const has = titles.filter((t) => t.id === id);
    assert.deepEqual(has, [], `${f}: ${id} has a test after all`);
    if (id.includes(' ')) assert.ok(titles.some((t) => t.id === id.split(' ')[0]), `${f}: ${id}: the rest has a test`);
  }
});
