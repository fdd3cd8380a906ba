// SPDX-License-Identifier: Apache-2.0
export default {
  title: 'My records', filter: 'Filter', find: 'Find by identity number, phone, time', findEnd: 'Show all', by: 'Filed by', byMe: 'Only mine', state: 'State', any: 'All', type: 'Type', more: 'Load more', none: 'No record fits', count: '{n} shown',
  filedAt: 'filed {at}', happenedAt: 'happened {at}', sent: 'What it gets ({n} values)', sentShow: 'What it gets', conflictOf: '“{field}” was changed on both sides', empty: '(empty)', kept: 'Your change is kept on this device', discardEdit: 'Discard my change', discardSure: 'Your change is deleted from this device and cannot be brought back. The record stays as it is.', revision: 'revision {n}', progress: '{done} of {all} systems done',
  withdrawn: 'Withdrawn', masked: 'Personal data is hidden',
  lanes: 'Where it has arrived', system: 'System', number: 'Its number', notYet: 'no number yet', proof: 'Digest of the answer',
  data: 'What was filed', history: 'Changes', who: '{by}, {at}', me: 'me', changed: 'Changed', firstFiled: 'First filed', forOwner: 'Changed on behalf of the author: {why}',
  mend: 'Change', withdraw: 'Withdraw', print: 'Print', printTable: 'Registration form', printAgreement: 'Mediation agreement',
  withdrawWhy: 'Reason for withdrawing', withdrawSure: 'Systems that know withdrawal are told; for the others a person is asked.',
  say: {
    queued: 'Accepted, waiting for its turn', sending: 'Being sent', delivered: 'Arrived', retrying: 'The system is not available, next try {at}',
    held: 'The system is paused or outside its hours; it is sent when that is over', unknown: 'Sent, but no clear answer came; being verified', unknownPerson: 'Sent, but no clear answer came; a person must look',
    rejected: 'Refused: {why}', dead: 'Failed several times; operations will see to it', handoff: 'This system has no interface: please enter it by hand from the card', withdrawn: 'Withdrawn',
  },
  finding: {
    other_number: 'The system named a number that belongs to another record ({numbers}); a person must look', number_unproven: 'The system named a number, but does not find this record by our reference; a person must look',
  },
  card: 'Show the card', cardHelp: 'Copy each line into {system}, then enter its number.', done: 'Entered', numberThere: 'Its number (if there is one)',
  resolve: 'Verify', there: 'It is there', notThere: 'It is not there: send again', reason: 'Reason', refusedField: 'What is wrong: {field}',
  resend: 'Change and send again', save: 'Save (goes to the systems)', stale: 'Somebody else has just changed this record. Please compare.', theirs: 'As it is now', mine: 'My change', keepMine: 'Use mine', keepTheirs: 'Use theirs',
  needsYou: 'Needs you',
};
