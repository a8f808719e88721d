import { SluiceError, errorText, isSluiceError, type ErrorCode } from '../base/errors.ts';

/**
 * What a ClickHouse error number means for the one who sent the statement. Numbers that are in no list count as passing: a retry is harmless, while
 * "never" would set data aside; the loader bounds how often it believes that (`load-segment.ts`).
 */

/** The statement or its data can never succeed: text, numbers, types, columns, names, syntax. */
const REFUSED = new Set([
  2, 6, 7, 8, 9, 10, 15, 16, 20, 25, 26, 27, 32, 33, 34, 35, 36, 38, 39, 41, 42, 43, 44, 45, 46, 47, 48, 50, 52, 53, 56,
  57, 60, 62, 63, 64, 69, 70, 72, 80, 81, 82, 94, 115, 117, 128, 130, 131, 153, 167, 168, 169, 170, 179, 184, 190, 207,
  215, 259, 321, 344, 349, 352, 353, 386, 395, 403, 407, 427, 432, 441, 467, 524, 587, 636, 691,
]);

/** A limit on time, memory or rows was reached. */
const LIMIT = new Set([158, 159, 160, 191, 241, 290, 307, 396]);

/** The number in `Code: 62. DB::Exception: ...`, also when it stands in a cause; undefined when the database did not say one. */
export function clickhouseCode(error: unknown): number | undefined {
  for (let depth = 0; error instanceof Error && depth < 5; depth++, error = error.cause) {
    const own = 'clickhouseCode' in error ? error.clickhouseCode : 'code' in error ? error.code : undefined;
    const code = typeof own === 'number' ? own : typeof own === 'string' && /^\d+$/.test(own) ? Number(own) : NaN;
    if (Number.isInteger(code)) return code;
    const match = /\bCode: (\d+)\b/.exec(error.message);
    if (match !== null) return Number(match[1]);
  }
  return undefined;
}

/** True when the database named a reason that no retry of the same statement can change. */
export function isRefusal(error: unknown): boolean {
  return isSluiceError(error, 'storage_refused');
}

/** True for an error number that is in no list: it may be for good although it is treated as passing. */
export function isUnlisted(error: unknown): boolean {
  const code = clickhouseCode(error);
  if (code === undefined || REFUSED.has(code) || LIMIT.has(code) || PASSING.has(code)) return false;
  // Exceptions of libraries (1000 to 1002) have one number for everything; what the machine lacks says nothing about the data.
  return !(code >= 1000 && code <= 1002 && OF_THE_MACHINE.test(describe(error)));
}

/** What a library says about a full or broken disk, rights, or too many open files. */
const OF_THE_MACHINE =
  /filesystem error|bad_alloc|cannot allocate memory|no space left|quota exceeded|too many open files|permission denied|input\/output error|read-only file system|i\/o error/i;

/** Known to pass, or to be somebody's to mend (rights, disk, read-only): never a reason to set data aside. */
const PASSING = new Set([
  3, 73, 74, 75, 76, 164, 192, 193, 194, 195, 198, 201, 202, 203, 209, 210, 216, 225, 236, 242, 243, 252, 254, 279, 285,
  286, 289, 305, 319, 369, 373, 394, 410, 415, 416, 439, 452, 473, 497, 499, 501, 516, 519, 530, 533, 571, 695, 701,
  999,
]);

/** Wraps whatever a driver threw. `what` continues "cannot": "query the database". */
export function databaseError(what: string, error: unknown, signal?: AbortSignal): SluiceError {
  if (error instanceof SluiceError) return error;
  const text = shortText(error);
  if (signal?.aborted === true) {
    return new SluiceError('cancelled', `cannot ${what}: it was cancelled`, { cause: error });
  }
  return new SluiceError(errorCode(clickhouseCode(error)), `cannot ${what}: ${text}`, { cause: error });
}

function errorCode(code: number | undefined): ErrorCode {
  if (code === undefined) return 'storage_unavailable';
  if (REFUSED.has(code)) return 'storage_refused';
  return LIMIT.has(code) ? 'storage_limit' : 'storage_unavailable';
}

/** First line of the error, bounded: some of the engine's texts repeat the whole statement. */
function shortText(error: unknown): string {
  const text = describe(error).trim();
  const line = text.slice(0, text.search(/\n|$/));
  return line.length > 400 ? `${line.slice(0, 400)}...` : line;
}

function describe(error: unknown): string {
  // Several addresses of one name were tried: the message of the whole is empty.
  if (error instanceof AggregateError && error.message === '') return error.errors.map(errorText).join('; ');
  const code = clickhouseCode(error);
  const text = errorText(error);
  return code === undefined || text.includes('Code:') ? text : `Code: ${code}. ${text}`;
}
