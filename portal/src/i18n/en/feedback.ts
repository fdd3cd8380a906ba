// SPDX-License-Identifier: Apache-2.0
export default {
  title: 'Feedback', kind: 'Kind', text: 'What happened', contact: 'How to reach you (optional)', contactIs: 'reach them: {contact}',
  with: 'Sent along: page {page}, version {version}.', withError: 'with the last error id, {id}', without: 'Nothing you have typed into a form is sent. Your superiors do not see it.',
  send: 'Send', thanks: 'Received, thank you. Your record will say when it has been dealt with.', mine: 'See it', offline: 'No network: please send it when there is one.',
  list: 'Feedback', openOnly: 'Only what is open', none: 'Nothing is open', close: 'Dealt with', closeWhy: 'How', closed: 'dealt with',
  short: 'No check-in · no points · no ranking · no tracking', promise: 'Our promise',
  promises: {
    checkIn: 'No check-in: no attendance, no time online, no duty to sign in daily.',
    points: 'No points, badges or levels.',
    ranking: 'No ranking: no comparison of people or units.',
    tracking: 'No tracking: where you are is read once, when you tap “locate”, into the form you are filling in.',
    reports: 'Reports count records, fields and systems. There are no people in them: not who filed how much, nor who opened what.',
    voice: 'Feedback from every page. Only operators see it, and no form contents go with it.',
  },
  evidence: 'The evidence that the law asks for (who looked at or changed which record, and when) is for auditors on duty alone, never for appraisal.',
};
