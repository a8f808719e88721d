import { errorText, isSluiceError, SluiceError } from '../../base/errors.ts';
import type { Append, HttpReply, HttpRequest, HttpRoute, Tagger } from '../../base/ports.ts';
import type { Batch } from '../../batch/batch.ts';
import type { RowBlock } from '../../batch/row-block.ts';
import { l7FlowLog } from '../../catalog/l7-flow-log.ts';
import type { DataSource } from '../../catalog/types.ts';
import { rateLimited, type Log } from '../../telemetry/log.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { AcceptWindow } from '../accept-window.ts';
import { contentEncoding, plainBody } from '../request-body.ts';
import { RequestRowsPool } from '../request-rows.ts';
import type { RowIds } from '../row-ids.ts';
import { retryAfter } from '../write-reply.ts';
import { exportAnswer, failureAnswer, type Encoding } from './answer.ts';
import type { TracesLimits } from './config.ts';
import { messageOfJson } from './json-message.ts';
import { TraceReader, type SpanFault } from './trace-reader.ts';

export interface TracesOptions {
  readonly append: Append<Batch>;
  readonly tagger: Tagger<RowBlock>;
  readonly rowIds: RowIds;
  readonly limits: TracesLimits;
  readonly accept: (source: DataSource) => AcceptWindow;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

const INPUT = 'opentelemetry';
/** `/v1/traces` is OTLP's own, the other one DeepFlow's. */
const PATHS = ['/v1/traces', '/api/v1/otel/trace'];
/** Team of rows that no agent sent. */
const TEAM = 1;

/** POST routes that take OTLP traces, protobuf or JSON, gzipped or not: each span becomes a row of flow_log.l7_flow_log. 200 = they are in the journal. */
export function createTraces(options: TracesOptions): readonly HttpRoute[] {
  const receiver = new TracesReceiver(options);
  const { limits } = options;
  const check = (headers: HttpRequest['headers']): HttpReply | undefined => {
    const answer = negotiate(headers);
    return answer.kind === 'refused' ? receiver.refused(answer.text) : undefined;
  };
  return PATHS.map((path) => ({
    method: 'POST',
    path,
    scope: 'write',
    bodyLimit: limits.bodyBytes,
    memory: limits.decodedBytes + limits.rowBytes,
    check,
    handle: async (request) => {
      const answer = negotiate(request.headers);
      return answer.kind === 'refused' ? receiver.refused(answer.text) : receiver.take(answer.encoding, request);
    },
  }));
}

function negotiate(
  headers: HttpRequest['headers'],
): { readonly kind: 'accepted'; readonly encoding: Encoding } | { readonly kind: 'refused'; readonly text: string } {
  const type = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  // DeepFlow's port takes protobuf whatever the headers say.
  const encoding: Encoding | undefined =
    type === undefined || type === 'application/x-protobuf'
      ? 'protobuf'
      : type === 'application/json'
        ? 'json'
        : undefined;
  if (encoding === undefined) {
    const got = JSON.stringify((type ?? '').slice(0, 60));
    return { kind: 'refused', text: `expected Content-Type application/x-protobuf or application/json; got ${got}` };
  }
  if (contentEncoding(headers) !== 'other') return { kind: 'accepted', encoding };
  const got = JSON.stringify((headers['content-encoding'] ?? '').slice(0, 60));
  return { kind: 'refused', text: `expected Content-Encoding gzip or none; got ${got}` };
}

class TracesReceiver {
  readonly #options: TracesOptions;
  readonly #reader: TraceReader;
  readonly #rows: RequestRowsPool;
  readonly #limited = rateLimited(10_000);

  constructor(options: TracesOptions) {
    this.#options = options;
    this.#reader = new TraceReader(options.rowIds, options.limits);
    this.#rows = new RequestRowsPool({ input: INPUT, ...options });
  }

  refused(text: string): HttpReply {
    this.#options.metrics.receivedRequests.inc({ input: INPUT, outcome: 'unsupported' });
    return { status: 415, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: `${text}\n` };
  }

  async take(encoding: Encoding, request: HttpRequest): Promise<HttpReply> {
    const { metrics } = this.#options;
    const began = performance.now();
    metrics.receivedBytes.inc({ input: INPUT }, request.body.length);
    const rows = this.#rows.open();
    try {
      const message = await this.#messageOf(encoding, request);
      const rejected = this.#decode(rows.block(l7FlowLog, request.org), message, request.peer);
      const { wrongStarts } = this.#reader;
      await rows.append();
      if (wrongStarts > 0) metrics.droppedFields.inc({ input: INPUT, reason: 'wrong_start' }, wrongStarts);
      for (const [reason, spans] of rejected) metrics.droppedRows.inc({ input: INPUT, reason }, spans);
      metrics.acknowledgeSeconds.observe({ input: INPUT }, (performance.now() - began) / 1000);
      return this.#answer(encoding, rejected, request.org);
    } catch (error) {
      if (!isSluiceError(error)) throw error;
      return this.#failed(encoding, error);
    } finally {
      rows.close();
    }
  }

  async #messageOf(encoding: Encoding, request: HttpRequest): Promise<Uint8Array> {
    const { decodedBytes, jsonBytes } = this.#options.limits;
    const body = await plainBody(request, encoding === 'json' ? Math.min(jsonBytes, decodedBytes) : decodedBytes);
    if (body.kind !== 'plain')
      throw new SluiceError(body.kind === 'too_large' ? 'too_large' : 'bad_request', body.text);
    return encoding === 'json' ? messageOfJson(body.bytes) : body.bytes;
  }

  /** Synchronous: there is one reader. */
  #decode(block: RowBlock, message: Uint8Array, peer: string | undefined): ReadonlyMap<SpanFault, number> {
    const { spans, rowBytes } = this.#options.limits;
    const reader = this.#reader;
    const outcome = reader.read(message, 0, message.length, { agent: 0, team: TEAM, block: () => block, peer });
    if (outcome === 'too_many')
      throw new SluiceError('too_large', `expected at most ${spans} spans in a request; got more`);
    if (outcome === 'too_large') {
      throw new SluiceError('too_large', `expected spans that make at most ${rowBytes} bytes of rows; they make more`);
    }
    if (outcome === 'malformed' || reader.rejected.has('malformed')) {
      throw new SluiceError(
        'bad_request',
        'cannot read the traces: expected an ExportTraceServiceRequest; got something else',
      );
    }
    return new Map(reader.rejected);
  }

  #answer(encoding: Encoding, rejected: ReadonlyMap<SpanFault, number>, org: number): HttpReply {
    const { metrics, log } = this.#options;
    let sum = 0;
    for (const spans of rejected.values()) sum += spans;
    if (sum === 0) {
      metrics.receivedRequests.inc({ input: INPUT, outcome: 'accepted' });
      return exportAnswer(encoding, 0, '');
    }
    metrics.receivedRequests.inc({ input: INPUT, outcome: 'partial' });
    const text = [...rejected]
      .map(([reason, spans]) => `${spans} ${spans === 1 ? 'span' : 'spans'} ${told[reason]}`)
      .join(', ');
    this.#limited((suppressed) =>
      log.warn({ org, spans: sum, first: text, suppressed }, 'spans of a request were not taken'),
    );
    return exportAnswer(encoding, sum, text);
  }

  /** Nothing of the request was taken. */
  #failed(encoding: Encoding, error: SluiceError): HttpReply {
    const outcome = error.code === 'bad_request' ? 'malformed' : error.code;
    this.#options.metrics.receivedRequests.inc({ input: INPUT, outcome });
    const text = errorText(error);
    if (error.code === 'bad_request') return failureAnswer(encoding, 400, text);
    if (error.code === 'too_large') return failureAnswer(encoding, 413, text);
    const status = error.code === 'too_many_requests' ? 429 : 503;
    return failureAnswer(encoding, status, text, retryAfter(error));
  }
}

const told: Readonly<Record<SpanFault, string>> = {
  malformed: 'cannot be read',
  too_old: 'ended before what the hub keeps',
  too_new: 'ended in the future',
  too_large: 'larger than 4 MiB',
};
