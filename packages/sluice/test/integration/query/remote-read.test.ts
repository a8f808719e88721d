import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { SluiceError, isSluiceError } from '../../../src/base/errors.ts';
import type { HttpRoute } from '../../../src/base/ports.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { readLimitsSchema, toReadLimits, type ReadLimits } from '../../../src/query/config.ts';
import { createRemoteRead } from '../../../src/query/remote-read/remote-read.ts';
import { sql } from '../../../src/storage/sql.ts';
import type { Store } from '../../../src/storage/store.ts';
import { decodeFrames, decodeSamples, decodeStreamed, type AnswerSeries } from '../../unit/query/answer-decoder.ts';
import { STALE_BITS, bitsOf, staleHistogram, type HistogramPoint } from '../../unit/query/chunk-decoder.ts';
import { ask, bodyOf, readRequest, uncompressed, type TestQuery } from './ask.ts';
import { idsOf, openTestDatabase, type DataSeries, type TestDatabase } from './prometheus-data.ts';

const T = 1_700_000_000_000;
const limits = toReadLimits(readLimitsSchema.parse({}));
const STREAMED = [1, 0];

const points = (count: number, from = T, step = 15_000) =>
  Array.from({ length: count }, (_, index) => ({ time: from + index * step, bits: bitsOf(index * 1.5) }));

const histogram = (time: number, change: Partial<HistogramPoint> = {}): HistogramPoint => ({
  time,
  isFloat: false,
  schema: 3,
  resetHint: 0,
  count: BigInt(time - T) / 1000n,
  zeroCount: 0n,
  sum: bitsOf((time - T) / 7),
  zeroThreshold: bitsOf(2 ** -128),
  positive: { spans: [[0, 2]], values: [BigInt(time - T) / 1000n, 0n] },
  negative: { spans: [], values: [] },
  customValues: [],
  ...change,
});

const named = (name: string, start = T - 1000, end = T + 3_600_000): TestQuery => ({
  start,
  end,
  matchers: [['__name__', 0, name]],
});

describe('remote read', () => {
  let database: TestDatabase;
  const metrics = createMetrics();
  const log = createLog({ level: 'silent' });
  const routes = (changed: Partial<ReadLimits> = {}, store: Store = database.store) =>
    createRemoteRead({ store, limits: { ...limits, ...changed }, metrics, log });
  const post = (body: Buffer, changed: Partial<ReadLimits> = {}, org = 1) =>
    ask(routes(changed), { method: 'POST', path: '/api/v1/read', body, org });
  const both = async (queries: readonly TestQuery[], changed: Partial<ReadLimits> = {}): Promise<AnswerSeries[][]> => {
    const streamed = decodeStreamed(await bodyOf(await post(readRequest(queries, STREAMED), changed)), queries.length);
    const samples = decodeSamples(await uncompressed(await post(readRequest(queries), changed)));
    const valuesOf = (results: AnswerSeries[][]) =>
      results.map((series) => series.map((one) => ({ ...one, histograms: one.histograms.map(withoutHint) })));
    assert.deepEqual(valuesOf(streamed), valuesOf(samples));
    return streamed;
  };

  const many: DataSeries[] = Array.from({ length: 300 }, (_, index) => ({
    labels: [
      ['__name__', 'many'],
      ['pod', `pod-${(index * 7919) % 300}`],
      ['zone', index % 2 === 0 ? 'a' : 'b'],
    ],
    samples: points(250, T + index),
  }));

  before(async () => {
    database = await openTestDatabase([1, 7]);
    await database.insert(many);
    await database.insert(
      [
        {
          labels: [
            ['__name__', 'elsewhere'],
            ['org', '7'],
          ],
          samples: points(3),
        },
      ],
      7,
    );
  });
  after(() => database.close());

  it('gives series sorted by label set, and exactly the range, both ends included', async () => {
    const [series] = await both([{ start: T + 15_000, end: T + 30_000, matchers: [['__name__', 0, 'many']] }]);
    const pods = Array.from({ length: 300 }, (_, index) => `pod-${index}`).toSorted();
    assert.deepEqual(
      series!.map(({ labels }) => labels[1]![1]),
      pods,
    );
    for (const { samples } of series!) {
      const start = samples[0]!.time;
      assert.ok(samples.every(({ time }) => time >= T + 15_000 && time <= T + 30_000));
      assert.equal(samples.length, start === T + 15_000 ? 2 : 1);
    }
  });

  it('answers every query of a request, in order, overlapping or empty ones too', async () => {
    const pod: TestQuery = {
      start: T,
      end: T + 60_000,
      matchers: [
        ['pod', 2, 'pod-1[0-9]'],
        ['zone', 1, 'b'],
      ],
    };
    const backwards = { ...named('many'), end: T - 2000 };
    const results = await both([pod, named('nosuch'), named('many'), backwards, pod]);
    assert.deepEqual(results[0], results[4]);
    assert.ok(results[0]!.length > 0 && results[0]!.length < 10);
    assert.deepEqual([results[1]!.length, results[2]!.length, results[3]!.length], [0, 300, 0]);
  });

  it('answers with nothing as often as it is asked for nothing', async () => {
    const nobody: TestQuery = { start: T, end: T + 60_000, matchers: [['pod', 0, 'nobody']] };
    // The same routes: what they found the last time is remembered.
    const same = routes();
    for (let round = 0; round < 3; round++) {
      const reply = await ask(same, { method: 'POST', path: '/api/v1/read', body: readRequest([nobody]) });
      assert.deepEqual(decodeSamples(await uncompressed(reply)), [[]]);
    }
  });

  it('gives rows that came out of order in order, and one of several for a time', async () => {
    const labels = [['__name__', 'disorder']] as const;
    await database.insert([{ labels, samples: points(200).toReversed() }]);
    await database.insert([{ labels, samples: points(200, T - 100_000, 10_000) }]);
    await database.insert([{ labels, samples: points(200) }]);
    const [series] = await both([named('disorder', T - 1e6, T + 1e7)]);
    const times = new Set([...points(200), ...points(200, T - 100_000, 10_000)].map(({ time }) => time));
    assert.deepEqual(
      series![0]!.samples.map(({ time }) => time),
      [...times].toSorted((a, b) => a - b),
    );
  });

  it('merges floats and histograms of a series by time, in chunks that never overlap', async () => {
    const one: DataSeries = {
      labels: [['__name__', 'mixed']],
      samples: [...points(3), { time: T + 100_000, bits: STALE_BITS }, { time: T + 300_000, bits: 1n << 63n }],
      histograms: [
        ...[60_000, 70_000, 80_000].map((at) => histogram(T + at)),
        // For the same time as a float: one of them is given.
        histogram(T + 300_000),
        staleHistogram(T + 310_000, false),
        ...[400_000, 410_000].map((at) =>
          histogram(T + at, { positive: { spans: [[at / 10_000, 2]], values: [3n, 4n] } }),
        ),
      ],
    };
    await database.insert([one]);
    const [series] = await both([named('mixed')]);
    const { samples, histograms } = series![0]!;
    assert.deepEqual(samples, one.samples);
    assert.deepEqual(
      histograms.map(withoutHint),
      one.histograms!.filter(({ time }) => time !== T + 300_000).map(withoutHint),
    );
    const stream = await bodyOf(await post(readRequest([named('mixed')], STREAMED)));
    assert.deepEqual(
      decodeFrames(stream).map(({ chunks }) => chunks.map(({ type }) => type)),
      [[1, 2, 1, 2, 2, 2]],
    );
  });

  it('pages through histograms, however many a series has', async () => {
    const counts = [3, 1500, 1024, 1, 2500];
    const data = counts.map((count, index): DataSeries => ({
      labels: [
        ['__name__', 'paged'],
        ['n', String(index)],
      ],
      samples: points(2, T + 1),
      histograms: Array.from({ length: count }, (_, at) => histogram(T + at * 1000)),
    }));
    await database.insert(data);
    const [series] = await both([named('paged')]);
    assert.deepEqual(
      series!.map(({ histograms }) => histograms.map(({ time }) => time)),
      counts.map((count) => Array.from({ length: count }, (_, at) => T + at * 1000)),
    );
    for (const one of series!) assert.equal(one.samples.length, 2);
  });

  it('does not stand still when many ask for series with histograms at once', async () => {
    const body = readRequest([named('paged'), named('many')], STREAMED);
    const answers = await Promise.all(Array.from({ length: 12 }, async () => bodyOf(await post(body))));
    for (const answer of answers) assert.deepEqual(answer, answers[0]);
    assert.equal(decodeStreamed(answers[0]!, 2)[0]!.length, 5);
  });

  it('keeps NaN payloads, the stale marker and -0 in both forms', async () => {
    const bits = [0x7ff8000000000001n, STALE_BITS, 1n << 63n, 0n, bitsOf(Infinity), 1n, 0xfff8dead0000beefn];
    await database.insert([
      { labels: [['__name__', 'bits']], samples: bits.map((value, index) => ({ time: T + index, bits: value })) },
    ]);
    const [series] = await both([named('bits')]);
    assert.deepEqual(
      series![0]!.samples.map((sample) => sample.bits),
      bits,
    );
  });

  it('finds series that were announced once and are still active, and late samples of new series', async () => {
    const day = 86_400_000;
    await database.insert([
      { labels: [['__name__', 'active']], samples: points(2, T + day - 20_000), announced: [T] },
      { labels: [['__name__', 'late']], samples: points(2, T), announced: [T + 2 * day] },
      { labels: [['__name__', 'gone']], samples: points(2, T - 3 * day) },
    ]);
    const query: TestQuery = { start: T - 1000, end: T + day, matchers: [['__name__', 2, 'active|late|gone']] };
    const [series] = await both([query]);
    assert.deepEqual(
      series!.map(({ labels }) => labels[0]![1]),
      ['active', 'late'],
    );
    const [forever] = await both([{ ...query, start: -Number.MAX_SAFE_INTEGER, end: Number.MAX_SAFE_INTEGER }]);
    assert.equal(forever!.length, 3);
  });

  it('asks in the database of the organisation', async () => {
    const seen = async (org: number) =>
      decodeStreamed(await bodyOf(await post(readRequest([named('elsewhere')], STREAMED), {}, org)), 1)[0]!.length;
    assert.deepEqual([await seen(1), await seen(7)], [0, 1]);
  });

  it('gives the same answer when little may be held back', async () => {
    const some: TestQuery = {
      ...named('many'),
      matchers: [
        ['__name__', 0, 'many'],
        ['pod', 2, 'pod-1.'],
      ],
    };
    const [whole] = await both([some]);
    assert.equal(whole!.length, 10);
    for (const change of [{ bufferBytes: 4000 }, { bufferBytes: 1 }, { frameBytes: 300 }]) {
      assert.deepEqual((await both([some], change))[0], whole);
    }
  });

  it('refuses what is beyond the limits before it sends anything', async () => {
    const refused = async (changed: Partial<ReadLimits>, accepted: readonly number[], message: RegExp) =>
      assert.rejects(
        post(readRequest([named('many')], accepted), changed),
        (error) => isSluiceError(error, 'bad_request') && message.test(error.message),
      );
    await refused({ samples: 300 * 240 - 1 }, [0], /^exceeded sample limit \(71999\)$/);
    await refused({ responseBytes: 100_000 }, [0], /exceeded limit of the answer's size \(100000 bytes\)/);
    await refused({ series: 299 }, STREAMED, /more than 299 series match/);
    await refused({ queries: 0 }, STREAMED, /at most 0 queries/);
    await refused({}, [5], /accepted response types/);
    const answer = await post(readRequest([named('many')], STREAMED), { samples: 1, series: 300 });
    assert.equal(answer.status, 200);
  });

  it('says 415 to another encoding before the body is read', () => {
    const [route] = routes();
    assert.equal(route!.check?.({ 'content-encoding': 'snappy' }), undefined);
    assert.equal(route!.check?.({}), undefined);
    assert.equal(route!.check?.({ 'content-encoding': 'gzip' })?.status, 415);
  });

  it('stops in the database when the client goes away, and lets others in', async () => {
    const control = new AbortController();
    const one = routes({ concurrent: 1 });
    const query = readRequest([named('many')], STREAMED);
    const reply = await ask(one, { method: 'POST', path: '/api/v1/read', body: query, signal: control.signal });
    const waiting = ask(one, { method: 'POST', path: '/api/v1/read', body: query });
    control.abort();
    await assert.rejects(bodyOf(reply), (error) => isSluiceError(error, 'cancelled'));
    assert.equal(decodeStreamed(await bodyOf(await waiting), 1)[0]!.length, 300);
    const running = sql`SELECT count() FROM system.processes WHERE query LIKE '%prometheus%' AND query NOT LIKE '%system.processes%'`;
    const [block] = await database.store.select(running);
    assert.equal(block!.columns[0]!.data.kind === 'fixed' && block!.columns[0]!.data.bytes[0], 0);
  });

  it('breaks the stream off when the database fails in the middle', async () => {
    const failing: Store = {
      ...database.store,
      engine: 'chdb',
      command: (...all) => database.store.command(...all),
      select: (...all) => database.store.select(...all),
      close: () => Promise.resolve(),
      async *stream(statement, options) {
        const isSamples = statement.text.includes('samples');
        for await (const block of database.store.stream(statement, options)) {
          yield block;
          if (isSamples) throw new Error('the disk is gone');
        }
      },
    };
    // So little memory that the samples are not fetched whole but come as a stream.
    const small = { ...limits, bufferBytes: 300_000 };
    const one = createRemoteRead({ store: failing, limits: small, metrics, log });
    const request = { method: 'POST', path: '/api/v1/read' };
    await assert.rejects(ask(one, { ...request, body: readRequest([named('many')], STREAMED) }), /the disk is gone/);
    const later = readRequest([{ start: T, end: T, matchers: [['pod', 0, 'pod-0']] }, named('many')], STREAMED);
    const sound = createRemoteRead({
      store: { ...failing, stream: failsFrom(database.store, 1) },
      limits: small,
      metrics,
      log,
    });
    const reply = await ask(sound, { ...request, body: later });
    assert.equal(reply.status, 200);
    await assert.rejects(bodyOf(reply), /the disk is gone/);
  });

  it('takes no longer than it may', async () => {
    const slow: Store = {
      ...database.store,
      engine: 'chdb',
      command: (...all) => database.store.command(...all),
      async select(_, options) {
        await new Promise((done) => options?.signal?.addEventListener('abort', done));
        throw new SluiceError('cancelled', 'cannot query the database: it was cancelled');
      },
      stream: (...all) => database.store.stream(...all),
      close: () => Promise.resolve(),
    };
    const start = performance.now();
    const one = createRemoteRead({ store: slow, limits: { ...limits, timeMs: 100 }, metrics, log });
    const asked = ask(one, { method: 'POST', path: '/api/v1/read', body: readRequest([named('many')], STREAMED) });
    await assert.rejects(
      asked,
      (error) => isSluiceError(error, 'storage_limit') && /within 100 ms/.test(error.message),
    );
    assert.ok(performance.now() - start < 5000);
  });

  it('gives the same when it fetches whole, remembers, guesses wrong or reads a stream', async () => {
    // Series of two metrics, in parts of which some overlap, some hold equal times; other series of the metrics are not wanted.
    const data = (count: number, from: number, step: number): DataSeries[] =>
      Array.from({ length: 24 }, (_, index) => ({
        labels: [
          ['__name__', `parts_${index % 2}`],
          ['n', String(index)],
          ['part', index < 18 ? 'wanted' : 'not'],
        ],
        samples: points(count, from, step),
      }));
    await database.insert(data(50, T, 30_000));
    await database.insert(data(50, T + 15_000, 30_000));
    await database.insert(data(20, T + 1_500_000, 15_000).toReversed());
    const wanted: TestQuery = { start: T, end: T + 3_600_000, matchers: [['part', 0, 'wanted']] };
    const few: TestQuery = { ...wanted, matchers: [...wanted.matchers, ['n', 2, '[01]']] };
    const times = Array.from({ length: 120 }, (_, index) => T + index * 15_000);
    const seen: string[] = [];
    const watched: Store = {
      engine: 'chdb',
      command: (...all) => database.store.command(...all),
      close: () => Promise.resolve(),
      select: (statement, options) => {
        if (statement.text.includes('`samples`'))
          seen.push(statement.text.includes('series_id IN') ? 'named' : 'whole');
        else if (statement.text.includes('label_map')) seen.push('labels');
        return database.store.select(statement, options);
      },
      stream: (statement, options) => {
        seen.push('stream');
        return database.store.stream(statement, options);
      },
    };
    const answerOf = async (one: readonly HttpRoute[], query: TestQuery) => {
      seen.length = 0;
      const request = { method: 'POST', path: '/api/v1/read', body: readRequest([query], STREAMED) };
      return decodeStreamed(await bodyOf(await ask(one, request)), 1)[0]!;
    };
    const one = routes({}, watched);
    const first = await answerOf(one, wanted);
    assert.deepEqual(seen, ['whole', 'labels']);
    assert.equal(first.length, 18);
    for (const { samples, labels } of first) {
      assert.deepEqual(labels[2], ['part', 'wanted']);
      assert.deepEqual(
        samples.map(({ time }) => time),
        times,
      );
    }
    assert.deepEqual(await answerOf(one, wanted), first);
    assert.deepEqual(seen, ['whole']);
    const two = await answerOf(one, few);
    assert.deepEqual(seen, ['named']);
    assert.deepEqual(
      two,
      first.filter(({ labels }) => ['0', '1'].includes(labels[1]![1])),
    );
    assert.deepEqual(await answerOf(routes({ bufferBytes: 48 * 1000 }, watched), wanted), first);
    assert.deepEqual(seen, ['labels', 'stream']);
    // 18 x 41 expected rows of this shorter time fit, the 24 x 60 found do not.
    const shorter: TestQuery = { ...wanted, end: T + 600_000 };
    const dense = data(600, T + 1, 1000);
    await database.insert(dense);
    const whole = await answerOf(routes({}, watched), shorter);
    const tight = routes({ bufferBytes: 48 * 1000 }, watched);
    assert.deepEqual(await answerOf(tight, shorter), whole);
    assert.deepEqual(seen.toSorted(), ['labels', 'stream', 'whole']);
    assert.equal(whole[0]!.samples.length, 641);
    assert.deepEqual(await answerOf(tight, shorter), whole);
    assert.deepEqual(seen, ['stream']);
    assert.equal((await both([shorter]))[0]!.length, 18);
  });

  it('stays flat in memory while a large answer is streamed', async () => {
    // 100 series of 16,000 samples with random values, made in the database: about 15 MB of chunks.
    const series: DataSeries[] = Array.from({ length: 100 }, (_, index) => ({
      labels: [
        ['__name__', 'large'],
        ['n', String(index)],
      ],
      announced: [T],
    }));
    await database.insert(series);
    const ids = series.map(({ labels }) => idsOf(labels));
    const rows = sql`SELECT number AS n FROM numbers(1600000)`;
    await database.store
      .command(sql`INSERT INTO prometheus.samples SELECT ${ids[0]!.metric}, [${ids.map((one) => one.series)}][n % 100 + 1],
      fromUnixTimestamp64Milli(${T} + intDiv(n, 100) * 1000), reinterpretAsFloat64(rand64()) FROM (${rows})`);
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const held = () => {
      collect();
      return process.memoryUsage().arrayBuffers;
    };
    const base = held();
    const reply = await post(readRequest([named('large', T, T + 16_000_000)], STREAMED), { bufferBytes: 1 << 20 });
    assert.ok(typeof reply.body === 'object' && !(reply.body instanceof Uint8Array));
    let bytes = 0;
    let most = 0;
    for await (const part of reply.body) {
      bytes += part.length;
      most = Math.max(most, held() - base);
    }
    assert.ok(bytes > 13_000_000, `${bytes} bytes`);
    assert.ok(most < 10_000_000, `${most} bytes more at most`);
  });

  it('counts queries, samples and time', async () => {
    const text = await metrics.registry.metrics();
    assert.match(text, /sluice_read_queries_total\{route="remote_read",outcome="answered"\} \d+/);
    assert.match(text, /sluice_read_queries_total\{route="remote_read",outcome="bad_request"\} \d+/);
    assert.match(text, /sluice_read_queries_total\{route="remote_read",outcome="cancelled"\} 1\b/);
    assert.match(text, /sluice_read_samples_total\{route="remote_read"\} \d{5,}/);
    assert.match(text, /sluice_read_seconds_count\{route="remote_read"\} \d+/);
  });
});

/** A hint counts in relation to the histogram before it in the answer; what each form says of it is tested with the recordings. */
function withoutHint(point: HistogramPoint): HistogramPoint {
  return { ...point, resetHint: 0 };
}

/** The store's streams, of which those over samples fail from the n-th on. */
function failsFrom(store: Store, n: number): Store['stream'] {
  let count = 0;
  return async function* stream(statement, options) {
    const fails = statement.text.includes('samples') && ++count >= n;
    for await (const block of store.stream(statement, options)) {
      if (fails) throw new Error('the disk is gone');
      yield block;
    }
  };
}
