import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { compileSelector } from '../../../src/exporters/select.ts';
import type { Selector } from '../../../src/exporters/selection.ts';
import { cellValue, type CellValue } from './cell-value.ts';
import { goldenBatch, type GoldenExport, goldenExports, goldenVariants } from './golden-batch.ts';
import { goldenNames } from './golden-names.ts';
import { selection } from './selection-config.ts';

/** Fields, their order and their values, compared with DeepFlow's own JSON rows of the same rows: fixtures/golden. */

interface VariantSettings {
  readonly 'export-fields'?: readonly string[];
  readonly 'export-empty-tag'?: boolean;
  readonly 'export-empty-metrics-disabled'?: boolean;
  readonly 'enum-translate-to-name-disabled'?: boolean;
  readonly 'universal-tag-translate-to-name-disabled'?: boolean;
}

type Rule = { readonly why: string; readonly applies: (key: string, row: Situation) => boolean };

interface Situation {
  readonly golden: GoldenExport;
  readonly variant: string;
  readonly ours: CellValue;
  readonly theirs: unknown;
}

const isIpv6 = ({ golden }: Situation) => golden.row['is_ipv4'] === 0;

/** Where a value differs on purpose (exporters.md); every rule must be needed. */
const differences: readonly Rule[] = [
  {
    why: 'IPv6 addresses are exported, and 0.0.0.0 is not said of rows that have them',
    applies: (key, row) =>
      isIpv6(row) &&
      (key.startsWith('ip6') ? row.theirs === undefined : key.startsWith('ip4') && row.ours === undefined),
  },
  { why: 'a row without an address has no name of one', applies: (_, { theirs }) => theirs === '<nil>' },
  {
    why: 'fields have their right names too',
    applies: (key, { theirs }) => /^(?:endpoint|pod_node_id|pod_node)$/.test(key) && theirs === undefined,
  },
  {
    why: 'capture_nic_type of l7_flow_log is exported',
    applies: (key, { golden }) =>
      golden.data_source === 'flow_log.l7_flow_log' && /^capture_nic_type(?: category:)?$/.test(key),
  },
  {
    why: '$tag is every tag, those of events included; labels bring along no fields',
    applies: (key, { golden, variant, ours, theirs }) =>
      golden.data_source === 'event.file_event' &&
      eventInfo.test(key) &&
      theirs === undefined &&
      ours !== undefined &&
      variant !== 'sub_categories',
  },
  {
    why: 'slowness of TCP is no delay',
    applies: (key, { variant, ours }) =>
      variant === 'sub_categories' && /^(?:retrans|zero_win|ooo)_/.test(key) && ours === undefined,
  },
  {
    why: 'processes of events have names',
    applies: (key, { golden, theirs }) =>
      golden.data_source.startsWith('event.') && key === 'gprocess' && (theirs ?? '') === '',
  },
  {
    why: 'kinds have names without an inventory, and addresses are names in every organisation',
    applies: (key, { golden }) => golden.org_id === 2 && /^(?:l3_device_type|auto_(?:instance|service))/.test(key),
  },
];
const eventInfo = /^(?:event_type|file_|offset$|mount_|access_permission$)/;

function settingsOf(yaml: string): VariantSettings {
  return (parse(yaml) as VariantSettings | null) ?? {};
}

/** Our row as DeepFlow's would be: empty values left out as configured. */
function rowOf(selector: Selector, golden: GoldenExport, settings: VariantSettings): Map<string, CellValue> {
  const batch = goldenBatch([golden]);
  const cells = selector.cells(batch);
  const row = new Map<string, CellValue>([['datasource', golden.data_source]]);
  for (const [index, { jsonKey, isMetric }] of selector.fields.entries()) {
    const value = cellValue(cells[index]!, 0);
    const isEmpty = value === '' || (Array.isArray(value) && value.length === 0);
    if (value === undefined) continue;
    if (isMetric && settings['export-empty-metrics-disabled'] === true && (isEmpty || value === 0)) continue;
    if (!isMetric && settings['export-empty-tag'] !== true && isEmpty) continue;
    row.set(jsonKey, value);
  }
  for (const { suffix, index, sets } of selector.podLabels(batch)) {
    const labels = sets[index[0]!]!.toSorted(byName);
    if (labels.length === 0) continue;
    row.set(
      `k8s_label_names${suffix}`,
      labels.map(([name]) => name),
    );
    row.set(
      `k8s_label_values${suffix}`,
      labels.map(([, value]) => value),
    );
  }
  return row;
}

function byName([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** For JSON.parse: numbers that a double cannot hold as BigInt. */
function exactly(_: string, value: unknown, { source = '' }: { readonly source?: string }): unknown {
  return typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(source) ? BigInt(source) : value;
}

/** DeepFlow's row: whole numbers beyond 2^53 as BigInt, labels in order of their names. Undefined where its text is no JSON. */
function parseRow(text: string): Map<string, unknown> | undefined {
  let row: object;
  try {
    row = JSON.parse(text, exactly as (key: string, value: unknown) => unknown) as object;
  } catch {
    return undefined;
  }
  const map = new Map<string, unknown>(Object.entries(row));
  map.delete('time_str');
  for (const suffix of ['', '_0', '_1']) {
    const names = map.get(`k8s_label_names${suffix}`) as string[] | undefined;
    if (names === undefined) continue;
    const values = map.get(`k8s_label_values${suffix}`) as string[];
    const sorted = names.map((name, index) => [name, values[index]!] as const).toSorted(byName);
    map.set(
      `k8s_label_names${suffix}`,
      sorted.map(([name]) => name),
    );
    map.set(
      `k8s_label_values${suffix}`,
      sorted.map(([, value]) => value),
    );
  }
  return map;
}

const used = new Set<string>();

describe('fields and values of golden rows', () => {
  // The original's broken default is compared nowhere; bare $k8s.label switches everything on there.
  const variants = goldenVariants.filter(({ protocol, name }) => protocol === 'kafka' && name !== 'default');
  const cases = goldenExports();
  let compared = 0;
  for (const { name, yaml } of variants) {
    const settings = settingsOf(yaml);
    test(name, () => {
      for (const golden of cases) {
        const text = golden.kafka_json?.[name];
        if (typeof text !== 'string') continue;
        const theirs = parseRow(text);
        if (theirs === undefined) continue;
        compared++;
        const fields = name === 'k8s_label_all' ? ['$tag', '$metrics', '$k8s.label'] : settings['export-fields'];
        const selector = compileSelector({
          config: selection({
            exportFields: fields ?? [],
            translateEnums: settings['enum-translate-to-name-disabled'] !== true,
            translateNames: settings['universal-tag-translate-to-name-disabled'] !== true,
          }),
          source: goldenBatch([golden]).source,
          names: goldenNames,
          endpoints: () => [],
        });
        const ours = rowOf(selector, golden, settings);
        for (const key of new Set([...theirs.keys(), ...ours.keys()])) {
          const situation: Situation = { golden, variant: name, ours: ours.get(key), theirs: theirs.get(key) };
          const rule = differences.find(({ applies }) => applies(key, situation));
          if (rule === undefined) {
            assert.deepEqual(situation.ours, situation.theirs, `${golden.id} ${name} ${key}`);
          } else if (!Object.is(situation.ours, situation.theirs)) used.add(rule.why);
        }
        const common = (of: Map<string, unknown>, other: Map<string, unknown>) =>
          [...of.keys()].filter((key) => other.has(key));
        assert.deepEqual(common(ours, theirs), common(theirs, ours), `order of keys of ${golden.id} ${name}`);
      }
    });
  }
  test('enough was compared, and every difference is one', () => {
    assert.ok(compared > 400, `${compared} rows`);
    assert.deepEqual([...used].toSorted(), differences.map(({ why }) => why).toSorted());
  });
});
