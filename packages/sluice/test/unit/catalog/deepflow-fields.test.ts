import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { findDataSource } from '../../../src/catalog/catalog.ts';
import { categoryOf, exportKey, settingName, translatedKey } from '../../../src/catalog/export-names.ts';
import type { ColumnSpec } from '../../../src/catalog/types.ts';

/** DeepFlow's own description of its eleven exportable tables, in the order of their columns (fixtures/fields, facts only). */
interface Field {
  readonly name: string;
  readonly mapName: string | null;
  /** null: not stored. */
  readonly column: string | null;
  readonly chType: string | null;
  readonly category: string;
  readonly sub: string | null;
  readonly enum: string | null;
  readonly toString: string | null;
  readonly universalTag: string | null;
  readonly side: 0 | 1 | null;
  readonly unit: string | null;
  /** DeepFlow does send it. */
  readonly exported: boolean;
  /** It is meant to be sent. */
  readonly exportTag: boolean;
  readonly kafkaKey: string | null;
  readonly promName: string | null;
  readonly emitOrder: number | null;
  readonly index: string | null;
  readonly codec: string | null;
  readonly rollup?: string | null;
}

const tables = [
  ['network', ['flow_metrics.network.1s', 'flow_metrics.network.1m']],
  ['network_map', ['flow_metrics.network_map.1s', 'flow_metrics.network_map.1m']],
  ['application', ['flow_metrics.application.1s', 'flow_metrics.application.1m']],
  ['application_map', ['flow_metrics.application_map.1s', 'flow_metrics.application_map.1m']],
  ['l4_flow_log', ['flow_log.l4_flow_log']],
  ['l7_flow_log', ['flow_log.l7_flow_log']],
  ['file_event', ['event.file_event']],
  ['file_agg_event', ['event.file_agg_event']],
  ['file_mgmt_event', ['event.file_mgmt_event']],
  ['proc_perm_event', ['event.proc_perm_event']],
  ['proc_ops_event', ['event.proc_ops_event']],
] as const;

for (const [file, ids] of tables) {
  const fields = readFields(file);
  for (const id of ids) {
    describe(id, () => {
      const source = findDataSource(id);
      assert(source !== undefined);

      it('has the columns of DeepFlow, in order, with type, codec and index', () => {
        assert.deepEqual(
          source.columns.map(stored),
          fields
            .filter(({ column }) => column !== null)
            .map((field) => ({
              column: field.column,
              type: field.chType,
              codec: field.codec,
              index: field.index,
              category: field.category,
              sub: field.sub,
              side: field.side,
              universalTag: field.universalTag,
              enum: enumOf(id, field),
              unit: field.unit === '1' ? null : field.unit,
              exported: field.exportTag,
            })),
        );
      });

      const sent = fields.filter((field) => field.exportTag && canBeFilled(field)).toSorted(byEmission);

      it('gives exporters the fields of DeepFlow, in the order of its messages', () => {
        assert.deepEqual(
          source.exportFields?.map(({ name }) => name),
          sent.map((field) => field.column ?? field.name),
        );
      });

      it('names them as DeepFlow does', () => {
        for (const [index, theirs] of sent.entries()) {
          const ours: ColumnSpec | undefined = source.exportFields?.[index];
          assert(ours !== undefined);
          assert.equal(settingName(source, ours), theirs.name);
          assert.equal(exportsText(ours), theirs.toString ?? (ours.type === 'IPv6' ? 'IPv6' : null));
          // The quirk of a broken declaration, which is no name.
          if (theirs.kafkaKey !== null && theirs.column !== 'capture_nic_type')
            assert.equal(translatedKey(ours), theirs.kafkaKey);
          if (theirs.promName !== null) assert.equal(exportKey(ours), theirs.promName);
        }
      });

      it('sums, averages and groups as DeepFlow does for longer intervals', () => {
        if (!id.startsWith('flow_metrics.')) return;
        const ours = source.columns.map((column) => [column.name, rollUpOf(column)]);
        const theirs = fields.filter(({ column }) => column !== null).map(({ column, rollup }) => [column, rollup]);
        assert.deepEqual(ours, theirs);
      });
    });
  }
}

function readFields(file: string): readonly Field[] {
  const path = new URL(`../../fixtures/fields/${file}.json`, import.meta.url);
  return JSON.parse(readFileSync(path, 'utf8')) as readonly Field[];
}

function stored(column: ColumnSpec) {
  return {
    column: column.name,
    type: column.type.replace(", 'UTC')", ')').replace("('UTC')", ''),
    codec: column.codec ?? null,
    index: column.index ?? null,
    category: categoryOf(column),
    sub: column.sub ?? null,
    side: column.side ?? null,
    universalTag: column.universalTag ?? null,
    enum: column.enum ?? null,
    unit: column.unit ?? null,
    exported: column.exported !== false,
  };
}

function byEmission(a: Field, b: Field): number {
  return (a.emitOrder ?? -1) - (b.emitOrder ?? -1);
}

function exportsText(field: ColumnSpec): string | null {
  if (field.text === 'mac') return 'MAC';
  return field.type === 'IPv4' || field.type === 'IPv6' ? field.type : null;
}

function rollUpOf(column: ColumnSpec): string | null {
  if (column.rollUp === false) return null;
  if (column.rollUp === 'average') return 'avg';
  return column.role === 'metric' ? 'sum' : 'group';
}

/** A broken declaration takes the list away from DeepFlow's own exporter; the names are meant to be used. */
function enumOf(id: string, field: Field): string | null {
  return id === 'flow_log.l7_flow_log' && field.column === 'capture_nic_type' ? 'capture_nic_type' : field.enum;
}

/** The tables of processes inherit fields of files, which they have no columns for and never fill. */
function canBeFilled(field: Field): boolean {
  return field.column !== null || /^(?:org_id|pod_group_type)/.test(field.name);
}
