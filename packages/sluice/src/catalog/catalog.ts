import { exemplars, histograms, metadata, samples, series } from './prometheus.ts';
import type { DataSource } from './types.ts';

/** Version of the set of data sources and their columns; raised with every change, kept in each journal segment's index. */
export const CATALOG_VERSION = 1;

/** Every data source of the hub. */
export const dataSources: readonly DataSource[] = [series, samples, histograms, exemplars, metadata];

const byId: ReadonlyMap<string, DataSource> = new Map(dataSources.map((source) => [source.id, source]));

/** The data source with this id (`prometheus.samples`), or undefined. */
export function findDataSource(id: string): DataSource | undefined {
  return byId.get(id);
}

/** Database of a data source for an organisation: the plain name for 1, `0007_prometheus` for 7 (DeepFlow's rule). */
export function databaseOf(source: DataSource, org: number): string {
  return org === 1 ? source.database : `${String(org).padStart(4, '0')}_${source.database}`;
}
