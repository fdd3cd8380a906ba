// SPDX-License-Identifier: Apache-2.0
// What this device keeps: drafts, the bytes of their photos, and changes that are not saved yet.
import { openDB, type DBSchema, type IDBPDatabase } from 'idb';
import type { Draft } from './drafts';
import type { Edit } from './edits';

interface Schema extends DBSchema {
  drafts: { key: string; value: Draft; indexes: { owner: string } };
  files: { key: string; value: { key: string; draft: string; blob: Blob }; indexes: { draft: string } };
  edits: { key: string; value: Edit; indexes: { owner: string } };
}

let opened: Promise<IDBPDatabase<Schema>> | null = null;

export function database(): Promise<IDBPDatabase<Schema>> {
  opened ??= openDB<Schema>('yimen', 3, {
    upgrade(db, from) {
      if (from < 1) db.createObjectStore('drafts', { keyPath: 'key' }).createIndex('owner', 'owner');
      if (from < 2) db.createObjectStore('files', { keyPath: 'key' }).createIndex('draft', 'draft');
      if (from < 3) db.createObjectStore('edits', { keyPath: 'id' }).createIndex('owner', 'owner');
    },
    blocking(_old, _new, event) { (event.target as IDBDatabase).close(); opened = null; }, // another tab has a newer portal
  });
  return opened;
}
