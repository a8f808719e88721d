import {
  EXEMPLARS_WRITTEN_HEADER,
  HISTOGRAMS_WRITTEN_HEADER,
  parseContentType,
  REQUEST_V2,
  SAMPLES_WRITTEN_HEADER,
  type ProtobufMessage,
  WRITE_REQUEST,
} from 'promwrite/wire';
import { errorText, isSluiceError, type SluiceError } from '../../base/errors.ts';
import type { LinearMemory } from '../../base/linear-memory.ts';
import type { ActiveSeries, Append, HttpReply, HttpRequest, HttpRoute, SeriesTagger } from '../../base/ports.ts';
import type { Batch } from '../../batch/batch.ts';
import { storableTimes } from '../../catalog/prometheus.ts';
import { type Log, rateLimited } from '../../telemetry/log.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { Acceptance, type TimeWindow } from './acceptance.ts';
import type { RemoteWriteLimits } from './config.ts';
import { DecoderV1 } from './decode-v1.ts';
import { DecoderV2 } from './decode-v2.ts';
import { type ExtraLabel, ExtraLabels } from './extra-labels.ts';
import { FamilyMetadataCache } from './family-metadata.ts';
import { MessageMemory } from './message-memory.ts';
import { printable } from './problems.ts';

/** What a table accepts around now; design 2.1, invariant 5. */
export interface AcceptSpan {
  readonly behindMs: number;
  readonly aheadMs: number;
}

export interface RemoteWriteOptions {
  readonly append: Append<Batch>;
  /** The active series of an organisation. Their memory must be `memory`. */
  readonly series: (org: number) => ActiveSeries;
  readonly memory: LinearMemory;
  /** Tags the series of an organisation; absent: they are not tagged. */
  readonly tagger?: (org: number) => SeriesTagger | undefined;
  /** By data source id; Infinity opens a side. */
  readonly acceptWindow: (table: string) => AcceptSpan;
  readonly limits: RemoteWriteLimits;
  /** Messages that are taken; default both. */
  readonly messages?: readonly ProtobufMessage[];
  readonly metrics: Metrics;
  readonly log: Log;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

export interface RemoteWrite {
  /** POST /api/v1/write and /api/v1/prometheus. */
  readonly routes: readonly HttpRoute[];
  /** Takes an uncompressed message from within the process, on the same way as everybody's. */
  write(message: ProtobufMessage, bytes: Uint8Array, org: number): Promise<HttpReply>;
  /**
   * Takes a 1.0 body (Snappy) that somebody else received, and adds labels to all its series; where a series has one of the same name, its own wins.
   * The body is read before the first await. `agent` is the number of the agent that received it, 0 = none.
   */
  forward(body: Uint8Array, org: number, extraLabels: readonly ExtraLabel[], agent?: number): Promise<HttpReply>;
}

const INPUT = 'remote_write';
const PATHS = ['/api/v1/write', '/api/v1/prometheus'];
/** Sets of rows kept for further requests, and the most rows one may have had. */
const POOLED = 8;
const POOLED_ROWS = 65_536;
const RETRY_AFTER_MS = 5_000;
/** A series leaves after an hour without samples: soon enough for a limit to be worth another try. */
const LIMIT_RETRY_AFTER_MS = 60_000;

type Encoding = 'snappy' | 'zstd' | 'none';

/** Receives remote write 1.0 and 2.0. */
export function createRemoteWrite(options: RemoteWriteOptions): RemoteWrite {
  const receiver = new RemoteWriteReceiver(options);
  const messages = options.messages ?? [WRITE_REQUEST, REQUEST_V2];
  const check = (headers: HttpRequest['headers']): HttpReply | undefined => {
    const answer = negotiate(headers, messages);
    return answer.kind === 'refused' ? receiver.refused(answer.text) : undefined;
  };
  const refusalHeaders = (headers: HttpRequest['headers']) => {
    const answer = negotiate(headers, messages);
    return answer.kind === 'refused' ? {} : writtenHeaders(answer.message, NONE_WRITTEN);
  };
  const handle = async (request: HttpRequest): Promise<HttpReply> => {
    const answer = negotiate(request.headers, messages);
    if (answer.kind === 'refused') return receiver.refused(answer.text);
    return receiver.take(answer, request.body, request.org);
  };
  return {
    routes: PATHS.map((path) => ({
      method: 'POST',
      path,
      scope: 'write',
      bodyLimit: options.limits.bodyBytes,
      memory: options.limits.decodedBytes,
      check,
      refusalHeaders,
      handle,
    })),
    write: async (message, bytes, org) => receiver.take({ message, encoding: 'none' }, bytes, org),
    forward: async (body, org, extraLabels, agent = 0) => {
      const labels = new ExtraLabels(extraLabels);
      const how = { message: WRITE_REQUEST, encoding: 'snappy', agent } as const;
      return receiver.take(labels.isEmpty ? how : { ...how, labels }, body, org);
    },
  };
}

interface Negotiated {
  readonly message: ProtobufMessage;
  readonly encoding: Encoding;
  /** To be added to all series of a 1.0 message. */
  readonly labels?: ExtraLabels;
  /** Agent that the message came through; absent: none. */
  readonly agent?: number;
}

function negotiate(
  headers: HttpRequest['headers'],
  messages: readonly ProtobufMessage[],
): ({ readonly kind: 'accepted' } & Negotiated) | { readonly kind: 'refused'; readonly text: string } {
  const contentType = headers['content-type'];
  const message = parseContentType(contentType);
  if (message === undefined) {
    return {
      kind: 'refused',
      text: `expected Content-Type application/x-protobuf with proto=${messages.join(' or proto=')}; got ${printable(contentType ?? '')}`,
    };
  }
  if (!messages.includes(message))
    return { kind: 'refused', text: `${message} is switched off here; send ${messages.join(' or ')}` };
  const encoding = (headers['content-encoding'] ?? '').trim().toLowerCase();
  if (encoding === '' || encoding === 'snappy') return { kind: 'accepted', message, encoding: 'snappy' };
  // Only VictoriaMetrics' agents send zstd, and say so; others would not expect it to be understood.
  if (encoding === 'zstd' && headers['x-victoriametrics-remote-write-version'] !== undefined) {
    return { kind: 'accepted', message, encoding: 'zstd' };
  }
  return { kind: 'refused', text: `expected Content-Encoding snappy; got ${printable(encoding)}` };
}

class RemoteWriteReceiver {
  readonly #options: RemoteWriteOptions;
  readonly #now: () => number;
  readonly #message: MessageMemory;
  readonly #v1: DecoderV1;
  readonly #v2: DecoderV2;
  readonly #metadata = new Map<number, FamilyMetadataCache>();
  readonly #free: Acceptance[] = [];
  readonly #limited = rateLimited(10_000);

  constructor(options: RemoteWriteOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#message = new MessageMemory(options.memory);
    this.#v1 = new DecoderV1(this.#message, options.limits);
    this.#v2 = new DecoderV2(this.#message, options.limits);
  }

  refused(text: string): HttpReply {
    this.#options.metrics.receivedRequests.inc({ input: INPUT, outcome: 'unsupported' });
    return plain(415, `${text}\n`);
  }

  async take(how: Negotiated, body: Uint8Array, org: number): Promise<HttpReply> {
    const { metrics } = this.#options;
    const began = performance.now();
    metrics.receivedBytes.inc({ input: INPUT }, body.length);
    const taken = this.#free.pop() ?? new Acceptance(this.#options.limits);
    try {
      const reply = await this.#take(taken, how, body, org);
      metrics.acknowledgeSeconds.observe({ input: INPUT }, (performance.now() - began) / 1000);
      return reply;
    } finally {
      // What grew for an unusual request is given back.
      const isUsual = taken.samples <= POOLED_ROWS && taken.announced.size <= POOLED_ROWS;
      taken.reset();
      if (isUsual && this.#free.length < POOLED) this.#free.push(taken);
    }
  }

  async #take(taken: Acceptance, how: Negotiated, body: Uint8Array, org: number): Promise<HttpReply> {
    const { append, metrics } = this.#options;
    let batches: readonly Batch[];
    // Synchronous to the end of decoding: there is one place for messages.
    try {
      this.#place(how, body);
      this.#begin(taken, org, how.agent ?? 0);
      (how.message === REQUEST_V2 ? this.#v2 : this.#v1).decode(taken);
      batches = taken.finish();
    } catch (error) {
      if (!isSluiceError(error)) throw error;
      if (error.code === 'bad_request') this.#countDropped(taken);
      return this.#failed(error, how.message);
    }
    try {
      if (batches.length > 0) await append(batches);
    } catch (error) {
      if (!isSluiceError(error)) throw error;
      return this.#failed(error, how.message);
    }
    taken.written();
    this.#countDropped(taken);
    for (const { source, rows } of batches) metrics.receivedRows.inc({ input: INPUT, table: source.id }, rows);
    return this.#answer(taken, how.message, org);
  }

  /** Only once nothing of the request comes again: what the journal refuses is sent anew, with the same rows to drop. */
  #countDropped({ problems }: Acceptance): void {
    for (const [reason, rows] of problems.dropped)
      this.#options.metrics.droppedRows.inc({ input: INPUT, reason }, rows);
  }

  #place({ encoding, labels }: Negotiated, body: Uint8Array): void {
    const { decodedBytes } = this.#options.limits;
    if (encoding === 'snappy') this.#message.placeSnappy(body, decodedBytes);
    else if (encoding === 'zstd') this.#message.placeZstd(body, decodedBytes);
    else this.#message.place(body);
    if (labels !== undefined) this.#message.addLabels(labels, decodedBytes);
  }

  #begin(taken: Acceptance, org: number, agent: number): void {
    const nowMs = this.#now();
    const series = this.#options.series(org);
    let metadata = this.#metadata.get(org);
    if (metadata === undefined) {
      metadata = new FamilyMetadataCache();
      this.#metadata.set(org, metadata);
    }
    const scope = {
      org,
      series,
      tagger: this.#options.tagger?.(org),
      agent,
      metadata,
      nowMs,
      samples: this.#window('prometheus.samples', nowMs),
      histograms: this.#window('prometheus.histograms', nowMs),
      exemplars: this.#window('prometheus.exemplars', nowMs),
    };
    taken.begin(scope, this.#message);
  }

  #window(table: string, nowMs: number): TimeWindow {
    const { behindMs, aheadMs } = this.#options.acceptWindow(table);
    return { min: Math.max(nowMs - behindMs, storableTimes.from), max: Math.min(nowMs + aheadMs, storableTimes.until) };
  }

  #answer(taken: Acceptance, message: ProtobufMessage, org: number): HttpReply {
    const { metrics, log } = this.#options;
    const written = writtenHeaders(message, taken);
    if (taken.problems.count === 0) {
      metrics.receivedRequests.inc({ input: INPUT, outcome: 'accepted' });
      return { status: 204, headers: written };
    }
    const isLimited = taken.limited > 0;
    metrics.receivedRequests.inc({ input: INPUT, outcome: isLimited ? 'series_limit' : 'partial' });
    if (isLimited) metrics.seriesRefused.inc({ org: String(org), reason: 'limit' }, taken.limited);
    if (taken.collided > 0) metrics.seriesRefused.inc({ org: String(org), reason: 'collision' }, taken.collided);
    const text = taken.problems.text();
    this.#limited((suppressed) =>
      log.warn(
        { org, problems: taken.problems.count, first: text.split('\n', 1)[0], suppressed },
        'a remote-write request was not taken whole',
      ),
    );
    // What is known is in the journal; a sender that repeats the request writes the same samples again, of which readers see one.
    return isLimited
      ? plain(429, text, { ...written, ...retryAfter(LIMIT_RETRY_AFTER_MS) })
      : plain(400, text, written);
  }

  /** Nothing of the request was taken. */
  #failed(error: SluiceError, message: ProtobufMessage): HttpReply {
    const { metrics } = this.#options;
    const none = writtenHeaders(message, NONE_WRITTEN);
    const text = `${printable(errorText(error))}\n`;
    if (error.code === 'bad_request') {
      metrics.receivedRequests.inc({ input: INPUT, outcome: 'malformed' });
      return plain(400, text, none);
    }
    metrics.receivedRequests.inc({ input: INPUT, outcome: error.code });
    const status = error.code === 'too_many_requests' ? 429 : 503;
    return plain(status, text, { ...none, ...retryAfter(error.retryAfterMs ?? RETRY_AFTER_MS) });
  }
}

const NONE_WRITTEN = { samples: 0, histograms: 0, exemplars: 0 } as const;

/** 2.0 senders are told what was written, whatever the outcome; 1.0 senders would misread it. */
function writtenHeaders(
  message: ProtobufMessage,
  {
    samples,
    histograms,
    exemplars,
  }: { readonly samples: number; readonly histograms: number; readonly exemplars: number },
): Readonly<Record<string, string>> {
  if (message !== REQUEST_V2) return {};
  return {
    [SAMPLES_WRITTEN_HEADER]: String(samples),
    [HISTOGRAMS_WRITTEN_HEADER]: String(histograms),
    [EXEMPLARS_WRITTEN_HEADER]: String(exemplars),
  };
}

function retryAfter(milliseconds: number): Readonly<Record<string, string>> {
  return { 'Retry-After': String(Math.max(1, Math.ceil(milliseconds / 1000))) };
}

function plain(status: number, body: string, headers: Readonly<Record<string, string>> = {}): HttpReply {
  return { status, headers: { ...headers, 'Content-Type': 'text/plain; charset=utf-8' }, body };
}
