import { textAt } from '../../batch/read.ts';
import type { ItemWriter } from '../../delivery/item-writer.ts';
import { columnNamed } from '../columns.ts';
import type { Selector } from '../selection.ts';
import { putVarint, varintSize } from '../varint.ts';
import { encodedText, isText, putEncoded, putText, repaired } from './attribute-bytes.ts';
import { spanKey } from './attribute-names.ts';
import type { Part } from './attribute-parts.ts';
import { chosenBy } from './chosen.ts';
import type { LogColumns, TextColumn } from './log-columns.ts';
import { putNanoseconds } from './nanoseconds.ts';
import { ID_ABSENT, ID_HASHED, isZero, writeRowId, writeSpanId, writeTraceId } from './native-ids.ts';
import { resourceParts, type ResourceBlocks } from './resource-parts.ts';
import { eventsFromJson } from './span-events.ts';
import { SpanNames } from './span-name.ts';
import { ERROR, SpanOutline } from './span-outline.ts';
import { spanParts } from './span-parts.ts';
import { removeTwins, TwinCheck } from './twin-attributes.ts';

/*
 * A Span on the wire, as an item's body:
 *
 *   1 trace id (16 bytes) | 2 span id (8) | 4 parent span id (8) | 5 name | 6 kind | 7 start ns (8 bytes) | 8 end ns (8) | 9 KeyValue* | 11 Event* |
 *   15 Status: 2 message | 3 code
 *
 * Ids: what an agent captured is a span of its own, by the row's id, and a child of the span that the message named, which is whose caller sent it:
 * all rows of one request hang below the span that made it, whether that is exported from here (as an imported one, under its own id) or by the
 * application itself. Without such a span there is no parent. Without a trace the row is its own.
 */

const TRACE_ID = [0x0a, 16];
const SPAN_ID = [0x12, 8];
const PARENT_ID = [0x22, 8];
const KIND = 0x30;
const START = 0x39;
const END = 0x41;
const EVENT = 0x5a;
const STATUS = 0x7a;
/** Bytes of the fields of fixed length. */
const FIXED = 64;

const nativeParent = spanKey('df.span.native.parent_span_id');
const unreadEvents = spanKey('df.span.events');

export interface SpanWriterOptions {
  readonly columns: LogColumns;
  readonly selector: Selector;
  readonly blocks: ResourceBlocks;
  /** Place of the Batch's first row in its partition. */
  readonly firstRow: number;
}

/** Writes rows of one Batch as spans. */
export class SpanWriter {
  readonly #outline: SpanOutline;
  readonly #names: SpanNames;
  readonly #resourceParts: readonly Part[];
  readonly #spanParts: readonly Part[];
  readonly #twins: TwinCheck;
  readonly #rowIds: Uint32Array;
  readonly #traceIds: TextColumn;
  readonly #spanIds: TextColumn;
  readonly #parentIds: TextColumn;
  readonly #starts: Uint32Array;
  readonly #ends: Uint32Array;
  readonly #exceptions: TextColumn;
  readonly #events: TextColumn;
  readonly #columns: LogColumns;
  readonly #firstRow: number;

  readonly #traceId = new Uint8Array(16);
  readonly #spanId = new Uint8Array(8);
  readonly #parentId = new Uint8Array(8);
  readonly #nanoseconds = new Uint32Array(2);
  readonly #endNanoseconds = new Uint32Array(2);

  constructor({ columns, selector, blocks, firstRow }: SpanWriterOptions) {
    const chosen = chosenBy(selector);
    this.#columns = columns;
    this.#firstRow = firstRow;
    this.#outline = new SpanOutline(columns);
    this.#names = new SpanNames(columns, this.#outline);
    const podLabels = selector.podLabels(columns.batch);
    this.#resourceParts = resourceParts({ columns, chosen, outline: this.#outline, podLabels, blocks });
    this.#spanParts = spanParts(columns, chosen, this.#outline);
    this.#twins = new TwinCheck(columns);
    this.#rowIds = columns.words('_id');
    this.#traceIds = columns.text('trace_id');
    this.#spanIds = columns.text('span_id');
    this.#parentIds = columns.text('parent_span_id');
    this.#starts = columns.words('start_time');
    this.#ends = columns.words('end_time');
    this.#exceptions = columns.text('response_exception');
    this.#events = columns.text('events');
  }

  /** Writes the Resource of a row. */
  putResource(writer: ItemWriter, row: number): void {
    for (const part of this.#resourceParts) part(writer, row);
  }

  /** Writes the Span of a row. */
  putSpan(writer: ItemWriter, row: number): void {
    const isParentHashed = this.#putIds(writer, row);
    this.#names.put(writer, row);
    this.#putTimes(writer, row);
    const attributes = writer.at;
    for (const part of this.#spanParts) part(writer, row);
    if (isParentHashed) this.#putParentText(writer, row);
    if (this.#twins.mayHaveTwins(row)) removeTwins(writer, attributes);
    this.#putEvents(writer, row);
    this.#putStatus(writer, row);
  }

  /** Tells whether the parent's id is one that was made of its text, which is not among the attributes yet. */
  #putIds(writer: ItemWriter, row: number): boolean {
    const own = this.#spanId;
    this.#setRowId(row);
    const trace = this.#traceId;
    if (writeTraceId(this.#traceIds.bytes, this.#traceIds.start(row), this.#traceIds.end(row), trace) === ID_ABSENT) {
      trace.set(own);
      trace.fill(0, 8);
    }
    const isImported = this.#outline.isImported(row);
    const parent = this.#parentId;
    let found: number;
    let isFromParentColumn = true;
    if (isImported) {
      if (this.#writeId(this.#spanIds, row, own) === ID_ABSENT) this.#setRowId(row);
      found = this.#writeId(this.#parentIds, row, parent);
    } else {
      found = this.#writeId(this.#spanIds, row, parent);
      isFromParentColumn = found === ID_ABSENT;
      if (isFromParentColumn) found = this.#writeId(this.#parentIds, row, parent);
    }
    const hasParent = found !== ID_ABSENT && !isEqual(parent, own);
    writer.reserve(FIXED);
    putId(writer, TRACE_ID, trace);
    putId(writer, SPAN_ID, own);
    if (hasParent) putId(writer, PARENT_ID, parent);
    return hasParent && isFromParentColumn && found === ID_HASHED;
  }

  #writeId(column: TextColumn, row: number, out: Uint8Array): number {
    return writeSpanId(column.bytes, column.start(row), column.end(row), out);
  }

  #setRowId(row: number): void {
    const own = this.#spanId;
    writeRowId(this.#rowIds[row * 2]!, this.#rowIds[row * 2 + 1]!, own);
    // No hub makes such a row, but whoever writes into its tables may: the row's place tells it from others.
    if (isZero(own, 8)) writeRowId(this.#firstRow + row + 1, 0x8000_0000, own);
  }

  #putParentText(writer: ItemWriter, row: number): void {
    const column = this.#parentIds;
    putText(writer, nativeParent, column.bytes, column.start(row), column.end(row));
  }

  /** A span that does not say when it began began when it ended. */
  #putTimes(writer: ItemWriter, row: number): void {
    const kind = this.#outline.kind(row);
    const begun = this.#nanoseconds;
    const ended = this.#endNanoseconds;
    putNanoseconds(this.#ends, row, ended);
    putNanoseconds(this.#starts, row, begun);
    writer.reserve(FIXED);
    const { bytes } = writer;
    let { at } = writer;
    if (kind !== 0) {
      bytes[at++] = KIND;
      bytes[at++] = kind;
    }
    bytes[at++] = START;
    at = putHalves(bytes, at, (begun[0]! | begun[1]!) === 0 ? ended : begun);
    bytes[at++] = END;
    writer.at = putHalves(bytes, at, ended);
  }

  #putEvents(writer: ItemWriter, row: number): void {
    if (this.#events.end(row) > this.#events.start(row)) this.#putOwnEvents(writer, row);
    if (this.#outline.isImported(row)) return;
    const column = this.#exceptions;
    let { bytes: from } = column;
    let start = column.start(row);
    let end = column.end(row);
    if (end === start) return;
    if (!isText(from, start, end)) {
      from = repaired(from, start, end);
      start = 0;
      end = from.length;
    }
    const length = end - start;
    writer.reserve(length + 32);
    const { bytes } = writer;
    let at = writer.at;
    bytes[at++] = EVENT;
    at = putVarint(bytes, at, 10 + varintSize(length) + length);
    bytes[at++] = 0x09;
    at = putHalves(bytes, at, this.#endNanoseconds);
    bytes[at++] = 0x12;
    at = putVarint(bytes, at, length);
    bytes.set(from.subarray(start, end), at);
    writer.at = at + length;
  }

  /** Events that came with the span; what cannot be read goes along as it is. */
  #putOwnEvents(writer: ItemWriter, row: number): void {
    const text = textAt(columnNamed(this.#columns.batch, 'events'), row);
    if (text === 'null' || text === '[]') return;
    putEncoded(writer, eventsFromJson(text) ?? encodedText(unreadEvents, text));
  }

  #putStatus(writer: ItemWriter, row: number): void {
    const code = this.#outline.status(row);
    if (code === 0) return;
    const column = this.#exceptions;
    // Of spans that came in as such it is the message of the status.
    const hasMessage = code === ERROR && this.#outline.isImported(row) && column.end(row) > column.start(row);
    if (!hasMessage) {
      writer.reserve(4);
      const { bytes } = writer;
      bytes[writer.at++] = STATUS;
      bytes[writer.at++] = 2;
      bytes[writer.at++] = 0x18;
      bytes[writer.at++] = code;
      return;
    }
    const message = repaired(column.bytes, column.start(row), column.end(row));
    writer.reserve(message.length + 16);
    const { bytes } = writer;
    let at = writer.at;
    bytes[at++] = STATUS;
    at = putVarint(bytes, at, 3 + varintSize(message.length) + message.length);
    bytes[at++] = 0x12;
    at = putVarint(bytes, at, message.length);
    bytes.set(message, at);
    at += message.length;
    bytes[at++] = 0x18;
    bytes[at++] = code;
    writer.at = at;
  }
}

function putId(writer: ItemWriter, start: readonly number[], id: Uint8Array): void {
  const { bytes } = writer;
  let at = writer.at;
  for (const byte of start) bytes[at++] = byte;
  for (let i = 0; i < id.length; i++) bytes[at++] = id[i]!;
  writer.at = at;
}

function putHalves(bytes: Uint8Array, at: number, halves: Uint32Array): number {
  for (let half = 0; half < 2; half++) {
    const value = halves[half]!;
    bytes[at + half * 4] = value;
    bytes[at + half * 4 + 1] = value >>> 8;
    bytes[at + half * 4 + 2] = value >>> 16;
    bytes[at + half * 4 + 3] = value >>> 24;
  }
  return at + 8;
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
