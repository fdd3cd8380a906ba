/* SPDX-License-Identifier: Apache-2.0
 * The start of work: fifty people sign in at once, with passwords that cost what they should and
 * through a provider; other requests go on as before. The people are a process of their
 * own (storm.mjs), so that what they cost is not taken for what the gateway costs.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import readline from 'node:readline';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { leaveNothing } from '../lib/children.mjs';
import { PASSWORD, startAccounts } from '../lib/accounts.mjs';
import { until } from '../lib/nginx.mjs';
import { Invariants } from './invariants.mjs';
import { startRig } from './oidc_rig.mjs';

const PEOPLE = 50;

/* ms of a p99 that nobody complains of, whatever the baseline: two cores are shared by nginx, its
 * hashing threads, Redis, fifty browsers and the one who measures */
const FLOOR = 60;

async function startPeople() {
  const child = leaveNothing(spawn(process.execPath, [fileURLToPath(new URL('./storm.mjs', import.meta.url))], { stdio: ['pipe', 'pipe', 'inherit'] }));
  child.stdout.ref();
  const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const provider = JSON.parse((await lines.next()).value);
  return {
    ...provider,
    async signIn(g, count, person) {
      child.stdin.write(`${JSON.stringify({ socket: g.nginx.socket, count, person })}\n`);
      const statuses = JSON.parse((await lines.next()).value);
      assert.equal(statuses.length, count);
      assert.deepEqual([...new Set(statuses)], [303]);
    },
    end() { child.stdin.end(); child.stdout.unref(); },
  };
}

test('G140 fifty people with passwords at once: the others hardly notice', async () => {
  const people = await startPeople();
  let g;
  try {
    g = await startAccounts({ mei: {} }, { local: { scrypt_log_n: '14', queue: '64', free_tries: '1000' } });
    const inv = new Invariants(g);
    const person = { name: 'mei', password: PASSWORD };
    await people.signIn(g, 2, person);
    await inv.undisturbed(() => people.signIn(g, PEOPLE, person), { floor: FLOOR, rounds: 5, own: true });
    inv.alive();
  } finally {
    people.end();
    await g?.stop();
  }
});

test('B44 fifty people through a provider at once: the others hardly notice', async () => {
  const people = await startPeople();
  let own;
  try {
    own = await startRig({ op: { clientSecret: people.secret, seen: { token: [] }, stop: async () => {} }, providers: () => [people.entry] });
    await until('the provider is known', () => people.signIn(own.g, 2).then(() => true, () => false), 20000);
    await own.inv.undisturbed(() => people.signIn(own.g, PEOPLE), { floor: FLOOR, rounds: 5, own: true });
  } finally {
    people.end();
    await own?.stop();
  }
});
