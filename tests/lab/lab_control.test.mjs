/* SPDX-License-Identifier: Apache-2.0
 * The lab as a program: lab.json, its control API, and that nothing stays behind when it stops.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { SYSTEMS } from './lab.mjs';
import { modesOf } from './lab_control.mjs';
import { eventually } from './lab_client.mjs';

const LAB = join(import.meta.dirname, 'lab.mjs');
const dir = mkdtempSync(join(tmpdir(), 'yimen-lab-'));
after(() => rmSync(dir, { recursive: true, force: true }));

function run(args) {
    const child = spawn(process.execPath, [LAB, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.out = '';
    child.stdout.on('data', (d) => { child.out += d; });
    child.stderr.on('data', (d) => { child.out += d; });
    child.ended = new Promise((done) => child.on('exit', (code, signal) => done({ code, signal })));
    return child;
}
/* Processes whose command line names the folder: what a lab has started. */
const leftovers = () => readdirSync('/proc').filter((p) => /^\d+$/.test(p) && Number(p) !== process.pid).filter((p) => {
    try {
        return readFileSync(`/proc/${p}/cmdline`, 'utf8').includes(dir);
    } catch {
        return false;
    }
});
const refused = (port) => new Promise((done) => {
    net.connect(port, '127.0.0.1').on('connect', function yes() { this.destroy(); done(false); }).on('error', () => done(true));
});

test('all nine start, answer and stop without leaving a process, a port or lab.json', { timeout: 120_000 }, async () => {
    const child = run(['--dir', dir]);
    await eventually(() => existsSync(join(dir, 'lab.json')), `lab.json\n${child.out}`, 60_000);
    const lab = JSON.parse(readFileSync(join(dir, 'lab.json'), 'utf8'));
    assert.equal(statSync(join(dir, 'lab.json')).mode & 0o077, 0, 'lab.json holds secrets');
    assert.deepEqual(Object.keys(lab.systems), SYSTEMS);
    for (const [id, s] of Object.entries(lab.systems)) if (id !== 'leader-board') assert.ok(s.endpoint && s.transport && s.secrets, id);
    assert.equal(lab.systems['leader-board'].transport, 'handoff');
    assert.equal(child.out.trim().split('\n').length, 1, child.out);

    const ask = async (path, body, method = 'POST') => {
        const r = await fetch(lab.control_url + path, body === undefined ? {} : { method, body: JSON.stringify(body) });
        return [r.status, await r.json()];
    };
    const [, list] = await ask('/systems');
    assert.deepEqual(list.map((s) => [s.id, s.records]), SYSTEMS.map((id) => [id, 0]));
    for (const id of SYSTEMS) {
        assert.deepEqual(await ask(`/systems/${id}/records`), [200, []]);
        for (const mode of modesOf(id)) assert.equal((await ask(`/systems/${id}/behave`, { mode, calls: 1, ms: 1 }))[0], 200, `${id} ${mode}`);
    }
    assert.equal((await ask('/reset', {}))[0], 200);
    assert.deepEqual((await ask('/systems'))[1].flatMap((s) => s.behaviours), []);
    const [, one] = await ask('/systems/zj-odr');
    assert.equal(one.secrets, undefined);
    assert.equal((await ask('/systems/zj-odr/behave', { mode: 'nonsense' }))[0], 400);
    assert.equal((await ask('/systems/zj-odr/behave', { mode: 'slow', calls: 0 }))[0], 400);
    assert.equal((await ask('/systems/gov-service/behave', { mode: 'captcha' }))[0], 400);
    assert.equal((await ask('/systems/nobody/records'))[0], 404);
    assert.equal((await ask('/systems/zj-odr/records', {}, 'DELETE'))[0], 405);

    child.kill('SIGTERM');
    assert.deepEqual(await child.ended, { code: 0, signal: null });
    assert.equal(existsSync(join(dir, 'lab.json')), false);
    await eventually(() => leftovers().length === 0, `processes to end: ${leftovers()}`);
    for (const s of Object.values(lab.systems)) if (s.endpoint) assert.ok(await refused(new URL(s.endpoint.replace(/^DRIVER.*PORT=(\d+).*$/, 'http://127.0.0.1:$1')).port), s.title);
});

test('a chosen few, ended by SIGINT', async () => {
    const child = run(['--dir', dir, '--systems', 'zj-odr,leader-board']);
    await eventually(() => existsSync(join(dir, 'lab.json')), 'lab.json');
    assert.deepEqual(Object.keys(JSON.parse(readFileSync(join(dir, 'lab.json'), 'utf8')).systems), ['zj-odr', 'leader-board']);
    child.kill('SIGINT');
    assert.equal((await child.ended).code, 0);
});

test('an unknown system or no folder is told and ends with an error', async () => {
    const a = run(['--dir', dir, '--systems', 'nope']);
    assert.equal((await a.ended).code, 1);
    assert.match(a.out, /unknown system: nope/);
    const b = run([]);
    assert.equal((await b.ended).code, 2);
});
