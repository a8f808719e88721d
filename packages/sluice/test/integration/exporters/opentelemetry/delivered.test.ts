import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { status } from '@grpc/grpc-js';
import { createDelivery } from '../../../../src/delivery/delivery.ts';
import { createLog } from '../../../../src/telemetry/log.ts';
import { until } from '../../../unit/delivery/scripted.ts';
import { open, temporaryFolder } from '../../../unit/journal/fixture.ts';
import { batchOf } from '../../../unit/exporters/opentelemetry/made-row.ts';
import { grpcReceiver, httpReceiver, type Received } from './receivers.ts';
import { exporterOf, rows } from './sending.ts';

/* From the journal through lanes and retries to receivers that fail. */

async function deliverTo(t: TestContext, endpoints: readonly string[], keys: Readonly<Record<string, unknown>>) {
  const dataDir = temporaryFolder(t);
  const { journal, metrics } = await open({ dataDir });
  const { exporter } = exporterOf(t, endpoints, {
    'flush-timeout': 0.02,
    retry: { initial: '5ms', max: '50ms' },
    from: 'oldest',
    ...keys,
  });
  const delivery = createDelivery({ journal, dataDir, metrics, log: createLog({ level: 'silent' }) });
  await delivery.apply([exporter]);
  const end = async () => {
    await journal.close();
    await delivery.stop(20_000);
  };
  const items = async () => (await metrics.exporterItemsRejected.get()).values;
  return { journal, end, items };
}

/** Endpoints of the spans in the order in which they came. */
function endpointsOf(received: readonly Received[]): string[] {
  return received.flatMap(({ request }) =>
    (request.resourceSpans ?? []).flatMap(({ scopeSpans = [] }) =>
      scopeSpans.flatMap(({ spans = [] }) =>
        spans.map(({ attributes = [] }) =>
          String(attributes.find(({ key }) => key === 'df.span.endpoint')?.value?.['stringValue']),
        ),
      ),
    ),
  );
}

const wanted = rows(500).map(({ endpoint }) => String(endpoint));

test('every row arrives over gRPC, through failures, a dead endpoint and a restart of the receiver', async (t) => {
  const dead = await grpcReceiver(t);
  await dead.stop();
  const first = await grpcReceiver(t);
  const { journal, end } = await deliverTo(t, [`127.0.0.1:${first.port}`, `127.0.0.1:${dead.port}`], {});
  for (const code of [status.UNAVAILABLE, status.RESOURCE_EXHAUSTED, status.INTERNAL, status.DATA_LOSS]) {
    first.answers.push({ kind: 'status', code, details: 'not now' });
  }
  const made = rows(500);
  await journal.append([batchOf(made.slice(0, 250))]);
  await until(() => new Set(endpointsOf(first.received)).size >= 250);
  await first.stop();
  await journal.append([batchOf(made.slice(250))]);
  const second = await grpcReceiver(t, { port: first.port });
  const all = () => new Set([...endpointsOf(first.received), ...endpointsOf(second.received)]);
  await until(() => all().size === 500);
  assert.deepEqual([...all()].toSorted(), wanted.toSorted());
  await end();
});

test('one bad span is set aside over HTTP, all others arrive', async (t) => {
  const receiver = await httpReceiver(t);
  const { journal, end, items } = await deliverTo(t, [`http://127.0.0.1:${receiver.port}`], {
    otlp: { transport: 'http' },
    'queue-count': 1,
    'batch-size': 64,
  });
  receiver.judge = (received) =>
    endpointsOf([received]).includes('/77') ? { kind: 'answer', status: 400, body: 'span of /77 is bad' } : undefined;
  await journal.append([batchOf(rows(500))]);
  const taken = () => new Set(endpointsOf(receiver.received.filter((one) => !endpointsOf([one]).includes('/77'))));
  await until(() => taken().size === 499);
  await end();
  assert.deepEqual([...taken()].toSorted(), wanted.filter((endpoint) => endpoint !== '/77').toSorted());
  assert.deepEqual(
    (await items()).map(({ value, labels }) => [value, labels.reason]),
    [[1, 'refused']],
  );
});
