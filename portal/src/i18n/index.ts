// SPDX-License-Identifier: Apache-2.0
// zh-CN is complete and leads; en stands beside it key by key (checked by the type below).
import { watch } from 'vue';
import { createI18n } from 'vue-i18n';
import { language } from '@/state/settings';
import type { Words } from '@/api/types';
import zh from './zh-CN';
import en from './en';

export const i18n = createI18n({
  legacy: false,
  locale: language.value,
  fallbackLocale: 'zh-CN',
  messages: { 'zh-CN': zh, en },
});

watch(language, (value) => { i18n.global.locale.value = value; });

/** The words of a label that comes from the gateway. */
export function words(w: Words | undefined): string {
  if (!w) return '';
  return language.value === 'en' ? w.en ?? w.zh : w.zh;
}
