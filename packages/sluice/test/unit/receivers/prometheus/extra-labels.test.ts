import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { compressSync } from 'snappy';
import { ExtraLabels } from '../../../../src/receivers/prometheus/extra-labels.ts';
import { bytes, message, number } from '../wire-message.ts';
import { bitsOf, createHarness, type Harness, STALE } from './harness.ts';

const { WriteRequest } = protobuf.parse(
  `syntax = "proto3";
  message WriteRequest { repeated TimeSeries timeseries = 1; repeated Metadata metadata = 3; }
  message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; }
  message Label { string name = 1; string value = 2; }
  message Sample { double value = 1; int64 timestamp = 2; }
  message Metadata { uint32 type = 1; string metric_family_name = 2; string help = 4; string unit = 5; }`,
  { keepCase: true },
).root.nested as { readonly WriteRequest: protobuf.Type };

interface Labels {
  readonly name: string;
  readonly value: string;
}

interface Request {
  readonly timeseries?: readonly {
    readonly labels: readonly Labels[];
    readonly samples?: readonly { readonly value: number; readonly timestamp: number }[];
  }[];
  readonly metadata?: readonly Readonly<Record<string, string | number>>[];
}

function encode(request: Request): Uint8Array {
  return WriteRequest.encode(WriteRequest.fromObject(request)).finish();
}

function decode(data: Uint8Array): Request {
  return WriteRequest.toObject(WriteRequest.decode(data), { longs: Number });
}

/** The message with labels added, written behind it in one memory, with other bytes around. */
function added(data: Uint8Array, labels: readonly Labels[]): Uint8Array {
  const extra = new ExtraLabels(labels);
  const most = extra.mostBytes(data, 0, data.length);
  const memory = new Uint8Array(data.length + 10 + most + 10).fill(0x0a);
  memory.set(data, 3);
  const at = data.length + 10;
  const end = extra.write(memory, 3, 3 + data.length, at);
  assert.ok(end - at <= most);
  assert.ok(memory.subarray(at + most).every((byte) => byte === 0x0a));
  return memory.slice(at, end);
}

describe('labels added to a message', () => {
  const word = fc.string({ maxLength: 150 });
  const label = fc.record({ name: fc.oneof(fc.constantFrom('a', 'b', 'c', '__name__'), word), value: word });
  const series = fc.record({
    labels: fc.array(label, { maxLength: 5 }),
    samples: fc.array(fc.record({ value: fc.double({ noNaN: true }), timestamp: fc.nat() }), { maxLength: 3 }),
  });
  const metadata = fc.record({ metric_family_name: word, help: word });

  test('stand in every series behind its own, unless it has the name itself', () => {
    const request = fc.record({
      timeseries: fc.array(series, { maxLength: 4 }),
      metadata: fc.array(metadata, { maxLength: 2 }),
    });
    fc.assert(
      fc.property(request, fc.array(label, { maxLength: 4 }), (before, labels) => {
        const after = decode(added(encode(before), labels));
        const last = new Map(labels.map((one) => [one.name, one]));
        const wanted = [...last.values()].filter(({ name, value }) => name !== '' && value !== '');
        const expected = decode(
          encode({
            ...before,
            timeseries: before.timeseries.map((one) => ({
              ...one,
              labels: [...one.labels, ...wanted.filter(({ name }) => !one.labels.some((own) => own.name === name))],
            })),
          }),
        );
        assert.deepEqual(after, expected);
      }),
      { numRuns: 1000 },
    );
  });

  test('stand next to the labels that a series begins with', () => {
    const sample = bytes(2, number(2, 5));
    const own = (name: string) => bytes(1, [...bytes(1, name), ...bytes(2, 'v')]);
    const extra = [{ name: 'x', value: 'y' }];
    const field = bytes(1, [...bytes(1, 'x'), ...bytes(2, 'y')]);
    const rewritten = (...fields: number[][]) => [...added(message(bytes(1, fields.flat())), extra)];
    assert.deepEqual(rewritten(own('a'), own('b'), sample, own('c')), [
      ...bytes(1, [...own('a'), ...own('b'), ...field, ...sample, ...own('c')]),
    ]);
    assert.deepEqual(rewritten(sample, own('c')), [...bytes(1, [...field, ...sample, ...own('c')])]);
    assert.deepEqual(rewritten(sample, own('x')), [...bytes(1, [...sample, ...own('x')])]);
  });

  test('leave what is malformed to the decoder', () => {
    const extra = [{ name: 'x', value: 'y' }];
    for (const data of [message(number(9, 1), [0x0a, 5, 1]), message(bytes(2, 'abc'), [0x00, 1, 2])]) {
      assert.deepEqual(added(data, extra), data);
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (data) => {
        added(data, extra);
      }),
    );
  });
});

describe('forwarded requests', () => {
  const BEGIN = 1_700_000_000_000;
  const value = (bits: bigint): number => {
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, bits);
    return view.getFloat64(0);
  };
  const request: Request = {
    timeseries: [
      {
        labels: [
          { name: '__name__', value: 'up' },
          { name: 'job', value: 'node' },
        ],
        samples: [
          { value: 1, timestamp: BEGIN },
          { value: value(STALE), timestamp: BEGIN + 1 },
        ],
      },
      {
        labels: [
          { name: '__name__', value: 'up' },
          { name: 'job', value: 'shop' },
          { name: 'zone', value: 'own' },
        ],
        samples: [{ value: 2, timestamp: BEGIN }],
      },
    ],
  };
  const body = compressSync(Buffer.from(encode(request)));
  const stored = (harness: Harness) => {
    const labels = new Map(
      harness.rows.get('prometheus.series')!.map((row) => [`${row['series_id']}`, harness.labelsOf(row)]),
    );
    return harness.rows
      .get('prometheus.samples')!
      .map((row) => [labels.get(`${row['series_id']}`), row['time'], row['value']]);
  };

  test('have the labels in every series; the own one wins; stale markers survive', async () => {
    const harness = createHarness();
    const labels = [
      { name: 'cluster', value: 'c1' },
      { name: 'zone', value: 'z' },
      { name: 'none', value: '' },
    ];
    for (let i = 0; i < 2; i++) assert.equal((await harness.receiver.forward(body, 1, labels)).status, 204);
    const expected = [
      [{ __name__: 'up', job: 'node', cluster: 'c1', zone: 'z' }, BEGIN, bitsOf(1)],
      [{ __name__: 'up', job: 'node', cluster: 'c1', zone: 'z' }, BEGIN + 1, STALE],
      [{ __name__: 'up', job: 'shop', cluster: 'c1', zone: 'own' }, BEGIN, bitsOf(2)],
    ];
    assert.deepEqual(stored(harness), [...expected, ...expected]);
    assert.equal(harness.rows.get('prometheus.series')!.length, 2);
  });

  test('go as they are without labels to add', async () => {
    const harness = createHarness();
    assert.equal((await harness.receiver.forward(body, 1, [{ name: 'x', value: '' }])).status, 204);
    assert.deepEqual(
      stored(harness).map(([labels]) => labels),
      [
        { __name__: 'up', job: 'node' },
        { __name__: 'up', job: 'node' },
        { __name__: 'up', job: 'shop', zone: 'own' },
      ],
    );
  });

  test('are answered like those that come over HTTP', async () => {
    const harness = createHarness({ limit: 1, limits: { decodedBytes: 200 } });
    const labels = [{ name: 'cluster', value: 'c1' }];
    assert.equal((await harness.receiver.forward(Buffer.from('garbage'), 1, labels)).status, 400);
    const long = await harness.receiver.forward(body, 1, [{ name: 'cluster', value: 'c'.repeat(100) }]);
    assert.equal(long.status, 400);
    assert.match(String(long.body), /with the labels to add it has up to \d+ bytes; expected at most 200/);
    assert.equal((await harness.receiver.forward(body, 1, labels)).status, 429);
  });
});
