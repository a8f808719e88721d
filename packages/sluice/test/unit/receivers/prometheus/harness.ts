import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { LinearMemory } from '../../../../src/base/linear-memory.ts';
import type { Append, HttpReply, SeriesTagger } from '../../../../src/base/ports.ts';
import { bug } from '../../../../src/base/errors.ts';
import type { Batch, Column } from '../../../../src/batch/batch.ts';
import { decodeNative, encodeNative } from '../../../../src/batch/native.ts';
import { textAt } from '../../../../src/batch/read.ts';
import {
  remoteWriteLimitsSchema,
  toRemoteWriteLimits,
  type RemoteWriteLimits,
} from '../../../../src/receivers/prometheus/config.ts';
import { createRemoteWrite, type AcceptSpan, type RemoteWrite } from '../../../../src/receivers/prometheus/write.ts';
import { SeriesTable } from '../../../../src/series/series-table.ts';
import { createLog } from '../../../../src/telemetry/log.ts';
import { createMetrics, type Metrics } from '../../../../src/telemetry/metrics.ts';

/** A value of a row: 64-bit numbers as bigint (doubles by their bits), others as number, text, or lists of these. */
export type Value = bigint | number | string | readonly Value[];
export type Row = Readonly<Record<string, Value>>;

export interface Harness {
  readonly receiver: RemoteWrite;
  readonly append: Append<Batch>;
  readonly table: SeriesTable;
  readonly metrics: Metrics;
  /** Rows by table, of all appends that succeeded; in order. */
  readonly rows: Map<string, Row[]>;
  /** Order of tables in each append. */
  readonly appends: string[][];
  /** What the next appends do; undefined = succeed. */
  failure: Error | undefined;
  nowMs: number;
  post(body: Uint8Array, headers?: Readonly<Record<string, string>>): Promise<HttpReply>;
  /** Runs the route's check and, if it passes, its handler, as the server does. */
  labelsOf(series: Row): Record<string, string>;
}

export const V1 = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };
export const V2 = {
  'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
  'content-encoding': 'snappy',
};

export interface HarnessOptions {
  readonly limit?: number;
  readonly limits?: Partial<RemoteWriteLimits>;
  readonly window?: AcceptSpan;
  readonly digest?: (bytes: Uint8Array) => Uint8Array;
  readonly messages?: Parameters<typeof createRemoteWrite>[0]['messages'];
  readonly tagger?: SeriesTagger;
}

export const OPEN: AcceptSpan = { behindMs: Infinity, aheadMs: Infinity };

export function createHarness(options: HarnessOptions = {}): Harness {
  const memory = new LinearMemory();
  const metrics = createMetrics();
  const rows = new Map<string, Row[]>();
  const appends: string[][] = [];
  const clock = { nowMs: Date.now() };
  const now = (): number => clock.nowMs;
  const table = new SeriesTable({
    memory,
    limit: options.limit ?? 1_000_000,
    now,
    ...(options.digest === undefined ? {} : { digest: options.digest }),
  });
  const append: Append<Batch> = async (batches) => {
    await Promise.resolve();
    if (harness.failure !== undefined) throw harness.failure;
    appends.push(batches.map(({ source }) => source.id));
    for (const batch of batches) {
      const known = rows.get(batch.source.id) ?? [];
      known.push(...rowsOf(batch));
      rows.set(batch.source.id, known);
    }
  };
  const receiver = createRemoteWrite({
    append,
    series: () => table,
    memory,
    acceptWindow: () => options.window ?? OPEN,
    limits: { ...toRemoteWriteLimits(remoteWriteLimitsSchema.parse({})), ...options.limits },
    ...(options.messages === undefined ? {} : { messages: options.messages }),
    ...(options.tagger === undefined ? {} : { tagger: () => options.tagger }),
    metrics,
    log: createLog({ level: 'silent' }),
    now,
  });
  const harness: Harness = {
    receiver,
    append,
    table,
    metrics,
    rows,
    appends,
    failure: undefined,
    get nowMs() {
      return clock.nowMs;
    },
    set nowMs(value) {
      clock.nowMs = value;
    },
    post: async (body, headers = V1) => {
      const route = receiver.routes[0] ?? bug('no route');
      const refusal = route.check?.(headers);
      if (refusal !== undefined) return refusal;
      return route.handle({
        method: 'POST',
        path: route.path,
        wildcards: [],
        query: new URLSearchParams(),
        headers,
        body: Buffer.from(body),
        org: 1,
        signal: new AbortController().signal,
      });
    },
    labelsOf: (series) => {
      const labels: Record<string, string> = { __name__: String(series['metric_name']) };
      for (const pair of series['labels'] as readonly (readonly string[])[]) labels[pair[0]!] = pair[1]!;
      return labels;
    },
  };
  return harness;
}

/** Rows of a Batch, read back from the Native block it makes. */
export function rowsOf(batch: Batch): Row[] {
  const { chunks } = encodeNative([batch]);
  const block = decodeNative(Buffer.concat(chunks)) ?? bug('the block is whole');
  return Array.from({ length: block.rows }, (_, row) =>
    Object.fromEntries(block.columns.map(({ name, type, data }) => [name, valueAt(data, type, row)])),
  );
}

function valueAt(column: Column, type: string, row: number): Value {
  switch (column.kind) {
    case 'string':
      return textAt(column, row);
    case 'fixed': {
      const view = new DataView(column.bytes.buffer, column.bytes.byteOffset + row * column.width, column.width);
      if (column.width === 1) return view.getUint8(0);
      if (column.width === 2) return view.getUint16(0, true);
      if (column.width === 16) return Buffer.from(view.buffer, view.byteOffset, 16).toString('hex');
      if (column.width === 4) return type.includes('UInt32') ? view.getUint32(0, true) : view.getInt32(0, true);
      if (type.includes('DateTime64')) return Number(view.getBigInt64(0, true));
      return type.includes('(Int64') ? view.getBigInt64(0, true) : view.getBigUint64(0, true);
    }
    case 'array': {
      const from = row === 0 ? 0 : column.ends[row - 1]!;
      return Array.from({ length: column.ends[row]! - from }, (_, index) =>
        valueAt(column.element, type, from + index),
      );
    }
    case 'tuple':
      return column.elements.map((element) => valueAt(element, type, row));
    case 'nullable':
  }
  return bug('no nullable column here');
}

const scratch = new DataView(new ArrayBuffer(8));

/** Bits of a double. */
export function bitsOf(value: number): bigint {
  scratch.setFloat64(0, value);
  return scratch.getBigUint64(0);
}

export const STALE = 0x7ff0000000000002n;

export const fixtures = path.join(import.meta.dirname, '../../../fixtures/remote-write');

export interface Recording {
  readonly name: string;
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
  readonly decoded: unknown;
}

/** Every recorded request. */
export function recordings(): Recording[] {
  const found: Recording[] = [];
  for (const sender of readdirSync(fixtures).toSorted()) {
    if (!statSync(path.join(fixtures, sender)).isDirectory()) continue;
    for (const file of readdirSync(path.join(fixtures, sender)).toSorted()) {
      if (!file.endsWith('.bin')) continue;
      const base = path.join(fixtures, sender, file.slice(0, -4));
      const { headers } = JSON.parse(readFileSync(`${base}.headers.json`, 'utf8')) as {
        headers: Record<string, string[]>;
      };
      found.push({
        name: `${sender}/${file}`,
        body: readFileSync(`${base}.bin`),
        headers: Object.fromEntries(
          Object.entries(headers).map(([key, values]) => [key.toLowerCase(), values.join(', ')]),
        ),
        decoded: JSON.parse(readFileSync(`${base}.decoded.json`, 'utf8')),
      });
    }
  }
  return found;
}
