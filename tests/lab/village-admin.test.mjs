/* SPDX-License-Identifier: Apache-2.0
 * The file drop through OpenSSH's own sftp program.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import iconv from 'iconv-lite';
import { eventually, newRef, openLab } from './lab_client.mjs';

const ID = 'village-admin';
const lab = await openLab([ID]);
const site = lab.systems[ID];
const url = new URL(site.endpoint);
beforeEach(() => lab.reset());

function sftp(commands, key = site.connection.private_key) {
    return new Promise((resolve, reject) => {
        const p = execFile('sftp', ['-q', '-b', '-', '-i', key, '-P', url.port, '-o', `UserKnownHostsFile=${site.connection.known_hosts}`, '-o', 'IdentitiesOnly=yes',
            '-o', 'StrictHostKeyChecking=yes', '-F', 'none', `${site.connection.user}@127.0.0.1`], (err, out, errText) => (err ? reject(new Error(errText)) : resolve(out)));
        p.stdin.end(`cd ${url.pathname}\n${commands.join('\n')}\n`);
    });
}

const full = (ref, over = {}) => ({
    外部编号: ref, 版本号: '1', 操作: '新增', 标题: '测试甲,与"测试乙"的纠纷', 纠纷类别: '0201', 发生时间: '2026-03-01 09:00', 区划代码: '330106100201', 事件简述: '第一行\n第二行 㐀𠮷',
    申请人姓名: '测试甲', 申请人证件类型: '居民身份证', 申请人证件号码: '330106189003070015', 申请人性别: '男', 申请人电话: '13000000001', 被申请人姓名: '测试乙', 化解方式: '人民调解', ...over,
});
const cell = (v) => (/[",\r\n]/.test(v) ? `"${v.replaceAll('"', '""')}"` : v);
const csv = (...rows) => iconv.encode([Object.keys(rows[0]), ...rows.map((r) => Object.values(r))].map((r) => r.map(cell).join(',')).join('\r\n') + '\r\n', 'gb18030');

async function drop(name, bytes, steps = ['tmp', 'name', 'done']) {
    const local = join(lab.dir, 'up.csv'), empty = join(lab.dir, 'empty');
    writeFileSync(local, bytes);
    writeFileSync(empty, '');
    const all = { tmp: `put ${local} inbox/${name}.tmp`, name: `rename inbox/${name}.tmp inbox/${name}`, done: `put ${empty} inbox/${name}.done` };
    await sftp(steps.map((s) => all[s]));
}
async function ack(name) {
    const local = join(lab.dir, 'down.ack');
    const bytes = await eventually(async () => {
        const left = await sftp([`ls -1 inbox`]);
        if (left.includes(`${name}.done`)) return undefined;
        return sftp([`get ack/${name}.ack ${local}`]).then(() => readFileSync(local), () => undefined);
    }, `the ack of ${name}`);
    const text = iconv.decode(bytes, 'gb18030');
    return { text, bytes, ...Object.fromEntries(text.trim().split('\n').map((l) => [l.slice(0, l.indexOf('=')), l.slice(l.indexOf('=') + 1)])) };
}
async function deliver(name, row) {
    await drop(name, csv(row));
    return ack(name);
}

test('new, changed, withdrawn; the file moves to done', async () => {
    const ref = newRef();
    const made = await deliver(`YM_${ref}_1.csv`, full(ref));
    assert.deepEqual([made.status, made.revision], ['OK', '1']);
    assert.match(made.number, /^NC\d{10}$/);
    assert.equal((await deliver(`YM_${ref}_2.csv`, full(ref, { 版本号: '2', 操作: '更新', 案件编号: made.number, 标题: '改' }))).status, 'OK');
    assert.equal((await deliver(`YM_${ref}_3.csv`, { 外部编号: ref, 版本号: '3', 操作: '撤销', 案件编号: made.number })).status, 'OK');
    const [rec] = await lab.records(ID, ref);
    assert.deepEqual(rec.history.map((h) => [h.op, h.revision]), [['create', 1], ['update', 2], ['withdraw', 3]]);
    assert.equal(rec.fields.事件简述, '第一行\n第二行 㐀𠮷');
    assert.equal(rec.content.纠纷类别, '0201 用水排水通行通风采光');
    assert.match(await sftp(['ls -1 done']), new RegExp(`YM_${ref}_1\\.csv`));
    assert.doesNotMatch(await sftp(['ls -1 inbox']), /YM_/);
});

test('without the done-file nothing is taken', async () => {
    const ref = newRef(), name = `YM_${ref}_1.csv`;
    await drop(name, csv(full(ref)), ['tmp', 'name']);
    await sleep(350);
    assert.deepEqual(await lab.records(ID, ref), []);
    await drop(name, csv(full(ref)), ['done']);
    assert.equal((await ack(name)).status, 'OK');
});

test('the same reference again is refused with the number', async () => {
    const ref = newRef();
    const made = await deliver(`YM_${ref}_1.csv`, full(ref));
    const again = await deliver(`YM_${ref}_1.csv`, full(ref));
    assert.deepEqual([again.status, again.field, again.number], ['ERROR', '外部编号', made.number]);
    assert.equal((await lab.records(ID, ref)).length, 1);
});

for (const [field, value] of [['标题', ''], ['申请人电话', '0571-00000000'], ['纠纷类别', '02'], ['申请人证件号码', '330106189003070016'], ['区划代码', '330106'], ['发生时间', '2026-03-01'], ['化解方式', '调解'], ['操作', 'I']]) {
    test(`ack ERROR naming ${field}`, async () => {
        const ref = newRef();
        const r = await deliver(`YM_${ref}_1.csv`, full(ref, { [field]: value }));
        assert.deepEqual([r.status, r.field], ['ERROR', field]);
        assert.ok(r.message.length > 0);
        assert.deepEqual(await lab.records(ID, ref), []);
    });
}

test('UTF-8 bytes, a broken quote, a strange column and a bad name are format errors', async () => {
    const ref = newRef();
    await drop('a.csv', iconv.decode(csv(full(ref)), 'gb18030'));
    assert.equal((await ack('a.csv')).status, 'ERROR');
    await drop('b.csv', iconv.encode('外部编号,标题\r\n"x,y\r\n', 'gb18030'));
    assert.match((await ack('b.csv')).message, /^文件格式错误/);
    assert.equal((await deliver('c.csv', full(ref, { 多余: 'x' }))).field, '多余');
    await drop('d.txt', csv(full(ref)));
    assert.equal((await ack('d.txt')).status, 'ERROR');
    assert.deepEqual(await lab.records(ID), []);
});

test('a formula is a fault unless it is neutralised', async () => {
    const a = newRef(), b = newRef();
    await deliver(`YM_${a}_1.csv`, full(a, { 标题: "'=1+1" }));
    assert.equal((await lab.records(ID, a))[0].fields.标题, '=1+1');
    assert.deepEqual(await lab.faults(ID), []);
    await deliver(`YM_${b}_1.csv`, full(b, { 标题: '=1+1' }));
    assert.deepEqual((await lab.faults(ID)).map((f) => [f.what, f.column]), [['cell not neutralised', '标题']]);
});

test('a wrong key is not let in', async () => {
    const other = join(lab.dir, 'other');
    await new Promise((done, fail) => { execFile('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', other], (e) => (e ? fail(e) : done())); });
    await assert.rejects(sftp(['ls'], other), /Permission denied|Connection closed/);
});

test('down, late, busy, garbage and half an ack', async () => {
    await lab.behave(ID, { mode: 'down' });
    await assert.rejects(sftp(['ls']), /Connection refused|Connection closed/);
    await lab.reset();
    const a = newRef();
    await lab.behave(ID, { mode: 'ack_late', ms: 4000 });
    await drop(`YM_${a}_1.csv`, csv(full(a)));
    assert.deepEqual(await lab.records(ID, a), []);
    assert.equal((await ack(`YM_${a}_1.csv`)).status, 'OK');
    for (const [mode, stored] of [['ack_error', 0], ['ack_garbage', 1], ['ack_truncated', 1]]) {
        const ref = newRef();
        await lab.behave(ID, { mode, calls: 1 });
        const r = await deliver(`YM_${ref}_1.csv`, full(ref));
        assert.notEqual(r.status, 'OK', mode);
        assert.equal((await lab.records(ID, ref)).length, stored, mode);
    }
});
