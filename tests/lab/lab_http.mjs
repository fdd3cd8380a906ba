/* SPDX-License-Identifier: Apache-2.0
 * The HTTP side of a simulated platform: one listener on a port the system hands out, and every
 * misbehaviour that is about the wire and not about the platform's own words.
 *
 * A platform gives `handle(req)`, req = {method, path, query, headers, body}. It answers with
 * {op, ref, revision, run(mis), page?(kind)}: op says what the call is, run does it (commits) and
 * gives {status, headers, type, body, outcome}. mis is what run itself must get wrong:
 * {mode, field, …} for the modes fail_200, duplicate, reject, throttle, datas_string, … or {}.
 */
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import iconv from 'iconv-lite';

const HANG_LIMIT = 16 * 1024 * 1024;

export class HttpHost {
    constructor(store, platform, { charset = 'utf-8' } = {}) {
        this.store = store;
        this.platform = platform;
        this.charset = charset;
        this.sockets = new Set();
        this.resets = 0;
        this.wantOpen = true;
        store.listeners.push((b) => this.#told(b));
    }

    async start() {
        await this.#listen(0);
        this.port = this.server.address().port;
        return this.port;
    }

    async stop() {
        this.wantOpen = false;
        clearTimeout(this.timer);
        await this.#close();
    }

    #listen(port) {
        this.server = http.createServer({ keepAliveTimeout: 75_000, requestTimeout: 0 }, (req, res) => {
            this.#serve(req, res).catch((err) => {
                this.store.fault('lab', { message: String(err?.stack ?? err) });
                res.destroy();
            });
        });
        this.server.on('connection', (s) => {
            const down = this.store.behaviours.find((b) => b.mode === 'down' && b.used < (b.calls ?? 0));
            if (down !== undefined) {
                down.used += 1;
                s.resetAndDestroy();
                return;
            }
            this.sockets.add(s);
            s.on('close', () => this.sockets.delete(s));
        });
        return new Promise((resolve, reject) => {
            this.server.once('error', reject);
            this.server.listen(port, '127.0.0.1', 511, resolve);
        });
    }

    #close() {
        for (const s of this.sockets) s.resetAndDestroy();
        const server = this.server;
        this.server = undefined;
        return server === undefined ? undefined : new Promise((done) => server.close(done));
    }

    /* `down` without a count closes the listener until reset or for ms. */
    #told(b) {
        clearTimeout(this.timer);
        this.wantOpen = !(b.mode === 'down' && (b.calls ?? null) === null);
        if (b.mode === 'down') for (const s of this.sockets) s.resetAndDestroy();
        if (b.mode === 'down' && b.ms > 0 && !this.wantOpen) {
            this.timer = setTimeout(() => this.store.behave({ mode: 'normal' }), b.ms);
        }
        this.changing = (this.changing ?? Promise.resolve()).then(() => this.#settle());
    }

    async #settle() {
        if (!this.wantOpen) {
            await this.#close();
            return;
        }
        for (let i = 0; this.server === undefined && this.wantOpen && i < 200; i++) {
            try {
                await this.#listen(this.port);
            } catch {
                this.server = undefined;
                await sleep(50);
            }
        }
    }

    async #serve(req, res) {
        const chunks = [];
        let size = 0;
        for await (const c of req) {
            size += c.length;
            if (size > HANG_LIMIT) { res.destroy(); return; }
            chunks.push(c);
        }
        const url = new URL(req.url, 'http://localhost');
        const call = await this.platform.handle({
            method: req.method, path: url.pathname, rawQuery: url.search.slice(1), query: url.searchParams,
            headers: req.headers, rawPath: req.url.split('?')[0], body: Buffer.concat(chunks),
        });
        const mis = this.store.take(call.op, call.ref) ?? {};
        const reply = await this.#answer(call, mis, req, res);
        this.store.log({
            op: call.op, ref: call.ref, revision: call.revision, mode: mis.mode,
            outcome: reply?.outcome ?? 'none', status: reply?.status,
        });
    }

    async #answer(call, mis, req, res) {
        const socket = req.socket;
        switch (mis.mode) {
        case '500':
            return this.#send(res, { status: 500, type: 'text/html', body: '<h1>500 服务器内部错误</h1>', outcome: 'none' });
        case 'cut_before':
            socket.resetAndDestroy();
            return undefined;
        case 'login_page':
        case 'captcha':
            if (call.page === undefined) break;
            return this.#send(res, call.page(mis.mode));
        case 'late':
            await sleep(mis.ms ?? 1000);
            break;
        default:
            break;
        }
        const reply = await call.run(mis);
        switch (mis.mode) {
        case 'slow':
            await sleep(mis.ms ?? 1000);
            break;
        case 'cut_after':
            socket.resetAndDestroy();
            return reply;
        case 'answer_lost':
            if (mis.ms > 0) setTimeout(() => socket.destroy(), mis.ms).unref();
            return reply;
        case 'garbage':
            return this.#send(res, { ...reply, status: 200, body: Buffer.from('\u0000<<%! \u00ff 0xDEADBEEF {"', 'latin1') });
        case 'truncated':
            return this.#truncated(res, reply, mis);
        case 'wrong_charset':
            return this.#send(res, { ...reply, body: iconv.encode(text(reply.body), other(this.charset)) });
        case 'dribble':
            return this.#dribble(res, reply, mis.ms ?? 20);
        default:
            break;
        }
        return this.#send(res, reply);
    }

    #head(reply, length) {
        const type = reply.type ?? 'application/json';
        return {
            'Content-Type': type.includes('charset') ? type : `${type}; charset=${this.charset}`,
            'Content-Length': length, ...reply.headers,
        };
    }

    #bytes(reply) {
        if (Buffer.isBuffer(reply.body)) return reply.body;
        return this.charset === 'utf-8' ? Buffer.from(reply.body ?? '') : iconv.encode(reply.body ?? '', this.charset);
    }

    #send(res, reply) {
        const bytes = this.#bytes(reply);
        if (!res.destroyed) {
            res.writeHead(reply.status ?? 200, this.#head(reply, bytes.length));
            res.end(bytes);
        }
        return reply;
    }

    /* Half of the body; ended cleanly, or ("how": "cut") with the connection lost in the middle. */
    #truncated(res, reply, mis) {
        const bytes = this.#bytes(reply);
        const half = bytes.subarray(0, bytes.length >> 1);
        res.writeHead(reply.status ?? 200, this.#head(reply, mis.how === 'cut' ? bytes.length : half.length));
        if (mis.how === 'cut') res.write(half, () => res.destroy());
        else res.end(half);
        return reply;
    }

    async #dribble(res, reply, ms) {
        const bytes = this.#bytes(reply);
        res.writeHead(reply.status ?? 200, this.#head(reply, bytes.length));
        for (let i = 0; i < bytes.length && !res.destroyed; i++) {
            res.write(bytes.subarray(i, i + 1));
            await sleep(ms);
        }
        res.end();
        return reply;
    }
}

const text = (b) => (Buffer.isBuffer(b) ? b.toString('utf8') : b ?? '');
const other = (charset) => (charset === 'utf-8' ? 'gb18030' : 'utf-8');

export const json = (value, extra = {}) => ({ status: 200, type: 'application/json', body: JSON.stringify(value), ...extra });

/** application/x-www-form-urlencoded in any charset; the last value of a name wins. */
export function parseForm(bytes, charset = 'utf-8') {
    const out = {};
    const dec = (part) => {
        const raw = [];
        const s = part.toString('latin1');
        for (let i = 0; i < s.length; i++) {
            if (s[i] === '+') raw.push(0x20);
            else if (s[i] === '%' && /^[0-9A-Fa-f]{2}$/.test(s.slice(i + 1, i + 3))) {
                raw.push(parseInt(s.slice(i + 1, i + 3), 16));
                i += 2;
            } else raw.push(s.charCodeAt(i));
        }
        return new TextDecoder(charset, { fatal: true }).decode(Buffer.from(raw));
    };
    if (bytes.length === 0) return out;
    for (const pair of bytes.toString('latin1').split('&')) {
        const eq = pair.indexOf('=');
        const name = eq < 0 ? pair : pair.slice(0, eq);
        out[dec(Buffer.from(name, 'latin1'))] = eq < 0 ? '' : dec(Buffer.from(pair.slice(eq + 1), 'latin1'));
    }
    return out;
}

/** The page a gateway puts in the way: HTTP 200, not what was asked for. */
export function interceptPage(kind) {
    const inner = kind === 'captcha'
        ? '<form id="captchaForm" method="post"><img id="captchaImage" src="/captcha.png"><input name="validateCode"></form>请输入验证码'
        : '<form id="loginForm" method="post" action="/login"><input name="username"><input name="password" type="password"></form>请先登录';
    return { status: 200, type: 'text/html', body: `<!DOCTYPE html><html><body>${inner}</body></html>`, outcome: kind };
}

export const busyText = '系统繁忙,请稍后再试';
