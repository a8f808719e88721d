import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { RE2JS } from 're2js';
import { labelsOf } from '../../../src/query/label-set.ts';
import { checkMatchers, type Matcher } from '../../../src/query/matchers.ts';
import { findSeries } from '../../../src/query/series-lookup.ts';
import { openTestDatabase, type DataSeries, type TestDatabase } from './prometheus-data.ts';

const NAMES = ['__name__', 'a', 'b.c', 'größe', "it's"];
const VALUES = ['', 'x', 'xy', 'x\ny', 'X', 'a|b', 'größe', '🚰', '\\', "'", '%', 'a.b', 'ab', '\0x', 'x\n'];
// Apart by blanks: none of them has one.
const PATTERNS = String.raw`
  x x|y x.* .*y .+ .* x.y (?i)x x? [xy]+ \w+ \\ a\.b a.b a|b a\|b (x|xy) ^x$ x$|^y \pL+ [^x] g.ö.e|gr.+ (?:a|X)b? . .. ' % \x00. (?s).* (?-s)x.y
  \bx\b x\z \Ax`
  .trim()
  .split(/\s+/)
  .concat('', '\0.');

describe('matchers in the database', () => {
  let database: TestDatabase;
  let data: DataSeries[];

  before(async () => {
    database = await openTestDatabase();
    const value = fc.constantFrom(...VALUES);
    const set = fc.tuple(...NAMES.map(() => value));
    const labels = fc.sample(set, { numRuns: 400, seed: 7 }).map((values) => {
      const pairs = NAMES.map((name, index) => [name, values[index]!] as const);
      return pairs.filter(([, text]) => text !== '');
    });
    const unique = new Map(labels.map((pairs) => [JSON.stringify(pairs), pairs]));
    data = [...unique.values()].map((pairs) => ({ labels: pairs, announced: [1_700_000_000_000] }));
    await database.insert(data);
    // Announced again, tags changed: still one series each.
    await database.insert(data.map((series) => ({ ...series, announced: [1_700_050_000_000, 1_700_090_000_000] })));
  });
  after(() => database.close());

  const find = async (matchers: readonly Matcher[]) => {
    const lookup = {
      store: database.store,
      org: 1,
      matchers,
      start: 1_700_000_000_000,
      limit: 10_000,
      timeoutMs: 10_000,
    };
    const found = await findSeries({ ...lookup, signal: new AbortController().signal });
    return found.map((series) => JSON.stringify([...labelsOf(series)]));
  };

  it('select what the same expressions select here', async () => {
    const types = ['EQ', 'NEQ', 'RE', 'NRE'] as const;
    const matcher = fc
      .tuple(
        fc.constantFrom(...types),
        fc.constantFrom(...NAMES, 'nosuch'),
        fc.constantFrom(...VALUES),
        fc.constantFrom(...PATTERNS),
      )
      .map(([type, name, value, pattern]): Matcher => ({
        type,
        name,
        value: type === 'EQ' || type === 'NEQ' ? value : pattern,
      }));
    await fc.assert(
      fc.asyncProperty(fc.array(matcher, { maxLength: 3 }), async (matchers) => {
        checkMatchers(matchers, { matchers: 10, regexBytes: 1000 });
        const wanted = data.filter(({ labels }) => matchers.every((one) => isMet(one, labels)));
        assert.deepEqual(
          (await find(matchers)).toSorted(),
          wanted.map(({ labels }) => JSON.stringify(labels)).toSorted(),
        );
      }),
      { numRuns: 100 },
    );
  });

  it('see every single expression alike', async () => {
    for (const pattern of PATTERNS) {
      const matchers: Matcher[] = [{ type: 'RE', name: 'a', value: pattern }];
      const wanted = data.filter(({ labels }) => isMet(matchers[0]!, labels)).length;
      assert.equal((await find(matchers)).length, wanted, JSON.stringify(pattern));
    }
  });
});

/** Prometheus' own rules, without our SQL and its shortcuts. */
function isMet({ type, name, value }: Matcher, labels: DataSeries['labels']): boolean {
  const text = labels.find(([label]) => label === name)?.[1] ?? '';
  if (type === 'EQ') return text === value;
  if (type === 'NEQ') return text !== value;
  return RE2JS.compile(`^(?s:${value})$`).matches(text) === (type === 'RE');
}
