// SPDX-License-Identifier: Apache-2.0
// What the API answers (docs/api.md, /api/v1/openapi.json).

export type Role = 'staff' | 'supervisor' | 'operator' | 'auditor' | 'admin';

/** What a site grants to roles beyond what they may anyway. */
export type Right = 'reveal' | 'amend';

/** The built-in type: it goes to operators only, and is no form of anybody's work. */
export const FEEDBACK = 'feedback';

export interface Words { zh: string; en?: string }

export interface Me {
  subject: string;
  name?: string;
  login?: string;
  org?: string;
  area?: string;
  roles: Role[];
  rights?: Right[];
  provider?: string;
  csrf?: string;
  session?: { id: string; created_at: string; expires_at: string };
}

export type DeliveryState =
  | 'queued' | 'sending' | 'delivered' | 'retrying' | 'held' | 'unknown'
  | 'rejected' | 'dead' | 'handoff' | 'withdrawn';

export interface DeliveryProblem {
  code?: string;
  message?: string;
  field?: string;
  at?: number;
}

export interface Delivery {
  state: DeliveryState;
  revision: number;
  wanted: number;
  number: string | null;
  digest?: string;
  attempts: number;
  next_attempt: string | null;
  problem: DeliveryProblem | null;
}

/** A file that came with a record (GET /attachments/{id}). */
export interface Attachment {
  id: string;
  kind: 'photo' | 'audio' | 'doc' | 'signature';
  name: string;
  mime: string;
  size: number;
  sha256?: string;
  captured_at?: string;
}

export interface YimenRecord {
  id: string;
  type: string;
  revision: number;
  data: Record<string, unknown>;
  owner: string;
  org: string;
  area: string;
  created_at: string;
  updated_at: string;
  withdrawn_at: string | null;
  masked?: boolean;
  attachments: Attachment[];
  targets: string[];
  deliveries: Record<string, Delivery>;
}

export interface Page<T> { items: T[]; next?: string | null }

export interface TypeName { name: string; title: Words }

export interface Code {
  code: string;
  label: string;
  label_en?: string;
  parent?: string;
  valid_from?: string;
  valid_to?: string;
}

export interface SystemStatus {
  id: string;
  title: Words;
  enabled: boolean;
  transport: string;
  takes: string[];
  verified: string;
  health: string;
  paused: { by?: string; at?: string; why?: string } | null;
  breaker: string;
  until: string | null;
  last_ok: string | null;
  last_beat: string | null;
  problem: DeliveryProblem | null;
  depth: number;
  oldest_at: string | null;
  counts: Record<string, number>;
}

/** One tile of the home page (GET /applications). */
export interface Application {
  id: string;
  title: Words;
  href: string;
  credentials: 'none' | 'missing' | 'stale' | 'ok';
}

/** My account at an application (GET /vault): never what was entered. */
export interface VaultEntry {
  system: string;
  title: Words;
  ask: string[];
  since: string | null;
  stale: string | null;
}

/** What one system takes of a type (GET /types/{type}/targets). */
export interface Target {
  id: string;
  title: Words;
  conditional: boolean;
  handoff: boolean;
  /** `to`: what the system itself calls it. */
  fields: { pointer: string; required: boolean; max?: number; to?: string[] }[];
}

/** A request as it went, or an answer as it came (GET …/attempts). */
export interface Message { text: string; type?: string; bytes: number; cut: boolean }

export interface AttemptStep {
  operation: string;
  outcome: string;
  sent: 'not_sent' | 'no_reply' | 'replied';
  stage?: string;
  status: number;
  error?: string;
  took_ms: number;
  rule: number;
  number?: string;
  request?: Message;
  answer?: Message;
}

export interface Attempt {
  unreadable?: true;
  at: string;
  attempt: number;
  revision: number;
  op: 'create' | 'update' | 'withdraw' | 'lookup';
  state: DeliveryState;
  steps: AttemptStep[];
}

export interface Attempts { record: string; system: string; masked?: true; items: Attempt[] }
