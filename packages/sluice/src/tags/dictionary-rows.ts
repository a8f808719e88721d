import type { IdMessage } from '../base/shared-ids.ts';
import type { Batch } from '../batch/batch.ts';
import { BatchBuilder, type FixedBuilder } from '../batch/builder.ts';
import { customTagMap, nameMap, parentMap, PARENTS } from '../catalog/flow-tags.ts';
import { idMessage } from '../catalog/id-messages.ts';

export interface NameRow {
  readonly kind: string;
  readonly id: number;
  readonly deviceType: number;
  readonly name: string;
  readonly key: string;
  readonly term: number;
  readonly isDeleted: boolean;
}

export interface CustomTagRow {
  readonly kind: string;
  readonly id: number;
  readonly family: string;
  readonly name: string;
  readonly value: string;
  readonly isDeleted: boolean;
}

export interface ParentRow {
  readonly kind: string;
  readonly id: number;
  /** In the order of PARENTS. */
  readonly parents: readonly number[];
}

/** Rows of flow_tag.*, in use until `append` has settled. */
export class DictionaryRows {
  readonly #names = new Rows(new BatchBuilder(nameMap, 64));
  readonly #tags = new Rows(new BatchBuilder(customTagMap, 64));
  readonly #parents = new Rows(new BatchBuilder(parentMap, 64));
  readonly #messages = new Rows(new BatchBuilder(idMessage, 64));
  readonly #all = [this.#names, this.#tags, this.#parents, this.#messages];

  get count(): number {
    return this.#all.reduce((sum, { builder }) => sum + builder.rows, 0);
  }

  addName({ kind, id, deviceType, name, key, term, isDeleted }: NameRow, nowMs: number): void {
    const { builder } = this.#names;
    builder.string('kind').appendText(kind);
    builder.fixed('id').appendUint(id);
    builder.fixed('device_type').appendUint(deviceType);
    builder.string('name').appendText(name);
    builder.string('key').appendText(key);
    builder.fixed('term').appendUint(term);
    this.#names.end(nowMs, isDeleted);
  }

  addTag({ kind, id, family, name, value, isDeleted }: CustomTagRow, nowMs: number): void {
    const { builder } = this.#tags;
    builder.string('kind').appendText(kind);
    builder.fixed('id').appendUint(id);
    builder.string('family').appendText(family);
    builder.string('name').appendText(name);
    builder.string('value').appendText(value);
    this.#tags.end(nowMs, isDeleted);
  }

  addParents({ kind, id, parents }: ParentRow, nowMs: number): void {
    const { builder } = this.#parents;
    builder.string('kind').appendText(kind);
    builder.fixed('id').appendUint(id);
    for (const [place, name] of PARENTS.entries()) builder.fixed(name).appendUint(parents[place]!);
    this.#parents.end(nowMs);
  }

  addMessage({ hub, record, kind, key, name, id, isGone, timeMs }: IdMessage): void {
    const { builder } = this.#messages;
    builder.string('hub').appendText(hub);
    builder.string('record').appendText(record);
    builder.string('kind').appendText(kind);
    builder.string('key').appendText(key);
    builder.string('name').appendText(name);
    builder.fixed('id').appendUint(id);
    this.#messages.end(timeMs, isGone);
  }

  finish(org: number): Batch[] {
    return this.#all.flatMap((rows) => (rows.builder.rows === 0 ? [] : [rows.finish(org)]));
  }

  reset(): void {
    for (const rows of this.#all) rows.reset();
  }
}

/** A builder with the columns that these tables end with. */
class Rows {
  readonly builder: BatchBuilder;
  /** Not all of them have it. */
  readonly #isDeleted: FixedBuilder | undefined;
  readonly #time: FixedBuilder;
  #min = Infinity;
  #max = -Infinity;

  constructor(builder: BatchBuilder) {
    this.builder = builder;
    const isDeleted = builder.source.columns.some(({ name }) => name === 'is_deleted');
    this.#isDeleted = isDeleted ? builder.fixed('is_deleted') : undefined;
    this.#time = builder.fixed('time');
  }

  end(nowMs: number, isDeleted = false): void {
    this.#isDeleted?.appendUint(isDeleted ? 1 : 0);
    this.#time.appendHalves(nowMs % 4294967296, Math.floor(nowMs / 4294967296));
    this.#min = Math.min(this.#min, nowMs);
    this.#max = Math.max(this.#max, nowMs);
  }

  finish(org: number): Batch {
    return this.builder.finish(org, this.#min, this.#max);
  }

  reset(): void {
    this.builder.reset();
    this.#min = Infinity;
    this.#max = -Infinity;
  }
}
