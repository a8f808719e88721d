import { shown } from '../base/config-schema.ts';

/** Where the Prometheus servers are named: under `tags`, and in the configuration of groups of agents, as DeepFlow has it. */
export const SERVERS_KEY = 'prometheus_http_api_addresses';

/** What matters here of the configuration of a group of agents. */
export interface GroupWithServers {
  readonly name: string;
  /** The agents' own configuration. */
  readonly config: ReadonlyMap<string, unknown>;
}

/** The base URL of a server without a slash at its end; an address without a scheme, as agents take it, is of http. Undefined when it is none. */
export function serverUrl(address: unknown): string | undefined {
  if (typeof address !== 'string') return undefined;
  const text = (address.includes('://') ? address : `http://${address}`).replace(/\/+$/, '');
  if (!URL.canParse(text)) return undefined;
  const { protocol, hostname, username, password } = new URL(text);
  return /^https?:$/.test(protocol) && hostname !== '' && username === '' && password === '' ? text : undefined;
}

/** What is to be said of an address that `serverUrl` does not take, without the password in it. */
export function serverProblem(address: unknown): string {
  const got = typeof address === 'string' ? address.replace(/^([^/]*\/\/)?[^@/]*@/, '$1***@') : address;
  return `expected an address such as http://10.96.1.8:9090, without user and password; got ${shown(got)}`;
}

/** The addresses in the configuration of a group: a list, or one text. */
export function serversOfGroup({ config }: Pick<GroupWithServers, 'config'>): readonly unknown[] {
  const given = config.get(SERVERS_KEY) ?? [];
  return Array.isArray(given) ? given : [given];
}

/** Addresses in groups of agents that cannot be used, each with where it stands. `groupNames`: as they are written. */
export function groupServerProblems(
  groups: readonly GroupWithServers[],
  groupNames: readonly string[],
): { readonly path: readonly (string | number)[]; readonly message: string }[] {
  return groups.flatMap((group) => {
    const at = ['agents', 'groups', groupNames.indexOf(group.name), 'config', SERVERS_KEY];
    const isList = Array.isArray(group.config.get(SERVERS_KEY));
    return serversOfGroup(group).flatMap((address, index) => {
      if (serverUrl(address) !== undefined) return [];
      const path = isList ? [...at, index] : at;
      return [{ path, message: `agents.groups: ${SERVERS_KEY} of the group ${group.name}: ${serverProblem(address)}` }];
    });
  });
}
