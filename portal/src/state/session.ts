// SPDX-License-Identifier: Apache-2.0
// Who is signed in, asked of the gateway and never kept beyond the page.
import { computed, reactive } from 'vue';
import { get, setCsrf, whenSignedOut, Problem } from '@/api/client';
import type { Me, Role } from '@/api/types';

const state = reactive<{ me: Me | null; known: boolean }>({ me: null, known: false });

export const me = computed(() => state.me);
export const isKnown = computed(() => state.known);

export function has(...roles: Role[]): boolean {
  return roles.some((role) => state.me?.roles.includes(role));
}

export const isOperator = computed(() => has('operator', 'admin'));

export async function loadMe(): Promise<Me | null> {
  try {
    state.me = await get<Me>('/me');
    setCsrf(state.me.csrf ?? '');
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 401) throw error;
    state.me = null;
  } finally {
    state.known = true;
  }
  return state.me;
}

/** To the sign-in page and back to where one was. */
export function signIn(): void {
  const here = `${location.pathname}${location.search}`;
  location.assign(`/auth/login?rd=${encodeURIComponent(here)}`);
}

whenSignedOut(() => { state.me = null; });
