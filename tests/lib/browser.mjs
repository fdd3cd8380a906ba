/* SPDX-License-Identifier: Apache-2.0
 * A browser as far as the tests need one: a cookie jar, navigations that follow redirects between the
 * gateway (a unix socket behind a public address) and real servers, the forms of our own pages and of
 * others, Origin.
 */
import http from 'node:http';
import https from 'node:https';
import { PUBLIC_URL } from './gateway.mjs';

/* What a browser sends when a person follows a link. */
export const NAVIGATION = { accept: 'text/html,application/xhtml+xml', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };

export const encode = (fields) => new URLSearchParams(Object.entries(fields).filter(([, v]) => v !== undefined)).toString();

const unescape = (s) => s.replace(/&(amp|lt|gt|quot|#39);/g, (_, n) => ({ amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" })[n]);

/* The `name="…" value="…"` of a form's inputs, and where it goes. */
export function readForm(html, pick = 0) {
  const decode = (s) => s.replace(/&amp;/g, '&').replace(/&quot;/g, '"').replace(/&#x([0-9a-f]+);/gi, (_, n) => String.fromCodePoint(parseInt(n, 16)))
    .replace(/&#(\d+);/g, (_, n) => String.fromCodePoint(Number(n))).replace(/&lt;/g, '<').replace(/&gt;/g, '>');
  const form = [...html.matchAll(/<form\b[^>]*>[\s\S]*?<\/form>/gi)][pick]?.[0] ?? '';
  const attr = (tag, name) => { const m = new RegExp(`\\b${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s>]+))`, 'i').exec(tag); return m ? decode(m[1] ?? m[2] ?? m[3]) : undefined; };
  const open = /<form\b[^>]*>/i.exec(form)?.[0] ?? '';
  const fields = {};
  for (const [tag] of form.matchAll(/<input\b[^>]*>/gi)) {
    const name = attr(tag, 'name');
    if (name) fields[name] = attr(tag, 'value') ?? '';
  }
  return { action: attr(open, 'action'), method: (attr(open, 'method') ?? 'get').toUpperCase(), fields };
}

export class Browser {
  /*
   * nginx: an Nginx; another node can be chosen per call. headers: of every request (Accept-Language,
   * X-Forwarded-For …)
   */
  constructor(nginx, { headers = {}, origin = PUBLIC_URL } = {}) {
    this.nginx = nginx;
    this.headers = headers;
    this.origin = origin;
    this.jars = new Map();
    this.page = null; /* the last of ours */
  }

  jar(origin) {
    if (!this.jars.has(origin)) this.jars.set(origin, new Map());
    return this.jars.get(origin);
  }

  get cookies() { return this.jar(this.origin); }

  set cookies(jar) { this.jars.set(this.origin, jar); }

  session() { return this.cookies.get('__Host-yimen') ?? this.cookies.get('yimen'); }

  flows() { return [...this.cookies.keys()].filter((k) => /^(__Host-)?yimen-flow-/.test(k)); }

  /* Ours are kept by name; those of others by path and name, as a browser does. */
  keep(origin, lines = []) {
    const jar = this.jar(origin);
    for (const line of [].concat(lines ?? [])) {
      const [pair, ...attributes] = line.split(';').map((s) => s.trim());
      const at = pair.indexOf('=');
      const name = pair.slice(0, at), value = pair.slice(at + 1);
      const path = attributes.find((a) => /^path=/i.test(a))?.slice(5) ?? '/';
      const gone = attributes.some((a) => /^max-age=0$/i.test(a) || (/^expires=/i.test(a) && Date.parse(a.slice(8)) < Date.now()));
      const key = origin === this.origin ? name : `${path} ${name}`;
      if (gone) jar.delete(key); else jar.set(key, value);
    }
  }

  header(origin, path = '/') {
    const jar = [...this.jar(origin)];
    if (origin === this.origin) return jar.map(([k, v]) => `${k}=${v}`).join('; ');
    return jar.map(([k, v]) => [...k.split(' '), v]).filter(([p]) => path === p || path.startsWith(p.endsWith('/') ? p : `${p}/`))
      .map(([, name, v]) => `${name}=${v}`).join('; ');
  }

  /* One request, no redirect followed. */
  async ask(method, url, { headers = {}, form, body, navigation = true, cookies = true, nginx = this.nginx } = {}) {
    const u = new URL(url, this.origin);
    const jar = cookies && this.header(u.origin, u.pathname);
    const h = { ...(navigation ? NAVIGATION : {}), ...this.headers, ...(jar ? { cookie: jar } : {}), ...headers };
    for (const k of Object.keys(h)) if (h[k] === undefined) delete h[k];
    let payload = body;
    if (form) {
      payload = new URLSearchParams(form).toString();
      h['content-type'] ??= 'application/x-www-form-urlencoded';
    }
    const r = u.origin === this.origin
      ? await nginx.request(method, u.pathname + u.search, { headers: { host: u.host, ...h }, body: payload })
      : await this.outside(method, u, h, payload);
    if (cookies) this.keep(u.origin, r.headers['set-cookie']);
    r.url = u.href;
    if (u.origin === this.origin && /^text\/html/.test(r.headers['content-type'] ?? '')) this.page = r.body;
    return r;
  }

  outside(method, u, headers, payload) {
    return new Promise((done, fail) => {
      const h = { ...headers };
      if (payload !== undefined) h['content-length'] = Buffer.byteLength(payload);
      const req = (u.protocol === 'https:' ? https : http).request(u, { method, headers: h, rejectUnauthorized: false }, (res) => {
        const parts = [];
        res.on('data', (d) => parts.push(d));
        res.on('end', () => done({ status: res.statusCode, headers: res.headers, body: Buffer.concat(parts).toString('utf8') }));
      });
      req.on('error', fail);
      req.end(payload);
    });
  }

  get(url, options) { return this.ask('GET', url, options); }

  /* Follows redirects until stop(url) or an answer that is none; the last answer, `trail` of places. */
  async follow(r, { stop = () => false, max = 15, nginx } = {}) {
    const trail = [r.url];
    while ([301, 302, 303, 307].includes(r.status) && trail.length < max) {
      const next = new URL(r.headers.location, r.url).href;
      if (stop(next)) { r.next = next; break; }
      r = await this.ask('GET', next, { nginx });
      trail.push(r.url);
    }
    r.trail = trail;
    return r;
  }

  /* Any method, as a navigation unless the headers say otherwise. */
  request(method, target, { headers, body } = {}) { return this.ask(method, target, { headers, body }); }

  /* A form of ours that was never shown, with exactly these fields. */
  post(target, fields, headers = {}) {
    return this.ask('POST', target, {
      headers: { origin: this.origin, 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body: typeof fields === 'string' ? fields : encode(fields),
    });
  }

  /* Hidden fields and address of the form on our page. */
  get form() {
    const hidden = {};
    for (const [tag] of (this.page ?? '').matchAll(/<input type="hidden"[^>]*>/g)) {
      hidden[/name="([^"]*)"/.exec(tag)[1]] = unescape(/value="([^"]*)"/.exec(tag)[1]);
    }
    return { action: /<form method="post" action="([^"]*)"/.exec(this.page ?? '')?.[1], hidden };
  }

  /* Fills in the form on our page and sends it. */
  submit(fields, headers) {
    const { action, hidden } = this.form;
    return this.post(action, { ...hidden, ...fields }, headers);
  }

  /* What our page says in its alert, or ''. */
  get alert() {
    return unescape(/<p class="alert"[^>]*>(.*?)<\/p>/s.exec(this.page ?? '')?.[1] ?? '');
  }

  /* With a local account. */
  async signInAs(name, password, { rd = '/', headers } = {}) {
    await this.get(`/auth/login?rd=${encodeURIComponent(rd)}`);
    return this.submit({ name, password }, headers);
  }

  /* Starts a sign-in and comes back with the callback's address, not opened yet. */
  async toCallback(provider = 'city', rd = '/', options = {}) {
    const r = await this.get(`/auth/start/${provider}?rd=${encodeURIComponent(rd)}`, options);
    if (r.status !== 303) return { start: r };
    const last = await this.follow(r, { stop: (url) => url.startsWith(`${this.origin}/auth/callback/`), ...options });
    return { start: r, callback: last.next, last };
  }

  /*
   * Fills the forms of a provider's pages with what it knows of, until the browser is sent back to
   * the gateway; r.next is the callback then.
   */
  async throughForms(r, known, { stop = (url) => url.startsWith(`${this.origin}/`), max = 6 } = {}) {
    for (let i = 0; i < max && !r.next; i++) {
      if (r.status !== 200) throw new Error(`${r.url}: ${r.status}: ${r.body.slice(0, 500)}`);
      const { action, fields } = readForm(r.body);
      const form = Object.fromEntries(Object.entries(fields).map(([k, v]) => [k, known[k] ?? v]));
      for (const [k, v] of Object.entries(known)) if (k.startsWith('+')) form[k.slice(1)] = v;
      const url = new URL(action ?? r.url, r.url).href;
      r = await this.follow(await this.ask('POST', url, { form, headers: { origin: new URL(url).origin, referer: r.url } }), { stop });
    }
    if (!r.next) throw new Error(`no way back from ${r.url}: ${r.body.slice(0, 500)}`);
    return r;
  }

  /* The whole sign-in at a provider that asks nothing. The answer of the callback. */
  async signIn(provider = 'city', rd = '/', options = {}) {
    const { start, callback } = await this.toCallback(provider, rd, options);
    return callback ? this.get(callback, options) : start;
  }

  /* Who one is here: the person, or null for nobody. */
  async who() {
    const r = await this.ask('GET', '/api/v1/me', { headers: { accept: 'application/json', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' } });
    return r.status === 200 ? r.json : null;
  }

  /* The same with the status, and from any node. */
  async me(options = {}) {
    const r = await this.ask('GET', '/api/v1/me', { navigation: false, ...options });
    return { status: r.status, ...(r.json ?? {}) };
  }
}
