import assert from 'node:assert/strict';
import { createProcEventDecoder, type ProcEventDecoder } from '../../../../src/receivers/agent/proc-event.ts';
import type { Sender } from '../../../../src/receivers/record-decoder.ts';
import { RowIds } from '../../../../src/receivers/row-ids.ts';
import { BlockTarget, OPEN, SENDER } from '../block-target.ts';
import type { Row, RowValue } from '../row-values.ts';

export interface Fixture {
  readonly target: BlockTarget;
  readonly decoder: ProcEventDecoder;
  readonly clock: { now: number };
  readonly decode: (record: Uint8Array, sender?: Sender) => string | undefined;
}

export function fixture(window = OPEN, saved = 0): Fixture {
  const clock = { now: 1_700_000_000_000 };
  const target = new BlockTarget(2, window, clock.now);
  const tables = ['file_event', 'file_agg_event', 'file_mgmt_event', 'proc_perm_event', 'proc_ops_event'];
  const decoder = createProcEventDecoder({
    target,
    rowIds: new RowIds({ hubId: 5, saved: new Map(tables.map((table) => [`event.${table}`, saved])) }),
    now: () => clock.now,
  });
  return {
    target,
    decoder,
    clock,
    decode: (record, sender = SENDER) => {
      // Records lie between others.
      const frame = Buffer.concat([Buffer.alloc(7, 0xff), record, Buffer.alloc(16, 0xff)]);
      const outcome = decoder.decode(frame, 7, 7 + record.length, sender);
      assert.ok(outcome === undefined || typeof outcome === 'string');
      return outcome;
    },
  };
}

export function pick(row: Row | undefined, names: readonly string[]): Record<string, RowValue | undefined> {
  assert.ok(row !== undefined, 'expected a row');
  return Object.fromEntries(names.map((name) => [name, row[name]]));
}
