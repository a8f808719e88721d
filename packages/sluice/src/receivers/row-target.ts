import type { RowBlock } from '../batch/row-block.ts';
import type { DataSource } from '../catalog/types.ts';

/** Where decoded rows go until they are appended to the journal together. */
export interface RowTarget {
  /** The block that rows of this table and organisation go into now. Ask again after every await: a full block is exchanged for an empty one. */
  block(source: DataSource, org: number): RowBlock;
}
