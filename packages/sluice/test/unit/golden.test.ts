import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { after, describe, test } from 'node:test';
import { RowBlock } from '../../src/batch/row-block.ts';
import { findDataSource } from '../../src/catalog/catalog.ts';
import type { DataSource } from '../../src/catalog/types.ts';
import { createDocumentDecoder } from '../../src/receivers/agent/documents.ts';
import { createL4FlowDecoder } from '../../src/receivers/agent/l4-flow.ts';
import { L7FlowDecoder } from '../../src/receivers/agent/l7-flow.ts';
import { createProcEventDecoder } from '../../src/receivers/agent/proc-event.ts';
import type { RecordDecoder } from '../../src/receivers/record-decoder.ts';
import { RowIds } from '../../src/receivers/row-ids.ts';
import type { RowTarget } from '../../src/receivers/row-target.ts';
import { emptyInventory } from '../../src/tags/empty-inventory.ts';
import { createTagger } from '../../src/tags/tagger.ts';
import { goldenRow, type GoldenValue } from './golden-row.ts';
import { described, ToldSource } from './tags/described.ts';
import { describePlatform, type Platform } from './tags/platform-description.ts';

/** From record to tagged row, compared with the row that DeepFlow's own server made of the same record: fixtures/golden. */

const fixtures = fileURLToPath(new URL('../fixtures/golden/', import.meta.url));

interface GoldenCase {
  readonly data_source: string;
  readonly message_type: number;
  readonly org_id: number;
  readonly team_id: number;
  readonly header_agent_id: number;
  readonly platform: string;
  readonly input_base64: string;
  readonly row?: Readonly<Record<string, GoldenValue>>;
  readonly dropped?: string;
}

const platform = JSON.parse(readFileSync(`${fixtures}platform.json`, 'utf8')) as Platform;
const known = await described([new ToldSource(describePlatform(platform))]);
after(() => known.close());
const { inventory } = known.inventory;
const taggers = new Map([
  ['empty', createTagger({ inventory: () => emptyInventory })],
  ['inventory-1', createTagger({ inventory: (org) => (org === 1 ? inventory : emptyInventory) })],
]);

class Blocks implements RowTarget {
  readonly byId = new Map<string, RowBlock>();

  block(source: DataSource): RowBlock {
    const block = this.byId.get(source.id) ?? new RowBlock(source, 1);
    this.byId.set(source.id, block);
    return block;
  }
}

function decoderOf(messageType: number, target: RowTarget): RecordDecoder {
  const options = { target, rowIds: new RowIds({ hubId: 5 }), now: () => 0 };
  switch (messageType) {
    case 3:
      return createDocumentDecoder(options);
    case 4:
      return createL4FlowDecoder(options);
    case 5:
      return new L7FlowDecoder(options);
    case 14:
      return createProcEventDecoder(options);
    default:
      throw new Error(`no decoder for records of type ${messageType}`);
  }
}

/** What the hub makes of a case: its row, or why there is none. */
function run(golden: GoldenCase): { row?: Record<string, GoldenValue>; dropped?: string } {
  const source = findDataSource(golden.data_source)!;
  const target = new Blocks();
  const record = Buffer.from(golden.input_base64, 'base64');
  const sender = { org: golden.org_id, team: golden.team_id, agent: golden.header_agent_id, address: '192.0.2.1' };
  const dropped = decoderOf(golden.message_type, target).decode(record, 0, record.length, sender);
  if (typeof dropped === 'string') return { dropped };
  const block = target.byId.get(source.id)!;
  assert.equal(block.rows, 1);
  taggers.get(golden.platform)!(block, golden.org_id);
  return { row: goldenRow(block.finish(golden.org_id), 0) };
}

/**
 * What the hub does otherwise, on purpose; everything else must be equal.
 *
 * - `_id`: its counter says how many rows came before, which is another number here than it was there.
 * - `province_0/1`: stay empty without a table of address ranges; DeepFlow brings one along.
 * - `process_kname`: names come in a field of fixed width; the zero bytes behind them are no part of the name.
 * - Numbers that JSON has no spelling for are text in the golden files.
 * - DeepFlow drops documents of other regions than its own; a hub takes all it is sent.
 */
const exceptions: Readonly<Record<string, (value: GoldenValue) => GoldenValue>> = {
  _id: (id) => (typeof id === 'string' ? String((BigInt(id) >> 22n) << 22n) : id),
  province_0: () => '',
  province_1: () => '',
  process_kname: (name) => (typeof name === 'string' ? name.replace(/\0+$/, '') : name),
  metrics_values: (values) =>
    Array.isArray(values) ? values.map((value) => Number(String(value).replace('Inf', 'Infinity'))) : values,
};
const takenHere = /^expand: My regionID/;

function expectedOf(row: Readonly<Record<string, GoldenValue>>): Record<string, GoldenValue> {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, exceptions[name]?.(value) ?? value]));
}

function idOf({ _id: id }: Readonly<Record<string, GoldenValue>>): Record<string, GoldenValue> {
  return id === undefined ? {} : { _id: exceptions['_id']!(id) };
}

const paths = globSync('{flow_metrics,flow_log,event}.*/*.json', { cwd: fixtures }).toSorted();

describe('golden rows', () => {
  assert.ok(paths.length > 150, `${paths.length} cases`);
  for (const path of paths) {
    const golden = JSON.parse(readFileSync(`${fixtures}${path}`, 'utf8')) as GoldenCase;
    test(path.slice(0, -5), () => {
      const made = run(golden);
      if (golden.row !== undefined) {
        assert.deepEqual({ ...made.row, ...idOf(made.row ?? {}) }, expectedOf(golden.row));
      } else if (takenHere.test(golden.dropped!)) {
        const regions = ['region_id', 'region_id_0', 'region_id_1'].map((name) => made.row?.[name]);
        assert.ok(regions.includes(2), `${regions}`);
      } else assert.notEqual(made.dropped, undefined);
    });
  }
});
