import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createDelivery } from '../../../src/delivery/delivery.ts';
import type { ExporterListing } from '../../../src/delivery/exporters-api.ts';
import { systemClock } from '../../../src/journal/clock.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { open, sampleBatch, temporaryFolder } from '../../unit/journal/fixture.ts';
import { Scripted, until } from '../../unit/delivery/scripted.ts';
import { serve } from '../http/harness.ts';

/* Delivery with the real clock behind the real server, asked by the command as a user starts it. */

const program = fileURLToPath(new URL('../../../bin/sluice.js', import.meta.url));
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

async function hub(t: TestContext) {
  const dataDir = temporaryFolder(t);
  const { journal, metrics } = await open({ dataDir });
  const bad = new Set([3]);
  const exporter = new Scripted({
    keyOf: () => 0,
    settings: { flushMs: 10 },
    script: ({ values }) =>
      values.some((value) => bad.has(value)) ? { kind: 'refused', why: 'out of order' } : { kind: 'sent' },
  });
  const log = createLog({ level: 'silent' });
  const delivery = createDelivery({ journal, dataDir, metrics, log, clock: systemClock });
  await delivery.apply([exporter]);
  const { url } = await serve(t, { routes: delivery.routes });
  const sluice = (...args: string[]) =>
    new Promise<{ code: number | string; out: string; err: string }>((resolve) => {
      execFile(process.execPath, [program, ...args, '--url', url], { timeout: 60_000 }, (error, out, err) => {
        resolve({ code: error?.code ?? 0, out, err });
      });
    });
  const end = async () => {
    await journal.close();
    await delivery.stop(10_000);
  };
  return { journal, exporter, bad, url, sluice, end };
}

test('the command lists, shows, sends once more and drops what receivers refuse', async (t) => {
  const { journal, exporter, bad, url, sluice, end } = await hub(t);
  await journal.append([sampleBatch(range(0, 10))]);
  await until(() => exporter.taken.length === 9);
  const state = async () => {
    const answer = await fetch(`${url}/api/v1/exporters`);
    assert.equal(answer.headers.get('content-type'), 'application/json');
    return ((await answer.json()) as { data: ExporterListing[] }).data[0]!;
  };
  while ((await state()).rejected.items === 0);
  assert.deepEqual((await state()).counters.items_rejected, { refused: 1 });

  const listed = await sluice('rejected', 'list');
  assert.equal(listed.code, 0, listed.err);
  const id = /^scripted {2}(\d+) .* prometheus\.samples {2}1 +3 +8 +refused +out of order$/m.exec(listed.out)?.[1];
  assert.ok(id !== undefined, listed.out);
  const shown = await sluice('rejected', 'show', 'scripted', id);
  assert.match(shown.out, /^row {10}3 of main\n[^]*\n\nprometheus\.samples h3 3\n$/m);
  const again = await sluice('rejected', 'replay', 'scripted', '--all');
  assert.equal(again.out, '0 of 1 sent and removed, 1 rejected again\n');
  bad.clear();
  const taken = await sluice('rejected', 'replay', 'scripted', id, '--json');
  assert.equal((JSON.parse(taken.out) as { sent: number }).sent, 1);
  assert.deepEqual(
    exporter.taken.toSorted((a, b) => a - b),
    range(0, 10),
  );
  assert.equal((await sluice('rejected', 'list', '--exporter', 'scripted')).out, 'nothing was rejected\n');

  bad.add(11);
  await journal.append([sampleBatch(range(10, 14))]);
  while ((await state()).rejected.items === 0);
  assert.equal((await sluice('rejected', 'drop', 'scripted', '--all')).out, '1 dropped\n');
  const missing = await sluice('rejected', 'show', 'scripted', id);
  assert.equal(missing.code, 2);
  assert.match(missing.err, /answered 404: there is no rejected item/);
  await end();
});

test('the tap streams lines while rows pass, and a client that goes away is forgotten', async (t) => {
  const { journal, exporter, url, end } = await hub(t);
  const asked = fetch(`${url}/api/v1/exporters/scripted/tap?limit=5&timeout=30`);
  const leaving = new AbortController();
  const other = fetch(`${url}/api/v1/exporters/scripted/tap?timeout=30`, { signal: leaving.signal });
  let next = 100;
  const ended = new AbortController();
  const reading = asked
    .then(async (answer) => {
      assert.match(answer.headers.get('content-type') ?? '', /^text\/plain/);
      return (await answer.text()).split('\n');
    })
    .finally(() => ended.abort());
  while (!ended.signal.aborted) {
    await journal.append([sampleBatch([next++])]);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const lines = await reading;
  assert.equal(lines.length, 6);
  const first = Number(/\d+$/.exec(lines[0]!)?.[0]);
  assert.deepEqual(
    lines.slice(0, 5),
    range(first, first + 5).map((value) => `prometheus.samples h${value} ${value}`),
  );
  await other;
  leaving.abort();
  await until(() => exporter.taken.length === next - 100);
  await end();
});
