// SPDX-License-Identifier: Apache-2.0
// What somebody types is kept on this device at every change and filed when there is a network, under
// one idempotency key for good: however often it is sent, there is one record.
import { reactive } from 'vue';
import { call, Offline, Problem } from '@/api/client';
import type { YimenRecord } from '@/api/types';
import { forgetAll, type DraftFile } from '@/attachments/files';
import { uploadAll } from '@/attachments/upload';
import { personHere } from '@/state/session';
import { database } from './database';
import { tellWindows, whenElsewhere } from './windows';

export interface Draft {
  key: string; // the Idempotency-Key
  owner: string; // the person; another one on the same device does not see it
  type: string;
  data: Record<string, unknown>;
  targets: string[] | null; // null: whatever the gateway chooses
  files?: DraftFile[];
  changed: number; // ms
  /** Asked to be filed: it leaves as soon as it can. */
  waiting: boolean;
  /** The gateway refused it: the person must look. */
  refused?: string;
}

export const drafts = reactive<{ items: Draft[] }>({ items: [] });

export async function loadDrafts(): Promise<void> {
  const all = await (await database()).getAllFromIndex('drafts', 'owner', personHere());
  drafts.items = all.sort((a, b) => b.changed - a.changed);
}

export const newDraft = (type: string, data: Record<string, unknown>): Draft =>
  ({ key: newKey(), owner: personHere(), type, data, targets: null, changed: Date.now(), waiting: false });

/* An Idempotency-Key. Chromium has randomUUID from version 92 on. */
export function newKey(): string {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((b) => b.toString(16).padStart(2, '0')).join('');
}

export async function saveDraft(draft: Draft): Promise<void> {
  const plain = JSON.parse(JSON.stringify({ ...draft, changed: Date.now() })) as Draft;
  await (await database()).put('drafts', plain);
  if (!draft.waiting && !draft.refused) tellWindows({ key: draft.key, what: 'saved' }); // somebody types
  await loadDrafts();
}

export async function findDraft(key: string): Promise<Draft | undefined> {
  const draft = await (await database()).get('drafts', key);
  return draft?.owner === personHere() ? draft : undefined;
}

/** `record`: what it has become. */
export async function dropDraft(key: string, record?: string): Promise<void> {
  await (await database()).delete('drafts', key);
  tellWindows({ key, what: record ? 'filed' : 'gone', record });
  await forgetAll(key);
  await loadDrafts();
}

/** Uploads that waited too long are gone at the gateway: they are sent once more. */
const forgotten = (error: unknown): boolean => error instanceof Problem
  && error.errors.some((e) => e.pointer.startsWith('/attachments/') && e.code === 'unknown');

async function send(draft: Draft): Promise<YimenRecord> {
  const body: Record<string, unknown> = { type: draft.type, data: draft.data };
  if (draft.targets) body.targets = draft.targets;
  if (draft.files?.length) body.attachments = (await uploadAll(draft.files)).map((f) => ({ id: f.id }));
  return (await call<YimenRecord>('POST', '/records', { body, headers: { 'Idempotency-Key': draft.key, Prefer: 'wait=2' } })).data;
}

/** Nothing is wrong with what was sent: it goes again later. */
export const comesBack = (error: unknown): boolean => error instanceof Offline
  || (error instanceof Problem && (error.status >= 500 || error.status === 429));

/** Files it, its photos first. Throws what comesBack() (the draft goes on waiting) or Problem (the draft stays, refused). */
export async function fileDraft(draft: Draft): Promise<YimenRecord> {
  try {
    const record = await send(draft).catch((error: unknown) => {
      if (!forgotten(error)) throw error;
      return send({ ...draft, files: draft.files?.map((f) => ({ ...f, id: undefined })) });
    });
    await dropDraft(draft.key, record.id);
    return record;
  } catch (error) {
    if (comesBack(error)) await saveDraft({ ...draft, waiting: true });
    else if (error instanceof Problem && error.status !== 401) await saveDraft({ ...draft, waiting: false, refused: error.message });
    throw error;
  }
}

whenElsewhere(() => { void loadDrafts(); });
