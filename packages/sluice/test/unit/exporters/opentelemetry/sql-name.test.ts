import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readSqlName } from '../../../../src/exporters/opentelemetry/sql-name.ts';

function nameOf(statement: string): readonly [command: string, table: string] {
  const bytes = Buffer.from(`(${statement}(`);
  const name = { commandStart: -1, commandEnd: -1, tableStart: -1, tableEnd: -1 };
  readSqlName(bytes, 1, bytes.length - 1, name);
  return [
    bytes.toString('utf8', name.commandStart, name.commandEnd),
    bytes.toString('utf8', name.tableStart, name.tableEnd),
  ];
}

const cases: readonly (readonly [statement: string, command: string, table: string])[] = [
  ['', '', ''],
  ['   ', '', ''],
  ['COMMIT', 'COMMIT', ''],
  ['SET x', 'SET', ''],
  ['select a from t', 'select', 't'],
  ['SELECT a FROM t WHERE b = 1', 'SELECT', 't'],
  ['SELECT a, b FROM db.t;', 'SELECT', 'db.t'],
  ['SELECT 1 + 1', 'SELECT', ''],
  ['SELECT *\nFROM t', 'SELECT', ''],
  ['SELECT a FROM (SELECT b FROM c) x', 'SELECT', '(SELECT'],
  ['SELECT a FROM t, u', 'SELECT', 't,'],
  ['DELETE FROM t WHERE a = 1', 'DELETE', 't'],
  ['insert into t(a,b) values(1,"x")', 'insert', 't'],
  ['INSERT IGNORE INTO t VALUES (1)', 'INSERT', 't'],
  ['UPDATE t SET a = 1', 'UPDATE', 't'],
  ['UPDATE  t SET a = 1', 'UPDATE', ''],
  ['CREATE TABLE t (a int)', 'CREATE', 't'],
  ['CREATE TABLE t(a int)', 'CREATE', 't'],
  ['CREATE DATABASE IF NOT EXISTS d', 'CREATE', 'd'],
  ['DROP TABLE IF EXISTS tmp_1;', 'DROP', 'tmp_1'],
  ['DROP INDEX i ON t', 'DROP', ''],
  ['ALTER TABLE t ADD c int', 'ALTER', 't'],
  ['REPLACE INTO t VALUES (1)', 'REPLACE', ''],
  ['  select a from t  ', 'select', 't'],
];

test('statements are called by their command and what it is about', () => {
  for (const [statement, command, table] of cases) {
    assert.deepEqual(nameOf(statement), [command, table], statement);
  }
});

test('no statement is read beyond its end, and what is found are words of it', () => {
  const word = fc.constantFrom<string>(
    'SELECT',
    'from',
    'INTO',
    'IF',
    'EXISTS',
    'TABLE',
    'CREATE',
    'UPDATE',
    't(',
    't;',
    ';',
    '',
    '(',
    'é',
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 8 }), (words) => {
      const statement = words.join(' ');
      const [command, table] = nameOf(statement);
      assert.ok(command === '' || words.includes(command));
      assert.ok(table === '' || words.some((one) => one.startsWith(table)));
    }),
  );
});
