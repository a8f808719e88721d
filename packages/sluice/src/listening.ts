/** Where the hub listens: HTTP, agents' data and agents' control plane, each behind what guards it. */
import { guardListener, type ListenerGuard } from './access/guard-listener.ts';
import { formatHostPort, type HostPort } from './base/config-schema.ts';
import type { HttpRoute, Readiness } from './base/ports.ts';
import type { SluiceConfig } from './config/schema.ts';
import type { Control } from './control/control.ts';
import { toHttpLimits } from './http/config.ts';
import { guardListeners, type GuardedListeners } from './http/guarded-listeners.ts';
import { startHttp, type HttpServer } from './http/server.ts';
import type { Inputs } from './inputs.ts';
import { toAgentLimits } from './receivers/agent/config.ts';
import { listenForAgents } from './receivers/agent/listen.ts';
import type { RowGather } from './receivers/row-gather.ts';
import type { StopOrder } from './stop-order.ts';
import type { Log } from './telemetry/log.ts';
import type { Metrics } from './telemetry/metrics.ts';

interface ListeningOptions {
  readonly config: SluiceConfig;
  readonly stops: StopOrder;
  readonly metrics: Metrics;
  readonly log: Log;
}

export interface HttpListening extends ListeningOptions {
  readonly routes: readonly HttpRoute[];
  readonly readiness: () => Readiness[];
}

/** Opens the HTTP listeners. Throws SluiceError (`listen_failed`, `config_invalid` for certificates and password files). */
export async function listenForHttp(
  options: HttpListening,
): Promise<{ readonly http: HttpServer; readonly guarded: GuardedListeners }> {
  const { config, stops, routes, readiness, metrics, log } = options;
  const { http: main, integration } = config.listen;
  const { auth, tls, organisations } = config;
  const guarded = await guardListeners({ listen: { http: main, integration }, auth, tls, log });
  stops.add(() => guarded.close());
  const { listeners } = guarded;
  const limits = toHttpLimits(config.limits);
  const http = await startHttp({ listeners, routes, limits, readiness, organisations, metrics, log });
  stops.add(() => http.stop(stops.remainingMs));
  return { http, guarded };
}

export interface AgentListening extends ListeningOptions {
  readonly inputs: Inputs;
  readonly rows: RowGather;
  readonly control: Control;
}

export interface AgentListeners {
  readonly data: readonly HostPort[];
  readonly control: readonly HostPort[];
  /** Undefined when the control plane is off. */
  readonly controlGuard: ListenerGuard | undefined;
}

/** Opens the listeners of agents, for data first. Throws SluiceError as `listenForHttp` does. */
export async function listenForAgentsAndControl(options: AgentListening): Promise<AgentListeners> {
  const { config, stops, inputs, rows, control, metrics, log } = options;
  const { agent: data, control: plane } = config.listen;
  const dataGuard = data === null ? undefined : await guardListener(data, log);
  const agents = await listenForAgents({
    addresses: data?.addresses ?? [],
    isAllowed: dataGuard?.allows ?? (() => true),
    decoders: inputs.decoders,
    rows,
    organisations: config.organisations,
    resolve: control.resolve,
    traffic: control.traffic,
    limits: toAgentLimits(config.limits),
    metrics,
    log,
  });
  stops.add(() => {
    inputs.end();
    return agents.stop(stops.remainingMs);
  });
  if (plane === null) return { data: agents.addresses, control: [], controlGuard: undefined };
  const controlGuard = await guardListener(plane, log);
  const { tls, allows } = controlGuard;
  const dataPort = agents.addresses[0]?.port;
  const addresses = await control.listen({ addresses: plane.addresses, tls, allows, dataPort });
  return { data: agents.addresses, control: addresses, controlGuard };
}

/** One line with every address. */
export function announce(http: HttpServer, { data, control }: AgentListeners, log: Log): void {
  const addresses: Record<string, string[]> = { http: [], integration: [] };
  for (const { listener, url } of http.addresses) (addresses[listener] ??= []).push(url);
  log.info({ ...addresses, agent: data.map(formatHostPort), control: control.map(formatHostPort) }, 'listening');
}
