import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import * as fc from 'fast-check';
import { loadConfig } from '../../../src/config/load.ts';
import { readSource, SOURCE_LIMITS, type Source } from '../../../src/config/source.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-source-'));
after(() => rmSync(folder, { recursive: true }));

function read(text: string): Source {
  return readSource(text, (line, column) => ({ text: `${line}:${column}`, order: line * 1e6 + column, inFile: true }));
}

function complaints(text: string): string[] {
  return read(text).problems.map(({ place, message }) => `${place.text} ${message}`);
}

test('keys and values know where they stand', () => {
  const { root } = read('a: 1\nlist:\n  - x\n  - { y: true }\n');
  assert.ok(root?.kind === 'mapping');
  const list = root.entries.get('list');
  assert.equal(root.entries.get('a')?.place.text, '1:1');
  assert.equal(root.entries.get('a')?.node.place.text, '1:4');
  assert.equal(list?.place.text, '2:1');
  assert.ok(list?.node.kind === 'list');
  assert.deepEqual(
    list.node.items.map((item) => item.place.text),
    ['3:5', '4:5'],
  );
});

test('keys are names, whatever they look like', () => {
  const { root } = read('1: a\ntrue: b\n"x.y": c\n0x10: d\n');
  assert.ok(root?.kind === 'mapping');
  assert.deepEqual([...root.entries.keys()], ['1', 'true', 'x.y', '0x10']);
});

describe('what is refused before it costs', () => {
  const size = SOURCE_LIMITS.bytes;
  // Texts that make a parser work hard, up to as long as the limit allows, and what the first complaint must be.
  const cases: readonly [name: string, text: string, complaint: RegExp | undefined][] = [
    ['too long', 'a'.repeat(size + 1), /^1:1 expected at most 262144 bytes of configuration; got 262145$/],
    ['brackets', '['.repeat(size), /^1:1 expected at most 64 levels of nesting$/],
    ['braces', '{a: '.repeat(size / 4), /^1:1 expected at most 64 levels of nesting$/],
    ['dashes', '- '.repeat(size / 2), /^1:1 expected at most 64 levels of nesting$/],
    ['deep but closed', `${'['.repeat(70)}${']'.repeat(70)}`, /expected at most 64 levels of nesting$/],
    [
      'indentation',
      Array.from({ length: 100 }, (_, at) => `${' '.repeat(at)}a:`).join('\n'),
      /expected at most 64 levels of nesting$/,
    ],
    ['keys', Array.from({ length: 20_000 }, (_, at) => `k${at}: 1`).join('\n'), undefined],
    ['the same key', 'a: 1\n'.repeat(size / 20), /^2:1 the key "a" is already given at 1:1$/],
    ['aliases', `- &a x\n${'- *a\n'.repeat(size / 5 - 2)}`, undefined],
    [
      'aliases of lists',
      `- &a [${'x,'.repeat(999)}]\n${'- *a\n'.repeat(1000)}`,
      /expected at most 100000 values, aliases expanded$/,
    ],
    ['commas', `[${','.repeat(size / 8)}`, /^1:3 cannot read YAML: Unexpected , in flow sequence$/],
    ['directives', '%\n'.repeat(size / 16), /cannot read YAML/],
    ['anchors', '&a '.repeat(size / 24), /cannot read YAML/],
    ['tags', '- !x y\n'.repeat(size / 28), /^1:3 cannot read this YAML tag: Unresolved tag: !x$/],
    ['one long text', `a: "${'\\u0041'.repeat(size / 6 - 2)}"`, undefined],
  ];
  for (const [name, text, complaint] of cases) {
    test(name, { timeout: 60_000 }, () => {
      const found = complaints(text);
      const [first] = found;
      if (complaint === undefined) assert.equal(first, undefined);
      else assert.match(first ?? 'nothing', complaint);
      assert.ok(found.length <= SOURCE_LIMITS.problems);
    });
  }
});

describe('any text ends in a configuration or in problems, never in an exception', () => {
  const path = join(folder, 'any.yml');
  const load = (text: string | Uint8Array) => {
    writeFileSync(path, text);
    const loaded = loadConfig({ path, env: {} });
    assert.equal(loaded.config === undefined, loaded.problems.length > 0);
    for (const problem of [...loaded.problems, ...loaded.warnings]) {
      assert.match(problem, /^[^\n]*\.yml(?::\d+:\d+)?: \S/);
    }
  };
  const words =
    'listen http auth limits tls ingester exporters storage retention none 0.0.0.0:1 null ~ .nan .inf -1 1e999'
      .concat(' __proto__ constructor toString ${X} "a.b" 1s 5MiB 2001-01-01 0o7 : - [ ] { } # % --- ... << \\')
      .split(' ');
  const marks = [
    '"',
    "'",
    ': ',
    '- ',
    ', ',
    '\n',
    '\n  ',
    '\n    ',
    '&a ',
    '*a',
    '!x ',
    '!!binary ',
    '!!set ',
    '? ',
    '| ',
    '> ',
  ];
  const rare = ['\t', '\r', '\0', '\u{feff}', '\u{1f600}', ' '];
  const token = fc.constantFrom(...words, ...marks, ...rare);
  test('words of YAML and of the configuration', () => {
    const text = fc.array(token, { maxLength: 40 }).map((parts) => parts.join(''));
    fc.assert(fc.property(text, load), { numRuns: 400 });
  });
  test('lines of keys', () => {
    const line = fc
      .tuple(fc.nat(3), token, token)
      .map(([indent, key, value]) => `${'  '.repeat(indent)}${key}: ${value}\n`);
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 12 }).map((lines) => lines.join('')),
        load,
      ),
      { numRuns: 400 },
    );
  });
  test('any characters and bytes', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), load), { numRuns: 200 });
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), load), { numRuns: 200 });
  });
  test('any --set', () => {
    const set = fc.array(token, { maxLength: 8 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.array(set, { maxLength: 3 }), (sets) => {
        const loaded = loadConfig({ sets, env: {} });
        assert.equal(loaded.config === undefined, loaded.problems.length > 0);
      }),
      { numRuns: 200 },
    );
  });
});
