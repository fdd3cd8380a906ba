/* SPDX-License-Identifier: Apache-2.0
 * The staging database through ordinary SQL clients, on MariaDB and on PostgreSQL alike.
 */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { loadTable } from './lab_check.mjs';
import { eventually, newRef, openLab } from './lab_client.mjs';

const ID = 'gov-service';
const clients = {
    async mariadb({ site }) {
        const c = await mysql.createConnection({ host: site.host, port: site.port, user: site.user, password: site.secrets.password, database: site.database, dateStrings: true });
        c.on('error', () => {});
        return { query: async (s, p = []) => (await c.query(s, p))[0], end: () => c.destroy() };
    },
    async postgres({ site }) {
        const c = new pg.Client({ host: site.host, port: site.port, user: site.user, password: site.secrets.password, database: site.database });
        c.on('error', () => {});
        await c.connect();
        return { query: async (s, p = []) => { let n = 0; return (await c.query(s.replaceAll('?', () => `$${++n}`), p)).rows; }, end: () => c.end().catch(() => {}) };
    },
};

let id = 0;
const row = (ref, revision, over = {}) => ({
    id: ++id, accept_date: '2026-03-01 09:00:00', apply_date: '2026-03-01 08:00:00', apply_type: '2', applyer_name: '测试甲', applyer_page_code: '330106189003070015', applyer_page_type: '111',
    applyer_type: '1', catalog_code: '000112002000', cd_batch: ref, cd_operation: 'I', cd_time: '2026-03-01 09:00:01', data_source: '1', org_code: '91000000MA00000157', org_name: '示例镇人民政府',
    project_name: '漏水 \'纠纷\' "x" \\ 𠮷', project_no: ref, project_type: '1', row_guid: `${ref}-${revision}`, task_code: '330106100000MA', task_name: '矛盾纠纷调解申请', task_version: 1, ...over,
});
const insert = (c, r, table = 'up_pro_accept') => c.query(`INSERT INTO ${table} (${Object.keys(r).join(', ')}) VALUES (${Object.keys(r).map(() => '?').join(', ')})`, Object.values(r));
const SELECT = 'SELECT is_sync, accept_doc_no, sync_error, update_time FROM up_pro_accept WHERE row_guid = ?';

for (const sql of ['mariadb', 'postgres']) {
    const lab = await openLab([ID], { sql });
    const site = lab.systems[ID];
    const connect = () => clients[sql]({ site });
    const judged = (c, guid) => eventually(async () => { const [r] = await c.query(SELECT, [guid]); return r?.is_sync !== '0' && r; }, `row ${guid}`);

    describe(sql, () => {
        beforeEach(() => lab.reset());

        test('the five tables have exactly the published columns, and four of ours', async () => {
            const c = await connect();
            for (const table of new Set(loadTable('staging-tables').map((r) => r.table))) {
                const want = loadTable('staging-tables').filter((r) => r.table === table);
                const have = await c.query('SELECT column_name AS name, is_nullable AS nullable, character_maximum_length AS length FROM information_schema.columns WHERE table_name = ? ORDER BY ordinal_position', [table]);
                assert.deepEqual(have.map((h) => h.name), [...want.map((w) => w.column), 'is_sync', 'update_time', 'sync_error', 'sync_seq']);
                for (const w of want) {
                    const h = have.find((x) => x.name === w.column);
                    assert.equal(h.nullable, w.nullable === 'yes' ? 'YES' : 'NO', w.column);
                    const n = /varchar\((\d+)\)/.exec(w.type)?.[1];
                    if (n !== undefined) assert.equal(Number(h.length), Number(n), w.column);
                }
            }
            c.end();
        });

        test('a case is taken in order of arrival, corrected by a new row, deleted by another', async () => {
            const c = await connect(), ref = newRef();
            await insert(c, row(ref, 1));
            const first = await judged(c, `${ref}-1`);
            assert.equal(first.is_sync, '1');
            assert.match(first.accept_doc_no, /^SL\d{10}$/);
            assert.ok(first.update_time);
            await insert(c, row(ref, 2, { cd_operation: 'U', applyer_name: '测试乙' }));
            assert.equal((await judged(c, `${ref}-2`)).accept_doc_no, first.accept_doc_no);
            await insert(c, row(ref, 3, { cd_operation: 'D' }));
            await judged(c, `${ref}-3`);
            const [rec] = await lab.records(ID, ref);
            assert.deepEqual(rec.history.map((h) => [h.op, h.revision]), [['create', 1], ['update', 2], ['withdraw', 3]]);
            assert.equal(rec.fields.project_name, row(ref, 1).project_name);
            assert.equal(rec.content.申请人证件类型, '111 居民身份证');
            assert.deepEqual(await lab.faults(ID), []);
            c.end();
        });

        test('refusals: natural key, unknown case, codes, identity; each names its column', async () => {
            const c = await connect(), ref = newRef();
            await insert(c, row(ref, 1));
            const { accept_doc_no: number } = await judged(c, `${ref}-1`);
            await insert(c, row(ref, 2));
            assert.deepEqual([(await judged(c, `${ref}-2`))].map((r) => [r.is_sync, r.accept_doc_no, r.sync_error])[0], ['2', number, 'project_no 已存在']);
            for (const [column, over] of [['project_no', { cd_operation: 'U' }], ['apply_type', { apply_type: '9' }], ['org_code', { org_code: '910000000000000000' }], ['applyer_page_code', { applyer_page_code: '330106189003070016' }],
                ['cd_operation', { cd_operation: 'X' }], ['contact_mobile', { contact_mobile: '12345678901' }], ['catalog_code', { catalog_code: '1' }]]) {
                const other = newRef();
                await insert(c, row(other, 1, over));
                const r = await judged(c, `${other}-1`);
                assert.deepEqual([r.is_sync, r.sync_error.split(' ')[0]], ['2', column]);
                assert.deepEqual(await lab.records(ID, other), []);
            }
            c.end();
        });

        test('the database itself refuses a missing column, a long value, a second row_guid, DDL and DELETE', async () => {
            const c = await connect(), ref = newRef();
            await assert.rejects(insert(c, row(ref, 1, { applyer_name: null })));
            await assert.rejects(insert(c, row(ref, 1, { contact_mobile: '130000000012' })));
            await insert(c, row(ref, 1));
            await assert.rejects(insert(c, row(ref, 1)));
            await assert.rejects(c.query('DELETE FROM up_pro_accept'));
            await assert.rejects(c.query('DROP TABLE up_pro_result'));
            c.end();
        });

        test('changing a row that was taken is a fault', async () => {
            const c = await connect(), ref = newRef();
            await insert(c, row(ref, 1));
            await judged(c, `${ref}-1`);
            await c.query('UPDATE up_pro_accept SET address = ? WHERE row_guid = ?', ['改', `${ref}-1`]);
            assert.deepEqual((await lab.faults(ID)).map((f) => [f.what, f.row_guid]), [['taken row changed', `${ref}-1`]]);
            c.end();
        });

        test('a result row belongs to its case', async () => {
            const c = await connect(), ref = newRef();
            await insert(c, { id: ++id, cd_batch: ref, cd_operation: 'I', cd_time: '2026-03-01 10:00:00', data_source: '1', is_delivery_results: '0', project_no: ref, result_date: '2026-03-01 10:00:00', result_type: '1', row_guid: `${ref}-r1` }, 'up_pro_result');
            await insert(c, row(ref, 1));
            await eventually(async () => (await lab.records(ID, ref))[0]?.parts?.up_pro_result?.length === 1, 'the result row');
            c.end();
        });

        test('cut_before leaves nothing, cut_after leaves the row, answer_lost too', async () => {
            for (const [mode, stored] of [['cut_before', 0], ['cut_after', 1], ['answer_lost', 1]]) {
                const c = await connect(), ref = newRef();
                await lab.behave(ID, { mode, calls: 1 });
                await c.query('BEGIN');
                await insert(c, row(ref, 1));
                const how = await Promise.race([c.query('COMMIT').then(() => 'ok', () => 'lost'), sleep(mode === 'answer_lost' ? 300 : 10_000, 'silent')]);
                assert.equal(how, mode === 'answer_lost' ? 'silent' : 'lost', mode);
                if (stored) await eventually(async () => (await lab.records(ID, ref)).length === stored, mode);
                await sleep(250);
                assert.equal((await lab.records(ID, ref)).length, stored, mode);
                c.end();
            }
        });

        test('down refuses connections, lock makes a writer wait, ack_late and reject', async () => {
            await lab.behave(ID, { mode: 'down' });
            await assert.rejects(connect());
            await lab.reset();
            const c = await connect();
            await lab.behave(ID, { mode: 'lock', ms: 1500 });
            const begun = Date.now();
            const a = newRef();
            await insert(c, row(a, 1));
            assert.ok(Date.now() - begun >= 200, 'the insert did not wait');
            await lab.behave(ID, { mode: 'ack_late', ms: 3000 });
            const b = newRef();
            await insert(c, row(b, 1));
            await sleep(250);
            assert.equal((await c.query(SELECT, [`${b}-1`]))[0].is_sync, '0');
            await judged(c, `${b}-1`);
            await lab.behave(ID, { mode: 'reject', calls: 1, field: 'task_name' });
            const d = newRef();
            await insert(c, row(d, 1));
            assert.match((await judged(c, `${d}-1`)).sync_error, /^task_name /);
            c.end();
        });
    });
}
