import type { IdMessage, IdRecordType, PublishedId, SharedIdTables } from '../base/shared-ids.ts';
import { textAt, valuesOf } from '../batch/read.ts';
import type { NativeBlock } from '../batch/native.ts';
import { databaseOf } from '../catalog/catalog.ts';
import { nameMap } from '../catalog/flow-tags.ts';
import { idMessage } from '../catalog/id-messages.ts';
import type { DataSource } from '../catalog/types.ts';
import { identifier, sql, type Sql } from '../storage/sql.ts';
import type { Store } from '../storage/store.ts';
import { atLeast } from './time-range.ts';

const TIMEOUT_MS = 30_000;

/** Ids that other hubs published, and what they ask, as rows of their tables. Duplicates that are not merged yet come in the order they were said in. */
export function createSharedIdTables(store: Store): SharedIdTables {
  return {
    async *published(org, sinceMs, signal) {
      const statement = sql`SELECT CAST(kind AS String) AS k, id, key, name, is_deleted, term, toFloat64(toUnixTimestamp64Milli(time)) AS ms
        FROM ${table(nameMap, org)} WHERE ${atLeast('time', sinceMs)} AND term > 0 ORDER BY term, time`;
      for await (const block of store.stream(statement, { timeoutMs: TIMEOUT_MS, signal })) yield publishedIn(block);
    },
    async *messages(org, sinceMs, requests, signal) {
      const which = requests ? sql`` : sql` AND record = 'hub'`;
      const statement = sql`SELECT CAST(hub AS String) AS h, CAST(record AS String) AS r, CAST(kind AS String) AS k, key, name, id, is_deleted,
        toFloat64(toUnixTimestamp64Milli(time)) AS ms FROM ${table(idMessage, org)} WHERE ${atLeast('time', sinceMs)}${which} ORDER BY time`;
      for await (const block of store.stream(statement, { timeoutMs: TIMEOUT_MS, signal })) yield messagesIn(block);
    },
  };
}

function table(source: DataSource, org: number): Sql {
  return identifier(databaseOf(source, org), source.table);
}

function publishedIn(block: NativeBlock): PublishedId[] {
  const [kind, id, key, name, gone, term, ms] = block.columns.map((column) => column.data);
  const ids = valuesOf(id!, Uint32Array);
  const isGone = valuesOf(gone!, Uint8Array);
  const terms = valuesOf(term!, Uint32Array);
  const times = valuesOf(ms!, Float64Array);
  return Array.from({ length: block.rows }, (_, row) => ({
    kind: textAt(kind!, row),
    id: ids[row]!,
    key: textAt(key!, row),
    name: textAt(name!, row),
    isGone: isGone[row] === 1,
    term: terms[row]!,
    timeMs: times[row]!,
  }));
}

function messagesIn(block: NativeBlock): IdMessage[] {
  const [hub, record, kind, key, name, id, gone, ms] = block.columns.map((column) => column.data);
  const ids = valuesOf(id!, Uint32Array);
  const isGone = valuesOf(gone!, Uint8Array);
  const times = valuesOf(ms!, Float64Array);
  return Array.from({ length: block.rows }, (_, row) => textAt(record!, row)).flatMap((said, row) =>
    isRecordType(said)
      ? {
          hub: textAt(hub!, row),
          record: said,
          kind: textAt(kind!, row),
          key: textAt(key!, row),
          name: textAt(name!, row),
          id: ids[row]!,
          isGone: isGone[row] === 1,
          timeMs: times[row]!,
        }
      : [],
  );
}

/** A newer version may say more. */
function isRecordType(text: string): text is IdRecordType {
  return text === 'hub' || text === 'reserved' || text === 'request';
}
