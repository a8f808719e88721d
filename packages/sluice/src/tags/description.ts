/**
 * What sources tell of one organisation: resources, normalised, without ids.
 *
 * A resource is named by its kind and its source's own key. Two sources that mean the same thing must use the same key (KEYS below); what they tell is
 * then put together (merge.ts). Resources point to each other by such keys. A key that nobody describes is no mistake: what would follow from it is
 * not known until somebody does.
 *
 * Objects are never changed once they were delivered: something that changed is a new object, what did not change had better stay the same one.
 *
 * KEYS by kind:
 *
 *     region, az, host, chost, router, dhcpgw, redis, rds, lb, natgw, custom_service    the name
 *     vpc            its number in decimal, as agents are told it (`vpc-id` of their group); or a name, then a number is given to it
 *     subnet         `<vpc key>/<name>`; or `<vpc key>/<first CIDR>` where it has no name
 *     pod_cluster    the cluster's id, as agents of the cluster report it
 *     pod_node       `<cluster>/<name>`
 *     pod_ns         `<cluster>/<name>`
 *     pod_group      `<cluster>/<namespace>/<type>/<name>`, type as in WORKLOAD_TYPES
 *     pod_service    `<cluster>/<namespace>/<name>`
 *     pod            `<cluster>/<uid>`
 *     agent          its number in decimal
 *     gprocess       its global process id in decimal
 */
export type Resource =
  | Region
  | Zone
  | Vpc
  | Subnet
  | Host
  | Device
  | PodCluster
  | PodNode
  | PodNamespace
  | PodGroup
  | PodService
  | Pod
  | Process
  | Agent
  | CustomService;

export type ResourceKind = Resource['kind'];

export interface ResourceRef {
  readonly kind: ResourceKind;
  readonly key: string;
}

/** What an agent and its processes run on. */
export interface MachineRef extends ResourceRef {
  readonly kind: 'chost' | 'pod_node';
}

interface Common {
  readonly key: string;
  /** As people call it. */
  readonly name: string;
  /** The number is given by somebody else: ids of agents and processes, VPCs that agents are told, numbers written into the static file. */
  readonly id?: number;
}

/** Something with addresses. */
interface Addressed {
  /** VPC of its addresses; absent: that of what it is part of (node, cluster), else DEFAULT_VPC. */
  readonly vpc?: string;
  /** IPv4 and IPv6 addresses without more to say about them. */
  readonly addresses?: readonly string[];
  /** Addresses with a MAC, in a subnet or VPC of their own, or towards the Internet. */
  readonly interfaces?: readonly Interface[];
  /** Since when it has its addresses, epoch seconds. The later one has an address that two claim. */
  readonly since?: number;
}

/** Where it stands. What is absent follows from what it is part of (host, node, cluster, subnet, VPC). */
interface Placed {
  readonly region?: string;
  readonly az?: string;
}

/** VPC of what says nothing of one: that of agents whose group says nothing. */
export const DEFAULT_VPC = '1';

export interface Interface {
  /** 48 bits; 0 or absent = none. */
  readonly mac?: number;
  readonly vpc?: string;
  /** VPC that the MAC address belongs to; absent: `vpc`. */
  readonly macVpc?: string;
  /** Its addresses are those of its VPC towards the Internet. */
  readonly isWan?: boolean;
  /** The last IPv4 or IPv6 address stands for the interface where one must. */
  readonly addresses: readonly InterfaceAddress[];
}

export interface InterfaceAddress {
  readonly ip: string;
  /** Absent: the subnet with the longest prefix that contains it. */
  readonly subnet?: string;
}

/** Names with values (labels, annotations, ...), sorted by name, each name once. */
export type Pairs = readonly (readonly [name: string, value: string])[];

export interface Region extends Common {
  readonly kind: 'region';
  /** The hub stands in it: the region of what is in no known VPC. */
  readonly isOwn?: boolean;
}

export interface Zone extends Common {
  readonly kind: 'az';
  readonly region?: string;
}

export interface Vpc extends Common {
  readonly kind: 'vpc';
  readonly region?: string;
  /** VPCs that it is connected with, best first. */
  readonly peers?: readonly string[];
}

export interface Subnet extends Common, Placed {
  readonly kind: 'subnet';
  readonly vpc?: string;
  /** `10.0.0.0/8`, `fd00::/64`; none for a subnet that only addresses point to. */
  readonly cidrs: readonly string[];
}

/** A machine that others run on, or that stands for itself. */
export interface Host extends Common, Addressed, Placed {
  readonly kind: 'host';
}

/** A virtual machine (`chost`) or something that a cloud runs for its user. */
export interface Device extends Common, Addressed, Placed {
  readonly kind: 'chost' | 'router' | 'dhcpgw' | 'redis' | 'rds' | 'lb' | 'natgw';
  readonly host?: string;
  readonly cloudTags?: Pairs;
}

export interface PodCluster extends Common, Placed {
  readonly kind: 'pod_cluster';
  readonly vpc?: string;
}

export interface PodNode extends Common, Addressed, Placed {
  readonly kind: 'pod_node';
  readonly cluster: string;
  /** The machine that it runs on. */
  readonly host?: string;
  /** Interfaces with a MAC in the network namespaces of its pods: those of the pods that have their addresses. */
  readonly podInterfaces?: readonly Interface[];
}

export interface PodNamespace extends Common {
  readonly kind: 'pod_ns';
  readonly cluster: string;
  readonly cloudTags?: Pairs;
}

/** A workload. */
export interface PodGroup extends Common {
  readonly kind: 'pod_group';
  readonly cluster: string;
  readonly namespace?: string;
  readonly type: WorkloadType;
}

export type WorkloadType = keyof typeof WORKLOAD_TYPES;

/** Kinds of workloads and their numbers in rows. */
export const WORKLOAD_TYPES = {
  deployment: 130,
  statefulset: 131,
  replicationcontroller: 132,
  daemonset: 133,
  replicaset: 134,
  cloneset: 135,
} as const;

const TYPES = new Map<string | undefined, number>(Object.entries(WORKLOAD_TYPES));

/** The number of a workload's type by its key, 0 = of none of these. It is read from the key's end: a cluster's id may have slashes. */
export function workloadTypeOfKey(key: string): number {
  return TYPES.get(key.split('/').at(-2)) ?? 0;
}

export interface PodService extends Common, Addressed, Placed {
  readonly kind: 'pod_service';
  readonly cluster: string;
  readonly namespace?: string;
  readonly ports?: readonly ServicePort[];
  /** Workloads whose pods it selects. */
  readonly podGroups?: readonly string[];
  /** Pods that it selects: their workloads count as well. */
  readonly pods?: readonly string[];
  readonly labels?: Pairs;
  readonly annotations?: Pairs;
}

export interface ServicePort {
  readonly protocol: Protocol;
  /** At the service's own addresses. */
  readonly port: number;
  /** At the pods; absent: `port`. Several where a named port has another number in different pods. */
  readonly targetPorts?: readonly number[];
  /** At every node of the cluster. */
  readonly nodePort?: number;
}

/** `any`: SCTP and everything else, which rows do not tell apart. */
export type Protocol = 'tcp' | 'udp' | 'any';

export interface Pod extends Common, Addressed {
  readonly kind: 'pod';
  readonly cluster: string;
  readonly namespace?: string;
  readonly group?: string;
  /** Node that it runs on: tells its host, zone and region. */
  readonly node?: string;
  /** Ids as agents report them, without a scheme such as `containerd://`. A pod of the host's network has no addresses here. */
  readonly containers?: readonly string[];
  readonly labels?: Pairs;
  readonly annotations?: Pairs;
  readonly environment?: Pairs;
}

export interface Process extends Common {
  readonly kind: 'gprocess';
  readonly id: number;
  /** Agent on whose machine it runs. */
  readonly agent: number;
  readonly machine?: MachineRef;
  readonly pid: number;
  /** Pod in which it runs: by its key, else the pod with this container. */
  readonly pod?: string;
  readonly container?: string;
  readonly appTags?: Pairs;
  readonly since?: number;
}

export interface Agent extends Common {
  readonly kind: 'agent';
  readonly id: number;
  readonly vpc?: string;
  /** Its own address. */
  readonly address?: string;
  readonly machine?: MachineRef;
  /** Cluster in which it looks for pods by name. */
  readonly cluster?: string;
}

/** Addresses and resources that the user calls a service. */
export interface CustomService extends Common {
  readonly kind: 'custom_service';
  readonly members: readonly CustomServiceMemberRef[];
}

/** Without ports: all of them. */
export type CustomServiceMemberRef =
  | { readonly kind: 'pod_service' | 'pod_group' | 'pod' | 'chost' | 'host'; readonly key: string }
  | { readonly kind: 'pod_cluster'; readonly key: string; readonly ports?: readonly MemberPort[] }
  /** Without a VPC: in any of them. */
  | { readonly kind: 'address'; readonly ip: string; readonly vpc?: string; readonly ports?: readonly MemberPort[] };

export interface MemberPort {
  readonly protocol: Protocol;
  readonly port: number;
}
