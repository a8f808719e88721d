/** Agents' records for benchmarks: golden cases (constructed, every field set) and frames of a stock agent, from the fixtures and, where it exists, ../shared. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { zstdDecompressSync } from 'node:zlib';
import { encodeNative } from '../src/batch/native.ts';
import { RowBlock } from '../src/batch/row-block.ts';
import type { DataSource } from '../src/catalog/types.ts';
import { createDocumentDecoder } from '../src/receivers/agent/documents.ts';
import { createL4FlowDecoder } from '../src/receivers/agent/l4-flow.ts';
import { L7FlowDecoder } from '../src/receivers/agent/l7-flow.ts';
import type { RecordDecoder } from '../src/receivers/record-decoder.ts';
import { RowIds } from '../src/receivers/row-ids.ts';
import type { RowTarget } from '../src/receivers/row-target.ts';

/** As in the hub. */
const BLOCK_ROWS = 1023;
const fixtures = new URL('../test/fixtures/', import.meta.url);
const shared = new URL('../../../../shared/', import.meta.url);

export interface AgentCase {
  readonly name: string;
  /** Folders of golden cases. */
  readonly golden: readonly string[];
  /** Folders of recorded frames. */
  readonly frames: readonly string[];
  /** Records that make rows of other tables are left out. */
  readonly tables: readonly string[];
  readonly create: (target: RowTarget) => RecordDecoder;
  /** The original in Go with tags, golden records, rows per CPU-second on a machine of the same kind. */
  readonly original: string;
}

const rowIds = new RowIds({ hubId: 0 });
const documents = (target: RowTarget) => createDocumentDecoder({ target });

function documentCase(table: string, original: string): AgentCase {
  const tables = [`flow_metrics.${table}.1m`, `flow_metrics.${table}.1s`];
  const frames = ['METRICS', 'METRICS_ebpf', 'METRICS_platform_data'];
  return { name: table, golden: tables, frames, tables, create: documents, original };
}

export const agentCases: readonly AgentCase[] = [
  documentCase('network', '-'),
  documentCase('network_map', '0.72-0.78 M'),
  documentCase('application', '-'),
  documentCase('application_map', '1.12-1.16 M'),
  {
    name: 'l4_flow_log',
    golden: ['flow_log.l4_flow_log'],
    frames: ['TAGGEDFLOW', 'TAGGEDFLOW_platform_data', 'TAGGEDFLOW_zstd'],
    tables: ['flow_log.l4_flow_log'],
    create: (target) => createL4FlowDecoder({ target, rowIds }),
    original: '0.48-0.55 M',
  },
  {
    name: 'l7_flow_log',
    golden: ['flow_log.l7_flow_log'],
    frames: ['PROTOCOLLOG', 'PROTOCOLLOG_ebpf_zstd', 'PROTOCOLLOG_zstd'],
    tables: ['flow_log.l7_flow_log'],
    create: (target) => new L7FlowDecoder({ target, rowIds }),
    original: '0.27-0.28 M',
  },
];

export const sender = { org: 1, team: 1, agent: 12, address: '127.0.0.1' };

/** Blocks of any table, each encoded and emptied when full. */
export class BlockSink implements RowTarget {
  rows = 0;
  bytes = 0;
  last = '';
  readonly #blocks = new Map<DataSource, RowBlock>();

  block(source: DataSource): RowBlock {
    let block = this.#blocks.get(source);
    if (block === undefined) {
      block = new RowBlock(source);
      this.#blocks.set(source, block);
    }
    if (block.rows >= BLOCK_ROWS) this.#encode(block);
    this.last = source.id;
    return block;
  }

  flush(): void {
    for (const block of this.#blocks.values()) if (block.rows > 0) this.#encode(block);
  }

  #encode(block: RowBlock): void {
    this.rows += block.rows;
    this.bytes += encodeNative([block.finish(1)]).bytes;
    block.reset();
  }
}

function filesOf(folder: string, suffix: string): Uint8Array[] {
  const found = [
    new URL(`golden/${folder}/`, fixtures),
    new URL(`agent/${folder}/`, fixtures),
    new URL(`golden/${folder}/`, shared),
    new URL(`frames/agent/${folder}/`, shared),
  ].filter((url) => existsSync(url));
  const names = new Map(
    found.flatMap((url) =>
      readdirSync(url)
        .filter((name) => name.endsWith(suffix))
        .map((name) => [name, url] as const),
    ),
  );
  return [...names].map(([name, url]) => readFileSync(new URL(name, url)));
}

export function goldenRecords(folder: string): Uint8Array[] {
  return filesOf(folder, '.json').map((file) => {
    const { input_base64: input } = JSON.parse(Buffer.from(file).toString()) as { readonly input_base64: string };
    return Buffer.from(input, 'base64');
  });
}

export function recordedRecords(folder: string): Uint8Array[] {
  return filesOf(folder, '.bin').flatMap((frame) => {
    const body = frame[7] === 3 ? zstdDecompressSync(frame.subarray(19)) : Buffer.from(frame.subarray(19));
    const records: Uint8Array[] = [];
    for (let at = 0; at + 4 <= body.length;) {
      const size = body.readUInt32LE(at);
      records.push(body.subarray(at + 4, at + 4 + size));
      at += 4 + size;
    }
    return records;
  });
}

/** Those of the case's tables, one after the other in one memory, as in a frame. */
export function lay(records: readonly Uint8Array[], one: AgentCase): { bytes: Uint8Array; bounds: Uint32Array } {
  const sink = new BlockSink();
  const decoder = one.create(sink);
  const kept = records.filter(
    (record) => decoder.decode(record, 0, record.length, sender) === undefined && one.tables.includes(sink.last),
  );
  // As many as a busy agent sends in a second, in an order that repeats late.
  const laid = Array.from({ length: 4096 }, (_, index) => kept[(index * 2_654_435_761) % kept.length]!);
  const bounds = new Uint32Array(laid.length + 1);
  for (const [index, record] of laid.entries()) bounds[index + 1] = bounds[index]! + record.length;
  return { bytes: Buffer.concat(laid), bounds };
}
