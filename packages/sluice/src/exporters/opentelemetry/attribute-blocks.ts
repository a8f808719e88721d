import type { ItemWriter } from '../../delivery/item-writer.ts';
import type { NamedCells, NameTable } from '../cells.ts';
import { putEncoded } from './attribute-bytes.ts';
import type { Part } from './attribute-parts.ts';

/** A power of two. */
const SLOTS = 2048;
const MOST_BYTES = 4096;

/** What an attribute follows from. */
export interface BlockKeys {
  readonly names?: readonly NamedCells[];
  readonly words?: readonly Uint32Array[];
  readonly bytes?: readonly Uint8Array[];
}

/** An attribute of a block, and what it follows from. */
export interface BlockPart {
  readonly put: Part;
  readonly by: BlockKeys;
  /** Writes the attribute where a name is the row's address, which `put` then leaves out: addresses differ from row to row. */
  readonly putAddress?: Part;
}

/**
 * Attributes that always come together and follow from a few numbers, such as the tags of one end: rows with the same ones have the same bytes, which are
 * copied as a whole. Kept from Batch to Batch; a later block takes the place of an earlier one.
 */
export class AttributeBlocks {
  readonly #blocks: (Uint8Array | undefined)[] = Array.from({ length: SLOTS });
  #keys = new Uint32Array(0);
  #tables: readonly NameTable[] = [];

  /** What writes the blocks of a Batch's rows. */
  part(parts: readonly BlockPart[]): Part {
    const names = parts.flatMap(({ by }) => by.names ?? []);
    const indexes = names.map(({ index }) => index);
    const words = parts.flatMap(({ by }) => by.words ?? []);
    const bytes = parts.flatMap(({ by }) => by.bytes ?? []);
    const width = indexes.length + words.length + bytes.length;
    this.#prepare(
      names.map(({ table }) => table),
      width,
    );
    const known = this.#keys;
    const blocks = this.#blocks;
    const found = new Uint32Array(width);
    const all = parts.map(({ put }) => put);
    const addresses = parts.flatMap(({ putAddress }) => putAddress ?? []);
    const putBlock: Part = (writer, row) => {
      let at = 0;
      for (let i = 0; i < indexes.length; i++) found[at++] = indexes[i]![row]!;
      for (let i = 0; i < words.length; i++) found[at++] = words[i]![row]!;
      for (let i = 0; i < bytes.length; i++) found[at++] = bytes[i]![row]!;
      let hash = 0;
      for (let i = 0; i < width; i++) {
        hash = Math.imul(hash ^ found[i]!, 0x9e37_79b1);
        hash ^= hash >>> 15;
      }
      const slot = hash & (SLOTS - 1);
      const start = slot * width;
      const block = blocks[slot];
      if (block !== undefined) {
        let i = 0;
        while (i < width && known[start + i] === found[i]) i++;
        if (i === width) {
          putEncoded(writer, block);
          return;
        }
      }
      const before = writer.at;
      putAll(writer, row, all);
      if (writer.at - before > MOST_BYTES) return;
      blocks[slot] = writer.bytes.slice(before, writer.at);
      known.set(found, start);
    };
    if (addresses.length === 0) return putBlock;
    return (writer, row) => {
      putBlock(writer, row);
      putAll(writer, row, addresses);
    };
  }

  #prepare(tables: readonly NameTable[], width: number): void {
    const isSame = tables.length === this.#tables.length && tables.every((table, i) => table === this.#tables[i]);
    if (isSame && this.#keys.length === SLOTS * width) return;
    this.#tables = tables;
    this.#keys = new Uint32Array(SLOTS * width);
    this.#blocks.fill(undefined);
  }
}

function putAll(writer: ItemWriter, row: number, parts: readonly Part[]): void {
  for (const part of parts) part(writer, row);
}
