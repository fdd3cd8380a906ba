/* SPDX-License-Identifier: Apache-2.0
 * Children of the lab: started with the rights of a service account when we are root, ended by
 * their own process id (their group, when they fork).
 */
import { execFile, spawn } from 'node:child_process';
import { accessSync, chownSync, constants, mkdtempSync, openSync, closeSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/* If the lab dies of an error of its own, neither children nor folders must stay behind. */
const alive = new Set(), folders = new Set();
process.on('exit', () => {
    for (const c of alive) c.kill('SIGTERM');
    for (const d of folders) rmSync(d, { recursive: true, force: true });
});

export const isRoot = process.getuid?.() === 0;

/** {uid, gid} of a service account; {} when we are not root and so stay who we are. */
export function accountOf(user) {
    if (!isRoot) return {};
    const line = readFileSync('/etc/passwd', 'utf8').split('\n').find((l) => l.startsWith(`${user}:`));
    if (line === undefined) throw new Error(`no account ${user}: is its Debian package installed?`);
    const [, , uid, gid] = line.split(':');
    return { uid: Number(uid), gid: Number(gid) };
}

/** A short private folder (socket paths have 107 bytes), owned by the account. */
export function shortDir(account) {
    const dir = mkdtempSync(join(tmpdir(), 'ymlab-'));
    folders.add(dir);
    if (account.uid !== undefined) chownSync(dir, account.uid, account.gid);
    return dir;
}

/** Can another account walk to this folder? */
export function reachable(dir) {
    for (let d = dir; ; d = dirname(d)) {
        if (d !== dir && (statSync(d).mode & 0o001) === 0) return false;
        if (d === dirname(d)) return true;
    }
}

export function isExecutable(file) {
    try {
        accessSync(file, constants.X_OK);
        return true;
    } catch {
        return false;
    }
}

export function run(file, args, options = {}) {
    return new Promise((resolve, reject) => {
        execFile(file, args, { maxBuffer: 1 << 24, ...options }, (err, stdout, stderr) => {
            if (err) reject(new Error(`${file}: ${err.message}\n${stderr || stdout}`.slice(0, 2000)));
            else resolve(stdout);
        });
    });
}

export function startChild(file, args, { log, ...options }) {
    const fd = openSync(log, 'a');
    const child = spawn(file, args, { stdio: ['ignore', fd, fd], ...options });
    closeSync(fd);
    alive.add(child);
    child.once('exit', () => alive.delete(child));
    child.ended = new Promise((done) => {
        child.on('exit', (code, signal) => done({ code, signal }));
        child.on('error', (error) => done({ error }));
    });
    return child;
}

/** Asks with a signal; after ms insists. */
export async function endChild(child, signal = 'SIGTERM', ms = 10_000) {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    const late = await Promise.race([child.ended, sleep(ms, 'late', { ref: false })]);
    if (late === 'late') {
        child.kill('SIGKILL');
        await child.ended;
    }
}

/** Repeats fn until it does not throw; gives up when the child has ended or the time is over. */
export async function untilReady(fn, child, log, ms = 30_000) {
    const end = Date.now() + ms;
    for (;;) {
        try {
            return await fn();
        } catch (err) {
            if (child.exitCode !== null || Date.now() > end) {
                let tail = '';
                try { tail = readFileSync(log, 'utf8').slice(-1500); } catch { /* no log yet */ }
                throw new Error(`${child.spawnfile} does not answer: ${err.message}\n${tail}`);
            }
        }
        await sleep(50);
    }
}
