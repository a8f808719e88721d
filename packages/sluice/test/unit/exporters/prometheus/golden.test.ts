import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeWriteRequest } from 'promwrite/wire';
import { parse } from 'yaml';
import { findDataSource } from '../../../../src/catalog/catalog.ts';
import { goldenBatch, goldenExports, goldenVariants, type GoldenExport } from '../golden-batch.ts';
import { deepflowDifferences } from '../deepflow-differences.ts';
import { rowEncoder, selectorOf } from './encoder-of.ts';
import { Lanes } from './lanes.ts';

/** Series of the golden rows, compared with those that DeepFlow's own exporter made of them: fixtures/golden. */

interface GoldenSeries {
  readonly count: number;
  readonly labels?: readonly (readonly [name: string, value: string])[];
  readonly series?: readonly (readonly [name: string, value: number])[];
  readonly timestamp?: string;
}

interface VariantSettings {
  readonly 'export-fields'?: readonly string[];
  readonly 'export-empty-tag'?: boolean;
  readonly 'export-empty-metrics-disabled'?: boolean;
  readonly 'enum-translate-to-name-disabled'?: boolean;
  readonly 'universal-tag-translate-to-name-disabled'?: boolean;
}

const variants = new Map(
  goldenVariants
    .filter(({ protocol }) => protocol === 'prometheus')
    .map(({ name, yaml }) => [name, (parse(yaml) as VariantSettings | null) ?? {}]),
);

function seriesOf(golden: GoldenExport, settings: VariantSettings) {
  const emptyTags = settings['export-empty-tag'] === true;
  const emptyMetrics = settings['export-empty-metrics-disabled'] !== true;
  const selector = selectorOf(findDataSource(golden.data_source)!, {
    exportFields: settings['export-fields'] ?? [],
    exportEmptyTag: emptyTags,
    exportEmptyMetrics: emptyMetrics,
    translateEnums: settings['enum-translate-to-name-disabled'] !== true,
    translateNames: settings['universal-tag-translate-to-name-disabled'] !== true,
  });
  const lanes = new Lanes().take(rowEncoder(selector, { emptyTags, emptyMetrics }).begin(goldenBatch([golden]), 7, 0));
  assert.deepEqual(lanes.rejected, []);
  return decodeWriteRequest(lanes.batch().bodies).timeseries;
}

/** A label of one row, here and there. */
interface Situation {
  readonly golden: GoldenExport;
  readonly variant: string;
  readonly name: string;
  readonly ours: string | undefined;
  readonly theirs: string | undefined;
}

/** Labels that differ on purpose, by the id of the difference. */
const rules: Readonly<Record<string, (situation: Situation) => boolean>> = {
  'prometheus-default-fields': ({ variant, theirs }) => variant === 'default' && theirs === undefined,
  'prometheus-ipv6': ({ golden, name, ours, theirs }) =>
    golden.row['is_ipv4'] === 0 &&
    ((name.startsWith('ip6') && theirs === undefined) || (name.startsWith('ip4') && ours === undefined)),
  'prometheus-kinds-without-inventory': ({ golden, name, theirs }) =>
    golden.org_id === 2 && /^(?:l3_device_type|auto_)/.test(name) && theirs === undefined,
};
const used = new Set<string>();

function assertLabels(
  golden: GoldenExport,
  variant: string,
  ours: ReadonlyMap<string, string>,
  theirs: ReadonlyMap<string, string>,
) {
  for (const name of new Set([...ours.keys(), ...theirs.keys()])) {
    const situation = { golden, variant, name, ours: ours.get(name), theirs: theirs.get(name) };
    if (situation.ours === situation.theirs) continue;
    const rule = Object.entries(rules).find(([, applies]) => applies(situation))?.[0];
    assert.ok(rule !== undefined, `${name}: expected ${situation.theirs}; got ${situation.ours}`);
    used.add(rule);
  }
}

describe('golden series', () => {
  for (const golden of goldenExports('flow_metrics.*')) {
    for (const [variant, expected] of Object.entries(golden.prometheus ?? {})) {
      test(`${golden.id} ${variant}`, () => {
        const wanted = expected as GoldenSeries;
        const series = seriesOf(golden, variants.get(variant)!);
        const values = series.map(({ labels, samples }) => {
          assert.equal(samples.length, 1);
          assert.equal(samples[0]!.timestamp, Number(wanted.timestamp));
          return [labels.find(({ name }) => name === '__name__')!.value, samples[0]!.value];
        });
        assert.deepEqual(values, wanted.series ?? []);
        const tags = series.map(({ labels }) => labels.filter(({ name }) => name !== '__name__'));
        for (const labels of tags) assert.deepEqual(labels, tags[0]);
        for (const { labels } of series) {
          assert.deepEqual(
            labels.map(({ name }) => name),
            labels.map(({ name }) => name).toSorted(),
          );
        }
        if (series.length === 0) return;
        const ours = new Map(tags[0]!.map(({ name, value }) => [name, value]));
        assertLabels(golden, variant, ours, new Map(wanted.labels));
      });
    }
  }

  test('every difference is one of the list, and is met', () => {
    assert.deepEqual([...used].toSorted(), Object.keys(rules).toSorted());
    const listed = new Set(deepflowDifferences.map(({ id }) => id));
    for (const id of used) assert.ok(listed.has(id), id);
  });
});
