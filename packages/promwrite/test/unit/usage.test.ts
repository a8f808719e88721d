/** Small copies of how the predecessors of this library are used, and what the same code looks like here. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClient, WriteError } from '../../src/index.ts';
import { Receiver } from '../support/receiver.ts';

test('castai/promwrite: write series with one sample each, extra headers, status code of an error', async () => {
  await using receiver = await new Receiver().start();
  receiver.reply = (_, index) => (index < 2 ? { status: 202 } : { status: 400, body: 'ups' });
  const client = createClient(receiver.url);
  const request = {
    timeseries: [
      {
        labels: [{ name: '__name__', value: 'metric_a' }],
        sample: { timestamp: new Date(1_700_000_000_000), value: 123 },
      },
      {
        labels: [{ name: '__name__', value: 'metric_b' }],
        sample: { timestamp: new Date(1_700_000_000_000), value: 456 },
      },
    ],
  };
  await client.write(request);
  await client.write(request, { headers: { 'X-Scope-OrgID': 'tenant' } });
  assert.equal(receiver.requests[1]?.headers['x-scope-orgid'], 'tenant');
  assert.deepEqual(
    receiver.requests[0]?.decoded.timeseries.map((series) => [series.labels[0]?.value, series.samples[0]?.value]),
    [
      ['metric_a', 123],
      ['metric_b', 456],
    ],
  );
  await assert.rejects(client.write(request), (error) => {
    assert.ok(error instanceof WriteError);
    assert.equal(error.statusCode, 400);
    assert.equal(error.body, 'ups');
    return true;
  });
});

test('eryajf/promwrite: basic authentication, which is what its users came for', async () => {
  await using receiver = await new Receiver().start();
  receiver.reply = (request) => ({ status: request.headers['authorization'] === 'Basic YWRtaW46eHh4eHh4' ? 204 : 401 });
  const client = createClient({ url: receiver.url, basicAuth: { username: 'admin', password: 'xxxxxx' } });
  const result = await client.write({
    labels: { __name__: 'my_metric_name' },
    sample: { timestamp: new Date(), value: 123 },
  });
  assert.equal(result.status, 204);
});

test('prometheus-remote-write: pushMetrics and pushTimeseries', async () => {
  await using receiver = await new Receiver().start();
  const client = createClient({
    url: receiver.url,
    basicAuth: { username: 'user', password: 'password' },
    externalLabels: { service: 'my-service' },
  });
  const metrics = { queue_length: 5, workers: 2 };
  await client.write(
    Object.entries(metrics).map(([name, value]) => ({ labels: { __name__: name }, sample: { value } })),
  );
  await client.write({
    labels: { __name__: 'queue_length', instance: 'a' },
    samples: [{ value: 9, timestamp: Date.now() }],
  });
  assert.deepEqual(
    receiver.requests.flatMap((request) =>
      request.decoded.timeseries.map((series) => series.labels.map(({ value }) => value)),
    ),
    [
      ['queue_length', 'my-service'],
      ['workers', 'my-service'],
      ['queue_length', 'a', 'my-service'],
    ],
  );
  assert.equal(receiver.requests[0]?.headers['content-encoding'], 'snappy');
});
