/** Parts of the agent receiver put together for tests: frames, decoders that note what they are given, counters that can be read. */
import { pino } from 'pino';
import type { AgentTenant } from '../../../../src/base/ports.ts';
import { AgentCounters } from '../../../../src/receivers/agent/counters.ts';
import { FrameIntake } from '../../../../src/receivers/agent/frame-intake.ts';
import { ReadGate } from '../../../../src/receivers/agent/read-gate.ts';
import { MESSAGE_NAMES } from '../../../../src/base/message-type.ts';
import type { Dropped, RecordDecoder, Sender } from '../../../../src/receivers/record-decoder.ts';
import { encodeFrame } from '../../../../src/replay/frames.ts';
import { createMetrics, type Metrics } from '../../../../src/telemetry/metrics.ts';

export const silent = pino({ level: 'silent' });

export interface FrameParts {
  readonly type?: number;
  readonly encoder?: number;
  readonly org?: number;
  readonly team?: number;
  readonly agent?: number;
  readonly records?: readonly (string | Uint8Array)[];
}

/** A frame of type METRICS of agent 12 unless said otherwise. */
export function frame({
  type = 3,
  encoder = 0,
  org = 1,
  team = 1,
  agent = 12,
  records = ['a record'],
}: FrameParts): Buffer {
  const bytes = records.map((record) => (typeof record === 'string' ? Buffer.from(record) : record));
  return Buffer.from(encodeFrame({ type, encoder, org, team, agent, records: bytes }));
}

export interface Noted {
  readonly type: number;
  readonly text: string;
  readonly sender: Sender;
}

/** What a decoder answers, or throws, for a record. */
export type Answer = (text: string) => Dropped | undefined | Promise<Dropped | undefined>;

/** A decoder for every type that notes its records. */
export function notingDecoders(noted: Noted[], answer: Answer = () => undefined): ReadonlyMap<number, RecordDecoder> {
  return new Map(
    MESSAGE_NAMES.map((_, type) => [
      type,
      {
        decode(bytes: Uint8Array, start: number, end: number, sender: Sender) {
          const text = Buffer.from(bytes.subarray(start, end)).toString();
          noted.push({ type, text, sender });
          return answer(text);
        },
      },
    ]),
  );
}

export interface IntakeOptions {
  readonly answer?: Answer;
  readonly types?: readonly number[];
  readonly organisations?: readonly number[];
  readonly resolve?: (agent: number) => AgentTenant | undefined;
  readonly decompressedBytes?: number;
}

/** An intake whose decoders note what they get. `closed` closes the gate. */
export function makeIntake(options: IntakeOptions = {}) {
  const metrics = createMetrics();
  const noted: Noted[] = [];
  const state = { closed: false, abandoned: 0, decodedBytes: 0 };
  const traffic: unknown[][] = [];
  const gate = new ReadGate(() => state.closed);
  const counters = new AgentCounters(metrics, silent);
  const all = notingDecoders(noted, options.answer);
  const decoders =
    options.types === undefined ? all : new Map([...all].filter(([type]) => options.types?.includes(type)));
  const intake = new FrameIntake({
    decoders,
    rows: {
      decoded: (bytes) => (state.decodedBytes += bytes),
      abandon: () => state.abandoned++,
    },
    gate,
    organisations: options.organisations ?? [1, 2, 1024],
    resolve: options.resolve ?? (() => undefined),
    traffic: { noteData: (...what) => traffic.push(what) },
    decompressedBytes: options.decompressedBytes ?? 4 * 1024 * 1024,
    counters,
  });
  return { intake, metrics, noted, state, gate, traffic, counters };
}

/** Values of a counter by its labels: `metrics,taken` -> 3. */
export async function counts(
  metrics: Metrics,
  name:
    | 'agentFrames'
    | 'agentRecords'
    | 'agentClosed'
    | 'agentFaults'
    | 'agentConnectionsTotal'
    | 'droppedRows'
    | 'receivedRows',
): Promise<Record<string, number>> {
  const { values } = await metrics[name].get();
  const seen = values.filter(({ value }) => value !== 0);
  return Object.fromEntries(seen.map(({ labels, value }) => [Object.values(labels).join(','), value]));
}
