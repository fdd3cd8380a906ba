// SPDX-License-Identifier: Apache-2.0
import { createApp } from 'vue';
import App from './App.vue';
import { i18n } from './i18n';
import { router } from './router';
import { followPages } from './ui/page-title';
import './styles/tokens.css';
import './styles/base.css';

followPages(router);
createApp(App).use(i18n).use(router).mount('#app');

if ('serviceWorker' in navigator && import.meta.env.PROD) {
  window.addEventListener('load', () => { navigator.serviceWorker.register('/sw.js').catch(() => undefined); });
}
