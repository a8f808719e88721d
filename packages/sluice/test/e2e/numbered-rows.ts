/**
 * Rows with running numbers, for counting what arrives: samples that are written with an acknowledgement, and records of agents for `sluice replay`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { compressBlock, encodeWriteRequest } from 'promwrite/wire';
import { encodeFrame } from '../../src/replay/frames.ts';
import { bytes, message, number } from '../unit/receivers/wire-message.ts';
import type { Hub } from './processes.ts';

export const NUMBERED = 'numbered_rows';

/** The hub that is written to; another one after a restart. */
export interface WrittenTo {
  readonly hub: Hub;
}

export interface WriterSettings {
  readonly lanes?: number;
  /** Number of the first lane; two writers to one hub have lanes of their own. */
  readonly firstLane?: number;
  readonly rowsPerRequest?: number;
  /** Between two requests of a lane. */
  readonly pauseMs?: number;
}

/**
 * Writes numbered samples, each number once: lane `lane` is a series of its own, the value of a sample is its number, and its time `base` + number. What
 * is not acknowledged is not written again, so that whatever arrives twice was doubled on its way.
 */
export class NumberedWriter {
  readonly lanes: number;
  readonly firstLane: number;
  readonly #acknowledged: readonly Set<number>[];
  readonly #next: number[];
  readonly #rowsPerRequest: number;
  readonly #pauseMs: number;
  // Recent enough for the accept window; a row of time per number.
  readonly #base = Date.now() - 6 * 3_600_000;

  constructor({ lanes = 4, firstLane = 0, rowsPerRequest = 50, pauseMs = 20 }: WriterSettings = {}) {
    this.lanes = lanes;
    this.firstLane = firstLane;
    this.#acknowledged = Array.from({ length: lanes }, () => new Set<number>());
    this.#next = Array.from({ length: lanes }, () => 0);
    this.#rowsPerRequest = rowsPerRequest;
    this.#pauseMs = pauseMs;
  }

  /** Numbers that the hub has acknowledged, by lane. */
  get acknowledged(): readonly ReadonlySet<number>[] {
    return this.#acknowledged;
  }

  /** Rows that the hub has acknowledged. */
  get rows(): number {
    return this.#acknowledged.reduce((sum, { size }) => sum + size, 0);
  }

  /** Numbers that were ever given to a row of the lane. */
  given(lane: number): number {
    return this.#next[lane]!;
  }

  /** One request; false when it was not acknowledged. Throws for an answer that a healthy hub does not give. */
  async write(hub: Hub, lane: number): Promise<boolean> {
    const first = this.#next[lane]!;
    this.#next[lane] = first + this.#rowsPerRequest;
    const numbers = Array.from({ length: this.#rowsPerRequest }, (_, i) => first + i);
    const labels = { __name__: NUMBERED, lane: String(this.firstLane + lane) };
    const samples = numbers.map((value) => ({ value, timestamp: this.#base + value }));
    let answer: Response;
    try {
      answer = await fetch(`${hub.http}/api/v1/write`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy' },
        body: compressBlock(encodeWriteRequest({ timeseries: [{ labels, samples }] })),
      });
    } catch {
      // The hub was killed: whether it has these rows is not known.
      return false;
    }
    if (answer.status === 503) return false;
    if (answer.status !== 204)
      throw new Error(`a write was answered with ${answer.status}: ${await answer.text().catch(String)}`);
    for (const one of numbers) this.#acknowledged[lane]!.add(one);
    return true;
  }

  /** Writes so many more rows in all, over all lanes. */
  async some(hub: Hub, rows: number): Promise<void> {
    const until = this.rows + rows;
    for (let lane = 0; this.rows < until; lane = (lane + 1) % this.lanes) {
      if (!(await this.write(hub, lane))) throw new Error(`a row was not acknowledged:\n${hub.output()}`);
    }
  }

  /** Writes in all lanes at once until told to stop. */
  start(to: WrittenTo): { stop(): Promise<void> } {
    const stopping = new AbortController();
    const lanes = Array.from({ length: this.lanes }, async (_, lane) => {
      while (!stopping.signal.aborted) {
        const isTaken = await this.write(to.hub, lane);
        await sleep(isTaken ? this.#pauseMs : 50);
      }
    });
    const all = Promise.all(lanes);
    // Looked at when it is stopped.
    all.catch(() => undefined);
    return {
      async stop() {
        stopping.abort();
        await all;
      },
    };
  }
}

/** How often each number of each lane arrived. */
export class Arrivals {
  readonly #counts: Map<number, number>[] = [];
  /** Rows in all, those that came again counted. */
  rows = 0;

  add(lane: number, value: number): void {
    const counts = (this.#counts[lane] ??= new Map<number, number>());
    counts.set(value, (counts.get(value) ?? 0) + 1);
    this.rows++;
  }

  has(lane: number, value: number): boolean {
    return this.#counts[lane]?.has(value) === true;
  }

  get distinct(): number {
    return this.#counts.reduce((sum, counts) => sum + counts.size, 0);
  }

  get doubled(): number {
    return this.rows - this.distinct;
  }

  /** Numbers that came more than once. */
  repeated(lane: number): number[] {
    return [...(this.#counts[lane] ?? [])].filter(([, count]) => count > 1).map(([value]) => value);
  }

  numbers(lane: number): number[] {
    return [...(this.#counts[lane]?.keys() ?? [])];
  }

  /** Acknowledged rows that are in none of the sinks. */
  static missing({ acknowledged, firstLane }: NumberedWriter, ...sinks: readonly Arrivals[]): string[] {
    const missing: string[] = [];
    for (const [index, numbers] of acknowledged.entries()) {
      const lane = firstLane + index;
      for (const value of numbers)
        if (!sinks.some((sink) => sink.has(lane, value))) missing.push(`row ${value} of lane ${lane}`);
    }
    return missing;
  }
}

const PER_FRAME = 200;
const PROTOCOL_LOG = 5;
const METRICS = 3;
const HTTP = 20;
const SESSION = 2;

function frames(type: number, records: readonly Uint8Array[]): Buffer {
  const made: Uint8Array[] = [];
  for (let from = 0; from < records.length; from += PER_FRAME) {
    const some = records.slice(from, from + PER_FRAME);
    made.push(encodeFrame({ type, encoder: 0, org: 1, team: 1, agent: 7, records: some }));
  }
  return Buffer.concat(made);
}

/** Services of `flowFrames`; the number of a flow says which one it is of. */
export const SERVICES = 7;

/** PROTOCOLLOG frames: a flow for each number from `from` to `to` - 1, which is its `request_id`; its `app_service` is `service-<number % SERVICES>`. */
export function flowFrames(from: number, to: number): Buffer {
  const now = BigInt(Date.now()) * 1_000_000n;
  const records: Uint8Array[] = [];
  for (let flow = from; flow < to; flow++) {
    const at = now + BigInt(flow) * 1000n;
    const base = message(
      number(1, at),
      number(2, at + 500n),
      number(3, 1000 + flow),
      number(5, 7),
      number(6, 3),
      bytes(9, message(number(1, HTTP), number(2, SESSION), number(5, 500))),
      number(12, 0x0a010001 + (flow % 100)),
      number(13, 0x0a020001),
      number(18, 40_000),
      number(19, 8080),
      number(20, 6),
    );
    records.push(
      message(
        bytes(1, base),
        number(9, 100),
        number(10, 200),
        bytes(11, message(bytes(1, 'GET'), bytes(2, 'shop.example.com'), bytes(3, `/items/${flow}`))),
        bytes(12, message(number(2, 200))),
        bytes(15, message(bytes(1, `service-${flow % SERVICES}`), number(3, flow))),
      ),
    );
  }
  return frames(PROTOCOL_LOG, records);
}

/** A row of `flow_metrics.application_map.1s`. */
export interface DocumentRow {
  /** Epoch seconds. */
  readonly time: number;
  /** 0 to 255; one series each. */
  readonly client: number;
  /** VPC of both ends; default 7. */
  readonly vpc?: number;
  readonly request: number;
  readonly response: number;
  readonly rrtMax: number;
  readonly rrtSum: number;
  readonly rrtCount: number;
}

/** The tag code of application maps as agents send it. */
const APPLICATION_MAP = 0x000b_ac08_0030_0000n;

/** METRICS frames: a document a row. */
export function documentFrames(rows: readonly DocumentRow[]): Buffer {
  return frames(
    METRICS,
    rows.map(({ time, client, vpc = 7, request, response, rrtMax, rrtSum, rrtCount }) => {
      const field = message(
        bytes(1, [10, 1, 0, client]),
        bytes(2, [10, 2, 0, 1]),
        number(5, vpc),
        number(6, vpc),
        number(10, 1),
        number(11, 6),
        number(13, 8080),
        number(14, 7),
        number(16, 3),
        number(17, HTTP),
        bytes(25, '/items'),
      );
      const meter = message(
        bytes(1, message(number(1, request), number(2, response))),
        bytes(2, message(number(1, rrtMax), number(2, rrtSum), number(3, rrtCount))),
      );
      return message(
        number(1, time),
        bytes(2, message(bytes(1, field), number(2, APPLICATION_MAP))),
        bytes(3, message(number(1, 5), bytes(4, meter))),
        number(4, 1),
      );
    }),
  );
}
