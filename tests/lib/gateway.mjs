/* SPDX-License-Identifier: Apache-2.0
 * Redis, a copy of the fixture deployment and nginx with the API: what most module tests start.
 */
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Nginx, TOP, until } from './nginx.mjs';
import { startRedis } from './redis-server.mjs';
import { AUDIENCE, ISSUER, claims, makeKey, makeToken } from './tokens.mjs';

export const LOCATIONS = `
  location /api/v1/ { yimen_api on; }
  location = /healthz { yimen_api on; }
  location = /readyz { yimen_api on; }
  location = /metrics { yimen_api on; }
  location /auth/ { yimen_api on; }
`;

export const PUBLIC_URL = 'https://yimen.example';

/* A value as YAML in the strict subset: flow style, every scalar quoted; "[…]" texts are taken as they are. */
const flow = (v) => (Array.isArray(v) ? `[${v.map(flow).join(', ')}]`
  : v !== null && typeof v === 'object' ? `{ ${Object.entries(v).map(([k, x]) => `${k}: ${flow(x)}`).join(', ')} }`
    : JSON.stringify(String(v)));

/* A key ring as `yimen keys ring` makes one: one key that seals, one that makes digests. */
export const makeRing = (kid = 't1') => ({
  keys: [
    { kty: 'oct', alg: 'A256GCM', kid, k: crypto.randomBytes(32).toString('base64url') },
    { kty: 'oct', alg: 'HS256', kid: 'mac', k: crypto.randomBytes(32).toString('base64url') },
  ],
});

/* What `auth:` needs for sessions: deploy: { auth: withSessions({ idle: '1s' }) } */
export const withSessions = (session = {}, more = {}) => ({
  public_url: PUBLIC_URL, ring: 'file:keys/ring.json', session, ...more,
});

/* A folder with yimen.yaml, adapters, types and keys; change(dir) may edit it before it is used. */
export class Deployment {
  constructor({ redis, shards = 2, keys = [makeKey('ES256')], auth = {}, from = 'tests/data/deploy', ring = makeRing() } = {}) {
    this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'yimen-deploy-'));
    fs.cpSync(path.join(TOP, from), this.dir, { recursive: true });
    this.keys = keys;
    this.file = path.join(this.dir, 'yimen.yaml');
    this.writeKeys();
    this.writeRing(ring);
    this.auth = { jwks: 'jwks.json', issuer: ISSUER, audience: AUDIENCE, algorithms: '[ES256, RS256, EdDSA]', ...auth };
    this.site = { redis, shards };
    this.write();
  }

  writeKeys() {
    fs.writeFileSync(path.join(this.dir, 'jwks.json'), JSON.stringify({ keys: this.keys.map((k) => k.jwk) }));
  }

  /* keys/ring.json, for `ring: file:keys/ring.json` */
  writeRing(ring) {
    this.ring = ring;
    const file = path.join(this.dir, 'keys/ring.json');
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, JSON.stringify(ring), { mode: 0o600 });
    fs.chmodSync(file, 0o600);
  }

  write() {
    const auth = Object.entries(this.auth)
      .map(([k, v]) => `  ${k}: ${typeof v === 'string' && /^\[/.test(v) ? v : flow(v)}`).join('\n');
    fs.writeFileSync(this.file, `redis: "${this.site.redis}"
shards: ${this.site.shards}
types_dir: types
codes_dir: codes
crosswalks_dir: crosswalks
systems_dir: adapters
sites_dir: systems
state_dir: state
auth:
${auth}
`);
  }

  edit(name, fn) {
    const file = path.join(this.dir, name);
    fs.writeFileSync(file, fn(fs.readFileSync(file, 'utf8')));
  }

  remove() { fs.rmSync(this.dir, { recursive: true, force: true }); }
}

/* options: redis (options of startRedis, or false), nginx (options), deploy (options), via (socket instead of Redis's) */
export async function startGateway(options = {}) {
  const redis = options.redis === false ? null : await startRedis(options.redis);
  const target = options.via ? await options.via(redis?.socket) : redis.socket;
  const deploy = new Deployment({ redis: `unix:${target}`, ...options.deploy });
  const nginx = new Nginx({
    server: LOCATIONS, ...options.nginx,
    http: `yimen_catalog ${deploy.file};\n${options.nginx?.http ?? ''}`,
  });
  try {
    await nginx.start();
    /* Redis may be slow to greet on a machine that is busy; 404: this gateway does not say */
    if (redis && !options.via) await until('the gateway is ready', async () => (await nginx.request('GET', '/readyz')).status !== 503, 20000);
  } catch (e) { /* a test that expects it must not leave a Redis behind, which would keep it alive */
    deploy.remove();
    await redis?.stop();
    throw e;
  }
  const key = deploy.keys[0];
  const people = {
    staff: ['mei', 'staff', { area: '330106003', org: 'committee-1' }],
    other: ['bo', 'staff', { area: '330106004', org: 'committee-2' }],
    supervisor: ['sun', 'supervisor', { area: '330106', org: 'street' }],
    operator: ['op', 'operator', {}],
    auditor: ['au', 'auditor', {}],
    admin: ['root', 'admin', {}],
  };
  const tokens = Object.fromEntries(Object.entries(people)
    .map(([name, [sub, roles, more]]) => [name, makeToken(key, claims(sub, roles, more))]));
  return {
    redis, deploy, nginx, key, tokens,
    /* call('staff', 'GET', '/me') → under /api/v1 */
    call: (who, method, target2, opts = {}) => nginx.request(method, target2.startsWith('/api') || opts.bare ? target2 : `/api/v1${target2}`,
      { token: who ? (tokens[who] ?? who) : undefined, ...opts }),
    async stop() {
      try { await nginx.stop(); } finally {
        deploy.remove();
        await redis?.stop();
      }
    },
  };
}

/* A note that every system of the fixture takes. */
export const note = (more = {}) => ({
  type: 'note',
  data: { title: '邻里噪声', level: '1', text: '楼上夜间装修', people: [{ role: 'applicant', name: '王某', phone: '13800000000' }], ...more },
});

/*
 * Plays a dispatcher: takes what is ready for a system on every shard and settles it with what
 * judge({id, op, revision}) gives: {verdict, number, digest, delay, problem, trace}.
 */
export async function deliver(g, system, judge) {
  const done = [];
  for (let shard = 0; shard < g.deploy.site.shards; shard++) {
    const key = `{s${shard}}`;
    const [epoch] = await g.redis.client.command('FCALL', 'ym_attach', 1, key, system, 'test');
    await g.redis.client.command('FCALL', 'ym_due', 1, key, system, 100);
    const [word, , , ...items] = await g.redis.client.command('FCALL', 'ym_claim', 1, key, system, 'test', epoch, 100, 0);
    if (word !== 'ok') throw new Error(word);
    for (const [entry, id, op, token, , , , revision] of items) {
      const v = judge({ id, op, revision });
      done.push(id);
      const how = v.trace ? ['ym_settle_kept', 1, key, system, 'test', epoch, 1, 1, v.trace] : ['ym_settle', 1, key, system, 'test', epoch];
      await g.redis.client.command('FCALL', ...how, entry, id, token, v.verdict,
        v.revision ?? revision, v.number ?? '', v.digest ?? '', v.delay ?? 0, typeof v.problem === 'string' ? v.problem : v.problem ? JSON.stringify(v.problem) : '', '');
    }
  }
  return done;
}
