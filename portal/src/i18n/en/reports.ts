// SPDX-License-Identifier: Apache-2.0
export default {
  from: 'From', to: 'To', day: 'Day', span: 'Days', show: 'Show', most: 'at most {n}', csv: 'Download CSV: {what}',
  burden: 'Typing saved', typed: 'fields typed', delivered: 'fields delivered',
  burdenText: '{records} records and {revisions} revisions: {typed} fields typed. {arrived} first deliveries and {changed} updates: {delivered} fields delivered, {saved} not typed again.',
  doorText: '{sign_ins} sign-ins for {entries} entries into applications: {sign_ins_saved} saved.',
  systemText: '{arrived} deliveries, {delivered} fields', fieldsByDay: 'Fields by day',
  burdenHow: 'Counted, not estimated. What the form fills in counts as typed; updates, cards copied by hand and deliveries whose answer was lost count no fields, so the figure is rather too low. No person, organisation or area is in it.',
  redundancy: 'Asked more than once', candidates: 'Candidates for retirement', candidatesHelp: 'By the share of fields that others ask for, too. A system at 100% asks for nothing of its own and is the first to look at; what it is needed for decides.',
  shared: '{n} of {all} shared', nearest: '{n} of them with {system}', matrix: 'Fields and systems', required: 'required', asked: 'asked for', csvFields: 'Download CSV: fields', csvSystems: 'Download CSV: candidates',
  usage: 'Applications in use', signIns: 'sign-ins', entries: 'entries', entriesByDay: 'Sign-ins and entries by day',
  usageHow: 'The first entry of a session into an application counts once. Counts only, no people.',
  adapters: 'Adapters', choose: 'System', version: 'Version', transport: 'Interface', standing: 'Verified', against: 'Against', takes: 'Takes', operation: 'Operation', idempotent: 'may be repeated',
  tests: 'Tests', notRun: 'Not run. yimen test --record puts the results here.', ran: 'Run {at}: {passed} passed, {failed} failed', stale: 'The adapter has changed since: this is not about what runs now.', failedTests: 'Failed',
  table: 'Field table', target: 'Target field', source: 'From', codes: 'Codes', max: 'Longest', must: 'required', constant: 'constant', given: 'from Yimen',
  dry: 'Dry run', dryHelp: 'Nothing is sent, nothing kept. A record id, or the data of a record as JSON. Personal data of a stored record is hidden as it is for you elsewhere.', dryWhat: 'Record id or JSON', run: 'Dry run', value: 'Value', fits: 'This system would take it.', objects: 'This system would refuse it:', hidden: 'personal data hidden', badJson: 'Neither a record id nor JSON',
};
