import { ItemWriter } from '../../delivery/item-writer.ts';
import { putVarint, varintSize } from '../varint.ts';
import { protocolNames } from './attribute-names.ts';
import { isText, repaired } from './attribute-bytes.ts';
import type { LogColumns } from './log-columns.ts';
import { isSql } from './protocol-parts.ts';
import type { SpanOutline } from './span-outline.ts';
import { readSqlName, type SqlName } from './sql-name.ts';

/*
 * Field 5 of a Span: 0x2a | length | text
 */

const NAME = 0x2a;
const BLANK = 0x20;
const SLASH = 0x2f;
const UNKNOWN_SQL = new TextEncoder().encode('unknow');

const NO_WRITER = new ItemWriter();

/** How a protocol's requests are called. */
type NameRule = 'type resource' | 'resource/type' | 'sql' | 'type' | 'resource' | 'other';

function ruleOf(protocol: number): NameRule {
  if (isSql(protocol)) return 'sql';
  switch (protocol) {
    case 20:
    case 21:
      return 'type resource';
    case 40:
    case 41:
      return 'resource/type';
    case 80:
      return 'type';
    case 100:
    case 101:
      return 'resource';
    default:
      return 'other';
  }
}

const rules: readonly NameRule[] = Array.from({ length: 256 }, (_, protocol) => ruleOf(protocol));

/**
 * Names spans: imported ones as they were called, others by the rule of their protocol, which is DeepFlow's. Where there is no rule, or nothing to apply
 * it to, it is the endpoint, the type of the request or the protocol: receivers show a span without a name as a hole.
 */
export class SpanNames {
  readonly #outline: SpanOutline;
  readonly #protocols: Uint8Array;
  readonly #types;
  readonly #resources;
  readonly #endpoints;
  readonly #sql: SqlName = { commandStart: 0, commandEnd: 0, tableStart: 0, tableEnd: 0 };
  #writer = NO_WRITER;

  constructor(columns: LogColumns, outline: SpanOutline) {
    this.#outline = outline;
    this.#protocols = columns.bytes('l7_protocol');
    this.#types = columns.text('request_type');
    this.#resources = columns.text('request_resource');
    this.#endpoints = columns.text('endpoint');
  }

  /** Writes the name of a row's span. */
  put(writer: ItemWriter, row: number): void {
    // The pieces go where they belong when the length is one byte, as it nearly always is.
    const start = writer.at + 2;
    this.#writer = writer;
    writer.at = start;
    if (!this.#outline.isImported(row)) this.#applyRule(row);
    if (writer.at === start) this.#fallBack(row);
    const length = writer.at - start;
    if (length < 0x80 && isText(writer.bytes, start, writer.at)) {
      writer.bytes[start - 2] = NAME;
      writer.bytes[start - 1] = length;
      return;
    }
    const name = repaired(writer.bytes, start, writer.at);
    writer.at = start - 2;
    writer.reserve(name.length + 1 + varintSize(name.length));
    writer.bytes[writer.at] = NAME;
    const at = putVarint(writer.bytes, writer.at + 1, name.length);
    writer.bytes.set(name, at);
    writer.at = at + name.length;
  }

  #applyRule(row: number): void {
    const [types, resources] = [this.#types, this.#resources];
    const typeStart = types.start(row);
    const typeEnd = types.end(row);
    const start = resources.start(row);
    const end = resources.end(row);
    switch (rules[this.#protocols[row]!]!) {
      case 'type resource':
        this.#joined(types.bytes, typeStart, typeEnd, BLANK, resources.bytes, start, end);
        break;
      case 'resource/type':
        this.#joined(resources.bytes, start, end, SLASH, types.bytes, typeStart, typeEnd);
        break;
      case 'sql':
        this.#sqlName(resources.bytes, start, end);
        break;
      case 'type':
        this.#append(types.bytes, typeStart, typeEnd);
        break;
      case 'resource':
        this.#append(resources.bytes, start, end);
        break;
      case 'other':
        break;
    }
  }

  #joined(
    first: Uint8Array,
    start: number,
    end: number,
    between: number,
    second: Uint8Array,
    otherStart: number,
    otherEnd: number,
  ): void {
    if (end === start && otherEnd === otherStart) return;
    this.#append(first, start, end);
    this.#appendByte(between);
    this.#append(second, otherStart, otherEnd);
  }

  #sqlName(text: Uint8Array, start: number, end: number): void {
    const sql = this.#sql;
    readSqlName(text, start, end, sql);
    if (sql.commandEnd === sql.commandStart) {
      this.#append(UNKNOWN_SQL, 0, UNKNOWN_SQL.length);
      return;
    }
    this.#append(text, sql.commandStart, sql.commandEnd);
    if (sql.tableEnd === sql.tableStart) return;
    this.#appendByte(BLANK);
    this.#append(text, sql.tableStart, sql.tableEnd);
  }

  #fallBack(row: number): void {
    for (const column of [this.#endpoints, this.#types]) {
      const start = column.start(row);
      const end = column.end(row);
      this.#append(column.bytes, start, end);
      if (end > start) return;
    }
    const name = protocolNames[this.#protocols[row]!]!;
    this.#append(name, 0, name.length);
  }

  #append(from: Uint8Array, start: number, end: number): void {
    const writer = this.#writer;
    writer.reserve(end - start + 3);
    const { bytes } = writer;
    let { at } = writer;
    for (let i = start; i < end; i++) bytes[at++] = from[i]!;
    writer.at = at;
  }

  #appendByte(byte: number): void {
    const writer = this.#writer;
    writer.reserve(1);
    writer.bytes[writer.at++] = byte;
  }
}
