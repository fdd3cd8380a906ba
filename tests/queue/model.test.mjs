// SPDX-License-Identifier: Apache-2.0
// Proves by random play: whatever clients, workers, crashes, people and reconcile do in whatever
// order, no delivery is lost, doubled or out of order, counters are exact, nothing leaves dead,
// rejected, unknown or handoff without an audit entry, and undamaged data gives reconcile no work.
import test from 'node:test';
import assert from 'node:assert/strict';
import { startRedis } from '../lib/redis-server.mjs';
import { Store, sha256 } from './store.mjs';

const SEEDS = (process.env.SEED ?? '1,2,3,4,5,6').split(',').map(Number);
const STEPS = Number(process.env.STEPS ?? 350);
const WATCHED = 'xjuh';
const WORD = { q: 'queued', s: 'sending', d: 'delivered', r: 'retrying', c: 'awaiting', u: 'unknown',
  j: 'rejected', x: 'dead', h: 'handoff', w: 'withdrawn' };

function generator(seed) {
  let state = seed >>> 0;
  const next = () => { // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return { next, below: (n) => Math.floor(next() * n), chance: (p) => next() < p,
    pick: (list) => list[Math.floor(next() * list.length)] };
}

// A legacy platform that notices every mistake a gateway can make.
class Platform {
  constructor(name, each) {
    Object.assign(this, { name, each, held: new Map() });
  }

  take(item) {
    const revision = Number(item.revision), held = this.held.get(item.id) ?? 0;
    assert.equal(item.envelope, `{"rev":${revision}}`, 'the envelope is the revision it says');
    if (item.op === 'withdraw') {
      assert.ok(held > 0, `${this.name}: withdrawn what was not there`);
      this.held.delete(item.id);
      return;
    }
    if (item.op === 'create') assert.equal(held, 0, `${this.name}: created twice`);
    else assert.ok(held > 0 && revision > held, `${this.name}: revision ${revision} after ${held}`);
    if (this.each) assert.equal(revision, held + 1, `${this.name}: skipped a revision`);
    this.held.set(item.id, revision);
  }

  // What a lookup finds: the verdict and the revision it has.
  look(item) {
    const held = this.held.get(item.id) ?? 0;
    if (item.of === 'withdraw') return held ? ['d', { revision: held, number: `N${held}` }] : ['a', {}];
    return [held >= Number(item.revision) ? 'd' : 'a', held ? { revision: held, number: `N${held}` } : {}];
  }
}

class Play {
  constructor(store, seed) {
    this.store = store;
    this.rnd = generator(seed);
    this.records = new Map();
    this.seen = new Map();
    this.audited = '';
    this.platforms = [new Platform('a', false), new Platform('b', false), new Platform('steps', true)];
    this.workers = new Map();
    this.inHand = [];
  }

  async start() {
    for (const p of this.platforms) this.workers.set(p.name, await this.store.worker(p.name));
  }

  id() {
    return this.rnd.pick([...this.records.keys()]);
  }

  async accept() {
    const systems = this.platforms.map((p) => p.name).filter(() => this.rnd.chance(0.8));
    const { id, reply } = await this.store.accept({ envelope: '{"rev":1}', idem: sha256(String(this.records.size)),
      digest: sha256('b'), systems: [...systems, ...(this.rnd.chance(0.3) ? [['hand', 'h']] : [])] });
    assert.deepEqual(reply.slice(0, 2), ['created', id]);
    this.records.set(id, 1);
  }

  async revise() {
    const id = this.id(), revision = this.records.get(id);
    const [word] = await this.store.revise(id, revision, `{"rev":${revision + 1}}`);
    if (word === 'revised') this.records.set(id, revision + 1);
    else assert.equal(word, 'withdrawn');
  }

  async claim() {
    const platform = this.rnd.pick(this.platforms), worker = this.workers.get(platform.name);
    const { head, items } = await worker.claim({ max: 1 + this.rnd.below(6), each: platform.each ? 1 : 0 });
    assert.equal(head, 'ok');
    for (const item of items) this.inHand.push({ platform, worker, item });
  }

  // The platform answers, or does not; the verdict follows.
  outcome({ platform, item }) {
    const r = this.rnd, soon = { delay: r.pick([0, 0, 3, 20]), problem: '{"code":"t"}' };
    if (item.op === 'lookup') return r.chance(0.2) ? [item.letter, soon] : platform.look(item);
    const fails = ['r', 'p', 'j', 'x', 'h'];
    if (r.chance(0.35)) return [r.pick(fails), soon];
    const done = r.chance(0.8);
    if (done) platform.take(item);
    if (done && r.chance(0.6)) {
      return item.op === 'withdraw' ? ['w', {}] : ['d', { number: `N${item.revision}`, digest: sha256(item.id) }];
    }
    if (done && item.op !== 'withdraw' && r.chance(0.2)) return ['c', r.chance(0.2) ? { delay: -1 } : soon];
    return ['u', r.chance(0.2) ? { delay: -1 } : soon];
  }

  async settle() {
    const batch = this.inHand.splice(0, 1 + this.rnd.below(4));
    for (const hand of batch) {
      const args = [hand.item, ...this.outcome(hand)];
      assert.deepEqual(await hand.worker.settle(...args), ['ok']);
      if (this.rnd.chance(0.2)) assert.deepEqual(await hand.worker.settle(...args), ['ok'], 'twice does no harm');
    }
  }

  async due() {
    for (const worker of this.workers.values()) await worker.due();
  }

  // The worker dies: what it had in hand may or may not have reached the platform.
  async die() {
    const platform = this.rnd.pick(this.platforms), old = this.workers.get(platform.name);
    const mine = this.inHand.filter((h) => h.worker === old);
    this.inHand = this.inHand.filter((h) => h.worker !== old);
    for (const hand of mine) if (hand.item.op !== 'lookup' && this.rnd.chance(0.5)) platform.take(hand.item);
    const fresh = await this.store.worker(platform.name, this.rnd.pick(['w1', 'w2']));
    this.workers.set(platform.name, fresh);
    assert.deepEqual(await fresh.reclaim(), [mine.length, 0]);
    for (const { item } of mine) assert.deepEqual(await old.settle(item, 'd', { number: 'zombie' }), ['fenced']);
    assert.equal((await old.claim()).head, 'fenced');
  }

  async withdraw() {
    const listed = this.platforms.map((p) => p.name).filter(() => this.rnd.chance(0.7));
    await this.store.withdraw(this.id(), listed);
  }

  async person() {
    const id = this.id(), rec = await this.store.get(id), systems = Object.keys(rec.deliveries);
    if (!systems.length) return;
    const system = this.rnd.pick(systems), d = rec.deliveries[system];
    if (this.rnd.chance(0.4)) {
      const [word] = await this.store.call('retry', id, system, 'op', 'try again');
      assert.equal(word, 'xjr'.includes(d.letter) ? 'queued' : 'refused');
      return;
    }
    await this.resolve(id, system, d);
  }

  // A person looks at the platform before saying what is true there.
  async resolve(id, system, d) {
    if (!'uhcx'.includes(d.letter) || this.inHand.some((h) => h.item.id === id && h.platform.name === system)) return;
    const platform = this.platforms.find((p) => p.name === system);
    if (!platform) {
      const action = this.rnd.pick(['delivered', 'resend', 'rejected']);
      const [word] = await this.store.call('resolve', id, system, action, '', 'p', 'seen');
      assert.equal(word, action === 'resend' ? 'refused' : 'resolved');
      return;
    }
    if (d.letter === 'h' && d.problem.includes('withdraw_by_hand')) {
      platform.held.delete(id); // the card says: take it out there, then confirm
      const [, letter] = await this.store.call('resolve', id, system, 'delivered', '', 'p', 'taken out');
      assert.equal(letter, 'w');
      return;
    }
    const held = platform.held.get(id) ?? 0, sent = Number((await this.sentRevision(id, system)) ?? 0);
    const there = held > 0 && (d.letter === 'u' || d.letter === 'c' ? held === sent : held === Number(d.wanted));
    if (there) await this.store.call('resolve', id, system, 'delivered', `N${held}`, 'p', 'seen');
    else if (held === Number(d.has)) await this.store.call('resolve', id, system, 'resend', '', 'p', 'not there');
  }

  // The revision the last attempt carried: kept beside the delivery, as people see it on the card.
  async sentRevision(id, system) {
    return this.lastSent?.get(`${id} ${system}`);
  }

  async replay() {
    const platform = this.rnd.pick(this.platforms);
    await this.store.call('replay', platform.name, this.rnd.pick(['x', 'j', 'xj']), 0, 5, 'op', 'after the repair', 0);
  }

  // Somebody's hand in the database; reconcile must mend it without doing any harm.
  async damage() {
    const { name } = this.rnd.pick(this.platforms), key = (k) => `{s0}:${k}:${name}`;
    const does = this.rnd.pick([['XGROUP', 'DESTROY', key('q'), 'w'], ['DEL', key('z')], ['DEL', `${key('x')}:u`],
      ['DEL', `${key('x')}:r`], ['HSET', key('n'), 'd', '1000', 'U', '-1'],
      ['XGROUP', 'DELCONSUMER', key('q'), 'w', this.workers.get(name).consumer]]);
    await this.store.client.command(...does);
    await this.store.reconcile(1 + this.rnd.below(30));
    assert.deepEqual(await this.store.reconcile(), []);
  }

  async crash() {
    const client = await this.redis.restart();
    this.store.client = client;
  }

  remember() {
    this.lastSent ??= new Map();
    for (const { item, platform } of this.inHand) {
      if (item.op !== 'lookup') this.lastSent.set(`${item.id} ${platform.name}`, item.revision);
    }
  }

  async check() {
    const totals = {}, gone = [];
    for (const id of this.records.keys()) {
      const rec = await this.store.get(id);
      for (const d of Object.values(rec.deliveries)) {
        const key = `${id} ${d.system}`, before = this.seen.get(key);
        if (before && before !== d.letter && WATCHED.includes(before)) gone.push(key);
        this.seen.set(key, d.letter);
        totals[d.system] ??= {};
        totals[d.system][WORD[d.letter]] = (totals[d.system][WORD[d.letter]] ?? 0) + 1;
        if (d.letter === 'd') assert.ok(d.number || d.digest, 'delivered without evidence');
      }
    }
    await this.checkAudit(gone);
    const counts = await this.store.counts();
    for (const [system, words] of Object.entries(totals)) {
      for (const word of Object.values(WORD)) {
        assert.equal(counts[system][word], words[word] ?? 0, `${system} ${word} ${JSON.stringify(counts[system])}`);
      }
    }
  }

  async checkAudit(gone) {
    const rows = await this.store.call('audit', this.audited, 10000);
    if (rows.length) this.audited = rows.at(-1)[0];
    for (const key of gone) {
      assert.ok(rows.some((r) => `${r[4]} ${r[5]}` === key && r[2] && r[6]), `${key} left without an audit entry`);
    }
  }

  async step() {
    const r = this.rnd, weights = [[6, 'accept'], [4, 'revise'], [14, 'claim'], [14, 'settle'], [4, 'due'],
      [2, 'die'], [1, 'withdraw'], [4, 'person'], [1, 'replay'], [1, 'damage']];
    if (!this.records.size) return this.accept();
    let at = r.below(weights.reduce((sum, [w]) => sum + w, 0));
    const [, what] = weights.find(([w]) => (at -= w) < 0);
    this.last = what;
    await this[what]();
    this.remember();
    return undefined;
  }

  // Everything works now: drain, and people settle what only people can.
  async finish() {
    for (let round = 0; round < 400; round++) {
      await this.due();
      for (const { worker, item, platform } of this.inHand.splice(0)) await this.good(worker, item, platform);
      let moved = 0;
      for (const platform of this.platforms) {
        const worker = this.workers.get(platform.name);
        const { items } = await worker.claim({ each: platform.each ? 1 : 0 });
        for (const item of items) await this.good(worker, item, platform);
        moved += items.length;
      }
      const counts = Object.values(await this.store.counts());
      if (!moved && counts.every((c) => !c.queued && !c.retrying && !c.sending) && !(await this.waiting())) return;
      if (!moved) await new Promise((resolve) => { setTimeout(resolve, 2); });
    }
    assert.fail(`does not come to rest: ${JSON.stringify(await this.store.counts())}`);
  }

  // Deliveries that still have a time or an entry.
  async waiting() {
    for (const { name } of this.platforms) {
      if (await this.store.client.command('ZCARD', `{s0}:z:${name}`)) return true;
      if (await this.store.client.command('XLEN', `{s0}:q:${name}`)) return true;
    }
    return false;
  }

  async good(worker, item, platform) {
    if (item.op === 'lookup') return worker.settle(item, ...platform.look(item));
    platform.take(item);
    return worker.settle(item, item.op === 'withdraw' ? 'w' : 'd', { number: `N${item.revision}` });
  }

  async verdict() {
    for (const [id, revision] of this.records) {
      const rec = await this.store.get(id);
      assert.equal(Number(rec.revision), revision);
      for (const platform of this.platforms) {
        const d = rec.deliveries[platform.name], held = platform.held.get(id) ?? 0;
        if (!d) assert.equal(held, 0);
        else if (d.letter === 'd') assert.deepEqual([held, Number(d.has)], [revision, revision]);
        else if (d.letter === 'w') assert.equal(held, 0);
        else assert.ok('jxhuc'.includes(d.letter), `${d.letter} is no place to rest`);
      }
    }
  }
}

for (const seed of SEEDS) {
  test(`random play, seed ${seed}`, async () => {
    const redis = await startRedis({ config: { appendfsync: 'no' } });
    const play = new Play(new Store(redis.client), seed);
    play.redis = redis;
    try {
      await play.start();
      for (let i = 0; i < STEPS; i++) {
        try {
          await play.step();
          if (i % 3 === 0) await play.check();
          if (i % 50 === 49) assert.deepEqual(await play.store.reconcile(1 + play.rnd.below(20)), []);
          if (i % 120 === 119) await play.crash();
        } catch (e) {
          e.message = `step ${i} (${play.last}): ${e.message}`;
          throw e;
        }
      }
      await play.check();
      await play.finish();
      await play.check();
      await play.verdict();
      assert.deepEqual(await play.store.reconcile(), []);
    } finally {
      await redis.stop();
    }
  });
}
