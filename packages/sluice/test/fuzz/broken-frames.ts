/** Broken frames of agents, made from recorded ones moved to now. Everything follows from the seed. */
import { deflateSync, inflateSync } from 'node:zlib';
import { fileURLToPath } from 'node:url';
import { encodeFrame, readFrames } from '../../src/replay/frames.ts';
import { newestTime, rewriteRecord } from '../../src/replay/rewrite-record.ts';
import { goldenFrames } from '../unit/receivers/agent/golden-frames.ts';
import { mutate, type Random } from './mutations.ts';

export interface SeedRecords {
  readonly type: number;
  readonly records: readonly Uint8Array[];
}

const TRACES = 6;
const PROMETHEUS = 7;
const COMPRESSED_TRACES = 11;
const TYPES = 22;

/** Records of every type that there is a decoder for. */
export function recordedRecords(): readonly SeedRecords[] {
  const recorded = readFrames([fileURLToPath(new URL('../fixtures/agent', import.meta.url))]);
  const shifted = recorded.map(({ type, records }): SeedRecords => {
    const newest = Math.max(...records.map((record) => newestTime(type, record)));
    const shiftMs = Number.isFinite(newest) ? Date.now() - newest : 0;
    return { type, records: records.map((record) => rewriteRecord(type, record, { shiftMs, agent: undefined })) };
  });
  const traces = shifted.filter(({ type }) => type === COMPRESSED_TRACES);
  const samples = goldenFrames.get('PROMETHEUS')!.subarray(23);
  const packets = Buffer.alloc(40, 1);
  packets.writeBigUInt64LE((3n << 56n) | BigInt(Date.now() * 1000), 8);
  return [
    ...shifted,
    ...traces.map(({ records }) => ({ type: TRACES, records: records.map((record) => inflateSync(record)) })),
    { type: PROMETHEUS, records: [samples] },
    { type: 2, records: shifted.find(({ type }) => type === 10)?.records ?? [] },
    { type: 9, records: [packets] },
    { type: 1, records: shifted.find(({ type }) => type === 18)?.records ?? [] },
  ];
}

/** One frame, most often whole with broken records in it. `isBroken`: it may be no frame at all, and so end its connection. */
export function brokenFrame(random: Random, seeds: readonly SeedRecords[]): { bytes: Uint8Array; isBroken: boolean } {
  const { type, records } = random.pick(seeds);
  const chosen = Array.from({ length: 1 + random.below(4) }, () => brokenRecord(random, type, random.pick(records)));
  const bytes = Buffer.from(
    encodeFrame({
      type: random.below(30) === 0 ? random.below(TYPES) : type,
      encoder: random.pick([0, 0, 0, 0, 1, 2, 3]),
      org: random.pick([0, 1, 1, 1, 2, 65_535]),
      team: random.below(3),
      agent: random.below(40),
      records: chosen,
    }),
  );
  if (random.below(40) > 0) return { bytes, isBroken: false };
  // Behind the header its length is right again: what is broken then is the compressed body, or the lengths of records.
  const broken = mutate(random, bytes);
  if (random.below(2) === 0 || broken.length < 19) return { bytes: broken, isBroken: true };
  bytes.copy(broken, 0, 0, 19);
  broken.writeUInt32BE(broken.length, 0);
  return { bytes: broken, isBroken: true };
}

function brokenRecord(random: Random, type: number, record: Uint8Array): Uint8Array {
  if (random.below(4) === 0) return record;
  if (random.below(50) === 0) return random.bytes(random.below(200));
  const bytes = Buffer.from(record);
  if (type === COMPRESSED_TRACES && random.below(4) > 0) return deflateSync(mutate(random, inflateSync(bytes)));
  return mutate(random, bytes);
}
