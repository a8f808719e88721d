import type { LinearMemory } from '../base/linear-memory.ts';
import type { Arena } from './arena.ts';
import type { FormTable } from './form-table.ts';
import type { MetadataTable } from './metadata-table.ts';
import type { SeriesRecords } from './series-records.ts';
import { SYMBOL_OWNER, type SymbolTable } from './symbol-table.ts';

export interface UpkeepParts {
  readonly memory: LinearMemory;
  readonly arena: Arena;
  readonly records: SeriesRecords;
  readonly forms: FormTable;
  readonly symbols: SymbolTable;
  readonly metadata: MetadataTable;
}

/** Times before which what was last seen then may leave, epoch seconds. */
export interface OldestSeen {
  readonly series: number;
  readonly forms: number;
}

/** Lets series leave that were not seen for long, by `leave`, and forms of others; some a step. */
export function* dropUnseen(
  { records, forms }: UpkeepParts,
  oldest: OldestSeen,
  leave: (series: number) => void,
): Generator<void> {
  for (let series = 1; series < records.end; series++) {
    if (series % 1024 === 0) yield;
    const first = records.firstForm(series);
    if (first === 0) continue;
    if (records.seen(series) < oldest.series) leave(series);
    else if (forms.next(first) !== 0) forms.dropUnseen(series, oldest.forms);
  }
}

/** Frees symbols and metadata that no form has any more. */
export function* freeUnused({ memory, forms, symbols, metadata }: UpkeepParts): Generator<void> {
  symbols.beginMarking();
  metadata.beginMarking();
  for (let form = 2; form < forms.end; form++) {
    if (form % 512 === 0) yield;
    if (forms.seriesOf(form) === 0 || !forms.isSymbolic(form)) continue;
    const start = forms.address(form) / 4;
    const end = start + forms.length(form) / 4;
    for (let word = start; word < end; word++) symbols.mark(memory.words[word]!);
    if (forms.metadata(form) !== 0) metadata.mark(forms.metadata(form));
  }
  yield* metadata.sweep();
  yield* symbols.sweep();
}

/** Empties blocks of the arena of which little is left. */
export function* packArena({ arena, forms, symbols }: UpkeepParts): Generator<void> {
  const move = {
    alive: (owner: number, address: number): boolean =>
      owner >= SYMBOL_OWNER
        ? symbols.isAt(owner - SYMBOL_OWNER, address)
        : forms.seriesOf(owner) !== 0 && forms.address(owner) === address,
    moved: (owner: number, to: number): void => {
      if (owner >= SYMBOL_OWNER) symbols.moved(owner - SYMBOL_OWNER, to);
      else forms.setAddress(owner, to);
    },
  };
  for (let block = arena.sparse(); block !== 0; block = arena.sparse()) {
    if (!arena.evacuate(block, move)) return;
    yield;
  }
}
