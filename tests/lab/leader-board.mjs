/* SPDX-License-Identifier: Apache-2.0
 * 领导留言板 has no interface and must not get one (domain reference §2.5): it is listed so that a
 * test knows the system exists and is handed over to a person. It holds nothing.
 */
import { Store } from './lab_store.mjs';

export async function start() {
    return {
        store: new Store('leader-board', 'LB'), stop: async () => {},
        site: { title: '领导留言板', transport: 'handoff' },
    };
}
