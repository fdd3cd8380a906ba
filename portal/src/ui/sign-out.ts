// SPDX-License-Identifier: Apache-2.0
// Signing out is a POST; a form makes the browser follow to the provider where there is one.
import { forgetPerson, me } from '@/state/session';

export function signOut(): void {
  forgetPerson(); // without a network nobody sees this person's drafts now
  const form = document.createElement('form');
  form.method = 'post';
  form.action = '/auth/logout';
  const token = document.createElement('input');
  token.type = 'hidden';
  token.name = 'csrf';
  token.value = me.value?.csrf ?? '';
  form.append(token);
  document.body.append(form);
  form.submit();
}
