#!/usr/bin/env node
/* SPDX-License-Identifier: Apache-2.0
 * Starts the simulated platforms: node tests/lab/lab.mjs --dir DIR [--systems a,b] [--sql mariadb|postgres]
 * Ready when DIR/lab.json is there; stops everything it started on SIGTERM and SIGINT.
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { startControl } from './lab_control.mjs';

export const SYSTEMS = ['zj-odr', 'people-mediation', 'grid-platform', 'hotline-12345', 'data-commons',
    'gov-service', 'village-admin', 'patrol-app', 'leader-board'];

/** Answers {control_url, systems, stores, stop()}; on failure everything started is stopped again. */
export async function startLab({ dir, systems = SYSTEMS, sql = 'mariadb' }) {
    const unknown = systems.filter((id) => !SYSTEMS.includes(id));
    if (unknown.length > 0) throw new Error(`unknown system: ${unknown.join(', ')}; known: ${SYSTEMS.join(' ')}`);
    if (!['mariadb', 'postgres'].includes(sql)) throw new Error(`--sql is mariadb or postgres, not ${sql}`);
    const base = resolve(dir);
    mkdirSync(base, { recursive: true });
    const running = {};
    let control;
    const stop = async () => {
        control?.server.closeAllConnections();
        control?.server.close();
        rmSync(join(base, 'lab.json'), { force: true });
        await Promise.allSettled(Object.values(running).map((s) => s.stop()));
    };
    try {
        const started = await Promise.allSettled(systems.map(async (id) => {
            const { start } = await import(`./${id}.mjs`);
            const home = join(base, id);
            mkdirSync(home, { recursive: true });
            running[id] = await start({ dir: home, sql });
        }));
        const failed = started.find((r) => r.status === 'rejected');
        if (failed !== undefined) throw failed.reason;
        const ordered = Object.fromEntries(systems.map((id) => [id, running[id]]));
        control = await startControl(ordered);
        const sites = Object.fromEntries(systems.map((id) => [id, running[id].site]));
        const file = join(base, 'lab.json');
        const value = { control_url: control.url, pid: process.pid, systems: sites };
        writeFileSync(`${file}.tmp`, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
        renameSync(`${file}.tmp`, file);
        return { ...value, file, stores: Object.fromEntries(systems.map((id) => [id, running[id].store])), stop };
    } catch (err) {
        await stop();
        throw err;
    }
}

async function main() {
    const { values } = parseArgs({
        options: { dir: { type: 'string' }, systems: { type: 'string' }, sql: { type: 'string' }, help: { type: 'boolean' } },
    });
    if (values.help || values.dir === undefined) {
        console.error('usage: lab.mjs --dir DIR [--systems a,b] [--sql mariadb|postgres]');
        return values.help ? 0 : 2;
    }
    let wake;
    const asked = new Promise((done) => { wake = done; });
    process.on('SIGTERM', wake);
    process.on('SIGINT', wake);
    const lab = await startLab({ dir: values.dir, systems: values.systems?.split(','), sql: values.sql });
    console.log(`lab ready: ${Object.keys(lab.systems).length} systems, control ${lab.control_url}, ${lab.file}`);
    await asked;
    await lab.stop();
    return 0;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(resolve(process.argv[1])).href) {
    main().then((code) => process.exit(code), (err) => {
        console.error(`lab: ${err.message}`);
        process.exit(1);
    });
}
