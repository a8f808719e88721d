/** What stands in a static file, each value with its place; YAML and CSV are both read into this. */
export type Node = ScalarNode | ListNode | MappingNode;

export interface At {
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

export interface ScalarNode extends At {
  readonly kind: 'scalar';
  readonly value: string | boolean | null;
}

export interface ListNode extends At {
  readonly kind: 'list';
  readonly items: readonly Node[];
}

export interface MappingNode extends At {
  readonly kind: 'mapping';
  readonly entries: ReadonlyMap<string, { readonly at: At; readonly node: Node }>;
}

export interface Mistake extends At {
  readonly message: string;
}

/** More are not told. */
export const MOST_MISTAKES = 50;

/** A value as messages show it. */
export function shownNode(node: Node): string {
  if (node.kind !== 'scalar') return node.kind === 'list' ? 'a list' : 'a mapping';
  const text = node.value === null ? 'nothing' : JSON.stringify(node.value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
