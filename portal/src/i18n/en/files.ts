// SPDX-License-Identifier: Apache-2.0
export default {
  title: 'Photos and attachments', help: 'Photos are made smaller, and where they were taken is left out; they are uploaded when you file. At most 20.',
  photo: 'Take a photo', choose: 'Choose photos or files', busy: 'Working…', remove: 'Remove {name}', sending: 'Uploading {name}',
  unreadable: '{name}: this picture cannot be opened; take another or a screenshot.', failed: '{name}: could not be added, please try again.',
  not: { type: '{name}: not a kind of file that is taken; photos, PDF and recordings are.', size: '{name}: empty, or more than 20 MB.', count: '{name}: at most {n} attachments.' },
  lost: '{name}: it is no longer on this device; remove it and add it again.',
  masked: '{n} attachments; your role does not see what is in them.',
};
