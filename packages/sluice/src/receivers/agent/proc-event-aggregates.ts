import type { RowBlock } from '../../batch/row-block.ts';
import { fileAggEvent } from '../../catalog/events.ts';
import { columnIndexes } from '../column-indexes.ts';
import type { RowIds } from '../row-ids.ts';
import type { RowTarget } from '../row-target.ts';

/** A read or write of a watched process tree: numbers as they come, times in microseconds, texts as bounds in `bytes`. */
export interface FileAccess {
  readonly org: number;
  readonly team: number;
  readonly agent: number;
  readonly seconds: number;
  readonly start: bigint;
  readonly end: bigint;
  readonly duration: bigint;
  readonly offset: bigint;
  readonly size: number;
  readonly signalSource: number;
  readonly eventType: string;
  readonly pid: number;
  readonly pod: number;
  /** Root of the process tree as the message says it, and as earlier events told it. */
  readonly rootPid: number;
  readonly knownRoot: number;
  readonly fileType: number;
  readonly permission: number;
  readonly thread: number;
  readonly coroutine: number;
  readonly bytes: Uint8Array;
  /** Begin and end of each of TEXTS. */
  readonly texts: Uint32Array;
}

/** Text columns of an access, in the order of its bounds. */
export const TEXTS = ['process_kname', 'file_name', 'mount_source', 'mount_point', 'file_dir'] as const;
const FILE_NAME = 1;
const FILE_DIR = 4;

/** Accesses closer to each other than this are one, in microseconds. */
const IDLE_GAP = 100_000n;

const columns = columnIndexes(fileAggEvent, [
  ...TEXTS,
  'time',
  'start_time',
  'end_time',
  '_id',
  'signal_source',
  'event_type',
  'app_instance',
  'agent_id',
  'team_id',
  'pod_id',
  'bytes',
  'duration',
  'offset',
  'file_type',
  'access_permission',
  'syscall_thread',
  'syscall_coroutine',
  'root_pid',
  'event_count',
  'pod_key',
  'root_pid_key',
  'pid_key',
  'ai_root_pid_key',
]);

export interface FileAggregatesOptions {
  readonly target: RowTarget;
  readonly rowIds: RowIds;
  /** Most runs of accesses that are gathered at a time, and most bytes of their texts; at either all are written out. */
  readonly limits?: { readonly runs: number; readonly textBytes: number };
  /** Told when a run could not be written, which must not happen; it is dropped. Runs are written by a timer: nobody else would catch it. */
  readonly failed?: ((error: unknown) => void) | undefined;
}

/**
 * Reads and writes of watched process trees, those in quick succession as one row of event.file_agg_event.
 *
 * A run is of one process, thread, file and direction. It is written out when the next access comes more than 100 ms after its end, when its file is
 * created, deleted or changed, and by `flush`, which is due every few seconds.
 */
export class FileAggregates {
  readonly #target: RowTarget;
  readonly #rowIds: RowIds;
  readonly #limits: { readonly runs: number; readonly textBytes: number };
  readonly #failed: (error: unknown) => void;
  readonly #runs = new Map<string, Run>();
  /** Runs by their file, so that an event of the file finds them. */
  readonly #files = new Map<string, Set<Run>>();
  #textBytes = 0;
  readonly #id = new Uint32Array(2);

  constructor({ target, rowIds, limits, failed }: FileAggregatesOptions) {
    this.#target = target;
    this.#rowIds = rowIds;
    this.#limits = limits ?? { runs: 65_536, textBytes: 16 * 1024 * 1024 };
    this.#failed = failed ?? rethrow;
  }

  /** Runs that are being gathered. */
  get pending(): number {
    return this.#runs.size;
  }

  add(access: FileAccess): void {
    const key = runKey(access);
    const run = this.#runs.get(key);
    if (run !== undefined && !isApart(run, access)) {
      run.count++;
      run.size = Math.min(run.size + access.size, 0xffff_ffff);
      run.duration += access.duration;
      if (access.end > run.end) run.end = access.end;
      if (access.offset > run.offset) run.offset = access.offset;
      return;
    }
    if (run !== undefined) this.#write(run);
    this.#begin(key, access);
    if (this.#runs.size > this.#limits.runs || this.#textBytes > this.#limits.textBytes) this.flush();
  }

  /** Something happened to a file of a process tree: what was gathered about it is written out first. */
  flushFile(file: FileKey): void {
    const runs = this.#files.get(fileKey(file));
    if (runs !== undefined) for (const run of runs) this.#write(run);
  }

  /** Writes out all runs, in the order in which they began. */
  flush(): void {
    for (const run of this.#runs.values()) this.#write(run);
  }

  #begin(key: string, access: FileAccess): void {
    const { bytes, texts, ...numbers } = access;
    const run: Run = {
      ...numbers,
      key,
      file: fileKey({
        org: access.org,
        agent: access.agent,
        rootPid: access.rootPid,
        folder: textOf(bytes, texts, FILE_DIR),
        name: textOf(bytes, texts, FILE_NAME),
      }),
      count: 1,
      // Copies: the memory of a message is given back long before its run is written. `slice` of a Buffer is none.
      texts: TEXTS.map((_, index) => new Uint8Array(bytes.subarray(texts[index * 2], texts[index * 2 + 1]))),
    };
    this.#runs.set(key, run);
    this.#textBytes += key.length + run.file.length;
    const ofFile = this.#files.get(run.file);
    if (ofFile === undefined) this.#files.set(run.file, new Set([run]));
    else ofFile.add(run);
  }

  #write(run: Run): void {
    this.#runs.delete(run.key);
    this.#textBytes -= run.key.length + run.file.length;
    const ofFile = this.#files.get(run.file);
    ofFile?.delete(run);
    if (ofFile?.size === 0) this.#files.delete(run.file);
    const block = this.#target.block(fileAggEvent, run.org);
    try {
      this.#fill(block, run);
      block.commit(run.seconds * 1000);
    } catch (error) {
      block.abandon();
      this.#failed(error);
    }
  }

  #fill(block: RowBlock, run: Run): void {
    this.#rowIds.next(fileAggEvent, run.seconds, this.#id);
    block.setNumber(columns.time, run.seconds);
    block.setHalves(columns['_id'], this.#id[0]!, this.#id[1]!);
    setBig(block, columns.start_time, run.start);
    setBig(block, columns.end_time, run.end);
    setBig(block, columns.duration, run.duration);
    setBig(block, columns.offset, run.offset);
    block.setNumber(columns.signal_source, run.signalSource);
    block.setText(columns.event_type, run.eventType);
    block.setText(columns.app_instance, String(run.pid));
    block.setNumber(columns.agent_id, run.agent);
    block.setNumber(columns.team_id, run.team);
    block.setNumber(columns.pod_id, run.pod);
    block.setNumber(columns.bytes, run.size);
    block.setNumber(columns.file_type, run.fileType);
    block.setNumber(columns.access_permission, run.permission);
    block.setNumber(columns.syscall_thread, run.thread);
    block.setNumber(columns.syscall_coroutine, run.coroutine);
    block.setNumber(columns.root_pid, run.rootPid);
    block.setNumber(columns.event_count, run.count);
    block.setNumber(columns.pod_key, run.pod);
    block.setNumber(columns.root_pid_key, run.knownRoot);
    block.setNumber(columns.pid_key, run.pid);
    block.setNumber(columns.ai_root_pid_key, run.rootPid);
    for (const [index, name] of TEXTS.entries()) {
      const text = run.texts[index]!;
      block.setTextBytes(columns[name], text, 0, text.length);
    }
  }
}

function rethrow(error: unknown): never {
  throw error;
}

/** A file of a process tree. */
export interface FileKey {
  readonly org: number;
  readonly agent: number;
  readonly rootPid: number;
  /** With or without the slash at its end. */
  readonly folder: string;
  readonly name: string;
}

/** The same text for the same file; names are bytes as Latin-1. */
export function fileKey({ org, agent, rootPid, folder, name }: FileKey): string {
  const path = folder === '' || folder.endsWith('/') ? folder + name : `${folder}/${name}`;
  return `${org},${agent},${rootPid},${path}`;
}

interface Run extends Omit<FileAccess, 'bytes' | 'texts' | 'end' | 'duration' | 'offset' | 'size'> {
  readonly key: string;
  readonly file: string;
  readonly texts: readonly Uint8Array[];
  end: bigint;
  duration: bigint;
  offset: bigint;
  size: number;
  count: number;
}

function isApart(run: Run, next: FileAccess): boolean {
  return run.end > 0n && next.start > run.end && next.start - run.end > IDLE_GAP;
}

/** All that accesses of one run have in common. Texts have their length before them, so that no two lists of texts read the same. */
function runKey(access: FileAccess): string {
  const { org, agent, rootPid, knownRoot, pid, pod, fileType, permission, thread, coroutine, eventType } = access;
  let key = `${org},${agent},${rootPid},${knownRoot},${pid},${pod},${fileType},${permission},${thread},${coroutine},${eventType}`;
  for (let index = 0; index < TEXTS.length; index++) {
    const text = textOf(access.bytes, access.texts, index);
    key += `,${text.length}:${text}`;
  }
  return key;
}

function textOf(bytes: Uint8Array, texts: Uint32Array, index: number): string {
  return latin1(bytes, texts[index * 2]!, texts[index * 2 + 1]!);
}

/** Bytes as text, one character a byte. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1', start, end);
}

/** An unsigned 64-bit number into the pending row, what is beyond cut off. */
export function setBig(block: RowBlock, column: number, value: bigint): void {
  block.setHalves(column, Number(value & 0xffff_ffffn), Number((value >> 32n) & 0xffff_ffffn));
}
