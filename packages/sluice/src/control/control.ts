import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { bug, errorText } from '../base/errors.ts';
import type { AgentReports, AgentTraffic, HttpRoute, KnownAgents, ResolveAgent } from '../base/ports.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { AgentIds } from './agent-ids.ts';
import { createAgentsApi, countAgents } from './agents-api.ts';
import { Agents } from './agents.ts';
import { ClusterWatchers } from './cluster-watchers.ts';
import type { AgentGroup, AgentsOptions } from './config.ts';
import { createFindGroup } from './groups.ts';
import type { GrpcServer } from './grpc-server.ts';
import { ControlListener, type ControlListenerOptions } from './listener.ts';
import { knownAgents } from './known-agents.ts';
import { ProcessIds } from './process-ids.ts';
import type { Protocol } from './protocol.ts';
import { PushStreams } from './push-streams.ts';
import { Reported } from './reported.ts';
import type { AnswerSync } from './sync-answer.ts';
import { Traffic } from './traffic.ts';

export interface ControlOptions {
  readonly dataDir: string;
  readonly agents: AgentsOptions;
  /** Accepted organisations; agents of groups without one belong to the first. */
  readonly organisations: readonly number[];
  readonly metrics: Metrics;
  readonly log: Log;
  readonly now?: () => number;
}

export interface ListenControlOptions {
  readonly addresses: ControlListenerOptions['addresses'];
  readonly tls: ControlListenerOptions['tls'];
  readonly allows: ControlListenerOptions['allows'];
  /** Port on which agents' data is taken; undefined: none is, and agents are told to send nothing. */
  readonly dataPort: number | undefined;
}

/** The control plane of agents. */
export interface Control {
  readonly resolve: ResolveAgent;
  readonly traffic: AgentTraffic;
  readonly reports: AgentReports;
  readonly knownAgents: KnownAgents;
  readonly routes: readonly HttpRoute[];
  /** Begins to serve agents; the addresses it listens on. Throws SluiceError `listen_failed`. */
  listen(options: ListenControlOptions): Promise<ControlListener['addresses']>;
  /** Sorts the agents into other groups, and pushes what changed for them. */
  setGroups(groups: readonly AgentGroup[]): void;
  /** Ends all connections and saves. */
  stop(): Promise<void>;
}

const RATE_EVERY_MS = 10_000;
const SAVE_PROCESSES_EVERY = 3;
const SAVE_AGENTS_EVERY = 60;

/** Reads the ids given out so far. Throws SluiceError `format_too_new` and `data_dir_unusable`. */
export async function openControl(options: ControlOptions): Promise<Control> {
  const { dataDir, metrics, log, now = Date.now } = options;
  const ids = await AgentIds.open(dataDir, log);
  const processes = await ProcessIds.open(dataDir, log);
  const agents = new Agents({
    ids,
    findGroup: createFindGroup(options.agents.groups),
    defaultOrg: options.organisations[0] ?? bug('no organisation'),
    log,
    now,
  });
  const watchers = new ClusterWatchers({ ids, seenMs: (id) => agents.get(id)?.seenMs, now });
  const pushes = new PushStreams();
  const traffic = new Traffic(now);
  let protocol: Protocol | undefined;
  const loaded = (): Protocol => protocol ?? bug('a report before the protocol was loaded');
  const reported = new Reported({
    decodeGenesis: (bytes) => loaded().decode('GenesisSyncRequest', bytes),
    decodeKubernetes: (bytes) => loaded().decode('KubernetesAPISyncRequest', bytes),
    gpidOf: (agentId, pid) => processes.peek(agentId, pid),
    metrics,
    log,
    now,
  });
  const listed = { ids, agents, pushes, traffic, now };

  const save = (what: Promise<void>) =>
    what.catch((error: unknown) =>
      log.error({ error: errorText(error) }, 'the ids of agents or processes are not saved'),
    );
  let ticks = 0;
  const tick = () => {
    traffic.tick();
    const { online, offline } = countAgents(listed);
    metrics.agents.set({ state: 'online' }, online);
    metrics.agents.set({ state: 'offline' }, offline);
    ticks++;
    if (ticks % SAVE_PROCESSES_EVERY === 0) void save(processes.save(Math.floor(now() / 1000)));
    if (ticks % SAVE_AGENTS_EVERY === 0) void save(ids.save());
  };
  const timer = setInterval(tick, RATE_EVERY_MS).unref();
  tick();

  let answer: AnswerSync | undefined;
  let listener: ControlListener | undefined;
  let server: GrpcServer | undefined;

  return {
    resolve: (agentId) => ids.byId(agentId)?.tenant,
    traffic,
    reports: reported,
    knownAgents: knownAgents(agents),
    routes: createAgentsApi(listed),

    async listen({ addresses, tls, allows, dataPort }) {
      // gRPC is loaded only by hubs that have agents.
      const [{ createGrpcServer }, { createSynchronizer }, { createMethods }, { createSyncAnswers }, { loadProtocol }] =
        await Promise.all([
          import('./grpc-server.ts'),
          import('./synchronizer.ts'),
          import('./methods.ts'),
          import('./sync-answer.ts'),
          import('./protocol.ts'),
        ]);
      const known = (protocol = loadProtocol());
      const advertised = await advertisedAddress(options.agents.advertise, log);
      // What connects before everything is known (of several addresses the first one is open earlier) waits.
      const ready = Promise.withResolvers<void>();
      const methods = createMethods({
        agents,
        answer: (agent, ends) => (answer ?? bug('an agent was served before the port was known'))(agent, ends),
        pushes,
        reported,
        processes,
        metrics,
        log,
        now,
      });
      const grpc = (server = createGrpcServer({
        ...createSynchronizer({ protocol: known, methods, metrics, log }),
        maxMessageBytes: options.agents.maxMessageBytes,
      }));
      listener = await ControlListener.open({
        addresses,
        tls,
        allows,
        maxConnections: options.agents.maxConnections,
        inject: (socket, ends) => void ready.promise.then(() => grpc.inject(socket, ends)),
        metrics,
        log,
      });
      const bound = listener.addresses;
      answer = createSyncAnswers({
        protocol: known,
        ports: { data: dataPort, control: bound[0]?.port ?? bug('a listener without an address') },
        advertised,
        watchers,
        tenantOf: (group) => agents.tenantOf(group),
      });
      ready.resolve();
      if (dataPort === undefined) {
        log.warn('agents are told to send no data: listen.agent is off');
      }
      return bound;
    },

    setGroups(groups) {
      agents.setGroups(createFindGroup(groups));
      if (answer === undefined) return;
      pushes.pushChanges(
        (id) => agents.get(id),
        answer,
        (agent, { checksum, address }) => {
          agent.told = { checksum, address };
          metrics.controlPushes.inc();
        },
      );
    },

    async stop() {
      clearInterval(timer);
      listener?.refuse();
      pushes.closeAll();
      server?.close();
      await listener?.close();
      await save(processes.save(Math.floor(now() / 1000)));
      await save(ids.save());
    },
  };
}

/** The address of `agents.advertise`: agents want one, so that a name is looked up, once. */
async function advertisedAddress(host: string | undefined, log: Log): Promise<string | undefined> {
  if (host === undefined || isIP(host) !== 0) return host;
  try {
    const { address } = await lookup(host, { order: 'ipv4first' });
    log.info({ host, address }, 'agents are told this address');
    return address;
  } catch (error) {
    log.error(
      { host, error: errorText(error) },
      'agents.advertise has no address; agents are told the one on which they reach the hub',
    );
    return undefined;
  }
}
