import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { LabelList } from '../../../src/base/label-fields.ts';

function listOf(labels: readonly (readonly [string, string])[]): { list: LabelList; bytes: Buffer } {
  const bytes = Buffer.from(labels.flat().join(''));
  const list = new LabelList();
  let at = 0;
  for (const [name, value] of labels) {
    const middle = at + Buffer.byteLength(name);
    const end = middle + Buffer.byteLength(value);
    list.push(at, middle, middle, end);
    at = end;
  }
  return { list, bytes };
}

function textOf(list: LabelList, bytes: Buffer): string[][] {
  return Array.from({ length: list.count }, (_, i) => [
    bytes.toString('utf8', list.nameStart(i), list.nameEnd(i)),
    bytes.toString('utf8', list.valueStart(i), list.valueEnd(i)),
  ]);
}

suite('label list', () => {
  test('encodes as field 1 of a 1.0 TimeSeries', () => {
    const { list, bytes } = listOf([
      ['job', 'a'],
      ['__name__', 'up'],
    ]);
    list.sort(bytes);
    assert.equal(
      Buffer.from(list.encode(bytes)).toString('hex'),
      '0a0e0a085f5f6e616d655f5f120275700a080a036a6f62120161',
    );
  });

  test('sorts by bytes, drops empty values, and reads back what it encodes', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 200 });
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(text, text), { maxLength: 90, selector: ([name]) => name }), (labels) => {
        const { list, bytes } = listOf(labels);
        list.dropEmpty();
        list.sort(bytes);
        const expected = labels
          .filter(([, value]) => value !== '')
          .toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
        assert.deepEqual(textOf(list, bytes), expected);
        const encoded = Buffer.from(list.encode(bytes));
        const again = new LabelList();
        again.parse(encoded, 0, encoded.length);
        assert.deepEqual(textOf(again, encoded), expected);
      }),
    );
  });

  test('reads labels whose parts come in another order, twice, or beside unknown ones', () => {
    const list = new LabelList();
    // value v, name n | name x, name n, value v | nothing | field 3, a varint | name n, field 5, a double, value v
    const parts = [
      '0a061201760a016e',
      '0a090a01780a016e120176',
      '0a00',
      '0a021801',
      '0a0f0a016e290000000000000000120176',
    ];
    const bytes = Buffer.from(parts.join(''), 'hex');
    list.parse(bytes, 0, bytes.length);
    assert.deepEqual(textOf(list, bytes), [
      ['n', 'v'],
      ['n', 'v'],
      ['', ''],
      ['', ''],
      ['n', 'v'],
    ]);
  });
});
