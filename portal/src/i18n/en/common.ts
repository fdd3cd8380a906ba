// SPDX-License-Identifier: Apache-2.0
export default {
  app: { name: 'Yimen', slogan: 'Sign in once, file once, delivered everywhere' },
  nav: { home: 'Home', records: 'My records', file: 'File', console: 'Operations', skip: 'Skip to content', menu: 'Menu', main: 'Main navigation' },
  who: { signIn: 'Sign in', signOut: 'Sign out', expired: 'Your session has ended. What you filled in is kept on this device; sign in again and go on.', again: 'Sign in again', password: 'Change password', sessions: 'My sessions', mine: 'Me', here: 'this one', endOthers: 'End the others', second: 'Second step' },
  settings: { care: 'Care mode', language: 'Language', chinese: '中文', english: 'English' },
  state: {
    queued: 'Waiting', sending: 'Sending', delivered: 'Delivered', retrying: 'Retrying later', held: 'On hold',
    unknown: 'To be verified', rejected: 'Refused', dead: 'Failed', handoff: 'To be entered by hand', withdrawn: 'Withdrawn',
  },
  act: { retry: 'Retry', cancel: 'Cancel', confirm: 'OK', close: 'Close', back: 'Back', save: 'Save', more: 'More', copy: 'Copy', copied: 'Copied', undo: 'Undo', keep: 'Keep it', reload: 'Reload' },
  say: { loading: 'Loading…', empty: 'Nothing here', offline: 'No network. What you fill in is kept on this device and filed when the network is back.', failed: 'Something went wrong', unreachable: 'The server cannot be reached. Please look at your network and try again.', nowhere: 'There is no such page', tryAgain: 'Please try again later.', errorId: 'Error id' },
  home: {
    hello: 'Hello, {name}', apps: 'My applications', needs: 'Needs you', nothing: 'Nothing needs you', allNeeds: 'Show all {n}', first: 'There are no records yet. Begin with the button above.', recent: 'Recent records', all: 'Show all',
    fileOne: 'File: {type}', drafts: 'Drafts', open: 'Open', waiting: 'waiting for the network',
  },
};
