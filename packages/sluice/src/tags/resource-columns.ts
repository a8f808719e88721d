import type { EndColumns } from './end-columns.ts';
import { WORDS, word, type ResourceTable } from './resource-table.ts';
import { triedBy } from './tag-bits.ts';

export interface FoundResources {
  readonly table: ResourceTable;
  /** Resource of each row, 0 = none. */
  readonly found: Uint32Array;
  /** tag_source of each row, in tables that have it. */
  readonly tagSource?: Uint8Array;
}

/**
 * Writes what was found for the rows of an end into its columns; rows without a resource keep what they have. The VPC is what the message says and
 * stays. As in DeepFlow, a MAC address tells everything of a pod but its namespace.
 */
export function writeResources(end: EndColumns, rows: number, { table, found, tagSource }: FoundResources): void {
  const { words } = table;
  for (let row = 0; row < rows; row++) {
    const resource = found[row]!;
    if (resource === 0) continue;
    const at = resource * WORDS;
    end.region[row] = words[at + word.region]!;
    end.zone[row] = words[at + word.zone]!;
    end.host[row] = words[at + word.host]!;
    end.deviceType[row] = words[at + word.deviceType]!;
    end.device[row] = words[at + word.device]!;
    end.subnet[row] = words[at + word.subnet]!;
    end.podNode[row] = words[at + word.podNode]!;
    const byMac = tagSource !== undefined && (tagSource[row]! & NETWORK_BITS) === triedBy.mac;
    end.podNamespace[row] = byMac ? 0 : words[at + word.podNamespace]!;
    end.podGroup[row] = words[at + word.podGroup]!;
    end.pod[row] = words[at + word.pod]!;
    end.podCluster[row] = words[at + word.podCluster]!;
  }
}

/** The ways to look up an end by the network, in the order they are tried: the last one set is the one that found it. */
const NETWORK_BITS = triedBy.mac | triedBy.agent | triedBy.address;
