import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { goldenNames, noNames } from '../golden-names.ts';
import { batchOf, type MadeRow } from './made-row.ts';
import { decode, textsOf } from './otlp-messages.ts';
import { attributesOf, encodeBatch, part, spansOf } from './spans-of.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const agent: MadeRow = {
  _id: 0x6553f100_01400001n,
  end_time: 1_700_000_000_000_001n,
  trace_id: TRACE,
  signal_source: 3,
};
const imported: MadeRow = { ...agent, _id: 0x6553f100_01400002n, signal_source: 4 };

function hex(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('hex');
}

function idsOf(row: MadeRow) {
  const [made] = spansOf(batchOf([row]), noNames);
  const { traceId, spanId, parentSpanId } = made!.span;
  return { trace: hex(traceId), span: hex(spanId), parent: hex(parentSpanId) };
}

describe('ids', () => {
  test('what an agent saw of a request hangs below the span that sent it, which keeps its own id', () => {
    const sender = idsOf({ ...imported, span_id: '00f067aa0ba902b7', parent_span_id: '53995c3f42cd8ad8' });
    const atClient = idsOf({ ...agent, observation_point: 'c-p', span_id: '00f067aa0ba902b7' });
    const atServer = idsOf({ ...agent, _id: 7n, observation_point: 's-p', span_id: '00f067aa0ba902b7' });
    const receiver = idsOf({ ...imported, _id: 8n, span_id: 'aaaaaaaaaaaaaaaa', parent_span_id: '00f067aa0ba902b7' });
    assert.deepEqual(sender, { trace: TRACE, span: '00f067aa0ba902b7', parent: '53995c3f42cd8ad8' });
    assert.deepEqual(atClient, { trace: TRACE, span: '6553f10001400001', parent: sender.span });
    assert.deepEqual(atServer, { trace: TRACE, span: '0000000000000007', parent: sender.span });
    assert.deepEqual(receiver, { trace: TRACE, span: 'aaaaaaaaaaaaaaaa', parent: sender.span });
  });

  test('ids that are texts link in the same way', () => {
    const trace = '56a5e1c519ae4c76a2b8b11d92cead7f.12.16563474296430001';
    const sender = idsOf({ ...imported, trace_id: trace, span_id: `${trace}-0` });
    const seen = idsOf({ ...agent, trace_id: trace, span_id: `${trace}-0` });
    assert.equal(sender.span, createHash('sha256').update(`${trace}-0`).digest('hex').slice(0, 16));
    assert.equal(seen.parent, sender.span);
    assert.equal(seen.trace, sender.trace);
    assert.equal(seen.trace, '56a5e1c515ae4c7613e51e7cf616977f');
  });

  test('the texts stand beside the ids made of them', () => {
    const [made] = spansOf(batchOf([{ ...imported, trace_id: 'zz', span_id: 'a b', parent_span_id: 'c d' }]), noNames);
    const attributes = attributesOf(made!.span);
    assert.deepEqual(attributes.get('df.span.native.trace_id'), { stringValue: 'zz' });
    assert.deepEqual(attributes.get('df.span.native.span_id'), { stringValue: 'a b' });
    assert.deepEqual(attributes.get('df.span.native.parent_span_id'), { stringValue: 'c d' });
  });

  test('without a span in the message its parent is taken, without both there is none', () => {
    assert.equal(idsOf({ ...agent, parent_span_id: '53995c3f42cd8ad8' }).parent, '53995c3f42cd8ad8');
    assert.equal(idsOf(agent).parent, undefined);
    assert.equal(idsOf({ ...agent, span_id: '0000000000000000' }).parent, undefined);
  });

  test('no span is its own parent', () => {
    assert.equal(idsOf({ ...imported, span_id: 'ab', parent_span_id: '00000000000000ab' }).parent, undefined);
    assert.equal(idsOf({ ...agent, span_id: '6553f10001400001' }).parent, undefined);
  });

  test('without a trace a row is its own, and an imported span without an id goes by the row', () => {
    const ids = idsOf({ ...imported, trace_id: '', span_id: '' });
    assert.deepEqual(ids, { trace: '6553f100014000020000000000000000', span: '6553f10001400002', parent: undefined });
  });

  test('a row without an id goes by its place', () => {
    const rows = Array.from({ length: 2 }, () => ({ ...agent, _id: 0n, trace_id: '' }));
    const made = spansOf(batchOf(rows), noNames);
    assert.deepEqual(
      made.map(({ span }) => hex(span.spanId)),
      ['80000000000003e9', '80000000000003ea'],
    );
  });
});

describe('imported spans', () => {
  test('keep their name, kind, events and the message of their status', () => {
    const events =
      '[{"time_unix_nano":1700000000123456789,"name":"retry \\"1\\"","attributes":[{"key":"n","value":{"Value":{"IntValue":9007199254740993}}},' +
      '{"key":"l","value":{"Value":{"ArrayValue":{"values":[{"Value":{"BoolValue":true}},{"Value":{"DoubleValue":"NaN"}},{"Value":null}]}}}},' +
      '{"key":"m","value":{"Value":{"KvlistValue":{"values":[{"key":"b","value":{"Value":{"BytesValue":"AQI="}}}]}}}}],"dropped_attributes_count":2}]';
    const row = {
      ...imported,
      endpoint: 'GET /cart',
      request_type: 'GET',
      l7_protocol: 20,
      span_kind: 5,
      response_status: 3,
      response_exception: 'no such cart',
      events,
    };
    const [made] = spansOf(batchOf([row]), noNames);
    const { name, kind, status, events: found } = made!.span;
    assert.deepEqual(
      { name, kind, status },
      { name: 'GET /cart', kind: 5, status: { code: 2, message: 'no such cart' } },
    );
    assert.deepEqual(found, [
      {
        timeUnixNano: '1700000000123456789',
        name: 'retry "1"',
        attributes: [
          { key: 'n', value: { intValue: '9007199254740993' } },
          { key: 'l', value: { arrayValue: { values: [{ boolValue: true }, { doubleValue: NaN }, {}] } } },
          { key: 'm', value: { kvlistValue: { values: [{ key: 'b', value: { bytesValue: Uint8Array.of(1, 2) } }] } } },
        ],
        droppedAttributesCount: 2,
      },
    ]);
  });

  test('events that cannot be read go along as text', () => {
    for (const events of ['{', '[1]', '[{"name":1}]', '"x"']) {
      const [made] = spansOf(batchOf([{ ...imported, events }]), noNames);
      assert.equal(made!.span.events, undefined);
      assert.deepEqual(attributesOf(made!.span).get('df.span.events'), { stringValue: events });
    }
    const [made] = spansOf(batchOf([{ ...imported, events: 'null' }]), noNames);
    assert.equal(made!.span.events, undefined);
    assert.equal(attributesOf(made!.span).has('df.span.events'), false);
  });

  test('an attribute that is a column, too, comes once, with the value of the column', () => {
    const row = {
      ...imported,
      l7_protocol: 20,
      request_type: 'GET',
      response_code: 404,
      attribute_names: ['http.method', 'other', 'http.status_code', 'other'],
      attribute_values: ['get', 'first', '404', 'last'],
      metrics_names: ['other', 'm'],
      metrics_values: [1, 2],
    };
    const [made] = spansOf(batchOf([row]), noNames);
    const attributes = attributesOf(made!.span);
    assert.deepEqual(attributes.get('http.method'), { stringValue: 'GET' });
    assert.deepEqual(attributes.get('http.status_code'), { intValue: '404' });
    assert.deepEqual(attributes.get('other'), { doubleValue: 1 });
    assert.deepEqual(attributes.get('m'), { doubleValue: 2 });
  });
});

describe('selection', () => {
  const row: MadeRow = {
    ...agent,
    l7_protocol: 20,
    request_type: 'GET',
    request_resource: '/x',
    client_port: 1000,
    server_port: 80,
    region_id_0: 1,
    is_ipv4: 1,
    ip4_1: 0x0a000001,
    response_duration: 5n,
    observation_point: 'c',
  };
  const always = ['df.span.type'];
  const namesOf = (exportFields: readonly string[]) => {
    const [made] = spansOf(batchOf([row]), goldenNames, { exportFields });
    return {
      resource: [...attributesOf(made!.resource).keys()],
      span: [...attributesOf(made!.span).keys()].filter((name) => !always.includes(name)),
    };
  };

  test('a category brings its group of attributes and no other', () => {
    assert.deepEqual(namesOf(['$tag.transport_layer']), {
      resource: ['df.transport.client_port', 'df.transport.server_port'],
      span: [],
    });
    assert.deepEqual(namesOf(['$metrics']), { resource: [], span: ['df.metrics.response_duration_us'] });
    assert.deepEqual(namesOf(['$tag.tracing_info']), { resource: [], span: ['df.span.native.trace_id'] });
  });

  test('a field brings the attributes that are made of it', () => {
    assert.deepEqual(namesOf(['region_id_0', 'server_port', 'request_type']), {
      resource: ['df.universal_tag.region_0', 'df.transport.server_port'],
      span: ['http.method'],
    });
    assert.deepEqual(namesOf(['ip4_1']), { resource: ['df.network.ip_1'], span: [] });
  });
});

test('while there are no names, tags are left out, and what follows from the row alone is there', () => {
  const row = { ...agent, region_id_0: 1, auto_instance_type_0: 255, is_ipv4: 1, ip4_0: 0x0a000001, pod_id_1: 5 };
  const [made] = spansOf(batchOf([row]), noNames);
  const tags = attributesOf(made!.resource);
  assert.deepEqual(tags.get('df.universal_tag.auto_instance_type_0'), { stringValue: 'ip' });
  assert.deepEqual(tags.get('df.universal_tag.auto_instance_0'), { stringValue: '10.0.0.1' });
  assert.equal(tags.has('df.universal_tag.region_0'), false);
  assert.equal(tags.has('df.universal_tag.pod_1'), false);
});

test('new names show in the next Batch', () => {
  let version = 1;
  const names = {
    ...noNames,
    name: () => `name ${version}`,
    get version() {
      return version;
    },
  };
  const batch = batchOf([{ ...agent, region_id_0: 1 }]);
  const regionOf = () => attributesOf(spansOf(batch, names)[0]!.resource).get('df.universal_tag.region_0');
  assert.deepEqual(regionOf(), { stringValue: 'name 1' });
  version = 2;
  assert.deepEqual(regionOf(), { stringValue: 'name 2' });
});

test('long texts come through whole', () => {
  const long = 'é'.repeat(100_000);
  const [made] = spansOf(batchOf([{ ...agent, l7_protocol: 20, request_resource: long, endpoint: long }]), noNames);
  const attributes = attributesOf(made!.span);
  assert.deepEqual(attributes.get('df.http.path'), { stringValue: long });
  assert.equal(made!.span.name, ` ${long}`);
});

const rawText = fc.oneof(
  fc.constant(''),
  fc.string({ unit: 'binary', maxLength: 140 }),
  fc.uint8Array({ maxLength: 140 }),
  fc.stringMatching(/^[0-9a-f]{1,40}$/),
  fc.constantFrom('http.method', 'SELECT a FROM t', 'c', 's-p', 'local'),
);
const u8 = fc.oneof(fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 20, 40, 41, 60, 61, 80, 100, 101, 120, 255), fc.nat(255));
const u16 = fc.nat(0xffff);
const u32 = fc.oneof(fc.constantFrom(0, 1, 0xffff_fffe, 0xffff_ffff), fc.nat(0xffff_ffff));
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const list = fc.array(rawText, { maxLength: 4 });
const anyRow: fc.Arbitrary<MadeRow> = fc.record(
  {
    _id: u64,
    start_time: u64,
    end_time: u64,
    trace_id: rawText,
    span_id: rawText,
    parent_span_id: rawText,
    span_kind: u8,
    signal_source: u16,
    observation_point: rawText,
    l7_protocol: u8,
    type: u8,
    version: rawText,
    request_type: rawText,
    request_domain: rawText,
    request_resource: rawText,
    request_id: u64,
    response_status: u8,
    response_code: u32,
    response_exception: rawText,
    response_result: rawText,
    endpoint: rawText,
    events: rawText,
    app_service: rawText,
    app_instance: rawText,
    process_kname_0: rawText,
    x_request_id_0: rawText,
    http_proxy_client: rawText,
    attribute_names: list,
    attribute_values: list,
    metrics_names: list,
    metrics_values: fc.array(fc.double(), { maxLength: 4 }),
    client_port: u16,
    server_port: u16,
    is_ipv4: fc.nat(1),
    ip4_0: u32,
    ip6_1: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    capture_nic: u32,
    capture_nic_type: u8,
    tunnel_type: u8,
    nat_source: u8,
    protocol: u8,
    is_tls: fc.nat(1),
    region_id_0: u16,
    l3_device_type_1: u8,
    l3_device_id_1: u32,
    auto_instance_type_0: u8,
    auto_service_type_1: u8,
    l3_epc_id_0: u32,
    flow_id: u64,
    request_length: u64,
    response_duration: u64,
    syscall_trace_id_request: u64,
  },
  { requiredKeys: [] },
);

function textOf(value: MadeRow[string] | undefined): string {
  return value === undefined ? '' : new TextDecoder('utf-8', { ignoreBOM: true }).decode(Buffer.from(value as string));
}

test('whatever is in the rows, spans are valid and say it', () => {
  fc.assert(
    fc.property(fc.array(anyRow, { minLength: 1, maxLength: 4 }), (rows) => {
      const writer = encodeBatch(batchOf(rows), goldenNames);
      assert.equal(writer.count, rows.length);
      for (const [item, row] of rows.entries()) {
        const head = part(writer.heads, writer.headEnds, item);
        const body = part(writer.bytes, writer.ends, item);
        for (const text of [...textsOf('Resource', head), ...textsOf('Span', body)]) assert.ok(isUtf8(text));
        const span = decode('Span', body);
        const resource = attributesOf(decode('Resource', head));
        const attributes = attributesOf(span);
        assert.equal(span.traceId.length, 16);
        assert.equal(span.spanId.length, 8);
        for (const id of [span.traceId, span.spanId, span.parentSpanId ?? Buffer.of(1)]) {
          assert.ok(id.some((byte) => byte !== 0));
        }
        assert.notDeepEqual(span.parentSpanId, span.spanId);
        assert.notEqual(span.name ?? '', '');
        const end = BigInt.asUintN(64, ((row['end_time'] as bigint | undefined) ?? 0n) * 1000n);
        assert.equal(span.endTimeUnixNano ?? '0', String(end));
        for (const [name, column] of [
          ['df.span.endpoint', 'endpoint'],
          ['df.span.x_request_id_0', 'x_request_id_0'],
        ] as const) {
          const text = textOf(row[column]);
          assert.deepEqual(attributes.get(name), text === '' ? undefined : { stringValue: text });
        }
        const pid = textOf(row['process_kname_0']);
        assert.deepEqual(resource.get('thread.name_0'), pid === '' ? undefined : { stringValue: pid });
        const flow = BigInt.asIntN(64, (row['flow_id'] as bigint | undefined) ?? 0n);
        assert.deepEqual(resource.get('df.flow_info.flow_id'), flow === 0n ? undefined : { intValue: String(flow) });
        const length = row['request_length'] as bigint | undefined;
        assert.deepEqual(
          attributes.get('df.metrics.request_length'),
          length === undefined ? undefined : { intValue: String(BigInt.asIntN(64, length)) },
        );
      }
    }),
    { numRuns: 100 },
  );
});
