import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { LinearMemory } from '../../../src/base/linear-memory.ts';
import { bug } from '../../../src/base/errors.ts';
import { SeriesTable } from '../../../src/series/series-table.ts';

const HOUR = 3_600_000;

/** Label fields of a 1.0 TimeSeries in the given order, and canonical ones. */
function fields(labels: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(
    labels.map(([name, value]) => {
      const part = (tag: number, text: string): Buffer =>
        Buffer.concat([Buffer.from([tag, Buffer.byteLength(text)]), Buffer.from(text)]);
      const body = Buffer.concat([part(0x0a, name), part(0x12, value)]);
      return Buffer.concat([Buffer.from([0x0a, body.length]), body]);
    }),
  );
}

const canonical = (labels: readonly (readonly [string, string])[]): Buffer =>
  fields(
    [...labels]
      .filter(([, value]) => value !== '')
      .toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
  );

type Labels = readonly (readonly [string, string])[];

/** A table with a place for bytes in its memory. */
class Bench {
  nowMs = Date.UTC(2026, 10, 20);
  readonly memory = new LinearMemory();
  readonly place = this.memory.allocate();
  readonly table: SeriesTable;

  constructor(limit = 1_000_000, digest?: (bytes: Uint8Array) => Uint8Array) {
    this.table = new SeriesTable({
      memory: this.memory,
      limit,
      now: () => this.nowMs,
      ...(digest === undefined ? {} : { digest }),
    });
  }

  put(bytes: Uint8Array, offset = 0): [number, number] {
    this.memory.bytes.set(bytes, this.place + offset);
    return [this.place + offset, this.place + offset + bytes.length];
  }

  find(labels: Labels, previous = 0): number {
    return this.table.find(0, previous, ...this.put(fields(labels)));
  }

  add(labels: Labels) {
    return this.table.add(...this.put(fields(labels)), canonical(labels));
  }

  /** Adds or finds; the series. */
  see(labels: Labels, previous = 0): number {
    this.table.begin();
    let form = this.find(labels, previous);
    if (form < 0) {
      const added = this.add(labels);
      if (added.kind === 'refused') return bug(added.reason);
      form = added.form;
    }
    const series = this.table.seriesOf(form);
    this.table.touch(series);
    return series;
  }

  /** The 2.0 spelling of labels: symbols placed one after the other. */
  symbols(labels: Labels): { ranges: Uint32Array; refs: Uint32Array } {
    const texts = labels.flat();
    const ranges = new Uint32Array(texts.length * 2);
    let offset = 100_000;
    texts.forEach((text, index) => {
      const [start, end] = this.put(Buffer.from(text), offset);
      ranges.set([start, end], index * 2);
      offset += text.length * 4;
    });
    return { ranges, refs: Uint32Array.from(texts.keys()) };
  }

  findSymbolic(labels: Labels): number {
    const { ranges, refs } = this.symbols(labels);
    const numbers = Array.from(refs, (ref) => this.table.symbol(ranges[ref * 2]!, ranges[ref * 2 + 1]!));
    if (numbers.includes(0)) return -1;
    return this.table.find(1, 1, ...this.put(Buffer.from(Uint32Array.from(numbers).buffer)));
  }

  seeSymbolic(labels: Labels): number {
    this.table.begin();
    let form = this.findSymbolic(labels);
    if (form < 0) {
      const { ranges, refs } = this.symbols(labels);
      const added = this.table.addSymbolic({ ranges }, refs, refs.length, canonical(labels));
      if (added.kind === 'refused') return bug(added.reason);
      form = added.form;
    }
    const series = this.table.seriesOf(form);
    this.table.touch(series);
    return series;
  }

  upkeep(): void {
    for (const _ of this.table.upkeep());
  }
}

const up: Labels = [
  ['__name__', 'up'],
  ['job', 'a'],
];

suite('series table', () => {
  test('finds what was added, by its exact bytes', () => {
    const bench = new Bench();
    assert.equal(bench.find(up), -1);
    const added = bench.add(up);
    assert.equal(added.kind, 'new');
    assert.ok(added.kind === 'new');
    assert.equal(bench.find(up), added.form);
    assert.equal(bench.table.seriesOf(added.form), added.series);
    assert.deepEqual(bench.table.labels(added.series), Uint8Array.from(canonical(up)));
    assert.equal(
      bench.find([
        ['__name__', 'up'],
        ['job', 'b'],
      ]),
      -1,
    );
    assert.equal(bench.table.find(0, 0, bench.place, bench.place + fields(up).length - 1), -1);
  });

  test('ids are the first 8 bytes of SHA-256 over the name and over the canonical labels', () => {
    const bench = new Bench();
    const series = bench.see(up);
    const ids = bench.table.ids.subarray(series * 4, series * 4 + 4);
    const bytes = Buffer.from(ids.buffer, ids.byteOffset, 16).toString('hex');

    assert.equal(bytes.slice(0, 16), hashPrefix('up'));
    assert.equal(
      bytes.slice(16),
      hashPrefix(Buffer.from('0a0e0a085f5f6e616d655f5f120275700a080a036a6f62120161', 'hex')),
    );
  });

  test('spellings of one label set are one series: other orders, empty labels, 2.0', () => {
    const bench = new Bench();
    const series = bench.see(up);
    assert.equal(
      bench.see([
        ['job', 'a'],
        ['__name__', 'up'],
      ]),
      series,
    );
    assert.equal(
      bench.see([
        ['job', 'a'],
        ['x', ''],
        ['__name__', 'up'],
      ]),
      series,
    );
    assert.equal(bench.seeSymbolic(up), series);
    assert.equal(
      bench.seeSymbolic([
        ['job', 'a'],
        ['__name__', 'up'],
      ]),
      series,
    );
    assert.deepEqual([bench.table.active, bench.table.forms, bench.table.symbolCount], [1, 5, 4]);
    for (const spelling of [up, up.toReversed()]) assert.ok(bench.findSymbolic(spelling) > 0);
  });

  test('follows the order of the message, also when one is left out', () => {
    const bench = new Bench();
    const all = Array.from({ length: 5 }, (_, i): Labels => [['__name__', `m${i}`]]);
    let previous = 0;
    const forms = all.map((labels) => {
      const added = bench.add(labels);
      assert.ok(added.kind === 'new');
      assert.equal(bench.find(labels, previous), added.form);
      previous = added.form;
      return added.form;
    });
    const follow = (before: number, labels: Labels): number => {
      const [start, end] = bench.put(fields(labels));
      return bench.table.follow(before, start, end);
    };
    assert.equal(follow(0, all[0]!), forms[0]);
    assert.equal(follow(forms[0]!, all[1]!), forms[1]);
    assert.equal(follow(forms[1]!, all[3]!), forms[3], 'm2 was left out');
    assert.equal(follow(forms[1]!, all[3]!), forms[3]);
    assert.equal(follow(forms[3]!, all[0]!), -1);
    // A prefix is told by its length.
    const [start, end] = bench.put(Buffer.concat([fields(all[0]!), fields([['job', 'x']])]));
    const form = bench.table.follow(0, start, end);
    assert.ok(start + bench.table.formLength(form) < end);
  });

  test('the limit refuses new series, not spellings of known ones', () => {
    const bench = new Bench(1);
    const series = bench.see(up);
    assert.deepEqual(bench.add([['__name__', 'other']]), { kind: 'refused', reason: 'limit' });
    assert.equal(
      bench.see([
        ['job', 'a'],
        ['__name__', 'up'],
      ]),
      series,
    );
    assert.equal(bench.table.active, 1);
  });

  test('a collision of ids is refused', () => {
    const bench = new Bench(10, (bytes) =>
      Buffer.concat([Buffer.alloc(8, 7), Buffer.from([bytes.length]), Buffer.alloc(23)]),
    );
    bench.see(up);
    assert.deepEqual(bench.add([['__name__', 'other']]), { kind: 'refused', reason: 'collision' });
    assert.equal(
      bench.see([
        ['job', 'a'],
        ['__name__', 'up'],
      ]),
      1,
    );
  });

  test('an announcement is due at first and again after a day, not before the journal has it', () => {
    const bench = new Bench();
    const series = bench.see(up);
    assert.equal(bench.table.touch(series), true);
    assert.equal(bench.table.touch(series), true, 'the append may have failed');
    bench.table.announced([series]);
    assert.equal(bench.table.touch(series), false);
    bench.nowMs += 21 * HOUR;
    bench.table.begin();
    assert.equal(bench.table.touch(series), false);
    bench.nowMs += 3 * HOUR;
    bench.table.begin();
    assert.equal(bench.table.touch(series), true);
    bench.table.announced([series]);
    bench.table.reannounceAll();
    assert.equal(bench.table.touch(series), true);
    assert.equal(bench.table.validFrom(series), Date.UTC(2026, 10, 20));
  });

  test('idle series leave after an hour; those seen keep their numbers, and memory is given back', () => {
    const bench = new Bench();
    const long = 'x'.repeat(120);
    const labels = (i: number): Labels => [
      ['__name__', `m${i}`],
      ['a', long],
      ['b', long],
      ['c', long],
    ];
    const numbers = Array.from({ length: 4000 }, (_, i) =>
      i % 2 === 0 ? bench.see(labels(i)) : bench.seeSymbolic(labels(i)),
    );
    const { bytes } = bench.table;
    bench.nowMs += 50 * 60_000;
    for (let i = 0; i < 4000; i += 100) bench.see(labels(i));
    bench.seeSymbolic(labels(1));
    bench.upkeep();
    assert.equal(bench.table.active, 4000);
    bench.nowMs += 20 * 60_000;
    bench.upkeep();
    assert.deepEqual([bench.table.active, bench.table.idled], [41, 3959]);
    assert.equal(bench.table.symbolCount, 6, 'four label names, a metric name, the long value');
    assert.ok(bench.table.bytes < bytes, `${bench.table.bytes} < ${bytes}`);
    for (let i = 0; i < 4000; i += 100) {
      assert.equal(bench.see(labels(i)), numbers[i]);
      assert.deepEqual(bench.table.labels(numbers[i]!), Uint8Array.from(canonical(labels(i))));
    }
    assert.equal(bench.seeSymbolic(labels(1)), numbers[1]);
    assert.deepEqual(bench.table.labels(numbers[1]!), Uint8Array.from(canonical(labels(1))));
    // Numbers of those that left are used again.
    for (let i = 10_000; i < 13_000; i++) bench.see(labels(i));
    assert.equal(bench.table.end, 4001);
  });

  test('at most eight spellings a series: the one not seen for longest makes room', () => {
    const bench = new Bench();
    const spelling = (i: number): Labels => [['__name__', 'm'], ...Array.from({ length: i }, () => ['x', ''] as const)];
    const series = bench.see(spelling(0));
    for (let i = 1; i < 12; i++) {
      bench.nowMs += 1000;
      assert.equal(bench.see(spelling(i)), series);
      assert.ok(bench.find(spelling(0)) > 0, 'seen all the time');
    }
    assert.deepEqual([bench.table.active, bench.table.forms], [1, 8]);
    assert.equal(bench.find(spelling(1)), -1);
    // The spellings that are not seen leave after an hour, but one always stays.
    bench.nowMs += 59 * 60_000;
    bench.see(spelling(0));
    bench.nowMs += 30 * 60_000;
    bench.upkeep();
    assert.deepEqual([bench.table.active, bench.table.forms], [1, 1]);
    assert.equal(bench.see(spelling(0)), series);
  });

  test('flooding: 100,000 series that are alike in all but a number stay quick', () => {
    const bench = new Bench();
    const began = performance.now();
    for (let i = 0; i < 100_000; i++)
      bench.see([
        ['__name__', 'm'],
        ['i', String(i)],
      ]);
    for (let i = 0; i < 100_000; i += 7)
      assert.ok(
        bench.find([
          ['__name__', 'm'],
          ['i', String(i)],
        ]) > 0,
      );
    assert.equal(bench.table.active, 100_000);
    assert.ok(performance.now() - began < 20_000);
  });

  test('exhausted memory refuses series and leaves the others whole', () => {
    const memory = new LinearMemory(8 * 2 ** 20);
    const table = new SeriesTable({ memory, limit: 1_000_000, now: Date.now });
    const place = memory.allocate();
    const labels = (i: number): Buffer =>
      canonical([
        ['__name__', `m${i}`],
        ['x', 'y'.repeat(100)],
      ]);
    const put = (bytes: Buffer): [number, number] => {
      memory.bytes.set(bytes, place);
      return [place, place + bytes.length];
    };
    let added = 0;
    while (table.add(...put(labels(added)), labels(added)).kind === 'new') added++;
    assert.ok(added > 10_000);
    assert.equal(table.active, added);
    for (let i = 0; i < added; i += 97) {
      const form = table.find(0, 0, ...put(labels(i)));
      assert.deepEqual(table.labels(table.seriesOf(form)), Uint8Array.from(labels(i)));
    }
  });

  test('a series of 15 labels takes at most 600 bytes', () => {
    const bench = new Bench();
    const labels = (i: number): Labels => [
      ['__name__', `http_request_duration_seconds_${i % 100}`],
      ...Array.from({ length: 14 }, (_, n) => [`label_${n}`, `value-of-it-${n === 3 ? i : 100}`] as const),
    ];
    for (let i = 0; i < 30_000; i++) bench.see(labels(i));
    assert.ok(fields(labels(0)).length >= 430, String(fields(labels(0)).length));
    const each = bench.table.bytes / bench.table.active;
    assert.ok(each <= 600, `${each} bytes a series`);
  });

  test('behaves as a map of label sets, whatever happens in which order', () => {
    const name = fc.constantFrom('a', 'b', 'c');
    const value = fc.constantFrom('', '1', '2');
    const labels = fc
      .tuple(
        fc.constantFrom('m1', 'm2', 'm3'),
        fc.uniqueArray(fc.tuple(name, value), { selector: ([key]) => key }),
        fc.nat(4),
      )
      .map(([metric, others, at]): Labels => {
        const all: (readonly [string, string])[] = [...others];
        all.splice(at % (all.length + 1), 0, ['__name__', metric]);
        return all;
      });
    const step = fc.oneof(
      { weight: 8, arbitrary: fc.record({ kind: fc.constantFrom('see', 'see 2.0'), labels }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait'), minutes: fc.integer({ min: 1, max: 50 }) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('upkeep') }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const bench = new Bench();
        /** By canonical labels: number and when it was seen. */
        const model = new Map<string, { series: number; seenMs: number }>();
        for (const one of steps) {
          if ('labels' in one) {
            const series = one.kind === 'see' ? bench.see(one.labels) : bench.seeSymbolic(one.labels);
            const key = canonical(one.labels).toString('hex');
            const known = model.get(key);
            if (known !== undefined) assert.equal(series, known.series);
            else assert.ok(![...model.values()].some((other) => other.series === series));
            model.set(key, { series, seenMs: bench.nowMs });
          } else if ('minutes' in one) bench.nowMs += one.minutes * 60_000;
          else {
            bench.upkeep();
            for (const [key, { seenMs }] of model) if (bench.nowMs - seenMs > HOUR) model.delete(key);
          }
          assert.equal(bench.table.active, model.size);
          for (const [key, { series }] of model)
            assert.equal(Buffer.from(bench.table.labels(series)).toString('hex'), key);
        }
      }),
      { numRuns: 150 },
    );
  });
});

function hashPrefix(bytes: string | Buffer): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16);
}
