import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { LabelList } from '../../../../src/base/label-fields.ts';
import { LinearMemory } from '../../../../src/base/linear-memory.ts';
import { labelFunctions } from '../../../../src/receivers/prometheus/label-code.ts';
import { putLabels } from '../../../../src/receivers/prometheus/new-series.ts';

suite('labels of new series', () => {
  const memory = new LinearMemory();
  const functions = labelFunctions(memory);
  const place = memory.allocate();
  const target = memory.allocate();

  test('ASCII is told from other bytes, whatever follows them', () => {
    for (const length of [0, 1, 15, 16, 17, 31, 32, 33, 200]) {
      memory.bytes.fill(0x7f, place, place + length).fill(0xff, place + length, place + length + 32);
      assert.equal(functions.isAscii(place, length), 1, `${length} bytes`);
      for (let at = 0; at < length; at++) {
        memory.bytes[place + at] = 0x80;
        assert.equal(functions.isAscii(place, length), 0, `byte ${at} of ${length}`);
        memory.bytes[place + at] = 0;
      }
    }
  });

  test('canonical bytes are those that LabelList.encode makes', () => {
    const text = fc.oneof(fc.string({ maxLength: 20 }), fc.string({ minLength: 100, maxLength: 17_000, size: 'max' }));
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text), { maxLength: 5 }), (labels) => {
        const list = new LabelList();
        let at = place;
        for (const [name, value] of labels) {
          const ranges = [name, value].flatMap((part) => {
            const start = at;
            at += memory.bytes.write(part, at);
            return [start, at];
          });
          list.push(ranges[0]!, ranges[1]!, ranges[2]!, ranges[3]!);
        }
        const end = putLabels(list, target, functions);
        assert.deepEqual(Uint8Array.from(memory.bytes.subarray(target, end)), list.encode(memory.bytes));
      }),
      { numRuns: 100 },
    );
  });
});
