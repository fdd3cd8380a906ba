/* SPDX-License-Identifier: Apache-2.0
 * A real sshd, SFTP only, one process for each connection (`sshd -i`): the listener is ours, so the
 * port is one the system hands out and the door can be shut. Runs as root or as who we are.
 */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isRoot, run } from './lab_procs.mjs';

async function key(dir, name, type) {
    const file = join(dir, name);
    rmSync(file, { force: true });
    await run('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', 'lab', '-f', file, ...(type === 'rsa' ? ['-b', '2048', '-m', 'PEM'] : [])]);
    return file;
}

/* sshd refuses an account whose password field begins with "!" unless PAM answers for it. */
function locked(user) {
    if (!isRoot) return false;
    const line = readFileSync('/etc/shadow', 'utf8').split('\n').find((l) => l.startsWith(`${user}:`));
    return line?.split(':')[1].startsWith('!') ?? false;
}

export class SftpDoor {
    constructor(store, dir, home) {
        this.store = store;
        this.dir = dir;
        this.home = home;
        this.user = userInfo().username;
        this.children = new Set();
        this.wantOpen = true;
        store.listeners.push((b) => {
            clearTimeout(this.timer);
            this.wantOpen = b.mode !== 'down';
            if (b.mode === 'down' && b.ms > 0) this.timer = setTimeout(() => store.behave({ mode: 'normal' }), b.ms);
            this.changing = (this.changing ?? Promise.resolve()).then(() => this.#settle());
        });
    }

    async start() {
        const { dir, home, user } = this;
        const [host, hostRsa, client] = await Promise.all([key(dir, 'host_ed25519', 'ed25519'), key(dir, 'host_rsa', 'rsa'), key(dir, 'client_key', 'ed25519')]);
        writeFileSync(join(dir, 'authorized_keys'), readFileSync(`${client}.pub`), { mode: 0o600 });
        if (isRoot && !existsSync('/run/sshd')) mkdirSync('/run/sshd', { mode: 0o755 });
        this.config = join(dir, 'sshd_config');
        writeFileSync(this.config, [
            `HostKey ${host}`, `HostKey ${hostRsa}`, 'PidFile none', `AuthorizedKeysFile ${join(dir, 'authorized_keys')}`,
            'PasswordAuthentication no', 'KbdInteractiveAuthentication no', 'PermitRootLogin prohibit-password', 'StrictModes no',
            `UsePAM ${locked(user) ? 'yes' : 'no'}`, `AllowUsers ${user}`, 'UseDNS no', 'AllowTcpForwarding no', 'X11Forwarding no',
            'PermitTTY no', 'LoginGraceTime 30', 'LogLevel INFO', 'Subsystem sftp internal-sftp', `ForceCommand internal-sftp -d ${home}`, '',
        ].join('\n'));
        await run('/usr/sbin/sshd', ['-t', '-f', this.config]);
        await this.#listen(0);
        this.port = this.server.address().port;
        const known = [host, hostRsa].map((k) => `[127.0.0.1]:${this.port} ${readFileSync(`${k}.pub`, 'utf8').split(' ').slice(0, 2).join(' ')}\n`);
        writeFileSync(join(dir, 'known_hosts'), known.join(''));
        return { private_key: client, public_key: `${client}.pub`, known_hosts: join(dir, 'known_hosts'), user };
    }

    #listen(port) {
        this.server = net.createServer({ pauseOnConnect: true, noDelay: true }, (s) => this.#serve(s));
        return new Promise((resolve, reject) => {
            this.server.once('error', reject);
            this.server.listen(port, '127.0.0.1', 511, resolve);
        });
    }

    #serve(socket) {
        socket.on('error', () => {});
        const log = openSync(join(this.dir, 'sshd.log'), 'a');
        const child = spawn('/usr/sbin/sshd', ['-i', '-e', '-f', this.config], { stdio: [socket, socket, log], detached: true });
        closeSync(log);
        this.children.add(child);
        child.on('error', (err) => this.store.fault('lab', { message: err.message }));
        child.on('exit', () => this.children.delete(child));
        socket.destroy();
    }

    async #close() {
        const server = this.server;
        this.server = undefined;
        for (const c of this.children) {
            try { process.kill(-c.pid, 'SIGTERM'); } catch { /* it has just ended */ }
        }
        if (server !== undefined) await new Promise((done) => server.close(done));
        for (let i = 0; i < 60 && this.children.size > 0; i++) await sleep(50);
        for (const c of this.children) {
            try { process.kill(-c.pid, 'SIGKILL'); } catch { /* it has just ended */ }
        }
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

    async stop() {
        this.wantOpen = false;
        clearTimeout(this.timer);
        await this.#close();
    }
}
