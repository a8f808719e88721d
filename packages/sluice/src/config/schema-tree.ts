import { z } from 'zod';

/** What the loader and the printed reference need to know of a zod schema: its keys, defaults, descriptions. Reads, never validates. */
export type Schema = z.core.$ZodType;

export interface Peeled {
  /** The schema below optional, nullable, defaults and transforms: what a person writes. */
  readonly core: Schema;
  readonly optional: boolean;
  readonly nullable: boolean;
  /** The value that stands for an absent key, in the form a person writes; undefined = none. */
  readonly fallback: unknown;
  readonly description: string | undefined;
  /** How the value is written, when its type does not say so: `duration`, `size`, `path`, ... */
  readonly format: string | undefined;
}

export function peel(schema: Schema): Peeled {
  let optional = false;
  let nullable = false;
  let fallback: unknown;
  let description: string | undefined;
  let format: string | undefined;
  for (let current = schema; ;) {
    const meta = z.globalRegistry.get(current);
    description ??= meta?.description;
    if (format === undefined && typeof meta?.['format'] === 'string') format = meta['format'];
    optional ||= current instanceof z.ZodOptional;
    nullable ||= current instanceof z.ZodNullable;
    if (current instanceof z.ZodPrefault || current instanceof z.ZodDefault) fallback ??= current.def.defaultValue;
    const inner = innerOf(current);
    if (inner === undefined) return { core: current, optional, nullable, fallback, description, format };
    current = inner;
  }
}

function innerOf(schema: Schema): Schema | undefined {
  // A transform after the schema keeps what is written on its left; a preprocess keeps it on its right.
  if (schema instanceof z.ZodPipe) return schema.in instanceof z.ZodTransform ? schema.out : schema.in;
  const isWrapper =
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodReadonly ||
    schema instanceof z.ZodLazy;
  return isWrapper ? schema.unwrap() : undefined;
}

/** The schema of one key (or list entry) below a schema; undefined when it takes no such key. */
export function childSchema(schema: Schema | undefined, key: string | number): Schema | undefined {
  if (schema === undefined) return undefined;
  const { core } = peel(schema);
  if (core instanceof z.ZodObject) {
    const shape: Readonly<Record<string, Schema>> = core.shape;
    return typeof key === 'string' && Object.hasOwn(shape, key) ? shape[key] : undefined;
  }
  if (core instanceof z.ZodRecord) return core.valueType;
  if (core instanceof z.ZodArray) return typeof key === 'number' ? core.element : undefined;
  if (!(core instanceof z.ZodUnion)) return undefined;
  return core.options.map((option) => childSchema(option, key)).find((child) => child !== undefined);
}

/** The keys that the mapping of a schema may have; over all alternatives of a union. */
export function knownKeys(schema: Schema | undefined): readonly string[] {
  if (schema === undefined) return [];
  const { core } = peel(schema);
  if (core instanceof z.ZodObject) return Object.keys(core.shape);
  if (core instanceof z.ZodRecord) return core.keyType instanceof z.ZodEnum ? core.keyType.options.map(String) : [];
  if (core instanceof z.ZodUnion) return [...new Set(core.options.flatMap((option) => knownKeys(option)))];
  return [];
}

/** True where null means something of its own (off), not an absent key. */
export function acceptsNull(schema: Schema | undefined): boolean {
  if (schema === undefined) return false;
  const { nullable, core } = peel(schema);
  if (nullable || core instanceof z.ZodNull) return true;
  return core instanceof z.ZodUnion && core.options.some((option) => acceptsNull(option));
}

/** The formats in which a value of this schema may be written as one text. */
export function textFormats(schema: Schema | undefined): readonly string[] {
  if (schema === undefined) return [];
  const { format, core } = peel(schema);
  if (format !== undefined) return [format];
  return core instanceof z.ZodUnion ? core.options.flatMap((option) => textFormats(option)) : [];
}
