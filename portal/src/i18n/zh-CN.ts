// SPDX-License-Identifier: Apache-2.0
import common from './zh/common';
import records from './zh/records';
import form from './zh/form';
import ops from './zh/ops';
import vault from './zh/vault';
import feedback from './zh/feedback';
import reports from './zh/reports';
import files from './zh/files';

const messages = { ...common, records, form, ops, vault, feedback, reports, files };

export type Messages = typeof messages;
export default messages;
