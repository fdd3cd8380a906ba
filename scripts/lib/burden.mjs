// SPDX-License-Identifier: Apache-2.0
// What filing costs a person, by a stated speed: fields, characters, choices, sign-ins, seconds.

/** Assumptions, every one an option of scripts/timing. */
export const SPEED = {
  cpm: 60,      // characters a minute, Chinese on a phone
  choice: 3,    // seconds for one choice from a list
  copy: 3,      // seconds for one field copied from a card and pasted
  signIn: 20,   // seconds for one sign-in
};

const length = (text) => [...text].length;

/** Pointers of all values of a record: [["/parties/0/name", "…"], …]. */
export function leaves(value, pointer = '') {
  if (Array.isArray(value)) return value.flatMap((v, i) => leaves(v, `${pointer}/${i}`));
  if (value && typeof value === 'object') return Object.entries(value).flatMap(([k, v]) => leaves(v, `${pointer}/${k}`));
  return [[pointer, value]];
}

const patternOf = (pointer) => pointer.replace(/\/\d+(?=\/|$)/g, '/-');

/** What was typed, by pointer: a field's id in the form is its pointer with "_" for "/". */
export function located(typed, data) {
  const byId = new Map(leaves(data).map(([pointer]) => [pointer.slice(1).replace(/[^\w-]/g, '_'), pointer]));
  return typed.map((t) => {
    const pointer = byId.get(t.id);
    if (!pointer) throw new Error(`typed, but not in the record: ${t.id}`);
    return { ...t, pointer };
  });
}

function costOf(entries, speed) {
  const characters = entries.reduce((n, e) => n + (e.choice ? length(e.search ?? '') : length(e.text)), 0);
  const choices = entries.filter((e) => e.choice).length;
  return { fields: entries.length, characters, choices, seconds: (characters * 60) / speed.cpm + choices * speed.choice };
}

/**
 * Rows: Yimen, then every platform by hand. By hand counts only what of the typed values that platform
 * takes, each typed or chosen there once more: nothing for finding the page, nothing for values that
 * Yimen derives. A platform without an interface costs its sign-in and its card in both ways.
 */
export function burden({ typed, data, targets, cards, speed = SPEED }) {
  const entries = located(typed, data);
  const rows = targets.map((target) => {
    const takes = new Set(target.fields.map((f) => f.pointer));
    const mine = entries.filter((e) => takes.has(patternOf(e.pointer))).map((e) => ({ ...e, search: undefined }));
    const cost = costOf(mine, speed);
    return { id: target.id, handoff: target.handoff, delivered: cards[target.id].length, ...cost, signIns: 1, seconds: cost.seconds + speed.signIn };
  });
  const once = costOf(entries, speed);
  const cardsLeft = rows.filter((r) => r.handoff);
  const copied = cardsLeft.reduce((n, r) => n + r.delivered, 0);
  const yimen = {
    ...once,
    delivered: rows.reduce((n, r) => n + r.delivered, 0),
    copied,
    signIns: 1 + cardsLeft.length,
    seconds: once.seconds + (1 + cardsLeft.length) * speed.signIn + copied * speed.copy,
  };
  const sum = (key) => rows.reduce((n, r) => n + r[key], 0);
  const hand = Object.fromEntries(['fields', 'characters', 'choices', 'delivered', 'signIns', 'seconds'].map((k) => [k, sum(k)]));
  return { yimen, rows, hand };
}

export const minutes = (seconds) => `${Math.floor(Math.round(seconds) / 60)}:${String(Math.round(seconds) % 60).padStart(2, '0')}`;

export function markdown({ yimen, rows, hand }, speed = SPEED) {
  const line = (name, r) => `| ${name} | ${r.fields} | ${r.characters} | ${r.choices} | ${r.signIns} | ${r.delivered} | ${minutes(r.seconds)} |`;
  return [
    '| | fields typed | characters | choices | sign-ins | fields it gets | minutes |',
    '|---|---|---|---|---|---|---|',
    ...rows.map((r) => line(`\`${r.id}\` by hand`, r)),
    line('**all of them by hand**', hand),
    line(`**once in Yimen**${yimen.copied ? `, ${yimen.copied} fields copied from a card` : ''}`, yimen),
    '',
    `${speed.cpm} characters a minute, ${speed.choice} s for a choice, ${speed.copy} s for a field copied from a card, ${speed.signIn} s for a sign-in.`,
  ].join('\n');
}
