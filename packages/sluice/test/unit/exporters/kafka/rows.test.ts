import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { RowBlock } from '../../../../src/batch/row-block.ts';
import { l7FlowLog } from '../../../../src/catalog/l7-flow-log.ts';
import { ADDRESS, type Cells } from '../../../../src/exporters/cells.ts';
import { encodeRows } from '../../../../src/exporters/kafka/encode.ts';
import type { PodLabelCells, SelectedField, Selector } from '../../../../src/exporters/selection.ts';
import { cellValue, type CellValue } from '../cell-value.ts';
import { encodeAll, kafkaConfig, passOptions } from './encoded.ts';
import { randomCells } from './random-cells.ts';

const ROWS = 5;
/** What rows are numbered by: the time of row i is i seconds and i microseconds after this. */
const START = 1_700_000_000;

const batch = (() => {
  const block = new RowBlock(l7FlowLog, ROWS);
  for (let row = 0; row < ROWS; row++) {
    block.setNumber(block.column('time'), START + row);
    block.setInteger(block.column('end_time'), (START + row) * 1e6 + row);
    block.commit((START + row) * 1000);
  }
  return block.finish(1);
})();

interface Made {
  readonly fields: readonly SelectedField[];
  readonly cells: readonly Cells[];
  readonly labels?: readonly PodLabelCells[];
}

function selectorOf({ fields, cells, labels = [] }: Made): Selector {
  return {
    source: l7FlowLog,
    fields,
    categories: new Set(),
    select: () => ({ rows: Uint32Array.from({ length: ROWS }, (_, row) => row), left: new Map() }),
    cells: () => cells,
    podLabels: () => labels,
  };
}

function field(key: string, settings: Partial<SelectedField> = {}): SelectedField {
  const spec = l7FlowLog.columns[0]!;
  return { spec, jsonKey: key, label: key, isMetric: false, isLegacy: false, ...settings };
}

function encoded(made: Made, keys: Readonly<Record<string, unknown>> = {}): string[] {
  const pass = encodeRows(passOptions(batch, kafkaConfig(keys)), selectorOf(made));
  return encodeAll(pass)
    .items()
    .toSorted((a, b) => a.row - b.row)
    .map(({ body }) => body);
}

/** Whole numbers that are no safe ones as BigInt. */
function parsed(text: string): Readonly<Record<string, unknown>> {
  return JSON.parse(text, (_key, value: unknown, context?: { readonly source?: string }) =>
    typeof value === 'number' &&
    Number.isInteger(value) &&
    !Number.isSafeInteger(value) &&
    /^-?\d+$/.test(context!.source!)
      ? BigInt(context!.source!)
      : value,
  ) as Readonly<Record<string, unknown>>;
}

const isUnspecified = (bytes: Uint8Array, row: number) =>
  bytes.subarray(row * 16, row * 16 + 16).every((byte) => byte === 0);

/** The value of a field in a row; undefined where it is left out. */
function expected(cells: Cells, row: number, isLeftOut: (value: CellValue) => boolean): unknown {
  let value: unknown = cellValue(cells, row);
  if (cells.kind === 'named' && value !== undefined && cells.index[row] === ADDRESS) {
    const { isIpv4, ipv6 } = cells.address!;
    if (isIpv4[row] === 0 && isUnspecified(ipv6, row)) value = '';
  }
  return isLeftOut(value as CellValue) ? undefined : value;
}

/** Doubles need not be written with all their digits; whole numbers must be the same. */
function isWritten(got: unknown, value: unknown): boolean {
  if (Array.isArray(value)) {
    return Array.isArray(got) && got.length === value.length && value.every((one, i) => isWritten(got[i], one));
  }
  return Object.is(typeof value === 'number' ? Number(got) : got, value);
}

const isEmpty = (value: CellValue) => value === '' || (Array.isArray(value) && value.length === 0);

describe('rows as JSON', () => {
  for (const emptyTag of [false, true]) {
    it(`has the values of all kinds of cells, empty tags ${emptyTag ? 'too' : 'left out'}`, () => {
      fc.assert(
        fc.property(fc.array(randomCells(ROWS), { minLength: 1, maxLength: 6 }), (cells) => {
          const fields = cells.map((_, i) => field(`f${i}`));
          const rows = encoded({ fields, cells }, { 'export-empty-tag': emptyTag }).map((text) => parsed(text));
          assert.equal(rows.length, ROWS);
          for (const [row, object] of rows.entries()) {
            const wanted = Object.fromEntries(
              cells.map((one, i) => [
                `f${i}`,
                expected(one, row, (value) => value === undefined || (!emptyTag && isEmpty(value))),
              ]),
            );
            for (const [key, value] of Object.entries(wanted)) {
              const got = object[key];
              if (value === undefined) assert.equal(got, undefined);
              else assert.ok(isWritten(got, value), `${key}: ${String(got)} in place of ${String(value)}`);
            }
            const keys = Object.keys(wanted).filter((key) => wanted[key] !== undefined);
            assert.deepEqual(Object.keys(object), ['datasource', ...keys, 'time_str']);
          }
        }),
        { numRuns: 300 },
      );
    });
  }

  it('leaves out metrics that are 0 when told so', () => {
    fc.assert(
      fc.property(randomCells(ROWS), (cells) => {
        const rows = encoded(
          { fields: [field('m', { isMetric: true })], cells: [cells] },
          { 'export-empty-metrics-disabled': true },
        );
        for (const [row, text] of rows.entries()) {
          const value = expected(
            cells,
            row,
            (one) => isEmpty(one) || (one === 0 && typeof one === 'number' && /^(?:un)?signed|float/.test(cells.kind)),
          );
          assert.equal('m' in parsed(text), value !== undefined, text);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('writes 64-bit integers as texts when told so', () => {
    const words = Uint32Array.from([1, 0, 0xffff_ffff, 0xffff_ffff, 0, 0x8000_0000, 5, 0, 0, 0]);
    const made = {
      fields: [field('u'), field('s'), field('n')],
      cells: [
        { kind: 'unsigned64', words },
        { kind: 'signed64', words },
        { kind: 'unsigned', values: Uint32Array.from([1, 2, 3, 4, 5]) },
      ] satisfies Cells[],
    };
    const rows = encoded(made, { json: { int64: 'string' } }).map((text) => parsed(text));
    assert.deepEqual(
      rows.map(({ u }) => u),
      ['1', '18446744073709551615', '9223372036854775808', '5', '0'],
    );
    assert.deepEqual(
      rows.map(({ s }) => s),
      ['1', '-1', '-9223372036854775808', '5', '0'],
    );
    assert.deepEqual(
      rows.map(({ n }) => n),
      [1, 2, 3, 4, 5],
    );
  });

  it('has no number where there is none: left out, or null in a list', () => {
    const values = [NaN, Infinity, -Infinity, 1.5, -0];
    const made = {
      fields: [field('f'), field('l')],
      cells: [
        { kind: 'float', values: Float64Array.from(values) },
        { kind: 'floats', ends: Uint32Array.from([5, 5, 5, 5, 5]), values: Float64Array.from(values) },
      ] satisfies Cells[],
    };
    const rows = encoded(made, { 'export-empty-tag': true });
    assert.deepEqual(
      rows.map((text) => parsed(text)['f']),
      [undefined, undefined, undefined, 1.5, -0],
    );
    assert.match(rows[0]!, /"l":\[null,null,null,1\.5,-0\]/);
  });

  it('has the misspelt keys only when asked for', () => {
    const cells: Cells = { kind: 'unsigned', values: Uint8Array.from([1, 2, 3, 4, 5]) };
    const made = { fields: [field('end_point', { isLegacy: true }), field('endpoint')], cells: [cells, cells] };
    assert.deepEqual(Object.keys(parsed(encoded(made)[0]!)), ['datasource', 'end_point', 'endpoint', 'time_str']);
    const without = encoded(made, { json: { 'legacy-keys': false } });
    assert.deepEqual(Object.keys(parsed(without[0]!)), ['datasource', 'endpoint', 'time_str']);
  });

  it('ends with the labels of pods and the time, as Go prints it', () => {
    const sets = [
      [],
      [
        ['app', 'shop"\\'],
        ['tier', ''],
      ],
    ] as const;
    const made = {
      fields: [field('a')],
      cells: [{ kind: 'unsigned', values: new Uint8Array(ROWS) }] satisfies Cells[],
      labels: [{ suffix: '_1', index: Uint32Array.from([0, 1, 0, 1, 0]), sets }] satisfies PodLabelCells[],
    };
    const rows = encoded(made);
    assert.equal(rows[0], '{"datasource":"flow_log.l7_flow_log","a":0,"time_str":"2023-11-14 22:13:20 +0000 UTC"}');
    assert.equal(
      rows[1],
      '{"datasource":"flow_log.l7_flow_log","a":0,"k8s_label_names_1":["app","tier"],"k8s_label_values_1":["shop\\"\\\\",""],"time_str":"2023-11-14 22:13:21.000001 +0000 UTC"}',
    );
  });
});
