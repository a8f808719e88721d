/**
 * Loss and doubling over SIGKILL: numbered rows are written while the real command is killed at random moments. Nothing is ever sent twice, so in the
 * end every acknowledged number must be stored exactly once and no number more than once.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { compressBlock, encodeWriteRequest } from 'promwrite/wire';
import { openChdb } from '../../src/storage/chdb.ts';
import { sql } from '../../src/storage/sql.ts';
import { valuesOf } from '../../src/batch/read.ts';
import { Hub, Scratch, until } from './processes.ts';

const lanes = 4;
const rowsPerRequest = 50;

export interface KillReport {
  readonly rounds: number;
  readonly acknowledged: number;
  readonly stored: number;
}

export async function killRounds(rounds: number, args: readonly string[] = []): Promise<KillReport> {
  using scratch = new Scratch();
  const dataDir = `${scratch.path}/hub`;
  // Recent enough for the accept window, and a millisecond a number: the time of a row is its number.
  const base = Date.now() - 6 * 3_600_000;
  const next = Array.from({ length: lanes }, () => 0);
  const acknowledged = Array.from({ length: lanes }, () => new Set<number>());

  for (let round = 0; round < rounds; round++) {
    await using hub = await Hub.start(dataDir, { args });
    const life = { killed: false };
    const writers = next.map(async (_, lane) => {
      while (!life.killed) {
        const first = next[lane]!;
        next[lane] = first + rowsPerRequest;
        try {
          const answer = await fetch(`${hub.http}/api/v1/write`, {
            method: 'POST',
            headers: { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy' },
            body: body(lane, first, base),
          });
          if (answer.status === 204) for (let i = 0; i < rowsPerRequest; i++) acknowledged[lane]!.add(first + i);
          else if (answer.status !== 503)
            assert.fail(`a write was answered with ${answer.status}: ${await answer.text()}`);
        } catch (error) {
          // The connection broke because the hub was killed: whether these rows arrived is not known, and they are not sent again.
          if (error instanceof assert.AssertionError || !life.killed) throw error;
        }
      }
    });
    await sleep(50 + Math.random() * 1500);
    life.killed = true;
    await hub.end('SIGKILL');
    await Promise.all(writers);
  }

  await using hub = await Hub.start(dataDir, { args });
  await hub.ready();
  await until(
    async () => ((await hub.metric('sluice_journal_backlog_bytes')) === 0 ? true : undefined),
    60_000,
    () => `the journal to drain:\n${hub.output()}`,
  );
  assert.equal(await hub.end('SIGTERM'), 0, hub.output());

  const store = await openChdb({ path: `${dataDir}/chdb`, maxMemory: 500e6 });
  try {
    let stored = 0;
    let sum = 0;
    for (const [lane, numbers] of acknowledged.entries()) {
      const blocks = await store.select(
        sql`SELECT toUnixTimestamp64Milli(time) - ${base} AS number FROM prometheus.samples WHERE value = ${lane} AND metric_id IN (SELECT metric_id FROM prometheus.series WHERE metric_name = 'numbered_rows') ORDER BY number`,
      );
      const seen = new Set<number>();
      for (const block of blocks) {
        for (const number of valuesOf(block.columns[0]!.data, BigInt64Array)) {
          assert.ok(!seen.has(Number(number)), `row ${number} of lane ${lane} is stored twice`);
          seen.add(Number(number));
        }
      }
      for (const number of numbers)
        assert.ok(seen.has(number), `acknowledged row ${number} of lane ${lane} is missing`);
      stored += seen.size;
      sum += numbers.size;
    }
    assert.ok(sum > 0, 'nothing was acknowledged: the test shows nothing');
    return { rounds, acknowledged: sum, stored };
  } finally {
    await store.close();
  }
}

function body(lane: number, first: number, base: number): Uint8Array<ArrayBuffer> {
  return compressBlock(
    encodeWriteRequest({
      timeseries: [
        {
          labels: { __name__: 'numbered_rows', lane: String(lane) },
          samples: Array.from({ length: rowsPerRequest }, (_, i) => ({ value: lane, timestamp: base + first + i })),
        },
      ],
    }),
  );
}
