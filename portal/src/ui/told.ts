// SPDX-License-Identifier: Apache-2.0
// What people are told of something that failed: the gateway's own words, or that it could not be reached.
import { Offline } from '@/api/client';
import { i18n } from '@/i18n';

export function told(error: unknown): string {
  if (error instanceof Offline) return i18n.global.t('say.unreachable');
  return error instanceof Error && error.message ? error.message : i18n.global.t('say.failed');
}
