/** What all tables fed by agents have in common. */
export const agentRows = {
  time: { column: 'time', unit: 's' },
  engine: { kind: 'MergeTree' },
  acceptAheadMs: 600_000,
  sealAfterMs: 5_000,
  sealSparse: { below: 1_000, afterMs: 10_000 },
} as const;

/** Retention in whole days, as DeepFlow keeps its tables. */
export function keptDays(days: number): { readonly days: number; readonly extraHours: number } {
  return { days, extraHours: 0 };
}
