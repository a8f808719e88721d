/** The rooms of the hub, built in order and wired to each other. */
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { WRITE_REQUEST } from 'promwrite/wire';
import { bug, errorText, SluiceError } from './base/errors.ts';
import type { ActiveSeries } from './base/ports.ts';
import { VERSION } from './base/version.ts';
import { findDataSource } from './catalog/catalog.ts';
import type { DataSource } from './catalog/types.ts';
import type { ExporterConfig } from './config/exporter-schema.ts';
import type { LoadedConfig } from './config/load.ts';
import type { SluiceConfig } from './config/schema.ts';
import { openControl } from './control/control.ts';
import type { HttpServer } from './http/server.ts';
import { AGENT_INPUT, startInputs } from './inputs.ts';
import { lockDataDirectory } from './journal/lock.ts';
import { startKeeping, type KeepingOptions } from './keeping.ts';
import { announce, listenForAgentsAndControl, listenForHttp } from './listening.ts';
import { createExporters, createSeriesLabels } from './outputs.ts';
import { toReadLimits } from './query/config.ts';
import { createLabelsApi } from './query/labels/labels-api.ts';
import { createRemoteRead } from './query/remote-read/remote-read.ts';
import { Reload } from './reload.ts';
import type { AcceptWindow } from './receivers/accept-window.ts';
import { parseProvinces, type Provinces } from './receivers/agent/provinces.ts';
import { toRemoteWriteLimits } from './receivers/prometheus/config.ts';
import { createRemoteWrite } from './receivers/prometheus/write.ts';
import { RowGather } from './receivers/row-gather.ts';
import { openRowIds } from './receivers/row-id-file.ts';
import { startSelfTelemetry } from './receivers/self/self-telemetry.ts';
import { StopOrder } from './stop-order.ts';
import { retentionMs } from './storage/retention.ts';
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

const SELF_TELEMETRY_MS = 15_000;

/** Starts every room; throws SluiceError (`data_dir_locked`, `listen_failed`, `format_too_new`, ...) with everything closed again. */
export async function startHub(config: SluiceConfig, log: Log): Promise<Hub> {
  const metrics = createMetrics();
  metrics.collectProcessMetrics();
  metrics.buildInfo.set({ version: VERSION, node: process.version }, 1);
  const stops = new StopOrder(log);
  try {
    return await startRooms({ config, stops, metrics, log });
  } catch (error) {
    await stops.stopAll();
    throw error;
  }
}

async function startRooms({ config, stops, metrics, log }: KeepingOptions): Promise<Hub> {
  const { dataDir, organisations, limits } = config;
  const lock = await lockDataDirectory(dataDir);
  stops.add(() => lock.release());

  const keeping = await startKeeping({ config, stops, metrics, log });
  const { journal, store, delivery, series, memory, versions } = keeping;
  const { append } = journal;

  const labels = createSeriesLabels({ series, store: config.storage.engine === 'none' ? undefined : () => store });
  const sharesIds = config.storage.engine === 'clickhouse';
  const tags = await openTags({ dataDir, config: config.tags, organisations, sharesIds, metrics, log });
  stops.add(() => tags.stop());
  const outputs = { names: tags.names, series: labels, metrics, log };
  const applyExporters = async (exporters: readonly ExporterConfig[]) =>
    delivery.apply(createExporters(exporters, outputs));
  await keeping.caughtUp;
  await applyExporters(config.exporters);

  const accept = (source: DataSource): AcceptWindow => {
    const behindMs = retentionMs(source, config.storage.retention);
    return behindMs === undefined
      ? { behindMs: Infinity, aheadMs: Infinity }
      : { behindMs, aheadMs: source.acceptAheadMs };
  };
  const control = await openControl({ dataDir, agents: config.agents, organisations, metrics, log });
  stops.add(() => control.stop());
  const hub = { id: journal.uuid, name: `${hostname()}, hub-id ${config.hubId}` };
  const tagging = startTagging({ tags, config, control, series, append, store, hub, metrics, log });
  stops.add(() => tagging.stop());
  const remoteWrite = createRemoteWrite({
    append,
    series: (org): ActiveSeries => series.get(org)?.series ?? bug(`no series for organisation ${org}`),
    memory,
    tagger: tagging.seriesTagger,
    acceptWindow: (table) => accept(findDataSource(table) ?? bug(`no data source ${table}`)),
    limits: toRemoteWriteLimits(limits),
    metrics,
    log,
  });
  const tagger = createTagger({ inventory: tags.inventory });
  const observing = observeFields({ append, metrics });
  const rows = new RowGather({ input: AGENT_INPUT, append: observing, tagger, organisations, accept, metrics, log });
  stops.add(() => rows.stop(stops.remainingMs));
  const inputs = startInputs({
    target: rows,
    append: observing,
    tagger,
    rowIds: openRowIds({ path: join(dataDir, 'state', 'row-ids.json'), hubId: config.hubId, log }),
    accept,
    organisations,
    remoteWrite,
    provinces: await readProvinces(config.agents.provinces),
    limits,
    metrics,
    log,
  });
  stops.add(() => inputs.stop());

  const reading = { store, limits: toReadLimits(limits), tags: tagging.labels, metrics, log };
  const routes = [
    ...inputs.routes,
    ...createRemoteRead({ ...reading, versions }),
    ...createLabelsApi(reading),
    ...control.routes,
    ...delivery.routes,
    ...tags.routes,
  ];
  const { http, guarded } = await listenForHttp({
    config,
    stops,
    routes,
    readiness: keeping.readiness,
    metrics,
    log,
  });
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
  stops.add(() => self.stop());
  const agents = await listenForAgentsAndControl({ config, stops, inputs, rows, control, metrics, log });

  const { controlGuard } = agents;
  const reload = new Reload(config, { guarded, controlGuard, control, tagging, applyExporters, metrics, log });
  tagging.startWatches();
  announce(http, agents, log);
  return {
    url: http.addresses.find((address) => address.listener === 'http')?.url,
    stop: () => stops.stopAll(),
    reload: (next) => reload.take(next),
  };
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
