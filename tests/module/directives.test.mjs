/* SPDX-License-Identifier: Apache-2.0
 * docs/directives.md: every directive has an example, and nginx takes every example as it stands.
 */
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { Deployment, withSessions } from '../lib/gateway.mjs';
import { TOP, testNginx } from '../lib/nginx.mjs';

const text = fs.readFileSync(path.join(TOP, 'docs/directives.md'), 'utf8');
const sections = text.split(/^### /m).slice(1).map((s) => ({ name: s.slice(0, s.indexOf('\n')), body: s }));
const examples = sections.flatMap(({ name, body }) => [...body.matchAll(/^```nginx\n([\s\S]*?)^```$/gm)].map((m) => ({ name, code: m[1] })));
const contexts = (body) => /\*\*Context\*\* ([a-z, ]+)/.exec(body)?.[1].split(', ') ?? [];

describe('docs/directives.md', () => {
  let deploy;
  before(() => {
    deploy = new Deployment({ redis: 'unix:/nowhere/redis.sock', auth: withSessions({}, { identity_keys: 'file:keys/identity.pem' }) });
    const key = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    fs.writeFileSync(path.join(deploy.dir, 'keys/identity.pem'), key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  });
  after(() => deploy.remove());

  /* In http {} what may stand there alone, else in the server; upstreams that it names are added. */
  const configure = ({ name, code }, body) => {
    const inHttp = /^(?:limit_req_zone|log_format)/.test(code) || (!/^location/m.test(code) && contexts(body)[0] === 'http');
    const ups = [...new Set([...code.matchAll(/http:\/\/([a-z]+)/g)].map((m) => m[1]))].map((u) => `upstream ${u} { server 127.0.0.1:9; }`).join('\n');
    const own = name === 'yimen_catalog' ? code.replace(/\/srv\/\S+(?=;)/, deploy.file) : code;
    return { http: `${name === 'yimen_catalog' ? '' : `yimen_catalog ${deploy.file};`}\n${ups}\n${inHttp ? own : ''}`, server: inHttp ? 'location / { return 204; }' : own };
  };

  test('every directive has an example of itself', () => {
    for (const { name, body } of sections.filter((s) => s.name.startsWith('yimen_'))) {
      assert.ok(examples.some((e) => e.name === name && e.code.includes(`${name} `)), name);
      assert.match(body, /^\*\*Syntax\*\* `/m, name);
      assert.ok(contexts(body).length > 0, name);
    }
  });

  for (const [i, example] of examples.entries()) {
    test(`nginx takes example ${i + 1}: ${example.name}`, async () => {
      const { body } = sections.find((s) => s.name === example.name);
      const r = await testNginx({ ...configure(example, body), env: { REDIS_PASSWORD: 'example' } });
      assert.equal(r.code, 0, `${example.code}\n${r.text}`);
      assert.doesNotMatch(r.text, /\[(?:warn|error|emerg)\]/);
    });
  }

  test('and a place that is not its context it refuses', async () => {
    for (const { name, body } of sections.filter((s) => s.name.startsWith('yimen_'))) {
      const words = { yimen_catalog: deploy.file, yimen_redis: '127.0.0.1:6379', yimen_api: 'on' }[name] ?? /`\w+ (\S+?)[ ;`]/.exec(body)[1];
      for (const place of ['http', 'server', 'location']) {
        const at = (p) => (p === place ? `${name} ${words};` : '');
        const r = await testNginx({
          http: `${name === 'yimen_catalog' ? '' : `yimen_catalog ${deploy.file};`}\n${at('http')}`,
          server: `${at('server')}\nlocation / { ${at('location')} }`,
        });
        const allowed = contexts(body).includes(place);
        assert.equal(/directive is not allowed here/.test(r.text), !allowed, `${name} in ${place}: ${r.text}`);
      }
    }
  });
});
