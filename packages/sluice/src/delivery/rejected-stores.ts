import * as fs from 'node:fs';
import { join } from 'node:path';
import { systemClock, type Clock } from '../journal/clock.ts';
import { realFiles, type Files } from '../journal/files.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { RejectedStore } from './rejected-store.ts';

const MIB = 1024 * 1024;

export interface RejectedStoresOptions {
  readonly dataDir: string;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly clock?: Clock | undefined;
  readonly files?: Files | undefined;
  /** Bytes kept of each exporter. Default 64 MiB. */
  readonly maxBytes?: number | undefined;
}

/** The rejected items of all exporters, of those that are configured no more too. Opened when somebody asks. */
export class RejectedStores {
  readonly #options: RejectedStoresOptions;
  readonly #open = new Map<string, Promise<RejectedStore>>();
  /** Protocol of each exporter that was seen running, for the metrics. */
  readonly #protocols = new Map<string, string>();

  constructor(options: RejectedStoresOptions) {
    this.#options = options;
  }

  /** The store of an exporter, made when there is none. Throws SluiceError `format_too_new`. */
  of(exporter: string, protocol?: string): Promise<RejectedStore> {
    if (protocol !== undefined) this.#protocols.set(exporter, protocol);
    let store = this.#open.get(exporter);
    if (store === undefined) {
      store = this.#load(exporter);
      this.#open.set(exporter, store);
      store.catch(() => this.#open.delete(exporter));
    }
    return store;
  }

  /** Names of exporters that have or had rejected items. */
  names(): string[] {
    const names = new Set(this.#open.keys());
    try {
      for (const entry of fs.readdirSync(this.#folder(), { withFileTypes: true })) {
        if (entry.isDirectory() && isExporterName(entry.name)) names.add(entry.name);
      }
    } catch {
      // There is no such folder as long as nothing was rejected.
    }
    return [...names].toSorted();
  }

  async close(): Promise<void> {
    for (const store of this.#open.values()) (await store.catch(() => undefined))?.close();
  }

  async #load(exporter: string): Promise<RejectedStore> {
    const { metrics, log, clock = systemClock, files = realFiles, maxBytes = 64 * MIB } = this.#options;
    const dropped = (table: string, reason: string, items: number) => {
      const protocol = this.#protocols.get(exporter) ?? '';
      metrics.exporterItemsDropped.inc({ exporter, protocol, data_source: table, reason }, items);
    };
    const store = new RejectedStore({
      folder: join(this.#folder(), exporter),
      files,
      clock,
      log,
      maxBytes,
      // Sixteen files: when it is full, a sixteenth goes at once.
      fileBytes: maxBytes / 16,
      onOverflow: (table, items) => {
        dropped(table, 'rejected_overflow', items);
        log.error({ exporter, items }, 'too many items were rejected; the oldest of them are gone');
      },
      onRemoved: (table, items) => dropped(table, 'rejected_removed', items),
      onChange: (items, bytes) => {
        metrics.exporterKeptItems.set({ exporter }, items);
        metrics.exporterKeptBytes.set({ exporter }, bytes);
      },
    });
    await store.open();
    return store;
  }

  #folder(): string {
    return join(this.#options.dataDir, 'rejected');
  }
}

/** As in a configuration: also what makes a name safe as one of a folder. */
export function isExporterName(name: string): boolean {
  return /^[a-z0-9-]{1,64}$/.test(name);
}
