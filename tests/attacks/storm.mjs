/* SPDX-License-Identifier: Apache-2.0
 * A provider and people who all sign in at once, in a process of their own, so that their work is
 * not taken for the gateway's. Says its issuer; goes when it is told the gateway's socket: through
 * the provider, or with a person's name and password.
 */
import http from 'node:http';
import readline from 'node:readline';
import { Browser } from '../lib/browser.mjs';
import { startOp } from './hostile_op.mjs';

const op = await startOp();
process.stdout.write(`${JSON.stringify({ entry: op.entry(), secret: op.clientSecret })}\n`);
const agent = new http.Agent({ keepAlive: true, maxSockets: 256 });

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { socket, count, person } = JSON.parse(line);
  const nginx = {
    request: (method, target, { headers, body }) => new Promise((done, fail) => {
      const req = http.request({ socketPath: socket, method, path: target, headers, agent }, (res) => {
        let text = '';
        res.on('data', (d) => { text += d; });
        res.on('end', () => done({ status: res.statusCode, headers: res.headers, body: text }));
      });
      req.on('error', fail);
      req.end(body);
    }),
  };
  const answers = await Promise.all(Array.from({ length: count }, () => {
    const b = new Browser(nginx);
    return person ? b.signInAs(person.name, person.password) : b.signIn();
  }));
  process.stdout.write(`${JSON.stringify(answers.map((r) => r.status))}\n`);
}
await op.stop();
agent.destroy();
