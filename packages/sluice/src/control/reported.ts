import type {
  AgentReports,
  ClusterReport,
  HostReport,
  ReportChange,
  ReportedObject,
  ReportedProcess,
} from '../base/ports.ts';
import type { Log } from '../telemetry/log.ts';
import { rateLimited } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { GenesisSyncRequest, InterfaceInfo, KubernetesApiSyncRequest, ProcessInfo } from './protocol.ts';

/** Limits of what is kept, in bytes as on the wire. */
export const REPORT_LIMITS = {
  bytesPerHost: 2 * 1024 * 1024,
  bytesOfHosts: 256 * 1024 * 1024,
  clusters: 1000,
  objectsPerCluster: 200_000,
  bytesPerCluster: 64 * 1024 * 1024,
  bytesOfClusters: 256 * 1024 * 1024,
};

/** Who reports: decided when the agent registered. */
export interface Reporter {
  readonly agentId: number;
  readonly org: number;
  readonly vpcId: number;
}

export interface ReportedOptions {
  readonly decodeGenesis: (bytes: Uint8Array) => GenesisSyncRequest;
  readonly decodeKubernetes: (bytes: Uint8Array) => KubernetesApiSyncRequest;
  /** Global id of a process, 0 when it has none. */
  readonly gpidOf: (agentId: number, pid: number) => number;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly limits?: typeof REPORT_LIMITS;
  readonly now?: () => number;
}

/** Messages as they came, which bounds the memory exactly; decoded when somebody asks. */
interface KeptHost {
  readonly reporter: Reporter;
  readonly version: string;
  readonly atMs: number;
  /** The message with the interfaces, and the one with the processes; one and the same, mostly. */
  readonly platform: Uint8Array | undefined;
  readonly processes: Uint8Array | undefined;
  readonly bytes: number;
}

interface KeptCluster {
  readonly reporter: Reporter;
  readonly clusterId: string;
  readonly version: string;
  readonly atMs: number;
  readonly message: Uint8Array | undefined;
}

/**
 * What agents report of their hosts and clusters. An agent sends all of it when its content changed or when the version it is answered is not its own;
 * else a few bytes. So an unknown version must be answered with 0, also after a restart: an echo would mean that it is never sent again.
 */
export class Reported implements AgentReports {
  readonly #options: ReportedOptions;
  readonly #limits: typeof REPORT_LIMITS;
  readonly #now: () => number;
  readonly #hosts = new Map<number, KeptHost>();
  readonly #clusters = new Map<string, KeptCluster>();
  readonly #listeners = new Set<(change: ReportChange) => void>();
  readonly #mayLog = rateLimited(60_000);
  #hostBytes = 0;
  #clusterBytes = 0;

  constructor(options: ReportedOptions) {
    this.#options = options;
    this.#limits = options.limits ?? REPORT_LIMITS;
    this.#now = options.now ?? Date.now;
  }

  /** Takes a GenesisSync; the version to answer. `bytes` is kept: the caller must not write to it any more. */
  takeGenesis(reporter: Reporter, message: GenesisSyncRequest, bytes: Uint8Array): string {
    const version = message.version ?? '0';
    const kept = this.#hosts.get(reporter.agentId);
    if (message.platform_data === undefined && message.process_data === undefined) {
      return kept?.version === version ? version : '0';
    }
    const platform = message.platform_data === undefined ? kept?.platform : bytes;
    const processes = message.process_data === undefined ? kept?.processes : bytes;
    const size = (platform?.length ?? 0) + (processes === platform ? 0 : (processes?.length ?? 0));
    const others = this.#hostBytes - (kept?.bytes ?? 0);
    const fits = size <= this.#limits.bytesPerHost && others + size <= this.#limits.bytesOfHosts;
    if (!fits) this.#refuse('host', reporter.agentId, size);
    // With its version kept, an agent that reports too much does not send it again and again.
    const parts = fits ? { platform, processes, bytes: size } : { platform: undefined, processes: undefined, bytes: 0 };
    this.#hosts.set(reporter.agentId, { reporter, version, atMs: this.#now(), ...parts });
    this.#hostBytes = others + parts.bytes;
    this.#tell({ kind: 'host', agentId: reporter.agentId });
    return version;
  }

  /** Takes a KubernetesAPISync; the version to answer. */
  takeKubernetes(reporter: Reporter, message: KubernetesApiSyncRequest, bytes: Uint8Array): string {
    const version = message.version ?? '0';
    const clusterId = message.cluster_id ?? '';
    const key = `${reporter.org} ${clusterId}`;
    const kept = this.#clusters.get(key);
    if (message.entries.length === 0) return kept?.version === version ? version : '0';
    const others = this.#clusterBytes - (kept?.message?.length ?? 0);
    if (kept === undefined && this.#clusters.size >= this.#limits.clusters) {
      this.#refuse('cluster', reporter.agentId, bytes.length);
      return version;
    }
    const fits =
      message.entries.length <= this.#limits.objectsPerCluster &&
      bytes.length <= this.#limits.bytesPerCluster &&
      others + bytes.length <= this.#limits.bytesOfClusters;
    if (!fits) this.#refuse('cluster', reporter.agentId, bytes.length);
    this.#clusters.set(key, {
      reporter,
      clusterId,
      version,
      atMs: this.#now(),
      message: fits ? bytes : undefined,
    });
    this.#clusterBytes = others + (fits ? bytes.length : 0);
    this.#tell({ kind: 'cluster', org: reporter.org, clusterId });
    return version;
  }

  /** Processes of an agent have got their ids: what it reported means more now. */
  noteIds(agentId: number): void {
    if (this.#hosts.has(agentId)) this.#tell({ kind: 'host', agentId });
  }

  hosts(): readonly number[] {
    return [...this.#hosts.keys()];
  }

  host(agentId: number): HostReport | undefined {
    const kept = this.#hosts.get(agentId);
    if (kept === undefined) return undefined;
    const { decodeGenesis, gpidOf } = this.#options;
    const message = kept.platform === undefined ? undefined : decodeGenesis(kept.platform);
    const platform = message?.platform_data;
    const processes = kept.processes === undefined ? undefined : decodeGenesis(kept.processes).process_data;
    return {
      agentId,
      org: kept.reporter.org,
      vpcId: kept.reporter.vpcId,
      atMs: kept.atMs,
      hostname: platform?.raw_hostname ?? '',
      kubernetesClusterId: message?.kubernetes_cluster_id ?? '',
      interfaces: (platform?.interfaces ?? []).map(toInterface),
      namespaces: platform?.raw_ip_netns ?? [],
      addressTexts: platform?.raw_ip_addrs ?? [],
      processes: (processes?.process_entries ?? []).map((one) => toProcess(one, (pid) => gpidOf(agentId, pid))),
    };
  }

  clusters(): readonly { readonly org: number; readonly clusterId: string }[] {
    return [...this.#clusters.values()].map(({ reporter, clusterId }) => ({ org: reporter.org, clusterId }));
  }

  cluster(org: number, clusterId: string): ClusterReport | undefined {
    const kept = this.#clusters.get(`${org} ${clusterId}`);
    if (kept === undefined) return undefined;
    const entries = kept.message === undefined ? [] : this.#options.decodeKubernetes(kept.message).entries;
    const objects = entries.map((entry): ReportedObject => {
      const compressed = entry.compressed_info;
      return compressed === undefined || compressed.length === 0
        ? { type: entry.type ?? '', json: Buffer.from(entry.info ?? ''), isCompressed: false }
        : { type: entry.type ?? '', json: compressed, isCompressed: true };
    });
    return { org, clusterId, agentId: kept.reporter.agentId, atMs: kept.atMs, objects };
  }

  onChange(listener: (change: ReportChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(change: ReportChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  #refuse(kind: 'host' | 'cluster', agent: number, bytes: number): void {
    this.#options.metrics.controlReportsDropped.inc({ kind });
    this.#mayLog((suppressed) =>
      this.#options.log.warn({ agent, kind, bytes, suppressed }, 'a report is larger than its limit and is not kept'),
    );
  }
}

function toInterface(one: InterfaceInfo) {
  return {
    mac: Number(one.mac ?? 0),
    addresses: one.ip,
    name: one.name ?? '',
    deviceId: (one.device_id ?? '').replace(/^"(.*)"$/, '$1'),
    deviceName: one.device_name ?? '',
    tapIndex: one.tap_index ?? 0,
    namespace: one.netns ?? '',
    namespaceId: one.netns_id ?? 0,
  };
}

function toProcess(one: ProcessInfo, gpidOf: (pid: number) => number): ReportedProcess {
  const pid = Number(one.pid ?? 0);
  return {
    pid,
    gpid: gpidOf(pid),
    name: one.name ?? '',
    processName: one.process_name ?? '',
    commandLine: one.cmdline ?? '',
    user: one.user ?? '',
    startS: one.start_time ?? 0,
    namespaceId: one.netns_id ?? 0,
    containerId: one.container_id ?? '',
  };
}
