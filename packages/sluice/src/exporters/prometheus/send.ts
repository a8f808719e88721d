import { compressSync } from 'snappy';
import {
  EXEMPLARS_WRITTEN_HEADER,
  HISTOGRAMS_WRITTEN_HEADER,
  REQUEST_V2,
  SAMPLES_WRITTEN_HEADER,
  WRITE_REQUEST,
  encodeWriteRequest,
} from 'promwrite/wire';
import type { FamilyMetadata, ProtobufMessage } from 'promwrite';
import { errorText } from '../../base/errors.ts';
import type { SendOutcome } from '../../base/ports.ts';
import type { ItemBatch } from '../../delivery/item-batch.ts';
import type { SendTarget } from '../../delivery/types.ts';
import { rateLimited, type Log } from '../../telemetry/log.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { shownText, shownUrl, type ShownAnswer } from '../answer-text.ts';
import { post } from '../http-post.ts';
import { LaneAgents } from '../lane-agents.ts';
import { judgeNoAnswer } from '../no-answer.ts';
import type { RequestIdentity } from '../request-identity.ts';
import { judge } from './outcome.ts';
import { requestHeaders } from './request-headers.ts';
import { RequestV2 } from './request-v2.ts';

export interface SenderOptions {
  readonly exporter: string;
  readonly urls: readonly URL[];
  /** Headers of the user and certificates, as they are now. */
  readonly identity: () => Promise<RequestIdentity>;
  /** What is sent until an endpoint says that it does not take it. */
  readonly message: ProtobufMessage;
  /** Of the metrics, by name; empty = none is sent. */
  readonly metadata: ReadonlyMap<string, FamilyMetadata>;
  readonly on429: 'retry' | 'drop';
  readonly metrics: Metrics;
  readonly log: Log;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

/** With 1.0, metadata goes in requests of its own, as Prometheus sends it: this often, and so many entries in each. */
const METADATA_TIMEOUT_MS = 5000;
const METADATA_EVERY_MS = 60_000;
const METADATA_ENTRIES = 2000;
const COMPLAIN_MS = 60_000;
const MOST_REDIRECTS = 3;

/** What is known of one endpoint. */
interface Endpoint {
  readonly url: URL;
  message: ProtobufMessage;
  /** It has counted what it wrote, as only receivers of 2.0 do. */
  isConfirmed: boolean;
  metadataAt: number;
}

/** Sends batches of series to remote-write receivers; what is retried, and when, is delivery's. */
export class Sender {
  readonly #options: SenderOptions;
  readonly #endpoints: readonly Endpoint[];
  readonly #agents = new LaneAgents();
  readonly #requestV2: RequestV2;
  readonly #now: () => number;
  readonly #complain = rateLimited(COMPLAIN_MS);

  constructor(options: SenderOptions) {
    this.#options = options;
    const { urls, message } = options;
    this.#endpoints = urls.map((url) => ({ url, message, isConfirmed: false, metadataAt: -Infinity }));
    this.#requestV2 = new RequestV2(options.metadata);
    this.#now = options.now ?? Date.now;
  }

  /** Message in use, by endpoint without query. */
  get messages(): Readonly<Record<string, ProtobufMessage>> {
    return Object.fromEntries(this.#endpoints.map(({ url, message }) => [shownUrl(url), message]));
  }

  async send(items: ItemBatch, target: SendTarget): Promise<SendOutcome> {
    const endpoint = this.#endpoints[target.endpoint]!;
    const isV2 = endpoint.message === REQUEST_V2;
    let outcome = isV2 ? await this.#sendV2(endpoint, items, target) : await this.#sendV1(endpoint, items, target);
    if (outcome === 'not 2.0' || outcome === 'perhaps not 2.0') {
      const isSure = outcome === 'not 2.0';
      outcome = await this.#sendV1(endpoint, items, target);
      // An answer to 1.0 that says nothing about the batch leaves the question open.
      if (outcome.kind === 'sent' || (isSure && outcome.kind === 'refused')) this.#fallBack(endpoint);
    }
    if (outcome.kind === 'sent' && endpoint.message === WRITE_REQUEST) await this.#sendMetadata(endpoint, target);
    return outcome;
  }

  close(): void {
    this.#agents.close();
  }

  async #sendV1(endpoint: Endpoint, items: ItemBatch, target: SendTarget): Promise<SendOutcome> {
    const answer = await this.#post({ endpoint, message: WRITE_REQUEST, body: items.bodies, target });
    return 'kind' in answer ? answer : judge(answer, this.#judging(items));
  }

  async #sendV2(endpoint: Endpoint, items: ItemBatch, target: SendTarget): Promise<SendOutcome | Foreign> {
    const body = this.#requestV2.encode(items.bodies);
    const answer = await this.#post({ endpoint, message: REQUEST_V2, body, target });
    if ('kind' in answer) return answer;
    const written = writtenOf(answer);
    const isTaken = answer.status >= 200 && answer.status < 300;
    // Receivers of 1.0 find nothing in a request of 2.0 and may say that all is well, or that it is empty.
    if (answer.status === 415 || (isTaken && written === undefined)) return 'not 2.0';
    if (answer.status === 400 && written === undefined && !endpoint.isConfirmed) return 'perhaps not 2.0';
    if (written !== undefined) endpoint.isConfirmed = true;
    if (isTaken && written !== undefined && written < items.count) return this.#partlyWritten(items.count, written);
    return judge(answer, this.#judging(items));
  }

  /** 2xx means that all was taken, and yet less was counted: nobody can say what is missing, and sending again would not change it. */
  #partlyWritten(items: number, written: number): SendOutcome {
    if (written === 0) {
      return { kind: 'refused', why: `the receiver answered 2xx and counted 0 of ${items} samples as written` };
    }
    const { exporter, metrics, log } = this.#options;
    metrics.exporterUnwritten.inc({ exporter }, items - written);
    this.#complain(() =>
      log.warn({ exporter, items, written }, 'a receiver took a request, but counted fewer samples'),
    );
    return { kind: 'sent' };
  }

  #fallBack(endpoint: Endpoint): void {
    // Another lane may have found out at the same time.
    if (endpoint.message === WRITE_REQUEST) return;
    endpoint.message = WRITE_REQUEST;
    const { exporter, log } = this.#options;
    log.warn(
      { exporter, endpoint: shownUrl(endpoint.url) },
      'a receiver does not take remote write 2.0: it gets 1.0 from now on',
    );
  }

  #judging(items: ItemBatch) {
    return { on429: this.#options.on429, items: items.count, now: this.#now() };
  }

  /** One request, redirects at the same origin included. An outcome where there is no answer. */
  async #post({ endpoint, message, body, target }: OneRequest): Promise<ShownAnswer | SendOutcome> {
    // Sync: batches are small, and the pool of threads has the database's work to do.
    const compressed = compressSync(body, { copyOutputData: true });
    let identity: RequestIdentity;
    try {
      identity = await this.#options.identity();
    } catch (error) {
      return { kind: 'misconfigured', why: errorText(error) };
    }
    const headers = requestHeaders(message, target.attempt, identity.headers);
    let { url } = endpoint;
    try {
      for (let redirects = 0; ; redirects++) {
        const agent = this.#agents.of(target.lane, url, identity.tls);
        const answer = await post({ url, agent, headers, body: compressed, signal: target.signal });
        const text = shownText(identity.withoutSecrets(answer.body.toString('utf8')));
        const shown = { status: answer.status, headers: answer.headers, text };
        const next = redirects < MOST_REDIRECTS ? redirectTarget(shown, url) : undefined;
        if (next === undefined) return shown;
        url = next;
      }
    } catch (error) {
      return judgeNoAnswer(error, target.signal.aborted);
    }
  }

  /** Best effort: what becomes of it says nothing about the batch. */
  async #sendMetadata(endpoint: Endpoint, target: SendTarget): Promise<void> {
    const { metadata, exporter, log } = this.#options;
    if (metadata.size === 0 || this.#now() < endpoint.metadataAt) return;
    endpoint.metadataAt = this.#now() + METADATA_EVERY_MS;
    const all = [...metadata.values()];
    for (let from = 0; from < all.length; from += METADATA_ENTRIES) {
      const body = encodeWriteRequest({ metadata: all.slice(from, from + METADATA_ENTRIES) });
      // The batch was taken: this must not make it fail.
      const signal = AbortSignal.any([target.signal, AbortSignal.timeout(METADATA_TIMEOUT_MS)]);
      const first = { ...target, attempt: 0, signal };
      const answer = await this.#post({ endpoint, message: WRITE_REQUEST, body, target: first });
      const isTaken = 'status' in answer && answer.status >= 200 && answer.status < 300;
      if (isTaken) continue;
      const why = 'status' in answer ? `${answer.status} ${answer.text}` : 'why' in answer ? answer.why : '';
      log.debug({ exporter, endpoint: shownUrl(endpoint.url), why }, 'a receiver does not take metadata');
      return;
    }
  }
}

/** The receiver does not know 2.0. */
type Foreign = 'not 2.0' | 'perhaps not 2.0';

interface OneRequest {
  readonly endpoint: Endpoint;
  readonly message: ProtobufMessage;
  readonly body: Uint8Array;
  readonly target: SendTarget;
}

/** Samples that a receiver of 2.0 says it wrote; undefined without any of its three headers. */
function writtenOf({ headers }: ShownAnswer): number | undefined {
  const counts = [SAMPLES_WRITTEN_HEADER, HISTOGRAMS_WRITTEN_HEADER, EXEMPLARS_WRITTEN_HEADER].map(
    (name) => headers[name.toLowerCase()],
  );
  if (counts.every((count) => count === undefined)) return undefined;
  const samples = String(counts[0] ?? '0').trim();
  return /^\d{1,15}$/.test(samples) ? Number(samples) : 0;
}

/** Where a redirect leads that keeps method and body and stays with the server that the credentials are for. */
function redirectTarget({ status, headers }: ShownAnswer, from: URL): URL | undefined {
  const { location } = headers;
  if ((status !== 307 && status !== 308) || location === undefined || !URL.canParse(location, from.href))
    return undefined;
  const target = new URL(location, from);
  return target.origin === from.origin && target.username === '' && target.password === '' ? target : undefined;
}
