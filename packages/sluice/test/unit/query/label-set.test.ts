import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { StringBuilder } from '../../../src/batch/builder.ts';
import { labelSetReader, labelsOf, type LabelSet } from '../../../src/query/label-set.ts';

type Labels = readonly (readonly [string, string])[];

function read(metric: string, labels: Labels): LabelSet {
  const [metrics, names, values] = [new StringBuilder(1), new StringBuilder(1), new StringBuilder(1)];
  metrics.appendText(metric);
  for (const [name, value] of labels) {
    names.appendText(name);
    values.appendText(value);
  }
  const ends = Uint32Array.of(labels.length);
  const element = { kind: 'tuple', elements: [names.finish(), values.finish()] } as const;
  return labelSetReader(metrics.finish(), { kind: 'array', ends, element })(0);
}

/** The order of Prometheus, written out. */
function compare(left: Labels, right: Labels): number {
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    for (const part of [0, 1] as const) {
      const order = Buffer.compare(Buffer.from(left[at]![part]), Buffer.from(right[at]![part]));
      if (order !== 0) return order;
    }
  }
  return left.length - right.length;
}

const word = fc.string({
  unit: fc.constantFrom('\0', '\u0001', '\u0002', 'a', 'b', 'é', '\u{1F6B0}', '\uffee'),
  maxLength: 3,
});
const set = fc.uniqueArray(fc.tuple(word, word), { maxLength: 4, selector: ([name]) => name });

describe('label sets', () => {
  it('are sorted by name, the metric name among them', () => {
    const labels: Labels = [
      ['B', '2'],
      ['_', '3'],
      ['__name', '4'],
      ['a', '1'],
      ['größe', 'x'.repeat(3000)],
    ];
    assert.deepEqual(
      [...labelsOf(read('up', labels))],
      [
        ['B', '2'],
        ['_', '3'],
        ['__name', '4'],
        ['__name__', 'up'],
        ['a', '1'],
        ['größe', 'x'.repeat(3000)],
      ],
    );
    assert.deepEqual([...labelsOf(read('up', []))], [['__name__', 'up']]);
    assert.deepEqual([...labelsOf(read('', [['__name__x', 'y']]))], [['__name__x', 'y']]);
    assert.deepEqual(
      [...labelsOf(read('up', [['__name__x', 'y']]))],
      [
        ['__name__', 'up'],
        ['__name__x', 'y'],
      ],
    );
    assert.deepEqual([...labelsOf(read('', []))], []);
  });

  it('sort by their keys as Prometheus sorts them', () => {
    fc.assert(
      fc.property(set, set, (left, right) => {
        const [a, b] = [read('', left), read('', right)];
        const wanted = Math.sign(compare([...labelsOf(a)], [...labelsOf(b)]));
        assert.equal(a.key < b.key ? -1 : a.key > b.key ? 1 : 0, wanted);
      }),
      { numRuns: 2000 },
    );
  });
});
