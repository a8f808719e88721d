/**
 * How many rows of each table recorded frames become, found out without the hub's decoders: fields of the messages are looked up by number in a walker
 * of its own.
 */
import { inflateSync, zstdDecompressSync } from 'node:zlib';
import type { RecordedFrame } from '../../src/replay/frames.ts';

/** Rows by table that one sending of the frames makes; of `event.file_agg_event`, which is gathered over time, nothing is said. */
export function expectedRows(frames: readonly RecordedFrame[]): Map<string, number> {
  const rows = new Map<string, number>();
  for (const { type, records } of frames) {
    for (const record of records) {
      for (const [table, count] of rowsOf(type, record)) rows.set(table, (rows.get(table) ?? 0) + count);
    }
  }
  return rows;
}

const IP_PATH = 1n << 20n;
const L7_PROTOCOL = 1n << 51n;
const EVENTS = ['', 'file_event', 'file_mgmt_event', 'proc_perm_event', 'proc_ops_event'];

function rowsOf(type: number, record: Uint8Array): [table: string, count: number][] {
  switch (type) {
    case 3: {
      const code = last(record, [2, 2]);
      const kind = (code & L7_PROTOCOL) === 0n ? 'network' : 'application';
      const interval = (last(record, [4]) & 1n) === 1n ? '1s' : '1m';
      return [[`flow_metrics.${kind}${(code & IP_PATH) === 0n ? '' : '_map'}.${interval}`, 1]];
    }
    case 4:
      return [['flow_log.l4_flow_log', 1]];
    case 5:
      return [['flow_log.l7_flow_log', 1]];
    case 6:
      return [['flow_log.l7_flow_log', valuesAt(record, [1, 2, 2]).length]];
    case 11:
      return [['flow_log.l7_flow_log', valuesAt(inflateSync(record), [1, 2, 2]).length]];
    case 8:
      return [['ext_metrics.metrics', Buffer.from(record).toString().trim().split('\n').length]];
    case 10:
      return [['deepflow_tenant.deepflow_collector', 1]];
    case 14:
      return [[`event.${EVENTS[Number(last(record, [7]))]}`, 1]];
    case 13:
      return [['profile.in_process', stacksOf(record)]];
    case 17:
      return [['application_log.log', (JSON.parse(Buffer.from(record).toString()) as unknown[]).length]];
    case 1:
    case 18:
      return [['application_log.log', 1]];
    default:
      return [];
  }
}

/** A stack that the agent captured itself, lines of stacks that somebody posted; what was posted as pprof in the recordings is none. */
function stacksOf(profile: Uint8Array): number {
  const format = textAt(profile, 9);
  if (format === 'pprof') return 0;
  if (format === '') return 1;
  const [data] = valuesAt(profile, [11]);
  if (!(data instanceof Uint8Array)) return 0;
  const text = last(profile, [12]) === 1n ? zstdDecompressSync(data) : data;
  return Buffer.from(text).toString().trim().split('\n').length;
}

function textAt(record: Uint8Array, field: number): string {
  const [value] = valuesAt(record, [field]);
  return value instanceof Uint8Array ? Buffer.from(value).toString() : '';
}

/** The last number at a path of field numbers, 0 without one. */
function last(record: Uint8Array, path: readonly number[]): bigint {
  const value = valuesAt(record, path).at(-1);
  return typeof value === 'bigint' ? value : 0n;
}

/** All values at a path of field numbers: numbers, or bytes. */
export function valuesAt(message: Uint8Array, [field, ...rest]: readonly number[]): (bigint | Uint8Array)[] {
  const found: (bigint | Uint8Array)[] = [];
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++]!;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const tag = Number(varint());
    let value: bigint | Uint8Array;
    if ((tag & 7) === 0) value = varint();
    else {
      const length = (tag & 7) === 1 ? 8 : (tag & 7) === 5 ? 4 : Number(varint());
      value = message.subarray(at, at + length);
      at += length;
    }
    if (tag >>> 3 === field) found.push(value);
  }
  if (rest.length === 0) return found;
  return found.flatMap((value) => (value instanceof Uint8Array ? valuesAt(value, rest) : []));
}
