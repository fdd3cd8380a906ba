/* SPDX-License-Identifier: Apache-2.0
 * The lab's control API, for tests only: what a platform holds, and how it shall misbehave.
 */
import http from 'node:http';

/* Which modes a platform knows, by the transport it speaks; an unknown one is refused. */
const HTTP = ['normal', 'slow', 'late', 'dribble', 'down', '500', 'cut_before', 'cut_after', 'answer_lost', 'garbage',
    'truncated', 'wrong_charset', 'fail_200', 'duplicate', 'reject', 'captcha', 'login_page', 'throttle',
    'unknown_status', 'other_number'];
const MODES = {
    'zj-odr': [...HTTP, 'bad_sign'],
    'people-mediation': [...HTTP, 'secret_expired'],
    'grid-platform': HTTP,
    'hotline-12345': [...HTTP, 'no_message'],
    'data-commons': [...HTTP, 'bad_sign', 'datas_string', 'secret_expired'],
    'gov-service': ['normal', 'slow', 'down', 'lock', 'cut_before', 'cut_after', 'answer_lost', 'ack_late', 'reject'],
    'village-admin': ['normal', 'down', 'ack_late', 'ack_error', 'ack_garbage', 'ack_truncated', 'wrong_charset', 'reject', 'other_number'],
    'patrol-app': [...HTTP, 'no_event_id'],
    'leader-board': ['normal'],
};

export function modesOf(id) {
    return MODES[id];
}

function checkBehaviour(id, b) {
    if (b === null || typeof b !== 'object' || !MODES[id].includes(b.mode)) return `mode must be one of: ${MODES[id].join(' ')}`;
    if (b.calls !== undefined && b.calls !== null && !(Number.isInteger(b.calls) && b.calls > 0)) return 'calls must be a positive integer or null';
    if (b.ms !== undefined && !(Number.isInteger(b.ms) && b.ms >= 0)) return 'ms must be a non-negative integer';
    if (b.ops !== undefined && !Array.isArray(b.ops)) return 'ops must be an array';
    return undefined;
}

async function readJson(req) {
    const chunks = [];
    for await (const c of req) chunks.push(c);
    const text = Buffer.concat(chunks).toString();
    return text === '' ? {} : JSON.parse(text);
}

/** systems: id → {store, site, refresh?, reset?}; answers the started server. */
export async function startControl(systems) {
    async function route(method, path, query, body) {
        if (method === 'GET' && path === '/systems') {
            return [200, Object.entries(systems).map(([id, s]) => ({ ...s.store.summary(), title: s.site.title, transport: s.site.transport, modes: MODES[id] }))];
        }
        if (method === 'POST' && path === '/reset') {
            for (const s of Object.values(systems)) {
                await s.beforeReset?.(body);
                s.store.reset(body);
                await s.settled?.();
            }
            return [200, { ok: true }];
        }
        const m = /^\/systems\/([a-z0-9-]+)(?:\/(records|calls|faults|behave|reset))?$/.exec(path);
        const s = systems[m?.[1]];
        if (s === undefined) return [404, { error: 'no such system or path' }];
        const what = m[2] ?? 'summary';
        if (method === 'POST' && what === 'reset') {
            await s.beforeReset?.(body);
            s.store.reset(body);
            await s.settled?.();
            return [200, { ok: true }];
        }
        if (method === 'POST' && what === 'behave') {
            const wrong = checkBehaviour(m[1], body);
            if (wrong !== undefined) return [400, { error: wrong }];
            s.store.behave(body);
            await s.settled?.();
            return [200, { ok: true, behaviours: s.store.behaviours }];
        }
        if (method !== 'GET') return [405, { error: 'method' }];
        await s.refresh?.();
        const ref = query.get('ref');
        const mine = (list) => (ref === null ? list : list.filter((x) => x.ref === ref));
        switch (what) {
        case 'records': return [200, mine([...s.store.records.values()])];
        case 'calls': return [200, mine(s.store.calls)];
        case 'faults': return [200, s.store.faults];
        default: return [200, { ...s.store.summary(), ...s.site, secrets: undefined, modes: MODES[m[1]] }];
        }
    }

    const server = http.createServer(async (req, res) => {
        const url = new URL(req.url, 'http://localhost');
        let status = 500, value;
        try {
            [status, value] = await route(req.method, url.pathname, url.searchParams, req.method === 'POST' ? await readJson(req) : {});
        } catch (err) {
            [status, value] = [err instanceof SyntaxError ? 400 : 500, { error: String(err.message) }];
        }
        res.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8' });
        res.end(JSON.stringify(value));
    });
    await new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(0, '127.0.0.1', resolve);
    });
    return { server, url: `http://127.0.0.1:${server.address().port}` };
}
