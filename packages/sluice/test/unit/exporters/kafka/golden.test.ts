import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { parse } from 'yaml';
import { encodeRows } from '../../../../src/exporters/kafka/encode.ts';
import { compileSelector } from '../../../../src/exporters/select.ts';
import { deepflowDifferences } from '../deepflow-differences.ts';
import { goldenBatch, type GoldenExport, goldenExports, goldenVariants } from '../golden-batch.ts';
import { goldenNames } from '../golden-names.ts';
import { encodeAll, kafkaConfig, passOptions } from './encoded.ts';

/** Messages compared with those that DeepFlow's own exporter made of the same rows: fixtures/golden. Numbers are compared as they are written. */

interface Situation {
  readonly golden: GoldenExport;
  readonly variant: string;
  readonly key: string;
  /** Undefined where the key is missing. */
  readonly ours: unknown;
  readonly theirs: unknown;
}

const isFile = ({ golden }: Situation) => golden.data_source === 'event.file_event';
const isIpv6 = ({ golden }: Situation) => golden.row['is_ipv4'] === 0;
const isNew = ({ ours, theirs }: Situation) => theirs === undefined && ours !== undefined;
const isGone = ({ ours, theirs }: Situation) => theirs !== undefined && ours === undefined;

/** Which values each of the differences explains; every one must be needed. */
const explained: Readonly<Record<string, (at: Situation) => boolean>> = {
  'kafka-default-fields': (at) => at.variant === 'default' && isNew(at),
  'kafka-labels-alone': (at) => at.variant.startsWith('k8s_label') && isGone(at) && !at.key.startsWith('k8s_'),
  'kafka-event-info': (at) =>
    isFile(at) && isNew(at) && /^(?:event_type|file_|offset$|mount_|access_permission$)/.test(at.key),
  'kafka-tcp-slow': (at) => isGone(at) && at.variant === 'sub_categories' && /^(?:retrans|zero_win|ooo)_/.test(at.key),
  'kafka-ipv6': (at) => isIpv6(at) && (at.key.startsWith('ip6') ? isNew(at) : at.key.startsWith('ip4') && isGone(at)),
  'kafka-no-address': ({ theirs }) => theirs === '<nil>',
  'kafka-right-keys': (at) => isNew(at) && /^(?:endpoint|pod_node|pod_node_id)$/.test(at.key),
  'kafka-capture-nic-type': ({ key, golden }) =>
    golden.data_source === 'flow_log.l7_flow_log' && /^capture_nic_type(?: category:)?$/.test(key),
  'kafka-event-processes': ({ golden, key, theirs }) =>
    golden.data_source.startsWith('event.') && key === 'gprocess' && (theirs ?? '') === '',
  'kafka-kinds-without-inventory': ({ golden, key }) =>
    golden.org_id === 2 && /^(?:l3_device_type|auto_(?:instance|service))/.test(key),
};

/** What the message of a case cannot be compared with: it is not JSON. */
const notJson = new Map([
  ['flow_log.l7_flow_log/061_hostnet_pod_by_id', 'kafka-escapes'],
  ['flow_log.l7_flow_log/069_array_strings_escaping', 'kafka-escapes'],
  ['flow_log.l7_flow_log/072_metrics_nan_inf', 'kafka-not-a-number'],
]);

/** Keys in order, numbers as their text. */
function fieldsOf(text: string): Map<string, unknown> {
  const object = JSON.parse(text, (_key, value: unknown, context?: { readonly source?: string }) =>
    typeof value === 'number' ? { number: context?.source } : value,
  ) as Readonly<Record<string, unknown>>;
  return new Map(Object.entries(object));
}

function ourMessage(golden: GoldenExport, yaml: string): string {
  const settings = (parse(yaml) as Record<string, unknown> | null) ?? {};
  const config = kafkaConfig({ ...settings, 'data-sources': [golden.data_source] });
  const batch = goldenBatch([golden]);
  const selector = compileSelector({
    config,
    source: batch.source,
    names: goldenNames,
    endpoints: () => [],
  });
  const [item] = encodeAll(encodeRows(passOptions(batch, config), selector)).items();
  return item!.body;
}

describe('golden messages', () => {
  const needed = new Set<string>();
  let compared = 0;

  for (const golden of goldenExports()) {
    test(golden.id, () => {
      for (const { name: variant, yaml, protocol } of goldenVariants) {
        const text = golden.kafka_json?.[variant];
        if (protocol !== 'kafka' || text === undefined) continue;
        assert.ok(typeof text === 'string');
        const ours = fieldsOf(ourMessage(golden, yaml));
        const theirs = tryFields(text);
        if (theirs === undefined) {
          const id = notJson.get(golden.id);
          assert.ok(id, `${variant} of DeepFlow is not JSON: ${text}`);
          needed.add(id);
          continue;
        }
        compared++;
        for (const key of new Set([...ours.keys(), ...theirs.keys()])) {
          const at = { golden, variant, key, ours: ours.get(key), theirs: theirs.get(key) };
          if (JSON.stringify(at.ours) === JSON.stringify(at.theirs)) continue;
          const ids = Object.keys(explained).filter((id) => explained[id]!(at));
          assert.notEqual(
            ids.length,
            0,
            `${variant} ${key}: ${JSON.stringify(at.ours)} in place of ${JSON.stringify(at.theirs)}`,
          );
          for (const id of ids) needed.add(id);
        }
        const both = (one: Map<string, unknown>, other: Map<string, unknown>) =>
          [...one.keys()].filter((key) => other.has(key));
        assert.deepEqual(both(ours, theirs), both(theirs, ours), `${variant}: order of keys`);
      }
    });
  }

  after(() => {
    assert.ok(compared > 600, `${compared} messages`);
    const listed = deepflowDifferences.map(({ id }) => id);
    for (const id of [...Object.keys(explained), ...notJson.values()]) {
      assert.ok(listed.includes(id), `${id} is not in deepflow-differences.ts`);
      assert.ok(needed.has(id), `${id} explains nothing`);
    }
  });
});

function tryFields(text: string): Map<string, unknown> | undefined {
  try {
    return fieldsOf(text);
  } catch {
    return undefined;
  }
}
