import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HostPort } from '../base/config-schema.ts';
import { errorText } from '../base/errors.ts';
import { encodeFrame, type RecordedFrame } from './frames.ts';
import { newestTime, rewriteRecord } from './rewrite-record.ts';

export interface ReplayOptions {
  readonly frames: readonly RecordedFrame[];
  readonly to: HostPort;
  /** Records per second over all connections; undefined = as fast as they are taken. */
  readonly rate?: number | undefined;
  /** How often everything is sent. */
  readonly repeat?: number;
  /** Shift all times so that the latest is within the last minute; whole minutes, so that what is summed up by minutes stays so. */
  readonly now?: boolean;
  /** Send everything from so many agents, numbered from `firstAgent` (1) on; undefined = as recorded. */
  readonly agents?: number | undefined;
  readonly firstAgent?: number | undefined;
  /** Default: one for each agent. */
  readonly connections?: number | undefined;
  /** Organisation in the headers in place of the recorded one. */
  readonly org?: number | undefined;
  readonly signal?: AbortSignal;
}

export interface TypeCount {
  frames: number;
  records: number;
  bytes: number;
}

/** What was written to the connections; the receiver has read all of it if nothing failed. */
export interface ReplayReport {
  readonly byType: ReadonlyMap<number, TypeCount>;
  readonly seconds: number;
  /** Why not everything was sent, or not everything read. */
  readonly failure: Error | undefined;
}

const MINUTE_MS = 60_000;
/** Frames made anew are kept up to so many bytes in all. */
const KEPT_BYTES = 256 * 1024 * 1024;

/** Sends recorded frames as agents would: one connection each, slowed down by the receiver. */
export async function replay(options: ReplayOptions): Promise<ReplayReport> {
  const { frames, agents, firstAgent = 1, repeat = 1 } = options;
  const byType = new Map<number, TypeCount>();
  const began = performance.now();
  const maker = new FrameMaker(options);
  const pacer = new Pacer(options.rate, options.signal);
  const connections = options.connections ?? agents ?? 1;
  const senders = agents ?? 1;

  const lane = async (index: number): Promise<void> => {
    const socket = await open(options.to, options.signal);
    const ended = endOf(socket);
    try {
      for (let round = 0; round < repeat; round++) {
        for (const { agent, frame } of share(frames, senders, { index, of: connections })) {
          await pacer.take(frame.records.length);
          const bytes = maker.make(frame, agents === undefined ? undefined : firstAgent + agent);
          if (socket.destroyed) break;
          const isFree = socket.write(bytes);
          count(byType, frame, bytes.length);
          if (!isFree) await drained(socket);
        }
      }
      socket.end();
    } catch (error) {
      socket.destroy();
      await ended.catch(() => undefined);
      throw error;
    }
    await ended;
  };
  const outcomes = await Promise.allSettled(Array.from({ length: connections }, (_, index) => lane(index)));
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  const failure = failed === undefined ? undefined : asError(failed.reason);
  return { byType, seconds: (performance.now() - began) / 1000, failure };
}

/** What a connection sends of all frames of all senders: those of its senders, or a part of one sender's. */
function* share(
  frames: readonly RecordedFrame[],
  senders: number,
  lane: { readonly index: number; readonly of: number },
): Generator<{ agent: number; frame: RecordedFrame }> {
  const perSender = Math.max(1, Math.floor(lane.of / senders));
  for (let agent = 0; agent < senders; agent++) {
    for (const [number, frame] of frames.entries()) {
      if ((agent + senders * (number % perSender)) % lane.of === lane.index) yield { agent, frame };
    }
  }
}

/** Makes the frames that are sent out of the recorded ones. */
class FrameMaker {
  readonly #options: ReplayOptions;
  readonly #newest: number;
  #kept = new Map<string, Uint8Array>();
  #keptBytes = 0;
  #shiftMs = 0;

  constructor(options: ReplayOptions) {
    this.#options = options;
    let newest = -Infinity;
    if (options.now === true) {
      for (const { type, records } of options.frames) {
        for (const record of records) newest = Math.max(newest, newestTime(type, record));
      }
    }
    this.#newest = newest;
  }

  make(frame: RecordedFrame, agent: number | undefined): Uint8Array {
    const { now, org, frames } = this.#options;
    if (now !== true && agent === undefined && org === undefined) return frame.bytes;
    const shiftMs = Number.isFinite(this.#newest) ? Math.floor((Date.now() - this.#newest) / MINUTE_MS) * MINUTE_MS : 0;
    if (shiftMs !== this.#shiftMs) {
      this.#shiftMs = shiftMs;
      this.#kept.clear();
      this.#keptBytes = 0;
    }
    const key = `${agent} ${frames.indexOf(frame)}`;
    const kept = this.#kept.get(key);
    if (kept !== undefined) return kept;
    const records =
      shiftMs === 0 && agent === undefined
        ? frame.records
        : frame.records.map((record) => rewriteRecord(frame.type, record, { shiftMs, agent }));
    const bytes = encodeFrame({ ...frame, records, agent: agent ?? frame.agent, org: org ?? frame.org });
    if (this.#keptBytes + bytes.length <= KEPT_BYTES) {
      this.#kept.set(key, bytes);
      this.#keptBytes += bytes.length;
    }
    return bytes;
  }
}

/** Spreads records over time. */
class Pacer {
  readonly #rate: number | undefined;
  readonly #signal: AbortSignal | undefined;
  #next = performance.now();

  constructor(rate: number | undefined, signal: AbortSignal | undefined) {
    this.#rate = rate;
    this.#signal = signal;
  }

  async take(records: number): Promise<void> {
    this.#signal?.throwIfAborted();
    if (this.#rate === undefined) return;
    const now = performance.now();
    const at = Math.max(this.#next, now - 1000);
    this.#next = at + (records / this.#rate) * 1000;
    if (at > now) await sleep(at - now, undefined, this.#signal === undefined ? {} : { signal: this.#signal });
  }
}

function open({ host, port }: HostPort, signal: AbortSignal | undefined): Promise<Socket> {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, ...(signal === undefined ? {} : { signal }) });
    const failed = (error: Error) =>
      reject(new Error(`cannot connect to ${host}:${port}: ${whyNot(error)}`, { cause: error }));
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.off('error', failed);
      socket.resume();
      resolve(socket);
    });
  });
}

const SEE_LOG = 'the log of the hub and its metrics sluice_agent_connections_* say why';
const HANGS_UP = 'its listen.agent may not allow this address, or it took a frame for a broken one';
const HUNG_UP = `the receiver closed the connection before it had read everything: ${HANGS_UP}; ${SEE_LOG}`;

/** Why nobody answers, and what to do about it. */
function whyNot(error: Error): string {
  switch ('code' in error ? error.code : undefined) {
    case 'ECONNREFUSED':
      return 'nothing listens there (ECONNREFUSED); start the hub, or give the address that its log says for "agent"';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'the name has no address; expected --to HOST:PORT with a host that this machine knows';
    case 'ECONNRESET':
      return `${HANGS_UP}; ${SEE_LOG}`;
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `${errorText(error)}; see whether a firewall lets this machine reach the listen.agent of the hub`;
    default:
      return errorText(error);
  }
}

/** Resolves when the receiver has read everything and closed, rejects when it did before. */
function endOf(socket: Socket): Promise<void> {
  const ended = new Promise<void>((resolve, reject) => {
    socket.once('error', (error) =>
      reject(new Error(`the connection broke: ${errorText(error)}; ${SEE_LOG}`, { cause: error })),
    );
    socket.once('close', () => {
      if (socket.writableFinished) resolve();
      else reject(new Error(HUNG_UP));
    });
  });
  // It may be looked at much later than it fails.
  ended.catch(() => undefined);
  return ended;
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = () => {
      socket.off('drain', done);
      socket.off('close', closed);
      resolve();
    };
    const closed = () => {
      socket.off('drain', done);
      reject(new Error(HUNG_UP));
    };
    if (socket.destroyed) return reject(new Error(HUNG_UP));
    socket.once('drain', done);
    socket.once('close', closed);
  });
}

function count(byType: Map<number, TypeCount>, frame: RecordedFrame, bytes: number): void {
  let counts = byType.get(frame.type);
  if (counts === undefined) byType.set(frame.type, (counts = { frames: 0, records: 0, bytes: 0 }));
  counts.frames++;
  counts.records += frame.records.length;
  counts.bytes += bytes;
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
