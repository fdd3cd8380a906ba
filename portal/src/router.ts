// SPDX-License-Identifier: Apache-2.0
// Every page; those of operations are loaded only where they are used.
import { createRouter, createWebHistory } from 'vue-router';
import { isKnown, loadMe, me, signIn } from '@/state/session';

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: '/', name: 'home', component: () => import('@/home/HomePage.vue') },
    { path: '/new/:type', name: 'new', component: () => import('@/records/NewPage.vue') },
    { path: '/records', name: 'records', component: () => import('@/records/RecordsPage.vue') },
    { path: '/records/:id', name: 'record', component: () => import('@/records/RecordPage.vue') },
    { path: '/records/:id/edit', name: 'edit', component: () => import('@/records/EditPage.vue') },
    { path: '/records/:id/print', name: 'print', component: () => import('@/records/PrintPage.vue') },
    { path: '/sessions', name: 'sessions', component: () => import('@/account/SessionsPage.vue') },
    { path: '/promise', name: 'promise', component: () => import('@/feedback/PromisePage.vue') },
    { path: '/vault/:system', name: 'vault', component: () => import('@/vault/VaultPage.vue') },
    {
      path: '/console',
      component: () => import('@/console/ConsolePage.vue'),
      children: [
        { path: '', name: 'systems', component: () => import('@/console/SystemsPage.vue') },
        { path: 'deliveries', name: 'deliveries', component: () => import('@/console/DeliveriesPage.vue') },
        { path: 'deliveries/:id/:system', name: 'delivery', component: () => import('@/console/DeliveryPage.vue') },
        { path: 'deliveries/:id/:system/amend', name: 'amend', component: () => import('@/console/AmendPage.vue') },
        { path: 'reports', name: 'reports', component: () => import('@/console/ReportsPage.vue') },
        { path: 'adapters', name: 'adapters', component: () => import('@/console/AdaptersPage.vue') },
        { path: 'feedback', name: 'feedback', component: () => import('@/console/FeedbackPage.vue') },
        { path: 'users', name: 'users', component: () => import('@/console/UsersPage.vue') },
        { path: 'audit', name: 'audit', component: () => import('@/console/AuditPage.vue') },
      ],
    },
    { path: '/:unknown(.*)*', name: 'nowhere', component: () => import('@/ui/NowherePage.vue') },
  ],
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
});

router.beforeEach(async (to) => {
  if (!isKnown.value) await loadMe().catch(() => null);
  if (me.value === null && navigator.onLine) {
    signIn(to.fullPath);
    return false;
  }
  return true;
});
