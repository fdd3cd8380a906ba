// SPDX-License-Identifier: Apache-2.0
// The judge of the crash test. A pure function over four views of one run: what clients were told,
// what the API says now, what the platforms hold, what the chain of evidence says. It names every fault
// it sees.
//
// log:     [{id, refused, revisions: [{revision, mark}], withdrawn}]  one per request that was answered
//          with 201 (id) or refused with 4xx (refused: its mark); marks tell contents apart
// states:  {id: {deliveries: {system: {state, revision, wanted, number, digest?}}}}
// systems: {system: {lookup: bool, handoff: bool, mark: (entry) → text or undefined,
//            records: [{number, ref, revision, received, content, history?}]}}
//          history: revisions in the order the platform took them, where it tells
// evidence: [{what, id, system, revision, number}]  lines of the chain
// → {faults: [{kind, system, id, words}], counts}

const KINDS = ['lost', 'doubled', 'reordered', 'false', 'stale', 'refused', 'foreign', 'stuck', 'state', 'content', 'unproven'];
const SETTLED = new Set(['delivered', 'unknown', 'rejected', 'dead', 'handoff', 'withdrawn']);

function groupBy(list, key) {
  const out = new Map();
  for (const item of list) {
    const k = key(item);
    if (!out.has(k)) out.set(k, []);
    out.get(k).push(item);
  }
  return out;
}

class Judge {
  constructor({ log, states, systems, evidence }) {
    Object.assign(this, { log, states, systems });
    this.evidence = groupBy(evidence, (l) => `${l.id} ${l.system}`);
    this.faults = [];
    this.counts = { records: 0, refused: 0, deliveries: 0, delivered: 0, unknown: 0, handoff: 0 };
  }

  fault(kind, system, id, words) {
    this.faults.push({ kind, system, id, words });
  }

  run() {
    const accepted = this.log.filter((e) => e.id);
    const known = new Set(accepted.map((e) => e.id));
    this.counts.records = known.size;
    this.counts.refused = this.log.length - accepted.length;
    for (const entry of accepted) this.record(entry);
    const refused = new Set(this.log.filter((e) => !e.id).map((e) => e.refused));
    for (const [name, system] of Object.entries(this.systems)) this.strangers(name, system, known, refused);
    return { faults: this.faults, counts: this.counts };
  }

  record(entry) {
    const state = this.states[entry.id];
    if (!state) {
      this.fault('lost', '', entry.id, 'answered with 201, and the API does not know it');
      return;
    }
    const last = entry.revisions.at(-1);
    if (Number(state.revision) !== last.revision) {
      this.fault('lost', '', entry.id, `revision ${last.revision} was confirmed, the API has ${state.revision}`);
    }
    for (const name of entry.targets ?? Object.keys(state.deliveries)) {
      const system = this.systems[name], delivery = state.deliveries[name];
      if (!delivery) this.fault('lost', name, entry.id, 'a target without a delivery');
      else if (system) this.delivery(entry, name, system, delivery);
    }
  }

  delivery(entry, name, system, delivery) {
    this.counts.deliveries++;
    if (delivery.state in this.counts) this.counts[delivery.state]++;
    if (!SETTLED.has(delivery.state)) {
      this.fault('stuck', name, entry.id, `still ${delivery.state} when everything was quiet`);
    }
    const held = (this.index(name, system).get(entry.id) ?? []);
    if (system.handoff) {
      if (delivery.state !== 'handoff' && delivery.state !== 'delivered') this.fault('state', name, entry.id, delivery.state);
      return;
    }
    if (delivery.state === 'delivered') {
      this.delivered(entry, name, delivery, held);
      this.proven(entry, name, delivery);
    }
    this.copies(entry, name, system, delivery, held);
  }

  index(name, system) {
    system.byRef ??= groupBy(system.records, (r) => r.ref);
    return system.byRef;
  }

  delivered(entry, name, delivery, held) {
    if (!delivery.number && !delivery.digest) this.fault('false', name, entry.id, 'delivered without number and digest');
    if (!held.length) {
      this.fault('false', name, entry.id, `delivered as ${delivery.number}, and the platform does not have it`);
      return;
    }
    if (delivery.number && !held.some((h) => h.number === delivery.number)) {
      this.fault('false', name, entry.id, `number ${delivery.number} is not the platform's (${held.map((h) => h.number)})`);
    }
    const last = entry.revisions.at(-1).revision;
    if (Number(delivery.revision) !== last) this.fault('stale', name, entry.id, `delivered shows revision ${delivery.revision} of ${last}`);
  }

  // An engine's line for the revision that is there, with that number; or a person's word.
  proven(entry, name, delivery) {
    const lines = this.evidence.get(`${entry.id} ${name}`) ?? [];
    const engine = lines.some((l) => l.what === 'deliver' && l.outcome === 'ok' && l.op !== 'withdraw'
      && l.revision >= Number(delivery.revision) && (!delivery.number || l.number === delivery.number));
    if (!engine && !lines.some((l) => l.what.startsWith('resolve'))) {
      this.fault('unproven', name, entry.id, `delivered as ${delivery.number}, and the chain of evidence does not tell`);
    }
  }

  copies(entry, name, system, delivery, held) {
    const last = entry.revisions.at(-1);
    if (held.length > 1) { // unknown is no excuse: what is unknown is not sent again
      this.fault('doubled', name, entry.id, `${held.length} entries: ${held.map((h) => h.number)}`);
    }
    if (system.lookup && delivery.state !== 'delivered') {
      this.fault(held.length ? 'state' : 'lost', name, entry.id, `${delivery.state}${held.length ? ' though it is there' : ''}`);
    }
    for (const one of held) {
      this.order(entry, name, one);
      this.content(entry, name, system, delivery, one, last);
    }
  }

  order(entry, name, one) {
    const steps = one.history ?? [];
    for (let i = 1; i < steps.length; i++) {
      if (steps[i] < steps[i - 1]) { // the same one again is what an idempotent update may do
        this.fault('reordered', name, entry.id, `took revisions ${steps.join(', ')}`);
        return;
      }
    }
  }

  content(entry, name, system, delivery, one, last) {
    const mark = system.mark?.(one);
    if (mark !== undefined && !entry.revisions.some((r) => r.mark === mark)) {
      this.fault('content', name, entry.id, `holds text that was never confirmed: ${String(mark).slice(0, 60)}`);
      return;
    }
    if (delivery.state !== 'delivered') return;
    if (one.revision !== null && one.revision !== undefined && Number(one.revision) !== last.revision) {
      this.fault('reordered', name, entry.id, `the platform is left with revision ${one.revision} of ${last.revision}`);
    } else if (mark !== undefined && mark !== last.mark) {
      this.fault('reordered', name, entry.id, 'the platform is left with the words of an earlier revision');
    }
  }

  strangers(name, system, known, refused) {
    for (const one of system.records) {
      const mark = system.mark?.(one);
      if (mark !== undefined && refused.has(mark)) this.fault('refused', name, one.ref, 'holds what was refused');
      else if (!known.has(one.ref)) this.fault('foreign', name, one.ref, 'holds a record nobody was told about');
    }
  }
}

export function check(views) {
  return new Judge(views).run();
}

// One line for people and logs.
export function summary({ faults, counts }) {
  const of = (...kinds) => faults.filter((f) => kinds.includes(f.kind)).length;
  return `records=${counts.records} refused=${counts.refused} deliveries=${counts.deliveries} delivered=${counts.delivered}`
    + ` unknown=${counts.unknown} handoff=${counts.handoff} | lost=${of('lost')} duplicated=${of('doubled')}`
    + ` reordered=${of('reordered', 'stale')} falsely_delivered=${of('false')} refused_but_there=${of('refused')}`
    + ` unproven=${of('unproven')} other=${of('foreign', 'stuck', 'state', 'content')}`;
}

export { KINDS };
