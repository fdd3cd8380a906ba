// SPDX-License-Identifier: Apache-2.0
// Key rings for tests, and everything that Redis holds as one text.
import { randomBytes } from 'node:crypto';

export const oct = (alg, kid, n = 32) => ({ kty: 'oct', alg, kid, k: randomBytes(n).toString('base64url') });
export const makeRing = (...kids) => ({ keys: [...kids.map((k) => oct('A256GCM', k)), oct('HS256', 'mac')] });

// Everything that Redis holds, as one text.
export async function dump(client) {
  const parts = [];
  let cursor = '0';
  do {
    const [next, keys] = await client.command('SCAN', cursor, 'COUNT', 1000);
    cursor = next;
    for (const key of keys) {
      parts.push(key);
      const type = await client.command('TYPE', key);
      if (type === 'none') continue;   /* its time was over meanwhile */
      const read = { string: ['GET', key], hash: ['HGETALL', key], zset: ['ZRANGE', key, 0, -1], set: ['SMEMBERS', key], stream: ['XRANGE', key, '-', '+'], list: ['LRANGE', key, 0, -1] }[type];
      parts.push(...[await client.command(...read)].flat(9).map(String));
    }
  } while (cursor !== '0');
  return parts.join('\n');
}
