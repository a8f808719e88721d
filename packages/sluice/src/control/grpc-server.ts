import {
  Metadata,
  Server,
  ServerCredentials,
  status,
  type ConnectionInjector,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { errorText, isSluiceError, type ErrorCode } from '../base/errors.ts';
import { rateLimited, type Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { ConnectionEnds } from './agents.ts';
import type { Protocol, Requests, ResponseName } from './protocol.ts';
import type { PushStream } from './push-streams.ts';

/** A message as it came: decoded, and its bytes (of streams none). */
export interface Incoming<M> {
  readonly message: M;
  readonly bytes: Buffer;
}

/** What the methods do; everything they throw becomes a status, SluiceErrors with their text. */
export interface Methods {
  readonly sync: (request: Incoming<Requests['SyncRequest']>, ends: ConnectionEnds) => Promise<Buffer>;
  /** Called when a Push stream opens; the returned function when it has closed. */
  readonly push: (
    request: Incoming<Requests['SyncRequest']>,
    ends: ConnectionEnds,
    stream: PushStream,
  ) => Promise<() => void>;
  readonly query: (request: Incoming<Requests['NtpRequest']>) => object;
  readonly genesis: (request: Incoming<Requests['GenesisSyncRequest']>) => object;
  readonly kubernetes: (request: Incoming<Requests['KubernetesAPISyncRequest']>) => object;
  readonly clusterId: (request: Incoming<Requests['KubernetesClusterIDRequest']>) => object;
  readonly gpid: (request: Incoming<Requests['GPIDSyncRequest']>) => Promise<object>;
  /** A message on an open RemoteExecute stream. */
  readonly remoteExecute: (message: Requests['RemoteExecResponse']) => void;
}

export interface GrpcServerOptions {
  readonly protocol: Protocol;
  readonly methods: Methods;
  readonly endsOf: (peer: string) => ConnectionEnds;
  readonly maxMessageBytes: number;
  readonly metrics: Metrics;
  readonly log: Log;
}

export interface GrpcServer {
  readonly inject: ConnectionInjector['injectConnection'];
  readonly close: () => void;
}

const SERVICE = '/agent.Synchronizer/';
/** What agents up to 6.5 call; their messages are other ones. */
const OLD_SERVICE = '/trident.Synchronizer/';
/** Methods that agents may call and that have no use here. */
const NOT_SERVED = ['ShareGPIDLocalData', 'Upgrade', 'Plugin'];
const OLD_METHODS = [
  'Sync',
  'Push',
  'AnalyzerSync',
  'Upgrade',
  'Query',
  'GenesisSync',
  'KubernetesAPISync',
  'GetKubernetesClusterID',
  'PrometheusAPISync',
  'GPIDSync',
  'ShareGPIDLocalData',
  'Plugin',
];
/** An agent has two streams open and makes a few calls at a time. */
const MOST_STREAMS = 32;
/** Finds out about agents that are gone without a word; they hold a Push stream open. */
const PING_EVERY_MS = 60_000;
const PING_TIMEOUT_MS = 20_000;

const STATUS: Partial<Record<ErrorCode, status>> = {
  bad_request: status.INVALID_ARGUMENT,
  not_found: status.NOT_FOUND,
  too_many_requests: status.RESOURCE_EXHAUSTED,
  data_dir_unusable: status.UNAVAILABLE,
  stopping: status.UNAVAILABLE,
};

/** The gRPC server, with its methods; it listens nowhere itself, connections are given to it. */
export function createGrpcServer(options: GrpcServerOptions): GrpcServer {
  const { protocol, methods, endsOf, metrics, log } = options;
  const mayLog = rateLimited(10_000);
  const mayLogOld = rateLimited(60_000);
  const server = new Server({
    'grpc.max_receive_message_length': options.maxMessageBytes,
    'grpc.max_concurrent_streams': MOST_STREAMS,
    'grpc.keepalive_time_ms': PING_EVERY_MS,
    'grpc.keepalive_timeout_ms': PING_TIMEOUT_MS,
    'grpc.enable_channelz': 0,
  });
  const count = (method: string, outcome: string) => metrics.controlRequests.inc({ method, outcome });

  const decoder =
    <N extends keyof Requests>(method: string, name: N) =>
    (bytes: Buffer): Incoming<Requests[N]> => {
      try {
        return { message: protocol.decode(name, bytes), bytes: isStream(method) ? NO_BYTES : bytes };
      } catch (error) {
        count(method, 'malformed');
        mayLog((suppressed) =>
          log.warn({ method, error: errorText(error), suppressed }, 'a message of an agent cannot be read'),
        );
        throw error;
      }
    };

  const failure = (method: string, error: unknown): { code: status; details: string } => {
    if (isSluiceError(error)) {
      count(method, error.code);
      if (error.code !== 'stopping') {
        mayLog((suppressed) =>
          log.warn({ method, error: error.message, suppressed }, 'a request of an agent is refused'),
        );
      }
      return { code: STATUS[error.code] ?? status.INTERNAL, details: error.message };
    }
    count(method, 'failed');
    mayLog((suppressed) =>
      log.error({ err: error, method, suppressed }, 'a request of an agent failed for a reason nobody expected'),
    );
    return { code: status.INTERNAL, details: 'the hub failed; its log says why' };
  };

  const unary = <N extends keyof Requests>(
    method: string,
    names: readonly [request: N, response: ResponseName],
    answer: (request: Incoming<Requests[N]>, ends: ConnectionEnds) => Promise<object> | object,
  ) => {
    const handle = async (call: ServerUnaryCall<Incoming<Requests[N]>, Buffer>, callback: sendUnaryData<Buffer>) => {
      try {
        const reply = await answer(call.request, endsOf(call.getPeer()));
        callback(null, Buffer.isBuffer(reply) ? reply : protocol.encode(names[1], reply));
        count(method, 'answered');
      } catch (error) {
        callback(failure(method, error));
      }
    };
    server.register(
      SERVICE + method,
      (call: ServerUnaryCall<Incoming<Requests[N]>, Buffer>, callback: sendUnaryData<Buffer>) =>
        void handle(call, callback),
      asIs,
      decoder(method, names[0]),
      'unary',
    );
  };

  unary('Sync', ['SyncRequest', 'SyncResponse'], methods.sync);
  unary('Query', ['NtpRequest', 'NtpResponse'], methods.query);
  unary('GenesisSync', ['GenesisSyncRequest', 'GenesisSyncResponse'], methods.genesis);
  unary('KubernetesAPISync', ['KubernetesAPISyncRequest', 'KubernetesAPISyncResponse'], methods.kubernetes);
  unary('GetKubernetesClusterID', ['KubernetesClusterIDRequest', 'KubernetesClusterIDResponse'], methods.clusterId);
  unary('GPIDSync', ['GPIDSyncRequest', 'GPIDSyncResponse'], methods.gpid);

  type PushCall = ServerWritableStream<Incoming<Requests['SyncRequest']>, Buffer>;
  const push = async (call: PushCall) => {
    call.on('error', () => undefined);
    // An agent gives up after 30 s without headers.
    call.sendMetadata(new Metadata());
    const ends = endsOf(call.getPeer());
    let isClosed = false;
    let closed: (() => void) | undefined;
    call.once('close', () => {
      isClosed = true;
      closed?.();
    });
    call.once('cancelled', () => call.end());
    try {
      closed = await methods.push(call.request, ends, {
        ends,
        send: (bytes) => void call.write(bytes),
        waiting: () => call.writableLength,
        close: () => call.end(),
      });
      count('Push', 'answered');
      // oxlint-disable-next-line typescript/no-unnecessary-condition -- changed by the event
      if (isClosed) closed();
    } catch (error) {
      call.emit('error', failure('Push', error));
    }
  };
  server.register(
    SERVICE + 'Push',
    (call: PushCall) => void push(call),
    asIs,
    decoder('Push', 'SyncRequest'),
    'serverStream',
  );

  type ExecuteCall = ServerDuplexStream<Incoming<Requests['RemoteExecResponse']>, Buffer>;
  server.register(
    SERVICE + 'RemoteExecute',
    (call: ExecuteCall) => {
      call.on('error', () => undefined);
      call.sendMetadata(new Metadata());
      count('RemoteExecute', 'answered');
      call.on('data', ({ message }: Incoming<Requests['RemoteExecResponse']>) => methods.remoteExecute(message));
      for (const event of ['end', 'cancelled']) call.once(event, () => call.end());
    },
    asIs,
    decoder('RemoteExecute', 'RemoteExecResponse'),
    'bidi',
  );

  const refuse = (path: string, method: string, details: string, outcome: string, told: () => void) =>
    server.register(
      path,
      (_call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => {
        count(method, outcome);
        told();
        callback({ code: status.UNIMPLEMENTED, details });
      },
      asIs,
      asIs,
      'unary',
    );
  for (const method of NOT_SERVED) {
    refuse(SERVICE + method, method, `${method} is not served here`, 'unimplemented', () => undefined);
  }
  for (const method of OLD_METHODS) {
    const details = 'agents of 6.5 and before are not served here; install an agent of the 7 line';
    refuse(OLD_SERVICE + method, method, details, 'old_protocol', () =>
      mayLogOld((suppressed) => log.warn({ method, suppressed }, `an agent speaks the old protocol: ${details}`)),
    );
  }

  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  return {
    inject: (socket) => injector.injectConnection(socket),
    close: () => server.forceShutdown(),
  };
}

const NO_BYTES = Buffer.alloc(0);

/** The request of a stream lives as long as the stream: its bytes would hold on to the socket's buffer for days. */
function isStream(method: string): boolean {
  return method === 'Push' || method === 'RemoteExecute';
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}
