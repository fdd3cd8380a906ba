// SPDX-License-Identifier: Apache-2.0
// A table of the gateway as a file; what is in it is made there (RFC 4180, with a byte-order mark).
import { getFile } from '@/api/client';

export async function download(path: string, query: Record<string, string | undefined>, name: string): Promise<void> {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(await getFile(path, query, 'text/csv'));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
