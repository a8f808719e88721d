import { errorText } from '../../base/errors.ts';
import type { AgentReports, ClusterReport, KnownAgentFacts, KnownAgents, ReportChange } from '../../base/ports.ts';
import { rateLimited, type Log } from '../../telemetry/log.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { Periodic } from '../../telemetry/periodic.ts';
import type { MachineRef, Resource, ResourceRef } from '../description.ts';
import { JoinedResources } from '../joined-resources.ts';
import { isSame } from '../merge.ts';
import { Slices } from '../slices.ts';
import type { Description, Source, SourceChange, SourceState } from '../source.ts';
import { describeMachine, machineIn, type MachineAs } from './machine.ts';
import { ReportedCluster, type SkipReason } from './reported-cluster.ts';

export interface AgentSourceOptions {
  readonly org: number;
  readonly reports: AgentReports;
  readonly agents: KnownAgents;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly now?: () => number;
}

const LOOK_MS = 5000;
/** What an agent reported is forgotten when nothing was heard from it for so long. */
const FORGET_MS = 24 * 3_600_000;
/** Agents ask every minute at least. */
const SILENT_MS = 180_000;
const AGENTS_PART = 'agents';

export function createAgentSource(options: AgentSourceOptions): AgentSource {
  return new AgentSource(options);
}

/**
 * Resources that agents of one organisation report: themselves, their machines with interfaces and processes, and the objects of their clusters. A report is
 * looked into when it is new, one after the other, and in slices.
 */
export class AgentSource implements Source {
  readonly kind = 'agents';
  readonly name = 'agents';
  readonly org: number;
  readonly #options: AgentSourceOptions;
  readonly #now: () => number;
  readonly #listeners = new Set<(change: SourceChange) => void>();
  readonly #resources = new JoinedResources();
  readonly #clusters = new Map<string, ReportedCluster>();
  /** Agent that reported a cluster last. */
  readonly #watchers = new Map<string, number>();
  readonly #hosts = new Map<number, readonly Resource[]>();
  readonly #due = new Set<string>();
  /** Cluster of the report that is being read. */
  #taking: string | undefined;
  readonly #mayLog = rateLimited(60_000);
  #agents = new Map<number, KnownAgentFacts>();
  /** Agents that nothing was heard from for long. */
  readonly #gone = new Set<number>();
  #described: readonly Resource[] = [];
  #stopListening: (() => void) | undefined;
  readonly #looking: Periodic;
  #running: Promise<void> | undefined;
  #isKnown = false;
  #isStopped = false;
  #reportedMs = 0;

  constructor(options: AgentSourceOptions) {
    this.#options = options;
    this.org = options.org;
    this.#now = options.now ?? Date.now;
    this.#looking = new Periodic({
      work: () => this.look(),
      pauseMs: LOOK_MS,
      log: options.log,
      failure: 'cannot look which agents there are; tried again',
      fields: { org: options.org },
    });
  }

  /** Reads what there is, and everything new from then on. */
  start(): void {
    const { reports } = this.#options;
    this.#stopListening = reports.onChange((change) => this.#note(change));
    for (const agentId of reports.hosts()) this.#note({ kind: 'host', agentId });
    for (const { org, clusterId } of reports.clusters()) this.#note({ kind: 'cluster', org, clusterId });
    this.#looking.start('at once');
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#stopListening?.();
    this.#due.clear();
    await this.#looking.stop();
    await this.#running;
  }

  /** Resolves when everything reported until now has been taken in. */
  async settle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  current(): Description | undefined {
    return this.#isKnown ? { resources: this.#resources.resources() } : undefined;
  }

  onChange(listener: (change: SourceChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  state(): SourceState {
    let lastMs = this.#reportedMs;
    for (const { seenMs } of this.#agents.values()) lastMs = Math.max(lastMs, seenMs);
    // Where there are no agents, there is nothing to wait for.
    if (this.#agents.size === 0 && lastMs === 0) return { kind: 'up' };
    if (!this.#isKnown || lastMs === 0) return { kind: 'starting' };
    if (this.#now() - lastMs <= SILENT_MS) return { kind: 'up', lastSuccessMs: lastMs };
    const lastError = `nothing was heard from any agent since ${new Date(lastMs).toISOString()}`;
    return { kind: 'failing', lastSuccessMs: lastMs, lastError, lastErrorMs: lastMs + SILENT_MS };
  }

  /** Looks which agents there are, and which of them are gone. */
  look(): void {
    const known = this.#options.agents.list().filter(({ org }) => org === this.org);
    const before = this.#agents;
    this.#agents = new Map(known.map((one) => [one.agentId, one]));
    for (const one of known) {
      const { agentId } = one;
      const old = before.get(agentId);
      const wasGone = this.#gone.has(agentId);
      const isGone = this.#isGone(one);
      if (isGone) this.#gone.add(agentId);
      else this.#gone.delete(agentId);
      if (old?.kubernetesClusterId !== one.kubernetesClusterId || wasGone !== isGone) this.#enqueue(`host ${agentId}`);
      if (wasGone && !isGone) this.#enqueueClustersOf(agentId);
    }
    const described = known.map((one) => agentResource(one, machineIn(this.#hosts.get(one.agentId) ?? [])));
    if (!isSame(described, this.#described)) {
      const kept = new Set(described.map(({ key }) => key));
      for (const old of this.#described) if (!kept.has(old.key)) this.#resources.remove(AGENTS_PART, old);
      for (const one of described) this.#resources.put(AGENTS_PART, one);
      this.#described = described;
    }
    this.#lookAtClusters();
    this.#tell();
  }

  #enqueueClustersOf(agentId: number): void {
    for (const { org, clusterId } of this.#options.reports.clusters()) {
      if (org === this.org && this.#watchers.get(clusterId) === agentId) this.#enqueue(`cluster ${clusterId}`);
    }
  }

  #lookAtClusters(): void {
    for (const [clusterId, cluster] of this.#clusters) {
      // Half of it would be told.
      if (clusterId === this.#taking) continue;
      cluster.objects.describe(this.#aboutCluster(clusterId));
      this.#takeFrom(`cluster ${clusterId}`, cluster.objects.take());
      if (!this.#gone.has(this.#watchers.get(clusterId) ?? 0)) continue;
      for (const { kind, key } of cluster.objects.resources())
        this.#resources.remove(`cluster ${clusterId}`, { kind, key });
      this.#clusters.delete(clusterId);
    }
  }

  #aboutCluster(clusterId: string): { readonly name: string; readonly vpc: string | undefined } {
    const members = [...this.#agents.values()].filter((one) => one.kubernetesClusterId === clusterId);
    const watcher = this.#agents.get(this.#watchers.get(clusterId) ?? 0) ?? members[0];
    const name = members.find((one) => one.kubernetesClusterName !== '')?.kubernetesClusterName ?? clusterId;
    const vpcId = watcher?.vpcId ?? 0;
    return { name, vpc: vpcId > 0 ? String(vpcId) : undefined };
  }

  #isGone({ seenMs }: KnownAgentFacts): boolean {
    return this.#now() - seenMs > FORGET_MS;
  }

  #note(change: ReportChange): void {
    if (change.kind === 'host') this.#enqueue(`host ${change.agentId}`);
    else if (change.org === this.org) this.#enqueue(`cluster ${change.clusterId}`);
  }

  #enqueue(what: string): void {
    if (this.#isStopped) return;
    this.#due.add(what);
    this.#run();
  }

  #run(): void {
    this.#running ??= this.#work()
      .catch((error: unknown) =>
        this.#mayLog((suppressed) =>
          this.#options.log.error(
            { org: this.org, cause: errorText(error), suppressed },
            'cannot tell what agents reported; tried again with the next look',
          ),
        ),
      )
      .finally(() => {
        this.#running = undefined;
        if (this.#due.size > 0 && !this.#isStopped) this.#run();
      });
  }

  async #work(): Promise<void> {
    const slices = new Slices();
    await slices.pause();
    for (const what of this.#due) {
      this.#due.delete(what);
      const name = what.slice(what.indexOf(' ') + 1);
      try {
        if (what.startsWith('host ')) this.#takeHost(Number(name));
        else await this.#takeCluster(name, slices);
      } catch (error) {
        this.#count('malformed');
        this.#mayLog((suppressed) =>
          this.#options.log.warn(
            { report: what, error: errorText(error), suppressed },
            'cannot read a report; the last one stays',
          ),
        );
      }
      if (this.#isStopped) return;
      if (slices.isDue) {
        this.#tell();
        await slices.pause();
      }
    }
    this.#tell();
  }

  #takeHost(agentId: number): void {
    const part = `host ${agentId}`;
    const report = this.#options.reports.host(agentId);
    const agent = this.#agents.get(agentId);
    const isOurs = report !== undefined && report.org === this.org && !this.#gone.has(agentId);
    // One that was too large to be kept says nothing.
    if (isOurs && report.hostname === '' && report.processes.length === 0) return;
    const old = this.#hosts.get(agentId) ?? [];
    let resources: readonly Resource[] = [];
    if (isOurs) {
      const described = describeMachine(report, this.#machineOf(report, agent));
      resources = described.resources;
      if (described.leftOut > 0) this.#count('limit', described.leftOut);
      this.#reportedMs = Math.max(this.#reportedMs, report.atMs);
    }
    const kept = new Set(resources.map(({ kind, key }) => `${kind} ${key}`));
    for (const one of old) if (!kept.has(`${one.kind} ${one.key}`)) this.#resources.remove(part, one);
    for (const one of resources) this.#resources.put(part, one);
    if (resources.length === 0) this.#hosts.delete(agentId);
    else this.#hosts.set(agentId, resources);
  }

  #machineOf(
    report: { readonly hostname: string; readonly kubernetesClusterId: string },
    agent: KnownAgentFacts | undefined,
  ): MachineAs {
    const cluster = report.kubernetesClusterId || (agent?.kubernetesClusterId ?? '');
    if (cluster === '') return { kind: 'chost' };
    const { objects } = this.#clusters.get(cluster) ?? {};
    // A node's name need not be its machine's.
    const isNode = objects?.find('pod_node', `${cluster}/${report.hostname}`) !== undefined;
    const node = isNode ? report.hostname : (objects?.nodeWith(agent?.address ?? '') ?? report.hostname);
    return { kind: 'pod_node', cluster, node };
  }

  async #takeCluster(clusterId: string, slices: Slices): Promise<void> {
    const report = this.#options.reports.cluster(this.org, clusterId);
    // One that was too large to be kept says nothing.
    if (report === undefined || report.objects.length === 0) return;
    this.#watchers.set(clusterId, report.agentId);
    if (this.#gone.has(report.agentId)) return;
    let cluster = this.#clusters.get(clusterId);
    const isNew = cluster === undefined;
    if (cluster === undefined) {
      const options = { clusterId, ...this.#aboutCluster(clusterId) };
      this.#clusters.set(clusterId, (cluster = new ReportedCluster(options, (reason) => this.#count(reason))));
    }
    this.#taking = clusterId;
    try {
      const leftOut = await cluster.take(report, slices);
      if (leftOut > 0) this.#logLeftOut(report, leftOut);
    } finally {
      this.#taking = undefined;
    }
    this.#takeFrom(`cluster ${clusterId}`, cluster.objects.take());
    this.#reportedMs = Math.max(this.#reportedMs, report.atMs);
    // What its nodes are called is known only now.
    if (!isNew) return;
    for (const { agentId, kubernetesClusterId } of this.#agents.values()) {
      if (kubernetesClusterId === clusterId) this.#due.add(`host ${agentId}`);
    }
  }

  #logLeftOut({ agentId, clusterId }: ClusterReport, objects: number): void {
    this.#mayLog((suppressed) =>
      this.#options.log.warn(
        { agent: agentId, cluster: clusterId, objects, suppressed },
        'objects of a report are left out: it takes too much once it is uncompressed; what was known of them stays',
      ),
    );
  }

  #takeFrom(
    part: string,
    { changed, gone }: { readonly changed: readonly Resource[]; readonly gone: readonly ResourceRef[] },
  ): void {
    for (const one of gone) this.#resources.remove(part, one);
    for (const one of changed) this.#resources.put(part, one);
  }

  #tell(): void {
    const { changed, gone } = this.#resources.take();
    if (changed.length === 0 && gone.length === 0) return;
    const change: SourceChange = this.#isKnown ? { kind: 'some', changed, gone } : { kind: 'all' };
    this.#isKnown = true;
    for (const listener of this.#listeners) listener(change);
  }

  #count(reason: SkipReason, number = 1): void {
    this.#options.metrics.tagObjectsSkipped.inc({ org: this.org, source: this.name, reason }, number);
  }
}

function agentResource(facts: KnownAgentFacts, machine: MachineRef | undefined): Resource {
  const { agentId, name, vpcId, address, kubernetesClusterId: cluster } = facts;
  return {
    kind: 'agent',
    key: String(agentId),
    id: agentId,
    name,
    ...(vpcId > 0 ? { vpc: String(vpcId) } : {}),
    ...(address === '' ? {} : { address }),
    ...(machine === undefined ? {} : { machine }),
    ...(cluster === '' ? {} : { cluster }),
  };
}
