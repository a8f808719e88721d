import { WriteValidationError } from './validation-error.ts';
import type { Timestamp } from './time-series.ts';

const LEAST_INT64 = -(2n ** 63n);
const GREATEST_INT64 = 2n ** 63n - 1n;

/**
 * Milliseconds of a timestamp, as a safe integer or an int64 bigint.
 *
 * @throws WriteValidationError for anything that is not a whole number of milliseconds.
 */
export function toMilliseconds(timestamp: Timestamp, path: () => string): number | bigint {
  if (typeof timestamp === 'number') {
    if (Number.isSafeInteger(timestamp)) return timestamp;
    throw new WriteValidationError(
      path(),
      `expected whole milliseconds since 1970; got ${timestamp}; round with Math.trunc(), and mind that seconds need * 1000`,
    );
  }
  if (typeof timestamp === 'bigint') {
    if (timestamp >= LEAST_INT64 && timestamp <= GREATEST_INT64) return timestamp;
    throw new WriteValidationError(path(), 'expected milliseconds that fit 64 bits; got a larger bigint');
  }
  if (timestamp instanceof Date || Object.prototype.toString.call(timestamp) === '[object Date]') {
    const milliseconds = timestamp.getTime();
    if (Number.isSafeInteger(milliseconds)) return milliseconds;
    throw new WriteValidationError(path(), 'expected a valid Date; got an invalid one');
  }
  throw new WriteValidationError(path(), `expected milliseconds or a Date; got ${typeof timestamp}`);
}
