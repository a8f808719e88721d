/**
 * The data handed to a write is not what remote write can carry. Nothing was sent.
 *
 * Fix the data, or choose `validation: 'sanitize'` to have what is wrong mended or left out.
 */
export class WriteValidationError extends Error {
  override readonly name = 'WriteValidationError';
  /** Where the problem is, such as `timeseries[3].labels.job` or `timeseries[0].samples[1].timestamp`. */
  readonly path: string;
  /** What is wrong, without the path. */
  readonly problem: string;

  constructor(path: string, problem: string) {
    super(`cannot write ${path}: ${problem}`);
    this.path = path;
    this.problem = problem;
  }
}
