import type { Append, Tagger } from '../base/ports.ts';
import type { Batch } from '../batch/batch.ts';
import { RowBlock } from '../batch/row-block.ts';
import type { DataSource } from '../catalog/types.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { type AcceptWindow, openWindow } from './accept-window.ts';
import type { RowTarget } from './row-target.ts';

export interface RequestRowsOptions {
  /** Label of the metrics. */
  readonly input: string;
  readonly append: Append<Batch>;
  readonly tagger: Tagger<RowBlock>;
  /** How far before and after now rows of a table may lie. */
  readonly accept: (source: DataSource) => AcceptWindow;
  readonly metrics: Metrics;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

/** Memory of blocks that are kept for further requests. */
const KEPT_BLOCKS = 4;
const KEPT_ROWS = 8192;
const KEPT_BYTES = 4 * 1024 * 1024;

/** Makes the targets of requests; their blocks are used again. */
export class RequestRowsPool {
  readonly #options: RequestRowsOptions;
  readonly #free: RowBlock[] = [];

  constructor(options: RequestRowsOptions) {
    this.#options = options;
  }

  open(): RequestRows {
    return new RequestRows(this.#options, this.#free);
  }
}

/** Rows of one HTTP request: a block per table and organisation, appended together. Whoever opened it has to close it. */
class RequestRows implements RowTarget {
  readonly #options: RequestRowsOptions;
  readonly #free: RowBlock[];
  readonly #open: { readonly block: RowBlock; readonly org: number }[] = [];

  constructor(options: RequestRowsOptions, free: RowBlock[]) {
    this.#options = options;
    this.#free = free;
  }

  block(source: DataSource, org: number): RowBlock {
    for (const one of this.#open) if (one.org === org && one.block.source === source) return one.block;
    const reusable = this.#free.findIndex((block) => block.source === source);
    const block = reusable < 0 ? new RowBlock(source) : this.#free.splice(reusable, 1)[0]!;
    const { accept, now = Date.now } = this.#options;
    openWindow(block, accept(source), now());
    this.#open.push({ block, org });
    return block;
  }

  /** Rows that were committed and not yet appended. */
  get rows(): number {
    let rows = 0;
    for (const { block } of this.#open) rows += block.rows;
    return rows;
  }

  /** Resolves when all rows so far are in the journal; rejects as Append does. Rows may be added afterwards. */
  async append(): Promise<void> {
    const { append, tagger, metrics, input } = this.#options;
    const full = this.#open.filter(({ block }) => block.rows > 0);
    if (full.length === 0) return;
    for (const { block, org } of full) tagger(block, org);
    await append(full.map(({ block, org }) => block.finish(org)));
    for (const { block } of full) {
      metrics.receivedRows.inc({ input, table: block.source.id }, block.rows);
      block.reset();
    }
  }

  /** Drops what was not appended, without counting it. */
  close(): void {
    for (const { block } of this.#open.splice(0)) {
      const isSmall = block.capacity <= KEPT_ROWS && block.bytes <= KEPT_BYTES;
      block.reset();
      if (isSmall && this.#free.length < KEPT_BLOCKS) this.#free.push(block);
    }
  }
}
export type { RequestRows };
