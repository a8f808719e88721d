/** What the values of labels mean, by metric and label; docs/metrics.md lists them. An error code (docs/errors.md) is not repeated here. */
export const LABEL_VALUES: readonly {
  readonly metric: string;
  readonly label: string;
  readonly values: Readonly<Record<string, string>>;
}[] = [
  {
    metric: 'sluice_agent_connections_closed_total',
    label: 'reason',
    values: {
      end: 'the agent closed it after a whole frame',
      torn: 'in the middle of a frame',
      error: 'the network or the agent reset it',
      unknown_type: 'a message type that there is not',
      bad_size: 'a frame shorter than its own header',
      too_large: 'a frame beyond limits.agent-frame',
      memory: 'others waited for its memory and it did not get on',
      stopping: 'the hub stopped',
    },
  },
  {
    metric: 'sluice_agent_connections_total',
    label: 'outcome',
    values: {
      accepted: 'read from then on',
      network: 'refused: its address is not in `allow`',
      limit: 'refused: limits.agent-connections are open',
    },
  },
  {
    metric: 'sluice_agent_frames_total',
    label: 'outcome',
    values: {
      taken: 'decoded, record by record',
      empty: 'without a body',
      unsupported: 'of a type that this version keeps nothing of',
      organisation: 'of an organisation that is not configured',
      corrupt_body: 'cannot be uncompressed',
      body_too_large: 'larger than limits.agent-frame-decompressed',
      unknown_encoder: 'compressed in a way that there is not',
      paused: 'a datagram that came while nothing could be taken',
      short: 'a datagram shorter than a header',
      unknown_type: 'a datagram of a message type that there is not',
      network: 'a datagram from an address that is not in `allow`',
    },
  },
  {
    metric: 'sluice_agent_records_total',
    label: 'outcome',
    values: {
      taken: 'became rows, or was understood and needs none',
      empty: 'of no length',
      overrun: 'longer than the rest of its frame; the records before it were taken',
      malformed: 'cannot be decoded',
      incomplete: 'without a part that every record of its type has',
      too_old: 'before the accept window of its table',
      too_new: 'after it',
      corrupt_body: 'compressed in itself, and cannot be uncompressed',
      too_large: 'beyond a limit of its own, such as limits.traces-decoded',
      no_payload: 'an event without anything that happened',
      unsupported_format: 'a profile that is neither pprof nor text (JFR, trees)',
      no_message: 'a log without a message',
      bad_timestamp: 'a log whose time cannot be read',
      unknown_level: 'a log of an agent of a level that is not kept',
      repeated_create: 'a file created again that was not deleted',
      empty_name: 'statistics without a name',
      unequal_lists: 'names and values that differ in number',
      refused: 'forwarded remote write that could not be taken whole, or at all',
      bug: 'made a decoder fail; please report it',
    },
  },
  {
    metric: 'sluice_config_reloads_total',
    label: 'outcome',
    values: { reloaded: 'all files are in force', refused: 'one is broken, its old content stays in force' },
  },
  {
    metric: 'sluice_agents',
    label: 'state',
    values: { online: 'heard from within two minutes', offline: 'not heard from' },
  },
  {
    metric: 'sluice_control_refused_total',
    label: 'reason',
    values: {
      network: 'the address is not in `allow`',
      connections: 'agents.max-connections is reached',
      tls: 'the TLS handshake failed',
    },
  },
  {
    metric: 'sluice_control_reports_dropped_total',
    label: 'kind',
    values: { host: 'interfaces and processes of a host', cluster: 'objects of a Kubernetes cluster' },
  },
  {
    metric: 'sluice_control_requests_total',
    label: 'outcome',
    values: {
      answered: 'as the agent wanted',
      malformed: 'bytes that are no such message, or one with too much in it',
      old_protocol: 'an agent of 6.5 or before, which is not served',
      unimplemented: 'a method that has no use here',
      failed: 'for a reason nobody expected; otherwise an error code',
    },
  },
  {
    metric: 'sluice_dropped_fields_total',
    label: 'reason',
    values: {
      no_number: 'a text or a boolean',
      deep_stack: 'frames of a stack of more than 1024 addresses or 64 KiB; the outermost are kept',
    },
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
      malformed:
        'a line of the Influx line protocol, a span, an entry of a log or a sample of a profile that cannot be read',
      too_large:
        'a span of more than 4 MiB, or beyond what limits.traces-rows leaves; an entry of a log beyond limits.logs-entry',
      no_message: 'an entry of a log without a message',
      bad_timestamp: 'an entry of a log whose time cannot be read',
      no_number: 'a line whose fields are all texts or booleans',
      organisation: 'of an organisation that is not configured, as a record says',
      stopping: 'the journal refused them until the hub had stopped',
      bug: 'could not be appended; please report it',
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
      partial: '400, for logs and profiles 200: the good rows are in the journal',
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
