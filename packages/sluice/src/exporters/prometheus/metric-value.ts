import type { Cells } from '../cells.ts';

const TWO_32 = 4_294_967_296;

/** The value of a row's metric as a double: whole numbers above 2^53 are rounded to the nearest. Lists and texts have none. */
export function numberOf(cells: Cells, row: number): number {
  switch (cells.kind) {
    case 'unsigned':
    case 'signed':
    case 'float':
      return cells.values[row]!;
    case 'unsigned64':
      return cells.words[row * 2 + 1]! * TWO_32 + cells.words[row * 2]!;
    case 'signed64':
      return (cells.words[row * 2 + 1]! | 0) * TWO_32 + cells.words[row * 2]!;
    case 'text':
    case 'named':
    case 'ipv4':
    case 'ipv6':
    case 'mac':
    case 'texts':
    case 'floats':
      return Number.NaN;
  }
}
