import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { textAt } from '../../../src/batch/read.ts';
import { networkMapByDay, networkMapByHour, rollUps, type RollUp } from '../../../src/catalog/roll-ups.ts';
import { openChdb, type ChdbStore } from '../../../src/storage/chdb.ts';
import { ensureTables } from '../../../src/storage/ensure-tables.ts';
import { identifier, joinSql, sql, trustedSql, type Sql } from '../../../src/storage/sql.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { tempFolder } from './temp-folder.ts';

const log = createLog({ level: 'silent' });
let store: ChdbStore;
let folder: Awaited<ReturnType<typeof tempFolder>>;

before(async () => {
  folder = await tempFolder('roll-up-tables');
  store = await openChdb({ path: join(folder.path, 'chdb'), maxMemory: 400e6 });
  const sources = rollUps.flatMap(({ from, to }) => [from, to]);
  await ensureTables({ store, sources: [...new Set(sources)], organisations: [1], retention: 'forever', log });
});
after(async () => {
  await store.close();
  await folder.remove();
});

const tableOf = ({ database, table }: RollUp['to']) => identifier(database, table);

/** Fills the target from the source rows for which the condition holds, exactly as the plan of columns says. */
function fill(rollUp: RollUp, condition: Sql): Sql {
  const groups = rollUp.columns.filter(({ kind }) => kind === 'group').map(({ to }) => identifier('source', to));
  const begin = trustedSql(rollUp.interval === 'hour' ? 'toStartOfHour' : 'toStartOfDay');
  const values = rollUp.columns.map((column) => {
    switch (column.kind) {
      case 'time':
        return sql`${begin}(${identifier('source', column.from)}, 'UTC') AS ${identifier('begin')}`;
      case 'group':
        return identifier('source', column.from);
      case 'sum':
        return sql`sum(${identifier('source', column.from)})`;
      case 'count':
        return sql`count()`;
      case 'hash':
        return sql`cityHash64(${joinSql(groups, ', ')})`;
    }
  });
  const names = rollUp.columns.map(({ to }) => identifier(to));
  return sql`INSERT INTO ${tableOf(rollUp.to)} (${joinSql(names, ', ')}) SELECT ${joinSql(values, ', ')} FROM ${tableOf(rollUp.from)} AS source WHERE ${condition} GROUP BY ${identifier('begin')}, ${joinSql(groups, ', ')}`;
}

async function rows(statement: Sql): Promise<string[]> {
  const blocks = await store.select(statement);
  return blocks.flatMap((block) => Array.from({ length: block.rows }, (_, row) => textAt(block.columns[0]!.data, row)));
}

describe('tables for longer intervals', () => {
  for (const rollUp of [networkMapByHour, networkMapByDay]) {
    it(`${rollUp.to.id} holds the sums of its minutes, however many pieces they came in`, async () => {
      const from = tableOf(rollUp.from);
      const to = tableOf(rollUp.to);
      await store.command(sql`TRUNCATE TABLE ${from}`);
      await store.command(
        sql`INSERT INTO ${from} (time, l3_epc_id_1, server_port, observation_point, pod_id_0, packet_tx, rtt_sum, l7_client_error, rtt_max, direction_score) SELECT toDateTime('2024-11-20 22:00:00', 'UTC') + 60 * (number % 300), number % 3, 80, if(number % 2 = 0, 'c', 's'), number % 5, number, number * 7, 4000000000, number % 1000, 255 FROM numbers(9000)`,
      );
      for (const piece of [0, 1, 2]) await store.command(fill(rollUp, sql`intDiv(packet_tx, 450) % 3 = ${piece}`));
      const interval = trustedSql(rollUp.interval === 'hour' ? 'toStartOfHour' : 'toStartOfDay');
      const line = (packets: string, averages: string, rowCount: string) =>
        trustedSql(
          `concat(toString(sum(${packets})), ' ', toString(sum(rtt_sum)), ' ', toString(sum(l7_client_error)), ' ', ${averages}, ' ', ${rowCount})`,
        );
      const minutes = sql`SELECT concat(toString(${interval}(time, 'UTC')), ' ', toString(l3_epc_id_1), observation_point, toString(pod_id_0), ' ', ${line('packet_tx', "concat(toString(sum(rtt_max)), '/', toString(sum(toUInt64(direction_score))))", 'toString(count())')}) FROM ${from} GROUP BY ${interval}(time, 'UTC'), l3_epc_id_1, observation_point, pod_id_0 ORDER BY 1`;
      const longer = sql`SELECT concat(toString(time), ' ', toString(l3_epc_id_1), observation_point, toString(pod_id_0), ' ', ${line('packet_tx', "concat(toString(sum(rtt_max_sum)), '/', toString(sum(direction_score_sum)))", 'toString(sum(_rows))')}) FROM ${to} GROUP BY time, l3_epc_id_1, observation_point, pod_id_0 ORDER BY 1`;
      const expected = await rows(minutes);
      assert(expected.length >= 30);
      assert.deepEqual(await rows(longer), expected);
      const count = sql`SELECT toString(count()) FROM ${to}`;
      const pieces = Number((await rows(count))[0]);
      await store.command(sql`OPTIMIZE TABLE ${to} FINAL`);
      assert.deepEqual(await rows(longer), expected);
      // Pieces of a group have become one row, and rows of different groups have not.
      assert.deepEqual(await rows(count), [String(expected.length)]);
      assert(pieces > expected.length);
    });
  }

  it('have a column for each of the plan, of a type that holds its sums', () => {
    for (const { from, to, columns } of rollUps) {
      assert.deepEqual(
        columns.map((column) => column.to),
        to.columns.map(({ name }) => name),
      );
      const types = new Map(to.columns.map(({ name, type }) => [name, type]));
      for (const column of columns) {
        if (column.kind === 'sum') assert.match(types.get(column.to)!, /^(?:UInt64|Float64)$/);
        if (column.kind === 'group')
          assert.equal(types.get(column.to), from.columns.find(({ name }) => name === column.from)?.type);
      }
      assert.equal(to.columns.length, from.columns.length + 1);
    }
  });
});
