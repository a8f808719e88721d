import type { SendOutcome } from '../../../src/base/ports.ts';
import type { Batch } from '../../../src/batch/batch.ts';
import { createDelivery, type Delivery, type DeliveryOptions } from '../../../src/delivery/delivery.ts';
import type { ExporterListing } from '../../../src/delivery/exporters-api.ts';
import type { ItemBatch } from '../../../src/delivery/item-batch.ts';
import type { DeliverySettings, EncodePass, Exporter, ItemSink, SendTarget } from '../../../src/delivery/types.ts';
import type { HttpReply, HttpRequest } from '../../../src/base/ports.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import type { Journal } from '../../../src/journal/types.ts';
import { open, valuesIn, type ManualClock, type Opened, type OpenOptions } from '../journal/fixture.ts';

/** What the scripted exporter was given in one send. */
export interface Call extends SendTarget {
  readonly values: readonly number[];
  readonly bytes: number;
}

export type Script = (call: Call) => SendOutcome | Promise<SendOutcome>;

export interface ScriptedOptions {
  readonly name?: string;
  readonly fingerprint?: string;
  readonly endpoints?: readonly string[];
  readonly tables?: readonly string[];
  readonly settings?: Partial<DeliverySettings>;
  readonly script?: Script;
  /** Rows that pass. */
  readonly passes?: (value: number) => boolean;
  /** Key of a value; values of one key stay in order. Absent: no order (`spread`). */
  readonly keyOf?: ((value: number) => number) | undefined;
  /** Bytes of an item. At least 8. */
  readonly sizeOf?: (value: number) => number;
  /** Items made of a row; negative = it cannot be encoded. */
  readonly itemsOf?: (value: number) => number;
  readonly prepare?: (batch: Batch) => Promise<void>;
  /** Called for every row that is encoded. */
  readonly onEncode?: (value: number) => void;
  readonly onBegin?: () => void;
  /** Time of a row, epoch milliseconds. */
  readonly timeOf?: (value: number) => number;
}

export const SETTINGS: DeliverySettings = {
  lanes: 3,
  batchItems: 4,
  batchBytes: 1 << 20,
  flushMs: 1000,
  queueRows: 1000,
  queueBytes: 1 << 24,
  timeoutMs: 10_000,
  retry: { initialMs: 100, maxMs: 1600, jitter: false },
  maxBacklogBytes: 2 ** 40,
  from: 'oldest',
};

/** An exporter of prometheus.samples whose items are the rows' values, and whose receiver answers as a script says. */
export class Scripted implements Exporter {
  readonly name: string;
  readonly protocol = 'scripted';
  readonly fingerprint: string;
  readonly tables: readonly string[];
  readonly endpoints: readonly string[];
  readonly settings: DeliverySettings;
  readonly prepare?: (batch: Batch) => Promise<void>;
  script: Script;
  readonly calls: Call[] = [];
  /** Values that the receiver took, in order. */
  readonly taken: number[] = [];
  closed = 0;
  readonly #options: ScriptedOptions;

  constructor(options: ScriptedOptions = {}) {
    this.#options = options;
    this.name = options.name ?? 'scripted';
    this.fingerprint = options.fingerprint ?? 'one';
    this.tables = options.tables ?? ['prometheus.samples'];
    this.endpoints = options.endpoints ?? ['http://user:secret@a:1/path?x=1'];
    this.settings = { ...SETTINGS, ...options.settings };
    this.script = options.script ?? (() => ({ kind: 'sent' }));
    if (options.prepare !== undefined) this.prepare = options.prepare;
  }

  begin(batch: Batch, firstRow: number): EncodePass {
    this.#options.onBegin?.();
    const values = valuesIn(batch);
    const { passes = () => true } = this.#options;
    const rows = Uint32Array.from(values.keys()).filter((row) => passes(values[row]!));
    const left = new Map(rows.length < values.length ? [['filter', values.length - rows.length]] : []);
    return {
      rows,
      left,
      encode: (from, to, sink) => {
        for (let i = from; i < to; i++) this.#encode(values[rows[i]!]!, firstRow + rows[i]!, sink);
      },
    };
  }

  async send(items: ItemBatch, target: SendTarget): Promise<SendOutcome> {
    const values = valuesOf(items);
    const call = { ...target, values, bytes: items.bodies.length };
    this.calls.push(call);
    const outcome = await this.script(call);
    if (outcome.kind === 'sent') this.taken.push(...values);
    if (outcome.kind === 'rejected') this.taken.push(...values.filter((_, item) => !outcome.items.includes(item)));
    return outcome;
  }

  show(table: string, head: Uint8Array, body: Uint8Array): string {
    return `${table} ${Buffer.from(head).toString()} ${valueOf(body)}`;
  }

  state(): Readonly<Record<string, unknown>> {
    return { calls: this.calls.length };
  }

  async close(): Promise<void> {
    this.closed++;
  }

  #encode(value: number, row: number, sink: ItemSink): void {
    const { keyOf, sizeOf = () => 8, itemsOf = () => 1, onEncode, timeOf = (ms: number) => ms } = this.#options;
    const items = itemsOf(value);
    if (items < 0) return sink.reject(row, 'no such value', `value ${value}`);
    const writer = keyOf === undefined ? sink.spread() : sink.lane(keyOf(value) % sink.lanes);
    for (let i = 0; i < items; i++) {
      const size = sizeOf(value);
      writer.reserve(size);
      Buffer.from(writer.bytes.buffer).writeDoubleLE(value, writer.at);
      writer.at += size;
      if (i === 0) onEncode?.(value);
      writer.end(row, timeOf(value), Buffer.from(`h${value}`));
    }
  }
}

export function valuesOf(items: ItemBatch): number[] {
  return Array.from({ length: items.count }, (_, item) => valueOf(items.body(item)));
}

function valueOf(body: Uint8Array): number {
  return Buffer.from(body.buffer, body.byteOffset, body.length).readDoubleLE(0);
}

export interface Started extends Opened {
  readonly delivery: Delivery;
}

/** A journal and a delivery over it, with one clock that stands still. */
export async function start(options: OpenOptions & { readonly delivery?: Partial<DeliveryOptions> }): Promise<Started> {
  const { delivery, ...rest } = options;
  const opened = await open(rest);
  return { ...opened, delivery: deliver(opened, options.dataDir, delivery) };
}

export function deliver(
  { journal, clock, metrics, lines }: { journal: Journal; clock: ManualClock } & Pick<Opened, 'metrics' | 'lines'>,
  dataDir: string,
  options: Partial<DeliveryOptions> = {},
): Delivery {
  const log = createLog({
    level: 'info',
    destination: { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  });
  return createDelivery({ journal, dataDir, metrics, log, clock, random: () => 0.5, ...options });
}

/** Lets everything happen that needs no clock. */
export async function settle(turns = 30): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Waits for work of the file system or the event loop; the bound is only there to end a broken test. */
export async function until(condition: () => boolean, what = 'it to happen'): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Calls a route of the delivery as the server does. */
export async function request(
  delivery: Delivery,
  what: { readonly method?: 'GET' | 'POST'; readonly path: string; readonly signal?: AbortSignal },
): Promise<HttpReply> {
  const { method = 'GET', path, signal = new AbortController().signal } = what;
  const url = new URL(path, 'http://hub');
  for (const route of delivery.routes) {
    const pattern = new RegExp(`^${route.path.replaceAll('*', '([^/]+)')}$`);
    const match = pattern.exec(url.pathname);
    if (match === null || route.method !== method) continue;
    const asked: HttpRequest = {
      method,
      path: url.pathname,
      wildcards: match.slice(1).map(decodeURIComponent),
      query: url.searchParams,
      headers: {},
      body: Buffer.alloc(0),
      org: 1,
      signal,
    };
    return route.handle(asked);
  }
  throw new Error(`there is no route ${method} ${path}`);
}

/** `data` of a JSON answer. */
export async function ask<T>(delivery: Delivery, path: string, method: 'GET' | 'POST' = 'GET'): Promise<T> {
  const { body } = await request(delivery, { method, path });
  return (JSON.parse(String(body)) as { data: T }).data;
}

export async function stateOf(delivery: Delivery, name = 'scripted'): Promise<ExporterListing> {
  const listed = await ask<ExporterListing[]>(delivery, '/api/v1/exporters');
  const found = listed.find((one) => one.name === name);
  if (found === undefined) throw new Error(`${name} is not listed`);
  return found;
}
