import { promisify } from 'node:util';
import { gunzip, type ZlibOptions } from 'node:zlib';
import { errorText, isSluiceError, type SluiceError } from '../../base/errors.ts';
import type { Append, HttpReply, HttpRequest, HttpRoute, Tagger } from '../../base/ports.ts';
import type { Batch } from '../../batch/batch.ts';
import type { RowBlock } from '../../batch/row-block.ts';
import { externalMetrics } from '../../catalog/external-metrics.ts';
import type { DataSource } from '../../catalog/types.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { AcceptWindow } from '../accept-window.ts';
import { BlockPool } from '../block-pool.ts';
import { countDropped, INPUT } from './counts.ts';
import { type LineDropped, LineRows } from './line-rows.ts';

export interface TelegrafWriteOptions {
  readonly append: Append<Batch>;
  readonly tagger: Tagger<RowBlock>;
  readonly accept: (source: DataSource) => AcceptWindow;
  readonly limits: TelegrafLimits;
  readonly metrics: Metrics;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

/** In bytes. */
export interface TelegrafLimits {
  readonly bodyBytes: number;
  readonly decodedBytes: number;
}

const PATH = '/api/v1/telegraf';
/** Rows, and bytes of lines, that are appended together; of a longer body the first ones are in the journal before the last are read. */
const BLOCK_ROWS = 32_768;
const BLOCK_TEXT = 4 * 1024 * 1024;
const RETRY_AFTER_MS = 5_000;
/** Memory of a block of rows beside the body. */
const BLOCK_BYTES = 16 * 1024 * 1024;

const LISTED = 10;
const EXCERPT_BYTES = 64;

/** Digits of timestamps that are fractions of a second, by the query's `precision`. */
const precisions: ReadonlyMap<string, number> = new Map([
  ['ns', 9],
  ['n', 9],
  ['us', 6],
  ['u', 6],
  ['ms', 3],
  ['s', 0],
]);

/** Outcomes of requests that are not read, by status. */
const refusals = { 400: 'malformed', 413: 'too_large', 415: 'unsupported' } as const;

const uncompress = promisify<Uint8Array, ZlibOptions, Buffer>(gunzip);

/**
 * POST /api/v1/telegraf: Influx line protocol into ext_metrics.metrics; gzip, `precision` of timestamps as in InfluxDB (default ns).
 *
 * 204 when the journal has all rows. 400 with the first ten problems when lines could not be taken; as with InfluxDB's partial write, the others are
 * kept and the text begins with `partial write`, so that Telegraf does not send the batch again. 503 when the journal takes nothing at the moment: the
 * whole batch may be sent again.
 */
export function createTelegrafWrite(options: TelegrafWriteOptions): readonly HttpRoute[] {
  const receiver = new LineReceiver(options);
  return [
    {
      method: 'POST',
      path: PATH,
      scope: 'write',
      bodyLimit: options.limits.bodyBytes,
      memory: options.limits.decodedBytes + BLOCK_BYTES,
      check: (headers) => {
        const encoding = encodingOf(headers);
        return encoding === 'other' ? receiver.refused(415, 'expected Content-Encoding gzip, or none') : undefined;
      },
      handle: (request) => receiver.take(request),
    },
  ];
}

class LineReceiver {
  readonly #options: TelegrafWriteOptions;
  readonly #now: () => number;
  readonly #pool = new BlockPool();

  constructor(options: TelegrafWriteOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  async take(request: HttpRequest): Promise<HttpReply> {
    const { metrics } = this.#options;
    const began = performance.now();
    metrics.receivedBytes.inc({ input: INPUT }, request.body.length);
    const fractionDigits = precisions.get(request.query.get('precision') ?? 'ns');
    if (fractionDigits === undefined) return this.refused(400, 'expected precision ns, us, ms or s');
    const body = await this.#uncompressed(request);
    if (!(body instanceof Uint8Array)) return body;
    const reply = await this.#write(body, fractionDigits, request.org);
    metrics.acknowledgeSeconds.observe({ input: INPUT }, (performance.now() - began) / 1000);
    return reply;
  }

  /** Nothing is read of the request. */
  refused(status: keyof typeof refusals, text: string): HttpReply {
    this.#options.metrics.receivedRequests.inc({ input: INPUT, outcome: refusals[status] });
    return errorReply(status, text);
  }

  async #uncompressed({ headers, body }: HttpRequest): Promise<Uint8Array | HttpReply> {
    if (encodingOf(headers) === 'none') return body;
    const { decodedBytes } = this.#options.limits;
    try {
      return await uncompress(body, { maxOutputLength: decodedBytes });
    } catch (error) {
      return error instanceof RangeError
        ? this.refused(413, `cannot uncompress the body: expected at most ${decodedBytes} bytes`)
        : this.refused(400, 'cannot uncompress the body: it is no whole gzip stream');
    }
  }

  async #write(body: Uint8Array, fractionDigits: number, org: number): Promise<HttpReply> {
    const { accept, metrics } = this.#options;
    const lines = new LineRows();
    const problems = new LineProblems();
    const window = accept(externalMetrics);
    const block = this.#pool.take(externalMetrics);
    let from = 0;
    lines.begin(body, 0, body.length, { team: 1, agent: 0, window, nowMs: this.#now(), fractionDigits });
    try {
      while (!lines.isDone) {
        const dropped = lines.next(block);
        if (dropped !== undefined) problems.add(dropped, lines, body);
        if (block.rows >= BLOCK_ROWS || lines.lineStart - from >= BLOCK_TEXT) {
          await this.#append(block, org);
          from = lines.lineStart;
        }
      }
      await this.#append(block, org);
    } catch (error) {
      if (!isSluiceError(error)) throw error;
      return this.#failed(error);
    } finally {
      // Drops its rows: nothing of them is needed any more.
      this.#pool.give(block);
    }
    countDropped(metrics, lines);
    const outcome = problems.count === 0 ? 'accepted' : lines.taken > 0 ? 'partial' : 'malformed';
    metrics.receivedRequests.inc({ input: INPUT, outcome });
    return problems.count === 0 ? { status: 204 } : errorReply(400, problems.text(lines.taken));
  }

  async #append(block: RowBlock, org: number): Promise<void> {
    if (block.rows === 0) return;
    const { append, tagger, metrics } = this.#options;
    tagger(block, org);
    await append([block.finish(org)]);
    metrics.receivedRows.inc({ input: INPUT, table: externalMetrics.id }, block.rows);
    block.reset();
  }

  #failed(error: SluiceError): HttpReply {
    this.#options.metrics.receivedRequests.inc({ input: INPUT, outcome: error.code });
    const { status, headers, body } = errorReply(503, errorText(error));
    const seconds = Math.max(1, Math.ceil((error.retryAfterMs ?? RETRY_AFTER_MS) / 1000));
    return { status, headers: { ...headers, 'Retry-After': String(seconds) }, body };
  }
}

/** What was wrong with lines: the first ten in words. Lines without a number are sound, only the table has no place for them. */
class LineProblems {
  count = 0;
  readonly #listed: string[] = [];

  add(dropped: LineDropped, lines: LineRows, body: Uint8Array): void {
    if (dropped === 'no_number') return;
    this.count++;
    if (this.#listed.length === LISTED) return;
    if (dropped === 'malformed') {
      const excerpt = excerptOf(body, lines.lineStart);
      this.#listed.push(`unable to parse line ${lines.line} '${excerpt}': ${lines.problem}`);
    } else {
      const side = dropped === 'too_old' ? 'before' : 'after';
      this.#listed.push(
        `line ${lines.line}: points beyond retention policy: its time is ${side} what the table accepts`,
      );
    }
  }

  text(taken: number): string {
    const more = this.count - this.#listed.length;
    const list = [...this.#listed, ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
    return `${taken > 0 ? 'partial write: ' : ''}${list}; dropped=${this.count}`;
  }
}

function excerptOf(body: Uint8Array, start: number): string {
  const feed = body.indexOf(LINE_FEED, start);
  const end = Math.min(feed < 0 ? body.length : feed, start + EXCERPT_BYTES);
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8', start, end);
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '?');
}

const LINE_FEED = 0x0a;

function encodingOf(headers: HttpRequest['headers']): 'none' | 'gzip' | 'other' {
  const encoding = (headers['content-encoding'] ?? '').trim().toLowerCase();
  if (encoding === '' || encoding === 'identity') return 'none';
  return encoding === 'gzip' ? 'gzip' : 'other';
}

/** InfluxDB's form, which Telegraf reads. */
function errorReply(status: number, error: string): { status: number; headers: Record<string, string>; body: string } {
  return { status, headers: { 'Content-Type': 'application/json' }, body: `${JSON.stringify({ error })}\n` };
}
