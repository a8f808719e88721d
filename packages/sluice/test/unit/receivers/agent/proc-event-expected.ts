import type { Row } from '../row-values.ts';

/** What becomes of a PROC_EVENT record, told from its decoded form (canonical protobuf JSON) and with big integers: a second opinion on the decoder. */

export interface ProcEventJson {
  readonly pid?: number;
  readonly thread_id?: number;
  readonly coroutine_id?: number;
  readonly process_kname?: string;
  readonly start_time?: string;
  readonly end_time?: string;
  readonly event_type?: string;
  readonly io_event_data?: Payload;
  readonly pod_id?: number;
  readonly file_op_event_data?: Payload;
  readonly perm_op_event_data?: Payload;
  readonly proc_lifecycle_event_data?: Payload;
  readonly ai_agent_root_pid?: number;
}

type Payload = Readonly<Record<string, string | number | undefined>>;

const signalSources: Readonly<Record<string, number>> = {
  OtherEvent: 0,
  IoEvent: 2,
  FileOpEvent: 2,
  PermOpEvent: 3,
  ProcLifecycleEvent: 4,
};
const fileTypes = ['Unknown', 'Regular', 'Virtual', 'Network'];

function text(base64: string | number | undefined): string {
  return Buffer.from(String(base64 ?? ''), 'base64').toString();
}

/** Table of the row, and what the message says of it. */
export function expectedEvent(event: ProcEventJson): { readonly table: string; readonly row: Row } {
  const start = BigInt(event.start_time ?? 0);
  const end = BigInt(event.end_time ?? 0);
  const common = {
    time: Number(BigInt.asUintN(32, start / 1_000_000_000n)),
    start_time: String(BigInt.asIntN(64, start / 1000n)),
    end_time: String(BigInt.asIntN(64, end / 1000n)),
    tagged: 0,
    signal_source: signalSources[event.event_type ?? 'OtherEvent']!,
    event_desc: '',
    process_kname: text(event.process_kname).replace(/\0+$/, ''),
    pod_id: event.pod_id ?? 0,
    app_instance: String(event.pid ?? 0),
    attribute_names: [],
    attribute_values: [],
    syscall_thread: event.thread_id ?? 0,
    syscall_coroutine: event.coroutine_id ?? 0,
  };
  const {
    io_event_data: io,
    file_op_event_data: file,
    perm_op_event_data: permission,
    proc_lifecycle_event_data: life,
  } = event;
  const number = (payload: Payload, name: string): number => Number(payload[name] ?? 0);
  const root_pid = event.ai_agent_root_pid ?? 0;
  if (file !== undefined) {
    const operation = String(file['op_type'] ?? 'FileOpUnknown');
    const path = text(file['filename']);
    const cut = path.lastIndexOf('/') + 1;
    const isChown = operation === 'FileOpChown';
    const mode = operation === 'FileOpChmod' ? number(file, 'mode') : 0;
    return {
      table: 'event.file_mgmt_event',
      row: {
        ...common,
        event_type: operation.replace('FileOp', '').toLowerCase(),
        bytes: 0,
        duration: String(BigInt.asUintN(64, end - start)),
        file_name: path.slice(cut),
        file_dir: path.slice(0, cut),
        file_type: 0,
        offset: '0',
        mount_source: '',
        mount_point: '',
        access_permission: mode,
        root_pid,
        target_uid: isChown ? number(file, 'uid') : 0,
        target_gid: isChown ? number(file, 'gid') : 0,
        target_mode: mode,
      },
    };
  }
  if (permission !== undefined) {
    return {
      table: 'event.proc_perm_event',
      row: {
        ...common,
        event_type: String(permission['op_type'] ?? 'PermOpUnknown').toLowerCase(),
        pid: event.pid ?? 0,
        root_pid,
        old_uid: number(permission, 'old_uid'),
        old_gid: number(permission, 'old_gid'),
        new_uid: number(permission, 'new_uid'),
        new_gid: number(permission, 'new_gid'),
      },
    };
  }
  if (life !== undefined) {
    return {
      table: 'event.proc_ops_event',
      row: {
        ...common,
        event_type: String(life['lifecycle_type'] ?? 'ProcLifecycleUnknown').toLowerCase(),
        process_kname: text(life['comm']).replace(/\0+$/, ''),
        pid: number(life, 'pid'),
        parent_pid: number(life, 'parent_pid'),
        root_pid,
        uid: number(life, 'uid'),
        gid: number(life, 'gid'),
        cmdline: text(life['cmdline']),
        exec_path: text(life['exec_path']),
      },
    };
  }
  if (io === undefined) throw new Error('the event has no payload');
  return {
    table: 'event.file_event',
    row: {
      ...common,
      event_type: String(io['operation'] ?? 'Write').toLowerCase(),
      bytes: number(io, 'bytes_count'),
      duration: String(BigInt.asUintN(64, end / 1000n - start / 1000n)),
      file_name: text(io['filename']),
      file_type: fileTypes.indexOf(String(io['file_type'] ?? 'Unknown')),
      offset: String(io['off_bytes'] ?? '0'),
      mount_source: text(io['mount_source']),
      mount_point: text(io['mount_point']),
      file_dir: text(io['file_dir']),
      access_permission: number(io, 'access_permission'),
    },
  };
}
