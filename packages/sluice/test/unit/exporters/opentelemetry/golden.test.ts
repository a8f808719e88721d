import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deepflowDifferences } from '../deepflow-differences.ts';
import { goldenBatch, goldenExports, readGolden, type GoldenExport } from '../golden-batch.ts';
import { goldenNames } from '../golden-names.ts';
import { asGolden, byName, expectedOf, type GoldenSpan } from './golden-expected.ts';
import { attributesOf, spansOf } from './spans-of.ts';

/** Spans of the golden rows, compared with those that DeepFlow's own exporter made of the same rows: fixtures/golden. */

const cases = goldenExports('flow_log.l7_flow_log');
const listed = new Set(
  deepflowDifferences.filter(({ protocols }) => protocols.includes('opentelemetry')).map(({ id }) => id),
);
const seen = new Set<string>();

function theirs({ otlp }: GoldenExport, variant: string): GoldenSpan | undefined {
  const span = otlp?.[variant];
  return span === undefined || Object.hasOwn(span as object, '$panic') ? undefined : (span as GoldenSpan);
}

function ours(golden: GoldenExport, exportFields: readonly string[]): GoldenSpan {
  const [made] = spansOf(goldenBatch([golden]), goldenNames, { exportFields });
  return asGolden(made!);
}

function assertEqual(golden: GoldenExport, variant: string, exportFields: readonly string[]): void {
  const span = theirs(golden, variant);
  if (span === undefined) return;
  const { span: expected, differences } = expectedOf(golden, span);
  // Attributes are a map: their order means nothing.
  assert.deepEqual(byName(ours(golden, exportFields)), byName(expected));
  for (const id of differences) seen.add(id);
}

describe('golden spans', () => {
  assert.ok(cases.length > 50, `${cases.length} cases`);
  for (const golden of cases) {
    test(golden.id, () => {
      assertEqual(golden, 'tag_metrics', ['$tag', '$metrics']);
      // Everything was switched on there by the labels alone; here they come on top of the rest.
      assertEqual(golden, 'k8s_label_all', ['$tag', '$metrics', '$k8s.label']);
    });
  }

  test('without export-fields everything is exported, which is what the documentation says', () => {
    const [golden] = cases;
    assert.deepEqual(ours(golden!, []), ours(golden!, ['$tag', '$metrics']));
    assert.deepEqual(theirs(golden!, 'default')!.resource_attributes, []);
    seen.add('opentelemetry-default-fields');
  });

  test('labels of pods alone bring nothing else along', () => {
    const golden = cases.find((one) => theirs(one, 'k8s_label_all')?.resource_attributes.some(isLabel) === true)!;
    const made = ours(golden, ['$k8s.label']);
    const labels = theirs(golden, 'k8s_label_all')!.resource_attributes.filter(isLabel);
    assert.deepEqual(made.resource_attributes, labels);
    assert.deepEqual(
      made.span_attributes.map(([name]) => name),
      ['df.span.type', 'df.span.endpoint'],
    );
    const { span } = expectedOf(golden, theirs(golden, 'tag_metrics')!);
    assert.deepEqual(made.span, span.span);
    seen.add('opentelemetry-pod-labels').add('opentelemetry-span-fields');
  });

  test('kinds of tunnels that its encoder did not survive have names', () => {
    const golden = readGolden('flow_log.l7_flow_log/046_tunnel_type_5');
    assert.equal(theirs(golden, 'tag_metrics'), undefined);
    const [made] = spansOf(goldenBatch([golden]), goldenNames);
    assert.deepEqual(attributesOf(made!.resource).get('df.tunnel.tunnel_type'), { stringValue: 'VXLAN-NSH' });
    seen.add('opentelemetry-tunnels');
  });

  test('a Batch of all rows of an organisation gives the same spans as each row alone', () => {
    const rows = cases.filter(({ org_id }) => org_id === 1);
    const together = spansOf(goldenBatch(rows), goldenNames, { exportFields: ['$tag', '$metrics', '$k8s.label'] });
    for (const [index, golden] of rows.entries()) {
      assert.deepEqual(asGolden(together[index]!), ours(golden, ['$tag', '$metrics', '$k8s.label']), golden.id);
    }
  });

  test('every difference met is listed with its reason', () => {
    assert.deepEqual(
      [...seen].filter((id) => !listed.has(id)),
      [],
    );
    for (const id of ['opentelemetry-ids', 'opentelemetry-own-parent', 'opentelemetry-names', 'opentelemetry-start']) {
      assert.ok(seen.has(id), `${id} is in no case`);
    }
  });
});

function isLabel([name]: GoldenSpan['resource_attributes'][number]): boolean {
  return name.startsWith('df.custom_tag.');
}
