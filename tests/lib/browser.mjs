/* SPDX-License-Identifier: Apache-2.0
 * As much of a browser as our own pages need: cookies, forms with their hidden fields, Origin.
 */
import { PUBLIC_URL } from './gateway.mjs';

const unescape = (s) => s.replace(/&(amp|lt|gt|quot|#39);/g, (_, n) => ({ amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" })[n]);

export const encode = (fields) => new URLSearchParams(Object.entries(fields).filter(([, v]) => v !== undefined)).toString();

export class Browser {
  /* headers: of every request (Accept-Language, X-Forwarded-For …) */
  constructor(nginx, { headers = {}, origin = PUBLIC_URL } = {}) {
    this.nginx = nginx;
    this.headers = { accept: 'text/html', 'sec-fetch-mode': 'navigate', ...headers };
    this.origin = origin;
    this.cookies = new Map();
    this.page = null;
  }

  async request(method, target, { headers = {}, body } = {}) {
    const cookie = [...this.cookies].map(([k, v]) => `${k}=${v}`).join('; ');
    const all = { ...this.headers, ...(cookie ? { cookie } : {}), ...headers };
    for (const k of Object.keys(all)) if (all[k] === undefined) delete all[k];
    const r = await this.nginx.request(method, target, { headers: all, body });
    for (const line of r.headers['set-cookie'] ?? []) {
      const [pair, ...attributes] = line.split(';');
      const at = pair.indexOf('=');
      const gone = attributes.some((a) => /^\s*max-age=0$/i.test(a));
      if (gone) this.cookies.delete(pair.slice(0, at)); else this.cookies.set(pair.slice(0, at), pair.slice(at + 1));
    }
    if (/^text\/html/.test(r.headers['content-type'] ?? '')) this.page = r.body;
    return r;
  }

  get(target, headers) { return this.request('GET', target, { headers }); }

  /* A form that was never shown, with exactly these fields. */
  post(target, fields, headers = {}) {
    return this.request('POST', target, {
      headers: { origin: this.origin, 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body: typeof fields === 'string' ? fields : encode(fields),
    });
  }

  /* Hidden fields and address of the form on the page. */
  get form() {
    const hidden = {};
    for (const [tag] of (this.page ?? '').matchAll(/<input type="hidden"[^>]*>/g)) {
      hidden[/name="([^"]*)"/.exec(tag)[1]] = unescape(/value="([^"]*)"/.exec(tag)[1]);
    }
    return { action: /<form method="post" action="([^"]*)"/.exec(this.page ?? '')?.[1], hidden };
  }

  /* Fills in the form on the page and sends it. */
  submit(fields, headers) {
    const { action, hidden } = this.form;
    return this.post(action, { ...hidden, ...fields }, headers);
  }

  /* What the page says in its alert, or ''. */
  get alert() {
    return unescape(/<p class="alert"[^>]*>(.*?)<\/p>/s.exec(this.page ?? '')?.[1] ?? '');
  }

  async signIn(name, password, { rd = '/', headers } = {}) {
    await this.get(`/auth/login?rd=${encodeURIComponent(rd)}`);
    return this.submit({ name, password }, headers);
  }

  /* Who one is, as the API says it; null: nobody. */
  async me() {
    const r = await this.request('GET', '/api/v1/me', { headers: { accept: 'application/json', 'sec-fetch-mode': 'cors' } });
    return r.status === 200 ? r.json : null;
  }
}
