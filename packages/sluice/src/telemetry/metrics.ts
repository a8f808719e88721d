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
    droppedFields: counter('sluice_dropped_fields_total', 'Fields of rows taken that their table has no place for', [
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
    agentFaults: counter('sluice_agent_faults_total', 'Frames and records of an agent that were dropped', [
      'org',
      'agent',
      'reason',
    ]),
    agentMemory: gauge('sluice_agent_memory_bytes', 'Memory of incomplete frames of agents'),
    agentPaused: gauge('sluice_agent_paused', '1 while connections of agents are not read'),
    agentWaiting: gauge('sluice_agent_waiting_bytes', 'Bytes of decoded rows of agents that the journal has not taken'),

    configReloads: counter('sluice_config_reloads_total', 'Reloads of the configuration, by outcome', ['outcome']),
    selfWrites: counter('sluice_self_writes_total', "Writes of the hub's own telemetry, by outcome", ['outcome']),
  };
}
