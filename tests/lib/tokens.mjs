/* SPDX-License-Identifier: Apache-2.0
 * Keys and bearer tokens for tests, made with node:crypto: independent of the verifier under test.
 */
import crypto from 'node:crypto';

const b64 = (v) => Buffer.from(typeof v === 'string' || Buffer.isBuffer(v) ? v : JSON.stringify(v)).toString('base64url');

const KINDS = {
  ES256: () => crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: () => crypto.generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  RS256: () => crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }),
  EdDSA: () => crypto.generateKeyPairSync('ed25519'),
};

/* One key pair: {alg, kid, privateKey, publicKey, jwk}. */
export function makeKey(alg = 'ES256', kid = `k-${alg}`) {
  const pair = KINDS[alg]();
  return { alg, kid, ...pair, jwk: { ...pair.publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' } };
}

export function signature(alg, key, text) {
  const data = Buffer.from(text);
  switch (alg) {
    case 'HS256': return crypto.createHmac('sha256', key).update(data).digest();
    case 'ES256': return crypto.sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' });
    case 'ES384': return crypto.sign('sha384', data, { key, dsaEncoding: 'ieee-p1363' });
    case 'RS256': return crypto.sign('sha256', data, key);
    case 'PS256': return crypto.sign('sha256', data, { key, padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });
    case 'EdDSA': return crypto.sign(null, data, key);
    default: throw new Error(alg);
  }
}

/* Header and claims may be objects or raw text; the signature is over what is sent. */
export function makeToken(key, claims, header = {}) {
  const h = typeof header === 'string' ? header : { alg: key.alg, typ: 'JWT', kid: key.kid, ...header };
  const text = `${b64(h)}.${b64(claims)}`;
  return `${text}.${b64(signature(key.alg, key.privateKey, text))}`;
}

export const ISSUER = 'https://idp.test';
export const AUDIENCE = 'yimen';

/* Claims of a person; seconds from now for exp. */
export function claims(sub, roles, more = {}) {
  const now = Math.floor(Date.now() / 1000);
  return { iss: ISSUER, aud: AUDIENCE, sub, roles: [].concat(roles), iat: now, exp: now + 3600, ...more };
}
