/**
 * The keys of DeepFlow's server.yaml (as of June 2026, with those of its code that its sample file leaves out) and what kind of value each
 * takes. Sluice knows them to tell a key that has no effect here from a misspelled one. Keys that Sluice itself obeys stand in schema.ts.
 */
export type DeepflowKind = 'number' | 'text' | 'boolean' | 'texts' | 'map';
/** A nested section, a list of sections (one element), or the kind of a plain value. */
export type DeepflowShape = DeepflowKind | DeepflowSection | readonly [DeepflowSection];
export interface DeepflowSection {
  readonly [key: string]: DeepflowShape;
}

function keys(kind: DeepflowKind, names: string): DeepflowSection {
  return Object.fromEntries(names.split(/\s+/).map((name) => [name, kind]));
}

const service = { enabled: 'boolean', ...keys('text', 'host'), ...keys('number', 'port timeout') } as const;
const writer = keys('number', 'queue-count queue-size batch-size flush-timeout');
const logging = keys('text', 'log-file log-level');

const sqlDatabase: DeepflowSection = {
  ...keys('boolean', 'enabled drop-database-enabled'),
  ...keys('text', 'database schema dsn host proxy-host user-name user-password'),
  ...keys('number', 'port proxy-port timeout auto_increment_increment batch-size-0 batch-size-1'),
  ...keys(
    'number',
    'max_open_conns max_idle_conns conn_max_life_time max-open-conns max-idle-conns conn-max-life-time',
  ),
};

const traceIdWithIndex: DeepflowSection = {
  disabled: 'boolean',
  type: 'text',
  'incremental-id-location': { ...keys('number', 'start length'), format: 'text' },
};

const cloud: DeepflowSection = {
  ...keys('number', 'kubernetes_gather_interval http_timeout custom_tag_len_max process_name_len_max'),
  ...keys('text', 'hostname_to_ip_file aliyun_region_name'),
  ...keys('boolean', 'dns_enable debug_enabled'),
  qingcloud_config: {
    ...keys('number', 'max_retries retry_duration'),
    daily_trigger_time: 'text',
    disable_sync_lb_listener: 'boolean',
  },
  fusioncompute_config: { daily_trigger_time: 'text' },
  huawei_manageone: { duplication_enabled: 'boolean' },
};

const recorder: DeepflowSection = {
  ...keys('number', 'cache_refresh_interval deleted_resource_clean_interval deleted_resource_retention_time'),
  ...keys('number', 'dirty_resource_clean_interval resource_max_id_0 resource_max_id_1 mysql_batch_size'),
  log_debug: { ...keys('boolean', 'enabled detail_enabled'), resource_type: 'texts' },
  event: { config_diff_context: 'number' },
  self_heal: { enabled: 'boolean', resources: 'texts' },
  tagrecorder_self_heal: { enabled: 'boolean' },
};

const controller: DeepflowSection = {
  ...logging,
  ...keys(
    'number',
    'listen-port listen-node-port grpc-max-message-length pod-cluster-internal-ip-to-ingester agent-cmd-timeout',
  ),
  ...keys(
    'text',
    'grpc-port ssl-grpc-port grpc-node-port ingester-port agent_ssl_cert_file agent_ssl_key_file kubeconfig',
  ),
  ...keys('text', 'master-controller-name election-name billing-method'),
  ...keys('boolean', 'reporting-disabled no-teamid-refused all-agent-connect-to-nat-ip no-ip-overlapping'),
  swagger: { enabled: 'boolean' },
  http: {
    redis_refresh_interval: 'number',
    resource_api_page_get_redis_enabled: 'boolean',
    additional_domains: 'texts',
  },
  'df-web-service': service,
  'querier-js-service': service,
  fpermit: service,
  fuser: service,
  'acl-controller': service,
  mysql: sqlDatabase,
  postgresql: sqlDatabase,
  dm: sqlDatabase,
  redis: {
    ...keys('boolean', 'enabled cluster_enabled'),
    ...keys('number', 'resource_api_database resource_api_expire_interval dimension_resource_database port timeout'),
    password: 'text',
    host: 'texts',
  },
  clickhouse: {
    ...keys('text', 'database user-name user-password host endpoint-tcp-port-name'),
    ...keys('number', 'port timeout'),
  },
  'ingester-api': keys('number', 'port node-port timeout'),
  roze: keys('number', 'port timeout'),
  spec: {
    ...keys(
      'number',
      'vtap_group_max vtap_max_per_group az_max_per_server data_source_max data_source_retention_time_max',
    ),
    ...keys('number', 'data_source_ext_metrics_interval data_source_prometheus_interval biz_decode_policy_max'),
    ...keys('number', 'biz_decode_policy_field_max biz_decode_dictionary_max biz_decode_custom_protocol_max'),
    ...keys('number', 'max-biz-policy-pcap-file-size max-per-biz-policy-pcap-file-count'),
    ...keys('number', 'pcap_policy_max pcap_policy_complexity_threshold'),
  },
  pcap: {
    ...keys('number', 'page-size max-packets max-total-memory max-packet-size'),
    querier: keys('number', 'listen-port listen_port'),
  },
  monitor: {
    ...keys('number', 'health_check_interval health_check_port health_check_handle_channel_len license_check_interval'),
    ...keys('number', 'bill_check_interval vtap_check_interval exception_time_frame rebalance_check_interval'),
    ...keys('number', 'sync_default_org_data_interval'),
    auto_rebalance_vtap: 'boolean',
    'ingester-load-balancing-strategy': { algorithm: 'text', ...keys('number', 'data-duration rebalance-interval') },
    vtap_auto_delete: { enabled: 'boolean', lost_time_max: 'number' },
    warrant: service,
    manager: service,
  },
  manager: {
    cloud_config_check_interval: 'number',
    task: { resource_recorder_interval: 'number', cloud, recorder },
  },
  tagrecorder: keys(
    'number',
    'interval timeout mysql_batch_size dictionary_refresh_interval live_view_refresh_second dictionary_reload_interval',
  ),
  trisolaris: {
    ...keys('text', 'tsdb_ip tsdb-ip listen-port self-update-url node-type region-domain-prefix'),
    ...keys(
      'number',
      'remote-api-timeout clear-kubernetes-time auto-grpc-buffer-size-interval vtapcache-refresh-interval',
    ),
    ...keys(
      'number',
      'metadata-refresh-interval node-refresh-interval gpid-refresh-interval image_expire default-tap-mode',
    ),
    ...keys('number', 'platform-data-refresh-delay-time org-data-refresh-interval'),
    ...keys('boolean', 'vtap-auto-register domain-auto-register log-agent-config'),
    'platform-vips': 'texts',
    chrony: { host: 'text', ...keys('number', 'port timeout') },
    push: { enabled: 'boolean', 'delay-max': 'number' },
  },
  genesis: {
    ...keys('number', 'aging_time vinterface_aging_time agent_heart_beat queue_length data_persistence_interval'),
    ...keys('text', 'database ignore_nic_regex vm_name_field'),
    host_ips: 'texts',
  },
  statsd: { enabled: 'boolean', host: 'text', port: 'number' },
  prometheus: keys(
    'number',
    'synchronizer_cache_refresh_interval encoder_cache_refresh_interval resource_max_id_0 resource_max_id_1 app_label_index data_clean_interval querier_query_limit',
  ),
};

const customTag: DeepflowSection = {
  ...keys('text', 'tag-name display_name description'),
  ...keys('texts', 'tag-values tag-fields'),
};

const querier: DeepflowSection = {
  ...logging,
  ...keys('number', 'listen-port time-fill-limit prometheus-cache-update-interval max-cacheable-entry-size'),
  ...keys('number', 'max-prometheus-id-subquery-lru-entry prometheus-id-subquery-lru-timeout'),
  ...keys('text', 'language otel-endpoint limit'),
  clickhouse: {
    ...keys('text', 'database user user-name user-password host query-cache-ttl'),
    ...keys('number', 'port timeout connect-timeout max-connection'),
    'use-query-cache': 'boolean',
  },
  profile: {
    ...logging,
    ...keys('number', 'listen-port flame_query_limit'),
    querier: { host: 'text', port: 'number' },
  },
  'trace-map': {
    ...keys('number', 'max_trace_per_iteration batch_traces_count_max trace_id_query_iterations trace_query_delta'),
    ...keys(
      'number',
      'trace_tree_cache_delay write_interval write_batch_size debug_sql_len_max multi_trace_id_max_iterations',
    ),
    infer_remote_service: 'boolean',
    querier: { host: 'text', port: 'number' },
  },
  'deepflow-app': { host: 'text', port: 'number' },
  prometheus: {
    limit: 'text',
    ...keys('number', 'qps-limit series-limit max-samples external-tag-cache-size external-tag-load-interval'),
    'auto-tagging-prefix': 'text',
    ...keys('boolean', 'request-query-with-debug operator-offloading'),
    'thanos-replica-labels': 'texts',
    cache: {
      ...keys('boolean', 'remote-read-cache response-cache'),
      ...keys(
        'number',
        'cache-item-size cache-max-count cache-first-timeout cache-clean-interval cache-allow-time-gap',
      ),
    },
  },
  'auto-custom-tag': customTag,
  'auto-custom-tags': [customTag],
  'external-apm': [
    {
      ...keys('text', 'name addr timeout'),
      tls_config: { ...keys('text', 'ca-file cert-file key-file'), insecure: 'boolean' },
      extra_config: 'map',
    },
  ],
};

const ingester: DeepflowSection = {
  ...keys(
    'boolean',
    'storage-disabled ingester-enabled agent-log-to-file disable-second-write flow-log-trace-tree-enabled',
  ),
  ...keys('boolean', 'prometheus-sample-ignore-universal-tag'),
  ...keys('number', 'listen-port datasource-listen-port controller-port stats-interval ck-read-timeout'),
  ...keys('number', 'udp-read-buffer tcp-read-buffer tcp-reader-buffer grpc-buffer-size receiver-window-size'),
  ...keys('number', 'service-labeler-lru-cap service-labber-lru-cap unmarshall-queue-count unmarshall-queue-size'),
  ...keys(
    'number',
    'throttle throttle-bucket l4-throttle l7-throttle flow-tag-cache-max-size flow-tag-cache-flush-timeout',
  ),
  ...keys('number', 'flow-log-decoder-queue-count flow-log-decoder-queue-size'),
  ...keys('number', 'ext-metrics-decoder-queue-count ext-metrics-decoder-queue-size ext-metrics-ttl-hour'),
  ...keys('number', 'profile-decoder-queue-count profile-decoder-queue-size profile-ttl-hour'),
  ...keys('number', 'profile-off-cpu-splitting-granularity'),
  ...keys('number', 'event-decoder-queue-count event-decoder-queue-size event-ttl event-ttl-hour'),
  ...keys('number', 'k8s-event-decoder-queue-count k8s-event-decoder-queue-size'),
  ...keys('number', 'file-event-decoder-queue-count file-event-decoder-queue-size file-event-ttl file-event-ttl-hour'),
  ...keys('number', 'alert-event-ttl alert-event-ttl-hour alert-record-ttl alert-record-ttl-hour'),
  ...keys('number', 'pcap-queue-count pcap-queue-size pcap-ttl pcap-ttl-hour'),
  ...keys('number', 'application-log-decoder-queue-count application-log-decoder-queue-size application-log-ttl-hour'),
  ...keys('number', 'prometheus-decoder-queue-count prometheus-decoder-queue-size prometheus-ttl-hour'),
  ...keys('number', 'prometheus-label-msg-max-size prometheus-label-request-metric-batch-count'),
  ...keys('number', 'prometheus-app-label-column-increment prometheus-app-label-column-min-count'),
  ...keys('number', 'prometheus-label-cache-expiration'),
  ...keys('text', 'node-ip profile-compression-algorithm'),
  'controller-ips': 'texts',
  ckdb: {
    external: 'boolean',
    ...keys('text', 'type host endpoint-tcp-port-name cluster-name storage-policy time-zone'),
    port: 'number',
  },
  'ckdb-auth': keys('text', 'username password'),
  'ckdb-cold-storage': {
    enabled: 'boolean',
    'cold-disk': keys('text', 'type name'),
    settings: [{ db: 'text', tables: 'texts', 'ttl-hour-to-move': 'number' }],
  },
  'ck-disk-monitor': {
    'check-interval': 'number',
    'ttl-check-disabled': 'boolean',
    'disk-cleanups': [{ 'disk-name-prefix': 'text', ...keys('number', 'used-percent free-space used-space') }],
    'priority-drops': [keys('text', 'database tables-contain')],
  },
  'metrics-ck-writer': writer,
  'flowlog-ck-writer': writer,
  'ext-metrics-ck-writer': writer,
  'event-ck-writer': writer,
  'k8s-event-ck-writer': writer,
  'file-event-ck-writer': writer,
  'pcap-ck-writer': writer,
  'profile-ck-writer': writer,
  'prometheus-ck-writer': writer,
  'application-log-ck-writer': writer,
  'flow-metrics-ttl-hour': keys('number', 'vtap-flow-1m vtap-flow-1s vtap-app-1m vtap-app-1s'),
  'flow-log-ttl-hour': keys('number', 'l4-flow-log l7-flow-log l4-packet'),
};

/** The top level of server.yaml, without the keys that Sluice obeys. */
export const DEEPFLOW_KEYS: DeepflowSection = {
  'log-file': 'text',
  profiler: 'boolean',
  'max-cpus': 'number',
  'monitor-paths': 'texts',
  'continuous-profile': {
    ...keys('boolean', 'enabled log-enabled'),
    'server-addr': 'text',
    'profile-types': 'texts',
    ...keys('number', 'mutex-rate block-rate'),
  },
  'free-os-memory-manager': { enabled: 'boolean', interval: 'number' },
  'trace-id-with-index': traceIdWithIndex,
  mcp: { 'listen-port': 'number' },
  controller,
  querier,
  ingester,
};
