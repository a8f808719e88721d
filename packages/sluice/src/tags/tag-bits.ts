/** Numbers with a meaning in columns. */

/** Bits of tag_source: what was tried for an end. */
export const triedBy = { process: 1, pod: 2, mac: 4, address: 8, peer: 16, agent: 32, pid: 64 } as const;

/** VPC of everything that is not ours. */
export const INTERNET = -2;

/** Types of auto_instance and auto_service beside those of devices and workloads. */
export const autoType = {
  internet: 0,
  pod: 10,
  podNode: 14,
  podService: 11,
  podCluster: 103,
  customService: 104,
  process: 120,
  address: 255,
} as const;

/** Types of devices with rules of their own. */
export const deviceType = { chost: 1, host: 6, podService: 11 } as const;
