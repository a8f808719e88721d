import type { ConstantText } from '../../batch/constant-text.ts';
import type { RowBlock } from '../../batch/row-block.ts';
import type { DataSource } from '../../catalog/types.ts';
import { columnIndexes } from '../column-indexes.ts';
import type { Sender } from '../record-decoder.ts';
import type { RowIds } from '../row-ids.ts';
import { writeThousandth } from '../time-halves.ts';
import type { MessagePlans } from '../wire-plans.ts';
import { WireWalker } from '../wire-walker.ts';
import { register } from './proc-event-plans.ts';

const COMMON = [
  'time',
  '_id',
  'start_time',
  'end_time',
  'signal_source',
  'event_type',
  'process_kname',
  'agent_id',
  'team_id',
  'pod_id',
  'app_instance',
  'pod_key',
  'root_pid_key',
  'pid_key',
  'ai_root_pid_key',
  'parent_pid_key',
] as const;

const IO_EVENT = 1;
const IO_SIGNAL = 2;

/** By what a process is looked up, in the order in which it is tried; 0 = not at all. */
export interface ProcessPids {
  readonly root: number;
  readonly pid: number;
  readonly parent: number;
}

export interface EventRowsOptions<Own extends string> {
  readonly source: DataSource;
  readonly plans: MessagePlans;
  /** Names of the operations by number. */
  readonly names: readonly ConstantText[];
  /** Span of the process' name. */
  readonly nameSpan: number;
  /** Columns that the payload fills beside those of the walker and the common ones. */
  readonly columns: readonly Own[];
}

/** Rows of one table of events: what all of them have in common. */
export class EventRows<Own extends string> {
  readonly source: DataSource;
  readonly walker: WireWalker;
  readonly names: readonly ConstantText[];
  /** Columns by name. */
  readonly at: Readonly<Record<Own | (typeof COMMON)[number], number>>;
  readonly #nameSpan: number;
  readonly #id = new Uint32Array(2);

  constructor({ source, plans, names, nameSpan, columns }: EventRowsOptions<Own>) {
    this.source = source;
    this.walker = new WireWalker(plans);
    this.names = names;
    this.at = columnIndexes(source, [...COMMON, ...columns]);
    this.#nameSpan = nameSpan;
  }

  /** Fills the pending row from a walked record. */
  write(
    block: RowBlock,
    facts: { readonly sender: Sender; readonly seconds: number; readonly pids: ProcessPids; readonly rowIds: RowIds },
  ): void {
    const { at } = this;
    const { low, high } = this.walker;
    const { sender, seconds, pids, rowIds } = facts;
    block.setNumber(at.time, seconds);
    rowIds.next(this.source, seconds, this.#id);
    block.setHalves(at['_id'], this.#id[0]!, this.#id[1]!);
    writeThousandth(block.fixed[at.start_time]!.u32, block.rows, low[register.start]!, high[register.start]!);
    writeThousandth(block.fixed[at.end_time]!.u32, block.rows, low[register.end]!, high[register.end]!);
    const type = low[register.eventType]!;
    block.setNumber(at.signal_source, type === IO_EVENT ? IO_SIGNAL : type);
    this.#operation(block);
    this.#processName(block);
    block.setNumber(at.agent_id, sender.agent);
    block.setNumber(at.team_id, sender.team);
    block.setText(at.app_instance, String(low[register.pid]!));
    block.setNumber(at.pod_id, low[register.pod]!);
    block.setNumber(at.pod_key, low[register.pod]!);
    block.setNumber(at.root_pid_key, pids.root);
    block.setNumber(at.pid_key, pids.pid);
    block.setNumber(at.parent_pid_key, pids.parent);
    block.setNumber(at.ai_root_pid_key, low[register.rootPid]!);
  }

  /** An operation without a name is written as its number: so do the protocol's own libraries. */
  #operation(block: RowBlock): void {
    const operation = this.walker.low[register.operation]!;
    const name = this.names[operation];
    if (name === undefined) block.setText(this.at.event_type, String(operation | 0));
    else block.setConstant(this.at.event_type, name);
  }

  /** Kernels end the name with NUL. */
  #processName(block: RowBlock): void {
    const start = this.walker.start[this.#nameSpan]!;
    let end = this.walker.end[this.#nameSpan]!;
    while (end > start && block.wire[end - 1] === 0) end--;
    block.setTextBytes(this.at.process_kname, block.wire, start, end);
  }
}
