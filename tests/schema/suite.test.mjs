// SPDX-License-Identifier: Apache-2.0
// The official JSON-Schema-Test-Suite (draft 2020-12) against ym_schema: every case of every file of
// a supported keyword. A case group is left out only when its schema itself uses something outside
// the subset; this test reads the schema to see that, it does not take the checker's word for it.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const top = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const RAN_AT_LEAST = 980 // cases; Debian 12's suite has 986 inside the subset, later ones have more
const GROUPS_AT_LEAST = 220

// Files about things outside the subset as a whole.
const outside = {
  'content.json': 'content* keywords', 'dynamicRef.json': '$dynamicRef', 'refRemote.json': 'remote references',
  'unevaluatedItems.json': 'unevaluatedItems', 'unevaluatedProperties.json': 'unevaluatedProperties',
  'vocabulary.json': '$vocabulary', 'unknownKeyword.json': 'keywords that are in no vocabulary',
}
const formats = ['date', 'date-time', 'time', 'email', 'uri', 'uuid', 'ipv4']
const keywords = new Set(['type', 'enum', 'const', 'properties', 'patternProperties', 'additionalProperties',
  'propertyNames', 'required', 'dependentRequired', 'dependentSchemas', 'minProperties', 'maxProperties', 'items',
  'prefixItems', 'contains', 'minContains', 'maxContains', 'minItems', 'maxItems', 'uniqueItems', 'minLength',
  'maxLength', 'pattern', 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf', 'allOf',
  'anyOf', 'oneOf', 'not', 'if', 'then', 'else', '$ref', '$defs', '$anchor', 'format', 'title', 'description',
  'default', 'examples', '$comment', '$schema', '$id', 'readOnly', 'writeOnly', 'deprecated'])
const maps = new Set(['properties', 'patternProperties', 'dependentSchemas', '$defs'])
const lists = new Set(['allOf', 'anyOf', 'oneOf', 'prefixItems'])
const singles = new Set(['items', 'contains', 'additionalProperties', 'propertyNames', 'not', 'if', 'then', 'else'])
const draft = 'https://json-schema.org/draft/2020-12/schema'

// Why a schema is outside the subset, by its own text; null = it is inside.
function reason(schema, root = schema, isRoot = true) {
  if (typeof schema !== 'object' || schema === null) return null
  for (const [k, v] of Object.entries(schema)) {
    if (!keywords.has(k)) return `keyword ${k}`
    if (k === '$id' && !isRoot) return '$id below the root'
    if (k === '$schema' && v !== draft) return 'another $schema'
    if (k === 'format' && !formats.includes(v)) return `format ${v}`
    if (k === '$ref' && !v.startsWith('#') && !(root.$id && (v === root.$id || v.startsWith(`${root.$id}#`)))) {
      return 'a reference that is not local'
    }
    const subs = maps.has(k) ? Object.values(v) : lists.has(k) ? v : singles.has(k) ? [v] : []
    for (const s of subs) {
      const why = reason(s, root, false)
      if (why) return why
    }
  }
  return null
}

function suiteFolder() {
  const places = [process.env.JSON_SCHEMA_TEST_SUITE,
    '/usr/share/json-schema-test-suite/tests/draft2020-12',
    '/usr/share/perl5/auto/share/dist/Test-JSON-Schema-Acceptance/tests/draft2020-12']
  const found = places.find((p) => p && existsSync(join(p, 'type.json')))
  assert.ok(found, 'the official suite is missing: apt-get install libtest-json-schema-acceptance-perl')
  return found
}

function buildRunner(folder) {
  const build = process.env.BUILD ?? 'build'
  const run = (cmd, args) => execFileSync(cmd, args, { cwd: top, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  const pkg = (what) => run('pkg-config', [what, 'jansson', 'yaml-0.1', 'libcrypto', 'libpcre2-8']).trim().split(/\s+/).filter(Boolean)
  const lib = join(build, 'libym_core.a')
  run('make', ['-s', `BUILD=${build}`, lib])
  const out = join(folder, 'suite_runner')
  run(process.env.CC ?? 'cc', ['-std=c11', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Werror', '-g', '-Icore', ...pkg('--cflags'),
    'tests/schema/suite_runner.c', lib, ...pkg('--libs'), '-o', out])
  return out
}

test('the official suite', async (t) => {
  const suite = suiteFolder()
  const work = mkdtempSync(join(tmpdir(), 'ym-suite-'))
  t.after(() => rmSync(work, { recursive: true, force: true }))
  const runner = buildRunner(work)
  const files = readdirSync(suite).filter((f) => f.endsWith('.json')).sort().map((f) => join(suite, f))
    .concat(formats.map((f) => join(suite, 'optional', 'format', `${f}.json`)))
  const left = []
  const failed = []
  let ran = 0, groups = 0

  for (const file of files) {
    const name = basename(file)
    const source = JSON.parse(readFileSync(file, 'utf8'))
    if (dirname(file) === suite && outside[name]) {
      left.push(`${name}: all ${source.length} groups: ${outside[name]}`)
      continue
    }
    const lines = execFileSync(runner, [file], { encoding: 'utf8' }).split('\n').filter(Boolean).map((l) => JSON.parse(l))
    assert.equal(lines.length, source.length, `${name}: a line for each group`)
    lines.forEach((line, i) => {
      const why = reason(source[i].schema)
      if (line.refused) {
        if (why) left.push(`${name}: ${line.group}: ${why}`)
        else failed.push(`${name}: ${line.group}: refused though inside the subset: ${line.refused[0]}`)
        return
      }
      if (why) failed.push(`${name}: ${line.group}: accepted though outside the subset: ${why}`)
      // format.json says what holds where formats only annotate; here they are asserted by design
      // (docs/types.md), and optional/format/ holds the cases for that.
      const annotating = name === 'format.json' && dirname(file) === suite
      groups++
      if (line.disagree) failed.push(`${name}: ${line.group}: answers differ with and without problems`)
      for (const c of line.cases) {
        if (annotating && /only an annotation/.test(c.case)) {
          left.push(`${name}: ${line.group}: ${c.case}: formats are asserted by design`)
          continue
        }
        ran++
        if (c.got !== c.want) failed.push(`${name}: ${line.group}: ${c.case}: ${c.got}, not ${c.want}`)
      }
    })
  }
  console.log(`# ${ran} cases of ${groups} groups ran, ${ran - failed.length} passed; left out:`)
  for (const l of left) console.log(`#   ${l}`)
  assert.deepEqual(failed, [])
  assert.ok(ran >= RAN_AT_LEAST, `only ${ran} cases ran, at least ${RAN_AT_LEAST} are wanted`)
  assert.ok(groups >= GROUPS_AT_LEAST, `only ${groups} groups ran, at least ${GROUPS_AT_LEAST} are wanted`)
})

test('the oracle sees what is outside the subset', () => {
  assert.equal(reason({ type: 'string' }), null)
  assert.equal(reason({ properties: { unevaluatedItems: { type: 'string' } } }), null)
  assert.equal(reason({ allOf: [{ unevaluatedItems: false }] }), 'keyword unevaluatedItems')
  assert.equal(reason({ $ref: 'other.json' }), 'a reference that is not local')
  assert.equal(reason({ $id: 'x', $ref: 'x#/a' }), null)
  assert.equal(reason({ items: { $id: 'x' } }), '$id below the root')
  assert.equal(reason({ const: { unevaluatedItems: 1 } }), null)
})
