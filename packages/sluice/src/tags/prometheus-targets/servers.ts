import { type GroupWithServers, serversOfGroup, serverUrl } from '../config-servers.ts';

/** A Prometheus server to be asked. */
export interface PrometheusServer {
  /** Base URL without a slash at its end. */
  readonly url: string;
  readonly org: number;
  /** VPC of its targets' addresses. */
  readonly vpc: number;
}

export interface GroupOfAgents extends GroupWithServers {
  /** Absent: the first of the accepted ones. */
  readonly org: number | undefined;
  readonly vpcId: number;
}

export interface ServersOptions {
  /** `tags.prometheus_http_api_addresses`, checked. */
  readonly addresses: readonly string[];
  /** Checked, too. */
  readonly groups: readonly GroupOfAgents[];
  /** Accepted organisations; the first one is that of who names none. */
  readonly organisations: readonly number[];
}

const DEFAULT_VPC = 1;

/** The Prometheus servers that the configuration names, each organisation's once: in groups of agents (a list, or one text), and under `tags`. */
export function prometheusServers({ addresses, groups, organisations }: ServersOptions): readonly PrometheusServer[] {
  const servers = new Map<string, PrometheusServer>();
  const first = organisations[0] ?? 1;
  const add = (server: PrometheusServer) => {
    const key = `${server.org} ${server.url}`;
    if (!servers.has(key)) servers.set(key, server);
  };
  for (const group of groups) {
    for (const address of serversOfGroup(group)) {
      const url = serverUrl(address);
      if (url !== undefined) add({ url, org: group.org ?? first, vpc: group.vpcId });
    }
  }
  for (const address of addresses) add({ url: address, org: first, vpc: DEFAULT_VPC });
  return [...servers.values()];
}
