import { constants, gzip } from 'node:zlib';
import { promisify } from 'node:util';
import type { SendOutcome } from '../../base/ports.ts';
import { VERSION } from '../../base/version.ts';
import type { SendTarget } from '../../delivery/types.ts';
import { shownText } from '../answer-text.ts';
import { post, type Answer } from '../http-post.ts';
import { LaneAgents } from '../lane-agents.ts';
import { judgeNoAnswer } from '../no-answer.ts';
import type { RequestIdentity } from '../request-identity.ts';
import { readStatus } from './answer-message.ts';
import type { OpentelemetryExporterConfig } from './config.ts';
import type { Taken, TraceRequest, Transport } from './transport.ts';
import { judgeHttp } from './verdict.ts';

const compress = promisify(gzip);

const PROTOBUF = 'application/x-protobuf';

/** Sends requests by HTTP POST. Each lane keeps a connection to an endpoint. */
export class HttpSender implements Transport {
  readonly #config: OpentelemetryExporterConfig;
  readonly #urls: readonly URL[];
  readonly #agents = new LaneAgents();

  constructor(config: OpentelemetryExporterConfig) {
    this.#config = config;
    this.#urls = config.targets.map(({ url }) => new URL(url));
  }

  async send(request: TraceRequest, target: SendTarget, identity: RequestIdentity): Promise<Taken | SendOutcome> {
    const { signal, attempt } = target;
    const { compression, retry } = this.#config;
    let answer: Answer;
    try {
      // Quick: spans hold the same names over and over.
      const isCompressed = compression === 'gzip';
      const body = isCompressed ? await compress(request.bytes, { level: constants.Z_BEST_SPEED }) : request.bytes;
      const url = this.#urls[target.endpoint]!;
      const agent = this.#agents.of(target.lane, url, identity.tls);
      answer = await post({ url, agent, headers: this.#headers(identity), body, signal });
    } catch (error) {
      return judgeNoAnswer(error, signal.aborted);
    }
    const { status, headers, body } = answer;
    const contentType = headers['content-type'] ?? '';
    if (status >= 200 && status < 300) return { kind: 'taken', message: body, isJson: contentType.includes('json') };
    const told = contentType.startsWith(PROTOBUF) ? readStatus(body).text : body.toString('utf8');
    const shown = { status, headers, text: shownText(identity.withoutSecrets(told)) };
    return judgeHttp(shown, { attempt, on429: retry.on429, items: request.spans, now: Date.now() });
  }

  close(): void {
    this.#agents.close();
  }

  #headers({ headers }: RequestIdentity): Record<string, string> {
    return {
      ...headers,
      'content-type': PROTOBUF,
      'user-agent': `sluice/${VERSION}`,
      ...(this.#config.compression === 'gzip' ? { 'content-encoding': 'gzip' } : {}),
    };
  }
}
