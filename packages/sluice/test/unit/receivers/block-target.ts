import type { Batch } from '../../../src/batch/batch.ts';
import { RowBlock } from '../../../src/batch/row-block.ts';
import type { DataSource } from '../../../src/catalog/types.ts';
import { type AcceptWindow, openWindow } from '../../../src/receivers/accept-window.ts';
import type { Sender } from '../../../src/receivers/record-decoder.ts';
import type { RowTarget } from '../../../src/receivers/row-target.ts';
import { type Row, rowsOf } from './row-values.ts';

/** Keeps the rows of decoders under test, by table and organisation. */
export class BlockTarget implements RowTarget {
  readonly blocks = new Map<string, { readonly block: RowBlock; readonly org: number }>();
  readonly #capacity: number;
  readonly #window: AcceptWindow;
  readonly #nowMs: number;

  /** `capacity`: rows of blocks at the beginning; small, so that they grow under test. `window`: around `nowMs`. */
  constructor(capacity = 2, window: AcceptWindow = OPEN, nowMs = 0) {
    this.#capacity = capacity;
    this.#window = window;
    this.#nowMs = nowMs;
  }

  block(source: DataSource, org: number): RowBlock {
    const key = `${org}/${source.id}`;
    let known = this.blocks.get(key);
    if (known === undefined) {
      known = { block: new RowBlock(source, this.#capacity), org };
      openWindow(known.block, this.#window, this.#nowMs);
      this.blocks.set(key, known);
    }
    return known.block;
  }

  batches(): Batch[] {
    return [...this.blocks.values()].filter(({ block }) => block.rows > 0).map(({ block, org }) => block.finish(org));
  }

  /** Rows of a table so far, of all organisations, then none. */
  take(table: string): Row[] {
    const rows: Row[] = [];
    for (const { block, org } of this.blocks.values()) {
      if (block.source.id !== table) continue;
      rows.push(...rowsOf(block.finish(org)));
      block.reset();
    }
    return rows;
  }
}

export const OPEN: AcceptWindow = { behindMs: Infinity, aheadMs: Infinity };

export const SENDER: Sender = { org: 1, team: 3, agent: 12, address: '127.0.0.1' };
