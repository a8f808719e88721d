/**
 * Who may import whom in src/, as a table, and a checker for one file at a time. Reads text, not types: an `import type` counts like any other
 * import between rooms.
 */

/** What a room's files may import beside its own room; `promwrite` is the other package. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  catalog: ['base'],
  telemetry: ['base'],
  access: ['base', 'telemetry'],
  batch: ['base', 'catalog'],
  series: ['base', 'batch', 'telemetry'],
  journal: ['base', 'batch', 'telemetry'],
  receivers: ['base', 'catalog', 'batch', 'telemetry', 'promwrite'],
  tags: ['base', 'catalog', 'batch', 'telemetry', 'promwrite'],
  control: ['base', 'catalog', 'batch', 'telemetry', 'promwrite'],
  storage: ['base', 'catalog', 'batch', 'telemetry', 'journal'],
  delivery: ['base', 'batch', 'telemetry', 'journal'],
  exporters: ['base', 'catalog', 'batch', 'telemetry', 'delivery', 'promwrite'],
  query: ['base', 'catalog', 'batch', 'telemetry', 'storage', 'promwrite'],
  http: ['base', 'telemetry', 'access'],
  replay: ['base', 'promwrite'],
  config: ['base', 'catalog'],
};

/** These files wire the rooms together. */
const ROOT_FILES: ReadonlySet<string> = new Set([
  'cli.ts',
  'inputs.ts',
  'keeping.ts',
  'listening.ts',
  'outputs.ts',
  'reload.ts',
  'sluice.ts',
  'stop-order.ts',
  'tagging.ts',
]);

interface PackageRule {
  /** Files, or folders ending in a slash, that may import the package. */
  readonly only: readonly string[];
  /** Types of it may be named anywhere. */
  readonly typesAnywhere?: boolean;
}

const PACKAGES: Readonly<Record<string, PackageRule>> = {
  chdb: { only: ['storage/chdb.ts'] },
  '@clickhouse/client': { only: ['storage/clickhouse.ts', 'storage/clickhouse-nodes.ts'] },
  fastify: { only: ['http/'] },
  '@grpc/grpc-js': { only: ['exporters/opentelemetry/'] },
  '@kubernetes/client-node': { only: ['tags/kubernetes/'] },
  '@platformatic/kafka': { only: ['exporters/kafka/'] },
  pino: { only: ['telemetry/'], typesAnywhere: true },
  'prom-client': { only: ['telemetry/'], typesAnywhere: true },
  bcryptjs: { only: ['access/'] },
  '@grpc/proto-loader': { only: ['control/'] },
  yaml: { only: ['config/', 'control/', 'tags/static/', 'tags/prometheus-targets/'] },
};

interface Import {
  readonly from: string;
  readonly typeOnly: boolean;
}

/** What one file does that the table does not allow. `path` is relative to src/, with slashes. */
export function violations(path: string, text: string): string[] {
  const found: string[] = [];
  const complain = (what: string) => found.push(`${path}: ${what}`);
  for (const one of importsOf(text)) {
    const why = one.from.startsWith('.') ? roomViolation(path, one.from) : packageViolation(path, one);
    if (why !== undefined) complain(why);
  }
  for (const line of codeLines(text)) {
    if (path !== 'cli.ts' && /\bprocess\s*(?:\?\.|\.)\s*(?:exit|exitCode|abort|reallyExit)\b/.test(line)) {
      complain('only cli.ts may end the process');
    }
    if (path !== 'cli.ts' && roomOf(path) !== 'config' && /\bprocess\s*(?:\?\.|\.)\s*env\b|\bprocess\s*\[/.test(line)) {
      complain('only cli.ts and config may read process.env');
    }
    if (/\bimport\s*\(\s*[^'"\s)]/.test(line)) complain('an import of a computed name cannot be checked');
    if (/^\s*export\s*\*/.test(line)) complain('a file exports what is its own: no "export *"');
  }
  return found;
}

/** Same for the other package, which has no dependencies at all. */
export function promwriteViolations(path: string, text: string): string[] {
  return importsOf(text)
    .filter(({ from }) => (from.startsWith('.') ? resolvePath(path, from) === undefined : !from.startsWith('node:')))
    .map(({ from }) => `${path}: promwrite may import nothing but its own files and Node; got ${from}`);
}

function roomViolation(path: string, specifier: string): string | undefined {
  // The one file that reads the package's own version.
  if (path === 'base/version.ts' && specifier === '../../package.json') return undefined;
  const target = resolvePath(path, specifier);
  if (target === undefined) return `imports ${specifier}, which lies outside src`;
  if (ROOT_FILES.has(path)) return undefined;
  if (ROOT_FILES.has(target)) return `no room may import ${target}`;
  const room = roomOf(path);
  const other = roomOf(target);
  const allowed = ROOMS[room];
  if (allowed === undefined) return `there is no room ${room} in the table`;
  if (isConfigFile(path)) return configViolation(path, target);
  if (room === other) return folderViolation(path, target);
  if (room === 'config' && isConfigFile(target)) return undefined;
  return allowed.includes(other) ? undefined : `${room} may not import ${target}`;
}

/** A room's configuration: base, catalog, access/config.ts and the configuration at its own room's root. */
function configViolation(path: string, target: string): string | undefined {
  const isAllowed =
    ['base', 'catalog'].includes(roomOf(target)) ||
    target === 'access/config.ts' ||
    (roomOf(target) === roomOf(path) && folderOf(target) === undefined && isConfigFile(target));
  return isAllowed ? undefined : `a ${fileOf(path)} may not import ${target}`;
}

function folderViolation(path: string, target: string): string | undefined {
  const folder = folderOf(path);
  const other = folderOf(target);
  if (folder === undefined || other === undefined || folder === other) return undefined;
  return `${roomOf(path)}/${folder} may not import ${target}: folders of a room do not know each other`;
}

function packageViolation(path: string, { from, typeOnly }: Import): string | undefined {
  if (from.startsWith('node:')) {
    const isProcess = from === 'node:process' && path !== 'cli.ts' && roomOf(path) !== 'config';
    return isProcess ? 'only cli.ts and config may import node:process' : undefined;
  }
  const name = from.split('/', from.startsWith('@') ? 2 : 1).join('/');
  if (name === 'promwrite') {
    const isAllowed = ROOT_FILES.has(path) || ROOMS[roomOf(path)]?.includes('promwrite') === true;
    return isAllowed ? undefined : `${roomOf(path)} may not import promwrite`;
  }
  if (name === 'zod') {
    const isAllowed = roomOf(path) === 'config' || isConfigFile(path);
    return isAllowed ? undefined : 'zod belongs into config.ts';
  }
  if (/^[a-z]/.test(from) && BUILT_IN.has(name)) return `write node:${from}`;
  const rule = PACKAGES[name];
  if (rule === undefined || (typeOnly && rule.typesAnywhere === true)) return undefined;
  const isAllowed = rule.only.some((place) => (place.endsWith('/') ? path.startsWith(place) : path === place));
  return isAllowed ? undefined : `${name} may only be imported in ${rule.only.join(' and ')}`;
}

const BUILT_IN: ReadonlySet<string> = new Set([
  'fs',
  'path',
  'net',
  'http',
  'https',
  'process',
  'os',
  'crypto',
  'zlib',
]);

/** Every module a text names: static and dynamic imports, re-exports, files handed to a worker. */
function importsOf(text: string): Import[] {
  const found: Import[] = [];
  for (const match of text.matchAll(/^[ \t]*(import|export)\b([^'"`;()=]*?)\bfrom\s*(['"])([^'"]+)\3/gm)) {
    found.push({ from: match[4] ?? '', typeOnly: isTypeOnly(match[2] ?? '') });
  }
  for (const pattern of [
    /^[ \t]*import\s*['"]([^'"]+)['"]/gm,
    /\bimport\s*\(\s*['"]([^'"]+)['"]/g,
    /\brequire\s*\(\s*['"]([^'"]+)['"]/g,
    /\bnew\s+URL\s*\(\s*['"](\.[^'"]+)['"]\s*,\s*import\.meta\.url/g,
  ]) {
    for (const match of text.matchAll(pattern)) found.push({ from: match[1] ?? '', typeOnly: false });
  }
  return found;
}

/** `import type {...}`, or braces in which every name says `type`. */
function isTypeOnly(clause: string): boolean {
  if (/^\s*type\b(?!\s*,)/.test(clause)) return true;
  const names = /^\s*\{([\s\S]*)\}\s*$/.exec(clause)?.[1];
  if (names === undefined) return false;
  return names
    .split(',')
    .filter((name) => name.trim() !== '')
    .every((name) => /^\s*type\s/.test(name));
}

function codeLines(text: string): string[] {
  return text
    .split('\n')
    .flatMap((line) => (/^\s*(?:\/\/|\*|\/\*)/.test(line) ? [] : [line.replace(/\s\/\/ .*$/, '')]));
}

function resolvePath(path: string, specifier: string): string | undefined {
  const steps = path.split('/').slice(0, -1);
  for (const step of specifier.split('/')) {
    if (step === '..') {
      if (steps.pop() === undefined) return undefined;
    } else if (step !== '.') {
      steps.push(step);
    }
  }
  return steps.join('/');
}

function roomOf(path: string): string {
  return path.split('/', 1)[0] ?? '';
}

function fileOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** `config.ts`, or `config-<part>.ts` where one file would hold too much: schemas and their types, which the room config/ puts together. */
function isConfigFile(path: string): boolean {
  return /^config(?:-[a-z0-9-]+)?\.ts$/.test(fileOf(path));
}

/** The folder below the room, absent for the room's own root files. */
function folderOf(path: string): string | undefined {
  const steps = path.split('/');
  return steps.length > 2 ? steps[1] : undefined;
}
