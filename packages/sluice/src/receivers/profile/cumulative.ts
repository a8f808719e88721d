import type { Pprof } from './pprof.ts';
import type { ValueRule } from './sample-types.ts';

/** A stack with its tags, as bytes. */
function keyOf({ text, textLength, tags }: Pprof): string {
  const stack = Buffer.from(text.buffer, text.byteOffset, textLength).toString('latin1');
  return tags.length === 0 ? stack : `${stack}\0${JSON.stringify(tags)}`;
}

/**
 * Takes values that are counted since a program began back to what was added since the profile before: Pyroscope's clients send that one along.
 */
export class CumulativeValues {
  readonly #before = new Map<string, bigint[]>();
  readonly #rules: readonly ValueRule[];

  private constructor(rules: readonly ValueRule[]) {
    this.#rules = rules;
  }

  /** Reads the profile before. `mostBytes`: memory for its stacks. */
  static read(
    before: Pprof,
    { rules, mostBytes }: { readonly rules: readonly ValueRule[]; readonly mostBytes: number },
  ): CumulativeValues | 'malformed' | 'too_large' {
    const values = new CumulativeValues(rules);
    let bytes = 0;
    for (let sample = 0; sample < before.samples; sample++) {
      if (!before.read(sample)) return before.isTooLarge ? 'too_large' : 'malformed';
      const key = keyOf(before);
      bytes += key.length + rules.length * 32;
      if (bytes > mostBytes) return 'too_large';
      const sums = values.#before.get(key) ?? rules.map(() => 0n);
      for (const [index, { value }] of rules.entries()) sums[index]! += valueOf(before, value);
      values.#before.set(key, sums);
    }
    return values;
  }

  /** Changes the values of the sample that was read last. What became less is nothing: the program began anew. */
  take(profile: Pprof): void {
    const sums = this.#before.get(keyOf(profile));
    if (sums === undefined) return;
    for (const [index, { value, isCumulative }] of this.#rules.entries()) {
      if (!isCumulative) continue;
      const now = valueOf(profile, value);
      const least = now < sums[index]! ? now : sums[index]!;
      // The rest is taken off another sample with this stack.
      sums[index]! -= least;
      const added = now - least;
      profile.valueLow[value] = Number(added & 0xffff_ffffn);
      profile.valueHigh[value] = Number((added >> 32n) & 0xffff_ffffn);
    }
  }
}

function valueOf({ valueLow, valueHigh }: Pprof, value: number): bigint {
  return BigInt.asIntN(64, (BigInt(valueHigh[value]!) << 32n) | BigInt(valueLow[value]!));
}
