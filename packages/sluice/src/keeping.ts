/** Where what is received is kept: the dictionaries of series, the journal, the database, the loaders between the two, and delivery beside them. */
import { join } from 'node:path';
import { SERIES_DICTIONARY_READER } from './base/own-readers.ts';
import { bug } from './base/errors.ts';
import { LinearMemory } from './base/linear-memory.ts';
import type { Readiness } from './base/ports.ts';
import type { SluiceConfig } from './config/schema.ts';
import { createDelivery, type Delivery } from './delivery/delivery.ts';
import { toJournalOptions } from './journal/config.ts';
import { openJournal } from './journal/journal.ts';
import { journalReadiness } from './journal/readiness.ts';
import type { Journal } from './journal/types.ts';
import { followAnnouncements } from './query/announced-series.ts';
import { openSeries, type SeriesStore } from './series/open-series.ts';
import { createReannounce } from './series/reannounce.ts';
import type { StopOrder } from './stop-order.ts';
import { startLoader } from './storage/loader.ts';
import { openStorage } from './storage/open.ts';
import { DictionaryReload } from './storage/reload-dictionaries.ts';
import { rollUpReaders } from './storage/roll-up-query.ts';
import type { Store } from './storage/store.ts';
import { TableVersions } from './storage/table-versions.ts';
import { tellIdentity } from './storage/tell-identity.ts';
import type { Log } from './telemetry/log.ts';
import type { Metrics } from './telemetry/metrics.ts';

export interface KeepingOptions {
  readonly config: SluiceConfig;
  readonly stops: StopOrder;
  readonly metrics: Metrics;
  readonly log: Log;
}

export interface Keeping {
  readonly journal: Journal;
  readonly store: Store;
  readonly delivery: Delivery;
  /** By organisation. */
  readonly series: ReadonlyMap<number, SeriesStore>;
  /** Where label sets of all of them lie. */
  readonly memory: LinearMemory;
  /** What the loaders have changed; only of a database that nobody else writes to. */
  readonly versions: TableVersions | undefined;
  /** Resolves when the dictionaries know what the journal says of series. */
  readonly caughtUp: Promise<void>;
  readonly readiness: () => Readiness[];
}

/** Announcements that the dictionary of series lacks; it is some seconds behind. */
const ANNOUNCEMENTS_BYTES = 2 ** 30;

/** Throws SluiceError (`format_too_new`, ...); what was started by then is in `stops`. */
export async function startKeeping({ config, stops, metrics, log }: KeepingOptions): Promise<Keeping> {
  const { dataDir, organisations } = config;
  const isStored = config.storage.engine !== 'none';
  const memory = new LinearMemory();
  const series = new Map<number, SeriesStore>();
  // Where no database knows them, series stay in memory as long as exporters have samples of them to send.
  let forwarder: Delivery | undefined;
  for (const org of organisations) {
    const store = await openSeries({
      dir: join(dataDir, 'state', 'series'),
      org,
      limit: config.limits.series,
      memory,
      settleMs: config.journal['sync-interval'] + 4_000,
      neededSinceMs: () => forwarder?.waitingSinceMs('prometheus.samples') ?? Infinity,
      metrics,
      log,
    });
    series.set(org, store);
  }
  // Closed after the journal: what the journal has synced by then is kept as announced.
  stops.add(async () => {
    for (const store of series.values()) await store.close();
  });

  const fsync = config.journal.sync === 'always';
  const storage = openStorage({ config: config.storage, dataDir, organisations, fsync, log, metrics });
  stops.add(() => storage.close());

  const reannounce = createReannounce({ dictionaries: series, log });
  stops.add(() => reannounce.stop());
  const journal = await openJournal({
    dataDir,
    ...toJournalOptions(config.journal),
    segmentReaders: new Map([...rollUpReaders].map(([name, tables]) => [name, new Set(tables.keys())])),
    onLost: reannounce.lost,
    metrics,
    log,
  });
  const delivery = createDelivery({ journal, dataDir, metrics, log });
  if (!isStored) forwarder = delivery;
  const announced = followAnnouncements({
    reader: await journal.openReader({
      name: SERIES_DICTIONARY_READER,
      tables: ['prometheus.series'],
      from: 'oldest',
      maxBacklogBytes: ANNOUNCEMENTS_BYTES,
    }),
    stores: series,
    memory,
    metrics,
    log,
  });
  stops.add(() => announced.stop());
  // After the end of the journal: exporters send what is in it by then.
  stops.add(() => delivery.stop(stops.remainingMs));
  stops.add(() => journal.close());

  const versions = new TableVersions();
  const dictionaries = new DictionaryReload({ store: storage.store, log });
  stops.add(() => dictionaries.stop());
  const isOpen = () => storage.ready().ready;
  const loading = { journalUuid: journal.uuid, target: storage.target, organisations, isOpen, log, metrics };
  const loader = startLoader({
    ...loading,
    journal: journal.storage,
    onLoaded(partition) {
      versions.changed(partition);
      dictionaries.changed(partition);
    },
  });
  const loaders = [loader];
  for (const [name, rollUps] of rollUpReaders) {
    const reader = journal.segmentReaders.get(name) ?? bug(`the journal has no reader ${name}`);
    loaders.push(startLoader({ ...loading, name, journal: reader, rollUps, concurrency: 1 }));
  }
  stops.add(() => Promise.all(loaders.map((each) => each.stop(stops.remainingMs))));
  storage.onOpen(() => {
    for (const each of loaders) each.nudge();
    void tellIdentity({ storage, dictionaries: series, log, signal: stops.signal });
  });

  return {
    journal,
    store: storage.store,
    delivery,
    series,
    memory,
    versions: storage.store.engine === 'chdb' ? versions : undefined,
    caughtUp: announced.caughtUp,
    readiness: () => [journalReadiness(journal), storage.ready(), ...loaders.map((each) => each.state())],
  };
}
