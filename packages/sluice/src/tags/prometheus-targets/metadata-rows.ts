import type { Append } from '../../base/ports.ts';
import type { Batch } from '../../batch/batch.ts';
import { BatchBuilder } from '../../batch/builder.ts';
import { metadata } from '../../catalog/prometheus.ts';
import type { MetricMetadata } from './read-answers.ts';

export interface MetadataRowsOptions {
  readonly org: number;
  readonly append: Append<Batch>;
  readonly now?: () => number;
}

/** Said again after this time, as prometheus.metadata wants it. */
const REPEAT_MS = 24 * 3_600_000;
const MOST_ROWS = 10_000;

/** Rows of prometheus.metadata from what Prometheus servers say of metrics: when something new is said, and again every 24 h while it is said. */
export class MetadataRows {
  readonly #options: MetadataRowsOptions;
  readonly #said = new Map<string, readonly MetricMetadata[]>();
  /** When rows were written, by what they say. */
  #written = new Map<string, number>();

  constructor(options: MetadataRowsOptions) {
    this.#options = options;
  }

  /** What a server says now, in place of what it said before. */
  offer(server: string, families: readonly MetricMetadata[]): void {
    this.#said.set(server, families);
  }

  /** The server says nothing any more. */
  forget(server: string): void {
    this.#said.delete(server);
  }

  /** Writes what is due. Rejects as `append` does; then it is due again. */
  async flush(): Promise<void> {
    const { org, append, now = Date.now } = this.#options;
    const nowMs = now();
    const current = new Map<string, MetricMetadata>();
    for (const families of this.#said.values()) for (const one of families) current.set(keyOf(one), one);
    this.#written = new Map([...this.#written].filter(([key]) => current.has(key)));
    const due = [...current].filter(([key]) => nowMs - (this.#written.get(key) ?? -Infinity) >= REPEAT_MS);
    for (let from = 0; from < due.length; from += MOST_ROWS) {
      const piece = due.slice(from, from + MOST_ROWS);
      // oxlint-disable-next-line no-await-in-loop -- a piece at a time, so that the journal can refuse
      await append([
        batchOf(
          piece.map(([, one]) => one),
          org,
          nowMs,
        ),
      ]);
      for (const [key] of piece) this.#written.set(key, nowMs);
    }
  }
}

function batchOf(families: readonly MetricMetadata[], org: number, nowMs: number): Batch {
  const builder = new BatchBuilder(metadata, families.length);
  const [name, type, unit, help] = ['metric_family_name', 'type', 'unit', 'help'].map((column) =>
    builder.string(column),
  );
  const time = builder.fixed('time');
  for (const one of families) {
    name!.appendText(one.family);
    type!.appendText(one.type);
    unit!.appendText(one.unit);
    help!.appendText(one.help);
    time.appendHalves(nowMs % 4294967296, Math.floor(nowMs / 4294967296));
  }
  return builder.finish(org, nowMs, nowMs);
}

function keyOf({ family, type, unit, help }: MetricMetadata): string {
  return JSON.stringify([family, type, unit, help]);
}
