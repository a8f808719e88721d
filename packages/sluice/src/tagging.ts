/** Everything about tags: the sources of the inventory, what follows from it for series, and how it is shown. */
import type { Append, SeriesTagger } from './base/ports.ts';
import type { Batch } from './batch/batch.ts';
import type { SluiceConfig } from './config/schema.ts';
import type { Control } from './control/control.ts';
import { SeriesTagLabels } from './query/series-tags.ts';
import { createSharedIdTables } from './query/shared-id-tables.ts';
import { TagChanges } from './receivers/prometheus/tag-changes.ts';
import type { SeriesStore } from './series/open-series.ts';
import type { Store } from './storage/store.ts';
import { createAgentSource } from './tags/agents/agent-source.ts';
import { createCustomTags } from './tags/custom-tags.ts';
import { DictionaryWriter } from './tags/dictionary-writer.ts';
import { createKubernetesSource } from './tags/kubernetes/kubernetes-source.ts';
import type { Tags } from './tags/open-tags.ts';
import type { OrgInventory } from './tags/org-inventory.ts';
import { createPrometheusTargets } from './tags/prometheus-targets/open-targets.ts';
import { prometheusServers } from './tags/prometheus-targets/servers.ts';
import { SeriesSubjects } from './tags/series-subjects.ts';
import { SharedIds } from './tags/sharing/shared-ids.ts';
import type { Log } from './telemetry/log.ts';
import type { Metrics } from './telemetry/metrics.ts';

export interface TaggingOptions {
  readonly tags: Tags;
  readonly config: Pick<SluiceConfig, 'tags' | 'agents' | 'organisations'>;
  readonly control: Pick<Control, 'reports' | 'knownAgents'>;
  readonly series: ReadonlyMap<number, SeriesStore>;
  readonly append: Append<Batch>;
  readonly store: Store;
  /** This hub, among those on one ClickHouse: what is never another's, and what people call it. */
  readonly hub: { readonly id: string; readonly name: string };
  readonly metrics: Metrics;
  readonly log: Log;
}

type NamesServers = Pick<SluiceConfig, 'tags' | 'agents'>;

export interface Tagging {
  /** Tags series of an organisation. */
  readonly seriesTagger: (org: number) => SeriesTagger | undefined;
  /** Tags as labels of answers; undefined when they are not to be shown. */
  readonly labels: SeriesTagLabels | undefined;
  /** Starts what is not needed for the first answers: loading the client of Kubernetes holds everything up for a second. */
  startWatches(): void;
  /** Asks the Prometheus servers that are named now; of those that are named no more nothing stays. */
  exchangeServers(config: NamesServers): void;
  /** Ends the sources and what writes into the journal. */
  stop(): Promise<void>;
}

/** Starts the sources that are configured (files are started with the inventory), and what keeps series and dictionaries up with it. */
export function startTagging(options: TaggingOptions): Tagging {
  const { tags, config, control, series, append, store, metrics, log } = options;
  const { organisations } = config;
  const stops: (() => Promise<void> | void)[] = [];
  const late: (() => void)[] = [];

  for (const org of organisations) {
    const agents = createAgentSource({ org, reports: control.reports, agents: control.knownAgents, metrics, log });
    tags.add(agents);
    agents.start();
    stops.push(() => agents.stop());
  }
  for (const cluster of config.tags.kubernetes) {
    const source = createKubernetesSource({ cluster, org: cluster.org ?? organisations[0] ?? 1, metrics, log });
    tags.add(source);
    late.push(() => source.start());
    stops.push(() => source.stop());
  }
  const serversOf = (named: NamesServers) => {
    const addresses = named.tags.prometheusAddresses;
    return prometheusServers({ addresses, groups: named.agents.groups, organisations });
  };
  const subjectsOf = new Map<number, SeriesSubjects>();
  const onChange = (org: number) => void subjectsOf.get(org)?.look();
  const targets = createPrometheusTargets({ servers: serversOf(config), append, onChange, log });
  for (const source of targets.sources) tags.add(source);
  tags.useTargets(targets.table);
  targets.start();
  stops.push(() => targets.stop());

  for (const org of organisations) {
    const inventory = tags.find(org);
    const dictionary = series.get(org);
    if (inventory === undefined || dictionary === undefined) continue;
    const subjects = new SeriesSubjects({ org: inventory, targets: () => targets.table(org), log });
    subjectsOf.set(org, subjects);
    const changes = new TagChanges({ org, series: dictionary.series, tagger: subjects, append, metrics, log });
    const sharing = createSharing(options, inventory);
    const names = new DictionaryWriter({ org: inventory, names: tags.names, sharing, append, log });
    sharing?.start();
    subjects.start();
    names.start();
    stops.push(async () => {
      await subjects.stop();
      await sharing?.stop();
      await changes.stop();
      await names.stop();
    });
  }
  const prefix = config.tags.autoTaggingPrefix;
  const customTags = createCustomTags(tags.find);
  return {
    seriesTagger: (org) => subjectsOf.get(org),
    labels: prefix === '' ? undefined : new SeriesTagLabels({ store, prefix, names: tags.names, customTags }),
    startWatches() {
      for (const start of late) start();
    },
    exchangeServers(named) {
      const { added, removed } = targets.exchange(serversOf(named));
      for (const source of removed) tags.remove(source);
      for (const source of added) tags.add(source);
    },
    async stop() {
      for (const stop of stops) await stop();
    },
  };
}

/** Only a ClickHouse has other hubs beside this one. */
function createSharing(options: TaggingOptions, org: OrgInventory): SharedIds | undefined {
  const { tags, config, append, store, hub, metrics, log } = options;
  if (store.engine !== 'clickhouse') return undefined;
  return new SharedIds({
    org,
    hub: hub.id,
    name: hub.name,
    mayGive: config.tags.allocator,
    names: tags.names,
    tables: createSharedIdTables(store),
    append,
    metrics,
    log,
  });
}
