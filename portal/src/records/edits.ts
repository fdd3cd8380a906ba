// SPDX-License-Identifier: Apache-2.0
// A change of a record that is not saved yet: kept on this device, sent under the revision it began from,
// so that nobody else's change is ever overwritten unseen.
import { reactive } from 'vue';
import { call, Problem } from '@/api/client';
import type { YimenRecord } from '@/api/types';
import { forgetAll, type DraftFile } from '@/attachments/files';
import { uploadAll } from '@/attachments/upload';
import { personHere } from '@/state/session';
import { database } from './database';
import { comesBack } from './drafts';
import { mergePatch } from './patch';
import { tellWindows, whenElsewhere } from './windows';

export interface Edit {
  id: string; // the record
  owner: string;
  base: YimenRecord; // as it was when the change began
  etag: string;
  data: Record<string, unknown>; // as it shall be
  files: DraftFile[];
  changed: number; // ms
  /** Asked to be saved: it leaves as soon as it can. */
  waiting: boolean;
  /** Somebody else was faster, or the gateway objects: the person must look. */
  refused?: string;
}

/** `open`: the record whose editor is on the screen; it sends its change itself. */
export const edits = reactive<{ items: Edit[]; open: string }>({ items: [], open: '' });

/** Under this name its photos are kept. */
export const bytesOf = (id: string): string => `edit:${id}`;

export async function loadEdits(): Promise<void> {
  edits.items = (await (await database()).getAllFromIndex('edits', 'owner', personHere())).sort((a, b) => b.changed - a.changed);
}

export async function findEdit(id: string): Promise<Edit | undefined> {
  const edit = await (await database()).get('edits', id);
  return edit?.owner === personHere() ? edit : undefined;
}

export async function saveEdit(edit: Omit<Edit, 'owner' | 'changed'>): Promise<void> {
  const plain = JSON.parse(JSON.stringify({ ...edit, owner: personHere(), changed: Date.now() })) as Edit;
  await (await database()).put('edits', plain);
  if (!edit.waiting && !edit.refused) tellWindows({ key: bytesOf(edit.id), what: 'saved' }); // somebody types
  await loadEdits();
}

export async function dropEdit(id: string, saved = false): Promise<void> {
  await (await database()).delete('edits', id);
  tellWindows({ key: bytesOf(id), what: saved ? 'filed' : 'gone', record: id });
  await forgetAll(bytesOf(id));
  await loadEdits();
}

const namesOf = (items: { id?: string }[]): string => items.map((f) => f.id).join();

/** Saves it at the gateway, its new photos first. Throws what comesBack() (it goes on waiting) or Problem (412: somebody was faster). */
export async function sendEdit(edit: Omit<Edit, 'owner' | 'changed'>): Promise<void> {
  const patch = mergePatch(edit.base.data, edit.data);
  const other = namesOf(edit.files) !== namesOf(edit.base.attachments);
  try {
    const body: Record<string, unknown> = { data: patch ?? {} };
    if (other) body.attachments = (await uploadAll(edit.files)).map((f) => ({ id: f.id }));
    if (patch || other) await call('PATCH', `/records/${edit.id}`, { body, type: 'application/merge-patch+json', headers: { 'If-Match': edit.etag } });
    await dropEdit(edit.id, true);
  } catch (error) {
    if (comesBack(error)) await saveEdit({ ...edit, waiting: true });
    else if (error instanceof Problem && error.status !== 401) await saveEdit({ ...edit, waiting: false, refused: error.message });
    throw error;
  }
}

whenElsewhere(() => { void loadEdits(); });
