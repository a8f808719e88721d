import { constantText, type ConstantText } from '../batch/constant-text.ts';
import { observationPointNames } from '../catalog/observation-points.ts';

/** Numbers are 8 bits wide; most of them mean nothing. */
const byNumber: readonly ConstantText[] = Array.from({ length: 256 }, (_, number) =>
  constantText(observationPointNames[number] ?? ''),
);

/** Name of an observation point, 0 to 255, ready for a column; '' when the number has none. */
export function observationPoint(number: number): ConstantText {
  return byNumber[number]!;
}
