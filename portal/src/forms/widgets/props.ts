// SPDX-License-Identifier: Apache-2.0
import type { Field } from '../model';

/** What every control gets; it answers with `change`, undefined for "nothing". */
export interface ControlProps {
  id: string;
  field: Field;
  value: unknown;
  holder?: Record<string, unknown>;
  invalid?: boolean;
  describedby?: string;
}

export const asText = (value: unknown): string => (value === undefined || value === null ? '' : String(value));
