// SPDX-License-Identifier: Apache-2.0
// Proves the worker's side: every verdict, fencing, order, revisions that come while something is
// under way, reclaim of a dead worker's entries, delays.
import test from 'node:test';
import assert from 'node:assert/strict';
import { startRedis } from '../lib/redis-server.mjs';
import { Store, dump, sha256 } from './store.mjs';

const DIGEST = sha256('answer');
let redis, store, worker;
test.before(async () => { redis = await startRedis({ config: { appendfsync: 'no' } }); });
test.after(() => redis.stop());
test.beforeEach(async () => {
  await redis.client.command('FLUSHALL');
  store = new Store(redis.client);
  worker = await store.worker('a');
});

// A record whose delivery to `a` is in flight. → id and the claimed item
async function flying(record = {}) {
  const { id } = await store.accept({ envelope: '{"n":1}', systems: ['a'], ...record });
  return { id, item: await worker.one() };
}

async function passed(ms) {
  await new Promise((resolve) => { setTimeout(resolve, ms); });
}

async function letter(id) {
  return (await store.delivery(id, 'a')).letter;
}

async function noPlace() {
  assert.equal(await redis.client.command('XLEN', store.k('q:a')), 0, 'acknowledged and deleted');
  assert.equal((await redis.client.command('XPENDING', store.k('q:a'), 'w'))[0], 0);
  assert.equal(await redis.client.command('ZCARD', store.k('z:a')), 0);
}

test('claim gives everything an attempt needs and marks it as sending', async () => {
  const { id, item } = await flying({ type: 'grid_event', owner: 'o1', org: 'g1', area: '330106001002' });
  const rec = await store.get(id);
  assert.deepEqual({ ...item }, { entry: item.entry, id, op: 'create', token: `1.1.${item.sent}`, attempt: '1', number: '', has: '0',
    revision: '1', sent: rec.deliveries.a.sent, type: 'grid_event', owner: 'o1', org: 'g1', area: '330106001002',
    created: rec.created, updated: rec.updated, envelope: '{"n":1}', of: '', letter: '' });
  assert.equal(rec.deliveries.a.letter, 's');
  assert.ok(Math.abs(Number(item.sent) - Date.now()) < 5000);
  assert.deepEqual((await worker.claim()).items, [], 'nobody gets it twice');
});

test('d: delivered with number and digest; twice does no harm', async () => {
  const { id, item } = await flying();
  assert.deepEqual(await worker.settle(item, 'd', { number: 'A-17', digest: DIGEST }), ['ok']);
  const before = await dump(redis.client);
  assert.deepEqual(await worker.settle(item, 'd', { number: 'A-17', digest: DIGEST }), ['ok']);
  assert.deepEqual(await dump(redis.client), before);
  const d = await store.delivery(id, 'a');
  assert.deepEqual([d.letter, d.has, d.attempts, d.number, d.digest], ['d', '1', '1', 'A-17', DIGEST]);
  await noPlace();
  const { a } = await store.counts('a');
  assert.deepEqual([a.queued, a.sending, a.delivered, a.attempts, a.ok, a.oldest_ms], [0, 0, 1, 1, 1, 0]);
});

test('d without number and digest is not believed', async () => {
  const { id, item } = await flying();
  assert.deepEqual(await worker.settle(item, 'd'), ['ok']);
  const d = await store.delivery(id, 'a');
  assert.deepEqual([d.letter, d.next, JSON.parse(d.problem).code], ['u', '-1', 'no_evidence']);
  assert.equal((await store.counts('a')).a.unknown, 1);
  await noPlace();
});

test('any text is kept as digest and number, byte for byte', async () => {
  for (const digest of [DIGEST, DIGEST.toUpperCase(), 'f'.repeat(64), '0'.repeat(64), 'short', 'x'.repeat(34), '=', '\u0001'.repeat(34)]) {
    const { id, item } = await flying();
    await worker.settle(item, 'd', { number: '〔2026〕\u00001号', digest });
    const d = await store.delivery(id, 'a');
    assert.deepEqual([d.number, d.digest], ['〔2026〕\u00001号', digest]);
  }
});

test('r: repeated after its delay, the attempt counts; p: put back, it does not', async () => {
  const { id, item } = await flying();
  await worker.settle(item, 'r', { delay: 1000, problem: '{"code":"timeout"}' });
  let d = await store.delivery(id, 'a');
  assert.deepEqual([d.letter, d.attempts, d.problem], ['r', '1', '{"code":"timeout"}']);
  assert.ok(Number(d.next) > Date.now() - 1000);
  const { items, due } = await worker.claim();
  assert.deepEqual([items.length, due], [0, Number(d.next)]);
  assert.deepEqual(await worker.due(), ['0', d.next]);
  await passed(1010);
  assert.deepEqual(await worker.due(), ['1', '0']);
  assert.deepEqual(await worker.due(), ['0', '0']);
  const again = await worker.one();
  assert.deepEqual([again.op, again.attempt, again.token], ['create', '2', `1.2.${again.sent}`]);
  await worker.settle(again, 'p', { delay: 40 });
  d = await store.delivery(id, 'a');
  assert.deepEqual([d.letter, d.attempts], ['q', '1']);
  assert.equal((await store.counts('a')).a.attempts, 1);
});

test('a delay of nothing is ready at once', async () => {
  const { item } = await flying();
  await worker.settle(item, 'r');
  assert.equal((await worker.one()).attempt, '2');
});

test('u: looked up, never blindly repeated; found → d, absent → sent again', async () => {
  const { id, item } = await flying();
  await worker.settle(item, 'u', { delay: 0, problem: '{"code":"no_answer"}' });
  assert.equal(await letter(id), 'u');
  const look = await worker.one();
  assert.deepEqual([look.op, look.of, look.letter, look.attempt, look.revision, look.sent],
    ['lookup', 'create', 'u', '1', '1', item.sent]);
  assert.equal(await letter(id), 'u', 'still unknown while somebody looks');
  await worker.settle(look, 'u', { delay: 0 });
  const more = await worker.one();
  assert.equal(more.attempt, '2');
  await worker.settle(more, 'a');
  assert.equal(await letter(id), 'q');
  const second = await worker.one();
  assert.deepEqual([second.op, second.attempt], ['create', '2']);
  await worker.settle(second, 'u', { delay: 0 });
  await worker.settle(await worker.one(), 'd', { number: 'N9', revision: 1 });
  assert.deepEqual((await store.audit()).map((e) => [e.who, e.what, e.id]), [['engine', 'absent', id], ['engine', 'found', id]]);
  assert.equal(await letter(id), 'd');
});

test('a with an older revision that was found: it is updated, not made again', async () => {
  const { id, item } = await flying();
  await worker.settle(item, 'c', { delay: 0 });
  await store.revise(id, 1, '{"n":2}');
  await worker.settle(await worker.one(), 'r', { delay: 0 }); // a look that said: send again
  const again = await worker.one();
  assert.deepEqual([again.op, again.revision], ['create', '2']);
  await worker.settle(again, 'u', { delay: 0 });
  await worker.settle(await worker.one(), 'a', { revision: 1, number: 'N1' });
  const update = await worker.one();
  assert.deepEqual([update.op, update.has, update.number, update.revision], ['update', '1', 'N1', '2']);
});

test('u with -1 waits for a person', async () => {
  const { id, item } = await flying();
  await worker.settle(item, 'u', { delay: -1 });
  assert.equal((await store.delivery(id, 'a')).next, '-1');
  await noPlace();
  const { a } = await store.counts('a');
  assert.deepEqual([a.unknown, a.queued], [1, 0]);
});

test('c: taken, the number is waited for', async () => {
  const { id, item } = await flying();
  await worker.settle(item, 'c', { delay: 0, number: 'receipt-1' });
  assert.deepEqual([await letter(id), (await store.counts('a')).a.awaiting], ['c', 1]);
  const look = await worker.one();
  assert.deepEqual([look.op, look.letter, look.number], ['lookup', 'c', 'receipt-1']);
  await worker.settle(look, 'c', { delay: 0 });
  await worker.settle(await worker.one(), 'd', { number: 'N1' });
  assert.deepEqual([await letter(id), (await store.counts('a')).a.awaiting], ['d', 0]);
});

for (const [verdict, word] of [['j', 'rejected'], ['x', 'dead'], ['h', 'handoff']]) {
  test(`${verdict}: ${word}, with the system's words`, async () => {
    const { id, item } = await flying();
    await worker.settle(item, verdict, { problem: '{"code":"no","message":"字段错误"}' });
    const d = await store.delivery(id, 'a');
    assert.deepEqual([d.letter, d.problem, d.next], [verdict, '{"code":"no","message":"字段错误"}', '0']);
    assert.equal((await store.counts('a')).a[word], 1);
    const [row] = await store.call('exceptions', 'a', verdict, '', 10);
    assert.deepEqual([row[0], row[1], row[2], row[4]], [id, 'a', verdict, '1']);
    await noPlace();
  });
}

test('c with -1 waits for a person', async () => {
  const { id, item } = await flying();
  await worker.settle(item, 'c', { delay: -1 });
  assert.deepEqual([await letter(id), (await store.delivery(id, 'a')).next], ['c', '-1']);
  await noPlace();
  const { a } = await store.counts('a');
  assert.deepEqual([a.awaiting, a.queued], [1, 0]);
});

test('an update carries number and revision; order is kept', async () => {
  const { id, item } = await flying();
  await worker.settle(item, 'd', { number: 'A-1', digest: DIGEST });
  await store.revise(id, 1, '{"n":2}');
  const update = await worker.one();
  assert.deepEqual([update.op, update.number, update.has, update.revision, update.envelope],
    ['update', 'A-1', '1', '2', '{"n":2}']);
  await worker.settle(update, 'd', { digest: DIGEST });
  const d = await store.delivery(id, 'a');
  assert.deepEqual([d.letter, d.has, d.number], ['d', '2', 'A-1'], 'the number known before is kept');
});

test('each_revision: every step is sent, in order', async () => {
  const { id } = await store.accept({ envelope: '{"n":1}', systems: ['a'] });
  await store.revise(id, 1, '{"n":2}');
  await store.revise(id, 2, '{"n":3}');
  const sent = [];
  for (let i = 0; i < 3; i++) {
    const item = await worker.one({ each: 1 });
    sent.push([item.op, item.revision, item.envelope]);
    await worker.settle(item, 'd', { number: 'A-1' });
  }
  assert.deepEqual(sent, [['create', '1', '{"n":1}'], ['update', '2', '{"n":2}'], ['update', '3', '{"n":3}']]);
  assert.equal(await letter(id), 'd');
});

// What becomes of a delivery that is revised in each state, and what the worker is given next.
const REVISED = [
  ['while sending, then delivered', 's', 'd', 'q', ['update', '2']],
  ['while sending, then rejected: the new one may pass', 's', 'j', 'q', ['create', '2']],
  ['while sending, then dead: stays dead', 's', 'x', 'x', null],
  ['while sending, then unknown: looked up first', 's', 'u', 'u', ['lookup', '1']],
];
for (const [title, , verdict, after, next] of REVISED) {
  test(`revised ${title}`, async () => {
    const { id, item } = await flying();
    await store.revise(id, 1, '{"n":2}');
    assert.equal(await letter(id), 's', 'what is under way ends first');
    await worker.settle(item, verdict, { number: verdict === 'd' ? 'N' : '' });
    assert.equal(await letter(id), after);
    const { items } = await worker.claim();
    assert.deepEqual(items.map((i) => [i.op, i.revision]), next ? [next] : []);
    if (next?.[0] === 'lookup') assert.equal(items[0].envelope, '{"n":1}', 'of the attempt that is looked for');
  });
}

test('revised in r, u, x, j, h and d', async () => {
  const ids = {};
  for (const verdict of 'ruxjhd') {
    const { id, item } = await flying();
    await worker.settle(item, verdict, { delay: verdict === 'u' ? -1 : 60000, number: verdict === 'd' ? 'N' : '' });
    ids[verdict] = id;
  }
  for (const id of Object.values(ids)) assert.deepEqual(await store.revise(id, 1, '{"n":2}', 'author'), ['revised', '2']);
  const after = {};
  for (const [verdict, id] of Object.entries(ids)) after[verdict] = (await store.delivery(id, 'a')).letter;
  assert.deepEqual(after, { r: 'r', u: 'u', x: 'x', j: 'q', h: 'h', d: 'q' });
  assert.equal((await store.delivery(ids.r, 'a')).attempts, '0', 'other data, a new budget');
  assert.deepEqual((await store.audit()).map((e) => [e.who, e.what, e.id]), [['author', 'revise', ids.j]]);
  assert.deepEqual((await worker.claim()).items.map((i) => [i.id, i.op]).sort(),
    [[ids.j, 'create'], [ids.d, 'update']].sort());
});

test('a newer epoch fences the older one, in claim, settle and reclaim', async () => {
  const { id, item } = await flying();
  const newer = await store.worker('a', 'w2');
  assert.deepEqual((await worker.claim()).head, 'fenced');
  assert.deepEqual(await worker.settle(item, 'd', { number: 'late' }), ['fenced']);
  assert.deepEqual(await worker.reclaim(), ['fenced']);
  assert.equal(await letter(id), 's');
  assert.deepEqual(await newer.reclaim(), [1, 0]);
  assert.deepEqual(await newer.reclaim(), [0, 0]);
  const look = await newer.one();
  assert.deepEqual([look.op, look.of, look.token.slice(0, 4)], ['lookup', 'create', '2.3.']);
});

test('a token of an earlier attempt settles nothing', async () => {
  const { id, item } = await flying();
  await worker.settle(item, 'r');
  const second = await worker.one();
  assert.deepEqual(await worker.settle(item, 'd', { number: 'old' }), ['fenced']);
  assert.deepEqual(await worker.settle({ ...second, entry: item.entry }, 'd', { number: 'old' }), ['fenced']);
  assert.equal(await letter(id), 's');
  assert.deepEqual(await worker.settle(second, 'd', { number: 'new' }), ['ok']);
});

test('reclaim: an attempt becomes unknown and is looked up, a look is repeated; young ones wait', async () => {
  const first = await flying();
  await worker.settle(first.item, 'u', { delay: 0 });
  await worker.one();
  const second = await flying();
  const next = await store.worker('a', 'w1');
  assert.deepEqual(await next.reclaim({ idle: 60000 }), [0, 0]);
  assert.deepEqual(await next.reclaim({ max: 1 }), [1, 0]);
  assert.deepEqual(await next.reclaim({ max: 1 }), [1, 0]);
  const { items } = await next.claim();
  assert.deepEqual(items.map((i) => [i.id, i.op]).sort(), [[first.id, 'lookup'], [second.id, 'lookup']].sort());
  assert.equal(JSON.parse((await store.delivery(second.id, 'a')).problem).code, 'worker_lost');
});

test('reclaim never touches what the living worker holds', async () => {
  const { item } = await flying();
  assert.deepEqual(await worker.reclaim(), [0, 0]);
  assert.deepEqual(await worker.settle(item, 'd', { number: '1' }), ['ok']);
});

test('reclaim counts attempts whose entries were deleted from the stream; reconcile goes on with them', async () => {
  const { id, item } = await flying();
  await redis.client.command('XDEL', store.k('q:a'), item.entry);
  const next = await store.worker('a');
  assert.deepEqual(await next.reclaim(), [0, 1]);
  assert.deepEqual((await store.reconcile()).map((n) => [n.what, n.id]), [['attempt_lost', id]]);
  assert.deepEqual(await next.reclaim(), [0, 0]);
  assert.deepEqual((await next.one()).id, id);
});

test('a batch: claim and settle many at once, each with its own answer', async () => {
  for (let i = 0; i < 30; i++) await store.accept({ systems: ['a', 'b'] });
  const { items } = await worker.claim({ max: 25 });
  assert.equal(items.length, 25);
  const fake = { ...items[0], id: items[1].id }; // another's entry
  const answers = await worker.settleAll([[fake, 'd', { number: 'f' }], ...items.map((i) => [i, 'd', { number: 'n' }])]);
  assert.deepEqual(answers, ['fenced', ...items.map(() => 'ok')]);
  assert.deepEqual([(await store.counts('a')).a.delivered, (await store.counts('b')).b.queued], [25, 30]);
  assert.equal((await worker.claim()).items.length, 5);
});

test('an attempt that a withdrawal overtook', async () => {
  const { id, item } = await flying();
  await store.withdraw(id, ['a']);
  assert.equal(await letter(id), 's');
  await worker.settle(item, 'd', { number: 'N1' });
  const back = await worker.one();
  assert.deepEqual([back.op, back.number], ['withdraw', 'N1']);
  await worker.settle(back, 'w');
  assert.equal(await letter(id), 'w');
  await noPlace();
});

test('w for a record nobody withdrew is a matter for a person', async () => {
  const { id, item } = await flying();
  await worker.settle(item, 'w');
  const d = await store.delivery(id, 'a');
  assert.deepEqual([d.letter, d.next, JSON.parse(d.problem).code], ['u', '-1', 'not_withdrawn_here']);
});
