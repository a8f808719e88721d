import { bug } from '../base/errors.ts';
import { LabelList } from '../base/label-fields.ts';
import type { LinearMemory } from '../base/linear-memory.ts';
import type { FormTable } from './form-table.ts';
import type { SymbolTable } from './symbol-table.ts';

const NAME_LABEL = Buffer.from('__name__');
/** The same as words; symbols begin at whole words. */
const NAME_WORDS = [NAME_LABEL.readUInt32LE(0), NAME_LABEL.readUInt32LE(4)] as const;

export interface FormLabelsOptions {
  readonly memory: LinearMemory;
  readonly forms: FormTable;
  readonly symbols: SymbolTable;
}

/** The labels that forms spell: label fields of a 1.0 message, or a number of a symbol for each name and value. */
export class FormLabels {
  readonly #memory: LinearMemory;
  readonly #forms: FormTable;
  readonly #symbols: SymbolTable;
  readonly #list: LabelList = new LabelList();

  constructor({ memory, forms, symbols }: FormLabelsOptions) {
    this.#memory = memory;
    this.#forms = forms;
    this.#symbols = symbols;
  }

  /** Canonical label fields: sorted, without empty values. */
  canonical(form: number): Uint8Array {
    const { bytes, words } = this.#memory;
    const symbols = this.#symbols;
    const list = this.#list;
    const address = this.#forms.address(form);
    const end = address + this.#forms.length(form);
    if (this.#forms.isSymbolic(form)) {
      list.clear();
      for (let word = address / 4; word < end / 4; word += 2) {
        const [name, value] = [words[word]!, words[word + 1]!];
        const nameStart = symbols.addressOf(name);
        const valueStart = symbols.addressOf(value);
        list.push(nameStart, nameStart + symbols.lengthOf(name), valueStart, valueStart + symbols.lengthOf(value));
      }
    } else list.parse(bytes, address, end);
    list.dropEmpty();
    list.sort(bytes);
    return list.encode(bytes);
  }

  /** The symbol of the metric name in a 2.0 form. */
  nameSymbol(form: number): number {
    const { words } = this.#memory;
    const symbols = this.#symbols;
    const start = this.#forms.address(form) / 4;
    const end = start + this.#forms.length(form) / 4;
    for (let word = start; word < end; word += 2) {
      const label = words[word]!;
      if (symbols.lengthOf(label) !== NAME_LABEL.length) continue;
      const name = symbols.addressOf(label) / 4;
      const isName = words[name] === NAME_WORDS[0] && words[name + 1] === NAME_WORDS[1];
      if (isName && symbols.lengthOf(words[word + 1]!) > 0) return words[word + 1]!;
    }
    return bug(`form ${form} has no metric name`);
  }
}
