// SPDX-License-Identifier: Apache-2.0
// The crash test's bad luck: kills processes of one stack with SIGKILL (only its own, by pid), starts
// them again, and makes the simulated platforms misbehave in every mode they know.
import { execFile } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { TOP } from '../lib/redis-server.mjs';

const run = promisify(execFile);
const VICTIMS = ['nginx worker', 'nginx worker', 'dispatcher worker', 'dispatcher worker', 'supervisor', 'redis'];

// Where a create's number can be held against nothing (no lookup, or the answer is all there is), another
// record's number is only played where we know better: the number the record has there already.
const UNTOLD = new Set(['hotline-12345', 'patrol-app', 'village-admin']);

// How a mode is played: what else the lab wants to know. `late` stays under the absence limit.
const PLAY = {
  slow: { ms: 800 }, late: { ms: 4000 }, dribble: { ms: 3 }, down: { ms: 1500, calls: null }, throttle: { retry_after: 1 },
  lock: { ms: 1500 }, ack_late: { ms: 3000, calls: null }, reject: { field: 'title' },
};

export function readStack(dir) {
  return JSON.parse(readFileSync(path.join(dir, 'stack.json'), 'utf8'));
}

function children(pid) {
  const out = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (Number(parent) === pid && state !== 'Z') out.push(Number(name));
    } catch {
      // ended while we looked
    }
  }
  return out;
}

export class Chaos {
  constructor(dir, { kills, rnd, lab, systems }) {
    Object.assign(this, { dir, kills, rnd, lab, done: 0, by: {}, played: 0, stopped: false });
    this.systems = systems;
    this.combinations = systems.flatMap((s) => s.modes.filter((m) => m !== 'normal').map((mode) => ({ id: s.id, mode })));
    this.deck = [];
  }

  async restart(part) {
    await run(path.join(TOP, 'scripts/stack'), ['restart', part, '--dir', this.dir]);
  }

  async kill() {
    const victim = this.rnd.pick(VICTIMS), { pids } = readStack(this.dir);
    if (victim === 'nginx worker' || victim === 'dispatcher worker') {
      const list = children(victim === 'nginx worker' ? pids.nginx : pids.dispatcher);
      if (!list.length) return;
      process.kill(this.rnd.pick(list), 'SIGKILL');
    } else {
      const part = victim === 'redis' ? 'redis' : 'dispatcher';
      process.kill(pids[part], 'SIGKILL');
      await sleep(this.rnd.below(700));
      await this.restart(part);
    }
    this.done++;
    this.by[victim] = (this.by[victim] ?? 0) + 1;
  }

  // progress(): 0 … 1, so that the kills spread over the filing.
  async killing(progress) {
    while (this.done < this.kills && !this.stopped) {
      await sleep(this.rnd.between(200, 900));
      if (progress() >= 1 || progress() * this.kills >= this.done) await this.kill();
    }
  }

  async behave({ id, mode }) {
    const calls = this.rnd.between(1, 4);
    const ops = mode === 'other_number' && UNTOLD.has(id) ? { ops: ['update', 'withdraw'] } : {};
    const response = await fetch(`${this.lab}/systems/${id}/behave`, { method: 'POST',
      headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ mode, calls, ...PLAY[mode], ...ops }) });
    if (!response.ok) throw new Error(`${id} ${mode}: ${response.status} ${await response.text()}`);
    this.played++;
  }

  // Every mode of every platform once, then again in another order.
  async misbehaving(betweenMs) {
    while (!this.stopped) {
      if (!this.deck.length) this.deck = this.rnd.shuffle(this.combinations);
      await this.behave(this.deck.pop());
      await sleep(this.rnd.between(betweenMs / 2, betweenMs * 1.5));
    }
  }

  stop() {
    this.stopped = true;
  }

  async calm() {
    this.stop();
    const response = await fetch(`${this.lab}/reset`, { method: 'POST', headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ records: false }) });
    if (!response.ok) throw new Error(`reset of the lab: ${response.status}`);
  }
}
