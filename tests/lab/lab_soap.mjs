/* SPDX-License-Identifier: Apache-2.0
 * SOAP platforms: npm `soap` finds the operation by the WSDL and writes replies and faults; the
 * arguments are read once more from the raw bytes with sax, because npm soap trims text, turns
 * numbers into numbers and parses a string that begins with an XML declaration.
 */
import sax from 'sax';
import soap from 'soap';

const ENVELOPES = { 'http://schemas.xmlsoap.org/soap/envelope/': '1.1', 'http://www.w3.org/2003/05/soap-envelope': '1.2' };

/** XML text → {name, ns, text, kids}; throws on anything not well-formed, on DTDs and on entities. */
export function parseXml(text) {
    const p = sax.parser(true, { xmlns: true });
    let root, top;
    p.onerror = (e) => { throw e; };
    p.ondoctype = () => { throw new Error('DOCTYPE'); };
    p.onopentag = (t) => {
        const node = { name: t.local, ns: t.uri, text: '', kids: [], up: top };
        if (top === undefined) root = node;
        else top.kids.push(node);
        top = node;
    };
    p.ontext = p.oncdata = (s) => { if (top !== undefined) top.text += s; };
    p.onclosetag = () => { top = top.up; };
    p.write(text).close();
    if (root === undefined) throw new Error('empty');
    return root;
}

export const kid = (node, name) => node?.kids.find((k) => k.name === name);
export const kidText = (node, name) => kid(node, name)?.text;
/** Children without children of their own, name → exact text; a repeated name is reported. */
export function leaves(node) {
    const out = {};
    for (const k of node?.kids ?? []) {
        if (k.kids.length > 0) continue;
        if (k.name in out) return { fields: out, twice: k.name };
        out[k.name] = k.text;
    }
    return { fields: out };
}

/** {version, header, method} of a request body; undefined when it is no SOAP envelope. */
export function readEnvelope(body) {
    try {
        const root = parseXml(body.toString('utf8'));
        const version = ENVELOPES[root.ns];
        const inner = kid(root, 'Body')?.kids;
        if (root.name !== 'Envelope' || version === undefined || inner?.length !== 1) return undefined;
        return { version, header: kid(root, 'Header'), method: inner[0] };
    } catch {
        return undefined;
    }
}

/**
 * A serverless npm soap service. `call(req, ctx)` gives {status, type, body}; methods get ctx as
 * `request.connection`, the one place where npm soap passes something of ours through.
 */
export async function soapService({ wsdl, path, service, port, methods, v12 }) {
    const server = await new Promise((resolve, reject) => {
        const s = soap.listen(null, {
            path, xml: wsdl, services: { [service]: { [port]: methods } }, forceSoap12Headers: v12,
            envelopeKey: v12 ? 'env' : 'soap', suppressStack: true,
            callback: (err) => (err ? reject(err) : resolve(s)),
        });
    });
    return {
        async call(req, ctx) {
            const r = await server.processRequest(req.body.toString('utf8'),
                { method: 'POST', url: path, headers: req.headers, connection: ctx });
            return { status: r.statusCode, type: v12 ? 'application/soap+xml' : 'text/xml', body: r.body, outcome: ctx.outcome };
        },
    };
}

export const fault11 = (code, text) => ({
    status: 500, type: 'text/xml', outcome: `fault ${code}`,
    body: '<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
        + `<soap:Fault><faultcode>soap:${code}</faultcode><faultstring>${text}</faultstring></soap:Fault></soap:Body></soap:Envelope>`,
});
