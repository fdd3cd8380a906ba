/* SPDX-License-Identifier: Apache-2.0
 * GET /events: what a stream tells, to whom, how it comes back and how it ends.
 */
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';
import { deliver, note, startGateway, withSessions } from '../lib/gateway.mjs';
import { sleep, until } from '../lib/nginx.mjs';
import { endSession, hears, makeSession } from '../lib/session.mjs';
import { claims, makeToken } from '../lib/tokens.mjs';

/* A stream that is read: events, everything as text, and how it ended. */
function listen(g, target, headers) {
  const s = { text: '', over: false, status: 0 };
  s.opened = new Promise((done, fail) => {
    s.req = http.request({ socketPath: g.nginx.socket, path: `/api/v1${target}`, headers: { host: 'localhost', ...headers }, agent: false }, (res) => {
      s.status = res.statusCode;
      s.headers = res.headers;
      res.setEncoding('utf8');
      res.on('data', (d) => { s.text += d; });
      res.on('end', () => { s.over = true; });
      res.on('error', () => { s.over = true; });
      done(s);
    });
    s.req.on('error', fail);
    s.req.end();
  });
  s.events = () => s.text.split('\n\n').filter((b) => /^event: record/m.test(b))
    .map((b) => ({ event: /^id: (.*)$/m.exec(b)[1], ...JSON.parse(/^data: (.*)$/m.exec(b)[1]) }));
  s.close = () => s.req.destroy();
  return s;
}

describe('events', () => {
  let g;
  const bearer = (who) => ({ authorization: `Bearer ${g.tokens[who] ?? who}` });
  const file = async () => (await g.call('staff', 'POST', '/records', { body: note() })).json;
  before(async () => {
    g = await startGateway({ deploy: { auth: withSessions() } });
    await hears(g);
  });
  after(() => g?.stop());

  test('the state at once, then every change, once', async () => {
    const { id } = await file();
    const s = await listen(g, `/events?record=${id}`, bearer('staff')).opened;
    assert.equal(s.status, 200);
    assert.equal(s.headers['content-type'], 'text/event-stream');
    assert.equal(s.headers['cache-control'], 'no-store');
    assert.equal(s.headers['x-accel-buffering'], 'no');
    await until('the first event', () => s.events().length === 1);
    const [first] = s.events();
    const now = (await g.call('staff', 'GET', `/records/${id}`)).json;
    assert.deepEqual(first.deliveries, now.deliveries);
    assert.equal(first.revision, 1);
    assert.equal('data' in first, false);
    await deliver(g, 'alpha', () => ({ verdict: 'd', number: 'A-1' }));
    await until('the change', () => s.events().length === 2);
    assert.equal(s.events()[1].deliveries.alpha.number, 'A-1');
    await sleep(2500);
    assert.equal(s.events().length, 2, s.text);
    s.close();
  });

  test('who comes back with the last id hears nothing twice; after a change he does', async () => {
    const { id } = await file();
    const a = await listen(g, `/events?record=${id}`, bearer('staff')).opened;
    await until('the first event', () => a.events().length === 1);
    a.close();
    const last = a.events()[0].event;
    const b = await listen(g, `/events?record=${id}`, { ...bearer('staff'), 'last-event-id': last }).opened;
    await sleep(1500);
    assert.equal(b.events().length, 0, b.text);
    await deliver(g, 'alpha', () => ({ verdict: 'd', number: 'A-2' }));
    await until('the change', () => b.events().length === 1);
    b.close();
    const c = await listen(g, `/events?record=${id}`, { ...bearer('staff'), 'last-event-id': last }).opened;
    await until('the state', () => c.events().length === 1);
    c.close();
  });

  test('only what one may see: others, nobody, no such record, none named', async () => {
    const { id } = await file();
    assert.equal((await g.call('other', 'GET', `/events?record=${id}`)).status, 404);
    assert.equal((await g.call(null, 'GET', `/events?record=${id}`)).status, 401);
    assert.equal((await g.call('auditor', 'GET', `/events?record=${id}`)).status, 403);
    assert.equal((await g.call('staff', 'GET', '/events?record=01M80RTG1W5ZTZXYR1YGXKS6R0')).status, 404);
    assert.equal((await g.call('staff', 'GET', '/events?record=..%2F')).status, 404);
    assert.equal((await g.call('staff', 'GET', '/events')).status, 400);
    const head = await g.call('staff', 'HEAD', `/events?record=${id}`);
    assert.equal(head.status, 200);
  });

  test('signing out ends the stream within a second or two', async () => {
    const s = await makeSession(g, { person: 'mei', sub: 'mei', area: '330106003', org: 'committee-1' });
    const { id } = await file();
    const stream = await listen(g, `/events?record=${id}`, s.headers).opened;
    await until('the first event', () => stream.events().length === 1);
    await endSession(g, s);
    await until('the end', () => stream.over, 4000);
    assert.match(stream.text, /event: over\ndata: \{\}\n\n$/);
  });

  test('a token that has expired ends it', async () => {
    const { id } = await file();
    const token = makeToken(g.key, { ...claims('mei', 'staff', { area: '330106003', org: 'committee-1' }), exp: Math.floor(Date.now() / 1000) - 24 });
    const stream = await listen(g, `/events?record=${id}`, bearer(token)).opened;
    assert.equal(stream.status, 200, stream.text);
    await until('the end', () => stream.over, 12000);
    assert.match(stream.text, /event: over/);
  });

  test('so many of one person at a time, and room again when one closes', async () => {
    const { id } = await file();
    const open = [];
    for (let i = 0; i < 8; i++) open.push(await listen(g, `/events?record=${id}`, bearer('admin')).opened);
    const r = await g.call('admin', 'GET', `/events?record=${id}`);
    assert.equal(r.status, 429);
    assert.equal(r.headers['retry-after'], '30');
    const other = await listen(g, `/events?record=${id}`, bearer('operator')).opened;
    assert.equal(other.status, 200);
    open.pop().close();
    await until('room', async () => {
      const s = await listen(g, `/events?record=${id}`, bearer('admin')).opened;
      open.push(s);
      return s.status === 200;
    });
    for (const s of [...open, other]) s.close();
  });

  test('a reload ends streams without losing them: the browser comes back', async () => {
    const { id } = await file();
    const s = await listen(g, `/events?record=${id}`, bearer('staff')).opened;
    await until('the first event', () => s.events().length === 1);
    await g.nginx.reload();
    await until('the end', () => s.over, 8000);
    assert.doesNotMatch(s.text, /event: over/);
  });
});
