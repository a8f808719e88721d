import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { textTable } from '../base/text-table.ts';
import type { ExplainedEnd } from './explain-end.ts';
import type { Explanation, FoundResource, ListedResource } from './explain.ts';
import { RESOURCE_KINDS } from './kinds.ts';
import type { TagsOverview } from './tags-api.ts';

export const TAGS_USAGE = `sluice tags
sluice tags list KIND [--name TEXT] [--limit N]
sluice tags explain ADDRESS [--vpc N] [--port P] [--protocol tcp|udp] [--at TIME]
sluice tags explain --pod NAME [--namespace NAME] [--cluster NAME] [--port P] [--protocol tcp|udp] [--at TIME]
sluice tags explain --label NAME=VALUE... [--agent N] [--at TIME]
    shows what tags are made from, lists resources, or tells why an address, a pod or a series gets its tags
    [--url URL] [--org N] [--json] [--token-file FILE | --user NAME --password-file FILE]`;

/** What to ask the running hub, and how its answer looks on a terminal. */
export interface TagsRequest {
  readonly method: 'GET';
  readonly path: string;
  readonly print: (data: unknown, nowMs: number) => string;
}

const options = {
  name: { type: 'string' },
  limit: { type: 'string' },
  vpc: { type: 'string' },
  port: { type: 'string' },
  protocol: { type: 'string' },
  at: { type: 'string' },
  pod: { type: 'string' },
  namespace: { type: 'string' },
  cluster: { type: 'string' },
  label: { type: 'string', multiple: true },
  agent: { type: 'string' },
} as const satisfies ParseArgsOptionsConfig;

/** Options that the command has beside those of every command that asks a hub. */
export const TAGS_OPTIONS: typeof options = options;

/** The request of `sluice tags ARGS`; `access` are the options of every command that asks a hub. Throws Error with what was expected. */
export function parseTagsCommand(args: readonly string[], access: ParseArgsOptionsConfig = {}): TagsRequest {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { ...access, ...options },
    strict: true,
    allowPositionals: true,
  });
  const [command = '', subject = '', ...more] = positionals;
  if (more.length > 0) throw new Error(`expected nothing after ${subject}; got ${more.join(' ')}`);
  const query = new URLSearchParams();
  for (const name of [
    'name',
    'limit',
    'vpc',
    'port',
    'protocol',
    'at',
    'pod',
    'namespace',
    'cluster',
    'agent',
  ] as const) {
    const value = values[name];
    if (value !== undefined) query.set(name, value);
  }
  for (const label of values.label ?? []) query.append('label', label);
  switch (command) {
    case '':
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the hub's own route sends
      return {
        method: 'GET',
        path: '/api/v1/tags',
        print: (data, nowMs) => shownOverview(data as TagsOverview, nowMs),
      };
    case 'list':
      if (subject === '') throw new Error(`expected tags list with one of ${RESOURCE_KINDS.join(', ')}`);
      query.set('kind', subject);
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- likewise
      return {
        method: 'GET',
        path: `/api/v1/tags/resources?${query.toString()}`,
        print: (data) => shownList(data as ListedResource[]),
      };
    case 'explain':
      if (subject !== '') query.set('ip', subject);
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- likewise
      return {
        method: 'GET',
        path: `/api/v1/tags/explain?${query.toString()}`,
        print: (data) => shownExplanation(data as Explanation),
      };
    default:
      throw new Error(`expected tags, tags list or tags explain; got ${command}`);
  }
}

function shownOverview({ resources, sources, ids }: TagsOverview, nowMs: number): string {
  const sourceRows = sources.map((source) => [
    source.name,
    source.state,
    source.last_success === undefined
      ? '-'
      : `${Math.max(0, Math.round((nowMs - Date.parse(source.last_success)) / 1000))}s`,
    String(Object.values(source.resources).reduce((sum, count) => sum + count, 0)),
    source.last_error?.replaceAll('\n', '; ') ?? '-',
  ]);
  const kindRows = Object.entries(resources).map(([kind, count]) => [kind, String(count)]);
  if (sources.length === 0) return 'no source of tags is configured: docs/tags.md';
  const origin =
    ids === undefined ? '' : `\n\nids are given by ${plain(ids.giver)}; resources without one: ${ids.missing}`;
  return `${textTable(['SOURCE', 'STATE', 'AGE', 'RESOURCES', 'ERROR'], sourceRows)}\n\n${textTable(['KIND', 'RESOURCES'], kindRows)}${origin}`;
}

function shownList(found: readonly ListedResource[]): string {
  if (found.length === 0) return 'none';
  const rows = found.map((one) => [String(one.id), one.name, one.addresses.join(' '), one.sources.join(', '), one.key]);
  return textTable(['ID', 'NAME', 'ADDRESSES', 'SOURCES', 'KEY'], rows);
}

function shownExplanation({ at, steps, found, ends }: Explanation): string {
  const lines = [`at ${at}`, ...steps.map(({ asked, answer }) => plain(`${asked}: ${answer}`))];
  return [...lines, ...found.map(shownFound), ...ends.map(shownEnd)].join('\n');
}

function shownFound({ kind, key, name, sources, address, tags, labels }: FoundResource): string {
  const rows = Object.entries(tags).map(([column, tag]) => [`  ${column}`, String(tag.id), tag.name || '-']);
  const told = sources.length === 0 ? '' : `, told by ${sources.join(', ')}`;
  const pairs = Object.entries(labels ?? {}).map(([label, value]) => `\n  label ${plain(label)} = ${plain(value)}`);
  return `\n${plain(name || `${kind} ${key}`)}${address === undefined ? '' : ` at ${address}`}${plain(told)}\n${textTable(['  COLUMN', 'ID', 'NAME'], rows)}${pairs.join('')}`;
}

function shownEnd({ end, tags }: ExplainedEnd): string {
  const rows = Object.entries(tags).map(([column, { id, type, kind, name }]) => [
    `  ${column}`,
    String(id),
    type === undefined ? '-' : `${type} (${kind})`,
    name || '-',
  ]);
  return `\n${plain(`rows with ${end}`)}\n${textTable(['  COLUMN', 'ID', 'TYPE', 'NAME'], rows)}`;
}

/** Names come from elsewhere: nothing of them may steer a terminal. */
function plain(cell: string): string {
  return cell.replaceAll(/\p{C}/gu, '?');
}
