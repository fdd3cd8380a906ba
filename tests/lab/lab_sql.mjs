/* SPDX-License-Identifier: Apache-2.0
 * A private MariaDB or PostgreSQL on a unix socket, and the TCP door in front of it: a proxy that
 * knows a COMMIT when it sees one, so that connections can be lost before or after it.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { accountOf, endChild, isExecutable, isRoot, reachable, run, shortDir, startChild, untilReady } from './lab_procs.mjs';

const secret = () => randomBytes(18).toString('base64url');

function own(dir, account) {
    mkdirSync(dir, { recursive: true });
    chmodSync(dir, 0o700);
    if (account.uid !== undefined) chownSync(dir, account.uid, account.gid);
    return dir;
}

function find(name, folders) {
    const file = folders.map((f) => join(f, name)).find(isExecutable);
    if (file === undefined) throw new Error(`${name} not found in ${folders.join(' ')}`);
    return file;
}

/* {kind, socket, query(sql, params), connect(), stop()}; query runs as the administrator. */
async function startMariadb(dir) {
    const { default: mysql } = await import('mysql2/promise');
    const account = isRoot ? accountOf('mysql') : {};
    const short = shortDir(account);
    const home = isRoot && !reachable(dir) ? short : dir;
    const data = own(join(home, 'mariadb'), account), log = join(dir, 'mariadb.log'), socket = join(short, 'my.sock');
    const password = secret();
    const folders = ['/usr/sbin', '/usr/bin', '/usr/local/sbin', '/usr/local/bin'];
    rmSync(data, { recursive: true, force: true });
    own(data, account);
    await run(find('mariadb-install-db', folders), ['--no-defaults', `--datadir=${data}`, '--skip-test-db', '--skip-name-resolve', '--force',
        '--auth-root-authentication-method=normal'], { ...account, cwd: short });
    const init = join(short, 'init.sql');
    writeFileSync(init, `ALTER USER root@localhost IDENTIFIED BY '${password}';\n`, { mode: 0o600 });
    if (account.uid !== undefined) chownSync(init, account.uid, account.gid);
    const child = startChild(find('mariadbd', folders), ['--no-defaults', `--datadir=${data}`, `--socket=${socket}`,
        `--pid-file=${join(short, 'my.pid')}`, '--skip-networking', '--skip-ssl', '--skip-log-bin', `--init-file=${init}`,
        '--innodb-buffer-pool-size=32M', '--innodb-flush-log-at-trx-commit=2', '--character-set-server=utf8mb4',
        '--performance-schema=OFF', '--default-time-zone=+08:00', '--max-connections=200', '--lock-wait-timeout=3600'], { ...account, log, cwd: short });
    const connect = () => mysql.createConnection({
        socketPath: socket, user: 'root', password, dateStrings: true, supportBigNumbers: true, bigNumberStrings: true, charset: 'utf8mb4',
    });
    const admin = await untilReady(connect, child, log);
    await admin.query('CREATE DATABASE IF NOT EXISTS qzk CHARACTER SET utf8mb4');
    await admin.query('USE qzk');
    return {
        kind: 'mariadb', socket,
        async query(sql, params = []) { return (await admin.query(sql, params))[0]; },
        async connect() {
            const c = await connect();
            await c.query('USE qzk');
            return { query: async (sql, params = []) => (await c.query(sql, params))[0], end: () => c.destroy() };
        },
        async stop() {
            admin.destroy();
            await endChild(child);
            rmSync(short, { recursive: true, force: true });
        },
    };
}

async function startPostgres(dir) {
    const { default: pg } = await import('pg');
    const account = isRoot ? accountOf('postgres') : {};
    const short = shortDir(account);
    const home = isRoot && !reachable(dir) ? short : dir;
    const data = own(join(home, 'postgres'), account), log = join(dir, 'postgres.log');
    const base = '/usr/lib/postgresql';
    const bin = existsSync(base) ? readdirSync(base).sort((a, b) => b - a).map((v) => join(base, v, 'bin')) : [];
    const password = secret(), file = join(short, 'pw');
    writeFileSync(file, password, { mode: 0o600 });
    if (account.uid !== undefined) chownSync(file, account.uid, account.gid);
    rmSync(data, { recursive: true, force: true });
    own(data, account);
    await run(find('initdb', bin), ['-D', data, '-U', 'lab', '-A', 'scram-sha-256', `--pwfile=${file}`, '-E', 'UTF8', '--locale=C', '--no-sync'], { ...account, cwd: short });
    const child = startChild(find('postgres', bin), ['-D', data, '-k', short, '-p', '5432', '-c', 'listen_addresses=',
        '-c', 'fsync=off', '-c', 'timezone=Asia/Shanghai', '-c', 'max_connections=200'], { ...account, log, cwd: short });
    pg.types.setTypeParser(1114, (v) => v);
    const connect = async (database) => {
        const c = new pg.Client({ host: short, port: 5432, user: 'lab', password, database });
        c.on('error', () => {});
        await c.connect();
        return c;
    };
    const first = await untilReady(() => connect('postgres'), child, log);
    await first.query('CREATE DATABASE qzk');
    await first.end();
    const admin = await connect('qzk');
    const ask = (c) => async (sql, params = []) => {
        let n = 0;
        return (await c.query(sql.replaceAll('?', () => `$${++n}`), params)).rows;
    };
    return {
        kind: 'postgres', socket: join(short, '.s.PGSQL.5432'), query: ask(admin),
        async connect() {
            const c = await connect('qzk');
            return { query: ask(c), end: () => c.end().catch(() => {}) };
        },
        async stop() {
            await admin.end().catch(() => {});
            await endChild(child, 'SIGINT');
            rmSync(short, { recursive: true, force: true });
        },
    };
}

export const startSql = (kind, dir) => (kind === 'postgres' ? startPostgres(dir) : startMariadb(dir));

/* COM_QUERY of MariaDB, simple query or parse of PostgreSQL. */
const isCommit = (chunk) => /^(?:[^]{4}\x03|Q[^]{4}|P[^]{4}[^\x00]*\x00)COMMIT/i.test(chunk.subarray(0, 64).toString('latin1'));

/** TCP on a port the system hands out → the database's socket, with what `store` was told. */
export class SqlDoor {
    constructor(store, socketPath) {
        this.store = store;
        this.path = socketPath;
        this.pairs = new Set();
        this.wantOpen = true;
        store.listeners.push((b) => {
            clearTimeout(this.timer);
            this.wantOpen = b.mode !== 'down';
            if (b.mode === 'down' && b.ms > 0) this.timer = setTimeout(() => store.behave({ mode: 'normal' }), b.ms);
            this.changing = (this.changing ?? Promise.resolve()).then(() => this.#settle());
        });
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
        this.server = net.createServer({ noDelay: true }, (c) => this.#pair(c));
        return new Promise((resolve, reject) => {
            this.server.once('error', reject);
            this.server.listen(port, '127.0.0.1', resolve);
        });
    }

    #close() {
        for (const end of this.pairs) end();
        const server = this.server;
        this.server = undefined;
        return server === undefined ? undefined : new Promise((done) => server.close(done));
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

    #pair(client) {
        const db = net.connect(this.path);
        const end = () => {
            this.pairs.delete(end);
            client.resetAndDestroy();
            db.destroy();
        };
        const state = { answer: 'pass' };
        this.pairs.add(end);
        client.on('error', end).on('close', end);
        db.on('error', end).on('close', end);
        db.on('data', (chunk) => {
            if (state.answer === 'cut') end();
            else if (state.answer === 'pass') client.write(chunk);
        });
        let queue = Promise.resolve();
        client.on('data', (chunk) => { queue = queue.then(() => this.#forward(chunk, client, db, state, end)); });
    }

    async #forward(chunk, client, db, state, end) {
        const commit = isCommit(chunk);
        const mis = commit ? this.store.take('create', undefined, ['cut_before', 'cut_after', 'answer_lost', 'slow']) : undefined;
        if (commit) this.store.log({ op: 'commit', mode: mis?.mode, outcome: 'forwarded' });
        switch (mis?.mode) {
        case 'cut_before':
            end();
            return;
        case 'cut_after':
            state.answer = 'cut';
            break;
        case 'answer_lost':
            state.answer = 'swallow';
            break;
        case 'slow':
            await sleep(mis.ms ?? 1000);
            break;
        default:
            break;
        }
        if (!db.destroyed) db.write(chunk);
    }
}
