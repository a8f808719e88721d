import { encodeNative, type EncodedBlock } from '../batch/native.ts';
import type { Batch } from '../batch/batch.ts';
import { sliceBatch } from './batch-rows.ts';

/** Batches of one table and organisation that become one block. */
export interface BatchGroup {
  readonly batches: Batch[];
}

/**
 * Joins the Batches of several inputs into few blocks. The result, written in order, keeps two promises: the Batches of one input stand in the order
 * of its list (series before samples), and the Batches of one table stand in the order of the inputs.
 */
export function groupBatches(inputs: readonly (readonly Batch[])[]): readonly BatchGroup[] {
  const groups: BatchGroup[] = [];
  for (const input of inputs) {
    // The group of this input's latest Batch: the next one goes there or behind it, never before.
    let place = -1;
    for (const batch of input) {
      if (batch.rows === 0) continue;
      const last = groups.findLastIndex(
        ({ batches: [first] }) => first!.source === batch.source && first!.org === batch.org,
      );
      if (last >= 0 && last >= place) {
        groups[last]!.batches.push(batch);
        place = last;
      } else {
        // Behind every group of this table and behind the input's own Batches so far.
        const at = Math.max(place, last) + 1;
        groups.splice(at, 0, { batches: [batch] });
        place = at;
      }
    }
  }
  return groups;
}

export interface BlockLimits {
  readonly maxRows: number;
  readonly maxBytes: number;
}

export interface GroupBlock {
  readonly block: EncodedBlock;
  readonly batches: readonly Batch[];
  readonly minTime: number;
  readonly maxTime: number;
}

/** Encodes a group as one block, or as several where it is larger than a block may be: Batches, then rows are cut in halves. */
export function* encodeBlocks(batches: readonly Batch[], limits: BlockLimits): Generator<GroupBlock, void, undefined> {
  let rows = 0;
  for (const batch of batches) rows += batch.rows;
  if (rows <= limits.maxRows) {
    const block = encodeNative(batches);
    if (block.bytes <= limits.maxBytes || rows === 1) {
      let minTime = Infinity;
      let maxTime = -Infinity;
      for (const batch of batches) {
        minTime = Math.min(minTime, batch.minTime);
        maxTime = Math.max(maxTime, batch.maxTime);
      }
      yield { block, batches, minTime, maxTime };
      return;
    }
  }
  const [only] = batches;
  if (batches.length === 1 && only !== undefined) {
    const half = only.rows >> 1;
    yield* encodeBlocks([sliceBatch(only, 0, half)], limits);
    yield* encodeBlocks([sliceBatch(only, half, only.rows)], limits);
  } else {
    const half = batches.length >> 1;
    yield* encodeBlocks(batches.slice(0, half), limits);
    yield* encodeBlocks(batches.slice(half), limits);
  }
}
