/* SPDX-License-Identifier: Apache-2.0
 * Proves that a server which cannot show a good certificate gets nothing: unknown issuer, another
 * name, expired. The delivery waits and says why; with `ca_file` and the right name it goes out.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { join } from 'node:path';
import test from 'node:test';
import { startRig, until } from '../dispatcher/rig.mjs';
import { Probe, scratch } from './transport_peers.mjs';

/** An authority of our own: ca.pem, and issue(name, san, days) → {key, cert}. */
function authority(dir) {
    const openssl = (...args) => execFileSync('openssl', args, { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] });
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=a test authority', '-days', '2');
    writeFileSync(join(dir, 'ca.conf'), '[ca]\ndefault_ca=d\n[d]\nnew_certs_dir=.\ndatabase=index\nrand_serial=yes\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n');
    writeFileSync(join(dir, 'index'), '');
    return (name, san, from, to) => {
        openssl('req', '-new', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
        writeFileSync(join(dir, `${name}.ext`), `subjectAltName=${san}\n`);
        openssl('ca', '-batch', '-notext', '-config', 'ca.conf', '-cert', 'ca.pem', '-keyfile', 'ca.key', '-in', `${name}.csr`, '-out', `${name}.pem`,
            '-extfile', `${name}.ext`, '-startdate', from, '-enddate', to);
        return { key: readFileSync(join(dir, `${name}.key`)), cert: readFileSync(join(dir, `${name}.pem`)) };
    };
}

const stamp = (days) => `${new Date(Date.now() + days * 86_400_000).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`;

async function serve(t, pair, handler = (req, res) => res.end('fine')) {
    const server = https.createServer(pair, (req, res) => {
        server.requests += 1;
        req.resume().on('end', () => handler(req, res));
    });
    server.requests = 0;
    server.handshakes = 0;
    server.on('connection', () => { server.handshakes += 1; }).on('tlsClientError', () => {});
    await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
    t.after(() => { server.closeAllConnections(); return new Promise((done) => { server.close(done); }); });
    server.url = `https://127.0.0.1:${server.address().port}/`;
    return server;
}

async function setup(t) {
    const dir = scratch(t), issue = authority(dir), here = 'IP:127.0.0.1';
    return {
        ca: join(dir, 'ca.pem'),
        good: await serve(t, issue('good', here, stamp(-1), stamp(1))),
        other: await serve(t, issue('other', 'DNS:other.example', stamp(-1), stamp(1))),
        expired: await serve(t, issue('expired', here, stamp(-3), stamp(-1))),
    };
}

test('only a certificate from a known issuer, for that name and this day, is sent anything', async (t) => {
    const { ca, good, other, expired } = await setup(t);
    for (const transport of ['http', 'soap', 'form']) {
        const extra = transport === 'soap' ? 'version: "1.1", style: document, namespace: "urn:x", ' : '';
        for (const [server, connection, words] of [
            [good, '', /unable to get local issuer/], /* the system's own authorities know nothing of ours */
            [other, `ca_file: ${ca}`, /does not match|no alternative certificate/],
            [expired, `ca_file: ${ca}`, /expired/],
        ]) {
            const seen = server.handshakes, requests = server.requests;
            const probe = new Probe(t, transport, `endpoint: ${server.url}\nconnection: { ${extra}${connection} }\n`);
            const wire = transport === 'form' ? { kind: 'form', method: 'POST', url: server.url, fields: [['a', 'secret words']] }
                : { kind: 'http', method: 'POST', url: server.url, body: 'secret words', headers: [] };
            const facts = await probe.send(wire);
            assert.equal(facts.sent, 'not_sent', `${transport}: ${JSON.stringify(facts)}`);
            assert.match(facts.problem, words, `${transport}: ${facts.problem}`);
            assert.equal(server.handshakes, seen + 1, `${transport}: it was asked`);
            assert.equal(server.requests, requests, `${transport}: nothing was sent`);
            assert.deepEqual(await probe.close(), { code: 0, signal: null, stderr: '' });
        }
    }
    const probe = new Probe(t, 'http', `endpoint: ${good.url}\nconnection: { ca_file: ${ca} }\n`);
    const facts = await probe.send({ kind: 'http', method: 'POST', url: good.url, body: 'x', headers: [] });
    assert.deepEqual([facts.sent, facts.status, facts.body], ['replied', 200, 'fine'], facts.problem);
    assert.equal(good.requests, 1);
    assert.deepEqual(await probe.close(), { code: 0, signal: null, stderr: '' });
});

test('the delivery waits with the reason, the system is suspended; with ca_file it is delivered', async (t) => {
    const dir = scratch(t), issue = authority(dir);
    const server = await serve(t, issue('good', 'IP:127.0.0.1', stamp(-1), stamp(1)), (req, res) => {
        const made = req.method === 'POST';
        res.writeHead(made ? 200 : 404, { 'content-type': 'application/json' });
        res.end(JSON.stringify(made ? { code: '0', number: 'L-1', revision: 1 } : { code: 'absent' }));
    });
    const rig = await startRig({ systems: ['ledger'], start: false });
    t.after(() => rig.close());
    const site = (more) => writeFileSync(join(rig.dir, 'config/systems/ledger.yaml'), `enabled: true\nendpoint: ${server.url.slice(0, -1)}\n${more}`);
    site('');
    await rig.start();
    const id = await rig.accept(['ledger']);
    const suspended = await until('suspended', async () => { const s = await rig.system('ledger'); return s.breaker && s.breaker !== 'closed' && s; });
    assert.match(JSON.stringify(suspended), /local issuer|certificate/);
    await rig.settled(id, 'ledger', 'qr');
    assert.equal(server.requests, 0);
    site(`connection: { ca_file: ${join(dir, 'ca.pem')} }\n`);
    await rig.stop();
    await rig.start();
    assert.equal((await rig.settled(id, 'ledger')).number, 'L-1');
});
