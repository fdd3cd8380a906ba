/* SPDX-License-Identifier: Apache-2.0
 * What the simulated platforms check their input with: code tables, check digits, field specs.
 * The tables are the lab's own copies, so that a wrong table in config/ shows as a refusal here.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const DATA = join(import.meta.dirname, 'data');

/** Rows of a CSV text as objects by the header row; RFC 4180 quoting, CRLF or LF. */
export function parseCsv(text) {
    const rows = csvRows(text);
    const head = rows.shift() ?? [];
    return rows.map((r) => Object.fromEntries(head.map((h, i) => [h, r[i] ?? ''])));
}

/** Throws on an unclosed quote and on text after a closing quote. */
export function csvRows(text) {
    const rows = [];
    let row = [], cell = '', i = 0, any = false;
    const endCell = () => { row.push(cell); cell = ''; };
    const endRow = () => { endCell(); rows.push(row); row = []; any = false; };
    while (i < text.length) {
        const c = text[i];
        if (c === '"' && cell === '') {
            any = true;
            for (i++; ; i++) {
                if (i >= text.length) throw new Error('引号未闭合');
                if (text[i] !== '"') { cell += text[i]; continue; }
                if (text[i + 1] !== '"') break;
                cell += '"';
                i++;
            }
            i++;
            if (i < text.length && !',\r\n'.includes(text[i])) throw new Error('引号后有多余字符');
            continue;
        }
        if (c === ',') { endCell(); any = true; }
        else if (c === '\n') endRow();
        else if (c !== '\r' || text[i + 1] !== '\n') { cell += c; any = true; }
        i++;
    }
    if (any || cell !== '' || row.length > 0) endRow();
    return rows;
}

export const loadTable = (name) => parseCsv(readFileSync(join(DATA, `${name}.csv`), 'utf8'));
const map = (rows, key, label = 'label_zh') => new Map(rows.map((r) => [r[key], r[label]]));
const same = (list) => new Map(list.map((l) => [l, l]));
const labels = (name) => same(loadTable(name).map((r) => r.label_zh));

export const codes = {
    zz16: map(loadTable('dispute-zz16').filter((r) => r.leaf === 'yes'), 'code'),
    moj18: map(loadTable('moj18'), 'no'),
    legacy24: map(loadTable('legacy24'), 'code'),
    odr: labels('odr-labels'),
    methods: labels('methods'),
    personTypes: labels('person-types'),
    ethnic: map(loadTable('ethnic-gbt3304'), 'code'),
    education: map(loadTable('education-gbt4658'), 'code'),
    idTypes: map(loadTable('id-types-gat517'), 'code'),
    sex: new Map([['0', '未知的性别'], ['1', '男'], ['2', '女'], ['9', '未说明的性别']]),
    sex12: new Map([['1', '男'], ['2', '女']]),
    sexLabel: same(['男', '女', '未知的性别', '未说明的性别']),
    scale: new Map([['01', '个体性事件'], ['02', '一般群体性事件'], ['03', '重大群体性事件']]),
    level: new Map([['01', '特别重大'], ['02', '重大'], ['03', '较大'], ['04', '一般']]),
    eventSource: same(['网格员巡查', '群众上报', '物联网感知', '上级指示']),
    idLabels: same(['居民身份证', '临时身份证', '户口簿', '出生医学证明', '法官证', '警官证', '检察官证',
        '律师证', '记者证', '工作证', '学生证', '统一社会信用代码']),
    set: (...pairs) => new Map(pairs),
    same,
};

const PROVINCES = new Set(('11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 '
    + '61 62 63 64 65 71 81 82').split(' '));
export const isArea = (v, lengths = [6, 9, 12]) =>
    /^\d+$/.test(v) && lengths.includes(v.length) && PROVINCES.has(v.slice(0, 2));

export function isDate(y, m, d) {
    const t = new Date(Date.UTC(+y, +m - 1, +d));
    t.setUTCFullYear(+y);
    return t.getUTCFullYear() === +y && t.getUTCMonth() === +m - 1 && t.getUTCDate() === +d;
}

/** GB 11643; the birth date is checked too. */
export function isIdCard(v) {
    if (!/^\d{17}[\dX]$/.test(v) || !isDate(v.slice(6, 10), v.slice(10, 12), v.slice(12, 14))) return false;
    const w = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    return '10X98765432'[w.reduce((s, x, i) => s + x * +v[i], 0) % 11] === v[17];
}

/** GB 32100. */
export function isCreditCode(v) {
    const a = '0123456789ABCDEFGHJKLMNPQRTUWXY';
    if (v.length !== 18 || [...v].some((c) => !a.includes(c))) return false;
    let sum = 0;
    for (let i = 0, w = 1; i < 17; i++, w = (w * 3) % 31) sum += a.indexOf(v[i]) * w;
    return a[(31 - (sum % 31)) % 31] === v[17];
}

export const isMobile = (v) => /^1[3-9]\d{9}$/.test(v);
export const isPhone = (v) => isMobile(v) || /^0\d{2,3}-?\d{7,8}$/.test(v);
const dateOf = (re) => (v) => { const m = re.exec(v); return m !== null && isDate(m[1], m[2], m[3]); };
const inRange = (lo, hi) => (v) => /^\d{1,3}(\.\d{1,8})?$/.test(v) && +v >= lo && +v <= hi;
const HMS = '([01]\\d|2[0-3]):[0-5]\\d';

const KINDS = {
    int: (v) => /^(0|[1-9]\d{0,8})$/.test(v),
    positive: (v) => /^[1-9]\d{0,4}$/.test(v),
    money: (v) => /^(0|[1-9]\d{0,11})\.\d{2}$/.test(v),
    digits: (v) => /^\d+$/.test(v),
    date: dateOf(/^(\d{4})-(\d\d)-(\d\d)$/),
    date8: dateOf(/^(\d{4})(\d\d)(\d\d)$/),
    minute: dateOf(new RegExp(`^(\\d{4})-(\\d\\d)-(\\d\\d) ${HMS}$`)),
    second: dateOf(new RegExp(`^(\\d{4})-(\\d\\d)-(\\d\\d) ${HMS}:[0-5]\\d$`)),
    area: (v) => isArea(v),
    area6: (v) => isArea(v, [6]),
    area12: (v) => isArea(v, [12]),
    areaOrg: (v) => isArea(v, [9, 12]),
    idcard: isIdCard,
    credit: isCreditCode,
    mobile: isMobile,
    phone: isPhone,
    lon: inRange(73, 136),
    lat: inRange(3, 54),
};

export const chars = (v) => [...v].length;

/**
 * One field spec: n wire name, zh label, req, max (characters), kind (KINDS), codes (Map), re.
 * Answers null or the first problem {field, zh, reason}. Absent and empty are the same thing here.
 */
export function checkField(s, value) {
    const v = value === undefined || value === null ? '' : String(value);
    const bad = (reason) => ({ field: s.n, zh: s.zh, reason });
    if (v === '') return s.req ? bad('不能为空') : null;
    if (s.max !== undefined && chars(v) > s.max) return bad(`超过${s.max}个字`);
    if (s.codes !== undefined && !s.codes.has(v)) return bad('代码不存在');
    if (s.kind !== undefined && !KINDS[s.kind](v)) return bad('格式错误');
    if (s.re !== undefined && !s.re.test(v)) return bad('格式错误');
    return null;
}

export function checkAll(specs, fields) {
    for (const s of specs) {
        const p = checkField(s, fields[s.n]);
        if (p !== null) return p;
    }
    return null;
}

/** An identity number against its type; typeName is a code or a label. */
export function checkIdentity(spec, typeName, number) {
    const bad = (reason) => ({ field: spec.n, zh: spec.zh, reason });
    if (!number) return null;
    if (!typeName) return bad('缺少证件类型');
    if (['111', '居民身份证'].includes(typeName) && !isIdCard(number)) return bad('身份证号码校验不通过');
    if (['001', '统一社会信用代码'].includes(typeName) && !isCreditCode(number)) {
        return bad('统一社会信用代码校验不通过');
    }
    return null;
}

/** Wire fields as a person would read them: Chinese labels, codes with their labels. */
/** Bytes of strict Base64, or undefined. */
export function fromBase64(text) {
    return typeof text === 'string' && text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text) ? Buffer.from(text, 'base64') : undefined;
}

/** What a platform keeps of a file. */
export const fileOf = (name, bytes) => ({ name, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') });

export function readable(specs, fields) {
    const out = {};
    for (const s of specs) {
        const v = fields[s.n];
        if (v === undefined || v === null || v === '') continue;
        const label = s.codes?.get(String(v));
        out[s.zh] = label === undefined || label === String(v) ? v : `${v} ${label}`;
    }
    return out;
}
