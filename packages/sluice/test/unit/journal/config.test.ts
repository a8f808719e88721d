import assert from 'node:assert/strict';
import { test } from 'node:test';
import { journalSchema, toJournalOptions } from '../../../src/journal/config.ts';

test('defaults are the documented ones', () => {
  const { catalog, ...options } = toJournalOptions(journalSchema.parse({}));
  assert.deepEqual(options, {
    sync: 'interval',
    syncIntervalMs: 1000,
    maxBytes: 4 * 2 ** 30,
    minFreeBytes: 2 ** 30,
    segmentAgeMs: undefined,
    segmentMaxRows: 500_000,
  });
  assert.equal(catalog.find('prometheus.samples')?.table, 'samples');
});

test('values are read with their units', () => {
  const config = journalSchema.parse({
    sync: 'always',
    'sync-interval': '250ms',
    'max-bytes': '64MiB',
    'min-free-bytes': 0,
    'segment-age': '2s',
  });
  const { catalog: _, ...options } = toJournalOptions(config);
  assert.deepEqual(options, {
    sync: 'always',
    syncIntervalMs: 250,
    maxBytes: 64 * 2 ** 20,
    minFreeBytes: 0,
    segmentAgeMs: 2000,
    segmentMaxRows: 500_000,
  });
});

test('unknown keys and values are refused', () => {
  for (const bad of [{ sync: 'never' }, { 'max-byte': '1GiB' }, { 'sync-interval': 5 }, { 'max-bytes': 'much' }]) {
    assert.equal(journalSchema.safeParse(bad).success, false, JSON.stringify(bad));
  }
});
