import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { uncompressSync } from 'snappy';
import type { HttpReply } from '../../../../src/base/ports.ts';
import { createPrometheusRecordDecoder, type ExtraLabel } from '../../../../src/receivers/agent/prometheus-record.ts';
import { SENDER } from '../block-target.ts';
import { createHarness, type Harness } from '../prometheus/harness.ts';
import { missingFrames, recordedFrames } from '../recorded-frames.ts';
import { bytes, message, number } from '../wire-message.ts';

interface Call {
  readonly body: string;
  readonly org: number;
  readonly labels: readonly ExtraLabel[];
}

/** A decoder whose hub gives these answers, one after the other, and waits that are only noted down. */
function fixture(answers: readonly number[] = []) {
  const calls: Call[] = [];
  const waits: number[] = [];
  const left = [...answers];
  const decoder = createPrometheusRecordDecoder({
    write: async (body, org, labels): Promise<HttpReply> => {
      calls.push({ body: Buffer.from(body).toString(), org, labels });
      await Promise.resolve();
      return { status: left.shift() ?? 204 };
    },
    wait: async (milliseconds) => {
      waits.push(milliseconds);
      await Promise.resolve();
      if (waits.length === 20) decoder.stop();
    },
  });
  const decode = async (record: Uint8Array) => {
    const frame = Buffer.concat([Buffer.alloc(3, 0xff), record, Buffer.alloc(12, 0xff)]);
    return decoder.decode(frame, 3, 3 + record.length, SENDER);
  };
  return { calls, waits, decoder, decode };
}

test('the body goes to the hub as it is, with the labels in pairs', async () => {
  const { calls, decode } = fixture();
  const record = message(
    bytes(2, 'cluster'),
    bytes(1, 'body'),
    bytes(2, 'zone'),
    bytes(3, 'c1'),
    bytes(3, ''),
    number(9, 1),
  );
  assert.equal(await decode(record), undefined);
  assert.equal(await decode(message(bytes(1, 'other'))), undefined);
  assert.deepEqual(calls, [
    {
      body: 'body',
      org: 1,
      labels: [
        { name: 'cluster', value: 'c1' },
        { name: 'zone', value: '' },
      ],
    },
    { body: 'other', org: 1, labels: [] },
  ]);
});

test('while the hub takes nothing the record is tried again, less and less often', async () => {
  const { calls, waits, decode } = fixture([503, 503, 503, 503, 503, 503, 503, 503, 204]);
  assert.equal(await decode(message(bytes(1, 'body'))), undefined);
  assert.equal(calls.length, 9);
  assert.deepEqual(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
});

test('what the hub refuses is dropped', async () => {
  for (const [status, reason] of [
    [400, 'refused'],
    [415, 'refused'],
    [429, 'series_limit'],
  ] as const) {
    const { calls, decode } = fixture([status]);
    assert.equal(await decode(message(bytes(1, 'body'))), reason);
    assert.equal(calls.length, 1);
  }
});

test('stopping ends the waiting', async () => {
  const { calls, decode } = fixture(Array.from({ length: 100 }, () => 503));
  assert.equal(await decode(message(bytes(1, 'body'))), 'stopping');
  assert.equal(calls.length, 20);
});

test('stopping ends a wait that has begun, at once', async () => {
  const decoder = createPrometheusRecordDecoder({ write: async () => Promise.resolve({ status: 503 }) });
  const record = message(bytes(1, 'body'));
  const outcome = decoder.decode(record, 0, record.length, SENDER);
  setTimeout(() => decoder.stop(), 5);
  const began = performance.now();
  assert.equal(await outcome, 'stopping');
  assert.ok(performance.now() - began < 5_000);
  assert.equal(await decoder.decode(record, 0, record.length, SENDER), 'stopping');
});

test('malformed records never reach the hub', async () => {
  const { calls, decode } = fixture();
  assert.equal(await decode(message()), 'malformed');
  assert.equal(await decode(message(number(1, 1))), 'malformed');
  assert.equal(await decode(message(bytes(1, 'body'), [0x12, 9])), 'malformed');
  assert.equal(await decode(message(bytes(1, 'body'), bytes(2, 'name'))), 'unequal_lists');
  assert.deepEqual(calls, []);
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), async (noise) => {
      await decode(noise);
    }),
  );
});

const { WriteRequest } = protobuf.parse(
  `syntax = "proto3";
  message WriteRequest { repeated TimeSeries timeseries = 1; }
  message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; }
  message Label { string name = 1; string value = 2; }
  message Sample { double value = 1; int64 timestamp = 2; }`,
  { keepCase: true },
).root.nested as { readonly WriteRequest: protobuf.Type };

/** `labels time value` of every sample, through the hub's own remote write. */
async function throughHub(record: Uint8Array, org: number): Promise<string[]> {
  const harness: Harness = createHarness();
  const decoder = createPrometheusRecordDecoder({
    write: (body, to, labels) => harness.receiver.forward(body, to, labels),
  });
  assert.equal(await decoder.decode(record, 0, record.length, { ...SENDER, org }), undefined);
  const labels = new Map(
    (harness.rows.get('prometheus.series') ?? []).map((row) => [`${row['series_id']}`, harness.labelsOf(row)]),
  );
  const view = new DataView(new ArrayBuffer(8));
  return (harness.rows.get('prometheus.samples') ?? []).map((row) => {
    view.setBigUint64(0, row['value'] as bigint);
    return line(labels.get(`${row['series_id']}`)!, row['time'] as number, view.getFloat64(0));
  });
}

function line(labels: Readonly<Record<string, string>>, time: number, value: number): string {
  return `${JSON.stringify(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)))} ${time} ${value}`;
}

/** The same from the parts of a record, with other libraries. */
function expectedLines(snappy: Uint8Array, extra: readonly (readonly [string, string])[] = []): string[] {
  const decoded = WriteRequest.toObject(WriteRequest.decode(uncompressSync(Buffer.from(snappy)) as Buffer), {
    longs: Number,
    defaults: true,
  }) as {
    readonly timeseries: readonly {
      readonly labels: readonly { readonly name: string; readonly value: string }[];
      readonly samples: readonly { readonly value: number; readonly timestamp: number }[];
    }[];
  };
  return decoded.timeseries.flatMap(({ labels, samples }) => {
    const all = Object.fromEntries([...extra, ...labels.map(({ name, value }) => [name, value] as const)]);
    return samples.map(({ value, timestamp }) => line(all, timestamp, value));
  });
}

describe('records of a stock agent', { skip: missingFrames() }, () => {
  for (const frame of missingFrames() === undefined ? recordedFrames('PROMETHEUS') : []) {
    test(frame.name, async () => {
      assert.equal(frame.records.length, 1);
      const decoded = frame.decoded.get(0) as {
        readonly metrics: string;
        readonly extra_label_names?: readonly string[];
        readonly extra_label_values?: readonly string[];
      };
      const extra = (decoded.extra_label_names ?? []).map(
        (name, index) => [name, decoded.extra_label_values![index]!] as const,
      );
      const expected = expectedLines(Buffer.from(decoded.metrics, 'base64'), extra);
      assert.ok(expected.length > 0);
      assert.deepEqual(await throughHub(frame.records[0]!, frame.org), expected);
    });
  }
});

describe('golden records', () => {
  const folder = new URL('../../../fixtures/golden/prometheus.samples/', import.meta.url);
  const names = readdirSync(folder);
  test('there are eight', () => assert.equal(names.length, 8));
  for (const name of names) {
    interface Golden {
      readonly case: string;
      readonly org_id: number;
      readonly input_base64: string;
      readonly label_ids: readonly {
        readonly metric_name: string;
        readonly labels: readonly { readonly name: string; readonly value: string }[];
      }[];
      readonly series: readonly {
        readonly rows: readonly { readonly time: number; readonly value: number }[] | null;
      }[];
    }
    const golden = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Golden;
    test(golden.case, async () => {
      const lines = await throughHub(Buffer.from(golden.input_base64, 'base64'), golden.org_id);
      // The original cuts times to seconds, and drops what comes from an agent that it does not know.
      const expected = golden.label_ids.flatMap(({ metric_name, labels }, index) => {
        const all = Object.fromEntries([['__name__', metric_name], ...labels.map((one) => [one.name, one.value])]);
        return (golden.series[index]?.rows ?? []).map(({ time, value }) => line(all, time, value));
      });
      const inSeconds = lines.map((one) => one.replace(/ (\d+)\d{3} /, ' $1 '));
      if (golden.case.includes('unknown_agent')) assert.equal(inSeconds.length, 1);
      else assert.deepEqual(inSeconds, expected);
    });
  }
});
