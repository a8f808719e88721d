import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { RE2JS } from 're2js';
import type { Batch } from '../../../src/batch/batch.ts';
import { isSluiceError } from '../../../src/base/errors.ts';
import { fieldsByName } from '../../../src/catalog/export-fields.ts';
import { floatText, wildcard } from '../../../src/exporters/filter-matcher.ts';
import { compileSelector } from '../../../src/exporters/select.ts';
import type { FilterGroup, TagFilter } from '../../../src/exporters/config-filters.ts';
import { cellValue, type CellValue } from './cell-value.ts';
import { goldenBatch, goldenExports } from './golden-batch.ts';
import { goldenNames } from './golden-names.ts';
import { selection } from './selection-config.ts';

const sources = ['flow_log.l7_flow_log', 'flow_log.l4_flow_log', 'flow_metrics.network_map.1s', 'event.file_event'];
const batches = sources.map((source) => goldenBatch(goldenExports(source).filter(({ org_id }) => org_id === 1)));
const l7 = batches[0]!;

/** Rows that pass. */
function passing(batch: Batch, groups: readonly FilterGroup[]): number[] {
  const selector = compileSelector({
    config: selection({ filterGroups: groups }),
    source: batch.source,
    names: goldenNames,
    endpoints: () => [],
  });
  const { rows, left } = selector.select(batch, 0);
  assert.equal(rows.length + (left.get('filter') ?? 0), batch.rows);
  return [...rows];
}

const one = (field: string, operator: TagFilter['operator'], ...values: string[]): FilterGroup => ({
  type: 'and',
  filters: [{ field, operator, values }],
});

/** Stored values of a field, row by row. */
function valuesOf(batch: Batch, name: string): CellValue[] {
  const selector = compileSelector({
    config: selection({ exportFields: [name], translateEnums: false, translateNames: false }),
    source: batch.source,
    names: goldenNames,
    endpoints: () => [],
  });
  const cells = selector.cells(batch)[0]!;
  return Array.from({ length: batch.rows }, (_, row) => cellValue(cells, row));
}

const isNumber = (text: string) => /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text);

/** The number of an address, for fields of such. */
type AddressNumber = ((text: string) => bigint) | undefined;

function addressNumberOf(batch: Batch, name: string): AddressNumber {
  const field = fieldsByName(batch.source).get(name)!;
  if (field.text === 'mac') return (text) => BigInt(`0x${text.replaceAll(':', '')}`);
  if (field.type !== 'IPv4') return undefined;
  return (text) => text.split('.').reduce((number, part) => number * 256n + BigInt(part), 0n);
}

/** What a filter means, said once more and slowly. */
function matches(value: CellValue, { operator, values }: TagFilter, addressNumber?: AddressNumber): boolean {
  if (operator.startsWith('!')) {
    return !matches(value, { field: '', operator: operator.slice(1) as TagFilter['operator'], values }, addressNumber);
  }
  if (value === undefined) return false;
  if (typeof value === 'object') return value.some((element) => matches(element, { field: '', operator, values }));
  const text = typeof value === 'number' ? floatText(value) : String(value);
  if (operator === '~') return values.some((expression) => RE2JS.compile(expression).matcher(text).find());
  if (operator === ':') return values.some((pattern) => likeRegex(pattern).test(text));
  if (typeof value === 'string') {
    return values.some(
      (other) =>
        other.toLowerCase() === value.toLowerCase() ||
        (/^\d+$/.test(other) && addressNumber?.(value) === BigInt(other)),
    );
  }
  return values.some((other) => {
    if (!isNumber(other)) return other.toLowerCase() === text.toLowerCase();
    return typeof value === 'bigint' || /^[+-]?\d+$/.test(other)
      ? /^[+-]?\d+$/.test(other) &&
          BigInt(other.replace('+', '')) === (Number.isInteger(Number(value)) ? BigInt(value) : undefined)
      : Number(other) === value;
  });
}

function likeRegex(pattern: string): RegExp {
  const parts = pattern.split('*').map((part) => part.replaceAll(/[\\^$.|?*+()[\]{}/-]/g, '\\$&'));
  return new RegExp(`^${parts.join('[^]*')}$`);
}

/** Filters on fields of a Batch, their values mostly such as rows have. */
function filterOn(batch: Batch): fc.Arbitrary<TagFilter> {
  const names = [...fieldsByName(batch.source).keys()];
  return fc.constantFrom(...names).chain((field) => {
    const present = [...new Set(valuesOf(batch, field).flat())]
      .filter((value) => value !== undefined)
      .map((value) => (typeof value === 'number' ? floatText(value) : String(value)));
    const value = fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom(...present, '') },
      { weight: 1, arbitrary: fc.constantFrom(...present, 'x').map((text) => text.toUpperCase()) },
      {
        weight: 1,
        arbitrary: fc.constantFrom('0', '1', '1.0', '+2', '3e0', '-1', '18446744073709551615', '0.0.0.0', 'nan'),
      },
    );
    const pattern = fc
      .tuple(value, fc.nat(8), fc.nat(8))
      .map(([text, from, to]) => `${text.slice(0, from)}*${text.slice(-to)}`);
    const operators = fc.constantFrom<TagFilter['operator'][]>('=', '!=', '~', '!~', ':', '!:');
    return operators.chain((operator) => {
      const written = operator.endsWith('=')
        ? value
        : operator.endsWith(':')
          ? fc.oneof(value, pattern)
          : value.map((text) => text.slice(0, 12).replaceAll(/[^\w:]/g, '.'));
      return fc.record({
        field: fc.constant(field),
        operator: fc.constant(operator),
        values: fc.array(written, { minLength: 1, maxLength: 3 }),
      });
    });
  });
}

describe('filters', () => {
  for (const batch of batches) {
    test(`rows of ${batch.source.id} pass as their values say, in groups of all kinds`, () => {
      const group = fc.record({
        type: fc.constantFrom('and' as const, 'or' as const),
        filters: fc.array(filterOn(batch), { minLength: 1, maxLength: 3 }),
      });
      fc.assert(
        fc.property(fc.array(group, { maxLength: 3 }), (groups) => {
          const expected = Array.from({ length: batch.rows }, (_, row) => row).filter(
            (row) =>
              groups.length === 0 ||
              groups.some(({ type, filters }) => {
                const verdicts = filters.map((filter) =>
                  matches(rowValue(batch, filter.field, row), filter, addressNumberOf(batch, filter.field)),
                );
                return type === 'and' ? verdicts.every(Boolean) : verdicts.some(Boolean);
              }),
          );
          assert.deepEqual(passing(batch, groups), expected);
        }),
        { numRuns: 100 },
      );
    });
  }

  test('whole numbers are compared exactly, however they are written', () => {
    const ids = valuesOf(l7, 'flow_id').map(String);
    const first = ids[0]!;
    const withValue = (value: string) => passing(l7, [one('flow_id', '=', value)]).length;
    assert.equal(withValue(first), ids.filter((id) => id === first).length);
    assert.equal(withValue(String(BigInt(first) + 1n)), ids.filter((id) => id === String(BigInt(first) + 1n)).length);
    assert.deepEqual(passing(l7, [one('server_port', '=', '8080.0')]), passing(l7, [one('server_port', '=', '8080')]));
    assert.deepEqual(
      passing(l7, [one('server_port', '=', 'abc', '8.08e3')]),
      passing(l7, [one('server_port', '=', '8080')]),
    );
    assert.deepEqual(passing(l7, [one('server_port', '=', '8080.5')]), []);
    assert.ok(passing(l7, [one('server_port', '=', '8080')]).length > 0);
  });

  test('what a row does not have equals nothing', () => {
    const codes = valuesOf(l7, 'response_code');
    const absent = codes.flatMap((code, row) => (code === undefined ? [row] : []));
    assert.ok(absent.length > 0 && absent.length < l7.rows);
    const taken = (operator: TagFilter['operator'], value: string) =>
      new Set(passing(l7, [one('response_code', operator, value)]));
    for (const row of absent) {
      for (const operator of ['=', '~', ':'] as const) assert.ok(!taken(operator, '0').has(row));
      for (const operator of ['!=', '!~', '!:'] as const) assert.ok(taken(operator, '0').has(row));
    }
    assert.deepEqual(passing(l7, [one('no_such_field', '=', '')]), []);
    assert.equal(passing(l7, [one('no_such_field', '!=', '')]).length, l7.rows);
  });

  test('addresses are compared as addresses', () => {
    const v4 = passing(l7, [one('ip4_0', '=', '10.1.0.5')]);
    assert.ok(v4.length > 0);
    assert.deepEqual(passing(l7, [one('ip4_0', '=', String(0x0a01_0005))]), v4);
    const v6 = passing(l7, [one('ip6_0', '=', '2001:DB8:0::1')]);
    assert.deepEqual(
      v6,
      valuesOf(l7, 'ip6_0').flatMap((value, row) => (value === '2001:db8::1' ? [row] : [])),
    );
    assert.equal(v6.length, 1);
    // A row of the other family has no such address.
    assert.ok(!passing(l7, [one('ip4_0', '=', '0.0.0.0')]).includes(v6[0]!));
    assert.ok(passing(l7, [one('ip4_0', '~', '^10\\.1\\.')]).length >= v4.length);
    const l4 = batches[1]!;
    const mac = valuesOf(l4, 'mac_0')[0] as string;
    const number = String(BigInt(`0x${mac.replaceAll(':', '')}`));
    assert.deepEqual(passing(l4, [one('mac_0', '=', mac.toUpperCase())]), passing(l4, [one('mac_0', '=', number)]));
    assert.ok(passing(l4, [one('mac_0', '=', mac)]).includes(0));
  });

  test('both spellings of the client end mean it', () => {
    const batch = batches[2]!;
    const filter = (field: string) => passing(batch, [one(field, '=', '1')]);
    assert.deepEqual(filter('region_id_0'), filter('region_id'));
    assert.ok(filter('region_id').length > 0);
    assert.notDeepEqual(passing(batch, [one('pod_id', '=', '0')]), passing(batch, [one('pod_id_1', '=', '0')]));
  });

  test('the kind of a workload and the organisation, which rows do not store', () => {
    const types = valuesOf(l7, 'pod_group_type_1');
    assert.deepEqual(
      passing(l7, [one('pod_group_type_1', '=', '130')]),
      types.flatMap((type, row) => (type === 130 ? [row] : [])),
    );
    assert.equal(passing(l7, [one('org_id', '=', '1')]).length, l7.rows);
    assert.deepEqual(passing(l7, [one('org_id', '=', '2')]), []);
  });

  test('of a pattern only * is special', () => {
    const table: readonly (readonly [pattern: string, yes: readonly string[], no: readonly string[]])[] = [
      ['', [''], ['a']],
      ['*', ['', 'a', 'line\nbreak'], []],
      ['a.c', ['a.c'], ['abc']],
      ['deepflow_*', ['deepflow_', 'deepflow_y'], ['xdeepflow_y', 'deepflow']],
      ['a*a', ['aa', 'aba'], ['a', 'ab']],
      ['*b*c*', ['abxcx', 'bc'], ['cb', 'b']],
      ['a**b', ['ab', 'axb'], ['b']],
      ['ab*bc', ['abbc', 'ab bc'], ['abc']],
      ['[x]*', ['[x]y'], ['xy']],
    ];
    for (const [pattern, yes, no] of table) {
      const is = wildcard(pattern);
      for (const text of yes) assert.ok(is(text), `${pattern} ${text}`);
      for (const text of no) assert.ok(!is(text), `${pattern} ${text}`);
    }
  });

  test('expressions take no longer for being nasty', () => {
    const started = performance.now();
    const long = {
      type: 'and',
      filters: [{ field: 'request_resource', operator: '~', values: ['(a+)+$', '(.*)*x(.*)*y'] }],
    } as const;
    passing(l7, [long]);
    assert.ok(performance.now() - started < 5000);
    assert.throws(
      () => passing(l7, [one('request_resource', '~', 'ok', 'a(b')]),
      (error) => isSluiceError(error, 'config_invalid') && error.message.includes('a(b'),
    );
  });

  test('a group without filters lets everything through', () => {
    assert.equal(passing(l7, [{ type: 'and', filters: [] }, one('org_id', '=', '2')]).length, l7.rows);
  });

  test('floats as text have no exponent', () => {
    const table = [
      [1e21, '1000000000000000000000'],
      [1e-9, '0.000000001'],
      [-1.5e-7, '-0.00000015'],
      [1.25e22, '12500000000000000000000'],
      [0.5, '0.5'],
      [-0, '0'],
      [NaN, 'NaN'],
      [Infinity, '+Inf'],
      [-Infinity, '-Inf'],
    ] as const;
    for (const [value, text] of table) assert.equal(floatText(value), text);
  });
});

const rowValues = new Map<string, CellValue[]>();

function rowValue(batch: Batch, field: string, row: number): CellValue {
  const key = `${batch.source.id}/${field}`;
  const values = rowValues.get(key) ?? valuesOf(batch, field);
  rowValues.set(key, values);
  return values[row];
}
