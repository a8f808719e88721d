import type { AddressKey } from './address-key.ts';
import type { ResourceTable } from './resource-table.ts';

/**
 * What the rules of this room ask: who was behind an address, a MAC, a pod id or a process at a time.
 *
 * Answers are small whole numbers: rows of `resources` and `agents`, or ids as they stand in columns; 0 = nothing known. VPCs are numbered as in the
 * columns: positive ids, 0 unknown, -1 other, -2 Internet. Every question is asked for a `version`, so that a row is tagged by what was true at its
 * own time. Nothing changes while a block is tagged.
 */
export interface Inventory {
  /** True: every question is answered with "nothing", so rules need not ask. */
  readonly isEmpty: boolean;
  readonly resources: ResourceTable;
  readonly agents: AgentTable;
  /** Absent = there are none. */
  readonly services?: ServiceLookup | undefined;
  readonly customServices?: CustomServiceLookup | undefined;

  /** Number of what was true at this time (epoch seconds). Two times of equal number have equal answers; a number never gets another meaning. */
  versionAt(seconds: number): number;

  /** Resource that owns exactly this address. */
  address(key: AddressKey): number;
  /** Resource with the subnet, zone and region of the longest network prefix of the VPC that contains the address. Its VPC is 0. */
  network(key: AddressKey): number;
  /** Resource with nothing but the region of a VPC; for VPC 0 the hub's own region. */
  vpc(version: number, vpc: number): number;
  /** Resource behind a MAC address; nothing when several have it. */
  mac(version: number, mac: MacKey): number;
  /** Resource of a pod: that of its last address, or of its node when it has none of its own, with the pod's own ids. */
  pod(version: number, pod: number): number;
  /** The same for a pod by its name (UTF-8) in the cluster of an agent. */
  podNamed(version: number, agent: number, name: Uint8Array): number;
  /** Row of an agent in `agents`. */
  agent(version: number, agent: number): number;

  /** Global process id of a pid on an agent's machine. */
  process(version: number, agent: number, pid: number): number;
  /** Pod in which a process (global id) runs, if it runs on this agent's machine. */
  podOfProcess(version: number, agent: number, gprocess: number): number;

  /** VPCs that a VPC is connected with, in order of preference. */
  peerVpcs(version: number, vpc: number): Int32Array;
  /** VPC that has this address towards the Internet. `key.vpc` does not matter. */
  wideAreaVpc(key: AddressKey): number;
}

/** A MAC address within a VPC. `high` are the upper 16 bits of the 48, `low` the other 32. */
export interface MacKey {
  readonly vpc: number;
  readonly high: number;
  readonly low: number;
}

/** What is known of agents themselves, by row; row 0 is no agent. */
export interface AgentTable {
  readonly vpc: Int32Array;
  /** 1: the address is in `ip4`. */
  readonly isIpv4: Uint8Array;
  readonly ip4: Uint32Array;
  /** Four words a row, in the order of the bytes. */
  readonly ip6: Uint32Array;
}

/** A port of a service. Protocol is 6 (TCP), 17 (UDP) or 0 (any other); port 0, with protocol 0, stands for any port of it. */
export interface PortKey {
  readonly protocol: number;
  readonly port: number;
}

/** Kubernetes services. */
export interface ServiceLookup {
  /** Service in front of a workload. */
  ofPodGroup(version: number, podGroup: number, port: PortKey): number;
  /** Service with this port on every node of a cluster. */
  ofPodCluster(version: number, podCluster: number, port: PortKey): number;
  /** Service with this address. */
  ofAddress(key: AddressKey, port: PortKey): number;
}

/** Services that the user has put together. */
export interface CustomServiceLookup {
  of(version: number, kind: CustomServiceMember, id: number): number;
  ofPodCluster(version: number, podCluster: number, port: PortKey): number;
  /** `key.vpc` 0: services of any VPC. */
  ofAddress(key: AddressKey, port: PortKey): number;
}

/** What a custom service can be made of, addresses and clusters aside. */
export type CustomServiceMember = 'service' | 'pod_group' | 'pod' | 'chost' | 'host';
