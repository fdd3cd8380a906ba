/* SPDX-License-Identifier: Apache-2.0
 * The lab's own rules against the published vectors: check digits, code tables, CSV.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkField, codes, csvRows, isCreditCode, isIdCard, isPhone, loadTable, readable } from './lab_check.mjs';

const schemes = { gb11643: (v) => isIdCard(v.toUpperCase()), gb32100: isCreditCode, phone: isPhone };

for (const v of loadTable('test-vectors').filter((x) => schemes[x.scheme] !== undefined)) {
    test(`vector ${v.id} is ${v.expected}`, () => {
        assert.equal(schemes[v.scheme](JSON.parse(v.inputs_json).value), v.expected === 'valid');
    });
}

test('code tables have the sizes of their sources', () => {
    assert.equal(codes.zz16.size, 79);
    assert.equal(codes.moj18.size, 18);
    assert.equal(codes.legacy24.size, 25);
    assert.equal(codes.odr.size, 34);
    assert.equal(codes.methods.size, 15);
});

test('lengths are counted in characters, not in bytes or UTF-16 units', () => {
    const s = { n: 'x', zh: '甲', max: 3 };
    assert.equal(checkField(s, '甲乙丙'), null);
    assert.equal(checkField(s, '𠮷𠮷𠮷'), null);
    assert.equal(checkField(s, '甲乙丙丁').reason, '超过3个字');
});

test('blanks are not forgiven: a code with a blank is another code', () => {
    assert.equal(checkField({ n: 'x', zh: '甲', codes: codes.odr }, '物业纠纷 ').reason, '代码不存在');
});

test('csvRows reads quotes, line breaks and empty cells, and refuses a broken quote', () => {
    assert.deepEqual(csvRows('a,"b ""q""\r\nc",\r\n,,\n'), [['a', 'b "q"\r\nc', ''], ['', '', '']]);
    assert.throws(() => csvRows('a,"b'), /引号/);
    assert.throws(() => csvRows('"a"b'), /引号/);
});

test('readable shows labels beside codes', () => {
    assert.deepEqual(readable([{ n: 't', zh: '类型', codes: codes.moj18 }, { n: 'u', zh: '空' }], { t: '2', u: '' }), { 类型: '2 邻里纠纷' });
});
