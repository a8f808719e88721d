import { type FieldPlan, type MessagePlans, toColumn, toMessage, toRegister, toSpan } from '../wire-plans.ts';

/**
 * Fields of a PROC_EVENT record, by message and field number. A record holds one of four payloads, which decides the table; what the records have in
 * common stands around it.
 */

type Fields = Readonly<Record<number, FieldPlan>>;

/** Registers that all records share: numbers, then spans of bytes. */
export const register = {
  pid: 0,
  start: 1,
  end: 2,
  eventType: 3,
  pod: 4,
  rootPid: 5,
  operation: 6,
  processId: 7,
  parentPid: 8,
  uid: 9,
  gid: 10,
  mode: 11,
} as const;

export const span = { processName: 0, fileName: 1, command: 2 } as const;

/** Field numbers of the payloads. */
export const payloadField = { io: 8, fileOperation: 11, permission: 12, lifecycle: 13 } as const;

const common: Fields = {
  1: toRegister(register.pid),
  2: toColumn('syscall_thread'),
  3: toColumn('syscall_coroutine'),
  4: toSpan(span.processName),
  5: toRegister(register.start),
  6: toRegister(register.end),
  7: toRegister(register.eventType),
  10: toRegister(register.pod),
  14: toRegister(register.rootPid),
};

function recordOf(field: number, payload: Fields): MessagePlans {
  return { record: { ...common, [field]: toMessage('payload') }, payload };
}

/** A file read or written; its latency (3) is not stored. */
export const ioPlans: MessagePlans = recordOf(payloadField.io, {
  1: toColumn('bytes'),
  2: toRegister(register.operation),
  4: toColumn('file_name'),
  5: toColumn('offset'),
  6: toColumn('mount_source'),
  7: toColumn('mount_point'),
  8: toColumn('file_dir'),
  9: toColumn('file_type'),
  10: toColumn('access_permission'),
});

/** A file created, deleted, given other rights or another owner. */
export const fileOperationPlans: MessagePlans = recordOf(payloadField.fileOperation, {
  1: toRegister(register.operation),
  3: toRegister(register.uid),
  4: toRegister(register.gid),
  5: toRegister(register.mode),
  7: toSpan(span.fileName),
});

export const permissionPlans: MessagePlans = recordOf(payloadField.permission, {
  1: toRegister(register.operation),
  3: toColumn('old_uid'),
  4: toColumn('old_gid'),
  5: toColumn('new_uid'),
  6: toColumn('new_gid'),
});

export const lifecyclePlans: MessagePlans = recordOf(payloadField.lifecycle, {
  1: toRegister(register.operation),
  2: toRegister(register.processId),
  3: toRegister(register.parentPid),
  4: toColumn('uid'),
  5: toColumn('gid'),
  7: toSpan(span.command),
  8: toColumn('cmdline'),
  9: toColumn('exec_path'),
});
