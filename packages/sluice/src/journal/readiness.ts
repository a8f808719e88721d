import { errorText } from '../base/errors.ts';
import type { Readiness } from '../base/ports.ts';
import type { Journal } from './types.ts';

/** An input of usual size. */
const USUAL_BYTES = 64 * 1024;

/** Not ready while the journal would refuse an input of usual size: the disk or the journal is full. */
export function journalReadiness(journal: Pick<Journal, 'refusal'>): Readiness {
  const refusal = journal.refusal(USUAL_BYTES);
  if (refusal === undefined) return { part: 'journal', ready: true };
  return { part: 'journal', ready: false, detail: errorText(refusal) };
}
