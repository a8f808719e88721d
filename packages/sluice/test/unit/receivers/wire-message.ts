/** Protobuf messages written field by field: small ones by hand, and damaged ones that a library would not write. */

export function varint(value: bigint | number): number[] {
  let rest = BigInt.asUintN(64, BigInt(value));
  const written: number[] = [];
  while (rest > 127n) {
    written.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  return [...written, Number(rest)];
}

export function number(field: number, value: bigint | number): number[] {
  return [...varint(field * 8), ...varint(value)];
}

export function bytes(field: number, value: string | readonly number[] | Uint8Array): number[] {
  const content = typeof value === 'string' ? [...Buffer.from(value)] : [...value];
  return [...varint(field * 8 + 2), ...varint(content.length), ...content];
}

export function double(field: number, value: number): number[] {
  const content = Buffer.alloc(8);
  content.writeDoubleLE(value);
  return [...varint(field * 8 + 1), ...content];
}

export function message(...fields: readonly (readonly number[])[]): Uint8Array {
  return Uint8Array.from(fields.flat());
}
