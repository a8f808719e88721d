import { SluiceError } from '../base/errors.ts';
import type { PartitionKey } from '../journal/types.ts';

/*
 * Rejected items of an exporter: <data-dir>/rejected/<exporter>/, mode 0700, files 0600.
 *
 *   <id>.items     lines of JSON. The first one: {"version":1}. Then one an item, ids growing:
 *                  {"id":n,"time":"...","table":"...","org":n,"writer":"...","row":n,"row_time":"...","kind":"...","reason":"...","text":"...",
 *                   "head":"base64","body":"base64"}
 *   <id>.removed   lines of JSON, or empty: lists of ids of that file that were sent after all or dropped
 *
 * <id> is the first item's, in 16 decimal digits. An id is milliseconds since 1970 or the one before plus 1, so that none is used twice. `head` and
 * `body` are absent of a row that could not be encoded at all, and of an item too large to be kept. A line without its line break is a torn end: it
 * counts for nothing, and as every start of the hub begins a new file, nothing is written behind it.
 */

export const REJECTED_VERSION = 1;
/** Bodies beyond are not kept, only what is known about the item. */
export const MOST_BODY = 16 * 1024 * 1024;
const MOST_TEXT = 16 * 1024;
const MOST_REASON = 2048;

export type RejectedReason = 'encode' | 'rejected' | 'refused' | 'unsplit';

/** An item that is to be set aside. */
export interface NewRejected {
  readonly partition: PartitionKey;
  readonly row: number;
  /** Epoch milliseconds; NaN when it is not known. */
  readonly rowTimeMs: number;
  readonly reason: RejectedReason;
  readonly why: string;
  readonly head: Uint8Array | undefined;
  readonly body: Uint8Array | undefined;
  readonly text: string;
}

/** An item as it stands in a file. */
export interface RejectedItem {
  readonly id: number;
  /** When it was set aside, ISO 8601. */
  readonly time: string;
  readonly table: string;
  readonly org: number;
  readonly writer: string;
  /** Place in the journal. */
  readonly row: number;
  /** ISO 8601; empty when it is not known. */
  readonly row_time: string;
  readonly kind: RejectedReason;
  readonly reason: string;
  readonly text: string;
  /** Base64. */
  readonly head?: string;
  readonly body?: string;
}

/** What is known about an item. `bytes` of its body: absent when that was not kept, so that it cannot be sent once more. */
export interface RejectedSummary extends Omit<RejectedItem, 'head' | 'body' | 'text'> {
  readonly bytes?: number;
}

export function firstLine(): string {
  return `${JSON.stringify({ version: REJECTED_VERSION })}\n`;
}

export function encodeRejected(id: number, nowMs: number, item: NewRejected): string {
  const { partition, row, rowTimeMs, reason, why, head, body, text } = item;
  const isKept = body !== undefined && body.length + (head?.length ?? 0) <= MOST_BODY;
  const line: RejectedItem = {
    id,
    time: new Date(nowMs).toISOString(),
    table: partition.table,
    org: partition.org,
    writer: partition.writer,
    row,
    row_time: isoTime(rowTimeMs),
    kind: reason,
    reason: cut(why, MOST_REASON),
    text: cut(text, MOST_TEXT),
    ...(isKept ? { head: base64(head ?? new Uint8Array(0)), body: base64(body) } : {}),
  };
  return `${JSON.stringify(line)}\n`;
}

/** Without its content. */
export function summaryOf(item: RejectedItem): RejectedSummary {
  const { id, time, table, org, writer, row, row_time, kind, reason, body } = item;
  const bytes = body === undefined ? {} : { bytes: Buffer.byteLength(body, 'base64') };
  return { id, time, table, org, writer, row, row_time, kind, reason, ...bytes };
}

/** An item of a line without its line break; undefined when it is none. */
export function parseRejected(line: string): RejectedItem | undefined {
  const value = parse(line);
  return isItem(value) ? value : undefined;
}

/** Ids of a line of a `.removed` file. */
export function parseRemoved(line: string): readonly number[] {
  const value = parse(line);
  return Array.isArray(value) ? value.filter((id): id is number => Number.isSafeInteger(id)) : [];
}

/** Throws SluiceError `format_too_new` when a file's first line says so; false when it is no such file. */
export function isRejectedFile(line: string, path: string): boolean {
  const value = parse(line);
  if (typeof value !== 'object' || value === null || !('version' in value)) return false;
  const { version } = value;
  if (typeof version !== 'number') return false;
  if (version > REJECTED_VERSION) {
    throw new SluiceError(
      'format_too_new',
      `cannot read ${path}: expected format ${REJECTED_VERSION} of rejected items; got ${version}, written by a newer Sluice; start that version`,
    );
  }
  return true;
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function isItem(value: unknown): value is RejectedItem {
  if (typeof value !== 'object' || value === null) return false;
  const item: Partial<Record<keyof RejectedItem, unknown>> = value;
  const numbers = [item.id, item.org, item.row];
  const texts = [item.time, item.table, item.writer, item.row_time, item.kind, item.reason, item.text];
  return (
    numbers.every(Number.isSafeInteger) &&
    texts.every((text) => typeof text === 'string') &&
    typeof item.head === typeof item.body &&
    (item.body === undefined || typeof item.body === 'string')
  );
}

function isoTime(ms: number): string {
  return Math.abs(ms) < 8.64e15 ? new Date(ms).toISOString() : '';
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most)}...` : text;
}
