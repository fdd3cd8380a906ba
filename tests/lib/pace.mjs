/* SPDX-License-Identifier: Apache-2.0
 * Time as the programs under test spend it: what a busy machine gave to others in the meantime does
 * not count. Linux tells for how long a process was ready to run and had no processor, and what the
 * host took; where it does not, all time counts.
 */
import fs from 'node:fs';
import { runningPids } from './children.mjs';

const TICK_MS = 10;

/* However busy the machine: this share of the time on the wall always counts, so that all ends. */
const LEAST = 1 / 5;

/* ms for which the main thread of a process was ready and waited for a processor. */
function waited(pid) {
  try {
    return Number(fs.readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6;
  } catch { return 0; } /* it has ended, or nobody counts */
}

/* ms that the host took, of each processor. */
function stolen() {
  try {
    return [...fs.readFileSync('/proc/stat', 'utf8').matchAll(/^cpu\d+ .*$/gm)].map(([line]) => Number(line.split(/\s+/)[8]) * TICK_MS);
  } catch { return []; }
}

const childrenOf = (pid) => {
  try {
    return fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/).filter(Boolean).map(Number);
  } catch { return []; }
};

function watch(programs) {
  const look = () => [stolen(), ...[[process.pid], ...programs()].map((pids) => new Map(pids.map((pid) => [pid, waited(pid)])))];
  const from = performance.now();
  const [took, ...before] = look();
  const known = new Map(before.flatMap((m) => [...m]));
  return () => {
    const wall = performance.now() - from;
    const [takes, ...now] = look();
    const lost = [takes.map((ms, i) => ms - took[i]), ...now.map((m) => [...m].map(([pid, ms]) => ms - (known.get(pid) ?? 0)))];
    return Math.max(wall * LEAST, lost.reduce((left, list) => left - Math.max(0, ...list), wall));
  };
}

/*
 * A stopwatch that stands still while this process, one of `programs` or the whole machine waits for
 * a processor. A program that is busy, blocked or asleep is not waiting. programs: lists of process
 * ids that do the same work (workers); of each list the one that waited longest counts. Not for a
 * program whose own threads take the processors away: that is its own doing, leave it out.
 */
export const stopwatch = (...programs) => watch(() => programs);

/* A stopwatch for all that this test has started: servers, and their workers. */
export const clock = () => watch(() => runningPids().flatMap((pid) => [[pid], childrenOf(pid)]));
