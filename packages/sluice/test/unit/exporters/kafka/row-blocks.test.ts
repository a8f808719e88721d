import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { RowBlock } from '../../../../src/batch/row-block.ts';
import { l7FlowLog } from '../../../../src/catalog/l7-flow-log.ts';
import type { Cells, NamedCells } from '../../../../src/exporters/cells.ts';
import { encodeRows } from '../../../../src/exporters/kafka/encode.ts';
import type { SelectedField, Selector } from '../../../../src/exporters/selection.ts';
import { encodeAll, kafkaConfig, Lanes, passOptions } from './encoded.ts';

/** Enough for several blocks, and for fields that are the same in all rows to be looked for. */
const ROWS = 200;
const ALL = Uint32Array.from({ length: ROWS }, (_, row) => row);

const batch = (() => {
  const block = new RowBlock(l7FlowLog, ROWS);
  for (let row = 0; row < ROWS; row++) {
    block.setNumber(block.column('time'), 1_700_000_000 + row);
    block.setInteger(block.column('end_time'), (1_700_000_000 + row) * 1e6);
    block.commit((1_700_000_000 + row) * 1000);
  }
  return block.finish(1);
})();

function encoded(fields: ReadonlyMap<string, Cells>, rows = ALL): string[] {
  const spec = l7FlowLog.columns[0]!;
  const selected = [...fields.keys()].map((key): SelectedField => ({
    spec,
    jsonKey: key,
    label: key,
    isMetric: false,
    isLegacy: false,
  }));
  const selector: Selector = {
    source: l7FlowLog,
    fields: selected,
    categories: new Set(),
    select: () => ({ rows, left: new Map() }),
    cells: () => [...fields.values()],
    podLabels: () => [],
  };
  const pass = encodeRows(passOptions(batch, kafkaConfig({ 'export-empty-tag': false })), selector);
  return encodeAll(pass, new Lanes(1))
    .items()
    .map(({ body }) => body);
}

function texts(values: readonly string[]): Cells {
  const ends = new Uint32Array(values.length);
  const parts: Buffer[] = [];
  let end = 0;
  for (const [row, value] of values.entries()) {
    const bytes = Buffer.from(value);
    const length: number[] = [];
    let rest = bytes.length;
    for (; rest > 127; rest >>>= 7) length.push((rest & 127) | 128);
    parts.push(Buffer.of(...length, rest), bytes);
    end += length.length + 1 + bytes.length;
    ends[row] = end;
  }
  return { kind: 'text', bytes: Buffer.concat(parts), ends };
}

const numbers = (value: (row: number) => number): Cells => ({ kind: 'unsigned', values: ALL.map(value) });

function withoutFrame(body: string): Record<string, unknown> {
  const { datasource, time_str: time, ...rest } = JSON.parse(body) as Record<string, unknown>;
  assert.equal(datasource, 'flow_log.l7_flow_log');
  assert.match(String(time), /^2023-/);
  return rest;
}

describe('rows that are written side by side', () => {
  it('have their own values, whichever of them are exported', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(ROWS - 1), { minLength: 1, maxLength: ROWS }), (some) => {
        const rows = Uint32Array.from(some).toSorted();
        const words = ALL.map((row) => `w${'é"'.repeat(row % 7)}`.length);
        const values = Array.from(ALL, (row) => `r${row}${'\n'.repeat(words[row]!)}`);
        const fields = new Map<string, Cells>([
          ['n', numbers((row) => row * 1_000_003)],
          ['t', texts(values)],
        ]);
        const expected = Array.from(rows, (row) => ({ n: row * 1_000_003, t: values[row] }));
        assert.deepEqual(encoded(fields, rows).map(withoutFrame), expected);
      }),
      { numRuns: 30 },
    );
  });

  it('have what is the same in all of them, and all but the same', () => {
    const table = { texts: [Buffer.alloc(0), Buffer.from('a')], json: [Buffer.from('""'), Buffer.from('"a"')] };
    const named = (index: (row: number) => number, nulls?: Uint8Array): NamedCells => ({
      kind: 'named',
      index: ALL.map(index),
      table,
      ...(nulls && { nulls }),
    });
    const absent = new Uint8Array(ROWS).fill(1);
    const last = (row: number) => (row === ROWS - 1 ? 1 : 0);
    const fields = new Map<string, Cells>([
      ['zero', numbers(() => 0)],
      ['seven', { kind: 'unsigned', values: new Uint8Array(ROWS).fill(7) }],
      ['minus', { kind: 'signed', values: new Int32Array(ROWS).fill(-5) }],
      ['last', numbers(last)],
      ['long', { kind: 'signed64', words: new Uint32Array(ROWS * 2).fill(0xffff_ffff) }],
      ['halves', { kind: 'unsigned64', words: Uint32Array.from({ length: ROWS * 2 }, (_, i) => i & 1) }],
      ['one', { kind: 'unsigned64', words: new Uint32Array(ROWS * 2).with(ROWS * 2 - 1, 1) }],
      ['null', { kind: 'unsigned', values: ALL, nulls: absent }],
      ['almostNull', { kind: 'unsigned', values: ALL, nulls: absent.with(ROWS - 1, 0) }],
      ['name', named(() => 1)],
      ['noName', named(() => 0)],
      ['lastName', named(last)],
      ['nullName', named(() => 1, absent)],
      ['empty', texts(Array.from(ALL, () => ''))],
      ['lastText', texts(Array.from(ALL, (row) => (last(row) === 1 ? 'x' : '')))],
    ]);
    const same = { zero: 0, seven: 7, minus: -5, last: 0, long: -1, halves: 2 ** 32, one: 0, name: 'a' };
    const expected = Array.from(ALL, (): Record<string, unknown> => same);
    expected[ROWS - 1] = { ...same, last: 1, one: 2 ** 32, almostNull: ROWS - 1, lastName: 'a', lastText: 'x' };
    assert.deepEqual(encoded(fields).map(withoutFrame), expected);
  });

  it('may be larger than all memory that is kept for them', () => {
    const values = Array.from(ALL, (row) =>
      row % 50 === 3 ? '\u0001'.repeat(400_000) : row % 9 === 0 ? 'é'.repeat(9000) : 'x',
    );
    const found = encoded(new Map([['t', texts(values)]])).map((body) => withoutFrame(body)['t']);
    assert.ok(found.every((value, row) => value === values[row]));
    assert.equal(found.length, ROWS);
  });
});
