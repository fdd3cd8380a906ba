// SPDX-License-Identifier: Apache-2.0
// The crash test's clients: they file, correct and mistype disputes through the API, repeat what was
// not answered, and write down exactly what they were told.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TOP } from '../lib/redis-server.mjs';

const PATIENCE_MS = 120000;  // how long one request is repeated before the run is given up
const REQUEST_MS = 8000;     // a request that hangs longer is repeated
const SAMPLE = readFileSync(path.join(TOP, 'tests/data/dispute.json'), 'utf8');

export const MARK = /mk[0-9a-f]+n\d+r\d+e/;

// What a clerk gets wrong; each must be refused with 422 and leave no trace anywhere.
const MISTAKES = [
  (data) => { delete data.title; data.summary = `${data.summary} ${data.mark}`; },
  (data) => { data.parties[0].id_no = '330106189003070014'; },
  (data) => { data.category.code4 = '9999'; },
  (data) => { data.parties[0].phone = 'not a telephone'; },
  (data) => { data.colour = 'red'; },
];

export class Api {
  constructor(base, token) {
    Object.assign(this, { base, token });
  }

  async call(method, at, body, headers = {}) {
    const response = await fetch(this.base + at, { method, signal: AbortSignal.timeout(REQUEST_MS),
      headers: { Authorization: `Bearer ${this.token}`, ...(body ? { 'Content-Type': 'application/json' } : {}), ...headers },
      body: body && JSON.stringify(body) });
    const text = await response.text();
    return { status: response.status, body: text ? JSON.parse(text) : null, headers: response.headers };
  }

  // Repeats until there is an answer that is one: no 5xx, no 429, no lost connection.
  // again(): called before a repetition; its answer, if any, replaces the call's.
  async surely(method, at, body, headers, again) {
    const until = Date.now() + PATIENCE_MS;
    let last;
    for (let n = 0; Date.now() < until; n++) {
      if (n) this.again = (this.again ?? 0) + 1;
      try {
        const known = n && again ? await again() : undefined;
        if (known) return known;
        const answer = await this.call(method, at, body, headers);
        if (answer.status < 500 && answer.status !== 429) return answer;
        last = `${answer.status} ${JSON.stringify(answer.body)}`;
      } catch (e) {
        last = String(e.cause?.code ?? e.message);
      }
      await sleep(Math.min(50 * 2 ** n, 1000));
    }
    throw new Error(`no answer to ${method} ${at} in ${PATIENCE_MS / 1000} s, last: ${last}`);
  }
}

export class Clients {
  constructor(stack, { records, count, rnd, seed, paceMs }) {
    Object.assign(this, { records, count, rnd, paceMs, filed: 0, log: [], repeats: 0 });
    this.run_mark = seed.toString(16);
    this.api = new Api(stack.base_url, stack.staff_token);
  }

  dispute(n, revision) {
    const dispute = JSON.parse(SAMPLE), mark = `mk${this.run_mark}n${n}r${revision}e`;
    dispute.data.title = `示例纠纷 ${mark}`;
    return { dispute, mark };
  }

  async run() {
    let next = 0;
    const began = Date.now();
    const one = async () => {
      while (next < this.records) {
        const n = next++;
        await sleep(Math.max(0, began + n * this.paceMs - Date.now()));
        if (this.rnd.chance(0.05)) await this.mistake(n);
        await this.file(n);
        this.filed++;
      }
    };
    await Promise.all(Array.from({ length: this.count }, one));
  }

  async file(n) {
    const { dispute, mark } = this.dispute(n, 1);
    const key = `crash-${this.run_mark}-${n}`;
    const answer = await this.api.surely('POST', '/api/v1/records', dispute, { 'Idempotency-Key': key });
    if (answer.status !== 201) throw new Error(`record ${n}: ${answer.status} ${JSON.stringify(answer.body)}`);
    if (answer.headers.get('idempotent-replayed')) this.repeats++;
    const entry = { n, id: answer.body.id, targets: Object.keys(answer.body.deliveries), revisions: [{ revision: 1, mark }] };
    this.log.push(entry);
    for (let revision = 2; revision <= 3 && this.rnd.chance(0.12); revision++) {
      await sleep(this.rnd.below(300));
      await this.correct(entry);
    }
  }

  // The author's next revision.
  async correct(entry) {
    const { n } = entry, revision = entry.revisions.at(-1).revision + 1;
    const { dispute, mark } = this.dispute(n, revision), at = `/api/v1/records/${entry.id}`;
    // The answer was lost: was the change taken all the same?
    const again = async () => {
      const now = await this.api.call('GET', at);
      return now.status === 200 && Number(now.body.revision) === revision && now.body.data.title === dispute.data.title ? now : undefined;
    };
    const answer = await this.api.surely('PATCH', at, { data: { title: dispute.data.title } },
      { 'If-Match': `"${revision - 1}"`, 'Content-Type': 'application/merge-patch+json' }, again);
    const taken = answer.status === 200 ? answer : await again();
    if (!taken) throw new Error(`correction of ${entry.id}: ${answer.status} ${JSON.stringify(answer.body)}`);
    entry.revisions.push({ revision, mark });
  }

  async mistake(n) {
    const { dispute, mark } = this.dispute(n, 0);
    dispute.data.mark = mark;
    this.rnd.pick(MISTAKES)(dispute.data);
    delete dispute.data.mark;
    const answer = await this.api.surely('POST', '/api/v1/records', dispute, { 'Idempotency-Key': `bad-${this.run_mark}-${n}` });
    if (answer.status !== 422) throw new Error(`a wrong record was answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    this.log.push({ refused: mark });
  }
}
