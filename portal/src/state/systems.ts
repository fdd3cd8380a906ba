// SPDX-License-Identifier: Apache-2.0
// The names of the systems, asked once.
import { reactive } from 'vue';
import { get } from '@/api/client';
import type { Page, SystemStatus, Words } from '@/api/types';
import { words } from '@/i18n';

const titles = reactive<Record<string, Words>>({});
let asked = false;

async function load(): Promise<void> {
  asked = true;
  try {
    for (const s of (await get<Page<SystemStatus>>('/systems')).items) titles[s.id] = s.title;
  } catch { asked = false; }
}

export function systemTitle(id: string): string {
  if (!asked) void load();
  return words(titles[id]) || id;
}
