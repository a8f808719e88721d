import { ByteMap, resolveText } from './byte-map.ts';
import type { Cells } from './cells.ts';
import type { Matcher } from './filter-matcher.ts';

/** Says of each row of a column whether the matcher has its value: 1 or 0. Rows without a value have none that matches. */
export type ColumnTest = (cells: Cells, verdicts: Uint8Array) => void;

/** One for each field that is filtered: it remembers verdicts. */
export function createColumnTest(matcher: Matcher): ColumnTest {
  /** Of numbers below 2^16: 0 not known yet, 1 no, 2 yes. */
  const small = new Uint8Array(65_536);
  const texts = new ByteMap(resolveText((text) => (matcher.text(text) ? 1 : 0)));
  const addresses = new ByteMap((bytes, start) => (matcher.ipv6(bytes, start) ? 1 : 0));
  return (cells, verdicts) => {
    switch (cells.kind) {
      case 'unsigned':
        if (cells.values.BYTES_PER_ELEMENT <= 2) testSmall(cells.values, small, matcher, verdicts);
        else testUnsigned(cells.values, matcher, verdicts);
        break;
      case 'signed':
        testSigned(cells.values, matcher, verdicts);
        break;
      case 'unsigned64':
      case 'signed64':
        testWords(cells.words, cells.kind === 'signed64', matcher, verdicts);
        break;
      case 'float':
        for (let row = 0; row < verdicts.length; row++) verdicts[row] = matcher.float(cells.values[row]!) ? 1 : 0;
        break;
      case 'text':
        texts.fill(cells.bytes, cells.ends, verdicts);
        break;
      case 'ipv4':
        testIpv4(cells.values, matcher, verdicts);
        break;
      case 'ipv6':
        for (let row = 0; row < verdicts.length; row++) {
          verdicts[row] = addresses.get(cells.bytes, row * 16, row * 16 + 16);
        }
        break;
      case 'mac':
        for (let row = 0; row < verdicts.length; row++) {
          verdicts[row] = matcher.mac(cells.words[row * 2]!, cells.words[row * 2 + 1]!) ? 1 : 0;
        }
        break;
      case 'texts':
        testTexts(cells, texts, verdicts);
        break;
      case 'floats':
        testFloats(cells, matcher, verdicts);
        break;
      case 'named':
        // Filters see what is stored.
        verdicts.fill(0);
        break;
    }
    if ('nulls' in cells && cells.nulls !== undefined) clear(verdicts, cells.nulls);
  };
}

function testSmall(values: ArrayLike<number>, known: Uint8Array, matcher: Matcher, verdicts: Uint8Array): void {
  for (let row = 0; row < verdicts.length; row++) {
    const value = values[row]!;
    let verdict = known[value]!;
    if (verdict === 0) {
      verdict = matcher.whole(value, 0, false) ? 2 : 1;
      known[value] = verdict;
    }
    verdicts[row] = verdict - 1;
  }
}

function testUnsigned(values: ArrayLike<number>, matcher: Matcher, verdicts: Uint8Array): void {
  for (let row = 0; row < verdicts.length; row++) verdicts[row] = matcher.whole(values[row]!, 0, false) ? 1 : 0;
}

function testSigned(values: ArrayLike<number>, matcher: Matcher, verdicts: Uint8Array): void {
  for (let row = 0; row < verdicts.length; row++) {
    const value = values[row]!;
    verdicts[row] = matcher.whole(value >>> 0, value < 0 ? 0xffff_ffff : 0, true) ? 1 : 0;
  }
}

function testWords(words: Uint32Array, isSigned: boolean, matcher: Matcher, verdicts: Uint8Array): void {
  for (let row = 0; row < verdicts.length; row++) {
    verdicts[row] = matcher.whole(words[row * 2]!, words[row * 2 + 1]!, isSigned) ? 1 : 0;
  }
}

function testIpv4(values: Uint32Array, matcher: Matcher, verdicts: Uint8Array): void {
  for (let row = 0; row < verdicts.length; row++) verdicts[row] = matcher.ipv4(values[row]!) ? 1 : 0;
}

/** A list matches when one of its elements does. */
function testTexts(cells: Cells & { kind: 'texts' }, known: ByteMap, verdicts: Uint8Array): void {
  const { ends, bytes, elementEnds } = cells;
  let at = 0;
  for (let row = 0; row < verdicts.length; row++) {
    let verdict = 0;
    for (; at < ends[row]!; at++) {
      let start = at === 0 ? 0 : elementEnds[at - 1]!;
      while (bytes[start]! > 127) start++;
      verdict |= known.get(bytes, start + 1, elementEnds[at]!);
    }
    verdicts[row] = verdict;
  }
}

function testFloats({ ends, values }: Cells & { kind: 'floats' }, matcher: Matcher, verdicts: Uint8Array): void {
  let at = 0;
  for (let row = 0; row < verdicts.length; row++) {
    let verdict = 0;
    for (; at < ends[row]!; at++) if (matcher.float(values[at]!)) verdict = 1;
    verdicts[row] = verdict;
  }
}

function clear(verdicts: Uint8Array, nulls: Uint8Array): void {
  for (let row = 0; row < verdicts.length; row++) if (nulls[row] === 1) verdicts[row] = 0;
}
