/* SPDX-License-Identifier: Apache-2.0
 * An OpenID provider that misbehaves on demand.  Without a switch it is a well-behaved one: code
 * flow, PKCE, nonce, refresh with rotation, logout tokens.  SWITCHES has one entry for each test of
 * the OpenID Foundation's relying-party plans (attacks.md §15.2) and says what must come of it.
 */
import crypto from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import * as jose from 'jose';

const seconds = () => Math.floor(Date.now() / 1000);
const random = (n = 24) => crypto.randomBytes(n).toString('base64url');
const b64 = (v) => Buffer.from(typeof v === 'string' ? v : JSON.stringify(v)).toString('base64url');
export const EVENT = 'http://schemas.openid.net/event/backchannel-logout';

export async function makeSigner(alg = 'RS256', kid = `${alg}-${random(4)}`) {
  const pair = await jose.generateKeyPair(alg, { extractable: true });
  return { alg, kid, privateKey: pair.privateKey, jwk: { ...await jose.exportJWK(pair.publicKey), kid, alg, use: 'sig' } };
}

const body = (req) => new Promise((done) => {
  let text = '';
  req.on('data', (d) => { text += d; });
  req.on('end', () => done(text));
});

/* options: clientId, clientSecret, tls {key, cert}, alg */
export class HostileOp {
  constructor(options = {}) {
    this.clientId = options.clientId ?? 'gw';
    this.clientSecret = options.clientSecret ?? 'a secret+with/odd%chars';
    this.tls = options.tls ?? null;
    this.alg = options.alg ?? 'RS256';
    this.sockets = new Set();
    this.reset();
  }

  /* Everything as a good provider does it. */
  reset() {
    this.user = { sub: 'alice', name: '王爱丽', preferred_username: 'alice', email: 'alice@corp.example', roles: ['staff'], area: '330106003', org: 'committee-1' };
    this.hits = { discovery: 0, jwks: 0, authorize: 0, token: 0, userinfo: 0, end_session: 0, other: 0 };
    this.seen = { token: [], userinfo: [], authorize: [] };
    this.codes = new Map();
    this.refreshTokens = new Map();
    this.sessionId = random(12);
    /* what may be bent */
    this.discovery = (doc) => doc;
    this.jwksAnswer = (doc) => doc;
    this.idClaims = (claims) => claims;
    this.idHeader = (header) => header;
    this.idToken = null;           /* (claims, header) → text, instead of signing */
    this.tokenAnswer = (answer) => answer;
    this.tokenReply = null;        /* (req, res, answer) → takes over the reply */
    this.userinfoAnswer = (answer) => answer;
    this.userinfoReply = null;
    this.response = (params) => params; /* of the authorization endpoint */
    this.onAuthorize = null;
    this.expiresIn = 3600;
    this.offline = true;
    this.before = null;            /* (path, req, res) → true when it has answered */
    return this;
  }

  async start(port = 0) {
    this.signer ??= await makeSigner(this.alg);
    this.keys = [this.signer];
    const serve = (req, res) => this.#serve(req, res).catch((e) => { res.statusCode = 500; res.end(String(e)); });
    this.server = this.tls ? https.createServer(this.tls, serve) : http.createServer(serve);
    this.server.on('connection', (s) => { this.sockets.add(s); s.on('close', () => this.sockets.delete(s)); s.on('error', () => {}); });
    this.server.on('clientError', () => {});
    await new Promise((done) => { this.server.listen(port, '127.0.0.1', done); });
    this.port = this.server.address().port;
    this.issuer = `${this.tls ? 'https' : 'http'}://127.0.0.1:${this.port}`;
    return this;
  }

  async stop() {
    for (const s of this.sockets) s.destroy();
    await new Promise((done) => { this.server.close(done); });
  }

  /* A new key; the old ones go unless keep. */
  async rotate({ keep = false, alg = this.alg } = {}) {
    this.signer = await makeSigner(alg);
    this.keys = keep ? [...this.keys, this.signer] : [this.signer];
    return this.signer;
  }

  /* The provider's entry for `auth: providers:`. */
  entry(more = {}) {
    return { id: 'city', issuer: this.issuer, client_id: this.clientId, client_secret: 'env:OP_SECRET', inside: 'true', scopes: ['openid', 'profile', 'offline_access'], ...more };
  }

  async sign(claims, header = {}, signer = this.signer) {
    return new jose.SignJWT(claims).setProtectedHeader({ alg: signer.alg, kid: signer.kid, ...header }).sign(signer.privateKey);
  }

  document() {
    const at = (p) => `${this.issuer}${p}`;
    return this.discovery({
      issuer: this.issuer, authorization_endpoint: at('/authorize'), token_endpoint: at('/token'), jwks_uri: at('/jwks'),
      userinfo_endpoint: at('/userinfo'), end_session_endpoint: at('/end_session'), response_types_supported: ['code'],
      subject_types_supported: ['public'], id_token_signing_alg_values_supported: ['RS256', 'none', 'HS256'],
      authorization_response_iss_parameter_supported: true, backchannel_logout_supported: true,
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
    });
  }

  async makeIdToken({ nonce, accessToken, code, clientId = this.clientId }) {
    const hash = (v) => crypto.createHash('sha256').update(v).digest().subarray(0, 16).toString('base64url');
    let claims = {
      iss: this.issuer, aud: clientId, ...this.user, iat: seconds(), exp: seconds() + 300, auth_time: seconds() - 5, sid: this.sessionId,
      ...(nonce === undefined ? {} : { nonce }), ...(accessToken ? { at_hash: hash(accessToken) } : {}), ...(code ? { c_hash: hash(code) } : {}),
    };
    claims = this.idClaims(claims);
    const header = this.idHeader({ alg: this.signer.alg, kid: this.signer.kid, typ: 'JWT' });
    if (this.idToken) return this.idToken(claims, header, this);
    return new jose.SignJWT(claims).setProtectedHeader(header).sign(this.signer.privateKey);
  }

  async logoutToken(change = (c) => c, header = {}, signer = this.signer) {
    const claims = change({
      iss: this.issuer, aud: this.clientId, iat: seconds(), exp: seconds() + 120, jti: random(), sid: this.sessionId, events: { [EVENT]: {} },
    });
    return new jose.SignJWT(claims).setProtectedHeader({ alg: signer.alg, kid: signer.kid, typ: 'logout+jwt', ...header }).sign(signer.privateKey);
  }

  async #serve(req, res) {
    const url = new URL(req.url, this.issuer);
    const json = (v, status = 200) => {
      res.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
      res.end(typeof v === 'string' ? v : JSON.stringify(v));
    };
    const name = { '/.well-known/openid-configuration': 'discovery', '/authorize': 'authorize', '/token': 'token', '/userinfo': 'userinfo', '/end_session': 'end_session' }[url.pathname]
      ?? (url.pathname.startsWith('/jwks') ? 'jwks' : 'other');
    this.hits[name]++;
    if (this.before && await this.before(name, req, res)) return;
    switch (name) {
      case 'discovery': json(this.document()); return;
      case 'jwks': json(this.jwksAnswer({ keys: this.keys.map((k) => k.jwk) })); return;
      case 'authorize': this.#authorize(url, res); return;
      case 'token': await this.#token(req, res, json); return;
      case 'userinfo': {
        this.seen.userinfo.push(req.headers);
        if (this.userinfoReply) { this.userinfoReply(req, res); return; }
        json(this.userinfoAnswer({ ...this.user }));
        return;
      }
      case 'end_session': {
        const back = url.searchParams.get('post_logout_redirect_uri');
        res.writeHead(303, { location: `${back}?state=${url.searchParams.get('state')}` });
        res.end();
        return;
      }
      default: json({}, 404);
    }
  }

  #authorize(url, res) {
    const q = Object.fromEntries(url.searchParams);
    this.seen.authorize.push(url.searchParams);
    this.onAuthorize?.(q);
    const code = random();
    this.codes.set(code, { nonce: q.nonce, challenge: q.code_challenge, method: q.code_challenge_method, redirect: q.redirect_uri, client: q.client_id });
    const params = this.response({ code, state: q.state, iss: this.issuer }, q);
    if (q.response_mode === 'form_post' || params.form) {
      delete params.form;
      res.writeHead(200, { 'content-type': 'application/json' });
      res.end(JSON.stringify({ form: params, action: q.redirect_uri }));
      return;
    }
    const list = Array.isArray(params) ? params : Object.entries(params).filter(([, v]) => v !== undefined);
    const text = typeof params === 'string' ? params : list.map(([k, v]) => `${k}=${encodeURIComponent(v)}`).join('&');
    res.writeHead(303, { location: `${q.redirect_uri}?${text}` });
    res.end();
  }

  #client(req, form) {
    const m = /^Basic (.+)$/.exec(req.headers.authorization ?? '');
    if (m) {
      const [id, secret] = Buffer.from(m[1], 'base64').toString().split(':').map((x) => decodeURIComponent(x.replace(/\+/g, ' ')));
      return { id, ok: secret === this.clientSecret && !form.has('client_secret'), how: 'basic' };
    }
    return { id: form.get('client_id'), ok: form.get('client_secret') === this.clientSecret, how: 'post' };
  }

  async #token(req, res, json) {
    const form = new URLSearchParams(await body(req));
    const client = this.#client(req, form);
    this.seen.token.push({ form, how: client.how, headers: req.headers });
    if (client.id !== this.clientId || !client.ok) { json({ error: 'invalid_client' }, 401); return; }
    const accessToken = random();
    const answer = { access_token: accessToken, token_type: 'Bearer', expires_in: this.expiresIn };
    if (form.get('grant_type') === 'refresh_token') {
      const old = this.refreshTokens.get(form.get('refresh_token'));
      if (!old || old.used) { json({ error: 'invalid_grant' }, 400); return; }
      old.used = true;
      answer.id_token = await this.makeIdToken({ accessToken });
      answer.refresh_token = random();
      this.refreshTokens.set(answer.refresh_token, { used: false });
      this.grants = (this.grants ?? 0) + 1;
    } else {
      const code = form.get('code');
      const kept = this.codes.get(code);
      const challenge = crypto.createHash('sha256').update(form.get('code_verifier') ?? '').digest('base64url');
      if (!kept || kept.method !== 'S256' || kept.challenge !== challenge || kept.redirect !== form.get('redirect_uri') || kept.client !== client.id) {
        json({ error: 'invalid_grant' }, 400);
        return;
      }
      this.codes.delete(code);
      answer.id_token = await this.makeIdToken({ nonce: kept.nonce, accessToken, code });
      if (this.offline) {
        answer.refresh_token = random();
        this.refreshTokens.set(answer.refresh_token, { used: false });
      }
    }
    const bent = this.tokenAnswer(answer);
    if (this.tokenReply) { this.tokenReply(req, res, bent); return; }
    json(bent);
  }
}

export const startOp = (options) => new HostileOp(options).start();

const unsigned = (claims, header) => `${b64({ ...header, alg: 'none' })}.${b64(claims)}.`;
const flip = (token) => { const [h, c, s] = token.split('.'); const raw = Buffer.from(s, 'base64url'); raw[5] ^= 1; return `${h}.${c}.${raw.toString('base64url')}`; };
const signWith = (alg) => async (claims, header) => {
  const other = await makeSigner(alg);
  return new jose.SignJWT(claims).setProtectedHeader({ ...header, alg, kid: header.kid }).sign(other.privateKey);
};

/*
 * name → { expect, set(op) }.  expect: 'accept'; 'reject' (no session, a page that says so); for
 * others the test of that name in oidf.test.mjs says what is expected.
 */
export const SWITCHES = {
  '': { expect: 'accept', set: () => {} },
  'invalid-iss': { expect: 'reject', set: (op) => { op.idClaims = (c) => ({ ...c, iss: `${c.iss}/` }); } },
  'missing-sub': { expect: 'reject', set: (op) => { op.idClaims = ({ sub, ...c }) => c; } },
  'invalid-aud': { expect: 'reject', set: (op) => { op.idClaims = (c) => ({ ...c, aud: 'another' }); } },
  'missing-aud': { expect: 'reject', set: (op) => { op.idClaims = ({ aud, ...c }) => c; } },
  'missing-iat': { expect: 'reject', set: (op) => { op.idClaims = ({ iat, ...c }) => c; } },
  'kid-absent-single-jwks': { expect: 'accept', set: (op) => { op.idHeader = ({ kid, ...h }) => h; op.jwksAnswer = (d) => ({ keys: d.keys.map(({ kid, ...k }) => k) }); } },
  'kid-absent-multiple-jwks': {
    expect: 'accept',
    async set(op) {
      const other = await makeSigner('RS256');
      op.idHeader = ({ kid, ...h }) => h;
      op.jwksAnswer = (d) => ({ keys: [other.jwk, ...d.keys] });
    },
  },
  'idtoken-sig-rs256': { expect: 'accept', set: (op) => { op.alg = 'RS256'; } },
  'idtoken-sig-none': { expect: 'reject', set: (op) => { op.idToken = unsigned; } },
  'invalid-sig-rs256': { expect: 'reject', set: (op) => { op.idToken = async (c, h, o) => flip(await o.sign(c, h)); } },
  'invalid-sig-es256': { expect: 'reject', set: (op) => { op.idToken = signWith('ES256'); } },
  'invalid-sig-hs256': {
    expect: 'reject',
    set: (op) => { op.idToken = (c, h, o) => new jose.SignJWT(c).setProtectedHeader({ ...h, alg: 'HS256' }).sign(new TextEncoder().encode(o.clientSecret.padEnd(32, '0'))); },
  },
  'userinfo-invalid-sub': { expect: 'reject', userinfo: true, set: (op) => { op.userinfoAnswer = (u) => ({ ...u, sub: 'mallory' }); } },
  'nonce-invalid': { expect: 'reject', set: (op) => { op.idClaims = (c) => ({ ...c, nonce: 'x'.repeat(43) }); } },
  'missing-nonce': { expect: 'reject', set: (op) => { op.idClaims = ({ nonce, ...c }) => c; } },
  'scope-userinfo-claims': { expect: 'accept', userinfo: true, set: (op) => { op.idClaims = ({ name, email, roles, ...c }) => c; } },
  'client-secret-basic': { expect: 'accept', set: () => {} },
  'discovery-openid-config': { expect: 'accept', set: () => {} },
  'discovery-jwks-uri-keys': { expect: 'accept', set: (op) => { const at = `/jwks/${random(6)}`; op.discovery = (d) => ({ ...d, jwks_uri: `${d.issuer}${at}` }); } },
  'discovery-issuer-mismatch': { expect: 'unavailable', set: (op) => { op.discovery = (d) => ({ ...d, issuer: `${d.issuer}/other` }); } },
  'userinfo-bearer-header': { expect: 'accept', userinfo: true, set: () => {} },
  'userinfo-signed': {
    expect: 'unsupported', userinfo: true,
    set: (op) => { op.userinfoReply = async (req, res) => { res.writeHead(200, { 'content-type': 'application/jwt' }); res.end(await op.sign({ ...op.user, iss: op.issuer, aud: op.clientId })); }; },
  },
  'aggregated-claims': { expect: 'accept', set: (op) => { op.idClaims = (c) => ({ ...c, _claim_names: { address: 'a' }, _claim_sources: { a: { JWT: unsigned({ address: 'x' }, {}) } } }); } },
  'distributed-claims': { expect: 'accept', set: (op) => { op.idClaims = (c) => ({ ...c, _claim_names: { roles: 'a' }, _claim_sources: { a: { endpoint: `${op.issuer}/claims`, access_token: 'x' } } }); } },
  'mtls-endpoint-aliases': { expect: 'accept', set: (op) => { op.discovery = (d) => ({ ...d, mtls_endpoint_aliases: { token_endpoint: `${d.issuer}/mtls/token` } }); } },
  'invalid-chash': { expect: 'reject', set: (op) => { op.idClaims = (c) => ({ ...c, c_hash: random(16) }); } },
  'missing-chash': { expect: 'accept', set: (op) => { op.idClaims = ({ c_hash, ...c }) => c; } },
  'invalid-athash': { expect: 'reject', set: (op) => { op.idClaims = (c) => ({ ...c, at_hash: random(16) }); } },
  'missing-athash': { expect: 'accept', set: (op) => { op.idClaims = ({ at_hash, ...c }) => c; } },
  /* the harder negatives of the FAPI 2 client tests */
  'response-missing-state': { expect: 'reject', set: (op) => { op.response = ({ state, ...p }) => p; } },
  'response-invalid-state': { expect: 'reject', set: (op) => { op.response = (p) => ({ ...p, state: random(32) }); } },
  'response-invalid-iss': { expect: 'reject', set: (op) => { op.response = (p) => ({ ...p, iss: 'https://evil.test' }); } },
  'response-removed-iss': { expect: 'reject', set: (op) => { op.response = ({ iss, ...p }) => p; } },
  'invalid-secondary-aud': { expect: 'reject', set: (op) => { op.idClaims = (c) => ({ ...c, aud: [c.aud, 'another'] }); } },
  'valid-aud-as-array': { expect: 'accept', set: (op) => { op.idClaims = (c) => ({ ...c, aud: [c.aud] }); } },
  'invalid-alternate-alg': { expect: 'reject', set: (op) => { op.idToken = signWith('PS384'); } },
  'invalid-null-alg': { expect: 'reject', set: (op) => { op.idToken = (c, h) => `${b64({ ...h, alg: null })}.${b64(c)}.${b64('x')}`; } },
  'invalid-expired-exp': { expect: 'reject', set: (op) => { op.idClaims = (c) => ({ ...c, exp: seconds() - 300 }); } },
  'invalid-missing-exp': { expect: 'reject', set: (op) => { op.idClaims = ({ exp, ...c }) => c; } },
  'token-type-case-insensitive': { expect: 'accept', set: (op) => { op.tokenAnswer = (a) => ({ ...a, token_type: 'bEaReR' }); } },
  'token-answer-without-expires-in': { expect: 'accept', set: (op) => { op.tokenAnswer = ({ expires_in, ...a }) => a; } },
  'jarm-response': { expect: 'reject', set: (op) => { op.response = (p) => ({ response: unsigned(p, {}) }); } },
};
