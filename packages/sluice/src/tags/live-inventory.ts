import type { AddressKey } from './address-key.ts';
import { mask4, mask6 } from '../base/address.ts';
import { AgentRows } from './agent-rows.ts';
import { ChainedHash } from './chained-hash.ts';
import type { ClaimTable } from './claim-table.ts';
import { createClaims, MEMBER_KINDS, TABLES, type Claims, type TableName } from './claims.ts';
import type {
  CustomServiceLookup,
  CustomServiceMember,
  Inventory,
  MacKey,
  PortKey,
  ServiceLookup,
} from './inventory.ts';
import { PeerLists } from './peer-lists.ts';
import { PrefixLengths } from './prefix-lengths.ts';
import { ResourceTable, WORDS, word } from './resource-table.ts';
import { Timeline } from './timeline.ts';

/**
 * The inventory of an organisation: tables of claims (claim-table.ts), each valid for a time, and the times at which answers changed. A change costs
 * what it changes; nothing is ever copied whole, and a change that is prepared over several turns of the event loop is seen all at once.
 *
 * inventory-builder.ts writes it.
 */
export class LiveInventory implements Inventory {
  readonly isEmpty = false;
  readonly resources = new ResourceTable();
  readonly agents = new AgentRows();
  readonly claims: Claims = createClaims();
  readonly timeline = new Timeline();
  readonly peerLists = new PeerLists();
  readonly lengths4 = new PrefixLengths();
  readonly lengths6 = new PrefixLengths();
  /** Questions without an answer since they were last read, by MISSES. */
  readonly misses = new Uint32Array(MISSES.length);
  services: ServiceLookup | undefined;
  customServices: CustomServiceLookup | undefined;
  readonly #hash = new ChainedHash();

  versionAt(seconds: number): number {
    return this.timeline.versionAt(seconds);
  }

  address(key: AddressKey): number {
    const second = this.timeline.secondOf(key.version);
    const { claims } = this;
    const row = key.isIpv4
      ? find2(claims.address4, second, key.vpc, key.ip4)
      : findAddress6(claims.address6, second, key.vpc, key.ip6);
    if (row === 0) this.misses[MISS.address]!++;
    return row;
  }

  network(key: AddressKey): number {
    const second = this.timeline.secondOf(key.version);
    if (key.isIpv4) {
      const table = this.claims.network4;
      for (const length of this.lengths4.of(key.vpc >>> 0)) {
        table.key[0] = key.vpc;
        table.key[1] = length;
        table.key[2] = mask4(key.ip4, length);
        const row = table.find(second);
        if (row !== 0) return row;
      }
      return 0;
    }
    const table = this.claims.network6;
    for (const length of this.lengths6.of(key.vpc >>> 0)) {
      table.key[0] = key.vpc;
      table.key[1] = length;
      for (let i = 0; i < 4; i++) table.key[2 + i] = key.ip6[i]! & mask6[length * 4 + i]!;
      const row = table.find(second);
      if (row !== 0) return row;
    }
    return 0;
  }

  vpc(version: number, vpc: number): number {
    return find1(this.claims.vpc, this.timeline.secondOf(version), vpc);
  }

  mac(version: number, { vpc, high, low }: MacKey): number {
    const table = this.claims.mac;
    table.key[0] = vpc;
    table.key[1] = high;
    table.key[2] = low;
    return this.#counted(MISS.mac, this.#only(table, version, SAME_DEVICE));
  }

  pod(version: number, pod: number): number {
    return this.#counted(MISS.pod, find1(this.claims.pod, this.timeline.secondOf(version), pod));
  }

  podNamed(version: number, agent: number, name: Uint8Array): number {
    const row = this.agent(version, agent);
    return this.#counted(MISS.podName, row === 0 ? 0 : this.podIn(version, this.agents.cluster[row]!, name));
  }

  /** Resource of the pod of this name in a cluster; nothing when there are several, in different namespaces. `namespace` 0: any of them. */
  podIn(version: number, cluster: number, name: Uint8Array, namespace = 0): number {
    if (cluster === 0) return 0;
    this.#hash.begin().bytes(name);
    const table = this.claims.podName;
    table.key[0] = cluster;
    table.key[1] = this.#hash.low;
    table.key[2] = this.#hash.high;
    if (namespace === 0) return this.#only(table, version, SAME_NAMESPACE);
    const { words } = this.resources;
    let found = 0;
    table.visit(this.timeline.secondOf(version), (row) => {
      if (words[row * WORDS + word.podNamespace] === namespace) found = row;
      return found === 0;
    });
    return found;
  }

  agent(version: number, agent: number): number {
    return this.#counted(MISS.agent, find1(this.claims.agent, this.timeline.secondOf(version), agent));
  }

  process(version: number, agent: number, pid: number): number {
    return this.#counted(MISS.process, find2(this.claims.process, this.timeline.secondOf(version), agent, pid));
  }

  podOfProcess(version: number, agent: number, gprocess: number): number {
    return find2(this.claims.podOfProcess, this.timeline.secondOf(version), agent, gprocess);
  }

  peerVpcs(version: number, vpc: number): Int32Array {
    return this.peerLists.at(find1(this.claims.peers, this.timeline.secondOf(version), vpc));
  }

  wideAreaVpc(key: AddressKey): number {
    const second = this.timeline.secondOf(key.version);
    if (key.isIpv4) return find1(this.claims.wide4, second, key.ip4);
    this.claims.wide6.key.set(key.ip6);
    return this.claims.wide6.find(second);
  }

  /** Offers services and custom services while there are any. */
  publishServices(): void {
    this.services = this.#has('groupPort', 'clusterPort', 'service4', 'service6') ? this.#services : undefined;
    const hasCustom = this.#has('member', 'memberCluster', 'custom4', 'custom6');
    this.customServices = hasCustom ? this.#customServices : undefined;
  }

  /** Memory of tables and rows. */
  get bytes(): number {
    return TABLES.reduce((sum, name) => sum + this.claims[name].bytes, this.resources.bytes);
  }

  readonly #services: ServiceLookup = {
    ofPodGroup: (version, group, port) =>
      find2(this.claims.groupPort, this.timeline.secondOf(version), group, portWord(port)),
    ofPodCluster: (version, cluster, port) =>
      find2(this.claims.clusterPort, this.timeline.secondOf(version), cluster, portWord(port)),
    ofAddress: (key, port) => this.#ofAddress(this.claims.service4, this.claims.service6, key, port),
  };

  readonly #customServices: CustomServiceLookup = {
    of: (version, kind: CustomServiceMember, id) =>
      find2(this.claims.member, this.timeline.secondOf(version), MEMBER_KINDS[kind], id),
    ofPodCluster: (version, cluster, port) =>
      find2(this.claims.memberCluster, this.timeline.secondOf(version), cluster, portWord(port)),
    ofAddress: (key, port) => this.#ofAddress(this.claims.custom4, this.claims.custom6, key, port),
  };

  // oxlint-disable-next-line max-params -- two tables, and the question
  #ofAddress(table4: ClaimTable, table6: ClaimTable, key: AddressKey, port: PortKey): number {
    const second = this.timeline.secondOf(key.version);
    if (key.isIpv4) {
      if (table4.size === 0) return 0;
      table4.key[0] = key.vpc;
      table4.key[1] = key.ip4;
      table4.key[2] = portWord(port);
      return table4.find(second);
    }
    if (table6.size === 0) return 0;
    table6.key[0] = key.vpc;
    table6.key.set(key.ip6, 1);
    table6.key[5] = portWord(port);
    return table6.find(second);
  }

  #counted(miss: number, found: number): number {
    if (found === 0) this.misses[miss]!++;
    return found;
  }

  /** The value of a key whose values all mean the same thing; nothing when they do not. */
  #only(table: ClaimTable, version: number, same: readonly number[]): number {
    const { words } = this.resources;
    let found = 0;
    table.visit(this.timeline.secondOf(version), (row) => {
      if (found === 0) {
        found = row;
        return true;
      }
      if (same.every((at) => words[found * WORDS + at] === words[row * WORDS + at])) return true;
      found = 0;
      return false;
    });
    return found;
  }

  #has(...tables: readonly TableName[]): boolean {
    return tables.some((name) => this.claims[name].size > 0);
  }
}

/** What can be asked for in vain, as metrics call it. */
export const MISSES = ['address', 'mac', 'pod', 'pod_name', 'agent', 'process'] as const;
const MISS = { address: 0, mac: 1, pod: 2, podName: 3, agent: 4, process: 5 } as const;

const SAME_DEVICE = [word.deviceType, word.device];
/** Of two pods of one name in one namespace the later one is meant. */
const SAME_NAMESPACE = [word.podNamespace];

function find1(table: ClaimTable, second: number, first: number): number {
  table.key[0] = first;
  return table.find(second);
}

function find2(table: ClaimTable, second: number, first: number, other: number): number {
  const { key } = table;
  key[0] = first;
  key[1] = other;
  return table.find(second);
}

function findAddress6(table: ClaimTable, second: number, vpc: number, ip6: Uint32Array): number {
  table.key[0] = vpc;
  for (let i = 0; i < 4; i++) table.key[1 + i] = ip6[i]!;
  return table.find(second);
}

export function portWord({ protocol, port }: PortKey): number {
  return ((protocol << 16) | port) >>> 0;
}
