// SPDX-License-Identifier: Apache-2.0
// The store's functions as methods, with named fields instead of positions; and test data.
import { randomBytes, createHash } from 'node:crypto';

const BASE32 = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const RECORD = ['type', 'owner', 'org', 'area', 'created', 'updated', 'revision', 'withdrawn', 'envelope',
  'deliveries'];
const DELIVERY = ['system', 'letter', 'wanted', 'has', 'attempts', 'next', 'number', 'digest', 'sent', 'problem'];
const CLAIM = ['entry', 'id', 'op', 'token', 'attempt', 'number', 'has', 'revision', 'sent', 'type', 'owner',
  'org', 'area', 'created', 'updated', 'envelope', 'of', 'letter'];

export function sha256(text) {
  return createHash('sha256').update(text).digest('hex');
}

export function makeId(ms = Date.now(), shard = 0) {
  let time = '';
  for (let i = 0; i < 10; i++) {
    time = BASE32[ms % 32] + time;
    ms = Math.floor(ms / 32);
  }
  return time + [...randomBytes(15)].map((b) => BASE32[b % 32]).join('') + BASE32[shard];
}

function named(names, values) {
  return Object.fromEntries(names.map((name, i) => [name, values[i]]));
}

export function recordOf(row) {
  const out = named(RECORD, row);
  out.deliveries = Object.fromEntries(row[9].map((d) => [d[0], named(DELIVERY, d)]));
  return out;
}

export class Store {
  constructor(client, shard = 0) {
    this.client = client;
    this.key = `{s${shard}}`;
    this.shard = shard;
  }

  call(name, ...args) {
    return this.client.fcall(`ym_${name}`, this.key, ...args);
  }

  // Raw key of this shard, for looking behind the curtain and for sabotage.
  k(rest) {
    return `${this.key}:${rest}`;
  }

  acceptArgs({ id, envelope = '{"data":{}}', type = 'dispute', owner = 'u1', org = 'o1', area = '330106001002',
    idem = '', digest = '', systems = ['a'], keys = [] }) {
    const targets = systems.flatMap((s) => (Array.isArray(s) ? s : [s, 'q']));
    return [id, envelope, type, owner, org, area, idem, digest, targets.length / 2, ...targets, keys.length,
      ...keys.flat()];
  }

  async accept(record = {}) {
    const id = record.id ?? makeId(Date.now(), this.shard);
    const reply = await this.call('accept', ...this.acceptArgs({ ...record, id }));
    return { id, reply };
  }

  revise(id, expected, envelope, by = 'u1', keys = []) {
    return this.call('revise', id, expected, envelope, by, keys.length, ...keys.flat());
  }

  async get(id, revision = 0) {
    const row = await this.call('get', id, revision);
    return row && recordOf(row);
  }

  async delivery(id, system) {
    return (await this.get(id)).deliveries[system];
  }

  async list(filters = {}, { before = '', limit = 100, steps = 1000 } = {}) {
    const [next, ...rows] = await this.call('list', before, limit, steps, ...Object.entries(filters).flat());
    return { next, rows: rows.map(([id, ...row]) => ({ id, ...recordOf(row) })) };
  }

  // Every page, as ids.
  async listAll(filters, page = {}) {
    const ids = [];
    let before = '';
    do {
      const { next, rows } = await this.list(filters, { ...page, before });
      ids.push(...rows.map((r) => r.id));
      before = next;
    } while (before);
    return ids;
  }

  withdraw(id, systems = [], by = 'u1', why = 'wrong person') {
    return this.call('withdraw', id, by, why, systems.length, ...systems);
  }

  async worker(system, consumer = 'w1') {
    const [epoch] = await this.call('attach', system, consumer);
    return new Worker(this, system, consumer, epoch);
  }

  async counts(...systems) {
    const rows = await this.call('counts', ...systems);
    return Object.fromEntries(rows.map(([system, ...flat]) => [system, Object.fromEntries(
      flat.flatMap((v, i) => (i % 2 ? [] : [[v, Number(flat[i + 1])]])))]));
  }

  // Reconcile to the end → every repair as "what id system".
  async reconcile(max = 50) {
    const notes = [];
    let cursor = '';
    do {
      const [next, ...rows] = await this.call('reconcile', cursor, max);
      notes.push(...rows.map(([what, id, system]) => ({ what, id, system })));
      cursor = next;
    } while (cursor);
    return notes;
  }

  async audit() {
    const rows = await this.call('audit', '', 10000);
    return rows.map((r) => named(['entry', 'ms', 'who', 'what', 'id', 'system', 'why'], r));
  }
}

export class Worker {
  constructor(store, system, consumer, epoch) {
    Object.assign(this, { store, system, consumer, epoch });
  }

  async claim({ max = 100, each = 0 } = {}) {
    const reply = await this.store.call('claim', this.system, this.consumer, this.epoch, max, each);
    const [head, now, due, ...rows] = reply;
    const items = rows.map((i) => named(CLAIM, i));
    await this.#readEnvelopes(items);
    return { head, now: Number(now), due: Number(due), items };
  }

  // As the dispatcher does it: the latest envelope is read beside the functions, an older one comes along.
  async #readEnvelopes(items) {
    const bare = items.filter((i) => !i.envelope);
    const read = bare.length ? await this.store.client.pipeline(bare.map((i) => ['HGET', this.store.k(`r:${i.id}`), `b${i.revision}`])) : [];
    bare.forEach((item, i) => { item.envelope = read[i]; });
  }

  // The one item that must be there.
  async one(options) {
    const { items } = await this.claim(options);
    if (items.length !== 1) throw new Error(`expected one item, got ${JSON.stringify(items)}`);
    return items[0];
  }

  settleArgs(item, verdict, { revision = 0, number = '', digest = '', delay = 0, problem = '', request = '' } = {}) {
    return [item.entry, item.id, item.token, verdict, revision, number, digest, delay, problem, request];
  }

  settle(item, verdict, fields) {
    return this.settleAll([[item, verdict, fields]]);
  }

  settleAll(items) {
    return this.store.call('settle', this.system, this.consumer, this.epoch,
      ...items.flatMap(([item, verdict, fields]) => this.settleArgs(item, verdict, fields)));
  }

  // traces: number of an item (from 1) → text
  settleKept(items, traces) {
    return this.store.call('settle_kept', this.system, this.consumer, this.epoch, Object.keys(traces).length,
      ...Object.entries(traces).flat(), ...items.flatMap(([item, verdict, fields]) => this.settleArgs(item, verdict, fields)));
  }

  due(max = 100) {
    return this.store.call('due', this.system, max);
  }

  async reclaim({ idle = 0, max = 100 } = {}) {
    const reply = await this.store.call('reclaim', this.system, this.consumer, this.epoch, idle, max);
    return reply.map((v) => (v === 'fenced' ? v : Number(v)));
  }
}

// Everything in the database that a client could see, for "the same after a crash".
export async function dump(client) {
  const keys = (await client.command('KEYS', '*')).sort();
  const out = {};
  for (const key of keys) {
    const type = await client.command('TYPE', key);
    if (type === 'string') out[key] = await client.command('GET', key);
    else if (type === 'hash') out[key] = pairs(await client.command('HGETALL', key));
    else if (type === 'list') out[key] = await client.command('LRANGE', key, 0, -1);
    else if (type === 'zset') out[key] = await client.command('ZRANGE', key, 0, -1, 'WITHSCORES');
    else if (type === 'stream') {
      const groups = await client.command('XINFO', 'GROUPS', key);
      const pending = [];
      for (const g of groups) {
        const rows = await client.command('XPENDING', key, g[1], '-', '+', 100000);
        pending.push([g[1], g[7], rows.map(([entry, consumer]) => [entry, consumer])]);
      }
      out[key] = { entries: await client.command('XRANGE', key, '-', '+'), pending };
    }
  }
  return out;
}

function pairs(flat) {
  return Object.fromEntries(flat.flatMap((v, i) => (i % 2 ? [] : [[v, flat[i + 1]]])));
}
