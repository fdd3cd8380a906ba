/* SPDX-License-Identifier: Apache-2.0
 * Sessions made without a sign-in: the value sealed as core/ym_seal.c does it and put into Redis by
 * the store's own function.  Independent of the code under test, so it says what the format is.
 */
import crypto from 'node:crypto';
import { until } from './nginx.mjs';

export const COOKIE = '__Host-yimen';

const sha256 = (text) => crypto.createHash('sha256').update(text).digest('hex');

/* 'Y' 1 <length of kid> <kid> <nonce> <ciphertext> <tag>; head and context are authenticated. */
export function seal(ring, context, text) {
  const key = ring.keys.find((k) => k.alg === 'A256GCM');
  const head = Buffer.concat([Buffer.from([0x59, 1, key.kid.length]), Buffer.from(key.kid)]);
  const nonce = crypto.randomBytes(12);
  const cipher = crypto.createCipheriv('aes-256-gcm', Buffer.from(key.k, 'base64url'), nonce);
  cipher.setAAD(Buffer.concat([head, Buffer.from(context)]));
  const out = Buffer.concat([cipher.update(text), cipher.final()]);
  return Buffer.concat([head, nonce, out, cipher.getAuthTag()]);
}

/* HMAC-SHA256 over label and text, each behind its length in 8 bytes. */
export function ringDigest(ring, label, text) {
  const mac = crypto.createHmac('sha256', Buffer.from(ring.keys.find((k) => k.alg === 'HS256').k, 'base64url'));
  for (const part of [Buffer.from(label), Buffer.from(text)]) {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(part.length));
    mac.update(length).update(part);
  }
  return mac.digest('hex');
}

export const ROLES = { staff: 1, supervisor: 2, operator: 4, auditor: 8, admin: 16 };

/* What a session keeps of a person. */
export const sessionValue = (person = {}) => ({
  t: 'session', v: 1, person: 'city:mei', provider: 'city', iss: 'https://city.test', sub: 'mei', login: 'mei', name: '李梅',
  area: '330106', org: 'street', roles: ROLES.staff, auth_time: Date.now() - 1000, refresh_at: 0, ...person,
});

export const personDigest = (g, person) => ringDigest(g.deploy.ring, 'person', `0:${person}`);
export const sidDigest = (g, issuer, sid) => ringDigest(g.deploy.ring, 'sid', `${Buffer.byteLength(issuer)}:${issuer}${sid}`);
export const shardOf = (g, digest) => parseInt(digest.slice(0, 8), 16) % g.deploy.site.shards;

/*
 * A session in Redis.  person: parts of sessionValue(); options: idle, absolute (ms), max, raw (the
 * bytes to keep instead), id.  → {id, digest, shard, cookie, headers, key, csrf, handle}
 */
export async function makeSession(g, person = {}, { idle = 60000, absolute = 3600000, max = 20, raw, id, client } = {}) {
  const value = sessionValue(person);
  const whose = personDigest(g, value.person);
  const shard = shardOf(g, whose);
  const name = id ?? `${shard}.${crypto.randomBytes(32).toString('base64url')}`;
  const digest = sha256(name);
  const sealed = raw ?? seal(g.deploy.ring, `session:${digest}`, JSON.stringify(value));
  await (client ?? g.redis.client).fcall('ym_session_put', `{s${shard}}`, digest, whose,
    value.sid ? sidDigest(g, value.iss, value.sid) : '', sealed, idle, absolute, max);
  return {
    id: name, digest, shard, key: `{s${shard}}:se:${digest}`, handle: `${shard}-${digest}`,
    cookie: `${COOKIE}=${name}`, headers: { cookie: `${COOKIE}=${name}` }, csrf: ringDigest(g.deploy.ring, 'csrf', digest),
  };
}

/* Ends one in Redis, as another node would. */
export const endSession = (g, s) => g.redis.client.fcall('ym_session_end', `{s${s.shard}}`, s.digest);

/* {hits, reads}: sessions that were remembered, and read from Redis, by all workers so far. */
export async function sessionCounts(g) {
  const text = (await g.nginx.request('GET', '/metrics')).body;
  const n = (name) => Number(new RegExp(`^yimen_session_${name}_total (\\d+)`, 'm').exec(text)[1]);
  return { hits: n('hits'), reads: n('reads') };
}

/* Every worker hears of changes: until then nothing is remembered. */
export async function hears(g) {
  const s = await makeSession(g, { person: 'city:nobody', sub: 'nobody' });
  const round = async () => {
    const before = await sessionCounts(g);
    await Promise.all(Array.from({ length: 32 }, () => g.nginx.request('GET', '/api/v1/me', { headers: s.headers, agent: false })));
    return (await sessionCounts(g)).reads === before.reads;
  };
  await until('workers hear of changes', async () => await round() && round());
  await endSession(g, s);
}
