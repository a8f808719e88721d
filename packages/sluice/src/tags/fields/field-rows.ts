import type { Batch } from '../../batch/batch.ts';
import { BatchBuilder, type FixedBuilder, type StringBuilder } from '../../batch/builder.ts';
import { observedField } from '../../catalog/flow-tags.ts';
import type { TextColumn } from './field-texts.ts';

/** The row of data that something was seen in first. */
export interface SeenIn {
  /** Begin of its hour, epoch seconds. */
  hourS: number;
  vpc: number;
  namespace: number;
  team: number;
}

/** What was seen. */
export interface SeenField {
  readonly record: 'field' | 'value' | 'application';
  readonly type: 'tag' | 'metrics';
  readonly database: string;
  readonly table: string;
  /** Text of a column, or one that is known beforehand. */
  readonly name: TextColumn | string;
  readonly nameAt: number;
  /** Absent for fields. */
  readonly value?: TextColumn;
  readonly valueAt?: number;
}

type TextName = 'database' | 'record' | 'table_name' | 'field_type' | 'field_name' | 'field_value_type' | 'field_value';
type NumberName = 'time' | 'vpc_id' | 'pod_ns_id' | 'team_id' | 'count';

/** Rows of flow_tag.observed_field of one organisation. What `finish` gives is good until `reset`. */
export class FieldRows {
  readonly #builder = new BatchBuilder(observedField, 64);
  readonly #text: (name: TextName) => StringBuilder;
  readonly #number: (name: NumberName) => FixedBuilder;
  #minS = Infinity;
  #maxS = -Infinity;

  constructor() {
    const texts = new Map<TextName, StringBuilder>();
    const numbers = new Map<NumberName, FixedBuilder>();
    const builder = this.#builder;
    this.#text = (name) => texts.get(name) ?? keep(texts, name, builder.string(name));
    this.#number = (name) => numbers.get(name) ?? keep(numbers, name, builder.fixed(name));
  }

  get count(): number {
    return this.#builder.rows;
  }

  add({ record, type, database, table, name, nameAt, value, valueAt = 0 }: SeenField, seen: SeenIn): void {
    this.#text('database').appendText(database);
    this.#text('record').appendText(record);
    this.#text('table_name').appendText(table);
    this.#text('field_type').appendText(type);
    if (typeof name === 'string') this.#text('field_name').appendText(name);
    else this.#text('field_name').append(name.bytes, name.start(nameAt), name.end(nameAt));
    this.#text('field_value_type').appendText(type === 'tag' ? 'string' : 'float');
    if (value === undefined) this.#text('field_value').appendText('');
    else this.#text('field_value').append(value.bytes, value.start(valueAt), value.end(valueAt));
    this.#number('time').appendUint(seen.hourS);
    this.#number('vpc_id').appendUint(seen.vpc);
    this.#number('pod_ns_id').appendUint(seen.namespace);
    this.#number('team_id').appendUint(seen.team);
    this.#number('count').appendHalves(1, 0);
    this.#minS = Math.min(this.#minS, seen.hourS);
    this.#maxS = Math.max(this.#maxS, seen.hourS);
  }

  finish(org: number): Batch {
    return this.#builder.finish(org, this.#minS * 1000, this.#maxS * 1000);
  }

  reset(): void {
    this.#builder.reset();
    this.#minS = Infinity;
    this.#maxS = -Infinity;
  }
}

function keep<K, V>(map: Map<K, V>, key: K, value: V): V {
  map.set(key, value);
  return value;
}
