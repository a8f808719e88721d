import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { textTable } from '../base/text-table.ts';
import type { RejectedListing, ReplayListing } from './rejected-api.ts';
import type { RejectedItem } from './rejected-format.ts';

export const REJECTED_USAGE = `sluice rejected list [--exporter NAME] [--limit N]
sluice rejected show EXPORTER ID
sluice rejected replay EXPORTER ID...|--all
sluice rejected drop EXPORTER ID...|--all
    lists items that receivers refused for good, shows one, sends them once more, or forgets them
    [--url URL] [--json] [--token-file FILE | --user NAME --password-file FILE]`;

/** What to ask the running hub, and how its answer looks on a terminal. */
export interface RejectedRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly print: (data: unknown, nowMs: number) => string;
}

const options = {
  exporter: { type: 'string' },
  limit: { type: 'string' },
  all: { type: 'boolean' },
} as const satisfies ParseArgsOptionsConfig;

/** Options that the command has beside those of every command that asks a hub. */
export const REJECTED_OPTIONS: typeof options = options;

/**
 * The request of `sluice rejected ARGS`; `args` without the options of `access`. Throws Error with what was expected.
 */
export function parseRejectedCommand(args: readonly string[], access: ParseArgsOptionsConfig = {}): RejectedRequest {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { ...access, ...options },
    strict: true,
    allowPositionals: true,
  });
  const [command = '', exporter = '', ...ids] = positionals;
  const { all = false, limit, exporter: only } = values;
  const wrong = ids.find((id) => !/^\d{1,16}$/.test(id));
  if (wrong !== undefined) throw new Error(`expected the number of a rejected item; got ${wrong}`);
  if (['show', 'replay', 'drop'].includes(command) && exporter === '') {
    throw new Error(`expected the name of an exporter behind rejected ${command}`);
  }
  const path = `/api/v1/rejected/${encodeURIComponent(exporter)}`;
  switch (command) {
    case 'list': {
      if (positionals.length > 1) throw new Error(`expected rejected list [--exporter NAME]; got ${exporter}`);
      const query = new URLSearchParams();
      if (only !== undefined) query.set('exporter', only);
      if (limit !== undefined) query.set('limit', limit);
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the hub's own route sends
      const print = (data: unknown, nowMs: number) => rejectedTable(data as RejectedListing[], nowMs);
      return { method: 'GET', path: `/api/v1/rejected?${query.toString()}`, print };
    }
    case 'show':
      if (ids.length !== 1 || all) throw new Error('expected rejected show EXPORTER ID');
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- likewise
      return { method: 'GET', path: `${path}/${ids[0]}`, print: (data) => shownItem(data as ShownItem) };
    case 'replay':
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- likewise
      return changing(`${path}/replay`, { ids, all }, (data) => shownReplay(data as ReplayListing));
    case 'drop':
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- likewise
      return changing(`${path}/drop`, { ids, all }, (data) => `${(data as { dropped: number }).dropped} dropped`);
    default:
      throw new Error(`expected rejected list, show, replay or drop; got ${command === '' ? 'none' : command}`);
  }
}

function changing(
  path: string,
  { ids, all }: { readonly ids: readonly string[]; readonly all: boolean },
  print: RejectedRequest['print'],
): RejectedRequest {
  if (all === ids.length > 0) throw new Error('expected either numbers of rejected items or --all');
  const query = new URLSearchParams(all ? { all: 'true' } : {});
  for (const id of ids) query.append('id', id);
  return { method: 'POST', path: `${path}?${query.toString()}`, print };
}

function rejectedTable(items: readonly RejectedListing[], nowMs: number): string {
  if (items.length === 0) return 'nothing was rejected';
  return textTable(
    ['EXPORTER', 'ID', 'AGE', 'DATA SOURCE', 'ORG', 'ROW', 'BYTES', 'KIND', 'REASON'],
    items.map(({ exporter, id, time, table, org, row, bytes, kind, reason }) => [
      exporter,
      String(id),
      age(time, nowMs),
      table,
      String(org),
      String(row),
      bytes === undefined ? '-' : String(bytes),
      kind,
      reason,
    ]),
  );
}

type ShownItem = RejectedItem & { readonly exporter: string };

function shownItem(item: ShownItem): string {
  const lines: [string, string][] = [
    ['exporter', item.exporter],
    ['id', String(item.id)],
    ['rejected', item.time],
    ['data source', item.table],
    ['organisation', String(item.org)],
    ['row', `${item.row} of ${item.writer}`],
    ['time of row', item.row_time === '' ? '-' : item.row_time],
    ['kind', item.kind],
    ['reason', item.reason],
    ['bytes', `${shownBytes(item.body)}, head ${shownBytes(item.head)}`],
  ];
  const facts = lines.map(([name, value]) => `${name.padEnd(13)}${printable(value)}`).join('\n');
  return item.text === '' ? facts : `${facts}\n\n${printable(item.text)}`;
}

function shownBytes(base64: string | undefined): string {
  return base64 === undefined ? 'not kept' : String(Buffer.byteLength(base64, 'base64'));
}

function shownReplay({ items, sent, rejected_again, without_content, waiting }: ReplayListing): string {
  const parts = [
    `${sent} of ${items} sent and removed`,
    ...(rejected_again === 0 ? [] : [`${rejected_again} rejected again`]),
    ...(without_content === 0 ? [] : [`${without_content} cannot be sent: their content was not kept`]),
    ...(waiting === 0 ? [] : [`${waiting} on their way`]),
  ];
  return parts.join(', ');
}

function age(time: string, nowMs: number): string {
  const seconds = Math.max(0, Math.round((nowMs - Date.parse(time)) / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)}h` : `${Math.round(seconds / 86_400)}d`;
}

/** What came from senders and receivers may not steer a terminal. */
function printable(text: string): string {
  return text.replaceAll(/[^\P{C}\n]/gu, '?');
}
