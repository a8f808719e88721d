/** Numbers of `severity_number`. */
export const Severity = { FATAL: 2, ERROR: 3, WARN: 4, INFO: 5, DEBUG: 6, TRACE: 7, UNKNOWN: 8 } as const;

const names: ReadonlyMap<string, number> = new Map([
  ['FATAL', Severity.FATAL],
  ['FATA', Severity.FATAL],
  ['CRITICAL', Severity.FATAL],
  ['CRIT', Severity.FATAL],
  ['ERROR', Severity.ERROR],
  ['ERRO', Severity.ERROR],
  ['WARN', Severity.WARN],
  ['WARNING', Severity.WARN],
  ['INFO', Severity.INFO],
  ['DEBUG', Severity.DEBUG],
  ['DEBU', Severity.DEBUG],
  ['TRACE', Severity.TRACE],
]);

/** OpenTelemetry numbers the degrees of a severity: ERROR, ERROR2, ERROR3, ERROR4. */
const degrees = new Set(
  ['FATAL', 'ERROR', 'WARN', 'INFO', 'DEBUG', 'TRACE'].flatMap((name) => [2, 3, 4].map((n) => `${name}${n}`)),
);

/** Number of a level that a program wrote, in upper or lower case; 8 when the name means nothing. */
export function severityNumber(level: string): number {
  const known = names.get(level);
  if (known !== undefined) return known;
  if (level.length > LONGEST) return Severity.UNKNOWN;
  const name = level.toUpperCase();
  return names.get(degrees.has(name) ? name.slice(0, -1) : name) ?? Severity.UNKNOWN;
}

const LONGEST = 'CRITICAL'.length;
