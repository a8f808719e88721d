import type { Pairs } from '../description.ts';
import { MOST_MISTAKES, shownNode, type At, type MappingNode, type Mistake, type Node } from './tree.ts';

/** Reads the fields of one mapping, and complains with their place. What is wrong counts as absent. */
export class Fields {
  readonly at: At;
  readonly #entries: MappingNode['entries'];
  readonly #mistakes: Mistake[];
  readonly #known = new Set<string>();

  constructor(node: MappingNode, mistakes: Mistake[]) {
    this.at = node;
    this.#entries = node.entries;
    this.#mistakes = mistakes;
  }

  complain({ line, column }: At, message: string): void {
    if (this.#mistakes.length < MOST_MISTAKES) this.#mistakes.push({ line, column, message });
  }

  /** The value of a field, if it is given. */
  node(name: string): Node | undefined {
    this.#known.add(name);
    const node = this.#entries.get(name)?.node;
    return node?.kind === 'scalar' && node.value === null ? undefined : node;
  }

  /** Where a field's value stands. */
  place(name: string): At {
    return this.#entries.get(name)?.node ?? this.at;
  }

  has(name: string): boolean {
    return this.node(name) !== undefined;
  }

  /** A text; one of at most 1,024 characters, none of them a control character. */
  text(name: string): string | undefined {
    const node = this.node(name);
    return node === undefined ? undefined : this.textOf(node, name);
  }

  needed(name: string): string | undefined {
    if (this.has(name)) return this.text(name);
    this.complain(this.at, `expected a ${name}`);
    return undefined;
  }

  textOf(node: Node, name: string): string | undefined {
    if (node.kind === 'scalar' && typeof node.value === 'string') {
      const text = node.value;
      if (hasControl(text)) {
        this.complain(node, `${name}: expected a text without control characters; got ${shownNode(node)}`);
        return undefined;
      }
      if (text !== '' && text.length <= 1024) return text;
    }
    this.complain(node, `${name}: expected a text; got ${shownNode(node)}`);
    return undefined;
  }

  number(name: string, most: number): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = /^\d{1,10}$/.test(text) ? Number(text) : 0;
    if (value >= 1 && value <= most) return value;
    this.complain(this.place(name), `${name}: expected a whole number from 1 to ${most}; got ${JSON.stringify(text)}`);
    return undefined;
  }

  flag(name: string): boolean | undefined {
    const node = this.node(name);
    if (node === undefined) return undefined;
    if (node.kind === 'scalar' && (node.value === true || node.value === 'true')) return true;
    if (node.kind === 'scalar' && (node.value === false || node.value === 'false')) return false;
    this.complain(node, `${name}: expected true or false; got ${shownNode(node)}`);
    return undefined;
  }

  /** The items of a list; a single value counts as a list of one, a text is cut at blanks and semicolons (CSV). */
  items(name: string): readonly Node[] {
    const node = this.node(name);
    if (node === undefined) return [];
    if (node.kind === 'list') return node.items;
    if (node.kind !== 'scalar' || typeof node.value !== 'string') return [node];
    return node.value
      .split(/[\s;]+/)
      .filter((part) => part !== '')
      .map((value) => ({ kind: 'scalar', line: node.line, column: node.column, value }));
  }

  /** Names with values: a mapping, and fields such as `tag.team` (CSV). */
  pairs(name: string, prefix: string): Pairs {
    const found = new Map<string, string>();
    const node = this.node(name);
    if (node !== undefined && node.kind !== 'mapping') {
      this.complain(node, `${name}: expected names with values; got ${shownNode(node)}`);
    }
    if (node?.kind === 'mapping') {
      for (const [key, entry] of node.entries) this.#pair(found, key, entry.node);
    }
    for (const [key, entry] of this.#entries) {
      if (!key.startsWith(prefix)) continue;
      this.#known.add(key);
      this.#pair(found, key.slice(prefix.length), entry.node);
    }
    return [...found].toSorted(([left], [right]) => (left < right ? -1 : 1));
  }

  /** Complains about fields that nobody asked for. */
  end(): void {
    for (const [name, { at }] of this.#entries) {
      if (this.#known.has(name)) continue;
      this.complain(at, `unknown key ${JSON.stringify(name)}; known keys: ${[...this.#known].join(', ')}`);
    }
  }

  #pair(found: Map<string, string>, name: string, node: Node): void {
    if (hasControl(name)) {
      this.complain(node, `expected a name without control characters; got ${JSON.stringify(name)}`);
    } else if (node.kind === 'scalar' && node.value !== null) found.set(name, String(node.value));
    else this.complain(node, `${name}: expected a text; got ${shownNode(node)}`);
  }
}

/** Whether there are control characters (C0 with line ends and tabs, DEL, C1): nobody could see, or ask for, such a name. */
function hasControl(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char < 0x20 || (char >= 0x7f && char < 0xa0)) return true;
  }
  return false;
}

/** A property of that name, or none. */
export function given<K extends string, V>(name: K, value: V | undefined): { readonly [Name in K]?: V } {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as it says
  return (value === undefined ? {} : { [name]: value }) as { readonly [Name in K]?: V };
}
