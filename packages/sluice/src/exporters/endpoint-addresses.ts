import { lookup as systemLookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { plainAddress } from '../base/plain-address.ts';
import type { Endpoint } from './self-traffic.ts';

export interface NamedEndpoint {
  readonly host: string;
  readonly port: number;
}

export interface EndpointAddressesOptions {
  /** Where the exporter sends to, as configured or as it has learned of late; hosts may be names or addresses. */
  readonly endpoints: () => readonly NamedEndpoint[];
  /** All addresses of a host name. Absent: the system's own. */
  readonly lookup?: (host: string) => Promise<readonly string[]>;
  readonly intervalMs?: number;
}

const INTERVAL_MS = 60_000;

/** Addresses of an exporter's endpoints, looked up again and again while it runs. A name that cannot be looked up keeps the addresses it had. */
export class EndpointAddresses {
  readonly #endpoints: () => readonly NamedEndpoint[];
  readonly #lookup: (host: string) => Promise<readonly string[]>;
  readonly #intervalMs: number;
  readonly #known = new Map<string, readonly string[]>();
  #current: readonly Endpoint[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor({ endpoints, lookup = allAddresses, intervalMs = INTERVAL_MS }: EndpointAddressesOptions) {
    this.#endpoints = endpoints;
    this.#lookup = lookup;
    this.#intervalMs = intervalMs;
  }

  /** The same list until something changes. */
  get current(): readonly Endpoint[] {
    return this.#current;
  }

  /** Resolves when every name was looked up once. */
  async start(): Promise<void> {
    this.#timer = setInterval(() => void this.refresh(), this.#intervalMs);
    this.#timer.unref();
    await this.refresh();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Looks every name up now. Never rejects. */
  async refresh(): Promise<void> {
    const endpoints = this.#endpoints();
    const hosts = [...new Set(endpoints.map(({ host }) => host))];
    await Promise.all(hosts.map((host) => this.#resolve(host)));
    for (const host of this.#known.keys()) if (!hosts.includes(host)) this.#known.delete(host);
    const list = endpoints.flatMap(({ host, port }) =>
      (this.#known.get(host) ?? []).map((address) => ({ address, port })),
    );
    if (JSON.stringify(list) !== JSON.stringify(this.#current)) this.#current = list;
  }

  async #resolve(host: string): Promise<void> {
    const plain = host.replace(/^\[(.*)\]$/, '$1');
    if (isIP(plain) !== 0) {
      this.#known.set(host, [plainAddress(plain)]);
      return;
    }
    try {
      const addresses = await this.#lookup(plain);
      if (addresses.length > 0) this.#known.set(host, addresses.map(plainAddress).toSorted());
    } catch {
      // Sending tells about it; what was known before is still the best guess.
    }
  }
}

async function allAddresses(host: string): Promise<readonly string[]> {
  return (await systemLookup(host, { all: true })).map(({ address }) => address);
}
