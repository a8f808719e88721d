import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textTable } from '../../../src/base/text-table.ts';

test('columns are as wide as they need be, without spaces at the end of lines', () => {
  assert.equal(
    textTable(
      ['A', 'LONG'],
      [
        ['1', 'x'],
        ['222', ''],
      ],
    ),
    'A    LONG\n1    x\n222',
  );
});

test('nothing in a cell steers the terminal, and long ones are cut', () => {
  assert.equal(textTable(['A'], [['\u001b[2J\r\nx']]), 'A\n?[2J??x');
  assert.equal(textTable(['A'], [['x'.repeat(20)]], 10), `A\n${'x'.repeat(9)}…`);
});
