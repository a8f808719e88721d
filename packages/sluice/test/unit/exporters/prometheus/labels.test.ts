import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { compareUtf8, decodeWriteRequest } from 'promwrite/wire';
import type { SeriesOptions } from '../../../../src/exporters/prometheus/options.ts';
import { RowEncoder } from '../../../../src/exporters/prometheus/row-encoder.ts';
import { ADDRESS } from '../../../../src/exporters/cells.ts';
import { countersOf, rowEncoder, seriesOptions } from './encoder-of.ts';
import { Lanes } from './lanes.ts';
import { numberCells, standInSelector, textCells, type StandInField } from './stand-in-selector.ts';

const value: StandInField = { label: 'request', isMetric: true, cells: numberCells([1, 1, 1, 1]) };

/** Labels of the only series of each row, in their order. */
function labelsOf(
  fields: readonly StandInField[],
  options: Partial<SeriesOptions> = {},
  pods: Parameters<typeof standInSelector>[1] = [],
): string[][] {
  const selector = standInSelector([...fields, value], pods);
  const [field] = fields;
  const rows = field?.cells.kind === 'text' ? field.cells.ends.length : 1;
  const pass = rowEncoder(selector, { onDuplicate: 'keep', ...options }).begin(
    selector.batch(rows, [1, 1, 1, 1]),
    0,
    0,
  );
  return decodeWriteRequest(new Lanes().take(pass).batch().bodies).timeseries.map(({ labels }) =>
    labels.map((label) => `${label.name}=${label.value}`),
  );
}

const text = (label: string, ...texts: (string | Uint8Array)[]): StandInField => ({ label, cells: textCells(texts) });

describe('labels of a row', () => {
  test('are sorted by bytes, the name among them', () => {
    assert.deepEqual(labelsOf([text('b', 'x'), text('a', 'y'), text('z', '1')]), [
      ['__name__=request', 'a=y', 'b=x', 'datasource=flow_metrics.network.1s', 'z=1'],
    ]);
  });

  test('have the external ones beside them, also before the name; a tag of its own wins unless it is empty', () => {
    const externalLabels = new Map([
      ['Zone', 'eu'],
      ['_x', '1'],
      ['pod', 'none'],
      ['empty', ''],
    ]);
    assert.deepEqual(labelsOf([text('pod', 'cart', '')], { externalLabels }), [
      ['Zone=eu', '__name__=request', '_x=1', 'datasource=flow_metrics.network.1s', 'pod=cart'],
      ['Zone=eu', '__name__=request', '_x=1', 'datasource=flow_metrics.network.1s', 'pod=none'],
    ]);
  });

  test('without a text are left out, or empty where they are asked for; those without a value never are', () => {
    const none: StandInField = {
      label: 'ip4',
      cells: { kind: 'ipv4', values: Uint32Array.of(0), nulls: Uint8Array.of(1) },
    };
    assert.deepEqual(labelsOf([text('a', ''), none]), [['__name__=request', 'datasource=flow_metrics.network.1s']]);
    assert.deepEqual(labelsOf([text('a', ''), none], { emptyTags: true }), [
      ['__name__=request', 'a=', 'datasource=flow_metrics.network.1s'],
    ]);
  });

  test('have the prefix in the name', () => {
    assert.equal(labelsOf([], { metricPrefix: 'deepflow_' })[0]![0], '__name__=deepflow_request');
  });

  test('are all UTF-8, whatever the row has', () => {
    const broken = Buffer.concat([Buffer.from('é'), Buffer.of(0xff, 0xc3)]);
    assert.deepEqual(labelsOf([text('a', broken)])[0]![1], 'a=é\ufffd\ufffd');
  });

  test('show addresses and names', () => {
    const names = { texts: [new Uint8Array(0), Buffer.from('shop')], json: [] };
    const address = {
      isIpv4: Uint8Array.of(1),
      ipv4: Uint32Array.of(0x0a000007),
      ipv6: new Uint8Array(16),
    };
    const field = (label: string, index: number): StandInField => ({
      label,
      cells: { kind: 'named', index: Uint32Array.of(index), table: names, address },
    });
    const labels = labelsOf([field('a', 1), field('b', ADDRESS), field('c', 0)])[0]!;
    assert.deepEqual(labels.slice(1, 3), ['a=shop', 'b=10.0.0.7']);
    assert.equal(labels.length, 4);
  });

  test('show numbers of every width', () => {
    const words = Uint32Array.of(0xffff_ffff, 0xffff_ffff);
    const labels = labelsOf([
      { label: 'a', cells: { kind: 'signed', values: Int32Array.of(-2) } },
      { label: 'b', cells: { kind: 'unsigned', values: Uint32Array.of(4_294_967_295) } },
      { label: 'c', cells: { kind: 'unsigned64', words } },
      { label: 'd', cells: { kind: 'signed64', words } },
      { label: 'e', cells: { kind: 'signed64', words: Uint32Array.of(0, 0x8000_0000) } },
      { label: 'f', cells: { kind: 'mac', words: Uint32Array.of(0x0304_0506, 0x0102) } },
    ])[0]!;
    assert.deepEqual(
      labels.filter((label) => /^[a-f]=/.test(label)),
      ['a=-2', 'b=4294967295', 'c=18446744073709551615', 'd=-1', 'e=-9223372036854775808', 'f=01:02:03:04:05:06'],
    );
  });

  test('property: any tags and external labels come out sorted, each once, as they went in', () => {
    const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,8}$/).filter((label) => !label.startsWith('__'));
    const word = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 300 }),
      fc.constant(''),
      fc.string({ minLength: 120, maxLength: 140 }),
    );
    fc.assert(
      fc.property(
        fc.dictionary(name, fc.array(word, { minLength: 3, maxLength: 3 }), { maxKeys: 12, noNullPrototype: true }),
        fc.dictionary(name, fc.string({ unit: 'grapheme', minLength: 1 }), { maxKeys: 5, noNullPrototype: true }),
        (tags, external) => {
          const fields = Object.entries(tags).map(([label, texts]) => text(label, ...texts));
          const all = labelsOf(fields, { externalLabels: new Map(Object.entries(external)) });
          for (const [row, labels] of all.entries()) {
            const wanted = new Map(Object.entries(external));
            for (const [label, texts] of Object.entries(tags))
              if (texts[row] !== '') wanted.set(label, texts[row]!.toWellFormed());
            if (!('datasource' in tags) || tags['datasource'][row] === '')
              wanted.set('datasource', 'flow_metrics.network.1s');
            wanted.set('__name__', 'request');
            const expected = [...wanted]
              .toSorted(([a], [b]) => compareUtf8(a, b))
              .map(([key, one]) => `${key}=${one.toWellFormed()}`);
            assert.deepEqual(labels, expected);
          }
        },
      ),
    );
  });
});

describe('max-labels', () => {
  const fields = [text('c', '1', '1'), text('b', '2', ''), text('a', '3', '3'), text('d', '4', '4')];

  test('takes the last tags of the row away, the same ones for the same tags', () => {
    assert.deepEqual(labelsOf(fields, { maxLabels: 4 }), [
      ['__name__=request', 'b=2', 'c=1', 'datasource=flow_metrics.network.1s'],
      ['__name__=request', 'a=3', 'c=1', 'datasource=flow_metrics.network.1s'],
    ]);
  });

  test('leaves series alone that have no more', () => {
    assert.equal(labelsOf(fields, { maxLabels: 6 })[0]!.length, 6);
  });

  test('never takes the name, the data source and external labels', () => {
    const externalLabels = new Map([['x', '9']]);
    assert.deepEqual(labelsOf(fields, { maxLabels: 1, externalLabels })[0], [
      '__name__=request',
      'datasource=flow_metrics.network.1s',
      'x=9',
    ]);
  });

  test('is counted per row and warned of once', async () => {
    const selector = standInSelector([...fields, value]);
    const { counters, metrics, lines } = countersOf('flow_metrics.network.1s', 3);
    const encoder = new RowEncoder(selector, seriesOptions({ maxLabels: 3 }), counters);
    for (let i = 0; i < 3; i++) new Lanes().take(encoder.begin(selector.batch(2, [1, 2]), 0, 0));
    const { values } = await metrics.exporterDroppedLabels.get();
    // 6 and 5 labels.
    assert.deepEqual(values, [{ labels: { exporter: 'out', data_source: 'flow_metrics.network.1s' }, value: 15 }]);
    assert.equal(lines.filter((line) => line.includes('max-labels')).length, 1);
  });
});

describe('labels of pods', () => {
  const sets = [
    [],
    [
      ['app', 'shop'],
      ['app.kubernetes.io/name', 'a'],
      ['app-kubernetes-io/name', 'b'],
      ['none', ''],
    ],
    [['zone', 'z']],
  ] as const;

  test('have names that Prometheus takes, and stand among the others', () => {
    const pods = [
      { suffix: '_0', index: Uint32Array.of(1), sets },
      { suffix: '_1', index: Uint32Array.of(2), sets },
    ] as const;
    const externalLabels = new Map([['k8s_label_b', 'x']]);
    assert.deepEqual(labelsOf([text('k8s', '1'), text('k9', '2')], { externalLabels }, pods), [
      [
        '__name__=request',
        'datasource=flow_metrics.network.1s',
        'k8s=1',
        'k8s_label_app_0=shop',
        'k8s_label_app_kubernetes_io_name_0=a',
        'k8s_label_b=x',
        'k8s_label_zone_1=z',
        'k9=2',
      ],
    ]);
  });

  test('are the first to go when there are too many', () => {
    const pods = [{ suffix: '', index: Uint32Array.of(1), sets }] as const;
    assert.deepEqual(labelsOf([text('a', '1'), text('b', '2')], { maxLabels: 5 }, pods), [
      ['__name__=request', 'a=1', 'b=2', 'datasource=flow_metrics.network.1s', 'k8s_label_app=shop'],
    ]);
    assert.deepEqual(labelsOf([text('a', '1'), text('b', '2')], { maxLabels: 3 }, pods), [
      ['__name__=request', 'a=1', 'datasource=flow_metrics.network.1s'],
    ]);
  });
});
