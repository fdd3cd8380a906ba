/* SPDX-License-Identifier: Apache-2.0
 * Servers that a test starts end with the test's process, and do not keep it alive: a test that
 * fails before it has stopped what it started must not hold up the whole file.
 */
const running = new Set();

process.on('exit', () => { for (const child of running) child.kill('SIGTERM'); });

export const runningPids = () => [...running].map((child) => child.pid);

/* Nobody has to wait for it; who does, calls child.ref() first. */
export function leaveNothing(child) {
  running.add(child);
  child.once('exit', () => running.delete(child));
  child.unref();
  for (const stream of child.stdio) stream?.unref?.();
  return child;
}
