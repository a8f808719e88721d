import { ClaimTable } from './claim-table.ts';

/**
 * The tables behind an inventory: what each is asked for by, in words, and what its values are. Addresses of the two families have tables of their own,
 * so that the most frequent question has a short key. `port` is protocol * 65536 + port, 0 for any. VPCs are as in columns, as two's complement.
 */
const WIDTHS = {
  /** VPC, address -> row of resources. */
  address4: 2,
  address6: 5,
  /** VPC, prefix length, masked address -> row. */
  network4: 3,
  network6: 6,
  /** VPC, upper 16 bits, lower 32 bits -> row. */
  mac: 3,
  /** VPC -> row. */
  vpc: 1,
  /** VPC -> number of a list of VPCs. */
  peers: 1,
  /** Address towards the Internet -> VPC. */
  wide4: 1,
  wide6: 4,
  /** Pod id -> row. */
  pod: 1,
  /** Cluster, two hashes of the name -> row. */
  podName: 3,
  /** Agent id -> row of agents. */
  agent: 1,
  /** Agent, pid -> global process id. */
  process: 2,
  /** Agent, global process id -> pod id. */
  podOfProcess: 2,
  /** Workload or cluster, port -> service. */
  groupPort: 2,
  clusterPort: 2,
  /** VPC, address, port -> service. */
  service4: 3,
  service6: 6,
  /** Kind of member, id -> custom service. */
  member: 2,
  /** Cluster, port -> custom service. */
  memberCluster: 2,
  /** VPC (0 = any), address, port -> custom service. */
  custom4: 3,
  custom6: 6,
} as const;

export type TableName = keyof typeof WIDTHS;

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys are these by its type
export const TABLES: readonly TableName[] = Object.keys(WIDTHS) as TableName[];

export type Claims = Readonly<Record<TableName, ClaimTable>>;

export function createClaims(): Claims {
  const tables = TABLES.map((name) => [name, new ClaimTable(WIDTHS[name])]);
  return Object.fromEntries(tables);
}

/** Most words of a key. */
export const MOST_KEY_WORDS = 6;

export function keyWidth(table: TableName): number {
  return WIDTHS[table];
}

/** Numbers of the kinds of members in `member`. */
export const MEMBER_KINDS = { service: 1, pod_group: 2, pod: 3, chost: 4, host: 5 } as const;
