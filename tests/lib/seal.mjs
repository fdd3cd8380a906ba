// SPDX-License-Identifier: Apache-2.0
// The sealed form of core/ym_seal.h, made and opened with node:crypto: independent of the code under
// test. Only A256GCM.
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';

const keyOf = (ring, kid) => Buffer.from(ring.keys.find((k) => k.alg === 'A256GCM' && (!kid || k.kid === kid)).k, 'base64url');
const firstKid = (ring) => ring.keys.find((k) => k.alg === 'A256GCM').kid;

export function sealBytes(ring, context, plain) {
  const kid = Buffer.from(firstKid(ring));
  const head = Buffer.concat([Buffer.from([0x59, 1, kid.length]), kid]);
  const nonce = randomBytes(12);
  const c = createCipheriv('aes-256-gcm', keyOf(ring), nonce);
  c.setAAD(Buffer.concat([head, Buffer.from(context)]));
  return Buffer.concat([head, nonce, c.update(plain), c.final(), c.getAuthTag()]);
}

export function openBytes(ring, context, sealed) {
  const n = 3 + sealed[2];
  const head = sealed.subarray(0, n);
  const d = createDecipheriv('aes-256-gcm', keyOf(ring, head.subarray(3).toString()), sealed.subarray(n, n + 12));
  d.setAAD(Buffer.concat([head, Buffer.from(context)]));
  d.setAuthTag(sealed.subarray(-16));
  return Buffer.concat([d.update(sealed.subarray(n + 12, -16)), d.final()]);
}

// As text: "~" and base64url.
export const seal = (ring, context, plain) => `~${sealBytes(ring, context, plain).toString('base64url')}`;
export const open = (ring, context, text) => openBytes(ring, context, Buffer.from(text.slice(1), 'base64url')).toString();

const length = (b) => {
  const out = Buffer.alloc(8);
  out.writeBigUInt64BE(BigInt(b.length));
  return out;
};

// ym_ring_digest
export function digest(ring, label, text) {
  const key = Buffer.from(ring.keys.find((k) => k.alg === 'HS256').k, 'base64url');
  const [l, t] = [Buffer.from(label), Buffer.from(text)];
  return createHmac('sha256', key).update(length(l)).update(l).update(length(t)).update(t).digest('hex');
}
