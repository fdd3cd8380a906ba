// SPDX-License-Identifier: Apache-2.0
// Without a signal the portal still opens and still takes a record: the application's own files and
// the public descriptions (types, code tables) are kept; nothing of a person ever is.
const SHELL = 'shell-v1';
const WORDS = 'words-v1';
const KEPT_API = /^\/api\/v1\/(types(\/|$)|codes\/)/;

async function keepShell() {
  const cache = await caches.open(SHELL);
  const manifest = await (await fetch('/assets.json', { cache: 'no-store' })).json();
  const files = new Set(['/', '/icon.svg', '/manifest.webmanifest']);
  for (const chunk of Object.values(manifest)) {
    files.add(`/${chunk.file}`);
    for (const css of chunk.css ?? []) files.add(`/${css}`);
  }
  await cache.addAll([...files]);
  for (const request of await cache.keys()) {
    if (!files.has(new URL(request.url).pathname)) await cache.delete(request);
  }
}

async function networkFirst(request, name) {
  const cache = await caches.open(name);
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put(request, response.clone());
    return response;
  } catch (error) {
    const kept = await cache.match(request, { ignoreVary: true });
    if (kept) return kept;
    throw error;
  }
}

async function page(request) {
  try {
    return await fetch(request);
  } catch (error) {
    const kept = await (await caches.open(SHELL)).match('/');
    if (kept) return kept;
    throw error;
  }
}

async function asset(request) {
  const cache = await caches.open(SHELL);
  return await cache.match(request) ?? fetch(request);
}

self.addEventListener('install', (event) => event.waitUntil(keepShell().then(() => self.skipWaiting())));

self.addEventListener('activate', (event) => event.waitUntil((async () => {
  for (const name of await caches.keys()) if (name !== SHELL && name !== WORDS) await caches.delete(name);
  await self.clients.claim();
})()));

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== self.location.origin) return;
  if (KEPT_API.test(url.pathname)) event.respondWith(networkFirst(request, WORDS));
  else if (url.pathname.startsWith('/assets/') || url.pathname === '/icon.svg') event.respondWith(asset(request));
  else if (request.mode === 'navigate' && !/^\/(api|auth|apps|cas)\//.test(url.pathname)) event.respondWith(page(request));
});
