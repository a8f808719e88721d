import { errorText } from '../../base/errors.ts';
import type { Append } from '../../base/ports.ts';
import type { Batch } from '../../batch/batch.ts';
import { rateLimited, type Log } from '../../telemetry/log.ts';
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
  /** Asks no more; resolves when nothing is being asked or written any more. */
  stop(): Promise<void>;
}

const FLUSH_MS = 15_000;

/** Asks Prometheus servers for their targets from `start` on. No I/O before. */
export function createPrometheusTargets(options: PrometheusTargetsOptions): PrometheusTargets {
  const { servers, append, log } = options;
  const mayLog = rateLimited(60_000);
  const tables = new Map<number, TargetTable>();
  const metadata = new Map<number, MetadataRows>();
  const asked: AskedServer[] = [];
  let flushing: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;

  function rebuild(org: number): void {
    const known = asked.filter((server) => server.org === org).flatMap(({ targets }) => targets ?? []);
    tables.set(org, new TargetTable(known));
    options.onChange?.(org);
  }

  async function flush(): Promise<void> {
    try {
      for (const rows of metadata.values()) await rows.flush();
    } catch (error) {
      mayLog((suppressed) =>
        log.warn(
          { cause: errorText(error), suppressed },
          'cannot write what Prometheus servers say of metrics; tried again',
        ),
      );
    }
  }

  function startFlush(): void {
    flushing ??= flush().finally(() => {
      flushing = undefined;
    });
  }

  for (const server of servers) {
    const { org, url } = server;
    if (append !== undefined && !metadata.has(org)) {
      metadata.set(org, new MetadataRows({ org, append, ...(options.now === undefined ? {} : { now: options.now }) }));
    }
    asked.push(
      new AskedServer({
        server,
        log,
        onTargets: () => rebuild(org),
        onMetadata: (families) => {
          metadata.get(org)?.offer(url, families);
          startFlush();
        },
        ...(options.intervalMs === undefined ? {} : { intervalMs: options.intervalMs }),
        ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
        ...(options.now === undefined ? {} : { now: options.now }),
      }),
    );
  }
  return {
    sources: asked,
    table: (org) => tables.get(org) ?? NO_TARGETS,
    start() {
      for (const server of asked) server.start();
      if (metadata.size > 0) timer = setInterval(startFlush, FLUSH_MS).unref();
    },
    async stop() {
      clearInterval(timer);
      await Promise.all(asked.map((server) => server.stop()));
      await flushing;
    },
  };
}
