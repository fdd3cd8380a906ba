// SPDX-License-Identifier: Apache-2.0
// Numbers with check digits: GB 11643-1999 (resident identity number), GB 32100-2015 (unified social
// credit code). The gateway checks them again; here they save a round trip and a typed birth date.

const WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CHECKS = '10X98765432';

export interface Person { birth: string; sex: '1' | '2'; area: string }

/** null: no valid number. */
export function readIdNumber(text: string): Person | null {
  const id = text.trim().toUpperCase();
  if (!/^\d{17}[\dX]$/.test(id)) return null;
  const sum = WEIGHTS.reduce((n, w, i) => n + w * Number(id[i]), 0);
  if (CHECKS[sum % 11] !== id[17]) return null;
  const birth = `${id.slice(6, 10)}-${id.slice(10, 12)}-${id.slice(12, 14)}`;
  const day = new Date(`${birth}T00:00:00Z`);
  if (Number.isNaN(day.getTime()) || day.toISOString().slice(0, 10) !== birth) return null;
  return { birth, sex: Number(id[16]) % 2 === 1 ? '1' : '2', area: id.slice(0, 6) };
}

const CREDIT = '0123456789ABCDEFGHJKLMNPQRTUWXY';

export function isCreditCode(text: string): boolean {
  const code = text.trim().toUpperCase();
  if (code.length !== 18 || [...code].some((c) => !CREDIT.includes(c))) return false;
  let weight = 1;
  let sum = 0;
  for (let i = 0; i < 17; i++) {
    sum += CREDIT.indexOf(code[i] as string) * weight;
    weight = (weight * 3) % 31;
  }
  return CREDIT[(31 - (sum % 31)) % 31] === code[17];
}

/** Cents as digits ↔ yuan as people write it; never through a floating-point number. */
export function centsToYuan(cents: string): string {
  if (!/^\d+$/.test(cents)) return '';
  const padded = cents.padStart(3, '0');
  const fraction = padded.slice(-2);
  return `${padded.slice(0, -2)}${fraction === '00' ? '' : `.${fraction}`}`;
}

/** null: no amount. */
export function yuanToCents(yuan: string): string | null {
  const m = /^(\d{1,13})(?:\.(\d{1,2}))?$/.exec(yuan.replace(/[,，\s]/g, ''));
  if (!m) return null;
  return `${m[1]}${(m[2] ?? '').padEnd(2, '0')}`.replace(/^0+(?=\d)/, '');
}
