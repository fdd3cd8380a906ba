// SPDX-License-Identifier: Apache-2.0
// Static files under build/portal, for the WebViews of Chromium 80; nothing is loaded from elsewhere.
import { fileURLToPath } from 'node:url';
import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vite';

const gateway = process.env.YIMEN_GATEWAY ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [vue()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  define: { __VUE_OPTIONS_API__: false, __INTLIFY_PROD_DEVTOOLS__: false, __VUE_I18N_LEGACY_API__: false },
  build: {
    outDir: process.env.YIMEN_PORTAL_OUT ?? '../build/portal',
    emptyOutDir: true,
    manifest: 'assets.json', // what the service worker keeps
    target: 'chrome80',
    cssTarget: 'chrome80',
    assetsInlineLimit: 0, // the Content-Security-Policy allows no data: scripts or styles
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: { proxy: { '/api': gateway, '/auth': gateway, '/apps': gateway } },
});
