import { deflateSync, inflateSync } from 'node:zlib';
import { compressBlock, uncompressBlock } from 'promwrite/wire';
import { rewriteMessage, type FieldPlan, type FieldPlans, type NumberMap, type TimeUnit } from './rewrite-message.ts';

/** What is changed in the records that are sent. */
export interface Changes {
  /** Added to all times, whole seconds in milliseconds. */
  readonly shiftMs: number;
  /** Agent that the records say they are from; undefined = as recorded. */
  readonly agent: number | undefined;
}

const time = (unit: TimeUnit): FieldPlan => ({ kind: 'time', unit });
const agent: FieldPlan = { kind: 'agent' };
const fields = (plans: Readonly<Record<number, FieldPlan>>): FieldPlans =>
  new Map(Object.entries(plans).map(([number, plan]) => [Number(number), plan]));
const message = (plans: Readonly<Record<number, FieldPlan>>): FieldPlan => ({ kind: 'message', fields: fields(plans) });

const snappy = {
  unpack: (bytes: Uint8Array) => uncompressBlock(bytes, 1024 ** 3),
  pack: (bytes: Uint8Array) => compressBlock(bytes),
};

const peer = message({ 7: time('ns'), 8: time('ns') });
const traces = fields({
  1: message({ 2: message({ 2: message({ 7: time('ns'), 8: time('ns'), 11: message({ 1: time('ns') }) }) }) }),
});
const stats = fields({ 1: time('s') });

/** Where times and agents stand in records that are protobuf messages, by message type. */
const MESSAGES: ReadonlyMap<number, FieldPlans> = new Map([
  [2, stats],
  [3, fields({ 1: time('s'), 2: message({ 1: message({ 14: agent }) }) })],
  [4, fields({ 1: message({ 1: message({ 1: agent }), 2: peer, 3: peer, 6: time('ns'), 7: time('ns') }) })],
  [5, fields({ 1: message({ 1: time('ns'), 2: time('ns'), 5: agent }) })],
  [6, traces],
  [
    7,
    fields({
      1: {
        kind: 'packed',
        form: snappy,
        fields: fields({
          1: message({ 2: message({ 2: time('ms') }), 3: message({ 3: time('ms') }), 4: message({ 15: time('ms') }) }),
        }),
      },
    }),
  ],
  [10, stats],
  [
    14,
    fields({
      5: time('ns'),
      6: time('ns'),
      11: message({ 6: time('ns') }),
      12: message({ 7: time('ns') }),
      13: message({ 6: time('ns') }),
    }),
  ],
  [13, fields({ 6: time('s'), 7: time('s'), 20: time('ns') })],
  [16, fields({ 1: time('us') })],
]);

const TELEGRAF = 8;
const PACKET_SEQUENCE = 9;
const COMPRESSED_TRACES = 11;
const APPLICATION_LOG = 17;
const AGENT_LOGS: readonly number[] = [1, 18];

const LINE_TIME = /(?<= )\d{19}$/gm;
const JSON_TIME = /(?<="timestamp":\s*")\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d/g;
const FIRST_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/g;

const PER_SECOND: Readonly<Record<TimeUnit, bigint>> = { s: 1n, ms: 1000n, us: 1_000_000n, ns: 1_000_000_000n };

/** A record of this type with its times shifted, and as if from another agent where records say whose they are. */
export function rewriteRecord(type: number, record: Uint8Array, changes: Changes): Uint8Array {
  const seconds = BigInt(Math.round(changes.shiftMs / 1000));
  return mapRecord(type, record, {
    time: (value, unit) => value + seconds * PER_SECOND[unit],
    agent: (value) => (changes.agent === undefined ? value : BigInt(changes.agent)),
  });
}

/** The latest time in a record, epoch milliseconds; -Infinity without one. */
export function newestTime(type: number, record: Uint8Array): number {
  let newest = -Infinity;
  mapRecord(type, record, {
    time(value, unit) {
      newest = Math.max(newest, Number((value * 1000n) / PER_SECOND[unit]));
      return value;
    },
    agent: (value) => value,
  });
  return newest;
}

function mapRecord(type: number, record: Uint8Array, map: NumberMap): Uint8Array {
  const plans = MESSAGES.get(type);
  if (plans !== undefined) return rewriteMessage(record, plans, map);
  if (type === COMPRESSED_TRACES) return deflateSync(rewriteMessage(inflateSync(record), traces, map));
  if (type === PACKET_SEQUENCE) return mapPacketSequence(record, map);
  if (type === TELEGRAF) return mapText(record, LINE_TIME, (text) => String(map.time(BigInt(text), 'ns')));
  if (type === APPLICATION_LOG) return mapText(record, JSON_TIME, (text) => mapClock(text, map));
  if (AGENT_LOGS.includes(type)) return mapText(record, FIRST_TIME, (text) => mapClock(text, map));
  return record;
}

/** Flow id (u64), then 56 bits of microseconds and 8 of a count. */
function mapPacketSequence(record: Uint8Array, map: NumberMap): Uint8Array {
  if (record.length < 16) return record;
  const mapped = Buffer.from(record);
  const packed = mapped.readBigUInt64LE(8);
  const micros = BigInt.asUintN(56, map.time(BigInt.asUintN(56, packed), 'us'));
  mapped.writeBigUInt64LE((packed & (0xffn << 56n)) | micros, 8);
  return mapped;
}

/** A time without its zone and fraction: whole seconds are added to both sides of it alike. */
function mapClock(text: string, map: NumberMap): string {
  const seconds = BigInt(Date.parse(`${text.replace(' ', 'T')}Z`)) / 1000n;
  const mapped = new Date(Number(map.time(seconds, 's')) * 1000).toISOString().slice(0, 19);
  return text.includes(' ') ? mapped.replace('T', ' ') : mapped;
}

function mapText(record: Uint8Array, pattern: RegExp, replace: (found: string) => string): Uint8Array {
  const text = Buffer.from(record.buffer, record.byteOffset, record.length).toString('latin1');
  const mapped = text.replaceAll(pattern, replace);
  return mapped === text ? record : Buffer.from(mapped, 'latin1');
}
