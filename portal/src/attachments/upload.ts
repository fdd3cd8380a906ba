// SPDX-License-Identifier: Apache-2.0
// Uploading, with how far it is: what fetch cannot tell. The same file again gets the same id, so it may
// be repeated as often as the network wants.
import { reactive } from 'vue';
import { answered, Offline, Problem, requestHeaders } from '@/api/client';
import type { Attachment } from '@/api/types';
import { i18n } from '@/i18n';
import { blobOf, type DraftFile } from './files';

/** Key of a file → how much of it has left, 0 to 1. */
export const progress = reactive<Record<string, number>>({});

function send(file: DraftFile, blob: Blob): Promise<Attachment> {
  const query = new URLSearchParams({ kind: file.kind });
  if (file.captured_at) query.set('captured_at', file.captured_at);
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest();
    request.open('POST', `/api/v1/attachments?${query.toString()}`);
    for (const [name, value] of Object.entries(requestHeaders('POST'))) request.setRequestHeader(name, value);
    request.setRequestHeader('Content-Type', file.mime);
    request.setRequestHeader('Content-Disposition', `attachment; filename*=UTF-8''${encodeURIComponent(file.name).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`)}`);
    request.upload.onprogress = (e) => { if (e.lengthComputable) progress[file.key] = e.loaded / e.total; };
    request.onerror = () => { fail(new Offline()); };
    request.onabort = () => { fail(new Offline()); };
    request.onload = () => {
      try { done(answered<Attachment>(request.status, request.responseText, request.getResponseHeader('X-Request-Id'))); } catch (error) { fail(error as Error); }
    };
    request.send(blob);
  });
}

function lost(file: DraftFile, index: number): Problem {
  const message = i18n.global.t('files.lost', { name: file.name });
  return new Problem({ status: 422, detail: message, errors: [{ pointer: `/attachments/${index}`, code: 'lost', message }] });
}

/** Every file that has no id yet gets one. */
export async function uploadAll(files: DraftFile[]): Promise<DraftFile[]> {
  const done: DraftFile[] = [];
  for (const file of files) {
    if (file.id) {
      done.push(file);
      continue;
    }
    const blob = await blobOf(file.key);
    if (!blob) throw lost(file, done.length);
    try {
      progress[file.key] = 0;
      done.push({ ...file, id: (await send(file, blob)).id });
    } finally { delete progress[file.key]; }
  }
  return done;
}
