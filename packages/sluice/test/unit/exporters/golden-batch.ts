import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Batch } from '../../../src/batch/batch.ts';
import { RowBlock } from '../../../src/batch/row-block.ts';
import { findDataSource } from '../../../src/catalog/catalog.ts';
import type { GoldenValue } from '../golden-row.ts';
import { addressBytes } from '../tags/address-bytes.ts';

/** Golden cases as what exporters are given. */

const fixtures = fileURLToPath(new URL('../../fixtures/golden/', import.meta.url));

export interface GoldenExport {
  /** `flow_log.l7_flow_log/000_http1_ok_ebpf_c`. */
  readonly id: string;
  readonly data_source: string;
  readonly org_id: number;
  readonly platform: string;
  readonly row: Readonly<Record<string, GoldenValue>>;
  /** Variant -> text of the message; an object with `$panic`, `$error` or `$base64` where there is no such text. */
  readonly kafka_json?: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly prometheus?: Readonly<Record<string, unknown>>;
  readonly otlp?: Readonly<Record<string, unknown>>;
}

export interface GoldenVariant {
  readonly name: string;
  readonly protocol: 'kafka' | 'prometheus' | 'opentelemetry';
  /** Settings of the exporter. */
  readonly yaml: string;
}

export const goldenVariants: readonly GoldenVariant[] = (
  JSON.parse(readFileSync(`${fixtures}meta.json`, 'utf8')) as { readonly variants: readonly GoldenVariant[] }
).variants;

/** Every case with a row, of the data sources that a pattern names: `flow_log.*`. */
export function goldenExports(pattern = '{flow_metrics,flow_log,event}.*'): GoldenExport[] {
  const cases = globSync(`${pattern}/*.json`, { cwd: fixtures })
    .toSorted()
    .map((path) => readGolden(path.slice(0, -5)))
    .filter((golden) => golden.row !== undefined);
  assert.ok(cases.length > 0, `no golden cases for ${pattern}`);
  return cases;
}

/** One case: `flow_log.l7_flow_log/000_http1_ok_ebpf_c`. */
export function readGolden(id: string): GoldenExport {
  return { ...(JSON.parse(readFileSync(`${fixtures}${id}.json`, 'utf8')) as GoldenExport), id };
}

/** The recorded rows of cases of one data source and organisation as one Batch, in their order. */
export function goldenBatch(cases: readonly GoldenExport[]): Batch {
  const [first] = cases;
  const source = findDataSource(first!.data_source)!;
  const block = new RowBlock(source, cases.length);
  for (const { row, data_source, org_id } of cases) {
    assert.deepEqual([data_source, org_id], [first!.data_source, first!.org_id]);
    for (const [name, value] of Object.entries(row)) setValue(block, name, value);
    block.commit(Number(row['time']) * 1000);
  }
  return block.finish(first!.org_id);
}

function setValue(block: RowBlock, name: string, value: GoldenValue): void {
  const column = block.column(name);
  if (value === null) return;
  if (Array.isArray(value)) {
    for (const element of value as readonly (number | string)[]) {
      // Numbers that JSON has no spelling for are text.
      if (block.elementWidth(column) === 0) block.pushText(column, String(element));
      else block.pushNumber(column, Number(String(element).replace('Inf', 'Infinity')));
    }
  } else if (block.textOf[column]! >= 0) block.setText(column, String(value));
  else if (block.isDouble(column)) block.setDouble(column, Number(String(value).replace('Inf', 'Infinity')));
  else if (block.fixed[column]!.width === 8) {
    const bits = BigInt.asUintN(64, BigInt(value as string));
    block.setHalves(column, Number(bits & 0xffff_ffffn), Number(bits >> 32n));
  } else if (typeof value === 'number') block.setNumber(column, value);
  else {
    const bytes = addressBytes(value as string);
    if (bytes.length === 16) block.setBytes(column, bytes, 0);
    else block.setNumber(column, new DataView(bytes.buffer, bytes.byteOffset).getUint32(0));
  }
}
