import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { checkMatchers, isSelective, matchersSql, metricIdOf, type Matcher } from '../../../src/query/matchers.ts';
import { anchored, literalAlternatives } from '../../../src/query/regex.ts';
import { statementText } from '../../../src/storage/sql.ts';

const one = (type: Matcher['type'], name: string, value: string): Matcher => ({ type, name, value });
const text = (...matchers: Matcher[]) => statementText(matchersSql(matchers));

describe('matchers as SQL', () => {
  it('name the metric by its id as well, so that the primary key is used', () => {
    assert.equal(metricIdOf('up'), 6885029485788832373n);
    assert.equal(text(one('EQ', '__name__', 'up')), `metric_id IN (${metricIdOf('up')}) AND metric_name = 'up'`);
    assert.equal(
      text(one('RE', '__name__', 'up|down')),
      `metric_id IN (${metricIdOf('up')}, ${metricIdOf('down')}) AND metric_name IN ('up', 'down')`,
    );
    assert.equal(text(one('NEQ', '__name__', 'up')), "metric_name != 'up'");
  });

  it('are lists where an expression only lists texts', () => {
    assert.equal(text(one('RE', 'a', 'x|y\\.z')), "labels['a'] IN ('x', 'y.z')");
    assert.equal(text(one('NRE', 'a', '(x|)')), "labels['a'] NOT IN ('x', '')");
    assert.equal(text(one('RE', 'a', '')), "labels['a'] = ''");
  });

  it('anchor expressions, and let the dot match line breaks', () => {
    assert.equal(text(one('RE', 'a', 'x.|y')), "match(labels['a'], '^(?s:x.|y)$')");
    assert.equal(text(one('NRE', 'a', "'\\d\0")), "NOT match(labels['a'], '^(?s:\\'\\\\d\\\\x00)$')");
  });

  it('are nothing, or everything, where all or no texts match', () => {
    assert.equal(text(), '1');
    assert.equal(text(one('RE', 'a', '.*')), '1');
    assert.equal(text(one('NRE', 'a', '.*')), '0');
    assert.equal(text(one('RE', 'a', '.+')), "labels['a'] != ''");
  });
});

describe('expressions that only list texts', () => {
  it('are recognised without changing what they match', () => {
    const piece = fc.constantFrom(
      'a',
      'b',
      '|',
      '\\.',
      '.',
      '(',
      ')',
      '\\-',
      '*',
      'é',
      '\\d',
      '[',
      '\\\\',
      '_',
      '\\_',
      '^',
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 8 }),
        fc.array(fc.constantFrom('a', 'b', '.', '-', 'é', '\\', '_', '|'), { maxLength: 3 }),
        (pieces, letters) => {
          const pattern = pieces.join('');
          const texts = literalAlternatives(pattern);
          if (texts === undefined) return;
          const regex = anchored(pattern);
          for (const candidate of [...texts, letters.join('')]) {
            assert.equal(texts.includes(candidate), regex.matches(candidate), `${pattern} on ${candidate}`);
          }
        },
      ),
      { numRuns: 2000 },
    );
    assert.deepEqual(literalAlternatives('(a|b\\.c)'), ['a', 'b.c']);
    assert.equal(literalAlternatives('a+'), undefined);
    assert.equal(literalAlternatives('a\\'), undefined);
    assert.equal(literalAlternatives('\\d'), undefined);
  });
});

describe('selectors that select everything', () => {
  it('are those that a series without labels meets', () => {
    assert.equal(isSelective([]), false);
    assert.equal(isSelective([one('EQ', 'a', '')]), false);
    assert.equal(isSelective([one('NEQ', 'a', 'b'), one('RE', 'a', '.*'), one('NRE', 'a', 'x')]), false);
    assert.equal(isSelective([one('EQ', 'a', 'b')]), true);
    assert.equal(isSelective([one('RE', 'a', '.+')]), true);
    assert.equal(isSelective([one('NEQ', 'a', '')]), true);
  });
});

describe('expensive expressions', () => {
  it('are refused or done in linear time', () => {
    const limits = { matchers: 10, regexBytes: 65_536 };
    const start = performance.now();
    assert.throws(() => checkMatchers([one('RE', 'a', '((a{100}){100}){100}')], limits), /regular expression/);
    checkMatchers([one('RE', 'a', '(x+x+)+y')], limits);
    assert.equal(anchored('(x+x+)+y').matches('x'.repeat(5000)), false);
    checkMatchers([one('RE', 'a', `(${'a?'.repeat(5000)})${'a'.repeat(5000)}`)], limits);
    assert.ok(performance.now() - start < 5000);
  });
});
