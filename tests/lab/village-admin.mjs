/* SPDX-License-Identifier: Apache-2.0
 * Simulated 农村基层政务管理系统: a file drop over SFTP, CSV in GB18030. From the domain reference:
 * §3.11 (unverified there) temporary name and rename, done-file, acknowledgement in ack/, cells that
 * begin with = + - @ neutralised; dispute-zz16, methods and sex labels. Columns, the ack's lines and
 * the names of the folders are our own; the sshd is a real one.
 */
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import iconv from 'iconv-lite';
import { checkAll, checkIdentity, codes, csvRows, readable } from './lab_check.mjs';
import { SftpDoor } from './lab_sftp.mjs';
import { Store } from './lab_store.mjs';

const OPS = { 新增: 'create', 更新: 'update', 撤销: 'withdraw' };
const KEY = [
    { n: '外部编号', req: true, max: 64 },
    { n: '版本号', req: true, kind: 'int' },
    { n: '操作', req: true, codes: codes.same(Object.keys(OPS)) },
    { n: '案件编号', max: 20 },
];
const person = (who) => [
    { n: `${who}姓名`, req: true, max: 80 },
    { n: `${who}证件类型`, codes: codes.idLabels },
    { n: `${who}证件号码`, max: 30 },
    { n: `${who}性别`, codes: codes.same(['男', '女']) },
    { n: `${who}电话`, max: 11, kind: 'digits' },
];
const SPECS = [
    ...KEY,
    { n: '标题', req: true, max: 100 },
    { n: '纠纷类别', req: true, codes: codes.zz16 },
    { n: '发生时间', req: true, kind: 'minute' },
    { n: '区划代码', req: true, kind: 'area12' },
    { n: '发生地点', max: 200 },
    { n: '事件简述', req: true, max: 2000 },
    ...person('申请人'),
    ...person('被申请人'),
    { n: '涉及人数', kind: 'int' },
    { n: '涉及金额', kind: 'money' },
    { n: '化解组织', max: 100 },
    { n: '调解员', max: 80 },
    { n: '化解方式', codes: codes.methods },
    { n: '化解结果', codes: codes.same(['成功', '不成功', '撤回', '转办', '未办结']) },
    { n: '化解情况', max: 2000 },
].map((s) => ({ ...s, zh: s.n }));
const NAME = /^[A-Za-z0-9_.-]{1,100}\.csv$/;

class Watcher {
    constructor(store, home) {
        this.store = store;
        this.home = home;
        this.lateUntil = 0;
        store.listeners.push((b) => {
            this.lateUntil = b.mode === 'ack_late' ? Date.now() + (b.ms ?? 3600_000) : 0;
        });
    }

    start() {
        this.running = true;
        this.loop = (async () => {
            while (this.running) {
                try {
                    this.turn();
                } catch (err) {
                    this.store.fault('lab', { message: err.message });
                }
                await sleep(100);
            }
        })();
    }

    async stop() {
        this.running = false;
        await this.loop;
    }

    path(...parts) {
        return join(this.home, ...parts);
    }

    turn() {
        if (Date.now() < this.lateUntil) return;
        const names = new Set(readdirSync(this.path('inbox')));
        const ready = [...names].filter((n) => n.endsWith('.done') && names.has(n.slice(0, -5))).map((n) => n.slice(0, -5));
        for (const name of ready.sort()) this.#take(name);
    }

    /* The order matters to whoever looks for the answer: ack, then the file away, then the mark. */
    #take(name) {
        const bytes = readFileSync(this.path('inbox', name));
        const acks = NAME.test(name) ? this.#import(bytes) : [{ status: 'ERROR', field: '', message: '文件名不符合要求' }];
        const { mis } = acks;
        const lines = acks.map((a) => Object.entries(a).filter(([, v]) => v !== undefined).map(([k, v]) => `${k}=${v}\n`).join('')).join('\n');
        let out = iconv.encode(lines, mis?.mode === 'wrong_charset' ? 'utf-8' : 'gb18030');
        if (mis?.mode === 'ack_garbage') out = Buffer.from([0, 0xff, 0xfe, 0x80, 0x0a, 0x3c]);
        if (mis?.mode === 'ack_truncated') out = out.subarray(0, out.length >> 1);
        writeFileSync(this.path('ack', `${name}.ack.tmp`), out);
        renameSync(this.path('ack', `${name}.ack.tmp`), this.path('ack', `${name}.ack`));
        renameSync(this.path('inbox', name), this.path('done', name));
        rmSync(this.path('inbox', `${name}.done`), { force: true });
    }

    #import(bytes) {
        let rows;
        try {
            rows = csvRows(new TextDecoder('gb18030', { fatal: true }).decode(bytes));
        } catch (err) {
            return [{ status: 'ERROR', field: '', message: `文件格式错误 ${err.message}` }];
        }
        const head = rows.shift() ?? [];
        const strange = head.find((h) => SPECS.every((s) => s.n !== h));
        if (strange !== undefined || new Set(head).size !== head.length) {
            return [{ status: 'ERROR', field: strange ?? '', message: '文件格式错误 列名不支持或重复' }];
        }
        if (rows.length === 0) return [{ status: 'ERROR', field: '', message: '文件格式错误 没有数据' }];
        const acks = [];
        for (const r of rows) {
            if (r.length !== head.length) {
                acks.push({ status: 'ERROR', field: '', message: '文件格式错误 列数不一致' });
                continue;
            }
            const f = Object.fromEntries(head.map((h, i) => [h, this.#plain(h, r[i])]).filter(([, v]) => v !== ''));
            const op = OPS[f.操作] ?? 'create';
            const mis = this.store.take(op, f.外部编号) ?? {};
            const ack = this.#row(f, op, mis);
            this.store.log({ op, ref: f.外部编号, revision: f.版本号, mode: mis.mode, outcome: ack.status === 'OK' ? `${op} taken` : `refused ${ack.field}` });
            acks.push(ack);
            acks.mis = mis;
        }
        return acks;
    }

    #plain(column, cell) {
        if (/^'[=+\-@]/.test(cell)) return cell.slice(1);
        if (/^[=+\-@]/.test(cell)) this.store.fault('cell not neutralised', { column });
        return cell;
    }

    #row(f, op, mis) {
        const rec = this.store.find(f.外部编号);
        const no = (field, message) => ({ number: rec?.number, revision: rec?.revision, status: 'ERROR', field, message });
        if (mis.mode === 'ack_error') return no('', '系统繁忙,请稍后再试');
        if (mis.mode === 'reject') return no(mis.field ?? '标题', '不符合要求');
        const p = checkAll(op === 'withdraw' ? KEY.map((s) => ({ ...s, zh: s.n })) : SPECS, f)
            ?? checkIdentity({ n: '申请人证件号码' }, f.申请人证件类型, f.申请人证件号码)
            ?? checkIdentity({ n: '被申请人证件号码' }, f.被申请人证件类型, f.被申请人证件号码);
        if (p !== null) return no(p.field, p.reason);
        const ok = (r) => {
            const shown = mis.mode === 'other_number' ? [...this.store.records.values()].find((x) => x !== r) ?? r : r;
            return { number: shown.number, revision: r.revision, status: 'OK' };
        };
        if (op === 'create') {
            if (rec !== undefined) return no('外部编号', '外部编号已存在');
            return ok(this.store.create(f.外部编号, f.版本号, f, readable(SPECS, f)));
        }
        if (rec === undefined || rec.number !== f.案件编号) return no('案件编号', '案件不存在');
        if (op === 'withdraw') {
            if (rec.status === 'open') this.store.withdraw(rec, f.版本号, '');
            return ok(rec);
        }
        if (rec.status !== 'open') return no('案件编号', '案件已撤销');
        return ok(this.store.update(rec, f.版本号, f, readable(SPECS, f)));
    }

    forget() {
        for (const d of ['inbox', 'ack', 'done']) {
            for (const n of readdirSync(this.path(d))) rmSync(this.path(d, n), { force: true });
        }
    }
}

export async function start({ dir }) {
    const store = new Store('village-admin', 'NC');
    const home = join(dir, 'drop');
    rmSync(home, { recursive: true, force: true });
    for (const d of ['inbox', 'ack', 'done']) mkdirSync(join(home, d), { recursive: true });
    const watcher = new Watcher(store, home);
    const door = new SftpDoor(store, dir, home);
    const connection = await door.start();
    watcher.start();
    return {
        store,
        beforeReset: async (body) => (body?.records === false ? undefined : watcher.forget()),
        settled: () => door.changing,
        async stop() {
            await door.stop();
            await watcher.stop();
        },
        site: {
            title: '农村基层政务管理系统', transport: 'file', endpoint: `sftp://${connection.user}@127.0.0.1:${door.port}${home}/`,
            charset: 'gb18030', secrets: {}, connection, vars: {}, dir: home,
        },
    };
}
