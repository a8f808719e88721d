import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { textAt, valuesOf } from '../../../src/batch/read.ts';
import type { NativeBlock } from '../../../src/batch/native.ts';
import { identifier, sql, trustedSql } from '../../../src/storage/sql.ts';
import type { Store } from '../../../src/storage/store.ts';

export interface ContractOptions {
  readonly name: string;
  readonly store: () => Store;
  /** An old server: no DateTime64, no LowCardinality, no memory limit on demand, errors in the middle of an answer look like its end. */
  readonly old?: boolean;
}

const DATABASE = 'sluice_contract';

/** What every Store does, whatever is behind it. The caller opens before and closes after. */
export function storeContract(options: ContractOptions): void {
  const { name, store } = options;
  const modern = options.old === true ? { skip: 'the server is too old for this' } : {};

  describe(`store contract over ${name}`, () => {
    it('runs commands and gives rows back as typed columns', async () => {
      await store().command(sql`DROP DATABASE IF EXISTS ${identifier(DATABASE)}`);
      await store().command(sql`CREATE DATABASE ${identifier(DATABASE)}`);
      const table = identifier(DATABASE, 'rows');
      const engine = options.old === true ? 'MergeTree(day, (id), 8192)' : 'MergeTree ORDER BY id';
      await store().command(
        sql`CREATE TABLE ${table} (id UInt64, value Float64, text String, tags Array(String), day Date) ENGINE = ${trustedSql(engine)}`,
      );
      await store().command(
        sql`INSERT INTO ${table} SELECT number + 18446744073709551000, number / 2, concat('text ', toString(number)), ['a', toString(number)], toDate(number) FROM numbers(1000)`,
      );
      const blocks = await store().select(
        sql`SELECT id, value, text, tags FROM ${table} WHERE id >= ${18446744073709551010n} ORDER BY id LIMIT 5`,
      );
      const [id, value, text, tags] = blocks[0]!.columns;
      assert.deepEqual(
        [...valuesOf(id!.data, BigUint64Array)],
        [10n, 11n, 12n, 13n, 14n].map((n) => n + 18446744073709551000n),
      );
      assert.deepEqual([...valuesOf(value!.data, Float64Array)], [5, 5.5, 6, 6.5, 7]);
      assert.deepEqual(
        [0, 1, 2, 3, 4].map((row) => textAt(text!.data, row)),
        ['text 10', 'text 11', 'text 12', 'text 13', 'text 14'],
      );
      assert.equal(tags!.data.kind, 'array');
      assert.equal(id!.type, 'UInt64');
    });

    it('gives no block for no rows', async () => {
      const none = await store().select(sql`SELECT number FROM numbers(10) WHERE number > ${100}`);
      assert.equal(rowsOf(none), 0);
    });

    it('streams block by block, all rows in order', async () => {
      let next = 0;
      let blocks = 0;
      for await (const block of store().stream(sql`SELECT toUInt32(number) AS n FROM numbers(1000000)`, {
        settings: { max_threads: 1 },
      })) {
        blocks++;
        for (const n of valuesOf(block.columns[0]!.data, Uint32Array)) assert.equal(n, next++);
      }
      assert.equal(next, 1_000_000);
      assert.ok(blocks > 3, `${blocks} blocks`);
    });

    it('cancels a stream that the reader leaves', async () => {
      const query = sql`SELECT toUInt32(number) AS n, ${'left early'} AS mark FROM numbers(100000000000)`;
      for await (const block of store().stream(query)) {
        assert.ok(block.rows > 0);
        break;
      }
      await gone(store(), 'left early');
    });

    it('cancels a query on abort, in the database too', async () => {
      const aborting = new AbortController();
      const query = sql`SELECT ${'aborted query'} AS mark, sum(sipHash64(number)) AS s FROM numbers(100000000000)`;
      const started = performance.now();
      setTimeout(() => aborting.abort(), 300);
      const aborted = assert.rejects(store().select(query, { signal: aborting.signal }), { code: 'cancelled' });
      // Ends after it, so that whatever it ran on is not what the next one is asked on.
      const other = store().select(sql`SELECT sleep(1) AS slept`);
      await aborted;
      assert.ok(performance.now() - started < 5000, 'it settled at once');
      await other;
      await gone(store(), 'aborted query');
      assert.equal(rowsOf(await store().select(sql`SELECT 1 AS one`)), 1);
    });

    it('cancels a stream on abort before its first block', async () => {
      const aborting = new AbortController();
      setTimeout(() => aborting.abort(), 300);
      const query = sql`SELECT ${'aborted stream'} AS mark, sum(sipHash64(number)) AS s FROM numbers(100000000000)`;
      await assert.rejects(collect(store().stream(query, { signal: aborting.signal })), { code: 'cancelled' });
      await gone(store(), 'aborted stream');
    });

    it('refuses a signal that was aborted before', async () => {
      await assert.rejects(store().select(sql`SELECT 1`, { signal: AbortSignal.abort() }), { code: 'cancelled' });
    });

    it('stops a statement at its time limit', async () => {
      const query = sql`SELECT sum(sipHash64(number)) AS s FROM numbers(100000000000)`;
      await assert.rejects(store().select(query, { timeoutMs: 500 }), (error: Error & { code: string }) => {
        assert.ok(error.code === 'storage_limit' || options.old === true, `${error.code}: ${error.message}`);
        return true;
      });
    });

    it('stops a statement at its memory limit', modern, async () => {
      const query = sql`SELECT groupArray(number) AS g FROM numbers(100000000)`;
      await assert.rejects(store().select(query, { maxMemory: 20_000_000 }), { code: 'storage_limit' });
    });

    it('says of a wrong statement that it can never succeed, in one line', async () => {
      const wrong = [sql`SELECT nothing_of_that_name FROM numbers(1)`, sql`SELEC 1`, sql`SELECT * FROM nowhere.at_all`];
      for (const statement of wrong) {
        await assert.rejects(store().select(statement), (error: Error & { code: string }) => {
          assert.equal(error.code, 'storage_refused', error.message);
          assert.match(error.message, /^cannot query the database: [^\n]+$/);
          return true;
        });
      }
      await assert.rejects(store().command(sql`DROP TABLE nowhere.at_all`), { code: 'storage_refused' });
    });

    it('reports an error in the middle of a stream', modern, async () => {
      const statement = sql`SELECT throwIf(number = 5000000) AS n FROM numbers(100000000)`;
      let rows = 0;
      await assert.rejects(
        (async () => {
          for await (const block of store().stream(statement, { settings: { max_threads: 1 } })) rows += block.rows;
        })(),
        { code: 'storage_refused' },
      );
      assert.ok(rows < 5_000_001);
    });

    it('runs many statements at once and all get their own answer', async () => {
      const answers = await Promise.all(
        Array.from({ length: 40 }, (_, index) => store().select(sql`SELECT toUInt32(${index}) AS n, sleep(0.01) AS s`)),
      );
      answers.forEach((blocks, index) => assert.equal(valuesOf(blocks[0]!.columns[0]!.data, Uint32Array)[0], index));
    });

    it('keeps queries going while streams are open and idle', async () => {
      const query = sql`SELECT number FROM numbers(10000000)`;
      const open = Array.from({ length: 5 }, () => iterate(store().stream(query)));
      for (const iterator of open) assert.equal((await iterator.next()).done, false);
      assert.equal(rowsOf(await store().select(sql`SELECT 1 AS one`)), 1);
      for (const iterator of open) await iterator.return?.();
    });

    it('carries hostile texts through literals and names unchanged', async () => {
      const texts = hostileTexts(options.old === true ? 100 : 400);
      for (let at = 0; at < texts.length; at += 100) {
        const some = texts.slice(at, at + 100);
        const blocks = await store().select(sql`SELECT arrayJoin([${some}]) AS text`);
        const back = blocks.flatMap((block) =>
          Array.from({ length: block.rows }, (_, row) => textAt(block.columns[0]!.data, row)),
        );
        assert.deepEqual(back, some);
      }
      for (const text of texts.filter((candidate) => candidate !== '').slice(0, options.old === true ? 0 : 40)) {
        const blocks = await store().select(sql`SELECT 1 AS ${identifier(text)}`);
        assert.equal(blocks[0]!.columns[0]!.name, text);
      }
    });

    it('removes what the suite made', async () => {
      await store().command(sql`DROP DATABASE ${identifier(DATABASE)}`);
    });
  });
}

/** Pieces that end literals, begin comments, look like parameters, settings, formats or Unicode trouble. */
const PIECES = [
  "'",
  '"',
  '`',
  '\\',
  '\\\\',
  "\\'",
  '\0',
  '\n',
  '\n\n',
  '\r\n',
  '\t',
  '\b',
  '\f',
  '\v',
  '\x1b',
  '\x7f',
  '--',
  '#',
  '/*',
  '*/',
  ';',
  '{p:String}',
  '${x}',
  '%s',
  ' FORMAT Null',
  ' SETTINGS max_threads=1',
  'DROP TABLE x',
  '\\x41',
  '\\n',
  '\\0',
  '\u2028',
  '\u00a0',
  '\ufeff',
  '\u202e',
  'é',
  '漢',
  '😀',
  '\u0301',
  "''",
  ' ',
  'a',
  '0',
  'NULL',
  '\\N',
  '$$',
  '$heredoc$',
] as const;

export function hostileTexts(count: number): string[] {
  let state = 12345;
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  return Array.from({ length: count }, () =>
    Array.from({ length: random(8) }, () => PIECES[random(PIECES.length)]!).join(''),
  );
}

function iterate(blocks: AsyncIterable<NativeBlock>): AsyncIterator<NativeBlock> {
  return blocks[Symbol.asyncIterator]();
}

function rowsOf(blocks: readonly NativeBlock[]): number {
  return blocks.reduce((sum, block) => sum + block.rows, 0);
}

async function collect(blocks: AsyncIterable<NativeBlock>): Promise<NativeBlock[]> {
  const all: NativeBlock[] = [];
  for await (const block of blocks) all.push(block);
  return all;
}

/** Waits until no statement with the mark runs. */
async function gone(store: Store, mark: string): Promise<void> {
  const query = sql`SELECT toUInt8(count()) AS n FROM system.processes WHERE position(query, ${mark}) > 0 AND position(query, 'system.processes') = 0`;
  const end = performance.now() + 30_000;
  for (;;) {
    const blocks = await store.select(query);
    if (valuesOf(blocks[0]!.columns[0]!.data, Uint8Array)[0] === 0) return;
    if (performance.now() > end) assert.fail(`the statement ${JSON.stringify(mark)} still runs in the database`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
