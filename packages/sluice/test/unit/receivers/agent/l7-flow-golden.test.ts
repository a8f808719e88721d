import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { L7FlowDecoder } from '../../../../src/receivers/agent/l7-flow.ts';
import { RowIds } from '../../../../src/receivers/row-ids.ts';
import { BlockTarget } from '../block-target.ts';
import type { RowValue } from '../row-values.ts';

/** What DeepFlow's own server makes of records, beside what Sluice makes of them. */

const folder = new URL('../../../fixtures/golden/flow_log.l7_flow_log/', import.meta.url);

interface GoldenCase {
  readonly case: string;
  readonly org_id: number;
  readonly team_id: number;
  readonly header_agent_id: number;
  readonly row_counter: number;
  readonly input_base64: string;
  readonly row?: Readonly<Record<string, RowValue>>;
}

/** Universal tags: they come from the inventory, after the decoder. */
const isInventory = (column: string) =>
  /^(?:region|az|host|l3_device|pod|epc|subnet|service|auto_instance|auto_service|tag_source)_/.test(column);

/** A process without a global id is looked up by agent and pid, after the decoder. */
function isLookedUp(column: string, row: Readonly<Record<string, RowValue>>): boolean {
  const side = /^gprocess_id_([01])$/.exec(column)?.[1];
  return side !== undefined && row[column] === 0 && row[`process_id_${side}`] !== 0;
}

const cases = readdirSync(folder)
  .toSorted()
  .map((name) => JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as GoldenCase);

describe('golden records of PROTOCOLLOG', () => {
  for (const golden of cases) {
    it(golden.case, () => {
      const target = new BlockTarget();
      // The counter of the case's row is the next one.
      const rowIds = new RowIds({ hubId: 5, saved: new Map([['flow_log.l7_flow_log', golden.row_counter - 1]]) });
      const decoder = new L7FlowDecoder({ target, rowIds });
      const input = Buffer.from(golden.input_base64, 'base64');
      const sender = { org: golden.org_id, team: golden.team_id, agent: golden.header_agent_id, address: '127.0.0.1' };
      assert.equal(decoder.decode(input, 0, input.length, sender), undefined);
      const [row] = target.take('flow_log.l7_flow_log');
      const names = Object.keys(golden.row!).filter((name) => !isInventory(name) && !isLookedUp(name, row!));
      assert.ok(names.length >= 80);
      assert.deepEqual(pick(row!, names), pick(golden.row!, names));
    });
  }
});

function pick(row: Readonly<Record<string, RowValue>>, names: readonly string[]): Record<string, RowValue | undefined> {
  return Object.fromEntries(names.map((name) => [name, row[name]]));
}
