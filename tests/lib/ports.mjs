/* SPDX-License-Identifier: Apache-2.0
 * A port for a program that cannot listen on 0.  Below those that the kernel hands out by itself, so
 * that no connection of another test, running side by side, takes it before the program does.
 */
import { randomInt } from 'node:crypto';
import net from 'node:net';

const [LOW, HIGH] = [15000, 32000];

const free = (port) => new Promise((done) => {
  const s = net.createServer();
  s.on('error', () => done(false));
  s.listen(port, '127.0.0.1', () => s.close(() => done(true)));
});

export async function freePort() {
  for (let i = 0; i < 100; i++) {
    const port = randomInt(LOW, HIGH);
    if (await free(port)) return port;
  }
  throw new Error(`no port between ${LOW} and ${HIGH} is free`);
}
