// SPDX-License-Identifier: Apache-2.0
import type { Messages } from './zh-CN';
import common from './en/common';
import records from './en/records';
import form from './en/form';
import ops from './en/ops';
import vault from './en/vault';
import feedback from './en/feedback';
import reports from './en/reports';
import files from './en/files';

type Same<T> = { [K in keyof T]: T[K] extends string ? string : Same<T[K]> };

const messages: Same<Messages> = { ...common, records, form, ops, vault, feedback, reports, files };

export default messages;
