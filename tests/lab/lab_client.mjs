/* SPDX-License-Identifier: Apache-2.0
 * For the lab's own tests: a lab in a folder of its own, its control API, a record that is synthetic.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startLab } from './lab.mjs';

/** Starts the systems and stops them when the test file is done. */
export async function openLab(systems, options = {}) {
    const dir = mkdtempSync(join(tmpdir(), 'yimen-lab-'));
    const lab = await startLab({ dir, systems, ...options });
    after(async () => {
        await lab.stop();
        rmSync(dir, { recursive: true, force: true });
    });
    const ask = async (path, body) => {
        const r = await fetch(`${lab.control_url}${path}`, body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) });
        return { status: r.status, value: await r.json() };
    };
    return {
        ...lab, dir, ask,
        records: async (id, ref) => (await ask(`/systems/${id}/records${ref === undefined ? '' : `?ref=${ref}`}`)).value,
        calls: async (id) => (await ask(`/systems/${id}/calls`)).value,
        faults: async (id) => (await ask(`/systems/${id}/faults`)).value,
        async behave(id, body) {
            const r = await ask(`/systems/${id}/behave`, body);
            if (r.status !== 200) throw new Error(r.value.error);
        },
        reset: (body = {}) => ask('/reset', body),
    };
}

let n = 0;
/** A reference as ours look: 26 characters. */
export const newRef = () => `01KLAB${String(++n).padStart(20, '0')}`;

/** Polls until fn answers something; a test that waits in vain fails with what. */
export async function eventually(fn, what, ms = 30000) {
    for (const end = Date.now() + ms; Date.now() < end;) {
        const v = await fn();
        if (v !== undefined && v !== false && v !== null) return v;
        await sleep(30);
    }
    throw new Error(`waited ${ms} ms in vain for ${what}`);
}
