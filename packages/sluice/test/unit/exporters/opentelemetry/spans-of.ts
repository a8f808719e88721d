import type { Names } from '../../../../src/base/ports.ts';
import type { Batch } from '../../../../src/batch/batch.ts';
import { ItemWriter } from '../../../../src/delivery/item-writer.ts';
import type { ItemSink } from '../../../../src/delivery/types.ts';
import { SpanEncoder } from '../../../../src/exporters/opentelemetry/encode.ts';
import { compileSelector } from '../../../../src/exporters/select.ts';
import type { SelectionConfig } from '../../../../src/exporters/config-filters.ts';
import { selection } from '../selection-config.ts';
import { type AnyValue, decode, type KeyValue, type Resource, type Span } from './otlp-messages.ts';

export interface MadeSpan {
  readonly resource: Resource;
  readonly span: Span;
}

/** Encodes a Batch; the one writer that holds its items. */
export function encodeBatch(
  batch: Batch,
  names: Names,
  own: Partial<SelectionConfig> = {},
  firstRow = 1000,
): ItemWriter {
  const selector = compileSelector({ config: selection(own), source: batch.source, names, endpoints: () => [] });
  const pass = new SpanEncoder(selector, names).begin(batch, firstRow, 0);
  const writer = new ItemWriter();
  const sink: ItemSink = {
    lanes: 1,
    lane: () => writer,
    spread: () => writer,
    reject: (row, why) => {
      throw new Error(`row ${row}: ${why}`);
    },
  };
  pass.encode(0, pass.rows.length, sink);
  return writer;
}

/** What a receiver makes of a Batch. */
export function spansOf(batch: Batch, names: Names, own: Partial<SelectionConfig> = {}): MadeSpan[] {
  const writer = encodeBatch(batch, names, own);
  return Array.from({ length: writer.count }, (_, item) => ({
    resource: decode('Resource', part(writer.heads, writer.headEnds, item)),
    span: decode('Span', part(writer.bytes, writer.ends, item)),
  }));
}

export function part(bytes: Uint8Array, ends: Uint32Array, item: number): Uint8Array {
  return bytes.subarray(item === 0 ? 0 : ends[item - 1]!, ends[item]);
}

/** Attributes by name; two of one name are an error. */
export function attributesOf(of: { readonly attributes?: readonly KeyValue[] }): ReadonlyMap<string, AnyValue> {
  const map = new Map<string, AnyValue>();
  for (const { key = '', value = {} } of of.attributes ?? []) {
    if (map.has(key)) throw new Error(`two attributes ${key}`);
    map.set(key, value);
  }
  return map;
}
