/* SPDX-License-Identifier: Apache-2.0
 * What the transport tests talk to: the probe program, HTTP servers written on the spot, and a
 * private vsftpd. Databases and sshd are the lab's own starters.
 */
import { execFileSync, spawn } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { accountOf, endChild, isRoot, startChild } from '../lab/lab_procs.mjs';
import { freePort } from '../lib/ports.mjs';

const top = resolve(fileURLToPath(import.meta.url), '../../..');
const build = process.env.BUILD ?? join(top, 'build');

let binary;

/** The probe, brought up to date once. */
export function probeBinary() {
    if (binary !== undefined) return binary;
    const file = resolve(top, build, 'tests/transport_probe');
    /* several test files may want it at once: one builds, the others wait */
    execFileSync('flock', [join(build, 'transport_probe.lock'), 'make', '--no-print-directory', '-s', `BUILD=${build}`, join(build, 'tests/transport_probe')], { cwd: top, stdio: 'inherit' });
    binary = file;
    return file;
}

export function scratch(t) {
    const dir = mkdtempSync(join(tmpdir(), 'ym-transport-'));
    t.after(() => rmSync(dir, { recursive: true, force: true }));
    return dir;
}

/** One probe: send(wire) → facts, in order; what it writes to stderr is an error of the test. */
export class Probe {
    constructor(t, transport, site, env = {}) {
        this.dir = scratch(t);
        const file = join(this.dir, 'site.yaml');
        writeFileSync(file, site);
        this.child = spawn(probeBinary(), [transport, file], { stdio: 'pipe', env: { ...process.env, LSAN_OPTIONS: `suppressions=${join(top, 'tests/adapters/lsan.supp')}:print_suppressions=0`, ...env } });
        this.stderr = '';
        this.child.stderr.on('data', (d) => { this.stderr += d; });
        this.child.stdin.on('error', () => {});
        this.waiting = [];
        createInterface({ input: this.child.stdout }).on('line', (line) => this.waiting.shift()?.(JSON.parse(line)));
        this.ended = new Promise((done) => this.child.on('close', (code, signal) => {
            for (const w of this.waiting.splice(0)) w({ died: true, code, signal, stderr: this.stderr });
            done({ code, signal, stderr: this.stderr });
        }));
        t.after(() => this.close());
    }

    send(wire) {
        return new Promise((done) => {
            this.waiting.push(done);
            this.child.stdin.write(`${JSON.stringify(wire)}\n`);
        });
    }

    /** Ends it: exit code 0 and a clean stderr prove that no sanitizer or leak check complained. */
    async close() {
        this.child.stdin.end();
        return this.ended;
    }
}

/** A TCP door before a port: `on` sees each chunk to the server and may say 'cut' or 'hang'. */
export async function door(t, target, on = () => 'pass') {
    const sockets = new Set();
    const server = net.createServer((c) => {
        const s = net.connect(typeof target === 'string' ? { path: target } : { port: target, host: '127.0.0.1' });
        let open = true;
        sockets.add(c).add(s);
        for (const x of [c, s]) x.on('error', () => {}).on('close', () => { c.destroy(); s.destroy(); });
        c.on('data', (d) => {
            const what = open ? on(d) : 'hang';
            if (what === 'cut') {
                c.resetAndDestroy();
            } else if (what === 'hang') {
                open = false;
            } else if (what === 'swallow') { /* it arrives, the answer does not */
                open = false;
                s.write(d);
            } else {
                s.write(d);
            }
        });
        s.on('data', (d) => { if (open) c.write(d); });
    });
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    t.after(() => new Promise((done) => {
        for (const s of sockets) s.destroy();
        server.close(done);
    }));
    return server.address().port;
}

export { freePort };

/** vsftpd for the anonymous account, writing below <root>/in. Needs root, as vsftpd does. */
export async function startVsftpd(t) {
    if (!isRoot) throw new Error(`vsftpd can only be started by root`);
    const dir = mkdtempSync(join(tmpdir(), 'ym-vsftpd-'));
    const account = accountOf('ftp'), port = await freePort();
    execFileSync('chmod', ['755', dir]);
    for (const d of ['root', 'root/in', 'empty']) mkdirSync(join(dir, d), { mode: 0o755 });
    chownSync(join(dir, 'root/in'), account.uid, account.gid);
    const conf = join(dir, 'vsftpd.conf');
    writeFileSync(conf, [
        'listen=YES', 'listen_address=127.0.0.1', `listen_port=${port}`, 'background=NO', 'anonymous_enable=YES',
        'no_anon_password=YES', 'local_enable=NO', 'write_enable=YES', 'anon_upload_enable=YES', 'anon_mkdir_write_enable=YES',
        'anon_other_write_enable=YES', 'anon_world_readable_only=NO', 'anon_umask=022', `anon_root=${join(dir, 'root')}`,
        `secure_chroot_dir=${join(dir, 'empty')}`, 'pasv_address=127.0.0.1', 'seccomp_sandbox=NO', 'ftp_username=ftp', '',
    ].join('\n'));
    const child = startChild('/usr/sbin/vsftpd', [conf], { log: join(dir, 'log') });
    t.after(async () => {
        await endChild(child);
        rmSync(dir, { recursive: true, force: true });
    });
    for (let i = 0; ; i++) {
        const up = await new Promise((done) => {
            const c = net.connect(port, '127.0.0.1').on('connect', () => { c.destroy(); done(true); }).on('error', () => done(false));
        });
        if (up) break;
        if (i > 200 || child.exitCode !== null) throw new Error('vsftpd does not answer');
        await new Promise((done) => setTimeout(done, 25));
    }
    return { port, root: join(dir, 'root') };
}
