import { errorText, isSluiceError, type ErrorCode } from '../base/errors.ts';
import { rateLimited, type Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { ConnectionEnds } from './agents.ts';
import { CallRefused, STATUS, type CallStatus } from './grpc-call.ts';
import { DONE, type GrpcServerOptions, type ServedCall, type ServedMethod } from './grpc-server.ts';
import type { Protocol, Requests, ResponseName } from './protocol.ts';
import type { PushStream } from './push-streams.ts';

/** A message as it came: decoded, and its bytes. */
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

export interface SynchronizerOptions {
  readonly protocol: Protocol;
  readonly methods: Methods;
  readonly metrics: Metrics;
  readonly log: Log;
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
const OLD_PROTOCOL = 'agents of 6.5 and before are not served here; install an agent of the 7 line';

const CODES: Partial<Record<ErrorCode, number>> = {
  bad_request: STATUS.invalidArgument,
  not_found: STATUS.notFound,
  too_many_requests: STATUS.resourceExhausted,
  data_dir_unusable: STATUS.unavailable,
  stopping: STATUS.unavailable,
};

/** The service agent.Synchronizer: its methods by path, and what becomes of calls that fail. */
export function createSynchronizer(options: SynchronizerOptions): Pick<GrpcServerOptions, 'methodOf' | 'failed'> {
  const { protocol, methods, metrics, log } = options;
  const mayLog = rateLimited(10_000);
  const mayLogOld = rateLimited(60_000);
  const served = new Map<string, ServedMethod>();
  const count = (method: string, outcome: string) => metrics.controlRequests.inc({ method, outcome });
  const serve = (method: ServedMethod) => void served.set(SERVICE + method.name, method);

  const decode = <N extends keyof Requests>(name: N, bytes: Buffer): Requests[N] => {
    try {
      return protocol.decode(name, bytes);
    } catch (error) {
      throw new CallRefused('malformed', STATUS.invalidArgument, `cannot read the request: ${errorText(error)}`);
    }
  };

  const unary = <N extends keyof Requests>(
    name: string,
    [request, response]: readonly [request: N, response: ResponseName],
    answer: (request: Incoming<Requests[N]>, ends: ConnectionEnds) => Promise<object> | object,
  ) =>
    serve({
      name,
      takes: 'one',
      async take(bytes, call) {
        const reply = await answer({ message: decode(request, bytes), bytes }, call.ends);
        call.answer.send(Buffer.isBuffer(reply) ? reply : protocol.encode(response, reply));
        call.answer.end(DONE);
        count(name, 'answered');
      },
    });

  unary('Sync', ['SyncRequest', 'SyncResponse'], methods.sync);
  unary('Query', ['NtpRequest', 'NtpResponse'], methods.query);
  unary('GenesisSync', ['GenesisSyncRequest', 'GenesisSyncResponse'], methods.genesis);
  unary('KubernetesAPISync', ['KubernetesAPISyncRequest', 'KubernetesAPISyncResponse'], methods.kubernetes);
  unary('GetKubernetesClusterID', ['KubernetesClusterIDRequest', 'KubernetesClusterIDResponse'], methods.clusterId);
  unary('GPIDSync', ['GPIDSyncRequest', 'GPIDSyncResponse'], methods.gpid);

  serve({
    name: 'Push',
    takes: 'one',
    async take(bytes, { answer, ends }) {
      const message = decode('SyncRequest', bytes);
      // An agent gives up after 30 s without headers.
      answer.begin();
      const closed = await methods.push({ message, bytes }, ends, pushStream({ answer, ends }));
      count('Push', 'answered');
      answer.whenClosed(closed);
    },
  });

  serve({
    name: 'RemoteExecute',
    takes: 'many',
    open({ answer }) {
      answer.begin();
      count('RemoteExecute', 'answered');
    },
    take: (bytes) => methods.remoteExecute(decode('RemoteExecResponse', bytes)),
  });

  const refuse = (path: string, name: string, refused: () => CallRefused) =>
    served.set(path, {
      name,
      takes: 'one',
      open: () => {
        throw refused();
      },
      take: () => undefined,
    });
  for (const name of NOT_SERVED) {
    const details = `${name} is not served here`;
    refuse(SERVICE + name, name, () => new CallRefused('unimplemented', STATUS.unimplemented, details));
  }
  for (const name of OLD_METHODS) {
    refuse(OLD_SERVICE + name, name, () => new CallRefused('old_protocol', STATUS.unimplemented, OLD_PROTOCOL));
  }

  return {
    methodOf: (path) => served.get(path),
    failed(method, error): CallStatus {
      // Any text may be called: one name for all methods that there are not.
      const name = method?.name ?? 'unknown';
      if (error instanceof CallRefused) {
        count(name, error.outcome);
        if (error.outcome === 'old_protocol') {
          mayLogOld((suppressed) =>
            log.warn({ method: name, suppressed }, `an agent speaks the old protocol: ${OLD_PROTOCOL}`),
          );
        } else if (error.outcome !== 'unimplemented') {
          mayLog((suppressed) => log.warn({ method: name, error: error.message, suppressed }, REFUSED));
        }
        return { code: error.code, details: error.message };
      }
      if (isSluiceError(error)) {
        count(name, error.code);
        if (error.code !== 'stopping') {
          mayLog((suppressed) => log.warn({ method: name, error: error.message, suppressed }, REFUSED));
        }
        return { code: CODES[error.code] ?? STATUS.internal, details: error.message };
      }
      count(name, 'failed');
      mayLog((suppressed) =>
        log.error(
          { err: error, method: name, suppressed },
          'a request of an agent failed for a reason nobody expected',
        ),
      );
      return { code: STATUS.internal, details: 'the hub failed; its log says why' };
    },
  };
}

const REFUSED = 'a request of an agent is refused';

function pushStream({ answer, ends }: ServedCall): PushStream {
  return {
    ends,
    send: (bytes) => answer.send(bytes),
    waiting: () => answer.waiting,
    close: () => answer.end(DONE),
  };
}
