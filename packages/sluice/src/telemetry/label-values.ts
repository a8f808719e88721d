/** What the values of labels mean, by metric and label; docs/metrics.md lists them. An error code (docs/errors.md) is not repeated here. */
export const LABEL_VALUES: readonly {
  readonly metric: string;
  readonly label: string;
  readonly values: Readonly<Record<string, string>>;
}[] = [
  {
    metric: 'sluice_config_reloads_total',
    label: 'outcome',
    values: { reloaded: 'all files are in force', refused: 'one is broken, its old content stays in force' },
  },
  {
    metric: 'sluice_dropped_rows_total',
    label: 'reason',
    values: {
      too_old: 'before the accept window of its table',
      too_new: 'after it',
      time_range: 'a timestamp beyond 2^53 ms',
      invalid_labels: 'labels that break a rule of remote write',
      label_limit: 'more or longer labels than limits allow',
      series_limit: 'a new series beyond limits.series',
      series_collision: 'a new series whose ids another one has',
      invalid_histogram: 'spans, buckets and counts that do not fit',
      invalid_exemplar: 'an exemplar that breaks a rule',
      invalid_metadata: 'metadata that breaks a rule',
    },
  },
  {
    metric: 'sluice_journal_appends_total',
    label: 'outcome',
    values: {
      taken: 'written, and acknowledged',
      refused: 'no room, or the hub is stopping; nothing was written',
      failed: 'the file system failed; a part of it may be written',
    },
  },
  {
    metric: 'sluice_journal_overflow_rows_total',
    label: 'reason',
    values: { overflow: "given up for the reader's backlog limit", unreadable: 'could not be read back' },
  },
  {
    metric: 'sluice_journal_quarantined_rows_total',
    label: 'reason',
    values: {
      damaged: 'a block with a wrong checksum',
      refused: 'a block that the database refuses, or of a table or organisation that is not configured',
      unreadable: 'a whole segment, counted as one row',
    },
  },
  {
    metric: 'sluice_journal_recovered_bytes_total',
    label: 'outcome',
    values: {
      kept: 'sound segments',
      cut: 'torn ends, never acknowledged',
      quarantined: 'damaged blocks, set aside',
      lost: 'in the index but not on the disk: the power failed',
    },
  },
  {
    metric: 'sluice_read_queries_total',
    label: 'outcome',
    values: { answered: 'to its end', failed: 'for a reason nobody expected; otherwise an error code' },
  },
  {
    metric: 'sluice_received_requests_total',
    label: 'outcome',
    values: {
      accepted: 'all of it is in the journal',
      partial: '400, the good rows are in the journal',
      series_limit: '429, what belongs to known series is in the journal',
      malformed: '400, nothing was taken',
      unsupported: '415, nothing was taken; otherwise an error code',
    },
  },
  { metric: 'sluice_self_writes_total', label: 'outcome', values: { written: 'taken', refused: 'not taken' } },
  {
    metric: 'sluice_series_refused_total',
    label: 'reason',
    values: { limit: 'limits.series is reached', collision: 'another series has the same 64-bit id' },
  },
  {
    metric: 'sluice_storage_inserts_total',
    label: 'outcome',
    values: {
      loaded: 'the database took it',
      found: 'it had landed although the statement failed or the hub died',
      retried: 'failed, and sent again later',
      refused: 'refused for good: tried in smaller pieces, then set aside',
      quarantined: 'set aside',
    },
  },
];
