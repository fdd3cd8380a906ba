// SPDX-License-Identifier: Apache-2.0
// The person's own settings of this browser: language and 关怀模式.
import { ref, watch } from 'vue';
import { setLanguage } from '@/api/client';

export type Language = 'zh-CN' | 'en';

function stored(key: string): string | null {
  try { return localStorage.getItem(key); } catch { return null; }
}

function keep(key: string, value: string): void {
  try { localStorage.setItem(key, value); } catch { /* a browser without storage forgets, nothing else */ }
}

const wanted = stored('yimen.language') ?? (navigator.language.startsWith('en') ? 'en' : 'zh-CN');

export const language = ref<Language>(wanted === 'en' ? 'en' : 'zh-CN');
export const care = ref(stored('yimen.care') === '1');

watch(language, (value) => {
  keep('yimen.language', value);
  setLanguage(value);
  document.documentElement.lang = value;
}, { immediate: true });

watch(care, (on) => {
  keep('yimen.care', on ? '1' : '0');
  if (on) document.documentElement.dataset.care = '';
  else delete document.documentElement.dataset.care;
}, { immediate: true });
