// SPDX-License-Identifier: Apache-2.0
// What stands in a delivery's way: the engine's own findings in the reader's language, else the system's words.
import type { DeliveryProblem } from '@/api/types';
import { i18n } from '@/i18n';

const OWN = ['other_number', 'number_unproven'];

/** The engine's own finding, or nothing. */
export function finding(problem: DeliveryProblem | null | undefined): string {
  const code = problem?.code ?? '';
  return OWN.includes(code) ? i18n.global.t(`records.finding.${code}`, { numbers: problem?.message ?? '' }) : '';
}

export function why(problem: DeliveryProblem | null | undefined): string {
  return finding(problem) || (problem?.message ?? problem?.code ?? '');
}
