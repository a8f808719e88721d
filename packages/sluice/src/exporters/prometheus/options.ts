/** What the configuration says about the series themselves. */
export interface SeriesOptions {
  readonly externalLabels: ReadonlyMap<string, string>;
  readonly metricPrefix: string;
  /** Send tags that are empty. */
  readonly emptyTags: boolean;
  /** Send metrics that are 0. */
  readonly emptyMetrics: boolean;
  /** What becomes of several values of one series and time in one batch: one of them all, the last, or each is sent. */
  readonly onDuplicate: 'merge' | 'last' | 'keep';
  /** Most labels of a series, its name included. */
  readonly maxLabels: number;
}
