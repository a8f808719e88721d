import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  countParameter,
  labelName,
  limitParameter,
  selectors,
  timeParameters,
} from '../../../../src/query/labels/parameters.ts';

const limits = { matchers: 10, regexBytes: 1000 };
const time = (text: string) => timeParameters(new URLSearchParams({ start: text })).start;

describe('times', () => {
  it('are Unix seconds or RFC 3339, to the millisecond; absent ones are no limit', () => {
    assert.deepEqual(timeParameters(new URLSearchParams()), { start: -Infinity, end: Infinity });
    assert.equal(time('1700000000'), 1_700_000_000_000);
    assert.equal(time('1700000000.1239'), 1_700_000_000_124);
    assert.equal(time('-1.5e3'), -1_500_000);
    assert.equal(time('2023-11-14T22:13:20Z'), 1_700_000_000_000);
    assert.equal(time('2023-11-14T23:13:20.123456789+01:00'), 1_700_000_000_123);
    assert.equal(time('-292273086-05-16T16:47:06Z'), -Infinity);
  });

  it('are refused when they are something else', () => {
    for (const text of ['now', '2023-11-14', '1h', 'Infinity', '2023-13-14T22:13:20Z']) {
      assert.throws(() => time(text), {
        message: `invalid parameter "start": cannot parse "${text}" to a valid timestamp`,
      });
    }
  });
});

describe('limits', () => {
  it('are whole numbers', () => {
    assert.equal(limitParameter(new URLSearchParams()), 0);
    assert.equal(limitParameter(new URLSearchParams('limit=7')), 7);
    assert.throws(() => limitParameter(new URLSearchParams('limit=-1')), /limit must be non-negative/);
    assert.throws(() => limitParameter(new URLSearchParams('limit=1.5')), /invalid parameter "limit"/);
    assert.equal(countParameter(new URLSearchParams('limit=-1'), 'limit'), -1);
    assert.throws(() => countParameter(new URLSearchParams('limit=x'), 'limit'), { message: 'limit must be a number' });
  });
});

describe('selectors', () => {
  it('are read from every match[]', () => {
    assert.equal(selectors(new URLSearchParams('match[]=up&match[]={a="b"}'), limits).length, 2);
  });

  it('are refused with the parameter named', () => {
    const bad = (text: string) => () => selectors(new URLSearchParams({ 'match[]': text }), limits);
    assert.throws(bad('up{'), /^SluiceError: invalid parameter "match\[\]": 1:4: parse error/);
    assert.throws(bad('{a=~".*"}'), {
      message: 'invalid parameter "match[]": match[] must contain at least one non-empty matcher',
    });
    assert.throws(bad('{a=~"("}'), /invalid parameter "match\[\]".*regular expression/);
    assert.throws(bad(`{a="${'b'.repeat(3000)}"}`), /at most 2000 bytes/);
  });
});

describe('label names of the path', () => {
  it('come as they are or in the U__ form', () => {
    const names: [string, string][] = [
      ['job', 'job'],
      ['my.label', 'my.label'],
      ['U__my_2e_label', 'my.label'],
      ['U__a__b', 'a_b'],
      ['U__gr_f6__df_e', 'größe'],
      ['U___1f6b0_', '🚰'],
      ['U__a_zz_', 'U__a_zz_'],
      ['U__a_2e', 'U__a_2e'],
      ['U___d800_', 'U___d800_'],
    ];
    for (const [text, name] of names) assert.equal(labelName(text), name, text);
    assert.throws(() => labelName(''), { message: 'invalid label name: ""' });
    assert.throws(() => labelName('a\u{FFFD}'), /invalid label name/);
    assert.throws(() => labelName('U__'), /invalid label name/);
  });
});
