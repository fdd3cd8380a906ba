// SPDX-License-Identifier: Apache-2.0
// Photos of a draft, kept on this device until the record is filed. What a form knows of one is a
// DraftFile; its bytes stand beside it under the same key.
import { newKey } from '@/records/drafts';
import { database } from '@/records/database';
import { shrink } from './shrink';

export type Kind = 'photo' | 'audio' | 'doc' | 'signature';

export interface DraftFile {
  key: string;
  /** Of the gateway: it is uploaded. */
  id?: string;
  kind: Kind;
  name: string;
  mime: string;
  size: number;
  captured_at?: string;
}

export const FILES_MOST = 20;
export const BYTES_MOST = 20 << 20;

const DOCUMENTS = new Set(['application/pdf', 'audio/mpeg', 'audio/mp4', 'audio/amr', 'audio/wav']);

/** What may be chosen; a picture becomes a JPEG whatever it was. */
export const ACCEPT = `image/*,${[...DOCUMENTS].join(',')}`;

export class NotTaken extends Error {
  constructor(readonly why: 'type' | 'size' | 'count') { super(why); }
}

const known = new Map<string, Blob>();

export async function blobOf(key: string): Promise<Blob | undefined> {
  const here = known.get(key);
  if (here) return here;
  const kept = (await (await database()).get('files', key))?.blob;
  if (kept) known.set(key, kept);
  return kept;
}

/** Takes a file of this device into a draft. Throws NotTaken, or Unreadable for a broken picture. */
export async function take(draft: string, file: File): Promise<DraftFile> {
  const picture = file.type.startsWith('image/');
  if (!picture && !DOCUMENTS.has(file.type)) throw new NotTaken('type');
  const blob = picture ? await shrink(file) : file;
  if (blob.size > BYTES_MOST || blob.size === 0) throw new NotTaken('size');
  const key = newKey();
  known.set(key, blob);
  await (await database()).put('files', { key, draft, blob });
  return {
    key,
    kind: picture ? 'photo' : file.type.startsWith('audio/') ? 'audio' : 'doc',
    name: picture ? `${file.name.replace(/\.[^.]*$/, '') || 'photo'}.jpg` : file.name,
    mime: picture ? 'image/jpeg' : file.type,
    size: blob.size,
    captured_at: new Date(file.lastModified || Date.now()).toISOString().replace(/\.\d+/, ''),
  };
}

export async function forget(key: string): Promise<void> {
  known.delete(key);
  await (await database()).delete('files', key);
}

export async function forgetAll(draft: string): Promise<void> {
  const db = await database();
  for (const key of await db.getAllKeysFromIndex('files', 'draft', draft)) await forget(key);
}
