import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parseRfc3339 } from '../../../../src/receivers/log/rfc3339.ts';

describe('RFC 3339 times', () => {
  const cases: readonly (readonly [text: string, micros: number])[] = [
    ['1970-01-01T00:00:00Z', 0],
    ['1969-12-31T23:59:59.999999Z', -1],
    ['2026-11-21T01:34:03.123456+00:00', 1_795_224_843_123_456],
    ['2026-11-21T01:34:03.1+00:00', 1_795_224_843_100_000],
    ['2026-11-21T01:34:03.1234569999999999999999Z', 1_795_224_843_123_456],
    ['2026-11-21t03:04:03z', 1_795_230_243_000_000],
    ['2026-11-21 03:04:03+01:30', 1_795_224_843_000_000],
    ['2026-11-20T20:04:03-05:30', 1_795_224_843_000_000],
    ['2024-02-29T00:00:00Z', 1_709_164_800_000_000],
    ['2000-02-29T00:00:00-00:00', 951_782_400_000_000],
  ];
  for (const [text, micros] of cases) test(text, () => assert.equal(parseRfc3339(text), micros));

  const wrong = [
    '',
    '2026-11-21',
    '2026-11-21T01:34:03',
    '2026-11-21T01:34:03.Z',
    '2026-11-21T01:34:03+0000',
    '2026-11-21T01:34:03+00:00 ',
    '2026-11-21T01:34:03Zx',
    '2026-11-21T01:34:03+24:00',
    '2026-11-21T01:34:03+00:60',
    '2026-11-21T01:34Z      ',
    '2026-11-21_01:34:03Z',
    '2026/11/21T01:34:03Z',
    '2026-1-021T01:34:03Z',
    '2026-13-01T01:34:03Z',
    '2026-00-01T01:34:03Z',
    '2026-11-31T01:34:03Z',
    '2026-11-00T01:34:03Z',
    '2023-02-29T01:34:03Z',
    '1900-02-29T01:34:03Z',
    '2026-11-21T24:00:00Z',
    '2026-11-21T01:60:00Z',
    '2026-11-21T01:34:60Z',
    '+026-11-21T01:34:03Z',
    '2026-11-21T 1:34:03Z',
  ];
  for (const text of wrong) test(`not ${text}`, () => assert.ok(Number.isNaN(parseRfc3339(text))));

  test('come back as they were written', () => {
    const zone = fc.integer({ min: -23 * 60 - 59, max: 23 * 60 + 59 });
    fc.assert(
      fc.property(
        fc.date({ min: new Date(0), max: new Date('2254-12-30'), noInvalidDate: true }),
        fc.nat(999),
        zone,
        (date, micros, east) => {
          const local = new Date(date.getTime() + east * 60_000).toISOString();
          const minutes = Math.abs(east);
          const two = (value: number) => String(value).padStart(2, '0');
          const offset = `${east < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
          const text = `${local.slice(0, -1)}${String(micros).padStart(3, '0')}${offset}`;
          assert.equal(parseRfc3339(text), date.getTime() * 1000 + micros);
        },
      ),
    );
  });

  test('any text is read', () => {
    const parts = fc.constantFrom('2026-11-21', 'T', '01:34:03', '.', '5', 'Z', '+', '-', '00:00', ' ', 'é');
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(parts).map((all) => all.join('')),
        ),
        (text) => {
          assert.equal(typeof parseRfc3339(text), 'number');
        },
      ),
    );
  });
});
