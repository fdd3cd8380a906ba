// SPDX-License-Identifier: Apache-2.0
// What a page is called in the browser's list of windows. Never a record's own title: it names people.
import { nextTick, watch } from 'vue';
import type { Router } from 'vue-router';
import { i18n } from '@/i18n';

const TITLES: Record<string, string> = {
  home: 'nav.home', new: 'nav.file', records: 'nav.records', record: 'ops.record', edit: 'records.mend', print: 'records.print',
  delivery: 'ops.desk.title', amend: 'ops.desk.amend', sessions: 'who.sessions', promise: 'feedback.promise', vault: 'home.apps', systems: 'ops.systems', deliveries: 'ops.deliveries',
  reports: 'ops.reports', adapters: 'reports.adapters', feedback: 'feedback.list', users: 'ops.users', audit: 'ops.audit', nowhere: 'say.nowhere',
};

/** Keeps the title, and after a change of page puts the focus into it, so that a screen reader reads on there. */
export function followPages(router: Router): void {
  const name = (): void => {
    const key = TITLES[String(router.currentRoute.value.name)];
    const app = i18n.global.t('app.name');
    document.title = key ? `${i18n.global.t(key)} · ${app}` : app;
  };
  watch(i18n.global.locale, name, { flush: 'post' });
  router.afterEach((to, from, failure) => {
    if (failure) return;
    name();
    if (from.matched.length === 0 || to.path === from.path) return;
    void nextTick(() => document.getElementById('content')?.focus({ preventScroll: true }));
  });
}
