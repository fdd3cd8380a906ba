// SPDX-License-Identifier: Apache-2.0
// Node-RED as a peer: one HTTP-in node whose function sends the body to 12 HTTP request nodes and
// answers 201 at once (not durable). Run from a scratch folder that holds node-red.
// Usage: node node-red.mjs USERDIR SINK_URL      prints its port on one line, serves until SIGTERM
import { createRequire } from 'node:module';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';

const require = createRequire(join(process.cwd(), 'package.json'));
const RED = require('node-red');
const express = require('express');
const [userDir, sink] = process.argv.slice(2);
const targets = Array.from({ length: 12 }, (_, i) => `r${i}`);
writeFileSync(join(userDir, 'flows.json'), JSON.stringify([
  { id: 'tab', type: 'tab', label: 'bench' },
  { id: 'in', type: 'http in', z: 'tab', url: '/records', method: 'post', wires: [['fn']] },
  { id: 'fn', type: 'function', z: 'tab', outputs: 2, func: 'const b = JSON.parse(JSON.stringify(msg.payload)); return [Object.assign({}, msg, {statusCode: 201, payload: "{}"}), {payload: b}];', wires: [['out'], targets] },
  { id: 'out', type: 'http response', z: 'tab', wires: [] },
  ...targets.map((id) => ({ id, type: 'http request', z: 'tab', method: 'POST', ret: 'txt', url: sink, persist: true, wires: [[]] })),
]));
const app = express();
const server = createServer(app);
RED.init(server, { userDir, flowFile: 'flows.json', httpAdminRoot: false, httpNodeRoot: '/', logging: { console: { level: 'fatal' } }, functionExternalModules: false });
app.use('/', RED.httpNode);
server.listen(0, '127.0.0.1', async () => {
  await RED.start();
  setTimeout(() => console.log(server.address().port), 1500);
});
process.on('SIGTERM', () => process.exit(0));
