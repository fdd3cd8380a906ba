// SPDX-License-Identifier: Apache-2.0
// Proves the judge: a good run has no fault, and each seeded fault is named, alone, with its record
// and system. A checker that cannot fail proves nothing.
import test from 'node:test';
import assert from 'node:assert/strict';
import { check, summary, KINDS } from './checker.mjs';

const ID = ['01A', '01B', '01C'];
const mark = (entry) => entry.content.text;

// Three accepted records (one revised twice), one refused; two systems with lookup, one without.
function goodRun() {
  const revisions = { '01A': [1], '01B': [1, 2, 3], '01C': [1] };
  const log = ID.map((id) => ({ id, targets: ['odr', 'sql', 'blind', 'board'],
    revisions: revisions[id].map((r) => ({ revision: r, mark: `${id}-${r}` })) }));
  log.push({ refused: 'bad-1' });
  const holding = (prefix) => ID.map((id, i) => {
    const last = revisions[id].at(-1);
    return { number: `${prefix}${i}`, ref: id, revision: last, received: revisions[id].length,
      history: [...revisions[id]], content: { text: `${id}-${last}` } };
  });
  const systems = { odr: { lookup: true, mark, records: holding('O') }, sql: { lookup: true, mark, records: holding('S') },
    blind: { lookup: false, mark, records: holding('B') }, board: { handoff: true, records: [] } };
  const states = Object.fromEntries(ID.map((id, i) => {
    const last = revisions[id].at(-1), state = (number) => ({ state: 'delivered', revision: last, wanted: last, number });
    return [id, { revision: last, deliveries: { odr: state(`O${i}`), sql: state(`S${i}`), blind: state(`B${i}`),
      board: { state: 'handoff', revision: 0, wanted: last, number: null } } }];
  }));
  return { log, states, systems };
}

// What the engine would have written down of it.
function proofs({ states }) {
  return Object.entries(states).flatMap(([id, { deliveries }]) => Object.entries(deliveries)
    .filter(([, d]) => d.state === 'delivered')
    .map(([system, { revision, number }]) => ({ what: 'deliver', outcome: 'ok', op: 'create', id, system, revision, number })));
}

const judge = (run) => check({ evidence: proofs(run), ...run });

function drop(list, keep) {
  const kept = list.filter(keep);
  list.splice(0, list.length, ...kept);
}

test('a good run has no fault', () => {
  const { faults, counts } = judge(goodRun());
  assert.deepEqual(faults, []);
  assert.deepEqual(counts, { records: 3, refused: 1, deliveries: 12, delivered: 9, unknown: 0, handoff: 3 });
  assert.match(summary({ faults, counts }), /lost=0 duplicated=0 reordered=0 falsely_delivered=0 refused_but_there=0 unproven=0 other=0$/);
});

// title, what is spoilt, the one fault that must be named
const SEEDED = [
  ['lost: in the platform of none, still unknown', (r) => {
    drop(r.systems.odr.records, (x) => x.ref !== '01A');
    r.states['01A'].deliveries.odr = { state: 'unknown', revision: 0, number: null };
  }, ['lost', 'odr', '01A']],
  ['lost: the API forgot a 201', (r) => {
    delete r.states['01C'];
  }, ['lost', '', '01C']],
  ['lost: a target without a delivery', (r) => {
    delete r.states['01C'].deliveries.sql;
  }, ['lost', 'sql', '01C']],
  ['lost: a confirmed revision is gone', (r) => {
    r.log[0].revisions.push({ revision: 2, mark: '01A-2' });
    for (const d of ['odr', 'sql', 'blind']) {
      r.states['01A'].deliveries[d].revision = 2;
      Object.assign(r.systems[d].records[0], { revision: 2, content: { text: '01A-2' } });
    }
  }, ['lost', '', '01A']],
  ['doubled in a system with a lookup', (r) => {
    r.systems.sql.records.push({ ...r.systems.sql.records[1], number: 'S9' });
  }, ['doubled', 'sql', '01B']],
  ['doubled silently in a system without one', (r) => {
    r.systems.blind.records.push({ ...r.systems.blind.records[0], number: 'B9' });
  }, ['doubled', 'blind', '01A']],
  ['reordered: revisions came in the wrong order', (r) => {
    r.systems.odr.records[1].history = [1, 3, 2, 3];
  }, ['reordered', 'odr', '01B']],
  ['reordered: an old revision stayed', (r) => {
    Object.assign(r.systems.odr.records[1], { revision: 2, history: [1, 2], content: { text: '01B-2' } });
  }, ['reordered', 'odr', '01B']],
  ['reordered: told by the words where the platform keeps no revision', (r) => {
    Object.assign(r.systems.blind.records[1], { revision: null, history: undefined, content: { text: '01B-1' } });
  }, ['reordered', 'blind', '01B']],
  ['stale: delivered shows an older revision', (r) => {
    r.states['01B'].deliveries.odr.revision = 2;
  }, ['stale', 'odr', '01B']],
  ['falsely delivered: the platform does not have it', (r) => {
    drop(r.systems.blind.records, (x) => x.ref !== '01C');
  }, ['false', 'blind', '01C']],
  ['falsely delivered: without number and digest', (r) => {
    r.states['01C'].deliveries.sql.number = null;
  }, ['false', 'sql', '01C']],
  ['falsely delivered: a number the platform never gave', (r) => {
    r.states['01C'].deliveries.sql.number = 'S77';
  }, ['false', 'sql', '01C']],
  ['refused, and there all the same', (r) => {
    r.systems.blind.records.push({ number: 'B8', ref: '01Z', revision: 1, content: { text: 'bad-1' } });
  }, ['refused', 'blind', '01Z']],
  ['a record nobody was told about', (r) => {
    r.systems.blind.records.push({ number: 'B8', ref: '01Z', revision: 1, content: { text: 'other' } });
  }, ['foreign', 'blind', '01Z']],
  ['never came to rest', (r) => {
    drop(r.systems.blind.records, (x) => x.ref !== '01A');
    r.states['01A'].deliveries.blind = { state: 'retrying', revision: 0, number: null };
  }, ['stuck', 'blind', '01A']],
  ['unknown although a lookup could tell', (r) => {
    r.states['01A'].deliveries.odr.state = 'unknown';
  }, ['state', 'odr', '01A']],
  ['somebody else’s words', (r) => {
    r.systems.sql.records[0].content.text = 'scrambled';
  }, ['content', 'sql', '01A']],
  ['unproven: the chain does not tell of it', (r) => {
    r.evidence = proofs(r).filter((l) => l.id !== '01A' || l.system !== 'odr');
  }, ['unproven', 'odr', '01A']],
  ['unproven: the chain tells of an earlier revision', (r) => {
    r.evidence = proofs(r).map((l) => (l.id === '01B' && l.system === 'sql' ? { ...l, revision: 2 } : l));
  }, ['unproven', 'sql', '01B']],
  ['unproven: under another number', (r) => {
    r.evidence = proofs(r).map((l) => (l.id === '01C' && l.system === 'blind' ? { ...l, number: 'B0' } : l));
  }, ['unproven', 'blind', '01C']],
];

for (const [title, spoil, [kind, system, id]] of SEEDED) {
  test(title, () => {
    const run = goodRun();
    spoil(run);
    const { faults } = judge(run);
    assert.deepEqual(faults.map((f) => [f.kind, f.system, f.id]), [[kind, system, id]], JSON.stringify(faults));
    assert.ok(faults[0].words.length > 3);
  });
}

test('every kind of fault has a seed', () => {
  assert.deepEqual(KINDS.filter((kind) => !SEEDED.some((s) => s[2][0] === kind)), []);
});

test('unknown in a system without a lookup is no fault, there or not; twice is', () => {
  for (const copies of [0, 1, 2]) {
    const run = goodRun(), [one] = run.systems.blind.records;
    drop(run.systems.blind.records, (x) => x.ref !== '01A');
    for (let i = 0; i < copies; i++) run.systems.blind.records.push({ ...one, number: `B${10 + i}` });
    run.states['01A'].deliveries.blind = { state: 'unknown', revision: 0, number: null };
    assert.deepEqual(judge(run).faults.map((f) => f.kind), copies > 1 ? ['doubled'] : []);
  }
});

test('the same revision taken twice is no disorder', () => {
  const run = goodRun();
  run.systems.odr.records[1].history = [1, 2, 2, 3, 3];
  assert.deepEqual(judge(run).faults, []);
});

test('several faults at once are all named', () => {
  const run = goodRun();
  run.systems.sql.records.push({ ...run.systems.sql.records[1], number: 'S9' });
  run.systems.odr.records[1].history = [2, 1, 3];
  drop(run.systems.blind.records, (x) => x.ref !== '01C');
  assert.deepEqual(judge(run).faults.map((f) => f.kind).sort(), ['doubled', 'false', 'reordered']);
});
