import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as TlsAgent, request as httpsRequest } from 'node:https';
import { constants, gzip } from 'node:zlib';
import { promisify } from 'node:util';
import type { SendOutcome } from '../../base/ports.ts';
import { VERSION } from '../../base/version.ts';
import type { SendTarget } from '../../delivery/types.ts';
import { readStatus, shownText } from './answer-message.ts';
import type { OpentelemetryExporterConfig } from './config.ts';
import type { RequestIdentity, TlsMaterial } from './request-identity.ts';
import type { Taken, Transport } from './transport.ts';
import { judgeError, judgeHttp } from './verdict.ts';

const compress = promisify(gzip);

const PROTOBUF = 'application/x-protobuf';
/** Bytes of an answer that are read. */
const MOST_ANSWER = 64 * 1024;
/** Time that the rest of an answer may take once its status is there, in milliseconds. */
const READ_MS = 1000;

/** Sends requests by HTTP POST. Each lane keeps a connection to an endpoint. */
export class HttpSender implements Transport {
  readonly #config: OpentelemetryExporterConfig;
  readonly #agents = new Map<string, Agent>();
  #material: TlsMaterial | undefined;

  constructor(config: OpentelemetryExporterConfig) {
    this.#config = config;
  }

  async send(request: Buffer, target: SendTarget, identity: RequestIdentity): Promise<Taken | SendOutcome> {
    const { signal } = target;
    try {
      // Quick: spans hold the same names over and over.
      const isCompressed = this.#config.compression === 'gzip';
      const body = isCompressed ? await compress(request, { level: constants.Z_BEST_SPEED }) : request;
      const answer = await this.#post(body, target, identity);
      if (answer.status >= 200 && answer.status < 300) {
        return { kind: 'taken', message: answer.body, isJson: answer.contentType.includes('json') };
      }
      const text = answer.contentType.startsWith(PROTOBUF)
        ? readStatus(answer.body).text
        : answer.body.toString('utf8');
      const failure = { ...answer, text: shownText(identity.withoutSecrets(text)) };
      const { attempt } = target;
      const judge = { attempt, on429: this.#config.retry.on429, now: Date.now() };
      return judgeHttp(failure, judge);
    } catch (error) {
      return judgeError(error, signal.aborted);
    }
  }

  close(): void {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }

  async #post(body: Buffer, target: SendTarget, identity: RequestIdentity): Promise<Answer> {
    const url = new URL(this.#config.targets[target.endpoint]!.url);
    const headers = {
      ...identity.headers,
      'content-type': PROTOBUF,
      'content-length': String(body.length),
      'user-agent': `sluice/${VERSION}`,
      ...(this.#config.compression === 'gzip' ? { 'content-encoding': 'gzip' } : {}),
    };
    const exchange = () =>
      exchangeOnce({ url, agent: this.#agent(url, target.lane, identity.tls), headers, body, signal: target.signal });
    try {
      return await exchange();
    } catch (error) {
      // A connection that was kept was closed by the other side in this moment: that says nothing about the request.
      if (!(error instanceof StaleConnection) || target.signal.aborted) throw error;
      return exchange();
    }
  }

  #agent(url: URL, lane: number, tls: TlsMaterial): Agent {
    if (this.#material !== tls) this.close();
    this.#material = tls;
    const key = `${lane} ${url.origin}`;
    let agent = this.#agents.get(key);
    if (agent === undefined) {
      const options = { keepAlive: true, maxSockets: 1 };
      agent = url.protocol === 'https:' ? new TlsAgent({ ...options, ...tlsOptions(tls) }) : new Agent(options);
      this.#agents.set(key, agent);
    }
    return agent;
  }
}

interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly retryAfter: string | undefined;
  readonly location: string | undefined;
  readonly body: Buffer;
}

interface Exchange {
  readonly url: URL;
  readonly agent: Agent;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly signal: AbortSignal;
}

class StaleConnection extends Error {}

function exchangeOnce({ url, agent, headers, body, signal }: Exchange): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const start = url.protocol === 'https:' ? httpsRequest : httpRequest;
    let isAnswered = false;
    const sent = start(url, { method: 'POST', agent, headers, signal }, (response) => {
      isAnswered = true;
      readAnswer(response).then(resolve, reject);
    });
    sent.on('error', (error: NodeJS.ErrnoException) => {
      if (isAnswered) return;
      const isStale = sent.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
      reject(isStale ? new StaleConnection(error.message, { cause: error }) : error);
    });
    sent.on('close', () => {
      if (!isAnswered) reject(new Error('the connection was closed without an answer'));
    });
    sent.end(body);
  });
}

/** The status has decided; the body is read as far as it is of use. */
async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  let length = 0;
  const timer = setTimeout(() => response.destroy(), READ_MS);
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > MOST_ANSWER) break;
    }
  } catch {
    // What has come of it has to do.
  } finally {
    clearTimeout(timer);
  }
  const { headers, statusCode = 0 } = response;
  return {
    status: statusCode,
    contentType: headers['content-type'] ?? '',
    retryAfter: headers['retry-after'],
    location: headers.location,
    body: Buffer.concat(chunks).subarray(0, MOST_ANSWER),
  };
}

function tlsOptions({ ca, cert, key, serverName, insecureSkipVerify }: TlsMaterial) {
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(serverName === undefined ? {} : { servername: serverName }),
    rejectUnauthorized: !insecureSkipVerify,
  };
}
