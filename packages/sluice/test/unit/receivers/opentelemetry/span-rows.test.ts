import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import {
  toTracesLimits,
  tracesLimitsSchema,
  type TracesLimits,
} from '../../../../src/receivers/opentelemetry/config.ts';
import { messageOfJson } from '../../../../src/receivers/opentelemetry/json-message.ts';
import { createTraceDecoders } from '../../../../src/receivers/opentelemetry/records.ts';
import { TraceReader } from '../../../../src/receivers/opentelemetry/trace-reader.ts';
import { RowIds } from '../../../../src/receivers/row-ids.ts';
import { l7FlowLog } from '../../../../src/catalog/l7-flow-log.ts';
import { BlockTarget, SENDER } from '../block-target.ts';
import { type Row, withoutIds } from '../row-values.ts';
import {
  attributesOf,
  encodeTraces,
  otlpJson,
  traceOf,
  type OtlpAttribute,
  type OtlpSpan,
  type OtlpTraces,
} from './otlp-proto.ts';
import { expectedRows } from './span-expected.ts';

const LIMITS = toTracesLimits(tracesLimitsSchema.parse({}));
const END = '1700000000123456789';

/** Reads a message as the hub's own routes do. */
function read(bytes: Uint8Array, limits: Partial<TracesLimits> = {}, peer?: string) {
  const target = new BlockTarget();
  const reader = new TraceReader(new RowIds({ hubId: 0 }), { ...LIMITS, ...limits });
  const block = () => target.block(l7FlowLog, 1);
  const outcome = reader.read(bytes, 0, bytes.length, { agent: 12, team: 3, block, peer });
  return {
    outcome,
    rejected: Object.fromEntries(reader.rejected),
    taken: reader.taken,
    target,
    rows: target.take('flow_log.l7_flow_log'),
  };
}

/** The row of one span. */
function rowOf(span: OtlpSpan, resource: readonly OtlpAttribute[] = [], peer?: string): Row {
  const { outcome, rows } = read(encodeTraces(traceOf({ end_time_unix_nano: END, ...span }, resource)), {}, peer);
  assert.equal(outcome, 'read');
  return rows[0]!;
}

const rowWith = (values: Readonly<Record<string, string | number | boolean>>, span: OtlpSpan = {}) =>
  rowOf({ ...span, attributes: attributesOf(values) });

function pick(row: Row, ...names: readonly string[]): unknown[] {
  return names.map((name) => row[name]);
}

describe('begin of a span', () => {
  const times = (start: string | undefined, acceptFrom = 0) => {
    const target = new BlockTarget();
    const reader = new TraceReader(new RowIds({ hubId: 0 }), LIMITS);
    const block = target.block(l7FlowLog, 1);
    block.acceptFrom = acceptFrom;
    const span = { end_time_unix_nano: END, ...(start === undefined ? {} : { start_time_unix_nano: start }) };
    const bytes = encodeTraces(traceOf(span));
    assert.equal(reader.read(bytes, 0, bytes.length, { agent: 12, team: 3, block: () => block }), 'read');
    const [row] = target.take('flow_log.l7_flow_log');
    return [...pick(row!, 'start_time', 'response_duration'), reader.wrongStarts];
  };

  it('is its own when it can be', () => {
    assert.deepEqual(times('1700000000123455789'), ['1700000000123455', '1', 0]);
    assert.deepEqual(times(END), ['1700000000123456', '0', 0]);
    assert.deepEqual(times('1699999000000000000', 1_699_999_000_000), ['1699999000000000', '1000123456', 0]);
  });

  it('is its end when it is missing, after the end or before the accept window, which is counted', () => {
    const mended = ['1700000000123456', '0', 1];
    assert.deepEqual(times(undefined), mended);
    assert.deepEqual(times('1700000000123457000'), mended);
    assert.deepEqual(times('18446744073709551615'), mended);
    assert.deepEqual(times('1699998999999999999', 1_699_999_000_000), mended);
  });
});

describe('protocol of a span', () => {
  const protocol = (values: Readonly<Record<string, string>>) =>
    pick(rowWith(values), 'biz_protocol', 'l7_protocol', 'is_tls');

  it('is found by its name within the names that are known', () => {
    assert.deepEqual(protocol({ 'db.system': 'MySQL' }), ['MySQL', 60, 0]);
    assert.deepEqual(protocol({ 'db.system': 'mongodb' }), ['mongodb', 81, 0]);
    assert.deepEqual(protocol({ 'rpc.system': 'apache_dubbo' }), ['apache_dubbo', 0, 0]);
    assert.deepEqual(protocol({ 'db.system': 'memcached' }), ['memcached', 0, 0]);
    assert.deepEqual(protocol({ 'http.scheme': 'http', 'messaging.system': 'kafka' }), ['kafka', 100, 0]);
  });

  it('of HTTP follows the version; https names none', () => {
    assert.deepEqual(protocol({ 'http.scheme': 'http' }), ['http', 20, 0]);
    assert.deepEqual(protocol({ 'http.scheme': 'http', 'http.flavor': '2.0' }), ['http', 21, 0]);
    assert.deepEqual(protocol({ 'http.scheme': 'https', 'http.flavor': '2.0' }), ['https', 0, 1]);
  });

  it('is HTTP when only names of attributes say so', () => {
    assert.deepEqual(protocol({ 'http.method': 'GET' }), ['HTTP', 20, 0]);
    assert.deepEqual(protocol({ other: 'x' }), ['', 0, 0]);
  });

  it('below it is TCP unless the transport says UDP', () => {
    assert.equal(rowWith({ 'net.transport': 'ip_udp' })['protocol'], 17);
    assert.equal(rowWith({ 'net.transport': 'unix' })['protocol'], 6);
  });
});

describe('outcome of a span', () => {
  const outcome = (values: Readonly<Record<string, string | number>>, status?: OtlpSpan['status']) =>
    pick(
      rowWith(values, status === undefined ? {} : { status }),
      'response_status',
      'response_code',
      'response_exception',
    );

  it('is that of HTTP if there is one', () => {
    assert.deepEqual(outcome({ 'http.status_code': 404 }), [4, 404, 'Not Found']);
    assert.deepEqual(outcome({ 'http.status_code': '503' }), [3, 503, 'Service Unavailable']);
    assert.deepEqual(outcome({ 'http.status_code': 302 }, { code: 'STATUS_CODE_ERROR', message: 'no' }), [0, 302, '']);
    assert.deepEqual(outcome({ 'http.status_code': 601 }), [0, 601, '']);
  });

  it('is else that of the span', () => {
    assert.deepEqual(outcome({}, { code: 'STATUS_CODE_OK' }), [0, 1, '']);
    assert.deepEqual(outcome({}, { code: 'STATUS_CODE_ERROR', message: 'boom' }), [3, 2, 'boom']);
    assert.deepEqual(outcome({}, { code: 'STATUS_CODE_UNSET', message: 'no' }), [5, null, '']);
    assert.deepEqual(outcome({ 'http.status_code': 'none' }), [5, 0, '']);
  });
});

describe('addresses of a span', () => {
  const host = attributesOf({ 'app.host.ip': '10.0.0.9' });
  const addresses = (kind: string, values: Readonly<Record<string, string>>, resource = host) =>
    pick(
      rowOf({ kind, attributes: attributesOf(values) }, resource),
      'ip4_0',
      'ip4_1',
      'ip6_0',
      'ip6_1',
      'is_ipv4',
      'observation_point',
    );

  it('are those of host and peer, on the side that the kind says', () => {
    const peer = { 'net.peer.ip': '192.0.2.1' };
    assert.deepEqual(addresses('SPAN_KIND_CLIENT', peer), ['10.0.0.9', '192.0.2.1', '::', '::', 1, 'c-app']);
    assert.deepEqual(addresses('SPAN_KIND_PRODUCER', peer), ['10.0.0.9', '192.0.2.1', '::', '::', 1, 'c-app']);
    assert.deepEqual(addresses('SPAN_KIND_CONSUMER', peer), ['192.0.2.1', '10.0.0.9', '::', '::', 1, 's-app']);
    assert.deepEqual(addresses('SPAN_KIND_INTERNAL', peer), ['192.0.2.1', '10.0.0.9', '::', '::', 1, 'app']);
  });

  it('prefer network.peer.address, wherever it stands', () => {
    const both = { 'network.peer.address': '198.51.100.7', 'net.peer.ip': '192.0.2.1' };
    assert.equal(addresses('SPAN_KIND_CLIENT', both)[1], '198.51.100.7');
    assert.equal(
      addresses('SPAN_KIND_CLIENT', { 'net.peer.ip': '192.0.2.1', 'network.peer.address': 'shop' })[1],
      '192.0.2.1',
    );
  });

  it('may be IPv6, or IPv4 mapped into it', () => {
    assert.deepEqual(addresses('SPAN_KIND_CLIENT', { 'net.peer.ip': '2001:db8::7:1' }), [
      '10.0.0.9',
      '0.0.0.0',
      '::',
      '2001:db8::7:1',
      0,
      'c-app',
    ]);
    assert.deepEqual(addresses('SPAN_KIND_CLIENT', { 'net.peer.ip': '::ffff:192.0.2.1' }), [
      '10.0.0.9',
      '192.0.2.1',
      '::',
      '::',
      1,
      'c-app',
    ]);
    assert.equal(addresses('SPAN_KIND_CLIENT', { 'net.peer.ip': 'fe80::1%eth0' })[3], '::');
  });

  it('take the sender for the host where the resource does not say', () => {
    const row = rowOf({ kind: 'SPAN_KIND_SERVER' }, attributesOf({ 'service.name': 'shop' }), '127.0.0.2');
    assert.deepEqual(pick(row, 'ip4_1', 'attribute_names', 'attribute_values'), [
      '127.0.0.2',
      ['service.name', 'app.host.ip'],
      ['shop', '127.0.0.2'],
    ]);
    assert.equal(rowOf({ kind: 'SPAN_KIND_SERVER' }, host, '127.0.0.2')['ip4_1'], '10.0.0.9');
  });
});

describe('attributes of a span', () => {
  it('are kept as text, in the form of protobuf where they are none', () => {
    const attributes: OtlpAttribute[] = [
      ...attributesOf({ text: 'a', empty: '', whole: -5, yes: true, number: 1.5, small: 0.000_01, large: 2_500_000.5 }),
      { key: 'bytes', value: { bytes_value: Buffer.from('a"\u0001').toString('base64') } },
      { key: 'array', value: { array_value: { values: [{ string_value: 'x\n' }, { int_value: '1' }] } } },
      {
        key: 'list',
        value: { kvlist_value: { values: [{ key: 'k', value: { bool_value: false } }, { key: 'none' }] } },
      },
      { key: 'unset', value: {} },
      { key: 'absent' },
    ];
    const row = rowOf({ attributes });
    const names = row['attribute_names'] as string[];
    const values = row['attribute_values'] as string[];
    assert.deepEqual(Object.fromEntries(names.map((name, i) => [name, values[i]])), {
      text: 'a',
      empty: '""',
      whole: '-5',
      yes: 'true',
      number: '1.5',
      small: '1e-05',
      large: '2.5000005e+06',
      bytes: '"a\\"\\x01"',
      array: '{values:{string_value:"x\\n"} values:{int_value:1}}',
      list: '{values:{key:"k" value:{bool_value:false}} values:{key:"none"}}',
      unset: '',
    });
  });

  it('that are measured go to the metrics', () => {
    const row = rowWith({
      'http.request_content_length': 120,
      'web.vitals.LCP.value': 2.5,
      'db.cassandra.page_size': '70',
      other: 1,
    });
    const names = [
      'request_length',
      'response_length',
      'sql_affected_rows',
      'metrics_names',
      'metrics_values',
      'attribute_names',
    ];
    assert.deepEqual(pick(row, ...names), [
      '120',
      null,
      '70',
      ['http.request_content_length', 'web.vitals.LCP.value', 'db.cassandra.page_size'],
      [120, 2.5, 70],
      ['other'],
    ]);
  });

  it('name the resource by what follows the host of a URL if nothing else does', () => {
    const url = { 'http.url': 'https://shop.test:8443/items/a%20b?id=1#top' };
    assert.equal(rowWith(url)['request_resource'], '/items/a%20b?id=1#top');
    assert.equal(rowWith({ ...url, 'http.target': '/t?x' })['request_resource'], '/t?x');
    assert.equal(rowWith({ 'http.url': 'http://shop.test' })['request_resource'], '/');
    assert.equal(rowWith({ 'http.url': 'http://' })['request_resource'], '');
    assert.equal(rowWith({ 'http.url': 'shop.test/items' })['request_resource'], '');
  });
});

describe('spans of SkyWalking', () => {
  const ids = { 'sw8.trace_id': 'trace', 'sw8.segment_id': 'seg', 'sw8.span_id': 2, 'sw8.parent_span_id': 1 };
  const idsOf = (row: Row) => pick(row, 'trace_id', 'span_id', 'parent_span_id');

  it('keep their own ids', () => {
    assert.deepEqual(idsOf(rowWith(ids)), ['trace', 'seg-2', 'seg-1']);
  });

  it('find the parent of another process in their links', () => {
    const { 'sw8.parent_span_id': _, ...first } = ids;
    const link = (kind: string) => ({
      attributes: attributesOf({ refType: kind, 'sw8.parent_segment_id': `of-${kind}`, 'sw8.parent_span_id': 4 }),
    });
    const links = [link('Other'), link('CrossThread'), link('CrossProcess')];
    assert.deepEqual(idsOf(rowOf({ attributes: attributesOf(first), links })), ['trace', 'seg-2', 'of-CrossThread-4']);
    assert.deepEqual(idsOf(rowOf({ attributes: attributesOf(first) })), ['trace', 'seg-2', '']);
  });
});

describe('a message of spans', () => {
  const two: OtlpTraces = {
    resource_spans: [
      {
        scope_spans: [
          {
            spans: [
              { name: 'old', end_time_unix_nano: '1000000000' },
              { name: 'good', end_time_unix_nano: END },
            ],
          },
        ],
      },
    ],
  };

  it('is taken without the spans that lie outside of the accept window', () => {
    const target = new BlockTarget();
    const reader = new TraceReader(new RowIds({ hubId: 0 }), LIMITS);
    const block = target.block(l7FlowLog, 1);
    block.acceptFrom = 1_600_000_000_000;
    block.acceptUntil = 1_700_000_000_000;
    const bytes = encodeTraces(two);
    assert.equal(reader.read(bytes, 0, bytes.length, { agent: 0, team: 1, block: () => block }), 'read');
    assert.deepEqual([...reader.rejected], [['too_old', 1]]);
    block.acceptUntil = 1_699_999_999_999;
    reader.read(bytes, 0, bytes.length, { agent: 0, team: 1, block: () => block });
    assert.deepEqual(
      [...reader.rejected],
      [
        ['too_old', 1],
        ['too_new', 1],
      ],
    );
    assert.deepEqual(
      target.take('flow_log.l7_flow_log').map((row) => row['endpoint']),
      ['good'],
    );
  });

  it('is bounded in spans and in the bytes of its rows', () => {
    const bytes = encodeTraces(two);
    assert.equal(read(bytes, { spans: 1 }).outcome, 'too_many');
    assert.equal(read(bytes, { rowBytes: 1000 }).outcome, 'too_large');
    const wide = attributesOf({ wide: 'x'.repeat(10_000) });
    const spans = Array.from({ length: 20 }, () => ({ end_time_unix_nano: END }));
    const repeated = encodeTraces({ resource_spans: [{ resource: { attributes: wide }, scope_spans: [{ spans }] }] });
    assert.deepEqual(
      [read(repeated, { rowBytes: 100_000 }).outcome, read(repeated, { rowBytes: 300_000 }).outcome],
      ['too_large', 'read'],
    );
  });

  it('marks its rows as imported', () => {
    const { block } = (() => {
      const target = new BlockTarget();
      const reader = new TraceReader(new RowIds({ hubId: 0 }), LIMITS);
      const bytes = encodeTraces(traceOf({ end_time_unix_nano: END, kind: 'SPAN_KIND_SERVER' }));
      reader.read(bytes, 0, bytes.length, { agent: 12, team: 3, block: () => target.block(l7FlowLog, 1) });
      return [...target.blocks.values()][0]!;
    })();
    assert.equal(block.fixed[block.column('is_imported')]!.u8[0], 1);
    assert.equal(block.fixed[block.column('observation_point_number')]!.u8[0], 50);
  });

  it('as a record is dropped whole when it is broken, empty of spans or not', () => {
    const target = new BlockTarget();
    const rejected: [string, number][] = [];
    const options = {
      target,
      rowIds: new RowIds({ hubId: 0 }),
      onRejected: (...one: [string, number]) => rejected.push(one),
      onWrongStarts: () => undefined,
    };
    const { plain, compressed } = createTraceDecoders({ ...options, limits: { ...LIMITS, decodedBytes: 5000 } });
    const bytes = encodeTraces(two);
    assert.equal(plain.decode(bytes.subarray(0, -1), 0, bytes.length - 1, SENDER), 'malformed');
    const zlib = deflateSync(bytes);
    assert.equal(compressed.decode(zlib, 0, zlib.length, SENDER), undefined);
    assert.equal(compressed.decode(bytes, 0, bytes.length, SENDER), 'corrupt_body');
    const bomb = deflateSync(new Uint8Array(1_000_000));
    assert.equal(compressed.decode(bomb, 0, bomb.length, SENDER), 'too_large');
    assert.equal(target.take('flow_log.l7_flow_log').length, 2);
    // A span broken in itself costs no other.
    const broken = Buffer.from(bytes);
    broken[broken.indexOf('old') - 1] = 200;
    assert.equal(plain.decode(broken, 0, broken.length, SENDER), undefined);
    assert.deepEqual(rejected, [['malformed', 1]]);
    assert.deepEqual(
      target.take('flow_log.l7_flow_log').map((row) => row['endpoint']),
      ['good'],
    );
  });
});

const text = fc.string({ maxLength: 12 });
const attribute = fc.oneof(
  fc.record({
    key: fc.constantFrom('http.method', 'http.target', 'http.host', 'db.operation', 'http.flavor', 'k'),
    value: fc.record({ string_value: text }),
  }),
  fc.record({
    key: fc.constantFrom('http.request_content_length', 'other', 'http.response_content_length'),
    value: fc.record({ int_value: fc.integer({ min: 0, max: 2 ** 31 }).map(String) }),
  }),
  fc.record({ key: fc.constantFrom('a', 'b'), value: fc.record({ bool_value: fc.boolean() }) }),
  fc.record({
    key: fc.constant('list'),
    value: fc.record({
      array_value: fc.record({
        values: fc.array(fc.record({ int_value: fc.integer().map(String) }), { maxLength: 3 }),
      }),
    }),
  }),
);
const id = fc.uint8Array({ minLength: 8, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('base64'));
const time = fc.bigInt({ min: 1n, max: 4_000_000_000_000_000_000n }).map(String);
const span: fc.Arbitrary<OtlpSpan> = fc.record(
  {
    trace_id: id,
    span_id: id,
    parent_span_id: id,
    name: text,
    kind: fc
      .constantFrom('UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER')
      .map((kind) => `SPAN_KIND_${kind}`),
    start_time_unix_nano: time,
    end_time_unix_nano: time,
    attributes: fc.array(attribute, { maxLength: 6 }),
    events: fc.array(
      fc.record({
        time_unix_nano: time,
        name: fc.string({ minLength: 1, maxLength: 8 }),
        attributes: fc.array(
          fc.record({ key: fc.string({ minLength: 1, maxLength: 5 }), value: fc.record({ string_value: text }) }),
          { minLength: 1, maxLength: 2 },
        ),
      }),
      { minLength: 1, maxLength: 3 },
    ),
    status: fc.record({
      code: fc.constantFrom('UNSET', 'OK', 'ERROR').map((code) => `STATUS_CODE_${code}`),
      message: text,
    }),
  },
  { requiredKeys: [] },
);
const traces: fc.Arbitrary<OtlpTraces> = fc.record({
  resource_spans: fc.array(
    fc.record({
      resource: fc.record({
        attributes: fc.array(
          fc.record({
            key: fc.constantFrom('service.name', 'service.instance.id', 'zone'),
            value: fc.record({ string_value: text }),
          }),
          { maxLength: 3 },
        ),
      }),
      scope_spans: fc.array(fc.record({ spans: fc.array(span, { maxLength: 3 }) }), { maxLength: 2 }),
    }),
    { maxLength: 3 },
  ),
});

describe('random messages', () => {
  it('become the rows that their spans say, as protobuf and as JSON', () => {
    fc.assert(
      fc.property(traces, (message) => {
        const expected = withoutIds(expectedRows(message, 12, 3));
        const json = Buffer.from(JSON.stringify(otlpJson(message)));
        for (const bytes of [encodeTraces(message), messageOfJson(json)]) {
          const { outcome, rows } = read(bytes);
          assert.equal(outcome, 'read');
          assert.deepEqual(withoutIds(rows), expected);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('never throw when they are mutated', () => {
    const change = fc.tuple(fc.nat(), fc.nat({ max: 255 }));
    fc.assert(
      fc.property(traces, fc.array(change, { minLength: 1, maxLength: 5 }), fc.nat(), (message, changes, cut) => {
        const bytes = Buffer.from(encodeTraces(message));
        for (const [position, value] of changes) if (bytes.length > 0) bytes[position % bytes.length] = value;
        const { rows, taken } = read(cut % 3 === 0 ? bytes.subarray(0, cut % (bytes.length + 1)) : bytes);
        assert.equal(rows.length, taken);
      }),
      { numRuns: 1000 },
    );
  });
});
