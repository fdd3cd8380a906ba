/* SPDX-License-Identifier: Apache-2.0
 * What the build of the portal is made of: small, from this host alone, nothing inline, and nothing that a
 * WebView of Chromium 80 does not know. No browser: the files are parsed.
 */
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';

const TOP = resolve(import.meta.dirname, '../..');
const ROOT = join(resolve(TOP, process.env.BUILD ?? 'build'), 'portal');
const FIRST_LOAD = 200 * 1024;   /* bytes, compressed */
const { parseAst } = await import(pathToFileURL(createRequire(join(TOP, 'portal/package.json')).resolve('vite')));

const names = readdirSync(ROOT, { recursive: true }).map(String);
const text = (name) => readFileSync(join(ROOT, name), 'utf8');
const scripts = names.filter((n) => n.endsWith('.js'));
const styles = names.filter((n) => n.endsWith('.css'));

/* Syntax that came after Chromium 80: what a node of the tree says of itself. */
const LATER_SYNTAX = {
  AssignmentExpression: (n) => ['&&=', '||=', '??='].includes(n.operator) && `${n.operator} (85)`,
  StaticBlock: () => 'static block (94)',
  MethodDefinition: (n) => n.key.type === 'PrivateIdentifier' && 'private method (84)',
  BinaryExpression: (n) => n.left.type === 'PrivateIdentifier' && '#x in (91)',
  AwaitExpression: (n, inside) => !inside && 'await outside functions (89)',
  Literal: (n) => n.regex && /[dv]/.test(n.regex.flags) && `regular expression /${n.regex.flags} (90, 112)`,
  ImportExpression: (n) => n.options && 'import attributes (91)',
};

/* Functions that came later, by name of the method or global; `?.()` is a question, not a need. */
const LATER_METHODS = new Set(['at', 'replaceAll', 'hasOwn', 'randomUUID', 'findLast', 'findLastIndex', 'toSorted', 'toReversed', 'toSpliced',
  'groupBy', 'fromAsync', 'withResolvers', 'replaceChildren', 'throwIfAborted', 'showPicker', 'checkVisibility', 'getOrInsert', 'isWellFormed',
  'toWellFormed', 'supportedValuesOf', 'canParse', 'startViewTransition', 'setHTML', 'isDisjointFrom', 'isSubsetOf', 'symmetricDifference',
  'togglePopover', 'showPopover', 'requestVideoFrameCallback', 'getSetCookie', 'waitAsync']);
const LATER_GLOBALS = new Set(['structuredClone', 'WeakRef', 'FinalizationRegistry', 'AggregateError', 'CompressionStream', 'DecompressionStream',
  'scheduler', 'CSSStyleSheet', 'ClipboardItem', 'BarcodeDetector', 'Iterator', 'URLPattern', 'EyeDropper', 'TrustedHTML', 'reportError', 'navigation']);
const LATER_STATICS = { Promise: ['any', 'try'], AbortSignal: ['any', 'timeout', 'abort'], Intl: ['DisplayNames', 'Segmenter', 'DurationFormat'], Response: ['json'] };

const nodesBelow = (node) => Object.values(node).flat().filter((v) => v && typeof v.type === 'string');

/* What a condition asks for: 'x' in y, y.x, typeof x. */
function askedBy(node) {
  const own = node.type === 'BinaryExpression' && node.operator === 'in' ? [node.left.value ?? node.left.quasis?.[0]?.value.cooked]
    : node.type === 'MemberExpression' ? [node.property.name]
      : node.type === 'UnaryExpression' && node.operator === 'typeof' ? [node.argument.name] : [];
  return node.type === 'CallExpression' ? [] : [...own, ...nodesBelow(node).flatMap(askedBy)];
}

/* Asked for before it is used, or only handed on by a method of the same name. */
function granted(node, asked) {
  const condition = node.type === 'LogicalExpression' && node.operator === '&&' ? node.left
    : node.type === 'IfStatement' || node.type === 'ConditionalExpression' ? node.test : undefined;
  if (condition) return new Set([...asked, ...askedBy(condition)]);
  return node.type === 'Property' && node.method ? new Set([...asked, node.key.name]) : asked;
}

function* walk(node, inside = false, asked = new Set(), parent = null, key = '') {
  if (!node || typeof node.type !== 'string') return;
  yield { node, inside, asked, parent, key };
  const within = inside || /Function/.test(node.type);
  const allowed = granted(node, asked);
  for (const [k, value] of Object.entries(node)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one && typeof one === 'object') yield* walk(one, within, allowed, node, k);
  }
}

function laterApi({ node, asked, parent, key }) {
  if (node.type === 'CallExpression' && node.callee.type === 'MemberExpression' && !node.callee.computed && !node.optional
      && LATER_METHODS.has(node.callee.property.name) && !asked.has(node.callee.property.name)) return `.${node.callee.property.name}()`;
  if (node.type === 'MemberExpression' && node.object.type === 'Identifier' && LATER_STATICS[node.object.name]?.includes(node.property.name)) {
    return `${node.object.name}.${node.property.name}`;
  }
  const named = parent && ((parent.type === 'MemberExpression' && key === 'property' && !parent.computed) || (/Property/.test(parent.type) && key === 'key'));
  if (node.type === 'Identifier' && LATER_GLOBALS.has(node.name) && !named && !asked.has(node.name) && !(parent?.type === 'UnaryExpression' && parent.operator === 'typeof')) return node.name;
  return undefined;
}

/** What of a script a Chromium 80 does not know. */
export function laterThan80(source) {
  const found = [];
  for (const step of walk(parseAst(source, { sourceType: 'module' }))) {
    const what = LATER_SYNTAX[step.node.type]?.(step.node, step.inside) || laterApi(step);
    if (what) found.push(`${what}: ${source.slice(Math.max(0, step.node.start - 30), step.node.start + 60)}`);
  }
  return found;
}

const LATER_STYLES = [
  [/[;{}]\s*inset(-inline|-block)?:/, 'inset'], [/aspect-ratio:/, 'aspect-ratio'], [/:(is|where|has)\(/, ':is, :where, :has'], [/@(layer|container|scope|starting-style)\b/, 'at-rule'],
  [/\b(color-mix|oklch|oklab|light-dark)\(/, 'colour'], [/\d[dsl]v[hw]\b/, 'viewport unit'], [/:not\([^()]*,/, ':not() of a list'], [/\((width|height)\s*[<>]/, 'range in a media query'],
  [/[;{](margin|padding)-(inline|block):/, 'logical shorthand'], [/[;{](translate|rotate|scale):/, 'single transform'], [/overflow(-[xy])?:\s*clip/, 'overflow: clip'],
];

/** What of a style sheet would be lost there and show. */
export function lostStyles(css) {
  const found = LATER_STYLES.filter(([pattern]) => pattern.test(css)).map(([, name]) => name);
  for (const [, selector, body] of css.matchAll(/([^{}]+)\{([^{}]*)\}/g)) {
    if (/display:\s*(inline-)?flex/.test(body) && /(^|;)\s*(row-|column-)?gap:/.test(body)) found.push(`gap in a flex box: ${selector}`);
    if (/:focus-visible/.test(selector) && /,/.test(selector)) found.push(`:focus-visible in a list takes the others with it: ${selector}`);
  }
  return found;
}

describe('portal: what is built', () => {
  test('the first page is less than 200 KB, compressed', (t) => {
    const manifest = JSON.parse(text('assets.json'));
    const files = new Set(['index.html']);
    const need = (key) => {
      const chunk = manifest[key];
      if (files.has(chunk.file)) return;
      files.add(chunk.file);
      for (const css of chunk.css ?? []) files.add(css);
      for (const other of chunk.imports ?? []) need(other);
    };
    need(Object.keys(manifest).find((k) => manifest[k].isEntry));
    need(Object.keys(manifest).find((k) => k.endsWith('home/HomePage.vue')));
    assert.ok(files.size >= 4, [...files].join(' '));
    const bytes = [...files].reduce((n, f) => n + gzipSync(readFileSync(join(ROOT, f))).length, 0);
    t.diagnostic(`first page: ${files.size} files, ${(bytes / 1024).toFixed(1)} KB compressed`);
    assert.ok(bytes > 10 * 1024 && bytes < FIRST_LOAD, `${bytes} bytes`);
  });

  test('scripts: no syntax and no function younger than Chromium 80', () => {
    assert.ok(scripts.length > 20 && scripts.includes('sw.js'));
    assert.deepEqual(scripts.flatMap((f) => laterThan80(text(f)).map((x) => `${f}: ${x}`)), []);
  });

  test('styles: nothing that an older WebView would lose', () => {
    assert.ok(styles.length > 5);
    assert.deepEqual(styles.flatMap((f) => lostStyles(text(f)).map((x) => `${f}: ${x}`)), []);
  });

  test('the check itself finds what it looks for', () => {
    for (const code of ['a ??= 1', 'a ||= b', '[1].at(-1)', '"a".replaceAll("a", "b")', 'Object.hasOwn({}, "a")', 'crypto.randomUUID()', 'structuredClone({})',
      'Promise.any([])', 'AbortSignal.timeout(1)', 'class A { #m() { return 1; } }', 'class A { static { f(); } }', 'await f()', '/a/d.test("a")', 'a && b.at(0)', 'if (c.at(0)) d()']) {
      assert.equal(laterThan80(code).length, 1, code);
    }
    for (const code of ['crypto.randomUUID?.()', 'typeof structuredClone', '({ at: 1 }).at', 'a ?? b', 'a?.b', 'async () => { await f(); }', 'class A { #p = 1; }', 'export * as a from "b"', '({ at() { return b.at(1); } })',
      'a && "startViewTransition" in document && document.startViewTransition(f)', 'if (crypto.randomUUID) crypto.randomUUID()']) {
      assert.deepEqual(laterThan80(code), [], code);
    }
    for (const css of ['a{inset:0}', 'a{display:flex;gap:1px}', 'a:is(b,c){d:e}', 'a:focus,a:focus-visible{b:c}', 'a{height:100dvh}', '@media (width>=1px){a{b:c}}']) {
      assert.equal(lostStyles(css).length, 1, css);
    }
    assert.deepEqual(lostStyles('a{display:grid;gap:1px}a:focus-visible{b:c}@media (min-width:1px){a{top:0}}'), []);
  });

  test('nothing inline and nothing from elsewhere in the page and its styles', () => {
    const html = text('index.html');
    for (const [tag] of html.matchAll(/<script\b[^>]*>/g)) assert.match(tag, /\ssrc="\/assets\//);
    assert.doesNotMatch(html, /<style|\sstyle=|\son\w+=|javascript:|<base/i);
    for (const [, url] of html.matchAll(/(?:src|href)="([^"]*)"/g)) assert.match(url, /^\/(?!\/)/);
    for (const f of styles) assert.doesNotMatch(text(f), /url\(["']?(?:https?:)?\/\/|@import/, f);
  });
});
