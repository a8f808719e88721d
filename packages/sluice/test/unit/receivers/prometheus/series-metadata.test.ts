import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { SluiceError } from '../../../../src/base/errors.ts';
import { createHarness, type Harness, V2 } from './harness.ts';
import { bytes, double, number, RequestV2, sample, snappy, type Labels } from './wire.ts';

/* Metadata that comes with the series of 2.0 messages: what is written of it, and that series with it are taken by the hot loop. */

const T0 = 1_795_223_624_000;
const HOUR = 3_600_000;

interface Entry {
  readonly name: string;
  readonly instance: string;
  readonly metadata?: readonly [type: number, help: string, unit: string] | 'empty';
  readonly metadataFirst?: boolean;
  readonly startTime?: boolean;
}

const labelsOf = ({ name, instance }: Entry): Labels => [
  ['__name__', name],
  ['instance', instance],
];

function encode(entries: readonly Entry[], time: number): Buffer {
  const request = new RequestV2();
  for (const entry of entries) {
    const { metadata } = entry;
    const said = metadata === undefined ? [] : [metadata === 'empty' ? bytes(5) : request.metadata(...metadata)];
    const point =
      entry.startTime === true ? bytes(2, double(1, 1.5), number(2, time), number(3, time - 5000)) : sample(time, 1.5);
    const fields = entry.metadataFirst === true ? [...said, point] : [point, ...said];
    request.add(labelsOf(entry), ...fields);
  }
  return snappy(request.encode());
}

class Sender {
  readonly harness: Harness = createHarness();
  /** Series that the hot loop left to the decoder, since the last `send`. */
  slow = 0;

  constructor() {
    this.harness.nowMs = T0;
    const { table } = this.harness;
    const touch = table.touch.bind(table);
    table.touch = (series) => {
      this.slow++;
      return touch(series);
    };
  }

  /** Sends the entries; returns the metadata rows of it. */
  async send(entries: readonly Entry[]): Promise<string[]> {
    const { harness } = this;
    this.slow = 0;
    for (const table of ['metadata', 'samples']) harness.rows.delete(`prometheus.${table}`);
    const reply = await harness.post(encode(entries, harness.nowMs), V2);
    assert.equal(reply.status, harness.failure === undefined || entries.length === 0 ? 204 : 503, String(reply.body));
    if (harness.failure === undefined)
      assert.equal(harness.rows.get('prometheus.samples')?.length ?? 0, entries.length);
    return this.written();
  }

  written(): string[] {
    return (this.harness.rows.get('prometheus.metadata') ?? []).map((row) =>
      ['metric_family_name', 'type', 'help', 'unit'].map((column) => String(row[column])).join('|'),
    );
  }

  upkeep(): void {
    for (const _ of this.harness.table.upkeep());
  }
}

const entry = (instance: string, help: string, more: Partial<Entry> = {}): Entry => ({
  name: 'm_total',
  instance,
  metadata: [1, help, 's'],
  ...more,
});

suite('metadata of series', () => {
  test('series with metadata are taken by the hot loop once it is written', async () => {
    const sender = new Sender();
    const entries: Entry[] = [
      entry('a', 'Help.'),
      entry('b', 'Help.', { metadataFirst: true }),
      entry('c', 'Help.', { startTime: true }),
      entry('d', '', { metadata: 'empty' }),
      entry('e', '', { metadata: [0, 'Other.', ''], name: 'other' }),
      { name: 'm_total', instance: 'f' },
    ];
    assert.deepEqual(await sender.send(entries), ['m_total|counter|Help.|s', 'other|unknown|Other.|']);
    assert.equal(sender.slow, 6);
    for (let round = 0; round < 3; round++) {
      sender.harness.nowMs += 15_000;
      assert.deepEqual(await sender.send(entries), []);
      assert.equal(sender.slow, 0);
    }
  });

  test('every change of a help text is written, also back to an earlier one', async () => {
    const sender = new Sender();
    const all = (help: string): Entry[] => ['a', 'b', 'c'].map((instance) => entry(instance, help));
    for (const help of ['x', 'y', 'x', 'z', 'y', 'x']) {
      assert.deepEqual(await sender.send(all(help)), [`m_total|counter|${help}|s`]);
      assert.deepEqual(await sender.send(all(help)), []);
      assert.equal(sender.slow, 0);
    }
  });

  test('type and unit are compared too', async () => {
    const sender = new Sender();
    await sender.send([entry('a', 'h')]);
    assert.deepEqual(await sender.send([entry('a', 'h', { metadata: [2, 'h', 's'] })]), ['m_total|gauge|h|s']);
    assert.deepEqual(await sender.send([entry('a', 'h', { metadata: [2, 'h', 'm'] })]), ['m_total|gauge|h|m']);
    assert.deepEqual(await sender.send([entry('a', 'h', { metadata: [2, 's', 'm'] })]), ['m_total|gauge|s|m']);
  });

  test('it is written again after a day, once for a family', async () => {
    const sender = new Sender();
    const entries = Array.from({ length: 50 }, (_, i) => entry(`i${i}`, 'Help.'));
    assert.equal((await sender.send(entries)).length, 1);
    let rows = 0;
    for (let hour = 0; hour < 72; hour += 0.5) {
      sender.harness.nowMs += HOUR / 2;
      rows += (await sender.send(entries)).length;
    }
    assert.equal(rows, 3);
    await sender.send(entries);
    assert.equal(sender.slow, 0);
  });

  test('instances that differ in their help text do not write it in turns', async () => {
    const sender = new Sender();
    const entries = [entry('a', 'x'), entry('b', 'y'), entry('c', 'x'), entry('d', 'z')];
    assert.equal((await sender.send(entries)).length, 3);
    for (let round = 0; round < 5; round++) {
      assert.deepEqual(await sender.send(entries), []);
      assert.equal(sender.slow, 0);
    }
    sender.harness.nowMs += 24 * HOUR;
    assert.equal((await sender.send(entries)).length, 3);
    assert.deepEqual(await sender.send(entries), []);
    assert.equal(sender.slow, 0);
  });

  test('what the journal refused is said again', async () => {
    const sender = new Sender();
    sender.harness.failure = new SluiceError('storage_unavailable', 'cannot append: the disk is full');
    await sender.send([entry('a', 'x')]);
    sender.harness.failure = undefined;
    assert.deepEqual(await sender.send([entry('a', 'x')]), ['m_total|counter|x|s']);
    sender.harness.failure = new SluiceError('storage_unavailable', 'cannot append: the disk is full');
    await sender.send([entry('a', 'y')]);
    sender.harness.failure = undefined;
    assert.deepEqual(await sender.send([entry('a', 'y')]), ['m_total|counter|y|s']);
  });

  test('a help text that is not UTF-8 is dropped each time, and the sample taken', async () => {
    const sender = new Sender();
    const request = (help: string | Buffer): Buffer => {
      const made = new RequestV2();
      const metadata = bytes(5, number(1, 1), number(3, made.ref(help)));
      return snappy(made.add([['__name__', 'm']], sample(T0, 1), metadata).encode());
    };
    for (let round = 0; round < 3; round++) {
      assert.equal((await sender.harness.post(request(Buffer.from([0x61, 0xff])), V2)).status, 204);
      assert.equal(sender.slow, round + 1);
    }
    assert.deepEqual([sender.written(), sender.harness.rows.get('prometheus.samples')?.length], [[], 3]);
    await sender.harness.post(request('good'), V2);
    assert.deepEqual(sender.written(), ['m|counter|good|']);
  });

  test('texts that are said no more leave memory', async () => {
    const sender = new Sender();
    const { table } = sender.harness;
    for (let i = 0; i < 3000; i++) await sender.send([entry('a', `help ${i}`)]);
    assert.ok(table.metadataCount <= 1100, `${table.metadataCount} records are bounded`);
    sender.upkeep();
    await sender.send([entry('a', 'help 2999')]);
    await sender.send([entry('a', 'help 2999')]);
    assert.equal(sender.slow, 0);
    assert.equal(table.metadataCount, 1);
    assert.equal(table.symbolCount, 6, '__name__, m_total, instance, a, the help text, the unit');
  });

  test('whatever is said in which order, what is written is what the model says', async () => {
    const names = ['m_total', 'h_bucket', 'h_sum'];
    const said = fc.tuple(fc.constantFrom(0, 1, 3), fc.constantFrom('', 'x', 'y'), fc.constantFrom('', 's'));
    const one = fc.record({
      name: fc.constantFrom(...names),
      instance: fc.constantFrom('a', 'b'),
      metadata: fc.oneof({ weight: 5, arbitrary: said }, fc.constantFrom('empty' as const, undefined)),
      metadataFirst: fc.boolean(),
      startTime: fc.boolean(),
    });
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({ entries: fc.array(one, { maxLength: 6 }), repeat: fc.nat(3), fails: fc.nat(9) }),
      },
      { weight: 2, arbitrary: fc.record({ minutes: fc.constantFrom(1, 59, 61, 23 * 60, 24 * 60) }) },
      { weight: 1, arbitrary: fc.constant('upkeep' as const) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const sender = new Sender();
        const model = new Model();
        for (const taken of steps) {
          if (taken === 'upkeep') {
            sender.upkeep();
            model.upkeep();
          } else if ('minutes' in taken) {
            sender.harness.nowMs += taken.minutes * 60_000;
            model.nowMs = sender.harness.nowMs;
          } else {
            for (let round = 0; round <= taken.repeat; round++) {
              const fails: boolean = taken.fails === 0 && round === 0;
              sender.harness.failure = fails
                ? new SluiceError('storage_unavailable', 'cannot append: the disk is full')
                : undefined;
              const entries = taken.entries.map(({ metadata, ...rest }) =>
                metadata === undefined ? rest : { ...rest, metadata },
              );
              const written = await sender.send(entries);
              const expected = model.take(entries, fails);
              assert.deepEqual(written, fails ? [] : expected);
            }
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});

/** What is to be written: a series that says something new, or says it for a day, lets its family's last row be compared. */
class Model {
  nowMs = T0;
  readonly #said = new Map<string, { text: string; atMs: number }>();
  readonly #series = new Map<string, { text: string; seenMs: number }>();
  /** By name and text. */
  readonly #goodUntil = new Map<string, number>();

  take(entries: readonly Entry[], fails: boolean): string[] {
    const rows: [family: string, text: string][] = [];
    const good: string[] = [];
    for (const { name, instance, metadata } of entries) {
      const id = `${name} ${instance}`;
      const last = this.#series.get(id) ?? { text: '', seenMs: 0 };
      last.seenMs = this.nowMs;
      this.#series.set(id, last);
      if (metadata === undefined || metadata === 'empty' || metadata.join('') === '0') continue;
      const [type, help, unit] = metadata;
      const family = type === 3 && name.startsWith('h_') ? 'h' : name;
      const text = `${family}|${['unknown', 'counter', '', 'histogram'][type]}|${help}|${unit}`;
      const key = `${name} ${text}`;
      if (last.text === text && this.nowMs < (this.#goodUntil.get(key) ?? 0)) continue;
      last.text = text;
      if (good.includes(key)) continue;
      const said = this.#said.get(family);
      if (said?.text === text && this.nowMs < said.atMs + 24 * HOUR) {
        this.#goodUntil.set(key, said.atMs + 24 * HOUR);
        continue;
      }
      this.#goodUntil.set(key, 0);
      good.push(key);
      if (rows.findLast(([other]) => other === family)?.[1] !== text) rows.push([family, text]);
    }
    if (!fails) {
      for (const [family, text] of rows) this.#said.set(family, { text, atMs: this.nowMs });
      for (const key of good) this.#goodUntil.set(key, this.nowMs + 24 * HOUR);
    }
    return rows.map(([, text]) => text);
  }

  upkeep(): void {
    for (const [id, { seenMs }] of this.#series) if (this.nowMs - seenMs > HOUR) this.#series.delete(id);
  }
}
