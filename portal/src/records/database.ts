// SPDX-License-Identifier: Apache-2.0
// What this device keeps: drafts, and the bytes of their photos.
import { openDB, type DBSchema, type IDBPDatabase } from 'idb';
import type { Draft } from './drafts';

interface Schema extends DBSchema {
  drafts: { key: string; value: Draft; indexes: { owner: string } };
  files: { key: string; value: { key: string; draft: string; blob: Blob }; indexes: { draft: string } };
}

let opened: Promise<IDBPDatabase<Schema>> | null = null;

export function database(): Promise<IDBPDatabase<Schema>> {
  opened ??= openDB<Schema>('yimen', 2, {
    upgrade(db, from) {
      if (from < 1) db.createObjectStore('drafts', { keyPath: 'key' }).createIndex('owner', 'owner');
      if (from < 2) db.createObjectStore('files', { keyPath: 'key' }).createIndex('draft', 'draft');
    },
    blocking(_old, _new, event) { (event.target as IDBDatabase).close(); opened = null; }, // another tab has a newer portal
  });
  return opened;
}
