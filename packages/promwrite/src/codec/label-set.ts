import { compareUtf8 } from '../wire/utf8.ts';
import { WriteValidationError } from './validation-error.ts';
import type { Label, Labels } from './time-series.ts';

/** Name of the label that holds the metric name. */
export const METRIC_NAME = '__name__';

/**
 * Which names are valid, in Prometheus' terms (`metric_name_validation_scheme`): `legacy` is the character set of
 * remote write 1.0 (`[a-zA-Z_:][a-zA-Z0-9_:]*` for metrics, no colon for labels), `utf8` any non-empty text.
 */
export type NameValidationScheme = 'legacy' | 'utf8';

const LEGACY_METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LEGACY_LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** Label names found valid before. Names come from a small set; the bound only guards against programs gone wrong. */
const knownLegacyNames = new Set<string>();
const MOST_KNOWN_NAMES = 4096;

/**
 * The labels of one series, sorted as the wire wants them. One instance is reused for series after series, so that
 * encoding makes no objects: names and values stand in two parallel arrays, of which the first {@link size} count.
 *
 * Neighbouring series mostly have the same label names in the same order. The set remembers the names as they were
 * given and the order that sorted them; while the names stay the same nothing is compared or sorted again.
 */
export class LabelSet {
  /** Names in sorted order. */
  readonly names: string[] = [];
  /** Values in the order of {@link names}. */
  values: string[] = [];
  size = 0;

  readonly #givenNames: string[] = [];
  readonly #givenValues: string[] = [];
  readonly #sortedValues: string[] = [];
  /** Index into the given labels of every sorted label. */
  #order: number[] = [];
  #inOrder = true;
  #same = true;

  /**
   * Takes the labels of one series, adds those of `external` whose names are absent, and sorts all by name bytes.
   *
   * @throws WriteValidationError if a name or value is not a string.
   */
  collect(labels: Labels, external: readonly Label[] | undefined, path: () => string): void {
    const previousSize = this.size;
    this.size = 0;
    this.#same = true;
    if (Array.isArray(labels)) this.#takeList(labels as readonly Label[], previousSize, path);
    else this.#takeRecord(labels as Readonly<Record<string, string>>, previousSize, path);
    if (external !== undefined) {
      const own = this.size;
      for (const { name, value } of external) {
        if (!this.#isGiven(name, own)) this.#take(name, value, previousSize);
      }
    }
    if (!this.#same || this.size !== previousSize) this.#sort();
    if (this.#inOrder) {
      this.values = this.#givenValues;
      return;
    }
    this.values = this.#sortedValues;
    for (let index = 0; index < this.size; index++) {
      this.#sortedValues[index] = this.#givenValues[this.#order[index]!]!;
    }
  }

  #takeList(list: readonly Label[], previousSize: number, path: () => string): void {
    for (let index = 0; index < list.length; index++) {
      const label = list[index];
      if (typeof label?.name !== 'string' || typeof label.value !== 'string') {
        this.size = 0;
        throw new WriteValidationError(
          `${path()}.labels[${index}]`,
          'expected { name, value }, both strings; convert other values with String()',
        );
      }
      this.#take(label.name, label.value, previousSize);
    }
  }

  #takeRecord(record: Readonly<Record<string, string>>, previousSize: number, path: () => string): void {
    if (typeof record !== 'object' || record === null) {
      throw new WriteValidationError(
        `${path()}.labels`,
        'expected a record of strings or a list of { name, value }; got neither',
      );
    }
    for (const name in record) {
      if (!Object.hasOwn(record, name)) continue;
      const value: unknown = record[name];
      if (typeof value !== 'string') {
        this.size = 0;
        throw new WriteValidationError(
          `${path()}.labels.${name}`,
          `expected a string; got ${value === null ? 'null' : typeof value}; convert it with String()`,
        );
      }
      this.#take(name, value, previousSize);
    }
  }

  #take(name: string, value: string, previousSize: number): void {
    const at = this.size++;
    if (at >= previousSize || this.#givenNames[at] !== name) {
      this.#givenNames[at] = name;
      this.#same = false;
    }
    this.#givenValues[at] = value;
  }

  #isGiven(name: string, among: number): boolean {
    for (let index = 0; index < among; index++) {
      if (this.#givenNames[index] === name) return true;
    }
    return false;
  }

  #sort(): void {
    const { size } = this;
    const given = this.#givenNames;
    const order = this.#order;
    this.#inOrder = true;
    for (let index = 0; index < size; index++) {
      order[index] = index;
      if (index > 0 && compareUtf8(given[index - 1]!, given[index]!) > 0) this.#inOrder = false;
    }
    if (!this.#inOrder) {
      order.length = size;
      order.sort((left, right) => compareUtf8(given[left]!, given[right]!) || left - right);
    }
    for (let index = 0; index < size; index++) this.names[index] = given[order[index]!]!;
  }

  /** The value of a label, or `undefined`. */
  get(name: string): string | undefined {
    for (let index = 0; index < this.size; index++) {
      if (this.names[index] === name) return this.values[index];
    }
    return undefined;
  }

  /** The labels as a new list. */
  toLabels(): Label[] {
    const labels: Label[] = [];
    for (let index = 0; index < this.size; index++) {
      labels.push({ name: this.names[index]!, value: this.values[index]! });
    }
    return labels;
  }

  /**
   * Checks the rules of section 1.3 / 2.4: a metric name, valid names, no empty or repeated names, no empty values.
   *
   * @throws WriteValidationError that names the label.
   */
  assertValid(scheme: NameValidationScheme, path: () => string): void {
    let metricName: string | undefined;
    for (let index = 0; index < this.size; index++) {
      const name = this.names[index]!;
      const value = this.values[index]!;
      if (index > 0 && this.names[index - 1] === name) {
        throw new WriteValidationError(`${path()}.labels.${name}`, 'expected every label name once; got it twice');
      }
      if (name === METRIC_NAME) metricName = value;
      else if (!isValidLabelName(name, scheme)) {
        throw new WriteValidationError(
          `${path()}.labels`,
          scheme === 'legacy'
            ? `expected a label name of the form [a-zA-Z_][a-zA-Z0-9_]*; got ${quote(name)}`
            : `expected a label name that is not empty and valid Unicode; got ${quote(name)}`,
        );
      }
      if (value === '') {
        throw new WriteValidationError(
          `${path()}.labels.${name}`,
          'expected a value; got an empty one; leave the label out',
        );
      }
      if (!value.isWellFormed()) {
        throw new WriteValidationError(`${path()}.labels.${name}`, 'expected valid Unicode; got a lone surrogate');
      }
    }
    if (metricName === undefined) {
      throw new WriteValidationError(`${path()}.labels`, 'expected the metric name as label __name__; got none');
    }
    if (scheme === 'legacy' && !LEGACY_METRIC_NAME.test(metricName)) {
      throw new WriteValidationError(
        `${path()}.labels.__name__`,
        `expected a metric name of the form [a-zA-Z_:][a-zA-Z0-9_:]*; got ${quote(metricName)}`,
      );
    }
  }
}

/** True if `name` may be the name of a label (other than `__name__`, which always may). */
export function isValidLabelName(name: string, scheme: NameValidationScheme): boolean {
  if (knownLegacyNames.has(name)) return true;
  if (LEGACY_LABEL_NAME.test(name)) {
    if (knownLegacyNames.size < MOST_KNOWN_NAMES) knownLegacyNames.add(name);
    return true;
  }
  return scheme === 'utf8' && name !== '' && name.isWellFormed();
}

/** True if `name` may be the name of a metric. */
export function isValidMetricName(name: string, scheme: NameValidationScheme): boolean {
  return scheme === 'legacy' ? LEGACY_METRIC_NAME.test(name) : name !== '' && name.isWellFormed();
}

function quote(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}...` : name);
}
