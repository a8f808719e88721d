import { application1m, application1s, applicationMap1m, applicationMap1s } from './application.ts';
import { applicationLog } from './application-log.ts';
import { fileAggEvent, fileEvent, fileMgmtEvent, procOpsEvent, procPermEvent, resourceEvent } from './events.ts';
import { deepflowCollector, deepflowServer, externalMetrics } from './external-metrics.ts';
import { customTagMap, nameMap, observedField, parentMap } from './flow-tags.ts';
import { idMessage } from './id-messages.ts';
import { l4FlowLog } from './l4-flow-log.ts';
import { l4Packet } from './l4-packet.ts';
import { l7FlowLog } from './l7-flow-log.ts';
import { network1m, network1s, networkMap1m, networkMap1s } from './network.ts';
import { inProcessProfile } from './profile.ts';
import { exemplars, histograms, metadata, samples, series } from './prometheus.ts';
import { rollUps } from './roll-ups.ts';
import { trafficPolicy1m } from './traffic-policy.ts';
import type { DataSource } from './types.ts';

/** Version of the set of data sources and their columns; raised with every change, kept in each journal segment's index. */
export const CATALOG_VERSION = 5;

/** Every data source of the hub. */
export const dataSources: readonly DataSource[] = [
  series,
  samples,
  histograms,
  exemplars,
  metadata,
  network1s,
  network1m,
  networkMap1s,
  networkMap1m,
  application1s,
  application1m,
  applicationMap1s,
  applicationMap1m,
  trafficPolicy1m,
  l4FlowLog,
  l7FlowLog,
  l4Packet,
  resourceEvent,
  fileEvent,
  fileAggEvent,
  fileMgmtEvent,
  procPermEvent,
  procOpsEvent,
  externalMetrics,
  deepflowCollector,
  deepflowServer,
  inProcessProfile,
  applicationLog,
  nameMap,
  customTagMap,
  parentMap,
  idMessage,
  observedField,
  ...rollUps.map(({ to }) => to),
];

const byId: ReadonlyMap<string, DataSource> = new Map(dataSources.map((source) => [source.id, source]));

/** The data source with this id (`prometheus.samples`), or undefined. */
export function findDataSource(id: string): DataSource | undefined {
  return byId.get(id);
}

/** Database of a data source for an organisation: the plain name for 1, `0007_prometheus` for 7 (DeepFlow's rule). */
export function databaseOf(source: Pick<DataSource, 'database'>, org: number): string {
  return org === 1 ? source.database : `${String(org).padStart(4, '0')}_${source.database}`;
}
