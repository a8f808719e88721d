import { dataSources } from '../catalog/catalog.ts';
import type { DataSource } from '../catalog/types.ts';
import { dataSourceId } from '../exporters/config.ts';
import {
  checkFields,
  checkFilters,
  checkKafka,
  listAt,
  SAMPLES,
  textsAt,
  type Checks,
  type Written,
} from './exporter-fields.ts';
import type { ExporterConfig, Protocol } from './exporter-schema.ts';
import { locate, nodeAt, pathText, type Path } from './locate.ts';
import { nearestHint } from './nearest.ts';
import type { Problem } from './source.ts';

export interface ExporterFindings {
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/** What a schema cannot say of one exporter: whether what it names exists, and what is probably not meant. */
export function exporterFindings(config: ExporterConfig, written: Written): ExporterFindings {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const say = (found: Problem[]) => (path: Path, message: string) => {
    const place = locate(written.node, path)?.place ?? written.node.place;
    found.push({ place, message: `${pathText([...written.path, ...path])}: ${message}` });
  };
  const hint = (name: string, names: readonly string[]): string => {
    if (problems.length >= MOST_HINTS) return '';
    const more = names.length > MOST_NAMES ? ` and ${names.length - MOST_NAMES} more` : '';
    return nearestHint(name, names) || `; known: ${names.slice(0, MOST_NAMES).join(', ')}${more}`;
  };
  const checks: Checks = { config, written, complain: say(problems), warn: say(warnings), hint };
  const sources = checkSources(checks);
  if (problems.length === 0) {
    checkFields(checks, sources);
    checkFilters(checks, sources);
    checkKafka(checks, sources);
  }
  remarks(checks);
  return { problems, warnings };
}

const MOST_HINTS = 50;
const MOST_NAMES = 60;

/** Data sources that a protocol can send. */
function takes(protocol: Protocol, source: DataSource): boolean {
  switch (protocol) {
    case 'kafka':
      return source.exportFields !== undefined || source.id === SAMPLES;
    case 'prometheus':
      return (source.exportFields !== undefined && source.database === 'flow_metrics') || source.id === SAMPLES;
    case 'opentelemetry':
      return source.id === 'flow_log.l7_flow_log';
  }
}

function checkSources({ config, written, complain, warn, hint }: Checks): readonly DataSource[] {
  const { protocol } = config;
  const fitting = dataSources.filter((source) => takes(protocol, source));
  const seen = new Map<string, string>();
  for (const [index, name] of textsAt(written, 'data-sources').entries()) {
    const at = ['data-sources', index];
    const id = dataSourceId(name);
    const source = dataSources.find((one) => one.id === id);
    const possible = fitting.map((one) => one.id);
    if (source === undefined) {
      const why = name.includes('*') ? ' (they are written out, without *)' : '';
      complain(at, `unknown data source ${JSON.stringify(name.slice(0, 80))}${why}${hint(name, possible)}`);
    } else if (!fitting.includes(source)) {
      complain(at, `${name} cannot be sent by protocol ${protocol}; expected one of ${possible.join(', ')}`);
    } else if (seen.has(id)) {
      warn(at, `${name} is given already${seen.get(id) === name ? '' : `, as ${seen.get(id)}`}`);
    }
    seen.set(id, name);
  }
  return fitting.filter((source) => config.dataSources.includes(source.id));
}

/** What is allowed, and seldom meant. */
function remarks({ config, written, warn }: Checks): void {
  const alone = listAt(written, ['tag-filters']);
  if (alone > 0 && listAt(written, ['tag-filters-groups']) > 0) {
    warn(['tag-filters-groups'], 'no effect beside tag-filters; move those into a group');
  }
  for (const path of conditionPaths(written)) {
    const node = nodeAt(written.node, path);
    const value = node?.kind === 'scalar' ? node.value : undefined;
    if (typeof value === 'string' && value !== value.toLowerCase()) {
      warn(path, `${value} is understood here, and taken for "and" by DeepFlow; write ${value.toLowerCase()}`);
    }
  }
  if (alone === 0 && nodeAt(written.node, ['tag-filter-condition', 'type']) !== undefined) {
    warn(['tag-filter-condition'], 'no effect without tag-filters; a group has a condition of its own');
  }
  if (config.tls.insecureSkipVerify) {
    warn(
      ['tls', 'insecure-skip-verify'],
      "any certificate is taken: whoever stands in the server's place reads everything",
    );
  }
  if (nodeAt(written.node, ['tls'])?.kind === 'mapping' && !usesTls(config)) {
    warn(['tls'], 'no effect, as no connection is made with TLS');
  }
  if (config.protocol === 'kafka' && config.acks !== 'all') {
    warn(['kafka', 'acks'], 'messages that a broker has confirmed can still be lost; with all they cannot');
  }
  if (config.protocol === 'opentelemetry') {
    for (const key of ONLY_ROWS) {
      const node = nodeAt(written.node, [key]);
      if (node?.kind === 'scalar' && node.value === true) warn([key], 'no effect with protocol opentelemetry');
    }
  }
}

function usesTls(config: ExporterConfig): boolean {
  switch (config.protocol) {
    case 'kafka':
      return config.useTls;
    case 'prometheus':
      return config.endpoints.some((endpoint) => /^https:/i.test(endpoint));
    case 'opentelemetry':
      return config.targets.some((target) => target.tls);
  }
}

const ONLY_ROWS: readonly string[] = [
  'export-empty-tag',
  'export-empty-metrics-disabled',
  'enum-translate-to-name-disabled',
  'universal-tag-translate-to-name-disabled',
];

function conditionPaths(written: Written): Path[] {
  const groups = Array.from({ length: listAt(written, ['tag-filters-groups']) }, (_, group): Path => [
    'tag-filters-groups',
    group,
    'tag-filter-condition',
    'type',
  ]);
  return [['tag-filter-condition', 'type'], ...groups];
}
