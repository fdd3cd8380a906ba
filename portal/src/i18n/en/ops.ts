// SPDX-License-Identifier: Apache-2.0
export default {
  title: 'Operations', systems: 'Systems', deliveries: 'Deliveries in trouble', audit: 'Audit', reports: 'Reports', sessions: 'Sessions and accounts',
  health: { running: 'well', paused: 'paused', suspended: 'not available', closed: 'outside its hours', stopped: 'no worker', broken: 'misconfigured', disabled: 'off' },
  name: 'System', state: 'State', depth: 'Waiting', oldest: 'Oldest', last: 'Last success', delivered: 'Delivered', trouble: 'In trouble', never: 'none',
  pause: 'Pause', resume: 'Resume', replay: 'Replay', pauseWhy: 'Reason for pausing', resumeWhy: 'Reason for resuming',
  pauseNote: 'Nothing is sent while paused, and nothing that waits is lost.', pausedBy: 'paused by {by}, {at}: {why}',
  plan: 'How many would it be', planned: '{n} deliveries', replayWhy: 'Reason', since: 'Since', which: 'Which', deadOnes: 'failed', rejectedOnes: 'refused', start: 'Start', replayed: '{n} queued again', cancelJob: 'Stop', replaying: 'Under way, {n} queued so far',
  record: 'Record', system: 'System', when: 'Since', attempts: 'Attempts', problem: 'Why', act: 'Do', retry: 'Retry', retryWhy: 'Reason', resolve: 'Resolve', all: 'All systems', more: 'Load more',
  who: 'Who', what: 'What', why: 'Why', from: 'From', to: 'To', none: 'Nothing',
  transport: 'Interface', verified: 'Verified', verifiedBy: { 'own-simulator': 'own simulator only', 'unmodified-software': 'real software', 'owner-test': 'with its owner' },
  field: 'Field', askedBy: 'Systems that ask',
  session: 'Session', device: 'Device', signedIn: 'Signed in', seen: 'Last used', end: 'End', endAll: 'End all',
  users: 'Local accounts', addUser: 'New account', login: 'Login', fullName: 'Name', roles: 'Roles', org: 'Organisation', area: 'Area', active: 'active', noPassword: 'no password yet', twoSteps: 'second step',
  role: { staff: 'staff', supervisor: 'supervisor', operator: 'operator', auditor: 'auditor', admin: 'administrator' },
  resetLink: 'Link to set a password', linkHelp: 'Give this link to the person. It works once, within 15 minutes.', enable: 'Enable', disable: 'Disable',
};
