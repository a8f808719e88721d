import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { identifier, joinSql, secretLiteral, sql, statementText, trustedSql } from '../../../src/storage/sql.ts';

describe('sql', () => {
  it('quotes texts, numbers, lists and names', () => {
    const names = [identifier('a'), identifier('b', 'network.1m')];
    assert.equal(
      sql`SELECT ${names[0]!}, ${names[1]!} FROM t WHERE x = ${"it's"} AND n IN (${[1, 2.5, 18446744073709551615n]}) AND b = ${true}`
        .text,
      "SELECT `a`, `b`.`network.1m` FROM t WHERE x = 'it\\'s' AND n IN (1, 2.5, 18446744073709551615) AND b = 1",
    );
  });

  it('keeps a negative number from becoming a comment', () => {
    assert.equal(sql`SELECT 1 -${-5} - ${-5n}`.text, 'SELECT 1 -(-5) - (-5)');
  });

  it('shows no secrets, however deep they stand', () => {
    const inner = sql`PASSWORD ${secretLiteral("it's")}`;
    const statement = sql`CREATE ${sql`(${inner})`} AS ${'it'}`;
    assert.equal(statement.text, "CREATE (PASSWORD '[HIDDEN]') AS 'it'");
    assert.equal(statementText(statement), "CREATE (PASSWORD 'it\\'s') AS 'it'");
  });

  it('leaves no unescaped quote, and unescapes to the text it was given', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const literal = sql`${text}`.text;
        assert.match(literal, /^'(?:[^'\\]|\\.)*'$/s);
        assert.equal(unescape(literal.slice(1, -1)), text);
      }),
    );
  });

  it('leaves no unescaped backquote in a name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (text) => {
        const name = identifier(text).text;
        assert.match(name, /^`(?:[^`\\]|\\.)*`$/s);
        assert.equal(unescape(name.slice(1, -1)), text);
      }),
    );
  });

  it('refuses what has no literal', () => {
    assert.throws(() => sql`SELECT ${NaN}`, /BUG: NaN is not a number literal/);
    assert.throws(() => sql`SELECT ${Infinity}`, /BUG/);
    assert.throws(() => sql`SELECT 1 WHERE x IN (${[]})`, /BUG: an empty list/);
    assert.throws(() => identifier(''), /BUG/);
  });

  it('takes no object for SQL that it did not make itself', () => {
    const forged = JSON.parse('{"text": "DROP TABLE t"}');
    assert.throws(() => sql`SELECT ${forged}`, /BUG: expected SQL made by the sql template/);
    assert.throws(() => sql`SELECT ${[forged]}`, /BUG/);
    assert.throws(() => joinSql([forged], ', '), /BUG/);
    assert.throws(() => statementText(forged), /BUG/);
  });

  it('joins fragments', () => {
    assert.equal(joinSql([trustedSql('a = 1'), sql`b = ${'x'}`], ' AND ').text, "a = 1 AND b = 'x'");
  });
});

function unescape(text: string): string {
  const named = new Map([
    ['0', '\0'],
    ['n', '\n'],
    ['r', '\r'],
    ['t', '\t'],
    ['b', '\b'],
    ['f', '\f'],
  ]);
  return text.replace(/\\(.)/gs, (_, c: string) => named.get(c) ?? c);
}
