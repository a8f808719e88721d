import type { RowBlock } from '../../batch/row-block.ts';
import { applicationLog } from '../../catalog/application-log.ts';
import { parseIpAddress } from '../ip-address.ts';
import type { RowIds } from '../row-ids.ts';
import type { RowTarget } from '../row-target.ts';
import { EntryReader } from './entry-reader.ts';
import { commitLog, logColumns as at, type LogType, outsideLog } from './log-rows.ts';
import { type Entry, isEntry, numberOf, parseEntry, textOf } from './parse-entry.ts';
import { parseRfc3339 } from './rfc3339.ts';
import { severityNumber } from './severity.ts';

/** Why an entry is not taken. */
export type EntryDropped =
  | 'malformed'
  | 'too_large'
  | 'no_message'
  | 'bad_timestamp'
  | 'organisation'
  | 'too_old'
  | 'too_new';

export interface EntryRowsOptions {
  readonly rowIds: RowIds;
  /** Organisations that are taken. */
  readonly organisations: readonly number[];
  /** Longest entry, in bytes. */
  readonly entryBytes: number;
}

/** What is the same for all entries of a text. */
export interface EntrySource {
  readonly target: RowTarget;
  readonly org: number;
  readonly team: number;
  /** 0 = they did not come through an agent. */
  readonly agent: number;
}

/** Organisation of the logs of the system itself. */
const SYSTEM_ORGANISATION = 1;

const types: ReadonlyMap<string, LogType> = new Map(
  (['user', 'system', 'audit', 'agent'] as const).map((type) => [type, type]),
);

/**
 * Entries of application logs as rows of application_log.log, and the counts of those that were not taken. Known keys of an entry:
 *
 *   message        the line; without one there is no row
 *   timestamp      RFC 3339
 *   level          name of the severity
 *   _df_log_type   user (default), system (kept in organisation 1), audit (kept in the organisation of `org_id`, if it says one), agent
 *   app_service, trace_id, span_id, user_id
 *   kubernetes     { pod_name, pod_ip }: what universal tags are looked up by; attributes as well where there is an address
 *   json           { name: value }: attributes
 *   metrics        { name: value }: measurements where the value is a number or the text of one, else attributes
 */
export class EntryRows {
  /** Rows made. */
  taken = 0;
  /** Entries that became none. */
  readonly dropped = new Map<EntryDropped, number>();
  readonly #options: EntryRowsOptions;
  readonly #organisations: ReadonlySet<number>;
  readonly #reader = new EntryReader();
  #bytes: Uint8Array = new Uint8Array(0);
  #source!: EntrySource;

  constructor(options: EntryRowsOptions) {
    this.#options = options;
    this.#organisations = new Set(options.organisations);
  }

  /** Begins the text in [start, end), all counts from 0. */
  begin(bytes: Uint8Array, start: number, end: number, source: EntrySource): void {
    this.#bytes = bytes;
    this.#source = source;
    this.#reader.begin(bytes, start, end);
    this.taken = 0;
    this.dropped.clear();
  }

  /** Where reading goes on. */
  get at(): number {
    return this.#reader.at;
  }

  /** Reads the next entry; false when there is none. */
  next(): boolean {
    const reader = this.#reader;
    if (!reader.next()) {
      if (reader.isTorn) this.#drop('malformed');
      return false;
    }
    const dropped = this.#read(reader.start, reader.end);
    if (dropped === undefined) this.taken++;
    else this.#drop(dropped);
    return true;
  }

  #drop(reason: EntryDropped): void {
    this.dropped.set(reason, (this.dropped.get(reason) ?? 0) + 1);
  }

  #read(start: number, end: number): EntryDropped | undefined {
    if (end - start > this.#options.entryBytes) return 'too_large';
    const { buffer, byteOffset } = this.#bytes;
    const entry = parseEntry(Buffer.from(buffer, byteOffset + start, end - start).toString());
    return entry === undefined ? 'malformed' : this.#write(entry);
  }

  #write(entry: Entry): EntryDropped | undefined {
    const { target, org, team, agent } = this.#source;
    const message = entry['message'];
    if (typeof message !== 'string' || message === '') return 'no_message';
    const timestamp = entry['timestamp'];
    const micros = typeof timestamp === 'string' ? parseRfc3339(timestamp) : NaN;
    if (Number.isNaN(micros)) return 'bad_timestamp';
    const type = types.get(wordOf(entry['_df_log_type']).toLowerCase()) ?? 'user';
    const owner = ownerOf(type, entry, org);
    if (owner !== org && !this.#organisations.has(owner)) return 'organisation';

    const block = target.block(applicationLog, owner);
    const outside = outsideLog(block, micros);
    if (outside !== undefined) return outside;
    try {
      block.setText(at.body, message);
      this.#writeTexts(block, entry);
      writePod(block, entry['kubernetes']);
      writeAttributes(block, entry);
    } catch (error) {
      block.abandon();
      // A value too deep for the stack cannot be written as text.
      if (!(error instanceof RangeError)) throw error;
      return 'malformed';
    }
    const severity = severityNumber(wordOf(entry['level']));
    commitLog(block, this.#options.rowIds, { type, micros, severity, agent, team });
    return undefined;
  }

  #writeTexts(block: RowBlock, entry: Entry): void {
    block.setText(at.app_service, wordOf(entry['app_service']));
    block.setText(at.trace_id, wordOf(entry['trace_id']));
    block.setText(at.span_id, wordOf(entry['span_id']));
    block.setNumber(at.user_id, wholeOf(entry['user_id'], 0xffff_ffff));
  }
}

function ownerOf(type: LogType, entry: Entry, org: number): number {
  if (type === 'system') return SYSTEM_ORGANISATION;
  // What is no number of an organisation is none that is configured.
  return type === 'audit' ? wholeOf(entry['org_id'], 0xffff) || org : org;
}

function writePod(block: RowBlock, kubernetes: unknown): void {
  if (!isEntry(kubernetes)) return;
  const name = wordOf(kubernetes['pod_name']);
  const address = wordOf(kubernetes['pod_ip']);
  if (name !== '') block.setText(at.pod_name_key, name);
  if (address === '') return;
  const bytes = parseIpAddress(address);
  if (bytes?.length === 4) {
    block.setNumber(at.is_ipv4, 1);
    block.setNumber(at.ip4, (bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!);
  } else if (bytes !== undefined) block.setBytes(at.ip6, bytes, 0);
  pushAttribute(block, 'pod_ip', address);
  pushAttribute(block, 'pod_name', name);
}

function writeAttributes(block: RowBlock, { json, metrics }: Entry): void {
  if (isEntry(json)) for (const [name, value] of Object.entries(json)) pushAttribute(block, name, textOf(value));
  if (!isEntry(metrics)) return;
  for (const [name, value] of Object.entries(metrics)) {
    const number = numberOf(value);
    if (number === undefined) pushAttribute(block, name, textOf(value));
    else {
      block.pushText(at.metrics_names, name);
      block.pushNumber(at.metrics_values, number);
    }
  }
}

function pushAttribute(block: RowBlock, name: string, value: string): void {
  block.pushText(at.attribute_names, name);
  block.pushText(at.attribute_values, value);
}

/** A text, or '' for what is none. */
function wordOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** A whole number from 0 to `most`, or 0 for what is none. */
function wholeOf(value: unknown, most: number): number {
  const number = numberOf(value) ?? 0;
  return Number.isInteger(number) && number >= 0 && number <= most ? number : 0;
}
