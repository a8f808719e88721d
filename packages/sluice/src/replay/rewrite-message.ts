/** Fields of a protobuf message that are rewritten, by number; all others stay as they are. */
export type FieldPlans = ReadonlyMap<number, FieldPlan>;

export type FieldPlan =
  /** A time: a varint or eight bytes. */
  | { readonly kind: 'time'; readonly unit: TimeUnit }
  /** The id of the agent, a varint. */
  | { readonly kind: 'agent' }
  | { readonly kind: 'message'; readonly fields: FieldPlans }
  /** A message in another form, such as compressed. */
  | { readonly kind: 'packed'; readonly form: Form; readonly fields: FieldPlans };

export type TimeUnit = 's' | 'ms' | 'us' | 'ns';

export interface Form {
  unpack(bytes: Uint8Array): Uint8Array;
  pack(bytes: Uint8Array): Uint8Array;
}

/** What becomes of the numbers. A time of 0 means that there is none; it is not shown. */
export interface NumberMap {
  time(value: bigint, unit: TimeUnit): bigint;
  agent(value: bigint): bigint;
}

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** Writes a message anew with other times and agent. Throws RangeError for what is no message. */
export function rewriteMessage(bytes: Uint8Array, fields: FieldPlans, map: NumberMap): Uint8Array {
  const parts: Uint8Array[] = [];
  const input = new Input(bytes);
  while (input.at < bytes.length) {
    const start = input.at;
    const tag = Number(input.varint());
    const wireType = tag & 7;
    const plan = fields.get(tag >>> 3);
    const valueStart = input.at;
    if (wireType === VARINT) {
      const value = input.varint();
      const mapped = plan === undefined ? value : mapNumber(plan, value, map);
      if (mapped !== value) parts.push(bytes.subarray(start, valueStart), encodeVarint(mapped));
      else parts.push(bytes.subarray(start, input.at));
    } else if (wireType === FIXED64) {
      input.skip(8);
      const value = new DataView(bytes.buffer, bytes.byteOffset + valueStart, 8).getBigUint64(0, true);
      const mapped = plan === undefined ? value : mapNumber(plan, value, map);
      const replaced = new DataView(new ArrayBuffer(8));
      replaced.setBigUint64(0, mapped, true);
      parts.push(bytes.subarray(start, valueStart), new Uint8Array(replaced.buffer));
    } else if (wireType === BYTES) {
      const length = Number(input.varint());
      const content = input.skip(length);
      if (plan?.kind === 'message' || plan?.kind === 'packed') {
        const inner = plan.kind === 'message' ? content : plan.form.unpack(content);
        const mapped = rewriteMessage(inner, plan.fields, map);
        const outer = plan.kind === 'message' ? mapped : plan.form.pack(mapped);
        parts.push(bytes.subarray(start, valueStart), encodeVarint(BigInt(outer.length)), outer);
      } else parts.push(bytes.subarray(start, input.at));
    } else if (wireType === FIXED32) {
      input.skip(4);
      parts.push(bytes.subarray(start, input.at));
    } else throw new RangeError(`wire type ${wireType}`);
  }
  return Buffer.concat(parts);
}

function mapNumber(plan: FieldPlan, value: bigint, map: NumberMap): bigint {
  if (plan.kind === 'time')
    return value === 0n ? value : BigInt.asUintN(64, map.time(BigInt.asIntN(64, value), plan.unit));
  return plan.kind === 'agent' ? map.agent(value) : value;
}

class Input {
  at = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.at++];
      if (byte === undefined) throw new RangeError('a number goes beyond the message');
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
    throw new RangeError('a number of more than 64 bits');
  }

  skip(count: number): Uint8Array {
    const start = this.at;
    this.at += count;
    if (this.at > this.#bytes.length) throw new RangeError('a field goes beyond the message');
    return this.#bytes.subarray(start, this.at);
  }
}

function encodeVarint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}
