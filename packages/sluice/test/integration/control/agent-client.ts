/** A stock agent's side of the control plane: recorded messages over a real gRPC client. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  Client,
  credentials,
  type ChannelCredentials,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ServiceError,
} from '@grpc/grpc-js';
import { loadSync, type MessageTypeDefinition } from '@grpc/proto-loader';

const fixtures = new URL('../../fixtures/agent-control/', import.meta.url);
const definition = loadSync(fileURLToPath(new URL('../../../src/control/synchronizer.proto', import.meta.url)), {
  keepCase: true,
  longs: String,
  arrays: true,
});

/** Bytes of a recorded message. */
export function recorded(name: string): Buffer {
  return readFileSync(new URL(`${name}.bin`, fixtures));
}

export function messageType(name: string): MessageTypeDefinition<object, object> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the definition is ours
  return definition[`agent.${name}`] as MessageTypeDefinition<object, object>;
}

export interface SyncAnswer {
  readonly status: number;
  readonly user_config: string;
  readonly version_platform_data: string;
  readonly dynamic_config: {
    readonly kubernetes_api_enabled: boolean;
    readonly enabled: boolean;
    readonly vpc_id: number;
    readonly agent_id: number;
    readonly team_id: number;
    readonly organize_id: number;
    readonly agent_type: number;
  };
}

const SERVICE = '/agent.Synchronizer/';
const asIs = (bytes: Buffer): Buffer => bytes;

/** The status of a call that failed. */
export class CallFailed extends Error {
  readonly code: number;

  constructor(error: ServiceError) {
    super(error.details);
    this.code = error.code;
  }
}

export class AgentClient {
  readonly client: Client;

  constructor(address: string, secure: ChannelCredentials = credentials.createInsecure()) {
    this.client = new Client(address, secure, {
      // Each client its own connection, as agents have.
      'grpc.use_local_subchannel_pool': 1,
      'grpc.max_send_message_length': -1,
    });
  }

  close(): void {
    this.client.close();
  }

  /** A unary call with bytes of a request; gives the bytes of the answer. Throws CallFailed. */
  callBytes(method: string, request: Buffer, service = SERVICE): Promise<Buffer> {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const options = { deadline: Date.now() + 10_000 };
    this.client.makeUnaryRequest(`${service}${method}`, asIs, asIs, request, options, (error, value) => {
      if (error !== null) reject(new CallFailed(error));
      else resolve(value ?? Buffer.alloc(0));
    });
    return promise;
  }

  async sync(request: Buffer = recorded('04-Sync-request-steady')): Promise<SyncAnswer> {
    return decode<SyncAnswer>('SyncResponse', await this.callBytes('Sync', request));
  }

  async call<T>(method: string, names: readonly [request: string, response: string], request: object): Promise<T> {
    const bytes = messageType(names[0]).serialize(request);
    return decode<T>(names[1], await this.callBytes(method, bytes));
  }

  /** Opens Push; resolves when the headers have come. */
  async push(request: Buffer = recorded('06-Push-request')): Promise<PushedAnswers> {
    const stream = this.client.makeServerStreamRequest(`${SERVICE}Push`, asIs, asIs, request);
    const pushed = new PushedAnswers(stream);
    await pushed.headers;
    return pushed;
  }

  remoteExecute(): ClientDuplexStream<Buffer, Buffer> {
    return this.client.makeBidiStreamRequest(`${SERVICE}RemoteExecute`, asIs, asIs);
  }
}

/** What came on a Push stream so far. */
export class PushedAnswers {
  readonly answers: SyncAnswer[] = [];
  readonly headers: Promise<void>;
  ended = false;
  readonly #stream: ClientReadableStream<Buffer>;

  constructor(stream: ClientReadableStream<Buffer>) {
    this.#stream = stream;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.headers = promise;
    stream.once('metadata', () => resolve());
    stream.on('data', (bytes: Buffer) => this.answers.push(decode<SyncAnswer>('SyncResponse', bytes)));
    stream.once('error', (error) => {
      this.ended = true;
      reject(error);
    });
    stream.once('end', () => (this.ended = true));
  }

  cancel(): void {
    this.#stream.cancel();
  }
}

/** A recorded or made-up message with other field values. */
export function changed(name: string, message: string, changes: object): Buffer {
  const type = messageType(message);
  return type.serialize({ ...type.deserialize(recorded(name)), ...changes });
}

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller names the type of the message
function decode<T>(name: string, bytes: Buffer): T {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the caller names the message
  return messageType(name).deserialize(bytes) as T;
}
