import type { ProtobufWriter } from '../wire/protobuf-writer.ts';
import type { NameValidationScheme } from './label-set.ts';
import type { Label } from './time-series.ts';
import type { EncodeTally } from './tally.ts';

/** How a request is encoded. */
export interface EncodeOptions {
  /**
   * `strict` applies the rules for labels (sections 1.3, 2.4), histograms (3.3) and order of samples; `off` only
   * refuses what has no form on the wire. Labels are sorted in any case. Default `off`.
   */
  readonly validation?: 'strict' | 'off' | undefined;
  /** Which names `strict` accepts. Default `legacy` for 1.0 and `utf8` for 2.0. */
  readonly nameValidationScheme?: NameValidationScheme | undefined;
  /** Labels added to every series that lacks them. */
  readonly externalLabels?: readonly Label[] | undefined;
  /** Time in milliseconds for points that have none. Default: now, the same for all points of the request. */
  readonly defaultTimestamp?: number | undefined;
  /**
   * What 1.0 does with custom-bucket histograms, which it cannot carry: `refuse` them with a WriteValidationError
   * (default) or `drop` them, counted in `tally`.
   */
  readonly customBuckets?: 'refuse' | 'drop' | undefined;
  /** Counts what was written and what was left out. */
  readonly tally?: EncodeTally | undefined;
  /**
   * A writer to use instead of the shared one. The result is then a view of its buffer, valid until its next use,
   * instead of a copy.
   */
  readonly writer?: ProtobufWriter | undefined;
}
