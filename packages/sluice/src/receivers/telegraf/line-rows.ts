import type { RowBlock } from '../../batch/row-block.ts';
import { externalMetrics } from '../../catalog/external-metrics.ts';
import { outsideWindow } from '../accept-window.ts';
import { columnIndexes } from '../column-indexes.ts';
import { LineReader } from './line-reader.ts';

export type LineDropped = 'malformed' | 'no_number' | 'too_old' | 'too_new';

/** What is the same for all rows of some lines. */
export interface LineFacts {
  readonly team: number;
  /** 0 = they did not come through an agent. */
  readonly agent: number;
  /** Epoch milliseconds: the time of lines without a timestamp. */
  readonly nowMs: number;
  /** Digits of timestamps that are fractions of a second: 9, 6, 3 or 0. */
  readonly fractionDigits: number;
}

const columns = columnIndexes(externalMetrics, ['time', 'agent_id', 'team_id']);

/** Lines of the Influx line protocol as rows of ext_metrics.metrics, and the counts of what was not taken. */
export class LineRows {
  /** Rows made. */
  taken = 0;
  /** Lines that became no row. */
  readonly dropped = new Map<LineDropped, number>();
  /** Texts and booleans of the rows made: the table has numbers only. */
  otherFields = 0;
  /** Number of the line read last, from 1 on, where it began, and why it is malformed. */
  line = 0;
  lineStart = 0;
  readonly #reader = new LineReader();
  #facts!: LineFacts;
  #bytes: Uint8Array = new Uint8Array(0);

  /** Begins the lines of [start, end), all counts from 0. */
  begin(bytes: Uint8Array, start: number, end: number, facts: LineFacts): void {
    this.#bytes = bytes;
    this.#facts = facts;
    this.#reader.begin(bytes, start, end, facts.fractionDigits);
    this.taken = 0;
    this.dropped.clear();
    this.otherFields = 0;
    this.line = 0;
  }

  get isDone(): boolean {
    return this.#reader.isDone;
  }

  get problem(): string {
    return this.#reader.problem;
  }

  /** Reads the next line; a row of it is committed into the block. */
  next(block: RowBlock): LineDropped | undefined {
    const reader = this.#reader;
    this.#count();
    this.lineStart = reader.at;
    const what = reader.next(block);
    if (what === 'nothing') return undefined;
    const dropped = what === 'row' ? this.#commit(block) : what;
    if (dropped === undefined) {
      this.taken++;
      this.otherFields += reader.otherFields;
      return undefined;
    }
    block.abandon();
    this.dropped.set(dropped, (this.dropped.get(dropped) ?? 0) + 1);
    return dropped;
  }

  #commit(block: RowBlock): LineDropped | undefined {
    const { nowMs, agent, team } = this.#facts;
    const { seconds: stamped } = this.#reader;
    const seconds = Number.isNaN(stamped) ? Math.floor(nowMs / 1000) : stamped;
    const outside = outsideWindow(block, seconds);
    if (outside !== undefined) return outside;
    block.setNumber(columns.time, seconds);
    block.setNumber(columns.agent_id, agent);
    block.setNumber(columns.team_id, team);
    block.commit(seconds * 1000);
    return undefined;
  }

  /** Quoted texts may go over several lines, so line feeds are what is counted. */
  #count(): void {
    if (this.line === 0) {
      this.line = 1;
      return;
    }
    const { at } = this.#reader;
    for (let i = this.lineStart; i < at; i++) if (this.#bytes[i] === LINE_FEED) this.line++;
  }
}

const LINE_FEED = 0x0a;
