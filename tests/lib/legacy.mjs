/* SPDX-License-Identifier: Apache-2.0
 * An old application with a sign-in form, a session cookie and switches for everything that can go
 * wrong with it. It listens on a loopback port of its own, since the gateway asks by address.
 */
import crypto from 'node:crypto';
import http from 'node:http';

const FORM = (token, more = '') => `<!doctype html><title>登录</title>
<form action="/search" method="get"><input name="q"></form>
<form id="signin" method="post" action="/session"><!-- <input type="hidden" name="token" value="old"> -->
<input type=hidden name='token' value="${token}"><input name="user"><input type="password" name="pass">${more}<button>Go</button></form>`;

export class Legacy {
  /* people: {login: password} */
  constructor(people) {
    this.people = people;
    this.tokens = new Set();
    this.sessions = new Map();   /* id → login */
    this.seen = [];              /* every request: {method, url, headers, body} */
    this.refused = [];           /* logins whose password was wrong, in turn */
    this.on = {};                /* 'GET /login': (req, res, body) → true when it has answered */
    this.server = http.createServer((req, res) => {
      const parts = [];
      req.on('data', (d) => parts.push(d));
      req.on('end', () => this.#serve(req, res, Buffer.concat(parts).toString('latin1')));
    });
  }

  async start() {
    await new Promise((done) => { this.server.listen(0, '127.0.0.1', done); });
    this.port = this.server.address().port;
    this.origin = `http://127.0.0.1:${this.port}`;
    return this;
  }

  /* How often it was asked for that. */
  count(method, url) { return this.seen.filter((r) => r.method === method && r.url.split('?')[0] === url).length; }

  reset() { this.seen.length = 0; this.refused.length = 0; this.on = {}; }

  /* Every session is gone, as after a restart. */
  forget() { this.sessions.clear(); }

  who(req) {
    const id = /(?:^|; )sid=([^;]*)/.exec(req.headers.cookie ?? '')?.[1];
    return this.sessions.get(id);
  }

  #serve(req, res, body) {
    const path = req.url.split('?')[0];
    this.seen.push({ method: req.method, url: req.url, headers: req.headers, body });
    if (this.on[`${req.method} ${path}`]?.(req, res, body)) return;
    if (this.on.any?.(req, res, body)) return;
    if (path === '/login') this.form(res);
    else if (path === '/session' && req.method === 'POST') this.#signIn(res, new URLSearchParams(body), req);
    else if (path === '/logout') this.#signOut(req, res, body);
    else this.#page(req, res, body);
  }

  form(res, more) {
    const token = crypto.randomBytes(8).toString('hex');
    this.tokens.add(token);
    res.setHeader('Set-Cookie', `visit=${token}; Path=/; HttpOnly`);
    res.setHeader('Content-Type', 'text/html; charset=utf-8');
    res.end(FORM(token, more));
  }

  #signIn(res, fields, req) {
    const login = fields.get('user');
    if (!this.tokens.delete(fields.get('token')) || !/visit=/.test(req.headers.cookie ?? '')) {
      res.statusCode = 422;
      res.end('no token');
      return;
    }
    if (this.people[login] !== fields.get('pass')) {
      this.refused.push(login);
      this.form(res);
      return;
    }
    const id = crypto.randomBytes(8).toString('hex');
    this.sessions.set(id, login);
    res.writeHead(302, { Location: '/home', 'Set-Cookie': [`sid=${id}; Path=/; HttpOnly; Secure`, 'theme=dark; Path=/'] });
    res.end();
  }

  #signOut(req, res, body) {
    if (req.method === 'GET') {
      res.setHeader('Content-Type', 'text/html');
      res.end(`<form method=post action=/logout><input type=hidden name=token value=bye><button>Out</button></form>`);
    } else if (body === 'token=bye') {
      this.sessions.delete(/sid=([^;]*)/.exec(req.headers.cookie ?? '')?.[1]);
      res.writeHead(302, { Location: '/login' });
      res.end();
    } else {
      res.statusCode = 422;
      res.end();
    }
  }

  #page(req, res, body) {
    const login = this.who(req);
    if (!login) {
      res.writeHead(302, { Location: '/login' });
      res.end();
      return;
    }
    res.setHeader('Content-Type', 'text/html; charset=utf-8');
    if (req.url.startsWith('/count')) {
      const n = Number(/(?:^|; )n=(\d+)/.exec(req.headers.cookie)?.[1] ?? 0) + 1;
      res.setHeader('Set-Cookie', `n=${n}; Path=/`);
      res.end(String(n));
      return;
    }
    res.end(`<h1>${login}</h1><pre>${JSON.stringify({ url: req.url, method: req.method, body, cookie: req.headers.cookie, authorization: req.headers.authorization })}</pre>`);
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((done) => { this.server.close(done); });
  }
}

export const startLegacy = (people) => new Legacy(people).start();
