import {
  Client,
  compressionAlgorithms,
  credentials,
  type ClientUnaryCall,
  Metadata,
  type ChannelCredentials,
  type ChannelOptions,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { bug, errorText } from '../../base/errors.ts';
import type { SendOutcome } from '../../base/ports.ts';
import { VERSION } from '../../base/version.ts';
import type { SendTarget } from '../../delivery/types.ts';
import { shownText } from '../answer-text.ts';
import type { TlsMaterial } from '../client-certificates.ts';
import { judgeNoAnswer } from '../no-answer.ts';
import { plainTlsText } from '../tls-problem.ts';
import type { RequestIdentity } from '../request-identity.ts';
import { readStatus } from './answer-message.ts';
import type { OpentelemetryExporterConfig, OtlpTarget } from './config.ts';
import type { Taken, TraceRequest, Transport } from './transport.ts';
import { judgeGrpc } from './grpc-verdict.ts';

const METHOD = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
/**
 * What of an answer is read: there is next to nothing in one. A larger one makes gRPC itself fail, with the code and words of a receiver that is given
 * too much; only the number tells them apart, and no receiver has so small a limit.
 */
const ANSWER_BYTES = 64 * 1024;
const OWN_LIMIT = new RegExp(String.raw`\b(?:vs|larger than) ${ANSWER_BYTES}\b`);
const STATUS_DETAILS = 'grpc-status-details-bin';

interface Open {
  readonly client: Client;
  readonly tls: TlsMaterial | undefined;
}

/** Calls TraceService/Export with requests that are bytes already. All lanes share one connection to an endpoint. */
export class GrpcSender implements Transport {
  readonly #config: OpentelemetryExporterConfig;
  readonly #open = new Map<number, Open>();

  constructor(config: OpentelemetryExporterConfig) {
    this.#config = config;
  }

  async send(request: TraceRequest, target: SendTarget, identity: RequestIdentity): Promise<Taken | SendOutcome> {
    let metadata: Metadata;
    let client: Client;
    try {
      metadata = metadataOf(identity);
      client = this.#client(target.endpoint, identity);
    } catch (error) {
      // A header that gRPC cannot carry, a certificate that is none.
      const text = shownText(identity.withoutSecrets(errorText(error)));
      return { kind: 'misconfigured', why: `cannot make a gRPC call: ${text}` };
    }
    if (target.signal.aborted) return judgeNoAnswer(undefined, true);
    const answer = await this.#call(client, request.bytes, metadata, target.signal);
    if (answer.kind === 'answer') return { kind: 'taken', message: answer.message, isJson: false };
    if (answer.isTimeout) {
      // The connection may be dead without having said so.
      this.#drop(target.endpoint, client);
    }
    // Another lane may have found the same first, and ended the connection.
    if (this.#open.get(target.endpoint)?.client !== client) return judgeNoAnswer(undefined, true);
    const { code, details, metadata: trailers } = answer.error;
    if (code === status.RESOURCE_EXHAUSTED && OWN_LIMIT.test(details)) {
      const why = `the answer has more than ${ANSWER_BYTES} bytes, or is none of gRPC; is this a receiver of OTLP over gRPC?`;
      return { kind: 'misconfigured', why };
    }
    const [binary] = trailers?.get(STATUS_DETAILS) ?? [];
    const retryMs = binary instanceof Buffer ? readStatus(binary).retryMs : undefined;
    return judgeGrpc(
      { code, text: shownText(identity.withoutSecrets(plainDetails(details))), retryMs },
      target.attempt,
    );
  }

  close(): void {
    for (const { client } of this.#open.values()) client.close();
    this.#open.clear();
  }

  #client(endpoint: number, { tls }: RequestIdentity): Client {
    const open = this.#open.get(endpoint);
    if (open !== undefined && open.tls === tls) return open.client;
    open?.client.close();
    const target = this.#config.targets[endpoint]!;
    const client = new Client(target.address, credentialsOf(target, tls), this.#channelOptions(target, tls));
    this.#open.set(endpoint, { client, tls });
    return client;
  }

  #drop(endpoint: number, client: Client): void {
    if (this.#open.get(endpoint)?.client !== client) return;
    this.#open.delete(endpoint);
    client.close();
  }

  #channelOptions({ tls: isTls }: OtlpTarget, tls: TlsMaterial | undefined): ChannelOptions {
    const serverName = isTls ? tls?.serverName : undefined;
    return {
      'grpc.primary_user_agent': `sluice/${VERSION}`,
      // What is sent again, and when, is decided elsewhere; so is the place to send it to.
      'grpc.enable_retries': 0,
      'grpc.service_config_disable_resolution': 1,
      'grpc.enable_http_proxy': 0,
      'grpc.use_local_subchannel_pool': 1,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 5000,
      'grpc.max_send_message_length': -1,
      'grpc.max_receive_message_length': ANSWER_BYTES,
      ...(this.#config.compression === 'gzip'
        ? { 'grpc.default_compression_algorithm': compressionAlgorithms.gzip }
        : {}),
      ...(serverName !== undefined ? { 'grpc.ssl_target_name_override': serverName } : {}),
    };
  }

  #call(client: Client, request: Buffer, metadata: Metadata, signal: AbortSignal): Promise<CallResult> {
    return new Promise((resolve) => {
      let isTimeout = false;
      let call: ClientUnaryCall | undefined;
      const onAbort = () => {
        isTimeout = true;
        call?.cancel();
      };
      signal.addEventListener('abort', onAbort, { once: true });
      const done = (error: ServiceError | null, message?: Buffer) => {
        signal.removeEventListener('abort', onAbort);
        if (error === null) resolve({ kind: 'answer', message: message ?? Buffer.alloc(0) });
        else resolve({ kind: 'failure', error, isTimeout: isTimeout || error.code === status.DEADLINE_EXCEEDED });
      };
      const deadline = Date.now() + this.#config.timeoutMs;
      call = client.makeUnaryRequest(METHOD, asIs, asIs, request, metadata, { deadline }, done);
    });
  }
}

type CallResult =
  | { readonly kind: 'answer'; readonly message: Buffer }
  | { readonly kind: 'failure'; readonly error: ServiceError; readonly isTimeout: boolean };

/** Details of a call that came to nothing, without what the library puts around the cause. */
function plainDetails(details: string): string {
  const text = plainTlsText(
    details.replace(/\.? ?Resolution note: ?$/, '').replace(/ \(\d{4}-\d\d-\d\dT[\d:.]+Z\)/, ''),
  );
  return text.endsWith('Protocol error')
    ? `${text}; does it speak gRPC? For OTLP over HTTP write otlp: {transport: http}`
    : text;
}

function asIs(message: Buffer): Buffer {
  return message;
}

function metadataOf({ headers }: RequestIdentity): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  return metadata;
}

function credentialsOf({ tls: isTls }: OtlpTarget, tls: TlsMaterial | undefined): ChannelCredentials {
  if (!isTls) return credentials.createInsecure();
  const { ca, cert, key, insecureSkipVerify } = tls ?? bug('certificates of a TLS endpoint were not read');
  return credentials.createSsl(ca ?? null, key ?? null, cert ?? null, { rejectUnauthorized: !insecureSkipVerify });
}
