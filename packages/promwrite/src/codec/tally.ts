/** How much of what a request may hold has been written, dropped or is waiting. */
export interface PointCounts {
  samples: number;
  histograms: number;
  exemplars: number;
}

/** What an encoder did: points written, and what the version of the protocol cannot carry. */
export interface EncodeTally extends PointCounts {
  /** Custom-bucket histograms left out, because 1.0 cannot carry them. */
  customBucketHistograms: number;
  /** Metadata of families without a series in the request left out, because 2.0 ties it to series. */
  metadata: number;
}

/** A tally of nothing. */
export function emptyTally(): EncodeTally {
  return { samples: 0, histograms: 0, exemplars: 0, customBucketHistograms: 0, metadata: 0 };
}
