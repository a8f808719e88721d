import type { RowBlock } from '../../batch/row-block.ts';
import type { RowIds } from '../row-ids.ts';
import type { TracesLimits } from './config.ts';
import type { Bounds } from './span-fields.ts';
import { type SpanOutcome, SpanRows, type SpanSender } from './span-rows.ts';
import { TraceOutline } from './trace-outline.ts';

/** About what a row takes besides its texts. */
const ROW_BYTES = 640;
/** Texts made of values can be several times as long as these. */
const MAX_SPAN_BYTES = 4 * 1024 * 1024;

/** Why a span was not taken. */
export type SpanFault = Exclude<SpanOutcome, 'taken'> | 'too_large';

/** How far reading came: `too_many` spans are found before any row is made, `too_large` are the rows made so far. */
export type TraceOutcome = 'read' | 'malformed' | 'too_many' | 'too_large';

export interface TraceSource extends SpanSender {
  /** Asked for every span. */
  readonly block: () => RowBlock;
  /** Address that stands for a resource's `app.host.ip` where it has none. */
  readonly peer?: string | undefined;
}

/** Turns OTLP messages into rows. One message at a time. */
export class TraceReader {
  /** Spans of the message that became rows. */
  taken = 0;
  /** Of these, those that begin with their end: their own begin was missing, after it, or before the accept window. */
  wrongStarts = 0;
  /** Those that did not, by reason. */
  readonly rejected = new Map<SpanFault, number>();
  readonly #limits: TracesLimits;
  readonly #outline = new TraceOutline();
  readonly #rows: SpanRows;

  constructor(rowIds: RowIds, limits: TracesLimits) {
    this.#rows = new SpanRows(rowIds);
    this.#limits = limits;
  }

  /** Reads the message in [start, end). A broken span costs no other; a broken message makes no row. */
  read(bytes: Uint8Array, start: number, end: number, source: TraceSource): TraceOutcome {
    this.taken = 0;
    this.wrongStarts = 0;
    this.rejected.clear();
    const outline = this.#outline;
    const found = outline.read(bytes, start, end, this.#limits.spans);
    if (found !== 'read') return found;
    const { resource } = this.#rows;
    const span = { start: 0, end: 0 };
    let rowBytes = 0;
    let [resourceStart, resourceEnd, isSound] = [-1, -1, false];
    for (let i = 0; i < outline.count; i++) {
      const [from, to] = [outline.bounds[i * 4]!, outline.bounds[i * 4 + 1]!];
      if (from !== resourceStart || to !== resourceEnd) {
        isSound = resource.read(bytes, from, to, source.peer);
        resourceStart = from;
        resourceEnd = to;
      }
      span.start = outline.bounds[i * 4 + 2]!;
      span.end = outline.bounds[i * 4 + 3]!;
      rowBytes += ROW_BYTES + resource.bytes + span.end - span.start;
      if (rowBytes > this.#limits.rowBytes) {
        this.#reject('too_large', outline.count - i);
        return 'too_large';
      }
      if (!isSound) this.#reject('malformed', 1);
      else if (span.end - span.start > MAX_SPAN_BYTES) this.#reject('too_large', 1);
      else this.#write(source, bytes, span);
    }
    return 'read';
  }

  #write(source: TraceSource, bytes: Uint8Array, span: Bounds): void {
    const rows = this.#rows;
    const before = rows.wrongStarts;
    const outcome = rows.write(source.block(), bytes, span, source);
    if (outcome === 'taken') {
      this.taken++;
      this.wrongStarts += rows.wrongStarts - before;
    } else this.#reject(outcome, 1);
  }

  #reject(reason: SpanFault, spans: number): void {
    this.rejected.set(reason, (this.rejected.get(reason) ?? 0) + spans);
  }
}
