import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { zstdDecompressSync } from 'node:zlib';

/** Frames of a stock agent: those that the project has, and those of replayed captures, which stay beside it. */

const here = new URL('../../fixtures/agent/', import.meta.url);
const beside = new URL('../../../../../../shared/frames/agent/', import.meta.url);

export interface RecordedFrame {
  readonly name: string;
  readonly org: number;
  readonly team: number;
  readonly agent: number;
  readonly records: readonly Uint8Array[];
  /** What an independent decoder read, by index of the record: canonical protobuf JSON with the names of the definitions. */
  readonly decoded: ReadonlyMap<number, unknown>;
}

/** Why some frames are not there, or undefined when all are. */
export function missingFrames(): string | undefined {
  if (existsSync(beside)) return undefined;
  if (process.env['CI'] === 'true') throw new Error(`expected recorded frames at ${beside.pathname}`);
  return 'frames of replayed captures are not part of the project; only its own are decoded';
}

/** All frames of a type that are there. */
export function recordedFrames(type: string): RecordedFrame[] {
  const names = new Map<string, URL>();
  for (const root of [beside, here]) {
    const folder = new URL(`${type}/`, root);
    if (!existsSync(folder)) continue;
    for (const name of readdirSync(folder)) if (name.endsWith('.bin')) names.set(name, folder);
  }
  return [...names].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, folder]) => readFrame(type, name, folder));
}

function readFrame(type: string, name: string, folder: URL): RecordedFrame {
  const frame = readFileSync(new URL(name, folder));
  const body = frame[7] === 3 ? zstdDecompressSync(frame.subarray(19)) : frame.subarray(19);
  const records: Uint8Array[] = [];
  for (let at = 0; at < body.length;) {
    const size = body.readUInt32LE(at);
    records.push(body.subarray(at + 4, at + 4 + size));
    at += 4 + size;
  }
  const text = readFileSync(new URL(name.replace('.bin', '.json'), folder), 'utf8');
  const { records: decoded } = JSON.parse(text) as {
    readonly records: readonly { readonly index: number; readonly decoded: unknown }[];
  };
  return {
    name: `${type}/${name}`,
    team: frame.readUInt32LE(8),
    org: frame.readUInt16LE(12),
    agent: frame.readUInt16LE(16),
    records,
    decoded: new Map(decoded.map((record) => [record.index, record.decoded])),
  };
}
