/** What came of one attempt, for programs that queue and retry themselves. */
export type SendOutcome =
  | { readonly kind: 'sent' }
  /** Keep the data and try again, not before `afterMs` milliseconds if the receiver said so. */
  | { readonly kind: 'retry'; readonly cause: Error; readonly afterMs?: number }
  /** The receiver will never take this data. Which items are to blame is not known: remote write does not say. */
  | { readonly kind: 'rejected'; readonly items: 'unknown' | readonly number[]; readonly cause: Error };
