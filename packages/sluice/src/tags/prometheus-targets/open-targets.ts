import type { Append } from '../../base/ports.ts';
import type { Batch } from '../../batch/batch.ts';
import type { Log } from '../../telemetry/log.ts';
import { Periodic } from '../../telemetry/periodic.ts';
import type { Source } from '../source.ts';
import { MetadataRows } from './metadata-rows.ts';
import { AskedServer } from './prometheus-server.ts';
import type { PrometheusServer } from './servers.ts';
import { NO_TARGETS, TargetTable } from './target-table.ts';

export interface PrometheusTargetsOptions {
  readonly servers: readonly PrometheusServer[];
  /** Takes rows of prometheus.metadata; absent: types and help of metrics are not kept. */
  readonly append?: Append<Batch>;
  /** Called when the targets of an organisation are other ones. */
  readonly onChange?: (org: number) => void;
  readonly log: Log;
  /** How often targets are asked for (default 10 s), and how long an answer may take (default 10 s). */
  readonly intervalMs?: number;
  readonly timeoutMs?: number;
  readonly now?: () => number;
}

/** Targets of Prometheus servers, by organisation. */
export interface PrometheusTargets {
  /** One a server, for the state of each: `Tags.add` each of them. */
  readonly sources: readonly Source[];
  /** What is known now: another object when it has changed. */
  readonly table: (org: number) => TargetTable;
  start(): void;
  /** From now on exactly these are asked; those that were asked before go on with what they know, and of the others nothing stays. */
  exchange(servers: readonly PrometheusServer[]): ExchangedServers;
  /** Asks no more; resolves when nothing is being asked or written any more. */
  stop(): Promise<void>;
}

/** Sources that there were not before, and that are none any more. */
export interface ExchangedServers {
  readonly added: readonly Source[];
  readonly removed: readonly Source[];
}

const FLUSH_MS = 15_000;

/** Asks Prometheus servers for their targets from `start` on. No I/O before. */
export function createPrometheusTargets(options: PrometheusTargetsOptions): PrometheusTargets {
  const { append, log, intervalMs, timeoutMs, now } = options;
  const tables = new Map<number, TargetTable>();
  const metadata = new Map<number, MetadataRows>();
  /** By organisation, URL and VPC. */
  const asked = new Map<string, AskedServer>();
  const ending = new Set<Promise<void>>();
  let state: 'idle' | 'going' | 'stopped' = 'idle';
  const flushing = new Periodic({
    async work() {
      for (const rows of metadata.values()) await rows.flush();
    },
    pauseMs: FLUSH_MS,
    log,
    failure: 'cannot write what Prometheus servers say of metrics; tried again',
  });

  function rebuild(org: number): void {
    const servers = [...asked.values()].filter((server) => server.org === org);
    tables.set(org, new TargetTable(servers.flatMap(({ targets }) => targets ?? [])));
    options.onChange?.(org);
  }

  function add(server: PrometheusServer): AskedServer {
    const { org, url } = server;
    if (append !== undefined && !metadata.has(org)) {
      metadata.set(org, new MetadataRows({ org, append, ...(now === undefined ? {} : { now }) }));
    }
    const one = new AskedServer({
      server,
      log,
      onTargets: () => rebuild(org),
      onMetadata: (families) => {
        metadata.get(org)?.offer(url, families);
        void flushing.run();
      },
      ...(intervalMs === undefined ? {} : { intervalMs }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(now === undefined ? {} : { now }),
    });
    asked.set(keyOf(server), one);
    if (state === 'going') one.start();
    return one;
  }

  function remove(key: string, one: AskedServer): void {
    asked.delete(key);
    metadata.get(one.org)?.forget(one.url);
    const end = one.stop().finally(() => ending.delete(end));
    ending.add(end);
    if (one.targets !== undefined) rebuild(one.org);
  }

  for (const server of options.servers) add(server);
  return {
    get sources() {
      return [...asked.values()];
    },
    table: (org) => tables.get(org) ?? NO_TARGETS,
    start() {
      state = 'going';
      for (const server of asked.values()) server.start();
      flushing.start();
    },
    exchange(servers) {
      if (state === 'stopped') return { added: [], removed: [] };
      const wanted = new Map(servers.map((server) => [keyOf(server), server]));
      const removed = [...asked].filter(([key]) => !wanted.has(key));
      // First: what comes may be of the same name, in another VPC.
      for (const [key, one] of removed) remove(key, one);
      const added = [...wanted].filter(([key]) => !asked.has(key)).map(([, server]) => add(server));
      return { added, removed: removed.map(([, one]) => one) };
    },
    async stop() {
      state = 'stopped';
      await Promise.all([...[...asked.values()].map((server) => server.stop()), ...ending]);
      await flushing.stop();
    },
  };
}

function keyOf({ org, url, vpc }: PrometheusServer): string {
  return `${org} ${vpc} ${url}`;
}
