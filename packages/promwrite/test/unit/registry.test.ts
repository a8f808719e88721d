import assert from 'node:assert/strict';
import { test } from 'node:test';
import promClient from 'prom-client';
import { createClient, createQueue, fromRegistry } from '../../src/index.ts';
import { Receiver } from '../support/receiver.ts';

function fill(registry: promClient.Registry<never>): void {
  const registers = [registry] as unknown as promClient.Registry[];
  new promClient.Counter({ name: 'requests', help: 'Requests', labelNames: ['code'], registers }).inc({ code: 200 }, 3);
  new promClient.Gauge({ name: 'temperature', help: 'Now', registers }).set(-1.5);
  const histogram = new promClient.Histogram({
    name: 'latency_seconds',
    help: 'Latency',
    buckets: [0.1, 1],
    registers,
  });
  for (const value of [0.05, 0.5, 5]) histogram.observe(value);
  const summary = new promClient.Summary({ name: 'size_bytes', help: 'Size', percentiles: [0.5], registers });
  summary.observe(7);
}

/** The series of a text exposition as `name{labels} value`, labels sorted. */
function fromText(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name, labels, value] = /^([^{ ]+)(?:\{(.*)\})? ([^ ]+)/.exec(line) ?? [];
      return `${name}{${(labels ?? '').split(',').toSorted().join()}} ${value}`;
    });
}

test('a registry arrives as its own text format shows it, with metadata', async () => {
  const registry = new promClient.Registry();
  fill(registry as never);
  registry.setDefaultLabels({ app: 'x' });
  await using receiver = await new Receiver().start();
  await createClient(receiver.url).write(
    await fromRegistry(registry, { timestamp: 1000, labels: { job: 'j', app: 'other' } }),
  );
  const { timeseries, metadata } = receiver.requests[0]?.decoded ?? { timeseries: [], metadata: [] };
  const sent = timeseries.map(({ labels, samples }) => {
    const rest = labels.filter(({ name }) => name !== '__name__' && name !== 'job');
    return `${labels[0]?.value}{${rest
      .map(({ name, value }) => `${name}="${value}"`)
      .toSorted()
      .join()}} ${samples[0]?.value}`;
  });
  assert.deepEqual(sent.toSorted(), fromText(await registry.metrics()).toSorted());
  assert.ok(timeseries.every((series) => series.samples[0]?.timestamp === 1000));
  assert.ok(timeseries.every((series) => series.labels.some(({ name, value }) => name === 'job' && value === 'j')));
  assert.deepEqual(
    metadata.map(({ name, type, help }) => [name, type, help]),
    [
      ['requests', 'counter', 'Requests'],
      ['temperature', 'gauge', 'Now'],
      ['latency_seconds', 'histogram', 'Latency'],
      ['size_bytes', 'summary', 'Size'],
    ],
  );
});

test('an OpenMetrics registry gives counters their _total and brings exemplars', async () => {
  const registry = new promClient.Registry();
  registry.setContentType(promClient.Registry.OPENMETRICS_CONTENT_TYPE as never);
  const registers = [registry];
  const counter = new promClient.Counter({ name: 'jobs', help: 'Jobs', registers, enableExemplars: true });
  counter.inc({ value: 2, exemplarLabels: { trace_id: 'abc' } } as never);
  const { timeseries, metadata } = await fromRegistry(registry);
  assert.equal(metadata[0]?.name, 'jobs_total');
  assert.deepEqual(timeseries[0]?.labels, [{ name: '__name__', value: 'jobs_total' }]);
  const exemplar = timeseries[0]?.exemplars?.[0];
  assert.deepEqual([exemplar?.labels, exemplar?.value], [[{ name: 'trace_id', value: 'abc' }], 2]);
  assert.ok(Math.abs(Number(exemplar?.timestamp) - Date.now()) < 10_000);
});

test('a registry can be appended to a queue', async () => {
  const registry = new promClient.Registry();
  fill(registry as never);
  await using receiver = await new Receiver().start();
  await using queue = createQueue(createClient(receiver.url));
  await queue.append(await fromRegistry(registry));
  await queue.flush();
  assert.equal(receiver.requests[0]?.decoded.metadata.length, 4);
});
