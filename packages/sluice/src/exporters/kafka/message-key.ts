import { bug } from '../../base/errors.ts';
import type { Cells } from '../cells.ts';
import type { SelectedField, Selector } from '../selection.ts';
import { CellText, cellText, type AppendText } from './cell-text.ts';
import { murmur2 } from './murmur2.ts';
import type { KafkaKey } from './config.ts';

/** Key of a row's message: the first `length` bytes of `bytes`, none when it is 0. */
export interface MessageKeys {
  readonly text: CellText;
  /** Makes the key of a row. */
  set(row: number): void;
}

/** Second seed, for the other half of a hash. */
const OTHER_SEED = 0x2f0b_4c47;
const HEX = new TextEncoder().encode('0123456789abcdef');
const SEPARATOR = 0;

/** Keys of the rows that `cells` are of; undefined where there are none. */
export function messageKeys(key: KafkaKey, selector: Selector, cells: readonly Cells[]): MessageKeys | undefined {
  if (key.kind === 'none') return undefined;
  if (key.kind === 'field') {
    const index = findField(selector.fields, key.field);
    return index < 0 ? undefined : fieldKeys(cellText(cells[index] ?? bug(`no cells for ${key.field}`)));
  }
  return hasSeries(selector) ? seriesKeys(selector.fields, cells) : undefined;
}

/** By any of its names: that of the setting, of the row, of a series. */
export function findField(fields: readonly SelectedField[], name: string): number {
  return fields.findIndex(({ jsonKey, label, spec }) => name === jsonKey || name === label || name === spec.name);
}

/** Rows of logs and events are each by itself: only what is measured over and over is a series. */
function hasSeries({ source }: Selector): boolean {
  return source.database === 'flow_metrics';
}

function fieldKeys(append: AppendText): MessageKeys {
  const text = new CellText();
  return {
    text,
    set: (row) => {
      text.clear();
      append(text, row);
    },
  };
}

/** 16 hexadecimal digits over everything of a row but its time and what is measured. */
function seriesKeys(fields: readonly SelectedField[], cells: readonly Cells[]): MessageKeys {
  const appends = cells.filter((_, i) => isOfSeries(fields[i]!)).map((field) => cellText(field));
  const all = new CellText();
  const text = new CellText();
  text.reserve(16);
  return {
    text,
    set: (row) => {
      all.clear();
      for (const append of appends) {
        append(all, row);
        all.appendByte(SEPARATOR);
      }
      putHex(text.bytes, 0, murmur2(all.bytes, all.length));
      putHex(text.bytes, 8, murmur2(all.bytes, all.length, OTHER_SEED));
      text.length = 16;
    },
  };
}

function isOfSeries({ isMetric, isLegacy, spec }: SelectedField): boolean {
  return !isMetric && !isLegacy && spec.role !== 'time' && spec.name !== '_id' && spec.name !== '_tid';
}

/** Eight digits. */
export function putHex(bytes: Uint8Array, at: number, value: number): void {
  for (let i = 0; i < 8; i++) bytes[at + i] = HEX[(value >>> (28 - i * 4)) & 15]!;
}
