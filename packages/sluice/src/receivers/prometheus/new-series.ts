import { isUtf8 } from 'node:buffer';
import type { LabelList } from '../../base/label-fields.ts';
import type { LinearMemory } from '../../base/linear-memory.ts';
import type { RemoteWriteLimits } from './config.ts';
import type { LabelFunctions } from './label-code.ts';
import { printable } from './problems.ts';

/** Label fields of one series may take this much on the wire. */
export const MAX_SERIES_BYTES = 60 * 1024;

const NAME_LABEL = Buffer.from('__name__');
const SHOWN_BYTES = 256;

/** What may be wrong with a label set: a reason for the counters and words for the sender. */
export interface LabelProblem {
  readonly reason: 'invalid_labels' | 'label_limit';
  readonly text: string;
}

/**
 * Checks the labels of a new series and brings them into canonical order: sorted, without empty values. Any UTF-8 is allowed in names and values;
 * what is not: an empty name, one name twice, no metric name, more or longer labels than the limits say.
 */
export function checkLabels(
  list: LabelList,
  { bytes }: LinearMemory,
  functions: LabelFunctions,
  limits: RemoteWriteLimits,
): LabelProblem | undefined {
  const isText = (start: number, end: number): boolean =>
    functions.isAscii(start, end - start) === 1 || isUtf8(bytes.subarray(start, end));
  for (let i = 0; i < list.count; i++) {
    if (list.nameEnd(i) === list.nameStart(i)) return invalid('an empty label name');
  }
  list.dropEmpty();
  if (list.count > limits.labelsPerSeries) {
    return tooMuch(`${list.count} labels; expected at most ${limits.labelsPerSeries} (limits.labels)`);
  }
  let total = 0;
  for (let i = 0; i < list.count; i++) {
    const name = list.nameEnd(i) - list.nameStart(i);
    const value = list.valueEnd(i) - list.valueStart(i);
    total += name + value + 16;
    if (name > limits.labelNameBytes) {
      return tooMuch(`a label name of ${name} bytes; expected at most ${limits.labelNameBytes} (limits.label-name)`);
    }
    if (value > limits.labelValueBytes) {
      return tooMuch(
        `a label value of ${value} bytes; expected at most ${limits.labelValueBytes} (limits.label-value)`,
      );
    }
    if (!isText(list.nameStart(i), list.nameEnd(i)) || !isText(list.valueStart(i), list.valueEnd(i))) {
      return invalid('a label that is not valid UTF-8');
    }
  }
  if (total > MAX_SERIES_BYTES) return tooMuch(`label text of ${total} bytes; expected at most ${MAX_SERIES_BYTES}`);
  list.sort(bytes);
  for (let i = 1; i < list.count; i++) {
    if (list.compareNames(bytes, i - 1, i) === 0) {
      const name = Buffer.from(bytes.subarray(list.nameStart(i), list.nameEnd(i))).toString('utf8', 0, SHOWN_BYTES);
      return invalid(`the label ${name} twice`);
    }
  }
  return nameLabel(list, bytes) < 0 ? invalid('no metric name (label __name__)') : undefined;
}

/** Position of `__name__` in the list, or -1. */
export function nameLabel(list: LabelList, bytes: Uint8Array): number {
  for (let i = 0; i < list.count; i++) {
    const start = list.nameStart(i);
    if (list.nameEnd(i) - start === NAME_LABEL.length && NAME_LABEL.every((byte, at) => bytes[start + at] === byte)) {
      return i;
    }
  }
  return -1;
}

/** Writes the canonical bytes of checked labels, at most MAX_SERIES_BYTES, to the address `to`; returns where they end. */
export function putLabels(list: LabelList, to: number, functions: LabelFunctions): number {
  let at = to;
  for (let i = 0; i < list.count; i++) {
    const [name, value] = [list.nameStart(i), list.valueStart(i)];
    at = functions.putLabel(at, name, list.nameEnd(i) - name, value, list.valueEnd(i) - value);
  }
  return at;
}

/** A series in PromQL's form, shortened, fit for answers and logs. */
export function describeLabels(list: LabelList, bytes: Uint8Array): string {
  const text = (start: number, end: number): string =>
    Buffer.from(bytes.buffer, bytes.byteOffset + start, Math.min(end - start, SHOWN_BYTES)).toString();
  const name = nameLabel(list, bytes);
  const labels: string[] = [];
  let length = 0;
  for (let i = 0; i < list.count && length < SHOWN_BYTES; i++) {
    if (i === name) continue;
    const label = `${text(list.nameStart(i), list.nameEnd(i))}=${JSON.stringify(text(list.valueStart(i), list.valueEnd(i)))}`;
    labels.push(label);
    length += label.length;
  }
  if (labels.length < list.count - (name < 0 ? 0 : 1)) labels.push('...');
  const metric = name < 0 ? '' : text(list.valueStart(name), list.valueEnd(name));
  return printable(`${metric}{${labels.join(', ')}}`.slice(0, SHOWN_BYTES * 2));
}

function invalid(what: string): LabelProblem {
  return { reason: 'invalid_labels', text: `has ${what}` };
}

function tooMuch(what: string): LabelProblem {
  return { reason: 'label_limit', text: `has ${what}` };
}
