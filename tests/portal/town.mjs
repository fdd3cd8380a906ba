/* SPDX-License-Identifier: Apache-2.0
 * A small town's day in a stack: records in every state, one platform that refuses, an old application
 * that wants an account; and every page of the portal, by name.
 */
import { appendFileSync } from 'node:fs';
import { dispute, until } from '../e2e/stack_helper.mjs';

const APPLICATIONS = `  applications:
    village-admin:
      title: { zh: "农村基层政务管理系统", en: "Village Administration" }
      form: { origin: "http://127.0.0.1:9", page: "/login", user: "user", password: "pass" }
    assets:
      title: { zh: "固定资产登记", en: "Asset Register" }
      path: "/apps/assets/"
`;

const RIGHTS = `audit:
  reveal: operator admin
  amend: operator admin
`;

/** Fills a stack (see openStack); → what the pages are about. */
export async function makeTown(stack) {
  appendFileSync(stack.info.config, APPLICATIONS + RIGHTS);
  process.kill(stack.info.pids.nginx, 'SIGHUP');
  await until('the applications', 10, async () => (await stack.api('staff', '/applications')).json?.items.length === 2);
  const fine = await stack.file(dispute({ title: '甲与乙邻里噪声纠纷' }), 20);
  await stack.file(dispute({ title: '某小区物业费纠纷' }), 20);
  await stack.behave('data-commons', 'reject', { field: 'title', calls: 1 });
  const refused = await stack.file(dispute({ title: '某村宅基地边界纠纷' }), 10);
  await stack.post('admin', '/systems/gov-service/pause', { reason: '对方夜间升级' });
  await stack.file(dispute({ title: '农民工工资纠纷' }), 3);
  await stack.post('staff', '/feedback', { data: { kind: 'twice', text: '人员类别在两个步骤里各选了一次。', page: '/new/dispute', app_version: '1' } });
  return { fine: fine.id, refused: refused.id };
}

/*
 * name, role, path, what is waited for, what is done before it is looked at.
 */
export const pages = (town) => [
  { name: 'home', role: 'staff', path: '/', ready: '.tile.first' },
  { name: 'new', role: 'staff', path: '/new/dispute', ready: '#f_title' },
  { name: 'records', role: 'staff', path: '/records', ready: 'main ul li' },
  { name: 'record', role: 'staff', path: `/records/${town.fine}`, ready: 'main section li' },
  { name: 'refused', role: 'staff', path: `/records/${town.refused}`, ready: 'main section li' },
  {
    name: 'card',
    role: 'staff',
    path: `/records/${town.fine}`,
    ready: 'main section li',
    async act(page) {
      await page.getByRole('button', { name: /查看填报卡片|card/i }).first().click();
      await page.waitForSelector('[role=dialog] dl, [role=dialog] dt');
    },
  },
  { name: 'edit', role: 'staff', path: `/records/${town.fine}/edit`, ready: '#f_title' },
  { name: 'print', role: 'staff', path: `/records/${town.fine}/print`, ready: 'main table, main article, main section' },
  { name: 'vault', role: 'staff', path: '/vault/village-admin', ready: '#v_login' },
  { name: 'sessions', role: 'staff', path: '/sessions', ready: 'main li, main table' },
  { name: 'promise', role: 'staff', path: '/promise', ready: 'main li' },
  {
    name: 'feedback',
    role: 'staff',
    path: '/promise',
    ready: 'main li',
    async act(page) {
      await page.getByRole('button', { name: /意见反馈|Feedback/ }).click();
      await page.waitForSelector('[role=dialog] input[type=radio]');
    },
  },
  { name: 'nowhere', role: 'staff', path: '/no/such/page', ready: 'h1' },
  { name: 'systems', role: 'admin', path: '/console', ready: 'tbody tr' },
  { name: 'deliveries', role: 'admin', path: '/console/deliveries', ready: 'tbody tr, main li' },
  { name: 'delivery', role: 'admin', path: `/console/deliveries/${town.refused}/data-commons`, ready: 'article pre' },
  {
    name: 'amend',
    role: 'admin',
    path: `/console/deliveries/${town.refused}/data-commons/amend`,
    ready: '[role=dialog] textarea',
    async act(page) {
      await page.fill('[role=dialog] textarea', '按来电更正');
      await page.click('[role=dialog] button[type=submit]');
      await page.waitForSelector('#f_title');
    },
  },
  { name: 'adapters', role: 'admin', path: '/console/adapters?system=zj-odr', ready: 'main table' },
  { name: 'reports', role: 'admin', path: '/console/reports', ready: 'main table' },
  { name: 'opinions', role: 'admin', path: '/console/feedback', ready: 'main li.card' },
  { name: 'users', role: 'admin', path: '/console/users', ready: 'tbody tr, main li' },
  { name: 'audit', role: 'admin', path: '/console/audit', ready: 'tbody tr, main li' },
];

/** Opens one of them and waits until it stands still. */
export async function show(person, page) {
  await person.go(page.path);
  await person.page.waitForSelector(page.ready, { timeout: 30000 });
  await person.page.waitForFunction(() => !document.querySelector('main [role=status]')?.textContent?.includes('…'));
  await page.act?.(person.page);
}
