import type { Selector } from '../selection.ts';

/** Which attributes `export-fields` asks for. */
export interface Chosen {
  /** Whether a group of attributes (a category) is switched on, or one of the fields that an attribute is made of is named. */
  readonly has: (category: string, ...fields: readonly string[]) => boolean;
}

export function chosenBy(selector: Selector): Chosen {
  const { categories } = selector;
  const fields = new Set(selector.fields.map(({ spec }) => spec.name));
  return { has: (category, ...names) => categories.has(category) || names.some((name) => fields.has(name)) };
}
