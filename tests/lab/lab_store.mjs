/* SPDX-License-Identifier: Apache-2.0
 * What every simulated platform keeps: its records (all of them, so that a test can count
 * duplicates), a log of calls, the faults it saw in its peer, and the misbehaviours told to it.
 */
import { createHash } from 'node:crypto';

/* Modes that only make sense for a call that would store something. */
const WRITE_MODES = new Set(['cut_before', 'cut_after', 'answer_lost', 'duplicate', 'reject', 'garbage',
    'truncated', 'wrong_charset', 'fail_200', 'other_number', 'late']);
const WRITES = new Set(['create', 'update', 'withdraw']);
/* Lasting switches: they change what a platform is, not one call. */
const SWITCHES = new Set(['down', 'no_event_id', 'no_message', 'lock', 'ack_late']);
const MAX_CALLS = 50000;

export class Store {
    constructor(id, prefix) {
        this.id = id;
        this.prefix = prefix;
        this.listeners = [];
        this.clear();
        this.behaviours = [];
    }

    /** Forgets records, calls and faults. Numbers go on: a platform never gives one twice. */
    clear() {
        this.records = new Map();
        this.byRef = new Map();
        this.calls = [];
        this.faults = [];
        this.seq ??= 0;
    }

    nextNumber() {
        this.seq += 1;
        return `${this.prefix}${new Date().getFullYear()}${String(this.seq).padStart(6, '0')}`;
    }

    /** The first record with this reference, or undefined. */
    find(ref) {
        return this.byRef.get(ref)?.[0];
    }

    create(ref, revision, fields, content) {
        const rec = { number: this.nextNumber(), ref, revision: undefined, status: 'open', received: 0, history: [] };
        this.records.set(rec.number, rec);
        if (!this.byRef.has(ref)) this.byRef.set(ref, []);
        this.byRef.get(ref).push(rec);
        this.#receive(rec, 'create', revision, fields, content);
        return rec;
    }

    update(rec, revision, fields, content) {
        this.#receive(rec, 'update', revision, fields, content);
        return rec;
    }

    withdraw(rec, revision, reason) {
        rec.status = 'withdrawn';
        this.#receive(rec, 'withdraw', revision, rec.fields, rec.content);
        rec.reason = reason;
        return rec;
    }

    #receive(rec, op, revision, fields, content) {
        const n = Number(revision);
        rec.received += 1;
        rec.revision = revision !== undefined && revision !== '' && Number.isInteger(n) ? n : rec.received;
        rec.fields = fields;
        rec.content = content;
        const digest = createHash('sha256').update(JSON.stringify(fields ?? null)).digest('hex').slice(0, 16);
        rec.history.push({ revision: rec.revision, at: new Date().toISOString(), op, digest });
    }

    log(entry) {
        if (this.calls.length >= MAX_CALLS) this.calls.splice(0, MAX_CALLS / 2);
        this.calls.push({ at: new Date().toISOString(), ...entry });
    }

    fault(what, detail) {
        this.faults.push({ at: new Date().toISOString(), what, ...detail });
    }

    behave(b) {
        if (b.mode === 'normal') this.behaviours = [];
        else {
            const one = { calls: null, ...b, used: 0 };
            this.behaviours = b.add === true ? [...this.behaviours, one] : [one];
        }
        for (const f of this.listeners) f(b);
    }

    reset({ records = true } = {}) {
        this.behaviours = [];
        if (records) this.clear();
        for (const f of this.listeners) f({ mode: 'normal' });
    }

    /** The misbehaviour for a call of this kind, counted as used; undefined = behave well. */
    take(op, ref, only) {
        for (const b of this.behaviours) {
            if (only !== undefined && !only.includes(b.mode)) continue;
            if (b.calls !== null && b.used >= b.calls) continue;
            if (SWITCHES.has(b.mode)) continue;
            if (b.ops !== undefined ? !b.ops.includes(op) : WRITE_MODES.has(b.mode) && !WRITES.has(op)) continue;
            if (b.ops === undefined && op === 'session') continue;
            if (b.ref !== undefined && b.ref !== ref) continue;
            b.used += 1;
            return b;
        }
        return undefined;
    }

    /** Is a mode without a count of its own (a switch) on? */
    on(mode) {
        return this.behaviours.some((b) => b.mode === mode && (b.calls === null || b.used < b.calls));
    }

    summary() {
        let received = 0;
        for (const r of this.records.values()) received += r.received;
        return {
            id: this.id, records: this.records.size, received, calls: this.calls.length,
            faults: this.faults.length, behaviours: this.behaviours,
        };
    }
}
