/* SPDX-License-Identifier: Apache-2.0
 * A proxy before Redis that knows which worker of nginx each connection belongs to, and holds the
 * answers of some of them back.  On TCP: the kernel tells there whose a port is.
 */
import fs from 'node:fs';
import net from 'node:net';

/* Inodes of the sockets that a process has open. */
function socketsOf(pid) {
  const out = new Set();
  for (const fd of fs.readdirSync(`/proc/${pid}/fd`)) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(fs.readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
      if (inode) out.add(inode);
    } catch { /* closed meanwhile */ }
  }
  return out;
}

/* Local port → inode, of all TCP sockets of this machine. */
const ports = () => new Map(fs.readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1).filter(Boolean)
  .map((line) => line.trim().split(/\s+/)).map((f) => [parseInt(f[1].split(':')[1], 16), f[9]]));

export class WorkerProxy {
  constructor() { this.links = new Set(); this.holdNew = false; }

  /* → "127.0.0.1:PORT"; target: a unix socket, may be set later */
  async start(target) {
    this.target = target;
    this.server = net.createServer((client) => this.#serve(client));
    await new Promise((done) => this.server.listen(0, '127.0.0.1', done));
    this.address = `127.0.0.1:${this.server.address().port}`;
    return this;
  }

  #serve(client) {
    const server = net.connect(this.target);
    const link = { client, server, port: client.remotePort, held: this.holdNew, kept: [], ear: false };
    this.links.add(link);
    const end = () => { client.destroy(); server.destroy(); this.links.delete(link); };
    for (const s of [client, server]) { s.on('error', end); s.on('close', end); s.setNoDelay?.(true); }
    client.on('data', (d) => {
      if (d.includes('SUBSCRIBE')) link.ear = true;
      server.write(d);
    });
    server.on('data', (d) => { if (link.held) link.kept.push(d); else client.write(d); });
  }

  /* The connections of one worker: {ear: […] hearing of changes, rest: […]} */
  of(pid) {
    const [mine, inode] = [socketsOf(pid), ports()];
    const all = [...this.links].filter((l) => mine.has(inode.get(l.port)));
    return { ear: all.filter((l) => l.ear), rest: all.filter((l) => !l.ear) };
  }

  hold(links) { for (const l of links) l.held = true; }
  release(links) { for (const l of links) { l.held = false; for (const d of l.kept.splice(0)) l.client.write(d); } }

  async stop() {
    for (const l of this.links) { l.client.destroy(); l.server.destroy(); }
    await new Promise((done) => this.server.close(done));
  }
}
