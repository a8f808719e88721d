import { Secret } from '../base/secret.ts';
import type { TlsOptions } from '../access/config.ts';
import { fingerprint } from '../exporters/config.ts';
import { crossChecks } from './cross-checks.ts';
import type { LoadedConfig } from './load.ts';
import type { SluiceConfig } from './schema.ts';

/** What a configuration that was read again means for a hub that runs. */
export type Reload =
  /** It has mistakes: everything stays as it is. */
  | { readonly kind: 'refused'; readonly problems: readonly string[] }
  | {
      readonly kind: 'accepted';
      /** What runs from now on: the running one with what can be exchanged. The next comparison starts from it. */
      readonly config: SluiceConfig;
      readonly changes: Changes;
      /** Keys that are different and only take effect with a restart, in the order of the reference. */
      readonly restart: readonly string[];
      /** One line about them; undefined when there are none. */
      readonly warning: string | undefined;
    };

/** Which parts of the new configuration are different and to be exchanged now. */
export interface Changes {
  readonly exporters: ExporterChanges | undefined;
  /** `auth` and `tls`, at the top or of a listener. */
  readonly access: boolean;
  /** `agents.groups`. */
  readonly groups: boolean;
  /** `tags.prometheus_http_api_addresses`. */
  readonly prometheusServers: boolean;
}

/** Names of exporters. */
export interface ExporterChanges {
  readonly added: readonly string[];
  /** Other settings under the same name: they go on from the same place. */
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

/** Tells what of a configuration that was loaded again can be exchanged while the hub runs, and what waits for a restart. */
export function compare(running: SluiceConfig, next: LoadedConfig): Reload {
  if (next.config === undefined) return { kind: 'refused', problems: next.problems };
  const wanted = next.config;
  const withAccess = attempt(running, { ...running, ...accessOf(running, wanted) });
  const withGroups = attempt(withAccess, {
    ...withAccess,
    agents: { ...running.agents, groups: wanted.agents.groups },
  });
  const { prometheusAddresses } = wanted.tags;
  const withServers = attempt(withGroups, { ...withGroups, tags: { ...running.tags, prometheusAddresses } });
  const config = attempt(withServers, { ...withServers, exporters: wanted.exporters });
  const restart = differences(config, wanted);
  return {
    kind: 'accepted',
    config: Object.freeze(config),
    changes: {
      exporters: exporterChanges(running, config),
      access: !same([running.auth, running.tls, running.listen], [config.auth, config.tls, config.listen]),
      groups: !same(running.agents.groups, config.agents.groups),
      prometheusServers: !same(running.tags.prometheusAddresses, config.tags.prometheusAddresses),
    },
    restart,
    warning:
      restart.length === 0
        ? undefined
        : `changed in the configuration, but only in effect after a restart: ${restart.join(', ')}`,
  };
}

/** The changed configuration, unless it does not go with what stays: `auth` must not go away before the address that needs it. */
function attempt(before: SluiceConfig, after: SluiceConfig): SluiceConfig {
  const problems = crossChecks(after, () => ({ text: '', order: 0, inFile: false }));
  return problems.length === 0 ? after : before;
}

const HTTP = ['http', 'integration'] as const;

type Access = Pick<SluiceConfig, 'auth' | 'tls' | 'listen'>;

/** The addresses of the one with the credentials and certificates of the other, when the sockets that are open can be used with these. */
function accessOf(running: SluiceConfig, wanted: SluiceConfig): Access {
  const listen = { ...running.listen };
  for (const name of HTTP) {
    const [old, now] = [running.listen[name], wanted.listen[name]];
    if (old !== null && now !== null) listen[name] = { ...old, auth: now.auth, tls: now.tls };
  }
  const [old, now] = [running.listen.control, wanted.listen.control];
  if (old !== null && now !== null) listen.control = { ...old, tls: now.tls };
  const access = { auth: wanted.auth, tls: wanted.tls, listen };
  const isUsable = listeners(running).every((kind, index) => kind === listeners({ ...running, ...access })[index]);
  if (isUsable) return access;
  // Credentials can be exchanged all the same.
  for (const name of HTTP) {
    const own = listen[name];
    if (own !== null) listen[name] = { ...own, tls: running.listen[name]?.tls };
  }
  if (listen.control !== null) listen.control = { ...listen.control, tls: running.listen.control?.tls };
  return { auth: wanted.auth, tls: running.tls, listen };
}

/** What cannot be changed of open sockets: whether they speak TLS, and whether they ask for certificates. */
function listeners({ listen, tls }: SluiceConfig): string[] {
  return [listen.http, listen.integration, listen.control].map((one, index) =>
    // The control listener has no certificates but its own.
    one === null ? 'off' : socketKind(one.tls ?? (index < HTTP.length ? tls : undefined)),
  );
}

function socketKind(tls: TlsOptions | undefined): string {
  if (tls === undefined) return 'plain';
  return tls.clientCaFile === undefined ? 'tls' : `tls, client certificates ${tls.clientCertificates}`;
}

function exporterChanges(before: SluiceConfig, after: SluiceConfig): ExporterChanges | undefined {
  const old = new Map(before.exporters.map((exporter) => [exporter.name, fingerprint(exporter)]));
  const now = new Map(after.exporters.map((exporter) => [exporter.name, fingerprint(exporter)]));
  const added = [...now.keys()].filter((name) => !old.has(name));
  const removed = [...old.keys()].filter((name) => !now.has(name));
  const changed = [...now].filter(([name, print]) => old.has(name) && old.get(name) !== print).map(([name]) => name);
  return added.length + removed.length + changed.length === 0 ? undefined : { added, changed, removed };
}

/** Keys at the top that differ; of mappings that are partly exchanged, the keys below. */
function differences(running: SluiceConfig, wanted: SluiceConfig): string[] {
  const paths: string[] = [];
  const walk = (left: object, right: object, path: string) => {
    const [old, now] = [
      new Map<string, unknown>(Object.entries(left)),
      new Map<string, unknown>(Object.entries(right)),
    ];
    for (const key of new Set([...old.keys(), ...now.keys()])) {
      const name = path === '' ? kebab(key) : `${path}.${kebab(key)}`;
      const [one, other] = [old.get(key), now.get(key)];
      if (same(one, other)) continue;
      if (SPLIT.has(name) && isMapping(one) && isMapping(other)) walk(one, other, name);
      else paths.push(name);
    }
  };
  walk(running, wanted, '');
  return paths;
}

const SPLIT: ReadonlySet<string> = new Set(['listen', 'agents', 'tags', 'storage', 'journal', 'limits']);

function isMapping(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Map);
}

/** `dataDir` is `data-dir` in the file. */
function kebab(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Whether two parts of a configuration are equal in all values, those of secrets too. */
function same(left: unknown, right: unknown): boolean {
  if (Object.is(left, right)) return true;
  if (left instanceof Secret && right instanceof Secret) return left.reveal() === right.reveal();
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  if (left instanceof Map && right instanceof Map) return same([...left], [...right]);
  if (left instanceof Set && right instanceof Set) return same([...left], [...right]);
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((value, index) => same(value, right[index]));
  }
  if (Object.getPrototypeOf(left) !== Object.getPrototypeOf(right)) return false;
  const [old, now] = [Object.entries(left), new Map<string, unknown>(Object.entries(right))];
  return old.length === now.size && old.every(([key, value]) => now.has(key) && same(value, now.get(key)));
}
