// SPDX-License-Identifier: Apache-2.0
// Who is signed in, asked of the gateway and never kept beyond the page.
import { computed, reactive } from 'vue';
import { get, setCsrf, whenForged, whenSignedOut, Problem } from '@/api/client';
import type { Me, Right, Role } from '@/api/types';

const state = reactive<{ me: Me | null; known: boolean; expired: boolean }>({ me: null, known: false, expired: false });

export const me = computed(() => state.me);
export const isKnown = computed(() => state.known);

/** Somebody was signed in on this page and is no longer. */
export const expired = computed(() => state.expired);

export function has(...roles: Role[]): boolean {
  return roles.some((role) => state.me?.roles.includes(role));
}

/** Rights that the site grants by role (audit: reveal, amend). */
export function may(right: Right): boolean {
  return state.me?.rights?.includes(right) ?? false;
}

export const isOperator = computed(() => has('operator', 'admin'));

/* Offline the page does not know who is there: the last person of this device. */
const PERSON = 'yimen.person';

export const personHere = (): string => {
  if (state.me) return state.me.subject;
  try { return localStorage.getItem(PERSON) ?? ''; } catch { return ''; }
};

function rememberPerson(subject: string): void {
  try { localStorage.setItem(PERSON, subject); } catch { /* drafts then need a sign-in to show */ }
}

export function forgetPerson(): void {
  try { localStorage.removeItem(PERSON); } catch { /* nothing was kept */ }
}

export async function loadMe(): Promise<Me | null> {
  try {
    state.me = await get<Me>('/me');
    state.expired = false;
    setCsrf(state.me.csrf ?? '');
    rememberPerson(state.me.subject);
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 401) throw error;
    state.me = null;
  } finally {
    state.known = true;
  }
  return state.me;
}

/** To the sign-in page and back to where one was, or was about to go. */
export function signIn(to = `${location.pathname}${location.search}`): void {
  location.assign(`/auth/login?rd=${encodeURIComponent(to)}`);
}

whenSignedOut(() => {
  state.expired ||= state.me !== null;
  state.me = null;
});

/* Who signed in anew in another window has another token: it is fetched, and the request goes once more. */
whenForged(async () => { await loadMe().catch(() => null); });
