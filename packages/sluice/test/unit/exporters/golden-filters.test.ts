import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { isSluiceError } from '../../../src/base/errors.ts';
import { findDataSource } from '../../../src/catalog/catalog.ts';
import { fieldsByName } from '../../../src/catalog/export-fields.ts';
import { compileSelector } from '../../../src/exporters/select.ts';
import type { FilterGroup, TagFilter } from '../../../src/exporters/config-filters.ts';
import { type FilterVerdict, filterDifferences } from './filter-differences.ts';
import { goldenBatch, goldenExports } from './golden-batch.ts';
import { goldenNames } from './golden-names.ts';
import { selection } from './selection-config.ts';

/** Filters of DeepFlow's exporters on golden rows, against what DeepFlow itself let through: fixtures/golden/filters.json. */

interface GoldenFilters {
  readonly cases: readonly (readonly [source: string, name: string])[];
  readonly filters: readonly { readonly yaml: string; readonly exported: readonly (boolean | 'panic')[] }[];
}

const golden = JSON.parse(
  readFileSync(new URL('../../fixtures/golden/filters.json', import.meta.url), 'utf8'),
) as GoldenFilters;

interface WrittenFilter {
  readonly 'field-name': string;
  readonly operator: string;
  readonly 'field-values': readonly string[];
}

interface WrittenGroup {
  readonly 'tag-filters'?: readonly WrittenFilter[];
  readonly 'tag-filter-condition'?: { readonly type: string };
}

/** The settings with texts for all values, as configurations hand them on. */
function groupsOf(yaml: string): FilterGroup[] {
  const settings = parse(yaml, { schema: 'failsafe' }) as
    | (WrittenGroup & { readonly 'tag-filters-groups'?: readonly WrittenGroup[] })
    | null;
  const groups = settings?.['tag-filters'] === undefined ? (settings?.['tag-filters-groups'] ?? []) : [settings];
  return groups.map((group) => ({
    type: group['tag-filter-condition']?.type.toLowerCase() === 'or' ? 'or' : 'and',
    filters: (group['tag-filters'] ?? []).map(filterOf),
  }));
}

const operators = new Map<string, TagFilter['operator']>([
  ['in', '='],
  ['not in', '!='],
  ...(['=', '!=', '~', '!~', ':', '!:'] as const).map((operator) => [operator, operator] as const),
]);

function filterOf(written: WrittenFilter): TagFilter {
  const operator = operators.get(written.operator.toLowerCase()) ?? assert.fail(written.operator);
  return { field: written['field-name'], operator, values: written['field-values'] };
}

/** `refused` = such a configuration is a mistake that is told. */
function verdictOf(groups: readonly FilterGroup[], id: string): FilterVerdict {
  const [exported] = goldenExports(id.split('/')[0]).filter((one) => one.id === id);
  const source = findDataSource(exported!.data_source)!;
  const filters = groups.flatMap((group) => group.filters);
  if (filters.some(({ field, values }) => !fieldsByName(source).has(field) || values.length === 0)) return 'refused';
  try {
    const selector = compileSelector({
      config: selection({ filterGroups: groups }),
      source,
      names: goldenNames,
      endpoints: () => [],
    });
    const { rows, left } = selector.select(goldenBatch([exported!]), 0);
    assert.equal(rows.length + (left.get('filter') ?? 0), 1);
    return rows.length === 1;
  } catch (error) {
    assert.ok(isSluiceError(error, 'config_invalid'), `${error}`);
    return 'refused';
  }
}

const there = new Set(goldenExports().map(({ id }) => id));

describe('golden filters', () => {
  const found: string[] = [];
  const known = new Map<string, FilterVerdict>(
    filterDifferences.flatMap(({ filters }) =>
      filters.flatMap(({ filter, ours }) =>
        Object.entries(ours).map(([id, verdict]) => [`${filter} | ${id}`, verdict] as const),
      ),
    ),
  );
  let compared = 0;
  for (const { yaml, exported } of golden.filters) {
    test(yaml.replaceAll('\n', ' ') || 'none', () => {
      const groups = groupsOf(yaml);
      for (const [index, name] of golden.cases.entries()) {
        const id = `${name[0]}/${name[1]}`;
        if (!there.has(id)) continue;
        compared++;
        const verdict = verdictOf(groups, id);
        const key = `${yaml} | ${id}`;
        assert.equal(verdict, known.get(key) ?? exported[index], id);
        if (verdict !== exported[index]) found.push(key);
      }
    });
  }
  test('every listed difference is one', () => {
    assert.ok(compared >= 150, `${compared}`);
    assert.deepEqual(found.toSorted(), [...known.keys()].toSorted());
  });
});
