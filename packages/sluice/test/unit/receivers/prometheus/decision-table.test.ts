import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { SluiceError } from '../../../../src/base/errors.ts';
import { createHarness, type Harness, STALE, V1, V2 } from './harness.ts';
import {
  bytes,
  double,
  exemplarV1,
  histogram,
  type Labels,
  metadataV1,
  number,
  RequestV2,
  sample,
  seriesV1,
  snappy,
  varint,
} from './wire.ts';

/* Every input of the table "what a receiver must answer", with what Sluice answers. */

const WINDOW = { behindMs: 86_400_000, aheadMs: 600_000 };
const UP: Labels = [['__name__', 'up']];
const named = (name: string): Labels => [['__name__', name]];

function written(headers: Readonly<Record<string, string>> | undefined): string {
  return ['Samples', 'Histograms', 'Exemplars']
    .map((kind) => headers?.[`X-Prometheus-Remote-Write-${kind}-Written`] ?? '-')
    .join(' ');
}

const rowsOf = (harness: Harness, table: string): number => harness.rows.get(`prometheus.${table}`)?.length ?? 0;

/** Posts a good series beside the given 2.0 entries; answers status, counts and body. */
async function beside(
  fill: (request: RequestV2, now: number) => void,
  options: Parameters<typeof createHarness>[0] = { window: WINDOW },
) {
  const harness = createHarness(options);
  const request = new RequestV2();
  request.add(named('good'), sample(harness.nowMs, 1));
  fill(request, harness.nowMs);
  request.add(named('good_too'), sample(harness.nowMs, 2));
  const reply = await harness.post(snappy(request.encode()), V2);
  return {
    harness,
    status: reply.status,
    counts: written(reply.headers),
    text: String(reply.body ?? ''),
    headers: reply.headers,
  };
}

async function besideV1(
  entries: (now: number) => readonly Buffer[],
  options: Parameters<typeof createHarness>[0] = { window: WINDOW },
) {
  const harness = createHarness(options);
  const good = (name: string): Buffer => seriesV1(named(name), sample(harness.nowMs, 1));
  const reply = await harness.post(
    snappy(Buffer.concat([good('good'), ...entries(harness.nowMs), good('good_too')])),
    V1,
  );
  assert.equal(written(reply.headers), '- - -', '1.0 is never told counts');
  return { harness, status: reply.status, text: String(reply.body ?? '') };
}

suite('decision table', () => {
  test('1: the routes are POST, on both paths, with the limits', () => {
    const { receiver } = createHarness();
    assert.deepEqual(
      receiver.routes.map(({ method, path, scope }) => `${method} ${path} ${scope}`),
      ['POST /api/v1/write write', 'POST /api/v1/prometheus write'],
    );
    for (const { bodyLimit, memory } of receiver.routes)
      assert.deepEqual([bodyLimit, memory], [32 * 2 ** 20, 32 * 2 ** 20]);
  });

  test('2, 5, 7: without Content-Type, Content-Encoding and version it is 1.0 in Snappy', async () => {
    const harness = createHarness();
    const body = snappy(seriesV1(UP, sample(1, 1)));
    assert.equal((await harness.post(body, {})).status, 204);
    assert.equal((await harness.post(body, { 'x-prometheus-remote-write-version': 'odd' })).status, 204);
    assert.equal(rowsOf(harness, 'samples'), 2);
  });

  test('3, 6: other types, messages and encodings are refused by the headers alone', () => {
    const { receiver } = createHarness();
    const check = receiver.routes[0]!.check!;
    for (const headers of [
      { 'content-type': 'application/json' },
      { 'content-type': 'application/x-protobuf;proto' },
      { 'content-type': 'application/x-protobuf;proto=io.prometheus.write.v3.Request' },
      { ...V1, 'content-encoding': 'gzip' },
      { ...V1, 'content-encoding': 'zstd' },
    ]) {
      assert.equal(check(headers)?.status, 415, JSON.stringify(headers));
    }
    for (const headers of [
      V1,
      V2,
      { 'content-type': 'Application/X-Protobuf; Proto="io.prometheus.write.v2.Request"' },
      { ...V1, 'content-encoding': 'zstd', 'x-victoriametrics-remote-write-version': '1' },
    ]) {
      assert.equal(check(headers), undefined, JSON.stringify(headers));
    }
  });

  test('what the server refuses in the place of the handler tells 2.0 senders that nothing was written', () => {
    const { receiver } = createHarness();
    const refusal = (headers: Readonly<Record<string, string>>) =>
      written(receiver.routes[0]?.refusalHeaders?.(headers));
    assert.equal(refusal(V2), '0 0 0');
    assert.equal(refusal(V1), '- - -');
    assert.equal(refusal({ 'content-type': 'application/json' }), '- - -');
    const { receiver: old } = createHarness({ messages: ['prometheus.WriteRequest'] });
    assert.deepEqual(old.routes[0]?.refusalHeaders?.(V2), {}, 'a sender that sees the counts would stay with 2.0');
  });

  test('4: a message that is switched off is 415', async () => {
    const harness = createHarness({ messages: ['prometheus.WriteRequest'] });
    const reply = await harness.post(snappy(new RequestV2().encode()), V2);
    assert.equal(reply.status, 415);
    assert.match(String(reply.body), /switched off/);
  });

  test('10: what declares more than the limit is 400, without memory for it', async () => {
    const harness = createHarness({ limits: { decodedBytes: 1000 } });
    const before = harness.table.memory.usedBytes;
    assert.equal((await harness.post(Buffer.from('80808080040041', 'hex'))).status, 400);
    assert.equal((await harness.post(snappy(Buffer.alloc(1001)))).status, 400);
    const zstd = { ...V1, 'content-encoding': 'zstd', 'x-victoriametrics-remote-write-version': '1' };
    assert.equal((await harness.post(zstdCompressSync(Buffer.alloc(1_000_000)), zstd)).status, 400);
    assert.equal(harness.table.memory.usedBytes, before);
    // More than 22 times the body cannot be true.
    const lying = createHarness();
    const reply = await lying.post(Buffer.concat([varint(30_000_000), Buffer.alloc(100)]));
    assert.match(String(reply.body), /cannot hold so many/);
  });

  test('11: corrupt Snappy is 400', async () => {
    const harness = createHarness();
    const good = snappy(seriesV1(UP, sample(1, 1)));
    for (const body of [
      good.subarray(0, -1),
      Buffer.concat([good, Buffer.from([0])]),
      Buffer.alloc(0),
      Buffer.from('ff060000734e61507059', 'hex'),
    ]) {
      assert.equal((await harness.post(body)).status, 400, body.toString('hex'));
    }
    assert.equal(
      (
        await harness.post(Buffer.from('zstd?'), {
          'content-encoding': 'zstd',
          'x-victoriametrics-remote-write-version': '1',
        })
      ).status,
      400,
    );
    assert.equal(harness.appends.length, 0);
  });

  test('12: malformed protobuf is 400 and nothing is written', async () => {
    for (const [what, tail] of [
      ['a length beyond the message', Buffer.from([0x0a, 0x7f])],
      ['field number 0', Buffer.from([0x02, 0x00])],
      ['a group', Buffer.from([0x1b])],
      ['an endless varint', Buffer.from([0x10, ...Array.from({ length: 11 }, () => 0x80)])],
      ['a varint of 65 bits', Buffer.from([0x10, ...Array.from({ length: 9 }, () => 0xff), 0x02])],
      ['a cut number', Buffer.from([0x09, 1, 2])],
      ['a TimeSeries that is a number', Buffer.from([0x08, 1])],
      ['a sample that is a number', bytes(1, bytes(1, bytes(1, 'a'), bytes(2, 'b')), number(2, 1))],
      ['a value that is a varint', bytes(1, bytes(1, bytes(1, '__name__'), bytes(2, 'b')), bytes(2, number(1, 1)))],
      ['a cut value', bytes(1, bytes(2, Buffer.from([0x09, 0, 0])))],
      ['a label longer than its series', bytes(1, Buffer.from([0x0a, 0x20, 0x0a, 1, 97]))],
      ['doubles that are not', bytes(1, bytes(4, bytes(13, Buffer.alloc(7))))],
    ] as const) {
      const harness = createHarness();
      const body = Buffer.concat([seriesV1(UP, sample(1, 1)), tail]);
      const reply = await harness.post(snappy(body));
      assert.equal(reply.status, 400, what);
      assert.match(String(reply.body), /^cannot decode the message: /, what);
      assert.equal(harness.appends.length, 0, what);
      // And the receiver works on.
      assert.equal((await harness.post(snappy(seriesV1(UP, sample(2, 2))))).status, 204, what);
      assert.equal(rowsOf(harness, 'samples'), 1, what);
    }
    const v2 = createHarness();
    const reply = await v2.post(
      snappy(Buffer.concat([new RequestV2().add(UP, sample(1, 1)).encode(), Buffer.from([0x2a, 9])])),
      V2,
    );
    assert.deepEqual([reply.status, written(reply.headers)], [400, '0 0 0']);
  });

  test('13: an empty message, or only unknown fields, is 204', async () => {
    for (const body of [Buffer.from([0]), snappy(Buffer.concat([number(15, 7), bytes(16, 'x'), double(17, 1)]))]) {
      const harness = createHarness();
      const one = await harness.post(body);
      assert.deepEqual([one.status, written(one.headers)], [204, '- - -']);
      const two = await harness.post(body, V2);
      assert.deepEqual([two.status, written(two.headers)], [204, '0 0 0']);
      assert.equal(harness.appends.length, 0);
    }
  });

  test('14: metadata alone is stored, again only when it changes or after a day', async () => {
    const harness = createHarness();
    const post = async (help: string) => harness.post(snappy(metadataV1('m', 1, help, 's')));
    assert.equal((await post('h')).status, 204);
    await post('h');
    await post('other');
    await post('other');
    harness.nowMs += 25 * 3_600_000;
    await post('other');
    assert.deepEqual(
      harness.rows
        .get('prometheus.metadata')
        ?.map((row) => [row['metric_family_name'], row['type'], row['unit'], row['help']]),
      [
        ['m', 'counter', 's', 'h'],
        ['m', 'counter', 's', 'other'],
        ['m', 'counter', 's', 'other'],
      ],
    );
  });

  test('14: metadata that the journal refused is said again', async () => {
    const harness = createHarness();
    harness.failure = new SluiceError('journal_full', 'full');
    assert.equal((await harness.post(snappy(metadataV1('m', 1, 'h', 's')))).status, 503);
    harness.failure = undefined;
    await harness.post(snappy(metadataV1('m', 1, 'h', 's')));
    assert.equal(rowsOf(harness, 'metadata'), 1);
  });

  test('15, 16: odd or wrong references are 400, the rest is written', async () => {
    for (const refs of [
      [1, 2, 1],
      [1, 999_999],
      [1, 2, 999_999, 2],
    ]) {
      const { status, counts, harness } = await beside((request, now) =>
        request.addRefs(refs, sample(now, 1), sample(now, 2)),
      );
      assert.deepEqual([status, counts, rowsOf(harness, 'samples')], [400, '2 0 0', 2], String(refs));
    }
  });

  test('17: a series whose help or unit does not exist is not written, the rest is', async () => {
    for (const fields of [number(3, 999), number(4, 999), number(3, 2n ** 40n)]) {
      const { status, counts, text, harness } = await beside((request, now) =>
        request.add(named('bad'), sample(now, 1), bytes(5, fields)),
      );
      assert.deepEqual([status, counts, rowsOf(harness, 'samples')], [400, '2 0 0', 2]);
      assert.match(text, /bad\{\} refers to help/);
    }
  });

  const badLabels: readonly (readonly [string, Labels, RegExp])[] = [
    ['18: no metric name', [['job', 'a']], /\{job="a"\} has no metric name/],
    [
      '18: an empty metric name',
      [
        ['__name__', ''],
        ['job', 'a'],
      ],
      /no metric name/,
    ],
    ['18: no labels', [], /no metric name/],
    [
      '19: a value that is not UTF-8',
      [
        ['__name__', 'm'],
        ['job', Buffer.from([0xff, 0xfe])],
      ],
      /not valid UTF-8/,
    ],
    [
      '19: a name that is not UTF-8',
      [
        ['__name__', 'm'],
        [Buffer.from([0xc3]), 'a'],
      ],
      /not valid UTF-8/,
    ],
    [
      '19: an empty label name',
      [
        ['__name__', 'm'],
        ['', 'a'],
      ],
      /an empty label name/,
    ],
    [
      '20: a label twice',
      [
        ['__name__', 'm'],
        ['job', 'a'],
        ['job', 'b'],
      ],
      /the label job twice/,
    ],
    [
      'limits: too many labels',
      [['__name__', 'm'], ...Array.from({ length: 64 }, (_, i) => [`l${i}`, 'x'] as const)],
      /65 labels; expected at most 64/,
    ],
    [
      'limits: a long name',
      [
        ['__name__', 'm'],
        ['n'.repeat(1025), 'x'],
      ],
      /label name of 1025 bytes/,
    ],
    [
      'limits: a long value',
      [
        ['__name__', 'm'],
        ['n', 'x'.repeat(8193)],
      ],
      /label value of 8193 bytes/,
    ],
    [
      'limits: very long labels in all',
      [['__name__', 'm'], ...Array.from({ length: 30 }, (_, i) => [`l${i}`, 'x'.repeat(4096)] as const)],
      /label (text|fields) of \d+ bytes/,
    ],
  ];
  for (const [name, labels, text] of badLabels) {
    test(`${name}: 400 in both versions, the rest is written`, async () => {
      const two = await beside((request, now) => request.add(labels, sample(now, 1)));
      assert.deepEqual([two.status, two.counts, rowsOf(two.harness, 'samples')], [400, '2 0 0', 2]);
      assert.match(two.text, text);
      const one = await besideV1((now) => [seriesV1(labels, sample(now, 1))]);
      assert.deepEqual([one.status, rowsOf(one.harness, 'samples')], [400, 2]);
      assert.match(one.text, text);
      assert.equal(one.harness.table.active, 2);
    });
  }

  test('21, 22: unsorted labels are sorted and empty ones dropped: one series, one id', async () => {
    const harness = createHarness();
    const spellings: readonly Labels[] = [
      [
        ['__name__', 'm'],
        ['a', '1'],
        ['b', '2'],
      ],
      [
        ['b', '2'],
        ['a', '1'],
        ['__name__', 'm'],
      ],
      [
        ['b', '2'],
        ['empty', ''],
        ['a', '1'],
        ['__name__', 'm'],
      ],
    ];
    for (const labels of spellings) {
      assert.equal((await harness.post(snappy(seriesV1(labels, sample(1, 1))))).status, 204);
      assert.equal((await harness.post(snappy(new RequestV2().add(labels, sample(1, 1)).encode()), V2)).status, 204);
    }
    assert.equal(harness.table.active, 1);
    assert.equal(harness.table.forms, 6);
    assert.equal(rowsOf(harness, 'series'), 1);
    assert.equal(
      new Set(harness.rows.get('prometheus.samples')?.map((row) => `${row['metric_id']} ${row['series_id']}`)).size,
      1,
    );
    assert.deepEqual(harness.labelsOf(harness.rows.get('prometheus.series')![0]!), { __name__: 'm', a: '1', b: '2' });
  });

  test('names that JavaScript objects know are labels like others', async () => {
    const harness = createHarness();
    await harness.post(
      snappy(
        seriesV1(
          [
            ['__name__', 'constructor'],
            ['__proto__', 'x'],
            ['toString', 'y'],
          ],
          sample(1, 1),
        ),
      ),
    );
    assert.deepEqual(harness.rows.get('prometheus.series')?.[0]?.['labels'], [
      ['__proto__', 'x'],
      ['toString', 'y'],
    ]);
  });

  test('23: a series with only metadata is 204 with zero counts, and its metadata stored', async () => {
    const harness = createHarness();
    const request = new RequestV2();
    const reply = await harness.post(snappy(request.add(UP, request.metadata(2, 'Up.', '')).encode()), V2);
    assert.deepEqual([reply.status, written(reply.headers), rowsOf(harness, 'metadata')], [204, '0 0 0', 1]);
  });

  test('24: a series with only an exemplar is accepted, in both versions', async () => {
    const harness = createHarness();
    const request = new RequestV2();
    const reply = await harness.post(snappy(request.add(UP, request.exemplar([['trace_id', 'a']], 5, 1)).encode()), V2);
    assert.deepEqual([reply.status, written(reply.headers)], [204, '0 0 1']);
    assert.equal((await harness.post(snappy(seriesV1(UP, exemplarV1([['trace_id', 'b']], 6, 2))))).status, 204);
    assert.deepEqual(
      harness.rows.get('prometheus.exemplars')?.map((row) => [row['time'], row['labels']]),
      [
        [5, [['trace_id', 'a']]],
        [6, [['trace_id', 'b']]],
      ],
    );
  });

  test('25: samples and histograms in one entry are both stored', async () => {
    const { status, counts } = await beside((request, now) =>
      request.add(
        named('h'),
        sample(now, 1),
        histogram(3, { count: 1, sum: 1, positiveSpans: [[0, 1]], positiveDeltas: [1], time: now }),
      ),
    );
    assert.deepEqual([status, counts], [204, '3 1 0']);
  });

  test('26: any order is taken; times outside the window are dropped with 400, the rest is written', async () => {
    const { status, counts, text, harness } = await beside((request, now) => {
      request.add(named('m'), sample(now, 1), sample(now - 10, 2), sample(now, 3));
      request.add(named('old'), sample(now - 86_400_001, 1), sample(now - 86_400_000, 1));
      request.add(named('new'), sample(now + 600_001, 1), sample(now + 600_000, 1));
      request.add(named('h'), histogram(3, { time: now + 600_001 }), request.exemplar([], now - 90_000_000, 1));
    });
    assert.deepEqual([status, counts], [400, '7 0 0']);
    assert.match(text, /^old\{\}: the timestamp \d+ is too far in the past/m);
    assert.match(text, /^new\{\}: the timestamp \d+ is too far in the future/m);
    const dropped = await harness.metrics.droppedRows.get();
    assert.deepEqual(Object.fromEntries(dropped.values.map(({ labels, value }) => [labels.reason, value])), {
      too_old: 2,
      too_new: 2,
    });
  });

  test('26: the window holds on the fast way too', async () => {
    const harness = createHarness({ window: WINDOW });
    const post = async (time: number) => harness.post(snappy(seriesV1(UP, sample(time, 1))));
    for (const [offset, status] of [
      [0, 204],
      [0, 204],
      [600_001, 400],
      [600_000, 204],
      [-86_400_001, 400],
      [-86_400_000, 204],
    ] as const) {
      assert.equal((await post(harness.nowMs + offset)).status, status, String(offset));
    }
    assert.equal(rowsOf(harness, 'samples'), 4);
  });

  test('timestamps that the tables cannot hold are refused one by one, negative ones are taken where the window is open', async () => {
    const harness = createHarness();
    for (const [time, status] of [
      [-5, 204],
      [2n ** 53n, 400],
      [-(2n ** 53n), 400],
      [10_413_791_999_999, 204],
      [10_413_792_000_000, 400],
      [-2_208_988_800_000, 204],
      [-2_208_988_800_001, 400],
      [1_700_000_000_000_000, 400],
      [0, 204],
    ] as const) {
      assert.equal(
        (await harness.post(snappy(seriesV1(UP, sample(time, 1), sample(3, 1))))).status,
        status,
        String(time),
      );
    }
    assert.deepEqual(
      harness.rows.get('prometheus.samples')?.map((row) => row['time']),
      [-5, 3, 3, 3, 10_413_791_999_999, 3, 3, -2_208_988_800_000, 3, 3, 3, 0, 3],
    );
  });

  test('27: an invalid histogram is 400, the rest is written', async () => {
    const { status, counts, text } = await beside((request, now) =>
      request.add(
        named('h'),
        histogram(3, { count: 99, sum: 1, positiveSpans: [[0, 1]], positiveDeltas: [1], time: now }),
      ),
    );
    assert.deepEqual([status, counts], [400, '2 0 0']);
    assert.match(text, /h\{\}: a histogram has the count 99, but 1 observations/);
  });

  test('29: exemplars out of order are accepted', async () => {
    const { status, counts } = await beside((request, now) =>
      request.add(named('m'), request.exemplar([['a', '1']], now, 1), request.exemplar([['a', '2']], now - 5, 1)),
    );
    assert.deepEqual([status, counts], [204, '2 0 2']);
  });

  test('exemplars with wrong or too many labels are 400, the rest is written', async () => {
    for (const labels of [
      [['a', 'x'.repeat(128)]],
      [['', 'x']],
      [
        ['a', '1'],
        ['a', '2'],
      ],
      [['a', Buffer.from([0xff])]],
    ] satisfies Labels[]) {
      const two = await beside((request, now) =>
        request.add(named('m'), sample(now, 1), request.exemplar(labels, now, 1)),
      );
      assert.deepEqual([two.status, two.counts], [400, '3 0 0']);
      const one = await besideV1((now) => [seriesV1(named('m'), sample(now, 1), exemplarV1(labels, now, 1))]);
      assert.deepEqual([one.status, rowsOf(one.harness, 'samples')], [400, 3]);
    }
    const fits = await beside((request, now) =>
      request.add(named('m'), request.exemplar([['a', 'ü'.repeat(127)]], now, 1)),
    );
    assert.equal(fits.status, 204, '128 characters, not bytes');
  });

  test('31: a journal that refuses is 503 with Retry-After and zero counts; a resend is taken whole', async () => {
    for (const code of ['journal_full', 'disk_full', 'stopping', 'journal_failed'] as const) {
      const harness = createHarness();
      const body = snappy(new RequestV2().add(UP, sample(1, 1)).encode());
      harness.failure = new SluiceError(code, 'no room', { retryAfterMs: 2500 });
      const reply = await harness.post(body, V2);
      assert.deepEqual(
        [reply.status, written(reply.headers), reply.headers?.['Retry-After']],
        [503, '0 0 0', '3'],
        code,
      );
      harness.failure = undefined;
      assert.equal((await harness.post(body, V2)).status, 204);
      assert.deepEqual(
        harness.appends,
        [['prometheus.series', 'prometheus.samples']],
        'announced with the samples that were taken',
      );
    }
  });

  test('what is dropped is counted once, however often the journal refuses the rest of its request', async () => {
    const harness = createHarness({ window: { behindMs: 60_000, aheadMs: 60_000 } });
    const dropped = async () => (await harness.metrics.droppedRows.get()).values.map(({ value }) => value);
    const body = snappy(seriesV1(UP, sample(harness.nowMs, 1), sample(harness.nowMs - 120_000, 1)));
    harness.failure = new SluiceError('journal_full', 'no room');
    for (let i = 0; i < 3; i++) assert.equal((await harness.post(body)).status, 503);
    assert.deepEqual(await dropped(), []);
    harness.failure = undefined;
    assert.equal((await harness.post(body)).status, 400);
    assert.deepEqual(await dropped(), [1]);
  });

  test('the series limit: 429 with Retry-After and a reason, known series are written', async () => {
    const harness = createHarness({ limit: 2 });
    const body = (...names: string[]) => {
      const request = new RequestV2();
      for (const name of names) request.add(named(name), sample(harness.nowMs, 1));
      return snappy(request.encode());
    };
    assert.equal((await harness.post(body('a', 'b'), V2)).status, 204);
    const reply = await harness.post(body('a', 'c', 'b', 'd'), V2);
    assert.deepEqual([reply.status, written(reply.headers), reply.headers?.['Retry-After']], [429, '2 0 0', '60']);
    assert.match(String(reply.body), /c\{\} is one series too many \(limits.series\)\nd\{\}/);
    assert.equal(harness.table.active, 2);
    assert.equal(harness.table.symbolCount, 3, 'refused series leave no symbols');
    assert.equal((await harness.metrics.seriesRefused.get()).values[0]?.value, 2);
  });

  test('a collision of ids is refused, never merged', async () => {
    const harness = createHarness({
      digest: (labels) => Buffer.concat([Buffer.alloc(8, 1), Buffer.from(labels).subarray(-8), Buffer.alloc(8)]),
    });
    assert.equal((await harness.post(snappy(seriesV1(UP, sample(1, 1))))).status, 204);
    const reply = await harness.post(snappy(seriesV1(named('down'), sample(1, 1))));
    assert.equal(reply.status, 400);
    assert.match(String(reply.body), /same id as another series/);
    assert.equal(rowsOf(harness, 'samples'), 1);
    assert.equal((await harness.metrics.seriesRefused.get()).values[0]?.labels.reason, 'collision');
  });

  test('the text of an answer: ten problems and the number of the others, no control characters, bounded', async () => {
    const { text, status } = await besideV1((now) =>
      Array.from({ length: 25 }, (_, i) =>
        seriesV1([['job', `a\u0007\u001b[31m${i}\n${'x'.repeat(5000)}`]], sample(now, 1)),
      ),
    );
    assert.equal(status, 400);
    const lines = text.trimEnd().split('\n');
    assert.equal(lines.length, 11);
    assert.equal(lines[10], 'and 15 more');
    // oxlint-disable-next-line no-control-regex
    assert.doesNotMatch(text.replaceAll('\n', ''), /[\u0000-\u001f]/);
    assert.ok(text.length < 8192);
  });

  test('limits of a request are 400 with the name of the limit', async () => {
    const many = (count: number): Buffer =>
      Buffer.concat(Array.from({ length: count }, (_, i) => seriesV1(named(`m${i}`), sample(1, 1))));
    for (const [limits, text] of [
      [{ seriesPerRequest: 5 }, /more than 5 TimeSeries \(limits.write-series\)/],
      [{ samplesPerRequest: 5 }, /more than 5 samples \(limits.write-samples\)/],
      [{ labelBytesPerRequest: 60 }, /more than 60 bytes of label text/],
    ] as const) {
      const harness = createHarness({ limits });
      assert.equal((await harness.post(snappy(many(3)))).status, 204);
      const reply = await harness.post(snappy(many(9)));
      assert.equal(reply.status, 400);
      assert.match(String(reply.body), text);
      assert.equal(rowsOf(harness, 'samples'), 3, 'nothing of it is written');
      // The same once all are known, on the fast way.
      if (!('labelBytesPerRequest' in limits)) assert.equal((await harness.post(snappy(many(9)))).status, 400);
    }
    const harness = createHarness({ limits: { symbolsPerRequest: 10 } });
    const request = new RequestV2();
    for (let i = 0; i < 10; i++) request.ref(`s${i}`);
    assert.match(String((await harness.post(snappy(request.encode()), V2)).body), /more than 10 symbols/);
  });

  test('one big symbol that many labels refer to is bounded by the resolved text', async () => {
    const harness = createHarness({ limits: { labelBytesPerRequest: 1_000_000 } });
    const request = new RequestV2();
    const big = 'x'.repeat(8000);
    for (let i = 0; i < 1000; i++)
      request.add(
        [
          ['__name__', `m${i}`],
          ['a', big],
          ['b', big],
          ['c', big],
        ],
        sample(1, 1),
      );
    const reply = await harness.post(snappy(request.encode()), V2);
    assert.equal(reply.status, 400);
    assert.equal(harness.appends.length, 0);
  });

  test('stale markers of both kinds keep their bits, on the slow way and the fast one', async () => {
    const harness = createHarness();
    const fields = (v2: boolean): Buffer[] => [
      ...[1_795_223_624_741, 1_795_223_634_741].map((time) => sample(time, STALE)),
      histogram(v2 ? 3 : 4, { sum: STALE, time: 7, count: 5, positiveSpans: [[0, 9]] }),
    ];
    for (let round = 0; round < 2; round++) {
      assert.equal((await harness.post(snappy(seriesV1(UP, ...fields(false))))).status, 204);
      assert.equal((await harness.post(snappy(seriesV1(UP, sample(1_795_223_624_741, STALE))))).status, 204);
      assert.equal((await harness.post(snappy(new RequestV2().add(UP, ...fields(true)).encode()), V2)).status, 204);
      assert.equal(
        (await harness.post(snappy(new RequestV2().add(UP, sample(1_795_223_624_741, STALE)).encode()), V2)).status,
        204,
      );
    }
    assert.equal(rowsOf(harness, 'samples'), 12);
    for (const row of harness.rows.get('prometheus.samples') ?? []) assert.equal(row['value'], STALE);
    for (const row of harness.rows.get('prometheus.histograms') ?? []) {
      assert.equal(row['sum'], STALE);
      assert.deepEqual(row['positive_span_lengths'], [], 'nothing unchecked beside the marker');
    }
  });

  test('batches come with series first', async () => {
    const { harness } = await beside((request, now) =>
      request.add(
        named('all'),
        sample(now, 1),
        histogram(3, { time: now }),
        request.exemplar([], now, 1),
        request.metadata(1, 'h', ''),
      ),
    );
    assert.deepEqual(harness.appends, [
      [
        'prometheus.series',
        'prometheus.metadata',
        'prometheus.samples',
        'prometheus.histograms',
        'prometheus.exemplars',
      ],
    ]);
  });

  test('several requests in flight do not disturb each other', async () => {
    const harness = createHarness();
    const replies = await Promise.all(
      Array.from({ length: 40 }, async (_, i) =>
        harness.post(snappy(seriesV1(named(`m${i % 7}`), sample(i, i), sample(i + 1, i)))),
      ),
    );
    assert.ok(replies.every(({ status }) => status === 204));
    const seen = (harness.rows.get('prometheus.samples') ?? []).map((row) => row['time']);
    assert.deepEqual(seen, Array.from({ length: 40 }, (_, i) => [i, i + 1]).flat());
  });

  test('the in-process way takes an uncompressed message', async () => {
    const harness = createHarness();
    const reply = await harness.receiver.write(
      'io.prometheus.write.v2.Request',
      new RequestV2().add(UP, sample(1, 1)).encode(),
      1,
    );
    assert.deepEqual([reply.status, written(reply.headers)], [204, '1 0 0']);
  });
});
