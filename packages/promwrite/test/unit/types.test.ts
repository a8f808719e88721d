/** The public types, held in place by the compiler: every `@ts-expect-error` line must be an error. */
import { test } from 'node:test';
import promClient from 'prom-client';
import {
  createClient,
  createQueue,
  fromRegistry,
  isStale,
  staleMarker,
  type Client,
  type ClientOptions,
  type FetchFunction,
  type NativeHistogram,
  type Sample,
  type SendOutcome,
  type TimeSeries,
  type WriteResult,
} from '../../src/index.ts';
import { decodeWriteRequest, encodeWriteRequest, type DecodedSample } from '../../src/wire/index.ts';

const own: FetchFunction = (url) =>
  Promise.resolve({ status: url.length, headers: new Headers(), text: () => Promise.resolve('') });

/** Compiled, never run. */
async function examples(client: Client, decoded: DecodedSample): Promise<void> {
  const result: WriteResult = await client.write({ labels: { __name__: 'a' }, sample: { value: 1 } });
  const samples: number = result.stats.samples;
  await client.write([{ labels: [{ name: '__name__', value: 'a' }], samples: [staleMarker(), decoded] }]);
  await client.write({ timeseries: [], metadata: [{ name: 'a', type: 'counter' }] });
  await client.write(decodeWriteRequest(encodeWriteRequest({})));
  await client.write(await fromRegistry(promClient.register));
  await client.write(
    { labels: { __name__: 'a' }, sample: { value: samples, timestamp: new Date() } },
    { timeout: 5, retry: false },
  );
  createClient({ url: new URL('http://h'), fetch, bearerToken: async () => Promise.resolve('t') });
  createClient({ url: 'http://h', basicAuth: { username: 'a', password: 'b' }, tenant: 't', logger: console });
  isStale(decoded);
  const outcome: SendOutcome = await client.sendProto(new Uint8Array());
  if (outcome.kind === 'retry') outcome.afterMs?.toFixed();
  await using queue = createQueue(client, { overflow: 'drop-oldest' });
  queue.counters.samplesDroppedTotal.queue_full.toFixed();
  createClient({ url: 'http://h', fetch: own });

  // @ts-expect-error labels are needed
  await client.write({ sample: { value: 1 } });
  // @ts-expect-error label values are text
  await client.write({ labels: { __name__: 'a', code: 200 }, sample: { value: 1 } });
  // @ts-expect-error a value is a number
  await client.write({ labels: { __name__: 'a' }, sample: { value: '1' } });
  // @ts-expect-error a time is milliseconds, bigint or Date, not text
  await client.write({ labels: { __name__: 'a' }, sample: { value: 1, timestamp: '2026-01-01' } });
  // @ts-expect-error a url is needed
  createClient({ timeout: 1 });
  // @ts-expect-error no such message
  createClient({ url: 'http://h', protobufMessage: '2.0' });
  // @ts-expect-error the names are lower case, unlike in the Go fork
  createClient({ url: 'http://h', basicAuth: { UserName: 'a', PassWord: 'b' } });
  // @ts-expect-error no such mode
  createQueue(client, { overflow: 'wait' });
  // @ts-expect-error a float histogram has counts, not deltas
  const histogram: NativeHistogram = { kind: 'float', count: 1, sum: 1, schema: 0, positiveDeltas: [1] };
  // @ts-expect-error a sample that is not stale has a value
  const sample: Sample = { timestamp: 1 };
  // @ts-expect-error no such metric type
  const series: TimeSeries = { labels: {}, metadata: { type: 'timer' } };
  // @ts-expect-error results are read-only
  result.status = 1;
  const options: ClientOptions = { url: 'http://h' };
  // @ts-expect-error options are read-only
  options.url = 'http://other';
  void [histogram, sample, series];
}

test('the public types compile', () => void examples);
