/** A Prometheus server to be asked. */
export interface PrometheusServer {
  /** Base URL without a slash at its end. */
  readonly url: string;
  readonly org: number;
  /** VPC of its targets' addresses. */
  readonly vpc: number;
}

/** What matters here of a group of agents. */
export interface GroupOfAgents {
  readonly name: string;
  /** Absent: the first of the accepted ones. */
  readonly org: number | undefined;
  readonly vpcId: number;
  /** The agents' own configuration. */
  readonly config: ReadonlyMap<string, unknown>;
}

export interface ServersOptions {
  /** `tags.prometheus_http_api_addresses`, checked. */
  readonly addresses: readonly string[];
  readonly groups: readonly GroupOfAgents[];
  /** Accepted organisations; the first one is that of who names none. */
  readonly organisations: readonly number[];
}

export interface ServersFound {
  readonly servers: readonly PrometheusServer[];
  /** What cannot be used, for the log. */
  readonly problems: readonly string[];
}

const KEY = 'prometheus_http_api_addresses';
const DEFAULT_VPC = 1;

/** The Prometheus servers that the configuration names, each organisation's once: under `tags`, and in groups of agents (a list, or one text). */
export function prometheusServers({ addresses, groups, organisations }: ServersOptions): ServersFound {
  const servers = new Map<string, PrometheusServer>();
  const problems: string[] = [];
  const first = organisations[0] ?? 1;
  const add = (server: PrometheusServer) => {
    const key = `${server.org} ${server.url}`;
    if (!servers.has(key)) servers.set(key, server);
  };
  for (const { name, org = first, vpcId, config } of groups) {
    const given = config.get(KEY) ?? [];
    for (const address of Array.isArray(given) ? given : [given]) {
      const url = baseUrlOf(address);
      if (url !== undefined) add({ url, org, vpc: vpcId });
      else {
        const shown = typeof address === 'string' ? withoutUser(address) : typeof address;
        problems.push(`${KEY} of the group ${name}: expected a URL such as http://10.96.1.8:9090; got ${shown}`);
      }
    }
  }
  for (const address of addresses) add({ url: address, org: first, vpc: DEFAULT_VPC });
  return { servers: [...servers.values()], problems };
}

/** A base URL; one without a scheme, as agents take it, is of http. */
function baseUrlOf(address: unknown): string | undefined {
  if (typeof address !== 'string') return undefined;
  const text = (address.includes('://') ? address : `http://${address}`).replace(/\/+$/, '');
  if (!URL.canParse(text)) return undefined;
  const { protocol, username, password } = new URL(text);
  return /^https?:$/.test(protocol) && username === '' && password === '' ? text : undefined;
}

function withoutUser(address: string): string {
  return JSON.stringify(address.replace(/\/\/[^@/]*@/, '//***@'));
}
