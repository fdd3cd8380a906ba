// SPDX-License-Identifier: Apache-2.0
export default {
  optional: '{n} optional fields', areaHelp: '12-digit area code, beginning with {prefix}', recent: 'Recently used', earlier: 'This person was registered before. Please look before you use it:', useEarlier: 'That is right, fill in', notEarlier: 'Do not use',
  required: 'required',
  goesTo: 'Goes to {n} systems',
  yes: 'Yes', no: 'No', male: 'male', female: 'female', yuan: 'yuan',
  choose: 'Choose', search: 'Name, code or pinyin initials', noMatch: 'Nothing matches',
  add: 'Add: {what}', remove: 'Remove',
  badAmount: 'An amount with at most two decimals, such as 18500.50',
  badIdNumber: 'The check digit of this identity number does not fit, please compare',
  readFromId: 'From the identity number: born {birth}, {sex}',
  everything: 'Show every field there is',
  targets: 'Goes to {n} systems', targetsHelp: 'open to see and change', takesFields: 'takes {n} fields', whatGoes: '{n} values go there', nothingYet: 'Nothing that it takes is filled in yet', areaFree: 'This code is not in the list, please compare', areaNone: 'Name, pinyin initials or 12-digit code',
  saved: 'The draft is kept on this device', unsaved: 'This device cannot keep the draft: file it soon, and do not close this page before.', waits: 'The server cannot be reached: it waits here and is filed by itself when that is over.', filing: 'Filing…', file: 'File (to {n} systems)',
  discard: 'Discard draft', discardSure: 'What you filled in, photos too, is deleted from this device and cannot be brought back.', removed: '{what} was removed.',
  unfinished: 'You have drafts that are not filed', unnamed: '(no title yet)',
  elsewhere: { saved: 'This is being filled in in another window. Please go on in one of them, so that neither writes over the other.', filed: 'This was filed in another window.', gone: 'This was discarded in another window.', here: 'Go on here', open: 'Show the record' },
  mend: '{n} things to mend',
};
