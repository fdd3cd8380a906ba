// SPDX-License-Identifier: Apache-2.0
/** "312 KB", "1.4 MB" */
export function sizeOf(bytes: number): string {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1000))} KB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
