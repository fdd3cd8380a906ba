/* SPDX-License-Identifier: Apache-2.0
 * Request Tracker 5 (Debian: request-tracker5, rt5-db-sqlite, rt5-standalone) on SQLite.
 */
import fs from 'node:fs';
import path from 'node:path';
import { PUBLIC, Server, freePort, makeDir, run } from './peer.mjs';

const perl = (text) => `'${text.replace(/['\\]/g, '\\$&')}'`;

/* people: {login: {password, name}}; below: the path that browsers have it at */
export async function startRt(people, { below = '/apps/rt' } = {}) {
  const dir = makeDir('rt');
  const port = await freePort();
  for (const d of ['conf.d', 'data', 'log', 'session']) fs.mkdirSync(path.join(dir, d));
  const settings = {
    rtname: 'yimen.test', Organization: 'yimen.test', WebDomain: 'yimen.example', WebPort: 443, WebPath: below, WebBaseURL: PUBLIC,
    DatabaseType: 'SQLite', DatabaseName: path.join(dir, 'data/rt5'), DatabaseUser: '', DatabasePassword: '',
    LogToSTDERR: 'warning', MailCommand: 'testfile', Timezone: 'UTC', LogDir: path.join(dir, 'log'), WebSessionClass: 'Apache::Session::File',
    MasonDataDir: path.join(dir, 'mason'), MasonSessionDir: path.join(dir, 'session'), CorrespondAddress: 'rt@yimen.test', CommentAddress: 'rt@yimen.test', WebSecureCookies: 0,
  };
  const lines = Object.entries(settings).map(([k, v]) => `Set($${k}, ${typeof v === 'number' ? v : perl(v)});`);
  fs.writeFileSync(path.join(dir, 'conf.d/10-test.pm'), `${lines.join('\n')}\nSet($LogToSyslog, undef); Set($LogToFile, undef); Set($SetOutgoingMailFrom, 0);\n1;\n`);
  fs.writeFileSync(path.join(dir, 'site.pm'), '1;\n');
  const env = { ...process.env, RT_SITE_CONFIG: path.join(dir, 'site.pm'), RT_SITE_CONFIG_DIR: path.join(dir, 'conf.d') };
  try {
    await run('/usr/sbin/rt-setup-database-5', ['--action', 'init', '--skip-create', '--dba', ''], { env });
    const users = Object.entries(people).map(([login, p]) => `my ($ok, $m) = RT::User->new(RT->SystemUser)->Create(Name => ${perl(login)}, RealName => ${perl(p.name)}, Password => ${perl(p.password)}, Privileged => 1, EmailAddress => ${perl(`${login}@yimen.test`)}); die $m unless $ok;`);
    await run('perl', ['-I/usr/share/request-tracker5/lib', '-Mutf8', '-e', `use RT; RT::LoadConfig(); RT::Init(); ${users.map((u) => `{ ${u} }`).join('\n')}`], { env });
    const server = new Server(dir, port);
    await server.start('/usr/share/request-tracker5/libexec/rt-server', ['--port', port, '--host', '127.0.0.1', '--server', 'Starlet', '--max-workers', '2'],
      { env, ready: "/" });
    return server;
  } catch (e) {
    fs.rmSync(dir, { recursive: true, force: true });
    throw e;
  }
}
