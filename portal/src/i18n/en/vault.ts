// SPDX-License-Identifier: Apache-2.0
export default {
  title: 'My account at {system}',
  what: 'Enter your account at {system}. It is kept sealed, used only to sign you in there, and shown to nobody again, administrators included.',
  login: 'Account', password: 'Password', show: 'Show the password',
  saved: 'Saved.', open: 'Open {system}', stale: 'That system does not take the account that was saved. Please enter it again.',
  since: 'Saved {at}. Entering it again replaces it.', dropSure: 'Before you can open {system} again, the account and its password must be entered anew.', drop: 'Delete what was saved',
  none: 'This application needs no account of yours.', offline: 'No network; nothing was saved. Please try again later.',
  missing: 'Account needed', refused: 'Account to be renewed',
};
