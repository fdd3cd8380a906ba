// SPDX-License-Identifier: Apache-2.0
// Files one dispute through the API of a running stack and prints where it arrived. Exit status 0
// only when every delivery is settled as it should be.
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { randomUUID } from 'node:crypto';

const top = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const stack = JSON.parse(readFileSync(join(process.argv[2] ?? join(top, '.run'), 'stack.json'), 'utf8'));
const body = readFileSync(join(top, 'tests/data/dispute.json'), 'utf8');

const api = (path, options = {}) => fetch(stack.base_url + path, {
  ...options,
  headers: { Authorization: `Bearer ${stack.staff_token}`, ...options.headers },
});

const width = (text) => [...text].reduce((n, c) => n + (c.codePointAt(0) > 0x2e7f ? 2 : 1), 0);
const pad = (text, n) => text + ' '.repeat(Math.max(1, n - width(text)));

const systems = await api('/api/v1/systems').then((r) => r.json());
const titles = Object.fromEntries((systems.systems ?? systems.items ?? []).map((s) => [s.id, s.title?.zh ?? s.title ?? s.id]));

const began = Date.now();
const answer = await api('/api/v1/records', {
  method: 'POST',
  headers: { 'Content-Type': 'application/json', 'Idempotency-Key': randomUUID(), Prefer: 'wait=30' },
  body,
});
const record = await answer.json();
if (answer.status !== 201) {
  console.error(`the API answered ${answer.status}:`, JSON.stringify(record, null, 2));
  process.exit(1);
}

console.log(`record ${record.id}, revision ${record.revision}, accepted and delivered in ${Date.now() - began} ms\n`);
console.log(`   ${pad('system', 18)}${pad('平台', 30)}${pad('state', 12)}${pad('tries', 7)}number there`);
let settled = true;
for (const [id, d] of Object.entries(record.deliveries)) {
  const well = d.state === 'handoff' || (d.state === 'delivered' && (d.number || d.digest));
  settled &&= Boolean(well);
  const number = d.number ?? (d.state === 'handoff' ? '(copy card for a person)' : d.problem?.message ?? '');
  console.log(`${well ? ' ✓ ' : ' ✗ '}${pad(id, 18)}${pad(titles[id] ?? '', 30)}${pad(d.state, 12)}${pad(String(d.attempts), 7)}${number}`);
}
const people = Object.entries(stack.accounts ?? {}).map(([role, a]) => `         ${pad(role, 12)}${pad(a.login, 18)}${a.password}`).join('\n');
console.log(`
Portal   ${stack.base_url}/        sign in with one of
${people}
API      ${stack.base_url}/api/v1/records/${record.id}
OpenAPI  ${stack.base_url}/api/v1/openapi.json
Lab      ${stack.lab_url}/systems        what each simulated platform holds
Tokens   in ${join(stack.dir, 'stack.json')} (staff, supervisor, operator, auditor, admin)`);
process.exit(settled ? 0 : 1);
