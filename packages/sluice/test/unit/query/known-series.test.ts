import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KnownSeries, type AskedFor } from '../../../src/query/known-series.ts';
import type { Matcher } from '../../../src/query/matchers.ts';
import { TableVersions } from '../../../src/storage/table-versions.ts';

const HOUR = 3_600_000;
const matching = (value: string): readonly Matcher[] => [{ type: 'EQ', name: 'job', value }];
const ids = { metricIds: [1n], seriesIds: [2n], most: true };
const series = (bytes: number) => [{ metricId: 1n, seriesId: 2n, labels: new Uint8Array(bytes), key: '' }];

const of = (start: number): AskedFor => ({ start, end: Infinity, names: 0 });

type Kept = AskedFor & { bytes: number; tagsSince: number; version: number | undefined };

function open(maxBytes = 1 << 20) {
  const versions = new TableVersions();
  const known = new KnownSeries(versions, maxBytes);
  const set = (value: string, { bytes = 100, start = 0, version = known.version(1), ...more }: Partial<Kept> = {}) =>
    known.set(1, matching(value), { ...of(start), tagsSince: -Infinity, ...more, found: series(bytes), ids, version });
  const has = (value: string, start = 0, more: Partial<AskedFor> = {}) =>
    known.get(1, matching(value), { ...of(start), ...more }) !== undefined;
  return { versions, known, set, has };
}

test('an answer is kept for its selector, its organisation and ranges that begin as late or a little later', () => {
  const { known, set, has } = open();
  set('a', { start: 10 * HOUR });
  assert.deepEqual(known.get(1, matching('a'), of(11 * HOUR))?.found, series(100));
  assert.deepEqual(
    [has('a', 10 * HOUR), has('a', 16 * HOUR), has('a', 16 * HOUR + 1), has('a', 10 * HOUR - 1)],
    [true, true, false, false],
  );
  assert.equal(known.get(2, matching('a'), of(10 * HOUR)), undefined);
  assert.equal(known.get(1, [{ type: 'NEQ', name: 'job', value: 'a' }], of(10 * HOUR)), undefined);
});

test('it is void when a row of the series table may have come, and when nobody could tell', () => {
  const { versions, known, set, has } = open();
  set('a');
  versions.changed({ org: 1, table: 'prometheus.samples' });
  versions.changed({ org: 2, table: 'prometheus.series' });
  assert.ok(has('a'));
  const before = known.version(1);
  versions.changed({ org: 1, table: 'prometheus.series' });
  assert.ok(!has('a'));
  set('b', { version: before });
  assert.ok(!has('b'), 'found before the change');
  const blind = new KnownSeries(undefined, 1 << 20);
  blind.set(1, matching('a'), { ...of(0), tagsSince: -Infinity, found: series(1), ids, version: blind.version(1) });
  assert.equal(blind.get(1, matching('a'), of(0)), undefined);
});

test('tags are those of the names, and of ranges that end behind the last change', () => {
  const { set, has } = open();
  set('a', { names: 3, tagsSince: 50, end: 60 });
  assert.deepEqual(
    [has('a', 0, { names: 3, end: 50 }), has('a', 0, { names: 3, end: 1000 }), has('a', 0, { names: 3, end: 49 })],
    [true, true, false],
  );
  // An answer about the past is not that of now, and does not drive it out.
  set('a', { names: 3, tagsSince: 50, end: 40 });
  assert.ok(has('a', 0, { names: 3, end: 60 }));
  assert.ok(!has('a', 0, { names: 4, end: 60 }));
  assert.ok(!has('a', 0, { names: 3, end: 60 }), 'forgotten');
});

test('memory is bounded: what was unused for longest goes first, what is very large is not kept', () => {
  const { set, has } = open(10_000);
  for (const value of ['a', 'b', 'c']) set(value, { bytes: 2000 });
  assert.ok(has('a'));
  for (const value of ['d', 'e']) set(value, { bytes: 2000 });
  assert.deepEqual(
    ['a', 'b', 'c', 'd', 'e'].map((value) => has(value)),
    [true, false, true, true, true],
  );
  set('huge', { bytes: 6000 });
  assert.ok(!has('huge') && has('e'));
  for (let again = 0; again < 100; again++) set('e', { bytes: 2000 });
  assert.ok(has('a') && has('d'), 'setting one again costs the others nothing');
});
