/* SPDX-License-Identifier: Apache-2.0
 * Simulated 政务服务网 前置库 (staging database). From the domain reference: §3.10 and
 * staging-tables.csv the five tables, is_sync and update_time, cd_operation I/U/D, natural keys, a
 * taken row is never touched. is_sync 2, sync_error, sync_seq, the small code sets and reading our
 * reference and revision from row_guid are our own. The database is a real one.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkAll, checkIdentity, codes, loadTable, readable } from './lab_check.mjs';
import { SqlDoor, startSql } from './lab_sql.mjs';
import { Store } from './lab_store.mjs';

const COLUMNS = loadTable('staging-tables');
const TABLES = [...new Set(COLUMNS.map((c) => c.table))];
const OTHERS = TABLES.filter((t) => t !== 'up_pro_accept');
const ADDED = ['is_sync', 'update_time', 'sync_error', 'sync_seq'];
const PAGE_TYPES = new Map([...codes.idTypes, ['001', '统一社会信用代码']]);
const RULES = {
    apply_type: { codes: codes.set(['1', '网上'], ['2', '窗口']) },
    applyer_type: { codes: codes.set(['1', '自然人'], ['2', '法人'], ['3', '其他']) },
    applyer_page_type: { codes: PAGE_TYPES },
    catalog_code: { re: /^\d{12}$/ },
    cd_operation: { codes: codes.set(['I', '新增'], ['U', '更新'], ['D', '删除']) },
    org_code: { kind: 'credit' },
    project_type: { codes: codes.set(['1', '承诺件'], ['2', '即办件']) },
    data_source: { re: /^\d{1,3}$/ },
    task_code: { re: /^[0-9A-Za-z]{1,36}$/ },
    contact_mobile: { kind: 'mobile' },
    contact_type: { codes: codes.idTypes },
    zip_code: { re: /^\d{6}$/ },
};
const SPECS = COLUMNS.filter((c) => c.table === 'up_pro_accept')
    .map((c) => ({ n: c.column, zh: c.label_zh, req: c.nullable === 'no', ...RULES[c.column] }));
const PART = {
    up_pro_result: [
        { n: 'result_type', zh: '办结结果', req: true, codes: codes.set(['1', '办结'], ['2', '不予办理'], ['3', '撤回']) },
        { n: 'is_delivery_results', zh: '是否快递递送结果', req: true, codes: codes.same(['0', '1']) },
    ],
};

function ddl(kind, table) {
    const pg = kind === 'postgres';
    const type = (t) => (pg ? { datetime: 'timestamp(0)', longtext: 'text' }[t] ?? t : t);
    const cols = COLUMNS.filter((c) => c.table === table)
        .map((c) => `${c.column} ${type(c.type)} ${c.nullable === 'no' ? 'NOT NULL' : 'NULL'}`);
    cols.push("is_sync varchar(1) NOT NULL DEFAULT '0'", `update_time ${type('datetime')} NULL`, 'sync_error varchar(500) NULL',
        pg ? 'sync_seq bigint GENERATED ALWAYS AS IDENTITY' : 'sync_seq bigint NOT NULL AUTO_INCREMENT UNIQUE',
        'PRIMARY KEY (id)', 'UNIQUE (row_guid)');
    return `CREATE TABLE ${table} (${cols.join(', ')})${pg ? '' : ' ENGINE=InnoDB DEFAULT CHARSET=utf8mb4'}`;
}

/* A row that has left is_sync 0 belongs to the consumer: whoever changes it is written down. */
async function guard(db, table) {
    if (db.kind === 'postgres') {
        await db.query(`CREATE TRIGGER ${table}_taken BEFORE UPDATE OR DELETE ON ${table} FOR EACH ROW EXECUTE FUNCTION lab_taken()`);
        return;
    }
    for (const what of ['UPDATE', 'DELETE']) {
        await db.query(`CREATE TRIGGER ${table}_${what.toLowerCase()} BEFORE ${what} ON ${table} FOR EACH ROW `
            + `BEGIN IF OLD.is_sync <> '0' AND @lab_reset IS NULL THEN INSERT INTO lab_fault (tbl, guid, what) VALUES ('${table}', OLD.row_guid, '${what}'); END IF; END`);
    }
}

async function build(db, password) {
    const pg = db.kind === 'postgres';
    await db.query(`CREATE TABLE lab_fault (n ${pg ? 'bigint GENERATED ALWAYS AS IDENTITY' : 'bigint NOT NULL AUTO_INCREMENT'} PRIMARY KEY, tbl varchar(64), guid varchar(50), what varchar(10))`);
    if (pg) {
        await db.query('CREATE FUNCTION lab_taken() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN '
            + "IF OLD.is_sync <> '0' THEN INSERT INTO lab_fault (tbl, guid, what) VALUES (TG_TABLE_NAME, OLD.row_guid, TG_OP); END IF; "
            + "IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$");
    }
    for (const t of TABLES) {
        await db.query(ddl(db.kind, t));
        await guard(db, t);
    }
    if (pg) await db.query(`CREATE USER yimen PASSWORD '${password}'`);
    else await db.query(`CREATE USER yimen@localhost IDENTIFIED BY '${password}'`);
    for (const t of TABLES) await db.query(`GRANT SELECT, INSERT, UPDATE ON ${t} TO ${pg ? 'yimen' : 'yimen@localhost'}`);
}

const text = (row) => Object.fromEntries(Object.entries(row).filter(([k, v]) => v !== null && !ADDED.includes(k)).map(([k, v]) => [k, String(v)]));

class Consumer {
    constructor(store, db, conn) {
        this.store = store;
        this.db = db;
        this.conn = conn;
        this.byProject = new Map();
        this.done = new Map();
        this.faultsRead = 0;
        store.listeners.push((b) => this.#told(b));
    }

    start() {
        this.running = true;
        this.loop = (async () => {
            while (this.running) {
                try {
                    await this.turn();
                } catch (err) {
                    if (this.running) this.store.fault('lab', { message: err.message });
                }
                await sleep(100);
            }
        })();
    }

    async stop() {
        this.running = false;
        await this.unlock();
        await this.loop;
        await this.conn.end();
    }

    #told(b) {
        this.lateUntil = b.mode === 'ack_late' ? Date.now() + (b.ms ?? 3600_000) : 0;
        this.locking = (this.locking ?? Promise.resolve()).then(() => this.unlock()).then(() => (b.mode === 'lock' ? this.lock(b.ms) : undefined));
    }

    async lock(ms) {
        const c = await this.db.connect();
        if (this.db.kind === 'postgres') {
            await c.query('BEGIN');
            await c.query('LOCK TABLE up_pro_accept IN ACCESS EXCLUSIVE MODE');
        } else await c.query('LOCK TABLES up_pro_accept WRITE');
        this.locked = c;
        if (ms > 0) this.lockTimer = setTimeout(() => this.unlock(), ms);
    }

    async unlock() {
        clearTimeout(this.lockTimer);
        const c = this.locked;
        this.locked = undefined;
        await c?.end();
    }

    async turn() {
        if (Date.now() < (this.lateUntil ?? 0)) return;
        const rows = await this.conn.query("SELECT * FROM up_pro_accept WHERE is_sync = '0' ORDER BY sync_seq LIMIT 500");
        for (const row of rows) {
            const key = `${this.epoch ?? 0}/${row.sync_seq}`;
            if (!this.done.has(key)) this.done.set(key, this.#judge(text(row)));
            const r = this.done.get(key);
            await this.conn.query("UPDATE up_pro_accept SET is_sync = ?, accept_doc_no = ?, sync_error = ?, update_time = CURRENT_TIMESTAMP WHERE sync_seq = ? AND is_sync = '0'",
                [r.error === null ? '1' : '2', r.number, r.error, row.sync_seq]);
        }
        for (const t of OTHERS) await this.#part(t);
    }

    #judge(f) {
        const m = /^(.+)-(\d{1,9})$/.exec(f.row_guid);
        const ref = m?.[1] ?? f.project_no, revision = m?.[2];
        const op = { U: 'update', D: 'withdraw' }[f.cd_operation] ?? 'create';
        const mis = this.store.take(op, ref, ['reject']) ?? {};
        const rec = this.byProject.get(f.project_no);
        const out = (error, number = null) => {
            this.store.log({ op, ref, revision, mode: mis.mode, outcome: error === null ? `${op} taken` : `refused ${error.split(' ')[0]}` });
            return { error, number };
        };
        if (mis.mode === 'reject') return out(`${mis.field ?? 'applyer_name'} 不符合要求`, rec?.number ?? null);
        const p = checkAll(SPECS, f) ?? this.#identity(f);
        if (p !== null) return out(`${p.field} ${p.zh}${p.reason}`, rec?.number ?? null);
        const content = readable(SPECS, f);
        if (f.cd_operation === 'I') {
            if (rec !== undefined) return out('project_no 已存在', rec.number);
            const fresh = this.store.create(ref, revision, f, content);
            this.byProject.set(f.project_no, fresh);
            return out(null, fresh.number);
        }
        if (rec === undefined) return out('project_no 不存在');
        if (rec.status === 'withdrawn' && f.cd_operation === 'U') return out('project_no 已删除', rec.number);
        if (f.cd_operation === 'D') this.store.withdraw(rec, revision, '');
        else this.store.update(rec, revision, f, content);
        return out(null, rec.number);
    }

    #identity(f) {
        if (f.applyer_page_code === '-') return null;
        return checkIdentity(SPECS.find((s) => s.n === 'applyer_page_code'), f.applyer_page_type, f.applyer_page_code)
            ?? checkIdentity(SPECS.find((s) => s.n === 'contact_code'), f.contact_type, f.contact_code);
    }

    /* Process, result, material, special procedure: they belong to a case that must be known. */
    async #part(table) {
        for (const row of await this.conn.query(`SELECT * FROM ${table} WHERE is_sync = '0' ORDER BY sync_seq LIMIT 500`)) {
            const f = text(row);
            const rec = this.byProject.get(f.project_no);
            if (rec === undefined) continue;
            const p = checkAll(PART[table] ?? [], f);
            await this.conn.query(`UPDATE ${table} SET is_sync = ?, sync_error = ?, update_time = CURRENT_TIMESTAMP WHERE sync_seq = ? AND is_sync = '0'`,
                [p === null ? '1' : '2', p === null ? null : `${p.field} ${p.zh}${p.reason}`, row.sync_seq]);
            if (p !== null) continue;
            rec.parts ??= {};
            (rec.parts[table] ??= []).push(f);
        }
    }

    async readFaults() {
        const rows = await this.db.query('SELECT n, tbl, guid, what FROM lab_fault WHERE n > ? ORDER BY n', [this.faultsRead]);
        for (const r of rows) {
            this.faultsRead = Number(r.n);
            this.store.fault('taken row changed', { table: r.tbl, row_guid: r.guid, statement: r.what });
        }
    }

    async forget() {
        await this.unlock();
        const c = await this.db.connect();
        if (this.db.kind === 'mariadb') await c.query('SET @lab_reset = 1');
        for (const t of TABLES) await c.query(this.db.kind === 'postgres' ? `TRUNCATE ${t}` : `DELETE FROM ${t}`);
        await c.query('DELETE FROM lab_fault');
        await c.end();
        this.byProject.clear();
        this.done.clear();
        this.epoch = (this.epoch ?? 0) + 1;
    }
}

export async function start({ dir, sql }) {
    const store = new Store('gov-service', 'SL');
    const password = randomBytes(15).toString('base64url');
    const db = await startSql(sql, dir);
    try {
        await build(db, password);
        const consumer = new Consumer(store, db, await db.connect());
        const door = new SqlDoor(store, db.socket);
        const port = await door.start();
        consumer.start();
        const endpoint = sql === 'postgres'
            ? `DRIVER={PostgreSQL Unicode};SERVER=127.0.0.1;PORT=${port};DATABASE=qzk;UID=yimen;SSLMODE=disable`
            : `DRIVER={MariaDB Unicode};SERVER=127.0.0.1;PORT=${port};DATABASE=qzk;UID=yimen;SSLVERIFY=0`;
        return {
            store,
            refresh: () => consumer.readFaults(),
            settled: () => Promise.all([consumer.locking, door.changing]),
            beforeReset: async (body) => (body?.records === false ? undefined : consumer.forget()),
            async stop() {
                await consumer.stop();
                await door.stop();
                await db.stop();
            },
            site: {
                title: '浙江政务服务网(前置库)', transport: 'sql', endpoint, charset: 'utf-8', sql, host: '127.0.0.1', port, database: 'qzk', user: 'yimen',
                secrets: { password },
                vars: {
                    orgCode: '91000000MA00000157', orgName: '示例镇人民政府', taskCode: '330106100000MA0000000000000000000001',
                    catalogCode: '000112002000', taskName: '矛盾纠纷调解申请',
                },
            },
        };
    } catch (err) {
        await db.stop();
        throw err;
    }
}
