import type { Names } from '../../base/ports.ts';
import type { Batch } from '../../batch/batch.ts';
import { ItemWriter } from '../../delivery/item-writer.ts';
import type { EncodePass, ItemSink } from '../../delivery/types.ts';
import { columnNamed, uint32Values } from '../columns.ts';
import { nameTablesOf } from '../name-tables.ts';
import type { Selector } from '../selection.ts';
import { LogColumns } from './log-columns.ts';
import { createResourceBlocks } from './resource-parts.ts';
import { SpanWriter } from './span-writer.ts';

/** A writer that grew beyond this for one row is not kept. */
const MOST_KEPT = 1024 * 1024;

/** Makes spans of the rows of flow_log.l7_flow_log: head of an item = Resource, body = Span, as they stand in OTLP. */
export class SpanEncoder {
  readonly #selector: Selector;
  readonly #names: Names;
  readonly #blocks = createResourceBlocks();
  #head = new ItemWriter();

  constructor(selector: Selector, names: Names) {
    this.#selector = selector;
    this.#names = names;
  }

  begin(batch: Batch, firstRow: number, nowMs: number): EncodePass {
    const { rows, left } = this.#selector.select(batch, nowMs);
    let spans: SpanWriter | undefined;
    const ends = uint32Values(columnNamed(batch, 'end_time'));
    const encode = (from: number, to: number, sink: ItemSink): void => {
      spans ??= new SpanWriter({
        columns: new LogColumns(batch, nameTablesOf(this.#names)),
        selector: this.#selector,
        blocks: this.#blocks,
        firstRow,
      });
      const head = this.#head;
      for (let i = from; i < to; i++) {
        const row = rows[i]!;
        const writer = sink.spread();
        head.at = 0;
        spans.putResource(head, row);
        spans.putSpan(writer, row);
        writer.end(firstRow + row, milliseconds(ends, row), head.bytes, head.at);
      }
      if (head.bytes.length > MOST_KEPT) this.#head = new ItemWriter();
    };
    return { rows, left, encode };
  }
}

/** Of microseconds, two words a row. */
function milliseconds(words: Uint32Array, row: number): number {
  return Math.floor((words[row * 2 + 1]! * 0x1_0000_0000 + words[row * 2]!) / 1000);
}
