import { constantText } from '../../batch/constant-text.ts';
import { FROM_NONE, type RowBlock } from '../../batch/row-block.ts';
import { fileEvent, fileMgmtEvent, procOpsEvent, procPermEvent } from '../../catalog/events.ts';
import { outsideWindow } from '../accept-window.ts';
import { FieldScan } from '../field-scan.ts';
import type { Dropped, RecordDecoder, Sender } from '../record-decoder.ts';
import type { RowIds } from '../row-ids.ts';
import type { RowTarget } from '../row-target.ts';
import { secondsOf } from '../time-halves.ts';
import { FileAggregates, latin1, setBig, TEXTS } from './proc-event-aggregates.ts';
import { CreatedFiles } from './proc-event-created.ts';
import {
  fileOperationPlans,
  ioPlans,
  lifecyclePlans,
  payloadField,
  permissionPlans,
  register,
  span,
} from './proc-event-plans.ts';
import { ProcessRoots } from './proc-event-roots.ts';
import { EventRows, type ProcessPids } from './proc-event-rows.ts';

export interface ProcEventOptions {
  readonly target: RowTarget;
  readonly rowIds: RowIds;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Told when a gathered row could not be written, which must not happen; it is dropped. */
  readonly failed?: (error: unknown) => void;
}

/** The decoder gathers rows of event.file_agg_event, so it has a life of its own. */
export interface ProcEventDecoder extends RecordDecoder {
  /** Writes the gathered rows into the target. */
  flush(): void;
  /** Flushes every three seconds from now on. */
  start(): void;
  /** Ends that with a last flush: call it while the target still takes rows. */
  stop(): void;
}

const FLUSH_MS = 3_000;
const SLASH = 0x2f;

const LIFECYCLE_EVENT = 4;
const [CREATE, DELETE, CHMOD, CHOWN] = [1, 2, 3, 4];
const [EXEC, EXIT] = [2, 3];

const ioNames = ['write', 'read'];
const fileOperationNames = ['unknown', 'create', 'delete', 'chmod', 'chown'].map(constantText);
const permissionNames = ['unknown', 'setuid', 'setgid', 'setreuid', 'setregid'].map((name) =>
  constantText(`permop${name}`),
);
const lifecycleNames = ['unknown', 'fork', 'exec', 'exit'].map((name) => constantText(`proclifecycle${name}`));

const accessColumns = [
  'bytes',
  'duration',
  'offset',
  'file_type',
  'access_permission',
  'syscall_thread',
  'syscall_coroutine',
  ...TEXTS,
] as const;

const fileOperationColumns = [
  'duration',
  'file_name',
  'file_dir',
  'access_permission',
  'root_pid',
  'target_uid',
  'target_gid',
  'target_mode',
] as const;

/**
 * PROC_EVENT: what processes do to files, to their own rights and to each other. A record becomes one row of the table of its payload; reads and writes
 * of watched process trees (those with `ai_agent_root_pid`) are gathered into rows of event.file_agg_event as well.
 *
 * Times come in nanoseconds. `duration` is in microseconds where files are read and written and in nanoseconds where they are created, deleted and
 * changed, as in DeepFlow; an end before the begin makes it wrap around.
 *
 * Dropped are records that are `malformed`, `too_old`, `too_new`, without a payload (`no_payload`), and files created again that were not deleted
 * (`repeated_create`).
 */
export function createProcEventDecoder(options: ProcEventOptions): ProcEventDecoder {
  return new Decoder(options);
}

class Decoder implements ProcEventDecoder {
  readonly #target: RowTarget;
  readonly #rowIds: RowIds;
  readonly #now: () => number;
  readonly #scan = new FieldScan();
  readonly #roots = new ProcessRoots();
  readonly #created = new CreatedFiles();
  readonly #aggregates: FileAggregates;
  readonly #texts = new Uint32Array(TEXTS.length * 2);
  readonly #accesses;
  readonly #fileOperations;
  readonly #permissions;
  readonly #lifecycle;
  #timer: NodeJS.Timeout | undefined;

  constructor({ target, rowIds, now, failed }: ProcEventOptions) {
    this.#target = target;
    this.#rowIds = rowIds;
    this.#now = now;
    this.#aggregates = new FileAggregates({ target, rowIds, failed });
    this.#accesses = new EventRows({
      source: fileEvent,
      plans: ioPlans,
      names: ioNames.map(constantText),
      nameSpan: span.processName,
      columns: accessColumns,
    });
    this.#fileOperations = new EventRows({
      source: fileMgmtEvent,
      plans: fileOperationPlans,
      names: fileOperationNames,
      nameSpan: span.processName,
      columns: fileOperationColumns,
    });
    this.#permissions = new EventRows({
      source: procPermEvent,
      plans: permissionPlans,
      names: permissionNames,
      nameSpan: span.processName,
      columns: ['pid', 'root_pid'],
    });
    this.#lifecycle = new EventRows({
      source: procOpsEvent,
      plans: lifecyclePlans,
      names: lifecycleNames,
      nameSpan: span.command,
      columns: ['pid', 'parent_pid', 'root_pid'],
    });
  }

  decode(bytes: Uint8Array, start: number, end: number, sender: Sender): Dropped | undefined {
    const rows = this.#rowsOf(bytes, start, end);
    if (typeof rows === 'string') return rows;
    const block = this.#target.block(rows.source, sender.org);
    rows.walker.begin(block, bytes);
    const dropped = rows.walker.walk(rows.walker.message('record'), start, end)
      ? this.#row(rows, block, sender)
      : 'malformed';
    if (dropped !== undefined) block.abandon();
    return dropped;
  }

  flush(): void {
    this.#aggregates.flush();
  }

  start(): void {
    this.#timer ??= setInterval(() => this.flush(), FLUSH_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.flush();
  }

  /** The payload decides the table; of several, the first of these. */
  #rowsOf(bytes: Uint8Array, start: number, end: number): EventRows<never> | 'malformed' | 'no_payload' {
    const scan = this.#scan;
    let payloads = 0;
    scan.begin(bytes, start, end);
    while (scan.next()) if (scan.field < 32) payloads |= 1 << scan.field;
    if (scan.isMalformed) return 'malformed';
    const has = (field: number): boolean => (payloads & (1 << field)) !== 0;
    if (has(payloadField.fileOperation)) return this.#fileOperations;
    if (has(payloadField.permission)) return this.#permissions;
    if (has(payloadField.lifecycle)) return this.#lifecycle;
    return has(payloadField.io) ? this.#accesses : 'no_payload';
  }

  #row(rows: EventRows<never>, block: RowBlock, sender: Sender): Dropped | undefined {
    const { low, high } = rows.walker;
    const now = this.#now();
    const seconds = secondsOf(low[register.start]!, high[register.start]!);
    const outside = outsideWindow(block, seconds);
    if (outside !== undefined) return outside;
    if (rows === this.#fileOperations && this.#isRepeated(block, sender)) return 'repeated_create';
    const pids = rows === this.#lifecycle ? this.#lifecyclePids(sender, now) : this.#pids(rows, sender, now);
    rows.write(block, { sender, seconds, pids, rowIds: this.#rowIds });
    if (rows === this.#accesses) this.#access({ block, sender, seconds, pids });
    else if (rows === this.#fileOperations) this.#fileOperation(block);
    else if (rows === this.#permissions) this.#permission(block);
    else this.#life(block);
    block.commit(seconds * 1000);
    return undefined;
  }

  #pids(rows: EventRows<never>, { org, agent }: Sender, now: number): ProcessPids {
    const pid = rows.walker.low[register.pid]!;
    const root = pid === 0 ? 0 : this.#roots.find({ org, agent, pid }, now);
    return { root: root === 0 ? pid : root, pid, parent: 0 };
  }

  /** Forks, execs and exits name the process themselves, and tell of its tree. */
  #lifecyclePids(sender: Sender, now: number): ProcessPids {
    const { low } = this.#lifecycle.walker;
    const recordPid = low[register.pid]!;
    if (recordPid === 0 || low[register.eventType] !== LIFECYCLE_EVENT) {
      return this.#pids(this.#lifecycle, sender, now);
    }
    const pid = low[register.processId] === 0 ? recordPid : low[register.processId]!;
    const parent = low[register.parentPid]!;
    const process = { org: sender.org, agent: sender.agent, pid };
    const operation = low[register.operation];
    const root =
      operation === EXEC ? this.#roots.executed(process, parent, now) : this.#roots.forked(process, parent, now);
    if (operation === EXIT) this.#roots.forget(process);
    return { root, pid, parent: parent === recordPid ? 0 : parent };
  }

  #access({
    block,
    sender: { org, team, agent },
    seconds,
    pids,
  }: {
    readonly block: RowBlock;
    readonly sender: Sender;
    readonly seconds: number;
    readonly pids: ProcessPids;
  }): void {
    const { at, walker } = this.#accesses;
    const { low } = walker;
    const start = bigOf(block, at.start_time);
    const end = bigOf(block, at.end_time);
    const duration = BigInt.asUintN(64, end - start);
    setBig(block, at.duration, duration);
    if (low[register.rootPid] === 0) return;
    this.#findTexts(block);
    this.#aggregates.add({
      org,
      team,
      agent,
      seconds,
      start,
      end,
      duration,
      offset: bigOf(block, at.offset),
      size: numberOf(block, at.bytes),
      signalSource: block.fixed[at.signal_source]!.u8[block.rows]!,
      eventType: ioNames[low[register.operation]!] ?? String(low[register.operation]! | 0),
      pid: low[register.pid]!,
      pod: low[register.pod]!,
      rootPid: low[register.rootPid]!,
      knownRoot: pids.root,
      fileType: block.fixed[at.file_type]!.u8[block.rows]!,
      permission: numberOf(block, at.access_permission),
      thread: numberOf(block, at.syscall_thread),
      coroutine: numberOf(block, at.syscall_coroutine),
      bytes: block.wire,
      texts: this.#texts,
    });
  }

  /** Where the texts of the pending access lie in the wire. */
  #findTexts(block: RowBlock): void {
    for (const [index, name] of TEXTS.entries()) {
      const text = block.textOf[this.#accesses.at[name]]!;
      const isEmpty = block.spanFrom[text] === FROM_NONE;
      this.#texts[index * 2] = isEmpty ? 0 : block.spanStart[text]!;
      this.#texts[index * 2 + 1] = isEmpty ? 0 : block.spanEnd[text]!;
    }
  }

  /** Writes out what was gathered about the file, and tells whether it is created once more. */
  #isRepeated(block: RowBlock, { org, agent }: Sender): boolean {
    const { low } = this.#fileOperations.walker;
    const [start, cut, end] = this.#path(block);
    const file = {
      org,
      agent,
      rootPid: low[register.rootPid]!,
      folder: latin1(block.wire, start, cut),
      name: latin1(block.wire, cut, end),
    };
    this.#aggregates.flushFile(file);
    if (low[register.operation] === CREATE) return !this.#created.add(file);
    if (low[register.operation] === DELETE) this.#created.remove(file);
    return false;
  }

  #fileOperation(block: RowBlock): void {
    const { at, walker } = this.#fileOperations;
    const { low, high } = walker;
    const [start, cut, end] = this.#path(block);
    block.setTextBytes(at.file_dir, block.wire, start, cut);
    block.setTextBytes(at.file_name, block.wire, cut, end);
    block.setNumber(at.root_pid, low[register.rootPid]!);
    const borrow = low[register.end]! < low[register.start]! ? 1 : 0;
    block.setHalves(
      at.duration,
      low[register.end]! - low[register.start]!,
      high[register.end]! - high[register.start]! - borrow,
    );
    if (low[register.operation] === CHOWN) {
      block.setNumber(at.target_uid, low[register.uid]!);
      block.setNumber(at.target_gid, low[register.gid]!);
    } else if (low[register.operation] === CHMOD) {
      block.setNumber(at.target_mode, low[register.mode]!);
      block.setNumber(at.access_permission, low[register.mode]!);
    }
  }

  /** Begin of the path, end of its folder (behind the last slash), end of the path. */
  #path(block: RowBlock): readonly [start: number, cut: number, end: number] {
    const { walker } = this.#fileOperations;
    const start = walker.start[span.fileName]!;
    const end = walker.end[span.fileName]!;
    let cut = end;
    while (cut > start && block.wire[cut - 1] !== SLASH) cut--;
    return [start, cut, end];
  }

  #permission(block: RowBlock): void {
    const { at, walker } = this.#permissions;
    block.setNumber(at.pid, walker.low[register.pid]!);
    block.setNumber(at.root_pid, walker.low[register.rootPid]!);
  }

  #life(block: RowBlock): void {
    const { at, walker } = this.#lifecycle;
    block.setNumber(at.pid, walker.low[register.processId]!);
    block.setNumber(at.parent_pid, walker.low[register.parentPid]!);
    block.setNumber(at.root_pid, walker.low[register.rootPid]!);
  }
}

/** Of the pending row. */
function numberOf(block: RowBlock, column: number): number {
  return block.fixed[column]!.u32[block.rows]!;
}

function bigOf(block: RowBlock, column: number): bigint {
  const { u32 } = block.fixed[column]!;
  return (BigInt(u32[block.rows * 2 + 1]!) << 32n) | BigInt(u32[block.rows * 2]!);
}
