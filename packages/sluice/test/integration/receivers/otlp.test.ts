import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { SluiceError } from '../../../src/base/errors.ts';
import { toTracesLimits, tracesLimitsSchema, type TracesLimits } from '../../../src/receivers/opentelemetry/config.ts';
import { createTraces } from '../../../src/receivers/opentelemetry/traces.ts';
import { RowIds } from '../../../src/receivers/row-ids.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import {
  attributesOf,
  decodeAnswer,
  encodeTraces,
  otlpJson,
  type OtlpSpan,
  type OtlpTraces,
} from '../../unit/receivers/opentelemetry/otlp-proto.ts';
import { type Row, rowsOf } from '../../unit/receivers/row-values.ts';
import { serve } from '../http/harness.ts';

/** OTLP over real HTTP connections. */

const NOW = 1_700_000_000_000;
const PROTOBUF = { 'content-type': 'application/x-protobuf' };
const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8' };

async function start(t: TestContext, limits: Partial<TracesLimits> = {}) {
  const metrics = createMetrics();
  const appended: { readonly org: number; readonly rows: readonly Row[] }[] = [];
  const state: { failure: Error | undefined; tagged: number } = { failure: undefined, tagged: 0 };
  const routes = createTraces({
    append: async (batches) => {
      await Promise.resolve();
      if (state.failure !== undefined) throw state.failure;
      for (const batch of batches) appended.push({ org: batch.org, rows: rowsOf(batch) });
    },
    tagger: (block, org) => {
      state.tagged++;
      for (let row = 0; row < block.rows; row++) block.fixed[block.column('l3_epc_id_0')]!.i32[row] = org * 10;
    },
    rowIds: new RowIds({ hubId: 0 }),
    limits: { ...toTracesLimits(tracesLimitsSchema.parse({})), ...limits },
    accept: () => ({ behindMs: 3_600_000, aheadMs: 60_000 }),
    metrics,
    log: createLog({ level: 'silent' }),
    now: () => NOW,
  });
  const server = await serve(t, { routes, organisations: [1, 7] });
  const post = async (body: Uint8Array | string, headers: Readonly<Record<string, string>>, path = '/v1/traces') => {
    const reply = await fetch(`${server.url}${path}`, { method: 'POST', headers, body: Buffer.from(body) });
    const bytes = new Uint8Array(await reply.arrayBuffer());
    return {
      status: reply.status,
      type: reply.headers.get('content-type'),
      retry: reply.headers.get('retry-after'),
      bytes,
    };
  };
  const counted = async (name: string, labels: Readonly<Record<string, string>>) => {
    const metric = await metrics.registry.getSingleMetric(name)?.get();
    return (
      metric?.values.find((one) => Object.entries(labels).every(([key, text]) => one.labels[key] === text))?.value ?? 0
    );
  };
  return { post, appended, state, counted };
}

function traces(...spans: readonly OtlpSpan[]): OtlpTraces {
  const ended = spans.map((span) => ({ end_time_unix_nano: `${NOW}000000`, ...span }));
  return {
    resource_spans: [
      { resource: { attributes: attributesOf({ 'service.name': 'shop' }) }, scope_spans: [{ spans: ended }] },
    ],
  };
}

const json = (value: unknown): string => JSON.stringify(value);
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

describe('OTLP over HTTP', () => {
  it('takes protobuf, plain and gzipped, on both paths, and tags the rows', async (t) => {
    const { post, appended, state, counted } = await start(t);
    const body = encodeTraces(traces({ name: 'a', kind: 'SPAN_KIND_SERVER' }, { name: 'b' }));
    const plain = await post(body, PROTOBUF);
    assert.deepEqual([plain.status, plain.type, plain.bytes.length], [200, 'application/x-protobuf', 0]);
    const zipped = await post(
      gzipSync(body),
      { ...PROTOBUF, 'content-encoding': 'gzip', 'x-org-id': '7' },
      '/api/v1/otel/trace',
    );
    assert.deepEqual([zipped.status, zipped.bytes.length], [200, 0]);
    assert.deepEqual(
      appended.map(({ org, rows }) => [org, rows.map((row) => row['endpoint']), rows[0]!['l3_epc_id_0']]),
      [
        [1, ['a', 'b'], 10],
        [7, ['a', 'b'], 70],
      ],
    );
    assert.equal(state.tagged, 2);
    const [row] = appended[0]!.rows;
    // The sender's address stands for the host's.
    assert.deepEqual(
      [
        row!['ip4_1'],
        row!['agent_id'],
        row!['team_id'],
        row!['signal_source'],
        row!['attribute_names'],
        row!['attribute_values'],
      ],
      ['127.0.0.1', 0, 1, 4, ['service.name', 'app.host.ip'], ['shop', '127.0.0.1']],
    );
    assert.equal(
      await counted('sluice_received_rows_total', { input: 'opentelemetry', table: 'flow_log.l7_flow_log' }),
      4,
    );
  });

  it('takes JSON and answers in JSON', async (t) => {
    const { post, appended } = await start(t);
    const body = json(otlpJson(traces({ name: 'a', trace_id: Buffer.from('00ff', 'hex').toString('base64') })));
    for (const [sent, headers] of [
      [body, JSON_TYPE],
      [gzipSync(body), { ...JSON_TYPE, 'content-encoding': 'gzip' }],
    ] as const) {
      const reply = await post(sent, headers);
      assert.deepEqual([reply.status, reply.type, text(reply.bytes)], [200, 'application/json', '{}']);
    }
    assert.deepEqual(
      appended.map(({ rows }) => rows[0]!['trace_id']),
      ['00ff', '00ff'],
    );
  });

  it('takes an empty request', async (t) => {
    const { post, appended } = await start(t);
    assert.equal((await post('', PROTOBUF)).status, 200);
    assert.equal((await post('{}', JSON_TYPE)).status, 200);
    assert.deepEqual(appended, []);
  });

  it('says how many spans it did not take, and why', async (t) => {
    const { post, appended, counted } = await start(t);
    const message = traces(
      { name: 'old', end_time_unix_nano: '1000' },
      { name: 'good' },
      { name: 'new', end_time_unix_nano: '2000000000000000000' },
    );
    const reply = await post(encodeTraces(message), PROTOBUF);
    assert.equal(reply.status, 200);
    const why = '1 span ended before what the hub keeps, 1 span ended in the future';
    assert.deepEqual(decodeAnswer('ExportTraceServiceResponse', reply.bytes), {
      partial_success: { rejected_spans: '2', error_message: why },
    });
    const inJson = await post(json(otlpJson(message)), JSON_TYPE);
    assert.deepEqual(JSON.parse(text(inJson.bytes)), { partialSuccess: { rejectedSpans: '2', errorMessage: why } });
    assert.deepEqual(
      appended.map(({ rows }) => rows.map((row) => row['endpoint'])),
      [['good'], ['good']],
    );
    assert.equal(await counted('sluice_dropped_rows_total', { input: 'opentelemetry', reason: 'too_old' }), 2);
    assert.equal(await counted('sluice_received_requests_total', { input: 'opentelemetry', outcome: 'partial' }), 2);
  });

  it('refuses what it cannot read with 400 and takes nothing of it', async (t) => {
    const { post, appended } = await start(t);
    const body = encodeTraces(traces({ name: 'a' }, { name: 'bb' }));
    const broken = Buffer.from(body);
    broken[broken.indexOf('bb') - 1] = 100;
    for (const sent of [body.subarray(0, -1), broken, Buffer.from('garbage')]) {
      const reply = await post(sent, PROTOBUF);
      assert.deepEqual([reply.status, reply.type, reply.retry], [400, 'application/x-protobuf', null]);
      assert.match(
        (decodeAnswer('Failure', reply.bytes) as { readonly message: string }).message,
        /^cannot read the traces/,
      );
    }
    const notJson = await post('{"resourceSpans":[{"scopeSpans":5}]}', JSON_TYPE);
    assert.equal(notJson.status, 400);
    const expected = 'cannot read the traces: expected an array at $.resourceSpans[0].scopeSpans; got 5';
    assert.deepEqual(JSON.parse(text(notJson.bytes)), { code: 3, message: expected });
    const notGzip = await post(body, { ...PROTOBUF, 'content-encoding': 'gzip' });
    assert.equal(notGzip.status, 400);
    assert.deepEqual(appended, []);
  });

  it('refuses other types and encodings with 415', async (t) => {
    const { post } = await start(t);
    const type = await post('', { 'content-type': 'text/plain' });
    assert.deepEqual(
      [type.status, text(type.bytes)],
      [415, 'expected Content-Type application/x-protobuf or application/json; got "text/plain"\n'],
    );
    const encoding = await post('', { ...PROTOBUF, 'content-encoding': 'br' });
    assert.deepEqual(
      [encoding.status, text(encoding.bytes)],
      [415, 'expected Content-Encoding gzip or none; got "br"\n'],
    );
  });

  it('refuses what is too large with 413', async (t) => {
    const { post, appended } = await start(t, { decodedBytes: 4000, jsonBytes: 2000, spans: 3, rowBytes: 10_000 });
    const gzip = { 'content-encoding': 'gzip' };
    assert.equal((await post(gzipSync(new Uint8Array(1_000_000)), { ...PROTOBUF, ...gzip })).status, 413);
    assert.equal((await post(gzipSync(`{"a":"${'x'.repeat(3000)}"}`), { ...JSON_TYPE, ...gzip })).status, 413);
    const many = await post(encodeTraces(traces({}, {}, {}, {})), PROTOBUF);
    assert.deepEqual(
      [many.status, decodeAnswer('Failure', many.bytes)],
      [413, { code: 8, message: 'expected at most 3 spans in a request; got more' }],
    );
    const wide = traces({}, {}, {});
    const resource = { attributes: attributesOf({ wide: 'x'.repeat(3500) }) };
    const repeated = { resource_spans: wide.resource_spans!.map((one) => ({ ...one, resource })) };
    assert.equal((await post(encodeTraces(repeated), PROTOBUF)).status, 413);
    assert.deepEqual(appended, []);
    assert.equal((await post(encodeTraces(traces({}, {}, {})), PROTOBUF)).status, 200);
  });

  it('says when to come back while the journal takes nothing', async (t) => {
    const { post, state, appended } = await start(t);
    const body = encodeTraces(traces({ name: 'a' }));
    state.failure = new SluiceError('journal_full', 'storage is behind', { retryAfterMs: 12_000 });
    const full = await post(body, PROTOBUF);
    assert.deepEqual(
      [full.status, full.retry, decodeAnswer('Failure', full.bytes)],
      [503, '12', { code: 14, message: 'storage is behind' }],
    );
    state.failure = new SluiceError('too_many_requests', 'slower');
    const slower = await post(json(otlpJson(traces({ name: 'a' }))), JSON_TYPE);
    assert.deepEqual(
      [slower.status, slower.retry, JSON.parse(text(slower.bytes))],
      [429, '5', { code: 8, message: 'slower' }],
    );
    state.failure = undefined;
    assert.equal((await post(body, PROTOBUF)).status, 200);
    assert.equal(appended.length, 1);
  });

  it('keeps requests that run at the same time apart', async (t) => {
    const { post, appended } = await start(t);
    const bodies = Array.from({ length: 20 }, (_, i) =>
      encodeTraces(traces(...Array.from({ length: i + 1 }, () => ({ name: `s${i}` })))),
    );
    const replies = await Promise.all(
      bodies.map((body, i) =>
        post(i % 2 === 0 ? body : gzipSync(body), i % 2 === 0 ? PROTOBUF : { ...PROTOBUF, 'content-encoding': 'gzip' }),
      ),
    );
    assert.ok(replies.every(({ status }) => status === 200));
    assert.deepEqual(
      appended.map(({ rows }) => rows.length).toSorted((a, b) => a - b),
      bodies.map((_, i) => i + 1),
    );
    for (const { rows } of appended) assert.equal(new Set(rows.map((row) => row['endpoint'])).size, 1);
    const ids = appended.flatMap(({ rows }) => rows.map((row) => row['_id']));
    assert.equal(new Set(ids).size, ids.length);
  });
});
