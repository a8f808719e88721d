import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import {
  createClient,
  createQueue,
  staleMarker,
  WriteAbortedError,
  WriteQueueFullError,
  WriteValidationError,
  type ClientOptions,
  type QueueOptions,
  type TimeSeries,
  type WriteQueue,
} from '../../src/index.ts';
import { REQUEST_V2 } from '../../src/wire/index.ts';
import { accept, Receiver } from '../support/receiver.ts';

const open: WriteQueue[] = [];

// A queue retries for ever: one left open by a failed assertion would keep the run alive.
afterEach(async () => {
  await Promise.all(open.splice(0).map((queue) => queue.close({ timeout: 0 })));
});

function queueFor(receiver: Receiver, options: QueueOptions = {}, client: Partial<ClientOptions> = {}): WriteQueue {
  const retry = { minBackoff: 1, maxBackoff: 5 };
  const queue = createQueue(createClient({ url: receiver.url, retry, ...client }), options);
  open.push(queue);
  return queue;
}

function point(name: string, value: number, timestamp: number = value): TimeSeries {
  return { labels: { __name__: name }, sample: { value, timestamp } };
}

/** Values of each series in the order of arrival. */
function arrivals(receiver: Receiver, onlyAccepted?: ReadonlySet<number>): Map<string, number[]> {
  const result = new Map<string, number[]>();
  for (const [index, request] of receiver.requests.entries()) {
    if (onlyAccepted !== undefined && !onlyAccepted.has(index)) continue;
    for (const series of request.decoded.timeseries) {
      const name = series.labels[0]?.value ?? '';
      result.set(name, [...(result.get(name) ?? []), ...series.samples.map((sample) => sample.value)]);
    }
  }
  return result;
}

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);

test('batches are sent when full, and the rest at the deadline', async () => {
  await using receiver = await new Receiver().start();
  const queue = queueFor(receiver, { maxSamplesPerSend: 3, batchSendDeadline: 400, maxShards: 1 });
  for (const value of numbers(1, 5)) await queue.append(point('a', value));
  await new Promise((resolve) => setTimeout(resolve, 150));
  assert.deepEqual(arrivals(receiver).get('a'), [1, 2, 3]);
  assert.equal(queue.counters.samplesPending, 1);
  while (queue.counters.samplesPending > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(arrivals(receiver).get('a'), [1, 2, 3, 4]);
  await queue.close();
});

test('every series stays in order over shards, failures and re-sharding; nothing is lost or doubled', async () => {
  await using receiver = await new Receiver().start();
  const accepted = new Set<number>();
  receiver.reply = (request, index) => {
    if (index % 4 === 1) return { status: 503 };
    accepted.add(index);
    return { ...accept(request), delay: index % 3 };
  };
  const queue = queueFor(receiver, { capacity: 40, maxSamplesPerSend: 10, batchSendDeadline: 5, maxShards: 4 });
  const names = numbers(0, 12).map((index) => `series_${index}`);
  await Promise.all(
    names.map(async (name) => {
      for (const value of numbers(0, 40)) await queue.append(point(name, value));
    }),
  );
  await queue.drain();
  const { counters } = queue;
  await queue.close();
  for (const name of names) assert.deepEqual(arrivals(receiver, accepted).get(name), numbers(0, 40), name);
  assert.equal(counters.shards, 4);
  assert.ok(receiver.mostConcurrent <= 4, `${receiver.mostConcurrent} requests at once`);
  assert.equal(counters.samplesTotal, 480);
  assert.equal(counters.samplesFailedTotal, 0);
  assert.ok(counters.samplesRetriedTotal > 0);
  assert.equal(counters.samplesPending, 0);
  assert.equal(counters.queueHighestSentTimestamp, 39);
  assert.ok(counters.bytesTotal > 0 && counters.sentBatchDuration.count > 0 && counters.sentBatchDuration.sumMs > 0);
});

test('one shard has one request in flight', async () => {
  await using receiver = await new Receiver().start();
  receiver.reply = () => ({ delay: 5 });
  const queue = queueFor(receiver, { maxSamplesPerSend: 2, maxShards: 1 });
  await queue.append(numbers(0, 20).map((value) => point(`s${value % 5}`, value)));
  await queue.flush();
  assert.equal(receiver.mostConcurrent, 1);
  assert.equal(receiver.requests.length, 10);
  await queue.close();
});

test('the time is that of appending, and the data what it was then', async () => {
  await using receiver = await new Receiver().start();
  const queue = queueFor(receiver);
  const labels: Record<string, string> = { __name__: 'a' };
  const before = Date.now();
  await queue.append({ labels, samples: [{ value: 1 }] });
  const after = Date.now();
  labels['__name__'] = 'changed';
  await new Promise((resolve) => setTimeout(resolve, 20));
  await queue.flush();
  const [series] = receiver.requests[0]?.decoded.timeseries ?? [];
  const time = Number(series?.samples[0]?.timestamp);
  assert.ok(time >= before && time <= after);
  assert.equal(series?.labels[0]?.value, 'a');
  await queue.close();
});

/** A receiver that holds back its answers until it is released. */
async function blocked(receiver: Receiver, queue: WriteQueue): Promise<() => void> {
  const gate = Promise.withResolvers<void>();
  receiver.reply = async (request) => {
    await gate.promise;
    return accept(request);
  };
  await queue.append(point('a', 0));
  while (receiver.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  return gate.resolve;
}

const small = { capacity: 3, maxSamplesPerSend: 3, batchSendDeadline: 0, maxShards: 1 } as const;

test('overflow block: append waits, in order, until there is room', async () => {
  await using receiver = await new Receiver().start();
  const queue = queueFor(receiver, small);
  const release = await blocked(receiver, queue);
  let finished = 0;
  const appends = numbers(1, 10).map(async (value) => {
    await queue.append(point('a', value));
    finished++;
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(finished, 3);
  release();
  await Promise.all(appends);
  await queue.close();
  assert.deepEqual(arrivals(receiver).get('a'), numbers(0, 10));
});

test('overflow block: a signal ends the wait and nothing of the waiting data is sent', async () => {
  await using receiver = await new Receiver().start();
  const queue = queueFor(receiver, small);
  const release = await blocked(receiver, queue);
  await queue.append(numbers(1, 4).map((value) => point('a', value)));
  const waiting = queue.append(point('a', 4), { signal: AbortSignal.timeout(20) });
  await assert.rejects(waiting, WriteAbortedError);
  await assert.rejects(queue.append(point('a', 5), { signal: AbortSignal.abort() }), WriteAbortedError);
  release();
  await queue.close();
  assert.deepEqual(arrivals(receiver).get('a'), numbers(0, 4));
});

for (const [overflow, kept] of [
  ['drop-oldest', [0, 4, 5, 6]],
  ['drop-newest', [0, 1, 2, 3]],
] as const) {
  test(`overflow ${overflow}: what is dropped is counted`, async () => {
    await using receiver = await new Receiver().start();
    const queue = queueFor(receiver, { ...small, overflow });
    const release = await blocked(receiver, queue);
    for (const value of numbers(1, 7)) await queue.append(point('a', value));
    assert.equal(queue.counters.samplesDroppedTotal.queue_full, 3);
    assert.equal(queue.counters.samplesPending, 4);
    release();
    await queue.close();
    assert.deepEqual(arrivals(receiver).get('a'), kept);
    assert.equal(queue.counters.samplesPending, 0);
  });
}

test('overflow error: all of an append or nothing', async () => {
  await using receiver = await new Receiver().start();
  const queue = queueFor(receiver, { ...small, overflow: 'error' });
  const release = await blocked(receiver, queue);
  await queue.append([point('a', 1), point('a', 2)]);
  await assert.rejects(
    queue.append([point('a', 3), point('a', 4)]),
    (error) => error instanceof WriteQueueFullError && error.capacity === 3,
  );
  await queue.append(point('a', 5));
  release();
  await queue.close();
  assert.deepEqual(arrivals(receiver).get('a'), [0, 1, 2, 5]);
});

test('a series larger than a batch is cut, in order, with all kinds of points', async () => {
  await using receiver = await new Receiver().start();
  const queue = queueFor(receiver, { maxSamplesPerSend: 4, maxShards: 1 }, { protobufMessage: REQUEST_V2 });
  await queue.append({
    labels: { __name__: 'a' },
    samples: numbers(0, 9).map((value) => ({ value, timestamp: value })),
    histograms: numbers(0, 3).map((value) => ({ kind: 'float', count: value, sum: 0, schema: 0, timestamp: value })),
    exemplars: [{ labels: { trace_id: 'x' }, value: 1, timestamp: 1 }],
  });
  await queue.close();
  assert.deepEqual(arrivals(receiver).get('a'), numbers(0, 9));
  const all = receiver.requests.flatMap((request) => request.decoded.timeseries);
  assert.deepEqual(
    all.flatMap((series) => series.histograms.map((histogram) => histogram.timestamp)),
    [0, 1, 2],
  );
  assert.equal(all.flatMap((series) => series.exemplars).length, 1);
  const { samplesTotal, histogramsTotal, exemplarsTotal, samplesFailedTotal, histogramsFailedTotal } = queue.counters;
  assert.deepEqual([samplesTotal, histogramsTotal, exemplarsTotal], [9, 3, 1]);
  assert.deepEqual([samplesFailedTotal, histogramsFailedTotal], [0, 0]);
});

test('a batch the receiver refuses is counted and told, and the next ones are sent', async () => {
  await using receiver = await new Receiver().start();
  receiver.reply = (_, index) => (index === 0 ? { status: 400, body: 'bad' } : {});
  const lost: unknown[] = [];
  const queue = queueFor(receiver, { maxSamplesPerSend: 1, maxShards: 1, onError: (_, counts) => lost.push(counts) });
  await queue.append([point('a', 1), point('a', 2)]);
  await queue.flush();
  assert.deepEqual(lost, [{ samples: 1, histograms: 0, exemplars: 0 }]);
  assert.equal(queue.counters.samplesFailedTotal, 1);
  assert.equal(receiver.requests.length, 2);
  await queue.close();
});

test('in 2.0 what the receiver did not confirm is counted as failed', async () => {
  await using receiver = await new Receiver().start();
  receiver.reply = () => ({ headers: { 'X-Prometheus-Remote-Write-Samples-Written': '1' } });
  const queue = queueFor(receiver, {}, { protobufMessage: REQUEST_V2 });
  await queue.append([point('a', 1), point('b', 2), point('c', 3)]);
  await queue.close();
  assert.equal(queue.counters.samplesFailedTotal, 2);
});

test('retries go on past those of the client, with the attempt counted in the header', async () => {
  await using receiver = await new Receiver().start();
  receiver.reply = (_, index) => (index < 15 ? { status: 500 } : {});
  const queue = queueFor(receiver);
  await queue.append(point('a', 1));
  await queue.close();
  assert.equal(receiver.requests.length, 16);
  assert.equal(receiver.requests[15]?.headers['retry-attempt'], '15');
  assert.equal(queue.counters.samplesRetriedTotal, 15);
  assert.equal(queue.counters.samplesTotal, 1);
});

test('samples older than the limit are dropped, also between attempts', async () => {
  await using receiver = await new Receiver().start();
  receiver.reply = () => ({ status: 503, delay: 30 });
  const queue = queueFor(receiver, { sampleAgeLimit: 600, maxShards: 1 });
  const now = Date.now();
  await queue.append([point('a', 1, now - 5000), point('a', 2, now)]);
  await queue.close();
  assert.equal(queue.counters.samplesDroppedTotal.too_old, 2);
  assert.deepEqual(
    receiver.requests[0]?.decoded.timeseries.map((series) => series.samples[0]?.value),
    [2],
  );
  assert.ok(receiver.requests.length > 1);
  assert.equal(queue.counters.samplesPending, 0);
});

test('close sends what is left, then refuses; out of time it drops and counts', async () => {
  await using receiver = await new Receiver().start();
  const queue = queueFor(receiver);
  await queue.append([point('a', 1), point('b', 2)]);
  await queue.close();
  assert.equal(receiver.requests.length, 1);
  await assert.rejects(queue.append(point('a', 3)), WriteAbortedError);
  await queue.close();

  receiver.reply = () => ({ status: 503, headers: { 'Retry-After': '100' } });
  const stuck = queueFor(receiver, { capacity: 1 });
  await stuck.append(point('a', 1));
  const waiting = Promise.allSettled([stuck.append(point('a', 2)), stuck.append(point('a', 3))]);
  const started = performance.now();
  await stuck.close({ timeout: 50 });
  assert.ok(performance.now() - started < 1000);
  const outcomes = (await waiting).map((outcome) => outcome.status);
  const { shutdown } = stuck.counters.samplesDroppedTotal;
  assert.equal(shutdown + outcomes.filter((status) => status === 'rejected').length, 3);
  assert.equal(stuck.counters.samplesPending, 0);
});

test('await using closes the queue, and stale markers and metadata pass through it', async () => {
  await using receiver = await new Receiver().start();
  {
    await using queue = queueFor(receiver);
    await queue.append({
      timeseries: [{ labels: { __name__: 'a_bucket' }, samples: [staleMarker(5)] }],
      metadata: [{ name: 'a', type: 'histogram', help: 'h' }],
    });
  }
  const [request] = receiver.requests;
  assert.equal(request?.decoded.timeseries[0]?.samples[0]?.stale, true);
  assert.deepEqual(request?.decoded.metadata, [{ name: 'a', type: 'histogram', help: 'h', unit: '' }]);
});

test('invalid data is refused at the door, and with sanitize counted', async () => {
  await using receiver = await new Receiver().start();
  const strict = queueFor(receiver);
  await assert.rejects(strict.append({ labels: { job: 'a' }, sample: { value: 1 } }), WriteValidationError);
  await strict.close();
  const lenient = queueFor(receiver, {}, { validation: 'sanitize' });
  await lenient.append([{ labels: { job: 'a' }, sample: { value: 1 } }, point('ok', 1)]);
  await lenient.close();
  assert.equal(lenient.counters.samplesDroppedTotal.invalid, 1);
  assert.equal(lenient.counters.samplesTotal, 1);
});

test('queue options are checked', async () => {
  await using receiver = await new Receiver().start();
  assert.throws(() => queueFor(receiver, { capacity: 0 }), /capacity/);
  assert.throws(() => queueFor(receiver, { capcity: 5 } as object), /"capcity" is not an option/);
  assert.throws(() => queueFor(receiver, { minShards: 3, maxShards: 2 }), /maxShards/);
  assert.throws(() => queueFor(receiver, { overflow: 'wait' as never }), /overflow/);
});
