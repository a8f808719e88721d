import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

/**
 * Every metric of the hub, declared once; docs/metrics.md lists the same and a test compares the two.
 * Names: sluice_<noun>_<unit>, counters end in _total. Counted per batch, never per row.
 */
export type Metrics = ReturnType<typeof createMetrics>;

export function createMetrics(registry: Registry = new Registry()) {
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter<L>({ name, help, labelNames: [...labelNames], registers: [registry] });
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Gauge<L>({ name, help, labelNames: [...labelNames], registers: [registry] });
  const histogram = <L extends string>(name: string, help: string, buckets: number[], labelNames: readonly L[] = []) =>
    new Histogram<L>({ name, help, buckets, labelNames: [...labelNames], registers: [registry] });
  const latency = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

  return {
    registry,
    /** Adds the process and Node metrics (`process_*`, `nodejs_*`). */
    collectProcessMetrics: () => collectDefaultMetrics({ register: registry }),
    buildInfo: gauge('sluice_build_info', 'Always 1; the labels say what runs', ['version', 'node']),

    receivedRows: counter('sluice_received_rows_total', 'Rows taken into the journal', ['input', 'table']),
    droppedRows: counter('sluice_dropped_rows_total', 'Rows of an input that were not taken', ['input', 'reason']),
    droppedFields: counter('sluice_dropped_fields_total', 'Fields that were left out of rows that were taken', [
      'input',
      'reason',
    ]),
    receivedRequests: counter('sluice_received_requests_total', 'Write requests by outcome', ['input', 'outcome']),
    receivedBytes: counter('sluice_received_bytes_total', 'Bytes of write requests, as on the wire', ['input']),
    acknowledgeSeconds: histogram(
      'sluice_acknowledge_seconds',
      'From a complete body to its acknowledgement',
      latency,
      ['input'],
    ),

    seriesActive: gauge('sluice_series_active', 'Active Prometheus series', ['org']),
    seriesForms: gauge('sluice_series_forms', 'Spellings of active series that are recognised without parsing', [
      'org',
    ]),
    seriesAdded: counter('sluice_series_added_total', 'Series seen for the first time', ['org']),
    seriesIdled: counter('sluice_series_idled_total', 'Series that left memory because nothing came for them', ['org']),
    seriesRefused: counter('sluice_series_refused_total', 'Series that were not taken', ['org', 'reason']),
    seriesMemory: gauge('sluice_series_memory_bytes', 'Memory of the active series', ['org']),

    journalBytes: gauge('sluice_journal_bytes', 'Bytes of the journal on disk'),
    journalBacklog: gauge('sluice_journal_backlog_bytes', 'Bytes that a reader has not confirmed', ['reader']),
    journalSegments: gauge('sluice_journal_segments', 'Segments on disk'),
    journalAppends: counter('sluice_journal_appends_total', 'Inputs by outcome', ['outcome']),
    journalSyncSeconds: histogram('sluice_journal_sync_seconds', 'Duration of an fsync of the journal', latency),
    journalQuarantined: counter('sluice_journal_quarantined_rows_total', 'Rows set aside', ['table', 'reason']),
    journalOverflow: counter('sluice_journal_overflow_rows_total', 'Rows a lagging reader lost', ['reader', 'reason']),
    journalRecovered: counter('sluice_journal_recovered_bytes_total', 'Bytes found at start, by what became of them', [
      'outcome',
    ]),

    storageUp: gauge('sluice_storage_up', '1 while the database answers'),
    storageInserts: counter('sluice_storage_inserts_total', 'Statements that load a segment, by outcome', [
      'table',
      'outcome',
    ]),
    storageRows: counter('sluice_storage_rows_total', 'Rows confirmed by the database', ['table']),
    storageInsertSeconds: histogram('sluice_storage_insert_seconds', 'Duration of an insert', latency, ['table']),

    readQueries: counter('sluice_read_queries_total', 'Queries answered, by route and outcome', ['route', 'outcome']),
    readSamples: counter('sluice_read_samples_total', 'Samples sent to readers', ['route']),
    readSeconds: histogram('sluice_read_seconds', 'From a query to the end of its answer', latency, ['route']),

    httpRequests: counter('sluice_http_requests_total', 'HTTP requests by route and status', ['route', 'status']),
    httpConnections: gauge('sluice_http_connections', 'Open HTTP connections', ['listener']),
    httpRefused: counter('sluice_http_refused_total', 'Requests and connections refused before their handler', [
      'reason',
    ]),
    httpMemory: gauge('sluice_http_memory_bytes', 'Memory granted to running requests'),

    agents: gauge('sluice_agents', 'Registered agents', ['state']),
    controlConnections: gauge('sluice_control_connections', 'Open connections of agents to the control plane'),
    controlRefused: counter('sluice_control_refused_total', 'Connections of agents that were refused', ['reason']),
    controlRequests: counter('sluice_control_requests_total', 'Requests of agents by method and outcome', [
      'method',
      'outcome',
    ]),
    controlPushes: counter('sluice_control_pushes_total', 'Changed configurations pushed to agents'),
    controlReportsDropped: counter('sluice_control_reports_dropped_total', 'Reports of agents that were not kept', [
      'kind',
    ]),

    agentConnections: gauge('sluice_agent_connections', 'Open data connections of agents'),
    agentConnectionsTotal: counter('sluice_agent_connections_total', 'Data connections of agents, by outcome', [
      'outcome',
    ]),
    agentClosed: counter('sluice_agent_connections_closed_total', 'Data connections of agents that ended, by reason', [
      'reason',
    ]),
    agentFrames: counter('sluice_agent_frames_total', 'Frames of agents, by message type', ['type', 'outcome']),
    agentRecords: counter('sluice_agent_records_total', 'Records in frames of agents, by message type', [
      'type',
      'outcome',
    ]),
    agentBytes: counter('sluice_agent_bytes_total', 'Bytes of frames of agents, as on the wire', ['type']),
    agentFaults: counter(
      'sluice_agent_faults_total',
      'Frames and records of an agent that were dropped, and frames that ended its connection',
      ['org', 'agent', 'reason'],
    ),
    agentMemory: gauge('sluice_agent_memory_bytes', 'Memory of incomplete frames of agents'),
    agentPaused: gauge('sluice_agent_paused', '1 while connections of agents are not read'),
    agentWaiting: gauge('sluice_agent_waiting_bytes', 'Bytes of decoded rows of agents that the journal has not taken'),

    exporterMerged: counter(
      'sluice_exporter_merged_samples_total',
      'Samples that became one with another of the same series and time in their batch (on-duplicate)',
      ['exporter', 'data_source'],
    ),
    exporterDroppedLabels: counter(
      'sluice_exporter_dropped_labels_total',
      'Labels of rows that were left out because a series may have no more (max-labels)',
      ['exporter', 'data_source'],
    ),
    exporterUnwritten: counter(
      'sluice_exporter_unwritten_samples_total',
      'Samples of requests that the receiver took, but did not count as written',
      ['exporter'],
    ),
    exporterUntakenSpans: counter(
      'sluice_exporter_untaken_spans_total',
      'Spans of requests that a receiver took without them, not saying which ones it means',
      ['exporter'],
    ),

    exporterRowsReceived: counter(
      'sluice_exporter_rows_received_total',
      'Rows that an exporter read from the journal',
      ['exporter', 'protocol', 'data_source'],
    ),
    exporterRowsLeftOut: counter('sluice_exporter_rows_left_out_total', 'Rows read that are not to be exported', [
      'exporter',
      'protocol',
      'data_source',
      'reason',
    ]),
    exporterItemsEncoded: counter('sluice_exporter_items_encoded_total', 'Messages, series or spans made of rows', [
      'exporter',
      'protocol',
      'data_source',
    ]),
    exporterItemsSent: counter('sluice_exporter_items_sent_total', 'Items that a receiver has confirmed', [
      'exporter',
      'protocol',
      'data_source',
    ]),
    exporterItemsRejected: counter('sluice_exporter_items_rejected_total', 'Items that were set aside in rejected/', [
      'exporter',
      'protocol',
      'data_source',
      'reason',
    ]),
    exporterItemsDropped: counter('sluice_exporter_items_dropped_total', 'Items that are gone', [
      'exporter',
      'protocol',
      'data_source',
      'reason',
    ]),
    exporterRequests: counter('sluice_exporter_requests_total', 'Requests of exporters, by outcome', [
      'exporter',
      'protocol',
      'endpoint',
      'outcome',
    ]),
    exporterRetries: counter('sluice_exporter_retries_total', 'Requests of exporters that repeat an earlier one', [
      'exporter',
      'protocol',
      'endpoint',
    ]),
    exporterRequestSeconds: histogram(
      'sluice_exporter_request_seconds',
      'From the begin of a request of an exporter to its outcome',
      latency,
      ['exporter', 'protocol'],
    ),
    exporterSentBytes: counter('sluice_exporter_sent_bytes_total', 'Encoded bytes that a receiver has confirmed', [
      'exporter',
      'protocol',
    ]),
    exporterQueueRows: gauge('sluice_exporter_queue_rows', 'Rows in the lanes of an exporter', [
      'exporter',
      'protocol',
    ]),
    exporterQueueBytes: gauge('sluice_exporter_queue_bytes', 'Encoded bytes in the lanes of an exporter', [
      'exporter',
      'protocol',
    ]),
    exporterQueueCapacity: gauge(
      'sluice_exporter_queue_capacity_bytes',
      'Encoded bytes in the lanes at which an exporter stops reading',
      ['exporter', 'protocol'],
    ),
    exporterOldestPending: gauge(
      'sluice_exporter_oldest_pending_timestamp_seconds',
      'When the oldest rows that are not confirmed came into the journal, 0 when there are none',
      ['exporter', 'protocol'],
    ),
    exporterHighestSent: gauge(
      'sluice_exporter_highest_sent_timestamp_seconds',
      'Greatest time of an item that a receiver has confirmed',
      ['exporter', 'protocol', 'data_source'],
    ),
    exporterEndpointUp: gauge('sluice_exporter_endpoint_up', '1 while the last request to it was answered', [
      'exporter',
      'protocol',
      'endpoint',
    ]),
    exporterState: gauge('sluice_exporter_state', '1 for the state that an exporter is in', [
      'exporter',
      'protocol',
      'state',
    ]),
    exporterKeptItems: gauge('sluice_exporter_rejected_kept_items', 'Items in rejected/', ['exporter']),
    exporterKeptBytes: gauge('sluice_exporter_rejected_kept_bytes', 'Bytes of files in rejected/', ['exporter']),
    exporterConfigInfo: gauge(
      'sluice_exporter_config_info',
      'Always 1; the hash is another one when the configuration of an exporter has changed since the start of the hub',
      ['exporter', 'protocol', 'hash'],
    ),

    tagResources: gauge('sluice_tag_resources', 'Resources in the tag inventory, by kind and source', [
      'org',
      'kind',
      'source',
    ]),
    tagSourceUp: gauge('sluice_tag_source_up', '1 while a source of tags can be asked', ['org', 'source']),
    tagSourceAge: gauge('sluice_tag_source_age_seconds', 'Since it was last known that what a source told is true', [
      'org',
      'source',
    ]),
    tagBuildSeconds: histogram('sluice_tag_build_seconds', 'Work for taking changes into the tag inventory', latency, [
      'org',
    ]),
    tagMemory: gauge('sluice_tag_memory_bytes', 'Memory of the tables of the tag inventory', ['org']),
    tagFieldsNoted: counter(
      'sluice_tag_fields_noted_total',
      'Names and values of custom fields that were new in their hour',
    ),
    tagFieldsLeftOut: counter(
      'sluice_tag_fields_left_out_total',
      'Names and values of custom fields that were not noted: values of names with many, long ones, no room, or the journal refused them',
      ['reason'],
    ),
    tagMisses: counter('sluice_tag_misses_total', 'Questions to the tag inventory without an answer, by kind', [
      'org',
      'kind',
    ]),
    tagSeriesChanged: counter(
      'sluice_tag_series_changed_total',
      'Series announced again because their tags have changed',
      ['org'],
    ),
    tagObjectsSkipped: counter('sluice_tag_objects_skipped_total', 'Parts of what a source told that were left out', [
      'org',
      'source',
      'reason',
    ]),
    tagWatches: counter('sluice_tag_watches_total', 'Lists and watches of a Kubernetes API, by outcome', [
      'org',
      'source',
      'outcome',
    ]),
    tagIdsExhausted: counter('sluice_tag_ids_exhausted_total', 'Resources without a number because none was left', [
      'org',
      'kind',
    ]),

    tagIdGiver: gauge(
      'sluice_tag_id_giver',
      '1 while this hub gives ids to resources, 0 while it follows another one',
      ['org'],
    ),
    tagIdsMissing: gauge('sluice_tag_ids_missing', 'Described resources whose id is not known yet', ['org']),
    tagIdsAge: gauge('sluice_tag_ids_age_seconds', 'Since the ids that hubs share were last read', ['org']),
    tagIdGiverAge: gauge('sluice_tag_id_giver_age_seconds', 'Since the hub that gives ids was last heard of', ['org']),
    tagIdConflicts: counter(
      'sluice_tag_id_conflicts_total',
      'Resources that got another id because the hub that gives ids had given theirs to another one',
      ['org', 'kind'],
    ),

    configReloads: counter('sluice_config_reloads_total', 'Reloads of the configuration, by outcome', ['outcome']),
    selfWrites: counter('sluice_self_writes_total', "Writes of the hub's own telemetry, by outcome", ['outcome']),
  };
}
