// SPDX-License-Identifier: Apache-2.0
// Between RFC 3339 and what <input type="datetime-local"> shows: the clock of this device.

const two = (n: number): string => String(n).padStart(2, '0');

export function zoneOf(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  const sign = minutes < 0 ? '-' : '+';
  return `${sign}${two(Math.floor(Math.abs(minutes) / 60))}:${two(Math.abs(minutes) % 60)}`;
}

/** "2026-04-02T09:12" in local time, or "" */
export function toLocal(rfc3339: string): string {
  const date = new Date(rfc3339);
  if (Number.isNaN(date.getTime())) return '';
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${two(date.getHours())}:${two(date.getMinutes())}`;
}

export function fromLocal(text: string): string {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return text;
  return `${text.length === 16 ? `${text}:00` : text}${zoneOf(date)}`;
}

export const nowRfc3339 = (): string => fromLocal(`${toLocal(new Date().toISOString())}`);

/** For people: "4月2日 09:12", or with the year when it is another. */
export function forPeople(rfc3339: string, language: string): string {
  const date = new Date(rfc3339);
  if (Number.isNaN(date.getTime())) return rfc3339;
  const year = date.getFullYear() === new Date().getFullYear() ? undefined : 'numeric' as const;
  return new Intl.DateTimeFormat(language, { year, month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit' }).format(date);
}
