/**
 * A VPC (EPC) as tables have it: positive ids, 0 = unknown, -1 = other, -2 = Internet; any other negative number is cut to 16 bits, as it comes from
 * agents that think of ids as 16 bits wide.
 */
export function storedEpc(value: number): number {
  return value < -2 ? value & 0xffff : value;
}
