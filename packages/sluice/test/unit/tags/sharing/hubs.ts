import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SluiceError } from '../../../../src/base/errors.ts';
import type { Append } from '../../../../src/base/ports.ts';
import type { IdMessage, IdRecordType, PublishedId, SharedIdTables } from '../../../../src/base/shared-ids.ts';
import type { Batch } from '../../../../src/batch/batch.ts';
import type { Resource, ResourceKind } from '../../../../src/tags/description.ts';
import { DictionaryWriter } from '../../../../src/tags/dictionary-writer.ts';
import { Ids } from '../../../../src/tags/ids.ts';
import { OrgInventory } from '../../../../src/tags/org-inventory.ts';
import { SharedIds } from '../../../../src/tags/sharing/shared-ids.ts';
import { createLog } from '../../../../src/telemetry/log.ts';
import { createMetrics, type Metrics } from '../../../../src/telemetry/metrics.ts';
import { rowsOf } from '../../receivers/prometheus/harness.ts';
import { ToldSource } from '../described.ts';

type Row = ReturnType<typeof rowsOf>[number];

/** The tables of a ClickHouse that hubs share, with duplicates as they are before a merge; and the clock of all. */
export class SharedTables {
  nowMs = 1_700_000_000_000;
  isAway = false;
  names: PublishedId[] = [];
  said: IdMessage[] = [];
  /** Namespaces of pods by id, as they were told last. */
  readonly namespaces = new Map<number, number>();

  async *published(_org: number, sinceMs: number) {
    this.#answer();
    yield this.names
      .filter(({ timeMs, term }) => timeMs >= sinceMs && term > 0)
      .toSorted((left, right) => left.term - right.term || left.timeMs - right.timeMs);
  }

  async *messages(_org: number, sinceMs: number, requests: boolean) {
    this.#answer();
    yield this.said
      .filter(({ timeMs, record }) => timeMs >= sinceMs && (requests || record === 'hub'))
      .toSorted((left, right) => left.timeMs - right.timeMs);
  }

  /** Of rows with one sorting key the last one stays. */
  merge(): void {
    const last = <T extends { readonly timeMs: number }>(rows: readonly T[], keyOf: (row: T) => string) => {
      const kept = new Map<string, T>();
      for (const row of rows) if (row.timeMs >= (kept.get(keyOf(row))?.timeMs ?? 0)) kept.set(keyOf(row), row);
      return [...kept.values()];
    };
    this.names = last(this.names, ({ kind, id }) => `${kind} ${id}`);
    this.said = last(this.said, ({ hub, record, kind, key }) => `${hub} ${record} ${kind} ${key}`);
  }

  take(source: string, row: Row): void {
    const base = {
      kind: String(row['kind']),
      id: Number(row['id']),
      key: String(row['key']),
      name: String(row['name']),
      isGone: row['is_deleted'] === 1,
      timeMs: Number(row['time']),
    };
    if (source === 'flow_tag.name_map') this.names.push({ ...base, term: Number(row['term']) });
    if (source === 'flow_tag.parent_map') this.namespaces.set(base.id, Number(row['pod_ns_id']));
    if (source !== 'flow_tag.id_message') return;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as the code under test wrote it
    this.said.push({ ...base, hub: String(row['hub']), record: row['record'] as IdRecordType });
  }

  #answer(): void {
    if (this.isAway) throw new SluiceError('storage_unavailable', 'the test says so');
  }
}

/** A hub with its data directory and a journal that is loaded when the test says so. */
export class SharingHub {
  readonly tables: SharedTables;
  readonly metrics: Metrics = createMetrics();
  readonly source = new ToldSource([]);
  /** `tags.allocator`: counts from the next start on. */
  mayGive: boolean;
  /** It cannot reach ClickHouse. */
  isCut = false;
  name: string;
  inventory: OrgInventory;
  shared: SharedIds;
  readonly #folder = mkdtempSync(join(tmpdir(), 'sluice-sharing-'));
  #ids: Ids;
  #writer: DictionaryWriter;
  #journal: { readonly source: string; readonly row: Row }[] = [];
  #lives = 0;

  constructor(tables: SharedTables, name: string, mayGive: boolean) {
    this.tables = tables;
    this.name = name;
    this.mayGive = mayGive;
    [this.#ids, this.inventory, this.shared, this.#writer] = this.#open();
  }

  #open(): [Ids, OrgInventory, SharedIds, DictionaryWriter] {
    const { tables, metrics, name: hub, mayGive } = this;
    const now = () => tables.nowMs;
    const log = createLog({ level: 'silent' });
    const path = join(this.#folder, `${this.#lives}.ids`);
    const ids = new Ids({ path, org: 1, allocates: 'shared', metrics, log });
    const names = { version: 1 };
    const org = new OrgInventory({ org: 1, ids, metrics, log, onPublished: () => names.version++, now });
    org.add(this.source);
    const append: Append<Batch> = async (batches) => {
      await Promise.resolve();
      for (const batch of batches)
        for (const row of rowsOf(batch)) this.#journal.push({ source: batch.source.id, row });
    };
    const options = { org, names, append, log, now };
    const reached = () => {
      if (this.isCut) throw new SluiceError('storage_unavailable', 'the test says so');
      return tables;
    };
    const view: SharedIdTables = {
      published: (number, sinceMs) => reached().published(number, sinceMs),
      messages: (number, sinceMs, requests) => reached().messages(number, sinceMs, requests),
    };
    const shared = new SharedIds({ ...options, hub, name: hub, mayGive, tables: view, metrics, clock: now });
    return [ids, org, shared, new DictionaryWriter({ ...options, sharing: shared })];
  }

  /** Everything but the load of the journal. */
  async work(): Promise<void> {
    await this.inventory.settle();
    await this.shared.look();
    await this.inventory.settle();
    await this.#writer.look();
  }

  /** Loads the oldest rows of the journal. */
  load(count = Infinity): void {
    if (this.tables.isAway || this.isCut) return;
    for (const { source, row } of this.#journal.splice(0, count)) this.tables.take(source, row);
  }

  /** Dies and starts again; with `isLost` on another machine, without its data directory. */
  crash(isLost = false): void {
    void this.inventory.stop();
    if (isLost) {
      this.#lives++;
      this.#journal = [];
      this.name = `${this.name.split('.')[0]}.${this.#lives}`;
    }
    [this.#ids, this.inventory, this.shared, this.#writer] = this.#open();
  }

  async close(): Promise<void> {
    await this.inventory.stop();
    this.#ids.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  put(resource: Resource): void {
    this.source.put(resource);
  }

  remove(kind: ResourceKind, key: string): void {
    this.source.remove({ kind, key });
  }

  /** What rows get for a resource. */
  idOf(kind: ResourceKind, key: string): number | undefined {
    return this.inventory.builder.find(kind, key)?.id;
  }

  nameOf(kind: ResourceKind, id: number): string {
    return this.#ids.nameOf(kind, id);
  }

  async metric(name: string): Promise<number> {
    const found = await this.metrics.registry.getSingleMetric(name)?.get();
    return found?.values.reduce((sum, { value }) => sum + value, 0) ?? Number.NaN;
  }
}

/** Lets time go by, in steps, with everybody at work and everything loaded. */
export async function pass(
  tables: SharedTables,
  hubs: readonly SharingHub[],
  seconds: number,
  stepS = 2,
): Promise<void> {
  for (let gone = 0; gone < seconds; gone += stepS) {
    tables.nowMs += stepS * 1000;
    for (const hub of hubs) {
      await hub.work();
      hub.load();
    }
  }
}
