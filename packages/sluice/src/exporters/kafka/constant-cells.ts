import { ADDRESS, type Cells } from '../cells.ts';

/** Whether a field is known to be the same in all rows. Where it is not, the first rows tell, as a rule: only for a constant are all of them looked at. */
export function isConstant(cells: Cells): boolean {
  switch (cells.kind) {
    case 'unsigned':
    case 'signed':
      return cells.nulls === undefined ? isRepeated(cells.values) : isAbsent(cells.nulls);
    case 'unsigned64':
    case 'signed64':
      return cells.nulls === undefined ? isRepeatedPair(cells.words) : isAbsent(cells.nulls);
    case 'named':
      return (
        (cells.nulls === undefined && isRepeated(cells.index) && cells.index[0] !== ADDRESS) || isAbsent(cells.nulls)
      );
    case 'text':
      // Nothing but lengths.
      return cells.bytes.length === cells.ends.length;
    case 'texts':
    case 'floats':
      return cells.ends.at(-1) === 0;
    case 'float':
    case 'ipv4':
    case 'ipv6':
      return isAbsent(cells.nulls);
    case 'mac':
      return false;
  }
}

type Numbers = Extract<Cells, { kind: 'unsigned' | 'signed' }>['values'];

function isAbsent(nulls: Uint8Array | undefined): boolean {
  return nulls !== undefined && !nulls.includes(0);
}

function isRepeated(values: Numbers): boolean {
  const [first] = values;
  for (let row = 1; row < values.length; row++) if (values[row] !== first) return false;
  return true;
}

function isRepeatedPair(words: Uint32Array): boolean {
  const [low, high] = words;
  for (let at = 2; at < words.length; at += 2) if (words[at] !== low || words[at + 1] !== high) return false;
  return true;
}
