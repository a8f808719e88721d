import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { compressBlock } from 'promwrite/wire';
import { bitsOf, createHarness, type Harness, recordings, type Row, V1, V2 } from './harness.ts';
import { bytes, double, exemplarV1, number, RequestV2, sample, seriesV1, snappy } from './wire.ts';

/* Random requests against a model of plain objects: what is taken, and what is answered. */

type Fault = 'none' | 'no name' | 'twice' | 'not utf-8' | 'empty name';

interface Entry {
  readonly labels: readonly (readonly [string, string | Buffer])[];
  readonly fault: Fault;
  readonly samples: readonly (readonly [time: number, value: number])[];
  readonly exemplars: readonly (readonly [time: number, value: number, trace: string])[];
  /** Points before labels. */
  readonly pointsFirst: boolean;
  readonly unknownField: boolean;
}

const T0 = 1_795_223_624_741;
const WINDOW = { behindMs: 1_000_000, aheadMs: 1_000_000 };
/** Some times are outside. */
const time = fc
  .oneof(
    { weight: 8, arbitrary: fc.integer({ min: -1_000_000, max: 1_000_000 }) },
    fc.integer({ min: -3_000_000, max: 3_000_000 }),
  )
  .map((offset) => T0 + offset);
const value = fc.oneof(fc.constantFrom(0, -0, 1, NaN, Infinity, -Infinity, 5e-324), fc.double());
const name = fc.constantFrom('a', 'b', 'job', 'instance', 'zone', 'ü', 'le', '__proto__');
const text = fc.oneof(fc.constantFrom('', 'x', 'y'), fc.string({ unit: 'grapheme', maxLength: 40 }));

const entry: fc.Arbitrary<Entry> = fc
  .record({
    metric: fc.constantFrom('up', 'm1', 'm2', 'http.requests'),
    others: fc.uniqueArray(fc.tuple(name, text), { maxLength: 6, selector: ([key]) => key }),
    fault: fc.oneof(
      { weight: 9, arbitrary: fc.constant<Fault>('none') },
      fc.constantFrom<Fault>('no name', 'twice', 'not utf-8', 'empty name'),
    ),
    place: fc.nat(6),
    samples: fc.array(fc.tuple(time, value), { maxLength: 3 }),
    exemplars: fc.array(fc.tuple(time, value, fc.constantFrom('t1', 't2')), { maxLength: 1 }),
    pointsFirst: fc.boolean(),
    unknownField: fc.boolean(),
  })
  .map(({ metric, others, fault, place, ...rest }) => {
    const labels: (readonly [string, string | Buffer])[] = [...others];
    if (fault !== 'no name') labels.splice(place % (labels.length + 1), 0, ['__name__', metric]);
    if (fault === 'twice') labels.push(['twice', '1'], ['twice', '2']);
    if (fault === 'not utf-8') labels.push(['bytes', Buffer.from([0x61, 0xff])]);
    if (fault === 'empty name') labels.push(['', 'x']);
    return { labels, fault, ...rest };
  });

function encodeV1(entries: readonly Entry[]): Buffer {
  return Buffer.concat(
    entries.map(({ labels, samples, exemplars, pointsFirst, unknownField }) => {
      const fields = [
        ...samples.map(([at, v]) => sample(at, v)),
        ...exemplars.map(([at, v, trace]) => exemplarV1([['trace_id', trace]], at, v)),
        ...(unknownField ? [number(99, 7), bytes(100, 'x')] : []),
      ];
      return pointsFirst
        ? bytes(1, ...fields, ...labels.map(([key, v]) => bytes(1, bytes(2, v), bytes(1, key))))
        : seriesV1(labels, ...fields);
    }),
  );
}

function encodeV2(entries: readonly Entry[]): Buffer {
  const request = new RequestV2();
  for (const { labels, samples, exemplars, pointsFirst, unknownField } of entries) {
    const fields = [
      ...samples.map(([at, v]) => sample(at, v)),
      ...exemplars.map(([at, v, trace]) => request.exemplar([['trace_id', trace]], at, v)),
      ...(unknownField ? [number(6, 7), bytes(100, 'x')] : []),
    ];
    if (pointsFirst) {
      const refs = request.refs(labels);
      request.series.push(bytes(5, ...fields, ...refs.map((ref) => number(1, ref))));
    } else request.add(labels, ...fields);
  }
  return request.encode(entries.length % 2 === 0 ? 'symbols first' : 'symbols last');
}

const inWindow = (at: number): boolean => Math.abs(at - T0) <= 1_000_000;

/** What must be taken of the entries, in order. */
function model(entries: readonly Entry[]) {
  const good = entries.filter(({ fault }) => fault === 'none');
  const key = (labels: Entry['labels']): string =>
    JSON.stringify(
      labels
        .filter(([, v]) => v.length > 0)
        .map(([k, v]) => [k, v.toString()])
        .toSorted(([a], [b]) => Buffer.compare(Buffer.from(a!), Buffer.from(b!))),
    );
  return {
    samples: good.flatMap(({ labels, samples }) =>
      samples.filter(([at]) => inWindow(at)).map(([at, v]) => `${key(labels)} ${at} ${bitsOf(v)}`),
    ),
    exemplars: good.flatMap(({ labels, exemplars }) =>
      exemplars.filter(([at]) => inWindow(at)).map(([at, v, t]) => `${key(labels)} ${at} ${bitsOf(v)} ${t}`),
    ),
    isWhole: entries.every(
      ({ fault, samples, exemplars }) => fault === 'none' && [...samples, ...exemplars].every(([at]) => inWindow(at)),
    ),
    series: new Set(good.map(({ labels }) => key(labels))),
  };
}

function taken(harness: Harness) {
  const id = (row: Row): string => `${row['metric_id']} ${row['series_id']}`;
  const names = new Map(
    (harness.rows.get('prometheus.series') ?? []).map((row) => [
      id(row),
      JSON.stringify(
        Object.entries(harness.labelsOf(row)).toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
      ),
    ]),
  );
  return {
    samples: (harness.rows.get('prometheus.samples') ?? []).map(
      (row) => `${names.get(id(row))} ${String(row['time'])} ${String(row['value'])}`,
    ),
    exemplars: (harness.rows.get('prometheus.exemplars') ?? []).map(
      (row) =>
        `${names.get(id(row))} ${String(row['time'])} ${String(row['value'])} ${(row['labels'] as string[][])[0]![1]}`,
    ),
    series: new Set(names.values()),
  };
}

/** __proto__ as a label name needs an object without a prototype; entries are compared as lists, so keep them apart. */
function withoutProto(entries: readonly Entry[]): Entry[] {
  return entries.map((one) => ({ ...one, labels: one.labels.filter(([key]) => key !== '__proto__') }));
}

suite('random requests', () => {
  for (const version of ['1.0', '2.0'] as const) {
    test(`${version}: what is taken and answered is what the model says, new and known series alike`, async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(entry, { maxLength: 12 }), { minLength: 1, maxLength: 4 }),
          async (requests) => {
            const harness = createHarness({ window: WINDOW });
            harness.nowMs = T0;
            const series = new Set<string>();
            // Each request twice: the second time its series are known and their order was seen.
            for (const entries of requests.flatMap((request) => [withoutProto(request), withoutProto(request)])) {
              for (const table of ['samples', 'exemplars']) harness.rows.delete(`prometheus.${table}`);
              const expected = model(entries);
              const body = snappy(version === '1.0' ? encodeV1(entries) : encodeV2(entries));
              const reply = await harness.post(body, version === '1.0' ? V1 : V2);
              const got = taken(harness);
              assert.equal(reply.status, expected.isWhole ? 204 : 400, String(reply.body));
              assert.deepEqual(got.samples, expected.samples);
              assert.deepEqual(got.exemplars, expected.exemplars);
              for (const one of expected.series) series.add(one);
              assert.deepEqual([...got.series].toSorted(), [...series].toSorted());
              if (version === '2.0') {
                assert.equal(
                  reply.headers?.['X-Prometheus-Remote-Write-Samples-Written'],
                  String(expected.samples.length),
                );
                assert.equal(
                  reply.headers['X-Prometheus-Remote-Write-Exemplars-Written'],
                  String(expected.exemplars.length),
                );
              }
            }
            assert.equal(harness.rows.get('prometheus.series')?.length ?? 0, series.size, 'announced once each');
          },
        ),
        { numRuns: 50 },
      );
    });
  }

  test('a big steady request is taken exactly, its series left out, put in and reordered', async () => {
    const harness = createHarness();
    const labels = (i: number) =>
      [
        ['__name__', `m${i % 7}`],
        ['instance', `host-${i}`],
        ['job', 'x'.repeat(i % 40)],
      ] as const;
    const orders = [
      Array.from({ length: 9000 }, (_, i) => i),
      Array.from({ length: 9000 }, (_, i) => i),
      Array.from({ length: 9000 }, (_, i) => i).filter((i) => i % 10 !== 3),
      Array.from({ length: 9100 }, (_, i) => (i * 7919) % 9100),
      Array.from({ length: 9100 }, (_, i) => 9099 - i),
    ];
    for (const [round, order] of orders.entries()) {
      for (const version of ['1.0', '2.0'] as const) {
        harness.rows.delete('prometheus.samples');
        const request = new RequestV2();
        // From the second round on references take three bytes.
        if (version === '2.0' && round > 0) for (let i = 0; i < 17_000; i++) request.ref(`unused-${i}`);
        if (version === '2.0') for (const i of order) request.add(labels(i), sample(T0 + round, i * 1.5));
        const message =
          version === '2.0'
            ? request.encode()
            : Buffer.concat(order.map((i) => seriesV1(labels(i), sample(T0 + round, i * 1.5))));
        const reply = await harness.post(compressBlock(message), version === '2.0' ? V2 : V1);
        assert.equal(reply.status, 204);
        const names = new Map(
          (harness.rows.get('prometheus.series') ?? []).map((row) => [
            `${row['metric_id']} ${row['series_id']}`,
            harness.labelsOf(row)['instance'],
          ]),
        );
        const rows = harness.rows.get('prometheus.samples') ?? [];
        assert.deepEqual(
          rows.map(
            (row) =>
              `${names.get(`${row['metric_id']} ${row['series_id']}`)} ${String(row['time'])} ${String(row['value'])}`,
          ),
          order.map((i) => `host-${i} ${T0 + round} ${bitsOf(i * 1.5)}`),
        );
      }
    }
  });
});

suite('damaged requests', () => {
  test('mutated recorded messages never break the receiver', async () => {
    const harness = createHarness();
    const bodies = recordings().filter(({ headers }) => headers['content-encoding'] === 'snappy');
    let seed = 12345;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return Math.floor((seed / 4294967296) * below);
    };
    const statuses = new Map<number, number>();
    const used: number[] = [];
    for (let round = 0; round < 4000; round++) {
      const recording = bodies[random(bodies.length)]!;
      const isV2 = recording.headers['content-type']!.includes('v2');
      // Half of them damaged below Snappy, half above it.
      let body: Buffer = Buffer.from(recording.body);
      const message: Buffer = round % 2 === 0 ? body : Buffer.from(decompress(body));
      for (let change = random(4); change >= 0; change--) {
        const at = random(message.length);
        const kind = random(4);
        if (kind === 0) message[at] = random(256);
        else if (kind === 1) message[at]! ^= 1 << random(8);
        else if (kind === 2) message.copyWithin(at, random(message.length), random(message.length));
        else message[at] = [0, 0x7f, 0x80, 0xff][random(4)]!;
      }
      body = round % 2 === 0 ? message : snappy(message);
      const reply = await harness.post(random(20) === 0 ? body.subarray(0, random(body.length)) : body, isV2 ? V2 : V1);
      assert.ok([204, 400].includes(reply.status), `${reply.status} ${String(reply.body)}`);
      statuses.set(reply.status, (statuses.get(reply.status) ?? 0) + 1);
      harness.rows.clear();
      harness.appends.length = 0;
      if (round % 1000 === 0) used.push(harness.table.memory.usedBytes);
    }
    assert.ok((statuses.get(204) ?? 0) > 100 && (statuses.get(400) ?? 0) > 100, 'both happen');
    assert.ok(used.at(-1)! < 128 * 2 ** 20, 'memory is bounded');
    // Whatever was done to it, it still takes a good request as it should.
    for (const [message, headers] of [
      [seriesV1([['__name__', 'after']], sample(1, 1), bytes(2, double(1, 2), number(2, 2))), V1],
      [new RequestV2().add([['__name__', 'after']], sample(1, 1), sample(2, 2)).encode(), V2],
    ] as const) {
      harness.rows.clear();
      assert.equal((await harness.post(snappy(message), headers)).status, 204);
      assert.equal(harness.rows.get('prometheus.samples')?.length, 2);
    }
  });
});

/** A Snappy decoder of its own, as simple as can be. */
function decompress(body: Buffer): Uint8Array {
  const out: number[] = [];
  let at = 0;
  while (body[at]! > 127) at++;
  at++;
  while (at < body.length) {
    const tag = body[at++]!;
    if ((tag & 3) === 0) {
      let length = (tag >> 2) + 1;
      if (length > 60) {
        const count = length - 60;
        length = body.readUIntLE(at, count) + 1;
        at += count;
      }
      for (const byte of body.subarray(at, at + length)) out.push(byte);
      at += length;
    } else {
      const length = (tag & 3) === 1 ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1;
      const offset = (tag & 3) === 1 ? ((tag >> 5) << 8) | body[at]! : body.readUIntLE(at, (tag & 3) === 2 ? 2 : 4);
      at += [0, 1, 2, 4][tag & 3]!;
      for (let i = 0; i < length; i++) out.push(out.at(-offset)!);
    }
  }
  return Uint8Array.from(out);
}
