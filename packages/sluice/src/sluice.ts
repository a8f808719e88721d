/** The rooms of the hub, built in order and wired to each other. Start order and, mirrored, stop order stand on this one screen. */
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { WRITE_REQUEST } from 'promwrite/wire';
import { guardListener } from './access/guard-listener.ts';
import { bug, errorText, SluiceError } from './base/errors.ts';
import { formatHostPort, type HostPort } from './base/config-schema.ts';
import { LinearMemory } from './base/linear-memory.ts';
import type { ActiveSeries, Readiness } from './base/ports.ts';
import { SERIES_DICTIONARY_READER } from './base/own-readers.ts';
import { VERSION } from './base/version.ts';
import { findDataSource } from './catalog/catalog.ts';
import type { DataSource } from './catalog/types.ts';
import type { LoadedConfig } from './config/load.ts';
import type { SluiceConfig } from './config/schema.ts';
import { openControl } from './control/control.ts';
import { toHttpLimits } from './http/config.ts';
import { createDelivery, type Delivery } from './delivery/delivery.ts';
import { guardListeners } from './http/guarded-listeners.ts';
import { startHttp, type HttpServer } from './http/server.ts';
import { AGENT_INPUT, startInputs } from './inputs.ts';
import { openJournal } from './journal/journal.ts';
import { journalReadiness } from './journal/readiness.ts';
import { lockDataDirectory } from './journal/lock.ts';
import { toJournalOptions } from './journal/config.ts';
import { createExporters, createSeriesLabels } from './outputs.ts';
import { toReadLimits } from './query/config.ts';
import { followAnnouncements } from './query/announced-series.ts';
import { createLabelsApi } from './query/labels/labels-api.ts';
import { createRemoteRead } from './query/remote-read/remote-read.ts';
import { exchange, type Exchangeable } from './reload.ts';
import type { AcceptWindow } from './receivers/accept-window.ts';
import { toAgentLimits } from './receivers/agent/config.ts';
import { listenForAgents } from './receivers/agent/listen.ts';
import { parseProvinces, type Provinces } from './receivers/agent/provinces.ts';
import { toRemoteWriteLimits } from './receivers/prometheus/config.ts';
import { createRemoteWrite } from './receivers/prometheus/write.ts';
import { RowGather } from './receivers/row-gather.ts';
import { openRowIds } from './receivers/row-id-file.ts';
import { startSelfTelemetry } from './receivers/self/self-telemetry.ts';
import { openSeries, type SeriesStore } from './series/open-series.ts';
import { createReannounce } from './series/reannounce.ts';
import { startLoader } from './storage/loader.ts';
import { openStorage } from './storage/open.ts';
import { DictionaryReload } from './storage/reload-dictionaries.ts';
import { rollUpReaders } from './storage/roll-up-query.ts';
import { retentionMs } from './storage/retention.ts';
import { TableVersions } from './storage/table-versions.ts';
import { tellIdentity } from './storage/tell-identity.ts';
import { startTagging } from './tagging.ts';
import { observeFields } from './tags/fields/observe-fields.ts';
import { openTags } from './tags/open-tags.ts';
import { createTagger } from './tags/tagger.ts';
import type { Log } from './telemetry/log.ts';
import { createMetrics } from './telemetry/metrics.ts';

export interface Hub {
  /** Where the main listener listens (`http://127.0.0.1:20416`), if it is on. */
  readonly url: string | undefined;
  /**
   * Takes over what can be exchanged of a configuration that was loaded again (exporters, credentials, certificates, agent groups), and reads password
   * and certificate files again. With mistakes in it everything stays as it is, and the log names them.
   */
  reload(next: LoadedConfig): Promise<void>;
  /** Ends the intake, lets what runs finish until the deadline, saves everything. */
  stop(): Promise<void>;
}

const STOP_DEADLINE_MS = 30_000;
const SELF_TELEMETRY_MS = 15_000;
/** Announcements that the dictionary of series lacks; it is some seconds behind. */
const ANNOUNCEMENTS_BYTES = 2 ** 30;

/** Starts every room; throws SluiceError (`data_dir_locked`, `listen_failed`, `format_too_new`, ...) with everything closed again. */
export async function startHub(config: SluiceConfig, log: Log): Promise<Hub> {
  const metrics = createMetrics();
  metrics.collectProcessMetrics();
  metrics.buildInfo.set({ version: VERSION, node: process.version }, 1);
  const started: (() => Promise<unknown> | void)[] = [];
  const stopped = new AbortController();
  let stopBy = Infinity;
  /** One deadline for all parts; each has a moment at least. */
  const remainingMs = () => Math.max(500, stopBy - performance.now());
  const stopAll = async () => {
    stopped.abort();
    stopBy = performance.now() + STOP_DEADLINE_MS;
    for (const stop of started.splice(0).toReversed()) {
      await Promise.resolve(stop()).catch((error: unknown) =>
        log.error({ cause: errorText(error) }, 'a part did not stop cleanly'),
      );
    }
  };
  const { dataDir, organisations } = config;
  let running = Promise.resolve(config);
  try {
    const lock = await lockDataDirectory(dataDir);
    started.push(() => lock.release());

    const memory = new LinearMemory();
    const series = new Map<number, SeriesStore>();
    let forwarder: Delivery | undefined;
    for (const org of organisations) {
      const dir = join(dataDir, 'state', 'series');
      series.set(
        org,
        await openSeries({
          dir,
          org,
          limit: config.limits.series,
          memory,
          settleMs: config.journal['sync-interval'] + 4_000,
          neededSinceMs: () => forwarder?.waitingSinceMs('prometheus.samples') ?? Infinity,
          metrics,
          log,
        }),
      );
    }
    // Closed after the journal: what the journal has synced by then is kept as announced.
    started.push(async () => {
      for (const store of series.values()) await store.close();
    });

    const storage = openStorage({
      config: config.storage,
      dataDir,
      organisations,
      fsync: config.journal.sync === 'always',
      log,
      metrics,
    });
    started.push(() => storage.close());

    const reannounce = createReannounce({ dictionaries: series, log });
    started.push(() => reannounce.stop());
    const onLost = reannounce.lost;
    const segmentReaders = new Map([...rollUpReaders].map(([name, tables]) => [name, new Set(tables.keys())]));
    const journal = await openJournal({
      dataDir,
      ...toJournalOptions(config.journal),
      segmentReaders,
      onLost,
      metrics,
      log,
    });
    const delivery = createDelivery({ journal, dataDir, metrics, log });
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
    started.push(() => announced.stop());
    // After the end of the journal: exporters send what is in it by then.
    started.push(() => delivery.stop(remainingMs()));
    started.push(() => journal.close());
    const versions = new TableVersions();
    const dictionaries = new DictionaryReload({ store: storage.store, log });
    started.push(() => dictionaries.stop());
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
    started.push(() => Promise.all(loaders.map((each) => each.stop(remainingMs()))));
    storage.onOpen(() => {
      for (const each of loaders) each.nudge();
      void tellIdentity({ storage, dictionaries: series, log, signal: stopped.signal });
    });

    const isStored = config.storage.engine !== 'none';
    const labels = createSeriesLabels({ series, store: isStored ? () => storage.store : undefined });
    // Where no database knows them, series stay in memory as long as exporters have samples of them to send.
    if (!isStored) forwarder = delivery;
    const sharesIds = config.storage.engine === 'clickhouse';
    const tags = await openTags({ dataDir, config: config.tags, organisations, sharesIds, metrics, log });
    started.push(() => tags.stop());
    const outputs = { names: tags.names, series: labels, metrics, log };
    await announced.caughtUp;
    await delivery.apply(createExporters(config.exporters, outputs));

    const accept = (source: DataSource): AcceptWindow => {
      const behindMs = retentionMs(source, config.storage.retention);
      return behindMs === undefined
        ? { behindMs: Infinity, aheadMs: Infinity }
        : { behindMs, aheadMs: source.acceptAheadMs };
    };
    const control = await openControl({ dataDir, agents: config.agents, organisations, metrics, log });
    started.push(() => control.stop());
    const { append } = journal;
    const { store } = storage;
    const hub = { id: journal.uuid, name: `${hostname()}, hub-id ${config.hubId}` };
    const tagging = startTagging({ tags, config, control, series, append, store, hub, metrics, log });
    started.push(() => tagging.stop());
    const remoteWrite = createRemoteWrite({
      append,
      series: (org): ActiveSeries => series.get(org)?.series ?? bug(`no series for organisation ${org}`),
      memory,
      tagger: tagging.seriesTagger,
      acceptWindow: (table) => accept(findDataSource(table) ?? bug(`no data source ${table}`)),
      limits: toRemoteWriteLimits(config.limits),
      metrics,
      log,
    });
    const reading = { store, limits: toReadLimits(config.limits), tags: tagging.labels, metrics, log };
    const tagger = createTagger({ inventory: tags.inventory });
    const observing = observeFields({ append, metrics });
    const rows = new RowGather({
      input: AGENT_INPUT,
      append: observing,
      tagger,
      organisations,
      accept,
      metrics,
      log,
    });
    started.push(() => rows.stop(remainingMs()));
    const rowIds = openRowIds({ path: join(dataDir, 'state', 'row-ids.json'), hubId: config.hubId, log });
    const { limits } = config;
    const inputs = startInputs({
      target: rows,
      append: observing,
      tagger,
      rowIds,
      accept,
      organisations,
      remoteWrite,
      provinces: await readProvinces(config.agents.provinces),
      limits,
      metrics,
      log,
    });
    started.push(() => inputs.stop());
    const routes = [
      ...inputs.routes,
      // To a server others may write, too.
      ...createRemoteRead({ ...reading, versions: storage.store.engine === 'chdb' ? versions : undefined }),
      ...createLabelsApi(reading),
      ...control.routes,
      ...delivery.routes,
      ...tags.routes,
    ];
    const readiness = (): Readiness[] => [
      journalReadiness(journal),
      storage.ready(),
      ...loaders.map((each) => each.state()),
    ];

    const { http: main, integration } = config.listen;
    const guarded = await guardListeners({
      listen: { http: main, integration },
      auth: config.auth,
      tls: config.tls,
      log,
    });
    started.push(() => guarded.close());
    const http = await startHttp({
      listeners: guarded.listeners,
      routes,
      limits: toHttpLimits(config.limits),
      readiness,
      organisations,
      metrics,
      log,
    });
    started.push(() => http.stop(remainingMs()));

    const own = organisations[0] ?? bug('no organisation');
    const self = startSelfTelemetry({
      metrics,
      log,
      instance: instanceOf(http),
      intervalMs: SELF_TELEMETRY_MS,
      write: async (message) => {
        const reply = await remoteWrite.write(WRITE_REQUEST, message, own);
        if (reply.status < 300) return;
        const why = typeof reply.body === 'string' ? `: ${reply.body.trim()}` : '';
        throw new SluiceError('journal_failed', `cannot write: answered ${reply.status}${why}`);
      },
    });
    started.push(() => self.stop());

    const { agent: agentListen } = config.listen;
    const agentGuard = agentListen === null ? undefined : await guardListener(agentListen, log);
    const agents = await listenForAgents({
      addresses: agentListen?.addresses ?? [],
      isAllowed: agentGuard?.allows ?? (() => true),
      decoders: inputs.decoders,
      rows,
      organisations,
      resolve: control.resolve,
      traffic: control.traffic,
      limits: toAgentLimits(config.limits),
      metrics,
      log,
    });
    started.push(() => {
      inputs.end();
      return agents.stop(remainingMs());
    });

    const { control: controlListen } = config.listen;
    const controlGuard = controlListen === null ? undefined : await guardListener(controlListen, log);
    const controlAddresses =
      controlListen === null
        ? []
        : await control.listen({
            addresses: controlListen.addresses,
            tls: controlGuard?.tls,
            allows: controlGuard?.allows,
            dataPort: agents.addresses[0]?.port,
          });

    const exchangeable: Exchangeable = {
      guarded,
      controlGuard,
      control,
      tagging,
      applyExporters: async (exporters) => delivery.apply(createExporters(exporters, outputs)),
      metrics,
      log,
    };
    tagging.startWatches();
    announce(http, { agent: agents.addresses, control: controlAddresses }, log);
    return {
      url: http.addresses.find((address) => address.listener === 'http')?.url,
      stop: stopAll,
      async reload(next) {
        // One after the other: each compares with what the one before has left.
        running = running.then((current) => exchange(current, next, exchangeable));
        await running;
      },
    };
  } catch (error) {
    await stopAll();
    throw error;
  }
}

async function readProvinces(path: string | undefined): Promise<Provinces | undefined> {
  if (path === undefined) return undefined;
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new SluiceError('config_invalid', `cannot read agents.provinces: ${errorText(error)}`);
  });
  return parseProvinces(text, path);
}

function instanceOf(http: HttpServer): string {
  const address = http.addresses[0];
  return address === undefined ? 'sluice' : new URL(address.url).host;
}

/** One line with every address. */
function announce(http: HttpServer, others: Record<'agent' | 'control', readonly HostPort[]>, log: Log): void {
  const addresses: Record<string, string[]> = { http: [], integration: [] };
  for (const { listener, url } of http.addresses) (addresses[listener] ??= []).push(url);
  for (const [listener, open] of Object.entries(others)) addresses[listener] = open.map(formatHostPort);
  log.info(addresses, 'listening');
}
