import type { Resource, ResourceKind } from './description.ts';

/** A resource as the inventory has it. */
export interface Held {
  readonly resource: Resource;
  readonly id: number;
  /** Best source that describes it, as a place in PRECEDENCE. */
  readonly precedence: number;
  /** Of the facts in the inventory. */
  readonly signature: number;
  readonly hasAddress: boolean;
  /** Claims, entry * CLAIM_TABLES + number of the table. */
  readonly claims: readonly number[];
  readonly rows: readonly number[];
  /** The row that stands for it, one of `rows`; 0 = none. */
  readonly row: number;
  readonly agentRow: number;
  /** Since when the claims are true, epoch seconds. */
  readonly fromS: number;
}

/** Finds resources by kind and key. */
export type FindHeld = (kind: ResourceKind, key: string | undefined) => Held | undefined;

export const CLAIM_TABLES = 32;
