/**
 * Long runs against the real command.
 *
 *   npm run soak -- --kills N       N rounds of SIGKILL at random moments: no acknowledged row missing, none doubled
 *   npm run soak -- --outages N     N outages of the hub and of what it exports to: every acknowledged row comes to every sink
 *   npm run soak -- --minutes M     mixed load for M minutes: memory and descriptors stay flat, the journal drains
 *
 * The mixed load: steady scrapes of the same series, a share of series that come and go, remote reads, label look-ups, refused requests, and clients
 * that connect and say nothing.
 */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { compressBlock, encodeWriteRequest, type TimeSeries } from 'promwrite/wire';
import { killRounds } from '../test/e2e/kill-rounds.ts';
import { Hub, Scratch, until } from '../test/e2e/processes.ts';
import { exportOutages, outageText } from './export-outages.ts';
import { labelsOf, valueOf } from './load.ts';
import { cpuSeconds, diskBytes, openDescriptors, residentBytes } from './process-usage.ts';

const { values: options } = parseArgs({
  options: {
    kills: { type: 'string' },
    outages: { type: 'string' },
    minutes: { type: 'string' },
    series: { type: 'string', default: '5000' },
    sync: { type: 'string', default: 'interval' },
  },
});

if (options.kills !== undefined) {
  const report = await killRounds(Number(options.kills), ['--set', `journal.sync=${options.sync}`]);
  console.log(
    `${report.rounds} kills: ${report.acknowledged} rows acknowledged, all stored once (${report.stored} stored)`,
  );
} else if (options.outages !== undefined) {
  const report = await exportOutages(Number(options.outages), (line) => console.log(line));
  console.log(outageText(report));
  for (const { lost } of report.sinks) assert.equal(lost, 0, 'rows were lost');
} else {
  await mixedLoad(Number(options.minutes ?? '30'), Number(options.series));
}

interface Observation {
  readonly minute: number;
  readonly residentMb: number;
  readonly descriptors: number;
  readonly backlogMb: number;
  readonly journalSegments: number;
  readonly diskMb: number;
  readonly cpuSeconds: number;
}

async function mixedLoad(minutes: number, seriesCount: number): Promise<void> {
  using scratch = new Scratch();
  await using hub = await Hub.start(`${scratch.path}/hub`);
  await hub.ready();
  const end = performance.now() + minutes * 60_000;
  const running = () => performance.now() < end;
  let sent = 0;
  let reads = 0;

  const writer = async (lane: number, lanes: number) => {
    for (let scrape = 0; running(); scrape++) {
      const begin = performance.now();
      for (let first = lane * 500; first < seriesCount; first += lanes * 500) {
        await post(hub, scrapeBody(first, Math.min(first + 500, seriesCount), scrape), 'application/x-protobuf');
        sent += 500;
      }
      await sleep(Math.max(0, 1000 - (performance.now() - begin)));
    }
  };
  const reader = async () => {
    for (; running(); reads++) {
      const search = new URLSearchParams({ 'match[]': `{series=~"${reads % 10}.*",job="kubernetes-pods"}` });
      const answer = await fetch(`${hub.http}/api/v1/series?${search}`);
      assert.equal(answer.status, 200, await answer.text());
      await (await fetch(`${hub.http}/api/v1/labels`)).text();
      await sleep(1000);
    }
  };
  const troublemaker = async () => {
    const idle: Socket[] = [];
    while (running()) {
      await post(hub, new Uint8Array([1, 2, 3]), 'application/x-protobuf', 400);
      await post(hub, new Uint8Array([1, 2, 3]), 'text/plain', 415);
      const socket = connect(Number(new URL(hub.http).port), '127.0.0.1').on('error', () => {});
      socket.write('POST /api/v1/write HTTP/1.1\r\nHost: a\r\n');
      idle.push(socket);
      if (idle.length > 50) idle.shift()!.destroy();
      await sleep(500);
    }
    for (const socket of idle) socket.destroy();
  };

  const observations: Observation[] = [];
  const observer = async () => {
    const every = Math.max(5_000, (minutes * 60_000) / 40);
    for (let next = performance.now() + every; running(); next += every) {
      await sleep(Math.max(0, next - performance.now()));
      const one: Observation = {
        minute: Math.round((minutes - (end - performance.now()) / 60_000) * 10) / 10,
        residentMb: Math.round(residentBytes(hub.pid).now / 1e6),
        descriptors: openDescriptors(hub.pid),
        backlogMb: Math.round((await hub.metric('sluice_journal_backlog_bytes')) / 1e5) / 10,
        journalSegments: await hub.metric('sluice_journal_segments'),
        diskMb: Math.round(diskBytes(`${scratch.path}/hub`) / 1e6),
        cpuSeconds: Math.round(cpuSeconds(hub.pid) * 10) / 10,
      };
      observations.push(one);
      console.log(JSON.stringify(one));
    }
  };

  await Promise.all([writer(0, 2), writer(1, 2), reader(), troublemaker(), observer()]);
  await until(
    async () => ((await hub.metric('sluice_journal_backlog_bytes')) < 100_000 ? true : undefined),
    30_000,
    () => 'the journal to drain',
  );
  console.log(`${sent} samples sent, ${reads} rounds of reads`);

  // The first third warms up: caches fill, the engine's own pools grow.
  const settled = observations.slice(Math.floor(observations.length / 3));
  const early = settled.slice(0, Math.ceil(settled.length / 2));
  const late = settled.slice(Math.ceil(settled.length / 2));
  const mean = (list: readonly Observation[], of: (one: Observation) => number) =>
    list.reduce((sum, one) => sum + of(one), 0) / list.length;
  if (late.length > 0) {
    const memory = mean(late, (one) => one.residentMb) / mean(early, (one) => one.residentMb);
    const descriptors = mean(late, (one) => one.descriptors) - mean(early, (one) => one.descriptors);
    console.log(
      `resident memory late / early: ${memory.toFixed(3)}; descriptors late - early: ${descriptors.toFixed(1)}`,
    );
    assert.ok(memory < 1.1, 'memory grows');
    assert.ok(descriptors < 20, 'descriptors grow');
  }
  assert.equal(await hub.end('SIGTERM'), 0, hub.output());
}

/** One series in fifty has a label that changes every ten scrapes: new series keep coming, old ones end. */
function scrapeBody(from: number, to: number, scrape: number): Uint8Array<ArrayBuffer> {
  const timestamp = Date.now();
  const timeseries: TimeSeries[] = [];
  for (let index = from; index < to; index++) {
    const labels = Object.fromEntries(labelsOf(index, 15));
    if (index % 50 === 0) labels['pod'] = `replaced-${Math.floor(scrape / 10)}-${index}`;
    timeseries.push({ labels, sample: { value: valueOf(index, scrape), timestamp } });
  }
  return compressBlock(encodeWriteRequest({ timeseries }));
}

async function post(hub: Hub, body: Uint8Array<ArrayBuffer>, contentType: string, expected = 204): Promise<void> {
  const answer = await fetch(`${hub.http}/api/v1/write`, {
    method: 'POST',
    headers: { 'Content-Type': contentType, 'Content-Encoding': 'snappy' },
    body,
  });
  const text = await answer.text();
  assert.equal(answer.status, expected, text);
}
