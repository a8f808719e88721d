import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '../../../src/base/errors.ts';
import type { Batch } from '../../../src/batch/batch.ts';
import type { RowBlock } from '../../../src/batch/row-block.ts';
import { applicationLog } from '../../../src/catalog/application-log.ts';
import { inProcessProfile } from '../../../src/catalog/profile.ts';
import { type RequestRows, RequestRowsPool } from '../../../src/receivers/request-rows.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { rowsOf } from './row-values.ts';

const NOW = 1_700_000_000_000;

function fixture() {
  const metrics = createMetrics();
  const appends: string[][] = [];
  const tagged: string[] = [];
  const state = { failure: undefined as Error | undefined };
  const pool = new RequestRowsPool({
    input: 'test',
    append: async (batches: readonly Batch[]) => {
      await Promise.resolve();
      if (state.failure !== undefined) throw state.failure;
      appends.push(
        batches.flatMap((batch) =>
          rowsOf(batch).map((row) => `${batch.org} ${batch.source.table} ${row['app_service']}`),
        ),
      );
    },
    tagger: (block, org) => void tagged.push(`${org} ${block.source.table} ${block.rows}`),
    accept: () => ({ behindMs: 60_000, aheadMs: 10_000 }),
    metrics,
    now: () => NOW,
  });
  const received = async () =>
    (await metrics.receivedRows.get()).values.map(({ labels, value }) => `${labels.input} ${labels.table} ${value}`);
  return { pool, appends, tagged, state, received };
}

function add(rows: RequestRows, service: string, org = 1, source = applicationLog): RowBlock {
  const block = rows.block(source, org);
  block.setText(block.column('app_service'), service);
  block.commit(NOW);
  return block;
}

test('all rows of a request are appended together', async () => {
  const { pool, appends, tagged, received } = fixture();
  const rows = pool.open();
  add(rows, 'a');
  add(rows, 'b', 2);
  add(rows, 'c');
  add(rows, 'd', 1, inProcessProfile);
  assert.equal(rows.rows, 4);
  await rows.append();
  assert.equal(rows.rows, 0);
  assert.deepEqual(appends, [['1 log a', '1 log c', '2 log b', '1 in_process d']]);
  assert.deepEqual(tagged, ['1 log 2', '2 log 1', '1 in_process 1']);
  add(rows, 'e', 2);
  await rows.append();
  await rows.append();
  assert.deepEqual(appends.slice(1), [['2 log e']]);
  assert.deepEqual(await received(), ['test application_log.log 4', 'test profile.in_process 1']);
});

test('blocks take rows of the window around now', () => {
  const { pool } = fixture();
  const rows = pool.open();
  const block = rows.block(applicationLog, 1);
  assert.deepEqual([block.acceptFrom, block.acceptUntil], [NOW - 60_000, NOW + 10_000]);
  rows.close();
});

test('blocks are used again, without what was not appended', async () => {
  const { pool, appends, state, received } = fixture();
  const first = pool.open();
  const block = add(first, 'lost');
  state.failure = new SluiceError('journal_full', 'no');
  await assert.rejects(first.append(), { code: 'journal_full' });
  first.close();
  first.close();
  state.failure = undefined;
  const [second, third] = [pool.open(), pool.open()];
  assert.equal(add(second, 'a'), block);
  assert.notEqual(add(third, 'b'), block);
  await Promise.all([second.append(), third.append()]);
  assert.deepEqual(appends, [['1 log a'], ['1 log b']]);
  assert.deepEqual(await received(), ['test application_log.log 2']);
});

test('large blocks and many blocks are not kept', () => {
  const { pool } = fixture();
  const large = pool.open();
  const block = add(large, 'x'.repeat(5 << 20));
  large.close();
  const many = pool.open();
  const blocks = Array.from({ length: 6 }, (_, org) => add(many, 'x', org));
  assert.ok(!blocks.includes(block));
  many.close();
  const again = pool.open();
  const kept = Array.from({ length: 6 }, (_, org) => add(again, 'x', org)).filter((one) => blocks.includes(one));
  assert.equal(kept.length, 4);
});
