import { bug } from '../base/errors.ts';
import type { Batch } from '../batch/batch.ts';
import { columnNamed, uint32Values } from './columns.ts';

const TWO_32 = 4_294_967_296;
const ticksPerMs = { ms: 1, us: 1_000, ns: 1_000_000 } as const;

/** Calls `mark` for each row that happened before `limit`, epoch milliseconds. */
export function findOlder(batch: Batch, limit: number, mark: (row: number) => void): void {
  if (batch.minTime >= limit) return;
  const { column: name, unit } = batch.source.time;
  const column = columnNamed(batch, name);
  if (column.kind !== 'fixed') return bug(`times of ${batch.source.id} lie in a column of fixed width`);
  const words = uint32Values(column);
  if (unit === 's') {
    for (let row = 0; row < batch.rows; row++) if (words[row]! * 1000 < limit) mark(row);
    return;
  }
  const ticks = limit * ticksPerMs[unit];
  for (let row = 0; row < batch.rows; row++) {
    if ((words[row * 2 + 1]! | 0) * TWO_32 + words[row * 2]! < ticks) mark(row);
  }
}
