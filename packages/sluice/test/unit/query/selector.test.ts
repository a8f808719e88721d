import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isSluiceError } from '../../../src/base/errors.ts';
import type { Matcher } from '../../../src/query/matchers.ts';
import { parseSelector } from '../../../src/query/selector.ts';

const name = (value: string): Matcher => ({ type: 'EQ', name: '__name__', value });

describe('series selectors', () => {
  const good: [string, Matcher[]][] = [
    ['up', [name('up')]],
    ['job:rate5m:sum', [name('job:rate5m:sum')]],
    ['{}', []],
    [' up { } # a comment', [name('up')]],
    ['up{a="b",}', [{ type: 'EQ', name: 'a', value: 'b' }, name('up')]],
    [
      '{a="1", b!="2",\n c=~"3.*", d!~\'4\'}',
      [
        { type: 'EQ', name: 'a', value: '1' },
        { type: 'NEQ', name: 'b', value: '2' },
        { type: 'RE', name: 'c', value: '3.*' },
        { type: 'NRE', name: 'd', value: '4' },
      ],
    ],
    ['{"my.metric", "label.x"="v"}', [{ type: 'EQ', name: 'label.x', value: 'v' }, name('my.metric')]],
    ['{__name__=~"a|b"}', [{ type: 'RE', name: '__name__', value: 'a|b' }]],
    ['{a="\\n\\t\\"\\\\\\x41\\u00e9\\U0001F6B0\\101"}', [{ type: 'EQ', name: 'a', value: '\n\t"\\Aé🚰A' }]],
    ['{a="\\xc3\\xa9 größe"}', [{ type: 'EQ', name: 'a', value: 'é größe' }]],
    ['{a=`\\d+"`}', [{ type: 'EQ', name: 'a', value: '\\d+"' }]],
    ['sum{by="x"}', [{ type: 'EQ', name: 'by', value: 'x' }, name('sum')]],
  ];
  for (const [text, matchers] of good) it(`reads ${text}`, () => assert.deepEqual(parseSelector(text), matchers));

  const bad: [string, RegExp][] = [
    ['', /1:1: parse error: unexpected end of input in selector/],
    ['up{', /1:4: parse error: unexpected end of input in label matching/],
    ['up{a}', /1:5: parse error: unexpected "}" in label matching, expected one of/],
    ['up{a=b}', /1:6: parse error: .* expected a quoted text/],
    ['up{a="b" c="d"}', /1:10: parse error: .* expected "," or "}"/],
    ['up{,}', /parse error/],
    ['up{a="b"}[5m]', /unexpected "\[" in selector, expected its end/],
    ['up{"other"}', /metric name must not be set twice: "up" or "other"/],
    ['up{__name__="x"}', /metric name must not be set twice/],
    ['{a="b', /unterminated quoted string/],
    ['{a="b\n"}', /unterminated quoted string/],
    ['{a=`b', /unterminated raw string/],
    ['{a="\\q"}', /unknown escape sequence/],
    ['{a="\\ud800"}', /stands for no character/],
    ['{a="\\xff"}', /not valid UTF-8/],
    ['1up', /unexpected "1"/],
  ];
  for (const [text, message] of bad) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(
        () => parseSelector(text),
        (error) => isSluiceError(error, 'bad_request') && message.test(error.message),
      );
    });
  }
});
