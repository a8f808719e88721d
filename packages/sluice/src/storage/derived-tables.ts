import { hash } from 'node:crypto';
import { databaseOf } from '../catalog/catalog.ts';
import { tableIn, type DerivedColumn, type DerivedTable } from '../catalog/derived.ts';
import { identifier, joinSql, secretLiteral, sql, statementText, trustedSql, type Sql } from './sql.ts';

/**
 * Views and dictionaries as DDL. Which form of its description one has is told by a hash of the statement in its comment.
 *
 * A dictionary reads its table in its own server. It is loaded when it is first asked, into a hash table (ids go up for ever, so an array by id would
 * not do), and again when the table has got newer rows.
 */

export interface DerivedOptions {
  readonly cluster?: string;
  /** Whom a server's dictionaries read their tables as; absent: its default user without a password. */
  readonly login?: { readonly username: string; readonly password: string };
}

/** Seconds between two looks for newer rows, as in DeepFlow. */
const LIFETIME = { min: 30, max: 60 } as const;

export interface DerivedStatement {
  readonly database: string;
  readonly name: string;
  readonly statement: Sql;
  readonly comment: string;
  readonly isDictionary: boolean;
}

/** The statement that makes a derived table, or makes it anew. */
export function createDerived(table: DerivedTable, org: number, options: DerivedOptions): DerivedStatement {
  const database = databaseOf(table, org);
  const from = table.from.map((source) => identifier(databaseOf(source, org), source.table));
  const query = table.from.reduce(
    (text, source, place) => text.replaceAll(tableIn(source), () => statementText(from[place]!)),
    table.query,
  );
  const { key } = table;
  const body = key === undefined ? sql`AS ${trustedSql(query)}` : dictionaryBody({ table, key, query, from, options });
  const kind = trustedSql(key === undefined ? 'VIEW' : 'DICTIONARY');
  const where = options.cluster === undefined ? sql`` : sql` ON CLUSTER ${identifier(options.cluster)}`;
  const head = sql`CREATE OR REPLACE ${kind} ${identifier(database, table.name)}${where}`;
  const statement = sql`${head} ${body}`;
  const comment = `${table.description} (Sluice ${hash('sha256', statement.text).slice(0, 16)})`;
  return {
    database,
    name: table.name,
    statement: sql`${statement} COMMENT ${comment}`,
    comment,
    isDictionary: key !== undefined,
  };
}

interface Dictionary {
  readonly table: DerivedTable;
  readonly key: readonly string[];
  readonly query: string;
  readonly from: readonly Sql[];
  readonly options: DerivedOptions;
}

function dictionaryBody({ table, key, query, from, options: { login } }: Dictionary): Sql {
  const columns = joinSql(table.columns.map(columnDefinition), ', ');
  const keys = joinSql(
    key.map((name) => identifier(name)),
    ', ',
  );
  const user = login === undefined ? sql`` : sql`USER ${login.username} PASSWORD ${secretLiteral(login.password)} `;
  const times = from.map((source) => `toString((SELECT max(time) FROM ${statementText(source)}))`);
  const newest = times.length === 0 ? sql`` : sql` INVALIDATE_QUERY ${`SELECT ${times.join(" || ' ' || ")}`}`;
  const source = sql`SOURCE(CLICKHOUSE(${user}QUERY ${query}${newest}))`;
  const layout = trustedSql(key.length === 1 ? 'HASHED()' : 'COMPLEX_KEY_HASHED()');
  // What is made of nothing but its statement never changes.
  const lifetime = from.length === 0 ? sql`LIFETIME(0)` : sql`LIFETIME(MIN ${LIFETIME.min} MAX ${LIFETIME.max})`;
  return sql`(${columns}) PRIMARY KEY ${keys} ${source} LAYOUT(${layout}) ${lifetime}`;
}

function columnDefinition({ name, type }: DerivedColumn): Sql {
  return sql`${identifier(name)} ${trustedSql(type)}`;
}
