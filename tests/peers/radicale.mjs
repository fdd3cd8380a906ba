/* SPDX-License-Identifier: Apache-2.0
 * Radicale, a CalDAV server (Debian: radicale): it knows people by Basic or by a trusted header.
 */
import fs from 'node:fs';
import path from 'node:path';
import { Server, freePort, makeDir } from './peer.mjs';

/* people: {login: password}, or null for the header X-Remote-User */
export async function startRadicale(people) {
  const dir = makeDir('radicale');
  const port = await freePort();
  fs.writeFileSync(path.join(dir, 'users'), Object.entries(people ?? {}).map(([l, p]) => `${l}:${p}\n`).join(''));
  const auth = people ? `type = htpasswd\nhtpasswd_filename = ${dir}/users\nhtpasswd_encryption = plain\ndelay = 0` : 'type = http_x_remote_user';
  fs.writeFileSync(path.join(dir, 'config'), `[server]\nhosts = 127.0.0.1:${port}\n[auth]\n${auth}\n[storage]\nfilesystem_folder = ${dir}/data\n[rights]\ntype = owner_only\n`);
  try {
    return await new Server(dir, port).start('radicale', ['--config', path.join(dir, 'config')], { ready: '/.web/' });
  } catch (e) {
    fs.rmSync(dir, { recursive: true, force: true });
    throw e;
  }
}

/* The principal that the server takes the caller for, by WebDAV (RFC 5397). */
export async function principal(person, target) {
  const r = await person.request('PROPFIND', target, {
    headers: { accept: 'application/xml', 'sec-fetch-mode': 'cors', origin: 'https://yimen.example', 'content-type': 'application/xml', depth: '0' },
    body: '<?xml version="1.0"?><propfind xmlns="DAV:"><prop><current-user-principal/></prop></propfind>',
  });
  return { status: r.status, name: /current-user-principal>\s*<(?:\w+:)?href>\/(?:[^<]*\/)?([^<\/]+)\/</.exec(r.body)?.[1] ?? null, body: r.body, headers: r.headers };
}
