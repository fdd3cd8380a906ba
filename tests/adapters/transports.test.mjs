/* SPDX-License-Identifier: Apache-2.0
 * Proves that each transport carries its wire to a real server and says truthfully how far it got:
 * not sent, sent without reply, replied. Every probe must end cleanly, sanitizers included.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync, chmodSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import test from 'node:test';
import iconv from 'iconv-lite';
import { SftpDoor } from '../lab/lab_sftp.mjs';
import { startSql } from '../lab/lab_sql.mjs';
import { stopwatch } from '../lib/pace.mjs';
import { Probe, door, freePort, scratch, startVsftpd } from './transport_peers.mjs';

const clean = async (probe) => assert.deepEqual(await probe.close(), { code: 0, signal: null, stderr: '' });

async function serve(t, handler) {
    const server = http.createServer((req, res) => {
        const chunks = [];
        req.on('data', (d) => chunks.push(d)).on('end', () => handler(req, res, Buffer.concat(chunks))).on('error', () => {});
    });
    server.connections = 0;
    server.on('connection', () => { server.connections += 1; });
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    t.after(() => { server.closeAllConnections(); return new Promise((done) => server.close(done)); });
    server.url = `http://127.0.0.1:${server.address().port}`;
    return server;
}

const post = (url, body = 'x', headers = []) => ({ kind: 'http', method: 'POST', url, body, headers });

test('http: exact bytes out, the whole reply in, one connection for all', async (t) => {
    const seen = [];
    const server = await serve(t, (req, res, body) => {
        seen.push({ method: req.method, url: req.url, headers: req.headers, body: body.toString() });
        res.writeHead(201, { 'Content-Type': 'application/json; charset="GB18030"', 'X-Number': 'A 1' });
        res.end(Buffer.from([0x7b, 0xd6, 0xd0, 0x7d]));
    });
    const probe = new Probe(t, 'http', `endpoint: ${server.url}/base\n`);
    for (const [method, body] of [['POST', 'päck'], ['PUT', 'p'], ['DELETE', ''], ['GET', ''], ['POST', ''], ['PATCH', '{}']]) {
        const facts = await probe.send({ kind: 'http', method, url: `${server.url}/base/a?b=c`, body, headers: [['Content-Type', 'text/x'], ['X-Empty', '']] });
        assert.equal(facts.sent, 'replied');
        assert.equal(facts.status, 201);
        assert.equal(facts.charset, 'GB18030');
        assert.equal(facts.stage, '');
        assert.deepEqual(facts.headers.find(([n]) => n === 'x-number'), ['x-number', 'A 1']);
        const got = seen.at(-1);
        assert.equal(got.method, method);
        assert.equal(got.url, '/base/a?b=c');
        assert.equal(got.body, body);
        assert.equal(got.headers['content-type'], 'text/x');
        assert.equal(got.headers['x-empty'], '');
        assert.equal(got.headers['transfer-encoding'], undefined);
        assert.equal(got.headers.expect, undefined);
        assert.equal(got.headers['content-length'], method === 'GET' ? undefined : String(Buffer.byteLength(body)));
    }
    assert.equal(server.connections, 1);
    const big = 'z'.repeat(300_000);
    assert.equal((await probe.send(post(`${server.url}/base/`, big))).sent, 'replied');
    assert.equal(seen.at(-1).body, big);
    assert.equal(seen.at(-1).headers['content-type'], undefined);
    await clean(probe);
});

test('http: how far it got, whatever the server does', async (t) => {
    let calls = 0;
    const server = await serve(t, (req, res) => {
        calls += 1;
        switch (req.url) {
        case '/cut': req.socket.resetAndDestroy(); break;
        case '/close': req.socket.destroy(); break;
        case '/half': res.writeHead(200, { 'Content-Length': 100 }); res.write('half'); setTimeout(() => req.socket.destroy(), 20); break;
        case '/chunk': res.writeHead(200); res.write('half'); setTimeout(() => req.socket.destroy(), 20); break;
        case '/hang': break;
        case '/huge': res.writeHead(200, { 'Content-Length': 20_000_000 }); res.on('error', () => {}); res.write(Buffer.alloc(9_000_000)); break;
        case '/headers': res.writeHead(200, { 'X-A': 'a'.repeat(9000) }); res.end(); break;
        case '/bomb': res.writeHead(200, { 'Content-Encoding': 'gzip' }); res.end(gzipSync(Buffer.alloc(9_000_000))); break;
        case '/gzip': res.writeHead(200, { 'Content-Encoding': 'gzip' }); res.end(gzipSync('packed')); break;
        case '/moved': res.writeHead(302, { Location: '/elsewhere' }); res.end(); break;
        case '/early': res.writeContinue(); res.writeHead(500); res.end('no'); break;
        default: res.end('fine');
        }
    });
    const probe = new Probe(t, 'http', `endpoint: ${server.url}\nconnection: { max_header: 4k, compressed: true }\n`);
    for (const path of ['/cut', '/close', '/half', '/chunk', '/huge', '/headers', '/bomb']) {
        const before = calls;
        assert.equal((await probe.send(post(`${server.url}/warm`))).sent, 'replied'); /* the next one rides on a kept connection */
        const facts = await probe.send(post(server.url + path));
        assert.equal(facts.sent, 'sent_no_reply', path);
        assert.equal(facts.body, '', path);
        assert.ok(facts.problem, path);
        assert.equal(calls - before, 2, `${path} arrived more than once`);
    }
    let facts = await probe.send({ ...post(`${server.url}/hang`), timeout_ms: 300 });
    assert.equal(facts.sent, 'sent_no_reply');
    assert.ok(facts.took_ms >= 250 && facts.took_ms < 2000);
    facts = await probe.send(post(`${server.url}/gzip`));
    assert.equal(facts.body, 'packed');
    facts = await probe.send(post(`${server.url}/moved`));
    assert.equal(facts.status, 302);
    facts = await probe.send(post(`${server.url}/early`));
    assert.deepEqual([facts.sent, facts.status, facts.body], ['replied', 500, 'no']);
    for (const bad of [[['Content-Length', '5']], [['X-A', 'a\r\nX-B: b']], [['X A', 'b']], [['Host', 'x']]]) {
        assert.match((await probe.send(post(server.url, 'x', bad))).error, /cannot be sent/);
    }
    assert.match((await probe.send(post('http://127.0.0.1:9/'))).error, /another host/);
    assert.match((await probe.send(post(`${server.url}@evil.test/`))).error, /another host/);
    await clean(probe);
});

test('http: nothing left the machine', async (t) => {
    const port = await freePort();
    const refused = new Probe(t, 'http', `endpoint: http://127.0.0.1:${port}\n`);
    assert.equal((await refused.send(post(`http://127.0.0.1:${port}/`))).sent, 'not_sent');
    await clean(refused);

    /* A plain server behind an https endpoint: TLS never comes about. */
    const server = await serve(t, (req, res) => res.end());
    const url = server.url.replace('http:', 'https:');
    const tls = new Probe(t, 'http', `endpoint: ${url}\n`);
    assert.equal((await tls.send(post(url))).sent, 'not_sent');
    await clean(tls);

    const nowhere = new Probe(t, 'soap', 'endpoint: http://does-not-exist.invalid\nconnection: { version: "1.2", style: rpc, namespace: "urn:x" }\n');
    assert.equal((await nowhere.send(post('http://does-not-exist.invalid/'))).sent, 'not_sent');
    await clean(nowhere);
});

test('settings are checked with place and hint', async (t) => {
    for (const [transport, site, words] of [
        ['http', 'endpoint: http://x\nconnection: { conect_timeout: 5s }\n', /site\.yaml:2:15: unknown key "conect_timeout"; did you mean "connect_timeout"/],
        ['http', 'endpoint: ftp://x\n', /site\.yaml:1:\d+: endpoint must be an http/],
        ['http', 'endpoint: http://u:p@x\n', /must not hold a user name/],
        ['http', 'endpoint: http://x\nconnection: { version: "1.1" }\n', /unknown key "version"/],
        ['soap', 'endpoint: http://x\nconnection: { version: "1.3" }\n', /one of: 1\.1, 1\.2/],
        ['file', 'endpoint: sftp://u@x/\n', /known_hosts/],
        ['file', 'endpoint: http://x/\n', /must begin with sftp/],
        ['sql', 'endpoint: host\n', /ODBC connection string/],
        ['handoff', 'connection: { a: b }\n', /unknown key "a"/],
        ['http', 'endpoint: http://x\nsecrets: { key: "plain-text" }\n', /file:PATH or env:NAME/],
        ['http', 'endpoint: http://x\nsecrets: { key: "env:YM_TEST_NOT_SET" }\n', /YM_TEST_NOT_SET is not set/],
        ['http', 'endpoint: http://x\nsecrets: { key: "file:site.yaml" }\n', /others can read this secret \(mode 0644\)/],
    ]) {
        const end = await new Probe(t, transport, site).close();
        assert.equal(end.code, 1, site);
        assert.match(end.stderr, words);
        assert.doesNotMatch(end.stderr, /plain-text/);
    }
});

/* Form -------------------------------------------------------------------------------------------- */

const page = (form, charset = 'GB18030') => [200, { 'Content-Type': `text/html;charset=${charset}` },
    iconv.encode(`<html><body>${form}</body></html>`, charset)];

async function formServer(t) {
    const seen = [];
    const server = await serve(t, (req, res, body) => {
        seen.push({ method: req.method, url: req.url, headers: req.headers, body: body.toString('latin1') });
        const reply = ([status, headers, text]) => { res.writeHead(status, headers); res.end(text); };
        const signedIn = /sid=1/.test(req.headers.cookie ?? '');
        const path = req.url.split('?')[0];
        if (path === '/login' && req.method === 'GET') return reply(page('<form id="loginForm" method="post" action="/login"><input name="username"><input name="password" type="password"></form>'));
        if (path === '/login') return reply([302, { Location: '/index', 'Set-Cookie': 'sid=1; Path=/; HttpOnly' }, '']);
        if (path === '/index') return reply(page(signedIn ? '<div id="welcome">x</div>' : 'no'));
        if (!signedIn) return reply([302, { Location: '/login' }, '']);
        if (path === '/new') {
            return reply(page('<form id="caseForm" action="save?a=1" method="POST"><input type="hidden" name="_csrf" value="令牌 1">'
                + '<input name="title"><textarea name="text">old</textarea><input type="radio" name="kind" value="1" checked><input type="submit" name="go" value="Go">'
                + '<select name="town"><option value="">-</option><option value="7" selected>x</option></select></form>'));
        }
        if (path === '/foreign') return reply(page('<form action="http://127.0.0.1:9/x" method="post"><input name="title"></form>'));
        if (path === '/search-form') return reply(page('<form action="/find?old=1"><input name="title"></form>', 'utf-8'));
        if (path === '/cutform') return reply(page('<form action="/cut" method="post"><input name="title"></form>'));
        if (path === '/away') return reply(page('<form action="/leave" method="post"><input name="title"></form>'));
        if (path === '/leave') return reply([302, { Location: 'http://127.0.0.1:9/' }, 'gone']);
        if (path === '/lostform') return reply(page('<form action="/lost" method="post"><input name="title"></form>'));
        if (path === '/lost') return reply([303, { Location: '/cut' }, '']);
        if (path === '/cut') return req.socket.destroy();
        return reply(page(`<span id="no">N1</span>${req.url}`));
    });
    server.seen = seen;
    return server;
}

test('form: sign-in, page, overlay, charset, redirect, cookies', async (t) => {
    const server = await formServer(t), { seen } = server;
    const probe = new Probe(t, 'form', `endpoint: ${server.url}\ncharset: gb18030\n`);
    const form = (page_url, fields, extra = {}) => probe.send({ kind: 'form', page_url: server.url + page_url, fields, headers: [], ...extra });

    let facts = await form('/new', [['title', 'x']], { form: 'caseForm' });
    assert.deepEqual([facts.stage, facts.sent, facts.status], ['page', 'not_sent', 302]);
    assert.equal(facts.headers.find(([n]) => n === 'location')[1], '/login');

    facts = await form('/login', [['username', 'u&1'], ['password', 'p=ü']], { form: 'loginForm' });
    assert.deepEqual([facts.stage, facts.sent, facts.status], ['', 'replied', 200]);
    assert.match(facts.body, /welcome/);
    assert.equal(facts.headers.find(([n]) => n === 'location')[1], `${server.url}/index`);
    assert.equal(seen.at(-2).body, 'username=u%261&password=p%3D%A8%B9', 'GB18030 bytes, percent-encoded');
    assert.equal(seen.at(-1).method, 'GET');

    facts = await form('/new', [['text', '于 𠮷\n村'], ['kind', '2']], { form: 'caseForm' });
    assert.equal(facts.sent, 'replied');
    assert.match(facts.body, /N1/);
    const sent = seen.at(-1);
    assert.equal(sent.url, '/save?a=1');
    assert.equal(sent.headers.referer, `${server.url}/new`);
    assert.equal(sent.headers['content-type'], 'application/x-www-form-urlencoded');
    const fields = sent.body.split('&').map((p) => p.split('=').map((s) => iconv.decode(Buffer.from(unescape(s), 'latin1'), 'gb18030')));
    assert.deepEqual(fields, [['_csrf', '令牌 1'], ['title', ''], ['text', '于 𠮷\n村'], ['kind', '2'], ['town', '7']]);

    facts = await form('/new', [['unknown', 'x']], { form: 'caseForm' });
    assert.deepEqual([facts.stage, facts.sent], ['page', 'not_sent']);
    assert.match(facts.problem, /no field "unknown"/);
    facts = await form('/new', [['unknown', 'x']], { form: 'caseForm', add_fields: true });
    assert.equal(facts.sent, 'replied');
    assert.match(seen.at(-1).body, /&unknown=x$/);

    facts = await form('/new', [['title', 'x']], { form: 'otherForm' });
    assert.deepEqual([facts.stage, facts.sent, facts.status], ['page', 'not_sent', 200]);
    facts = await form('/foreign', [['title', 'x']]);
    assert.match(facts.problem, /another host/);
    assert.equal(facts.sent, 'not_sent');

    facts = await form('/search-form', [['title', 'a b']]);
    assert.deepEqual([facts.sent, seen.at(-1).method, seen.at(-1).url], ['replied', 'GET', '/find?title=a%20b']);
    facts = await form('/away', [['title', 'x']]);
    assert.deepEqual([facts.sent, facts.status, facts.body], ['replied', 302, 'gone']);

    const before = seen.filter((s) => s.url === '/cut').length;
    facts = await form('/cutform', [['title', 'x']]);
    assert.equal(facts.sent, 'sent_no_reply');
    assert.equal(seen.filter((s) => s.url === '/cut').length - before, 1);
    facts = await form('/lostform', [['title', 'x']]);
    assert.equal(facts.sent, 'sent_no_reply', 'the record was sent; its answer page was lost');
    facts = await form('/cut', [['title', 'x']]);
    assert.deepEqual([facts.stage, facts.sent], ['page', 'not_sent'], 'the page was lost; nothing was sent');

    facts = await probe.send({ kind: 'form', method: 'GET', url: `${server.url}/search?no=1`, headers: [] });
    assert.deepEqual([facts.sent, facts.status], ['replied', 200]);
    facts = await probe.send({ kind: 'form', method: 'GET', url: `${server.url}/search`, headers: [], forget: true });
    assert.equal(facts.status, 302, 'forget drops the cookies');
    await clean(probe);
});

/* File -------------------------------------------------------------------------------------------- */

const file = (name, body, extra = {}) => ({ kind: 'file', file_dir: 'in', file_name: name, temp_name: `${name}.tmp`, done_name: `${name}.done`, body, ...extra });
const look = (...read) => ({ kind: 'file', probe: true, read });

/* The same life of a file for every kind of place. */
async function fileLife(probe, folder) {
    const inbox = join(folder, 'in');
    assert.deepEqual([(await probe.send(look('in/a.csv', 'in/a.csv.done'))).stage], ['absent']);
    let facts = await probe.send(file('a.csv', 'one\r\n村'));
    assert.equal(facts.sent, 'replied', facts.problem);
    assert.deepEqual(readdirSync(inbox).sort(), ['a.csv', 'a.csv.done']);
    assert.equal(readFileSync(join(inbox, 'a.csv'), 'utf8'), 'one\r\n村');
    assert.equal(readFileSync(join(inbox, 'a.csv.done'), 'utf8'), '');
    facts = await probe.send(file('a.csv', 'one\r\n村'));
    assert.equal(facts.sent, 'replied', `again, the same: ${facts.problem}`);
    facts = await probe.send(file('a.csv', 'other'));
    assert.equal(facts.sent, 'replied', `again, another: ${facts.problem}`);
    assert.equal(readFileSync(join(inbox, 'a.csv'), 'utf8'), 'other');
    assert.deepEqual(readdirSync(inbox).sort(), ['a.csv', 'a.csv.done']);
    facts = await probe.send(look('ack/none', 'in/a.csv'));
    assert.deepEqual([facts.sent, facts.stage, facts.body], ['replied', 'file:1', 'other']);
    facts = await probe.send(look('in/a.csv.done'));
    assert.deepEqual([facts.stage, facts.body], ['file:0', '']);
    facts = await probe.send(file('名 称.csv', 'x', { done_name: undefined }));
    assert.equal(facts.sent, 'replied', facts.problem);
    assert.ok(readdirSync(inbox).includes('名 称.csv'));
    facts = await probe.send(file('b.csv', 'x', { file_dir: 'missing' }));
    assert.equal(facts.sent, 'not_sent');
    assert.ok(facts.problem);
    for (const name of ['../x', 'a/b', 'a"b', 'a\nb', '..', '']) {
        assert.match((await probe.send(file(name, 'x'))).problem, /not acceptable/);
        assert.equal((await probe.send(file(name, 'x'))).sent, 'not_sent');
    }
    for (const name of ['../x', '/etc/passwd', 'in/../../x']) {
        assert.equal((await probe.send(look(name))).sent, 'not_sent', name);
    }
}

test('file: a local folder', async (t) => {
    const dir = scratch(t);
    mkdirSync(join(dir, 'in'));
    const probe = new Probe(t, 'file', `endpoint: file://${dir}\n`);
    await fileLife(probe, dir);
    await clean(probe);
});

test('file: SFTP on a real sshd', async (t) => {
    const dir = scratch(t), home = scratch(t);
    mkdirSync(join(home, 'in'));
    const sshd = new SftpDoor({ listeners: [], fault() {} }, dir, home);
    const c = await sshd.start();
    t.after(() => sshd.stop());
    const endpoint = `sftp://${c.user}@127.0.0.1:${sshd.port}${home}/`;
    const keys = `private_key: ${c.private_key}, public_key: ${c.public_key}`;
    const probe = new Probe(t, 'file', `endpoint: ${endpoint}\nconnection: { known_hosts: ${c.known_hosts}, ${keys} }\n`);
    assert.equal((await probe.send(look('in/none'))).stage, 'absent');
    assert.equal((await probe.send(file('first.csv', 'x'))).sent, 'replied');
    assert.equal((await probe.send(look('in/first.csv'))).stage, 'file:0');
    /* Empty files, also one after the other: curl takes them for a lost connection. */
    for (const name of ['in/first.csv.done', 'in/first.csv', 'in/first.csv.done', 'in/first.csv.done', 'in/first.csv']) {
        const facts = await probe.send(look('in/none', name));
        assert.deepEqual([facts.sent, facts.stage, facts.body], ['replied', 'file:1', name.endsWith('.done') ? '' : 'x'], facts.problem);
    }
    assert.equal(readFileSync(join(dir, 'sshd.log'), 'utf8').match(/Accepted publickey/g).length, 1, 'one connection serves all');
    for (const f of readdirSync(join(home, 'in'))) rmSync(join(home, 'in', f));
    await fileLife(probe, home);

    /* A door that cuts: before the sign-in nothing was visible. */
    let cutAfter = 0, seen = 0;
    const cutPort = await door(t, sshd.port, () => (++seen > cutAfter ? 'cut' : 'pass'));
    const known = join(dir, 'known_cut');
    writeFileSync(known, readFileSync(c.known_hosts, 'utf8').replaceAll(`:${sshd.port}`, `:${cutPort}`));
    const cut = new Probe(t, 'file', `endpoint: sftp://${c.user}@127.0.0.1:${cutPort}${home}/\nconnection: { known_hosts: ${known}, ${keys} }\n`);
    assert.equal((await cut.send(file('c.csv', 'x'))).sent, 'not_sent');
    /* Then at every later packet: what is said must never be better than what is there. */
    for (cutAfter = 4; cutAfter < 60; cutAfter += 1) {
        seen = 0;
        const name = `cut${cutAfter}.csv`;
        const facts = await cut.send({ ...file(name, 'x'), forget: true });
        const there = readdirSync(join(home, 'in'));
        if (facts.sent === 'not_sent') assert.ok(!there.includes(`${name}.done`), `${cutAfter}: not sent, but done`);
        if (facts.sent === 'not_sent') assert.ok(!there.includes(name), `${cutAfter}: not sent, but there`);
        if (facts.sent === 'replied') {
            assert.ok(there.includes(name) && there.includes(`${name}.done`));
            break;
        }
    }
    assert.ok(cutAfter < 60, 'never got through');
    await clean(cut);

    const wrong = join(dir, 'wrong_hosts');
    writeFileSync(wrong, readFileSync(`${c.public_key}`, 'utf8').split(' ').slice(0, 2).join(' ').replace(/^/, `[127.0.0.1]:${sshd.port} `) + '\n');
    const impostor = new Probe(t, 'file', `endpoint: ${endpoint}\nconnection: { known_hosts: ${wrong}, ${keys} }\n`);
    assert.equal((await impostor.send(file('d.csv', 'x'))).sent, 'not_sent');
    assert.ok(!readdirSync(join(home, 'in')).includes('d.csv.tmp'));
    await clean(impostor);

    await sshd.stop();
    const down = await probe.send({ ...file('e.csv', 'x'), forget: true });
    assert.equal(down.sent, 'not_sent');
    assert.equal((await probe.send(look('in/a.csv'))).sent, 'not_sent');
    chmodSync(c.private_key, 0o644);
    const open = await new Probe(t, 'file', `endpoint: ${endpoint}\nconnection: { known_hosts: ${c.known_hosts}, ${keys} }\n`).close();
    assert.match(open.stderr, /others can read this private key/);
    await clean(probe);
});

test('file: FTP on a real vsftpd', async (t) => {
    const ftp = await startVsftpd(t);
    const probe = new Probe(t, 'file', `endpoint: ftp://127.0.0.1:${ftp.port}/\n`);
    await fileLife(probe, ftp.root);
    await clean(probe);
    const tls = new Probe(t, 'file', `endpoint: ftp://127.0.0.1:${ftp.port}/\nconnection: { tls: explicit }\n`);
    assert.equal((await tls.send(file('t.csv', 'x'))).sent, 'not_sent', 'without TLS nothing is sent');
    await clean(tls);
});

/* SQL --------------------------------------------------------------------------------------------- */

const isCommit = (d) => /(?<![a-z])COMMIT(?!TED)/i.test(d.toString('latin1')); /* not "SET autocommit" */
const insert = (id, text, n = null) => ({ text: 'INSERT INTO t (id, label, amount) VALUES (?, ?, ?)', params: [id, text, n] });
const guard = (id) => ({ text: 'SELECT id, label FROM t WHERE id = ?', params: [id], guard: true });
const select = (id) => ({ text: 'SELECT id, label, amount, made FROM t WHERE id = ?', params: [id], query: true });

for (const kind of ['postgres', 'mariadb']) {
    test(`sql: ${kind}`, async (t) => {
        const dir = scratch(t);
        chmodSync(dir, 0o755); /* the database runs under an account of its own */
        const db = await startSql(kind, dir);
        t.after(() => db.stop());
        await db.query('CREATE TABLE t (id VARCHAR(40) PRIMARY KEY, label VARCHAR(3000), amount DECIMAL(12,2), made TIMESTAMP NULL)');
        if (kind === 'mariadb') {
            await db.query("CREATE USER gw@localhost IDENTIFIED BY 'p;{a}ss'");
            await db.query('GRANT ALL ON qzk.* TO gw@localhost');
        } else {
            await db.query("CREATE USER gw PASSWORD 'p;{a}ss'");
            await db.query('GRANT ALL ON t TO gw');
        }
        let mode = 'pass';
        const port = await door(t, db.socket, (d) => (mode !== 'pass' && isCommit(d) ? mode : 'pass'));
        const driver = kind === 'postgres' ? 'PostgreSQL Unicode' : 'MariaDB Unicode';
        const endpoint = (p) => `endpoint: "Driver=${driver};Server=127.0.0.1;Port=${p};Database=qzk;UID=gw;PWD={secret.pw}"\nsecrets: { pw: "env:YM_TEST_PW" }\n`;
        const probe = new Probe(t, 'sql', endpoint(port), { YM_TEST_PW: 'p;{a}ss', LC_ALL: 'C' });
        const run = (...statements) => probe.send({ kind: 'sql', statements });
        const rows = async (id) => (await db.query('SELECT id FROM t WHERE id = ?', [id])).length;

        const text = `村'; DROP TABLE t; --\\ "𠮷" ${'长'.repeat(900)}`;
        let facts = await run(guard('a'), insert('a', text, '12.50'));
        assert.deepEqual([facts.sent, facts.body], ['replied', '[]'], facts.problem);
        assert.equal((await db.query('SELECT label FROM t'))[0].label, text);
        facts = await run(select('a'));
        assert.deepEqual(JSON.parse(facts.body), [{ id: 'a', label: text, amount: '12.50', made: null }]);
        facts = await run(guard('a'), insert('b', 'skipped'));
        assert.deepEqual(JSON.parse(facts.body), [{ id: 'a', label: text }], 'the guard is the reply');
        assert.equal(await rows('b'), 0);
        facts = await run({ text: 'UPDATE t SET label = ? WHERE id = ?', params: ['new', 'none'] });
        assert.deepEqual([facts.sent, facts.body], ['replied', '[]'], 'an update without a row is no failure');
        facts = await run(select('none'));
        assert.deepEqual(JSON.parse(facts.body), []);

        facts = await run(insert('c', 'x'), insert('a', 'again'));
        assert.equal(facts.sent, 'replied');
        assert.match(JSON.parse(facts.body).sqlstate, /^23/);
        assert.equal(await rows('c'), 0, 'the whole transaction is undone');
        facts = await run(insert('d', 'x', 'no number'));
        assert.match(JSON.parse(facts.body).sqlstate, /^(22|HY|01)/);
        assert.equal(await rows('d'), 0);
        facts = await run({ text: 'INSERT INTO nowhere VALUES (1)', params: [] });
        assert.match(JSON.parse(facts.body).sqlstate, /^42/);
        facts = await run(select('a'));
        assert.equal(JSON.parse(facts.body).length, 1, 'and the connection still works');

        for (mode of ['cut', 'swallow', 'hang']) {
            const id = `at-${mode}`;
            const ms = stopwatch();
            facts = await probe.send({ kind: 'sql', statements: [insert(id, 'x')], timeout_ms: 1200 });
            assert.equal(facts.sent, 'sent_no_reply', mode);
            assert.ok(ms() < 4000, `${mode} kept us waiting`);
            assert.doesNotMatch(facts.problem, /at-/);
        }
        mode = 'pass';
        assert.equal(await rows('at-cut'), 0);
        assert.equal(await rows('at-swallow'), 1);
        facts = await run(select('at-swallow'));
        assert.equal(JSON.parse(facts.body).length, 1, 'a new connection is made');
        await db.query(kind === 'postgres' ? "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'gw'" : 'KILL USER gw@localhost');
        facts = await run(insert('after-kill', 'x'));
        assert.deepEqual([facts.sent, facts.body], ['replied', '[]'], 'a connection that died while idle is noticed before anything is sent');
        assert.equal(await rows('after-kill'), 1);
        await clean(probe);

        mode = 'hang';
        const mute = await door(t, db.socket, () => 'hang');
        const silent = new Probe(t, 'sql', endpoint(mute), { YM_TEST_PW: 'x' });
        const ms = stopwatch();
        facts = await silent.send({ kind: 'sql', statements: [insert('e', 'x')], timeout_ms: 1500 });
        assert.equal(facts.sent, 'not_sent', 'a server that never finishes the login');
        assert.ok(ms() < 4000);
        await clean(silent);
        mode = 'pass';

        const gone = await freePort();
        const refused = new Probe(t, 'sql', endpoint(gone), { YM_TEST_PW: 'x' });
        assert.equal((await refused.send({ kind: 'sql', statements: [insert('e', 'x')] })).sent, 'not_sent');
        await clean(refused);
        const wrong = new Probe(t, 'sql', endpoint(port), { YM_TEST_PW: 'wrong' });
        facts = await wrong.send({ kind: 'sql', statements: [insert('f', 'x')] });
        assert.equal(facts.sent, 'not_sent');
        assert.doesNotMatch(facts.problem, /wrong/);
        await clean(wrong);
    });
}
