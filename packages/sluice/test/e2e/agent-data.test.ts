/** What agents send, through the real command into the database: recorded frames by `sluice replay`, counted per table. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { valuesOf } from '../../src/batch/read.ts';
import { findDataSource } from '../../src/catalog/catalog.ts';
import { readFrames } from '../../src/replay/frames.ts';
import { openChdb } from '../../src/storage/chdb.ts';
import { identifier, sql } from '../../src/storage/sql.ts';
import { expectedRows } from './expected-rows.ts';
import { command, Hub, Running, Scratch, until } from './processes.ts';

const TIME = { timeout: 300_000 };
/** All recordings, where they are beside the project; else those that it has. */
const beside = fileURLToPath(new URL('../../../../../shared/frames/agent', import.meta.url));
const folder = existsSync(beside) ? beside : fileURLToPath(new URL('../fixtures/agent', import.meta.url));
const expected = expectedRows(readFrames([folder]));

function startReplay(hub: Hub, ...args: string[]): Running {
  return new Running('replay', process.execPath, [
    command,
    'replay',
    folder,
    '--to',
    hub.agent,
    '--now',
    '--org',
    '1',
    ...args,
  ]);
}

/** Rows that the journal has taken of what agents sent, by table. */
async function received(hub: Hub): Promise<Map<string, number>> {
  const text = await (await fetch(`${hub.http}/metrics`)).text();
  const found = text.matchAll(/^sluice_received_rows_total\{input="agent",table="([^"]*)"\} (\d+)$/gm);
  return new Map([...found].map(([, table = '', count]) => [table, Number(count)]));
}

/** Lets a hub load what is in its journal: everything is sealed when it starts. */
async function loadAll(dataDir: string): Promise<void> {
  await using hub = await Hub.start(dataDir);
  await hub.ready();
  let backlog: string[] = [];
  await until(
    async () => {
      const text = await (await fetch(`${hub.http}/metrics`)).text();
      backlog = text.split('\n').filter((line) => line.startsWith('sluice_journal_backlog_bytes{reader="storage"}'));
      return backlog.length > 0 && backlog.every((line) => line.endsWith(' 0')) ? true : undefined;
    },
    60_000,
    () => `everything to be loaded:\n${backlog.join('\n')}\n${hub.output()}`,
  );
  assert.equal(await hub.end('SIGTERM'), 0, hub.output());
}

/** Rows, agents and ids by table in the database of a hub that has stopped. */
async function stored(dataDir: string): Promise<Map<string, { rows: number; agents: number; ids: number }>> {
  const store = await openChdb({ path: `${dataDir}/chdb`, maxMemory: 400 * 1024 * 1024 });
  try {
    const counts = new Map<string, { rows: number; agents: number; ids: number }>();
    for (const table of expected.keys()) {
      const [database = '', ...name] = table.split('.');
      const hasAgent = findDataSource(table)?.columns.some((column) => column.name === 'agent_id') === true;
      const agent = hasAgent ? sql`uniqExact(agent_id)` : sql`0`;
      const ids = table.startsWith('flow_log.') ? sql`uniqExact(_id)` : sql`count()`;
      const blocks = await store.select(
        sql`SELECT toUInt64(count()), toUInt64(${agent}), toUInt64(${ids}) FROM ${identifier(database, name.join('.'))}`,
      );
      const [rows, agents, unique] = blocks[0]!.columns.map((column) =>
        Number(valuesOf(column.data, BigUint64Array)[0]),
      );
      counts.set(table, { rows: rows!, agents: agents!, ids: unique! });
    }
    return counts;
  } finally {
    await store.close();
  }
}

it('frames of 50 agents become exactly the rows that they hold', TIME, async (t) => {
  using scratch = new Scratch();
  const dataDir = `${scratch.path}/hub`;
  await using hub = await Hub.start(dataDir);
  await using sending = startReplay(hub, '--agents', '50');
  await until(
    () => (sending.exited ? true : undefined),
    120_000,
    () => `everything to be sent:\n${hub.output()}`,
  );
  assert.equal(await sending.end(), 0, sending.output());
  t.diagnostic(sending.lines.at(-1) ?? '');
  const wanted = Object.fromEntries([...expected].map(([table, rows]) => [table, rows * 50]));
  await until(
    async () => {
      const rows = await received(hub);
      return Object.entries(wanted).every(([table, count]) => rows.get(table) === count) ? true : undefined;
    },
    30_000,
    () => `the journal to have everything:\n${hub.output()}`,
  );
  assert.equal(await hub.end('SIGTERM'), 0, hub.output());
  await loadAll(dataDir);
  const found = await stored(dataDir);
  assert.deepEqual(Object.fromEntries([...found].map(([table, { rows }]) => [table, rows])), wanted);
  for (const [table, { rows, ids, agents }] of found) {
    assert.equal(ids, rows, `ids in ${table}`);
    assert.equal(agents, table.startsWith('deepflow_tenant.') ? 0 : 50, `agents in ${table}`);
  }
});

it('SIGKILL in the middle doubles nothing, and loses only what the journal had not taken', TIME, async (t) => {
  using scratch = new Scratch();
  const dataDir = `${scratch.path}/hub`;
  const agents = 200;
  const taken = new Map<string, number>();
  let rounds = 0;
  for (const afterMs of [300, 1200, 2500]) {
    await using hub = await Hub.start(dataDir);
    await using sending = startReplay(hub, '--agents', String(agents), '--first-agent', String(1 + agents * rounds++));
    await until(
      async () => ((await received(hub)).size > 5 ? true : undefined),
      30_000,
      () => `the first rows:\n${hub.output()}`,
    );
    await sleep(afterMs);
    const before = await received(hub);
    await hub.end('SIGKILL');
    for (const [table, rows] of before) taken.set(table, (taken.get(table) ?? 0) + rows);
    await until(
      () => (sending.exited ? true : undefined),
      30_000,
      () => 'the sender to notice',
    );
    assert.equal(await sending.end(), 2, sending.output());
    const sent = sending.lines.find((line) => line.startsWith('total'))?.split(/\s+/)[2];
    const rows = [...before.values()].reduce((sum, count) => sum + count, 0);
    t.diagnostic(`killed when the journal had said ${rows} rows of ${sent} records that were on their way`);
  }
  await loadAll(dataDir);
  for (const [table, { rows, ids, agents: senders }] of await stored(dataDir)) {
    const atLeast = taken.get(table) ?? 0;
    assert.ok(rows >= atLeast, `${table}: ${rows} rows are stored; the journal had taken ${atLeast}`);
    assert.equal(ids, rows, `${table}: an id a second time`);
    // Nobody sent more than each of its agents has once.
    const most = (senders === 0 ? agents * rounds : senders) * expected.get(table)!;
    assert.ok(rows <= most, `${table}: ${rows} rows of ${senders} agents`);
  }
});
