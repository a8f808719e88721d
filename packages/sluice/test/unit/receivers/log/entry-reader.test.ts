import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EntryReader } from '../../../../src/receivers/log/entry-reader.ts';

/** The entries of a text with noise around it, and whether it was torn. */
function read(text: string): { readonly entries: readonly string[]; readonly isTorn: boolean } {
  const bytes = Buffer.concat([Buffer.from('"{['), Buffer.from(text), Buffer.from(']}"')]);
  const reader = new EntryReader();
  reader.begin(bytes, 3, bytes.length - 3);
  const entries: string[] = [];
  while (reader.next()) {
    assert.ok(reader.end > reader.start && reader.end <= bytes.length - 3);
    entries.push(bytes.toString('utf8', reader.start, reader.end));
  }
  return { entries, isTorn: reader.isTorn };
}

const cases: readonly (readonly [text: string, entries: readonly string[], isTorn?: boolean])[] = [
  ['', []],
  [' \r\n\t', []],
  ['[]', []],
  ['[{}]', ['{}']],
  ['[{"a":1},{"b":[{}]}]\n', ['{"a":1}', '{"b":[{}]}']],
  ['{"a":1}\n{"b":2}{"c":3}', ['{"a":1}', '{"b":2}', '{"c":3}']],
  [String.raw`[{"a":"}]\"{"},{}]`, [String.raw`{"a":"}]\"{"}`, '{}']],
  [String.raw`[{"a":"\\"},{}]`, [String.raw`{"a":"\\"}`, '{}']],
  ['[1,"a]",null,[{}],true]', ['1', '"a]"', 'null', '[{}]', 'true']],
  ['[{a b},{"ok":1}]', ['{a b}', '{"ok":1}']],
  ['[x{"ok":1}]', ['x', '{"ok":1}']],
  ['[{}]]', ['{}', ']']],
  ['[{"a":1}', ['{"a":1}'], true],
  ['[{"a":1},{"b":', ['{"a":1}'], true],
  ['[{"a":1},{"b":"x]}', ['{"a":1}'], true],
  ['{"a', [], true],
  ['["a', [], true],
  ['[{"a":"\\', [], true],
  ['[', [], true],
];
for (const [text, entries, isTorn = false] of cases) {
  test(`entries of ${JSON.stringify(text)}`, () => assert.deepEqual(read(text), { entries, isTorn }));
}

test('entries are found however they are written', () => {
  const objects = fc.array(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue()), { maxLength: 5 });
  fc.assert(
    fc.property(objects, fc.constantFrom(undefined, '\t'), (written, indent) => {
      const texts = written.map((object) => JSON.stringify(object, undefined, indent));
      assert.deepEqual(read(JSON.stringify(written, undefined, indent)).entries.map(parsed), written.map(plain));
      assert.deepEqual(read(texts.join('\n')), { entries: texts, isTorn: false });
      assert.deepEqual(read(texts.join('')), { entries: texts, isTorn: false });
    }),
  );
});

function parsed(text: string): unknown {
  return JSON.parse(text);
}

/** -0 is 0 in JSON. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

test('any bytes are read to their end', () => {
  const soup = fc.array(fc.constantFrom('{', '}', '[', ']', '"', '\\', ',', ' ', 'a', '1', ':'), { maxLength: 40 });
  fc.assert(
    fc.property(soup, (parts) => {
      const { entries } = read(parts.join(''));
      assert.ok(entries.length <= parts.length);
    }),
    { numRuns: 2000 },
  );
});
