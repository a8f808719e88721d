import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeWriteRequest } from 'promwrite/wire';
import { startSelfTelemetry } from '../../../../src/receivers/self/self-telemetry.ts';
import { createLog } from '../../../../src/telemetry/log.ts';
import { createMetrics } from '../../../../src/telemetry/metrics.ts';

const log = createLog({ level: 'silent' });

function labelsOf(series: {
  readonly labels: readonly { readonly name: string; readonly value: string }[];
}): Record<string, string> {
  return Object.fromEntries(series.labels.map(({ name, value }) => [name, value]));
}

describe('self-telemetry', () => {
  it('writes all metrics with job and instance at once, and ends them with stale markers', async () => {
    const metrics = createMetrics();
    metrics.droppedRows.inc({ input: 'remote-write', reason: 'too_old' }, 3);
    const written: Uint8Array[] = [];
    const first = Promise.withResolvers<void>();
    const telemetry = startSelfTelemetry({
      metrics,
      log,
      instance: '127.0.0.1:20416',
      intervalMs: 3_600_000,
      write: (message) => {
        written.push(message);
        first.resolve();
        return Promise.resolve();
      },
    });
    await first.promise;
    await telemetry.stop();

    assert.equal(written.length, 2);
    const start = decodeWriteRequest(written[0]!);
    const dropped = start.timeseries.find((one) => labelsOf(one)['__name__'] === 'sluice_dropped_rows_total');
    assert.ok(dropped);
    assert.deepEqual(labelsOf(dropped), {
      __name__: 'sluice_dropped_rows_total',
      input: 'remote-write',
      instance: '127.0.0.1:20416',
      job: 'sluice',
      reason: 'too_old',
    });
    assert.equal(dropped.samples[0]?.value, 3);
    assert.ok(start.timeseries.some((one) => labelsOf(one)['__name__'] === 'up'));
    assert.ok(start.metadata.some((one) => one.name === 'sluice_dropped_rows_total' && one.type === 'counter'));

    const end = decodeWriteRequest(written[1]!);
    assert.equal(end.timeseries.length, start.timeseries.length);
    assert.ok(end.timeseries.every((one) => one.samples[0]?.stale === true));
  });

  it('counts a refused write and goes on', async () => {
    const metrics = createMetrics();
    let calls = 0;
    const third = Promise.withResolvers<void>();
    const telemetry = startSelfTelemetry({
      metrics,
      log,
      instance: 'a',
      intervalMs: 5,
      write: () => {
        if (++calls === 3) third.resolve();
        return Promise.reject(new Error('the journal is full'));
      },
    });
    await third.promise;
    await telemetry.stop();
    const refused = (await metrics.selfWrites.get()).values.find((one) => one.labels.outcome === 'refused');
    assert.ok((refused?.value ?? 0) >= 3);
  });
});
