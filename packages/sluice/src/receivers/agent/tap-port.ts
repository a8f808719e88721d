/**
 * Where traffic was captured, packed by the agent into 64 bits (`tap_port`); its low half is the interface itself (`capture_nic`).
 *
 *   bits 63-60 what identifies the interface | 59-40 reserved | 39-36 NAT source | 35-32 tunnel type | 31-0 interface
 *
 * These functions take the high half.
 */
export function captureNicTypeOf(high: number): number {
  return high >>> 28;
}

export function natSourceOf(high: number): number {
  return (high >>> 4) & 15;
}

export function tunnelTypeOf(high: number): number {
  return high & 15;
}
