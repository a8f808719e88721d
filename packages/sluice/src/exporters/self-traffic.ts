import type { Batch } from '../batch/batch.ts';
import { valuesOf } from '../batch/read.ts';
import type { DataSource } from '../catalog/types.ts';
import { columnIndex, uint32Values, uint8Values } from './columns.ts';
import { ipv4Number, ipv6Bytes } from '../base/address.ts';

/** A server as connections see it: the address without brackets. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** The hub's own process, to know it in what agents saw of it. Where pids are the container's own they say nothing to agents: leave it out. */
export interface HubProcess {
  readonly pid: number;
  /** Addresses of the machine: pids of others mean other processes. Asked for each Batch; the same list while nothing changes. */
  readonly addresses: () => readonly string[];
}

/** Number of `role` where the end that a row tells of is the server. */
const SERVER = 1;

/** Addresses in the forms in which columns have them. */
class AddressList {
  readonly #ipv4 = new Set<number>();
  readonly #ipv6: readonly Uint8Array[];

  constructor(addresses: readonly string[]) {
    const ipv6: Uint8Array[] = [];
    for (const address of addresses) {
      const number = ipv4Number(address);
      if (number !== undefined) this.#ipv4.add(number);
      const bytes = ipv6Bytes(address);
      if (bytes !== undefined) ipv6.push(bytes);
    }
    this.#ipv6 = ipv6;
  }

  has({ isIpv4, ipv4, ipv6 }: AddressColumns, row: number): boolean {
    if (isIpv4[row] !== 0) return this.#ipv4.has(ipv4[row]!);
    return this.#ipv6.some((bytes) => isSame(bytes, ipv6, row));
  }
}

interface AddressColumns {
  readonly isIpv4: Uint8Array;
  readonly ipv4: Uint32Array;
  readonly ipv6: Uint8Array;
}

function isSame(bytes: Uint8Array, ipv6: Uint8Array, row: number): boolean {
  for (let at = 0; at < 16; at++) if (ipv6[row * 16 + at] !== bytes[at]) return false;
  return true;
}

/**
 * Finds rows that tell of the hub's own doings, which would otherwise be exported for having been exported: those whose server is an endpoint of the
 * exporter, and those of the hub's process, where the table knows processes.
 */
export class SelfTraffic {
  readonly #source: DataSource;
  readonly #hub: HubProcess | undefined;
  readonly #endpoints: () => readonly Endpoint[];
  #knownEndpoints: readonly Endpoint[] = [];
  /** Addresses by port. */
  #servers = new Map<number, AddressList>();
  #isServerPort = new Uint8Array(65_536);
  #knownAddresses: readonly string[] = [];
  #own = new AddressList([]);

  constructor(source: DataSource, endpoints: () => readonly Endpoint[], hub: HubProcess | undefined) {
    this.#source = source;
    this.#endpoints = endpoints;
    this.#hub = hub;
  }

  /** Calls `mark` for each such row. */
  find(batch: Batch, mark: (row: number) => void): void {
    this.#findServers(batch, mark);
    if (this.#hub !== undefined) this.#findProcess(batch, this.#hub, mark);
  }

  #findServers(batch: Batch, mark: (row: number) => void): void {
    this.#readEndpoints();
    const portColumn = this.#column(batch, 'server_port');
    const isMap = columnIndex(this.#source, 'ip4_1') >= 0;
    const roles = isMap ? undefined : this.#column(batch, 'role');
    if (this.#servers.size === 0 || portColumn === undefined || (!isMap && roles === undefined)) return;
    const ports = valuesOf(portColumn, Uint16Array);
    const role = roles === undefined ? undefined : uint8Values(roles);
    const addresses = this.#addresses(batch, isMap ? '_1' : '');
    const isServerPort = this.#isServerPort;
    for (let row = 0; row < ports.length; row++) {
      if (isServerPort[ports[row]!] === 0) continue;
      if (role !== undefined && role[row] !== SERVER) continue;
      if (this.#servers.get(ports[row]!)!.has(addresses, row)) mark(row);
    }
  }

  #findProcess(batch: Batch, { pid, addresses }: HubProcess, mark: (row: number) => void): void {
    const current = addresses();
    if (current !== this.#knownAddresses) {
      this.#knownAddresses = current;
      this.#own = new AddressList(current);
    }
    for (const end of ['_0', '_1'] as const) {
      const column = this.#column(batch, `process_id${end}`);
      if (column === undefined) continue;
      const pids = uint32Values(column);
      let columns: AddressColumns | undefined;
      for (let row = 0; row < pids.length; row++) {
        if (pids[row] === pid && this.#own.has((columns ??= this.#addresses(batch, end)), row)) mark(row);
      }
    }
  }

  #readEndpoints(): void {
    const endpoints = this.#endpoints();
    if (endpoints === this.#knownEndpoints) return;
    this.#knownEndpoints = endpoints;
    const addresses = Map.groupBy(endpoints, ({ port }) => port);
    this.#servers = new Map(
      [...addresses].map(([port, list]) => [port, new AddressList(list.map(({ address }) => address))]),
    );
    this.#isServerPort.fill(0);
    for (const port of addresses.keys()) this.#isServerPort[port] = 1;
  }

  #addresses(batch: Batch, end: '' | '_0' | '_1'): AddressColumns {
    return {
      isIpv4: uint8Values(this.#column(batch, 'is_ipv4')!),
      ipv4: uint32Values(this.#column(batch, `ip4${end}`)!),
      ipv6: uint8Values(this.#column(batch, `ip6${end}`)!),
    };
  }

  #column(batch: Batch, name: string): Batch['columns'][number] | undefined {
    return batch.columns[columnIndex(this.#source, name)];
  }
}
