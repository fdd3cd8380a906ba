/* SPDX-License-Identifier: Apache-2.0
 * Redmine (Debian: redmine, redmine-sqlite, puma) on SQLite, as an instance in a folder of its own.
 */
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { Server, freePort, makeDir, run } from './peer.mjs';

const HOME = '/usr/share/redmine';

/* Made by the package when it was installed: migrated already, and never written to here. */
const MADE = '/var/lib/dbconfig-common/sqlite3/redmine/instances/default/redmine_default';

/* Debian's own bundler: the one that a security update of Ruby brings does not find Debian's gems. */
const GEMS = '/usr/share/rubygems-integration/all/specifications';
const bundler = () => /^bundler-([\d.]+)\.gemspec$/m.exec(fs.readdirSync(GEMS).join('\n'))?.[1];

/* people: {login: {password, name: [first, last], must}}; below: the path that browsers have it at */
export async function startRedmine(people, { below = '/apps/redmine' } = {}) {
  const dir = makeDir('redmine');
  const port = await freePort();
  for (const d of ['config', 'files', 'log', 'tmp/cache', 'tmp/pids', 'public/plugin_assets']) fs.mkdirSync(path.join(dir, d), { recursive: true });
  fs.writeFileSync(path.join(dir, 'config/database.yml'), `production:\n  adapter: sqlite3\n  database: ${path.join(dir, 'redmine.sqlite3')}\n  timeout: 5000\n`);
  if (fs.existsSync(MADE)) fs.copyFileSync(MADE, path.join(dir, 'redmine.sqlite3'));
  fs.writeFileSync(path.join(dir, 'config/secret_key.txt'), crypto.randomBytes(64).toString('hex'));
  /* Debian looks for instances below /var/lib/redmine; so many steps up lead to the root from anywhere */
  const instance = `${'../'.repeat(8)}${dir.slice(1)}`;
  const env = { ...process.env, RAILS_ENV: 'production', REDMINE_INSTANCE: instance, REDMINE_LANG: 'en', BUNDLER_VERSION: bundler(), RAILS_RELATIVE_URL_ROOT: below, SCHEMA: path.join(dir, 'schema.rb'), LANG: 'C.UTF-8' };
  const make = Object.entries(people).map(([login, p]) => `
    u = User.new(firstname: ${JSON.stringify(p.name[0])}, lastname: ${JSON.stringify(p.name[1])}, mail: "${login}@yimen.test", language: "en")
    u.login = ${JSON.stringify(login)}; u.password = u.password_confirmation = ${JSON.stringify(p.password)}; u.must_change_passwd = ${Boolean(p.must)}; u.save!`).join('\n');
  try {
    /* one process for all of it: Rails takes longer to start than the work does */
    await run('bundle', ['exec', 'rails', 'runner', `
      ActiveRecord::Schema.verbose = ActiveRecord::Migration.verbose = false
      c = ActiveRecord::Base.connection
      (c.respond_to?(:migration_context) ? c.migration_context : ActiveRecord::Base.connection_pool.migration_context).migrate
      ActiveRecord::Base.descendants.each(&:reset_column_information)
      Redmine::DefaultData::Loader.load("en") if Redmine::DefaultData::Loader.no_data?
      Setting.login_required = "1"
      ${make}`], { env, cwd: HOME });
    fs.writeFileSync(path.join(dir, 'config.ru'), `require '${HOME}/config/environment'\nmap '${below}' do\n  run RedmineApp::Application\nend\n`);
    const server = new Server(dir, port);
    return await server.start('puma', ['-e', 'production', '-b', `tcp://127.0.0.1:${port}`, '-t', '1:4', path.join(dir, 'config.ru')], { env, cwd: HOME, ready: `${below}/login` });
  } catch (e) {
    fs.rmSync(dir, { recursive: true, force: true });
    throw e;
  }
}
