/** What a frame of an agent holds: the number in its header. All records of one frame are of one type. */
export const MessageType = {
  COMPRESS: 0,
  SYSLOG: 1,
  SERVER_DFSTATS: 2,
  METRICS: 3,
  TAGGEDFLOW: 4,
  PROTOCOLLOG: 5,
  OPENTELEMETRY: 6,
  PROMETHEUS: 7,
  TELEGRAF: 8,
  PACKETSEQUENCE: 9,
  DFSTATS: 10,
  OPENTELEMETRY_COMPRESSED: 11,
  RAW_PCAP: 12,
  PROFILE: 13,
  PROC_EVENT: 14,
  ALERT_RECORD: 15,
  K8S_EVENT: 16,
  APPLICATION_LOG: 17,
  AGENT_LOG: 18,
  SKYWALKING: 19,
  DATADOG: 20,
  ALERT_EVENT: 21,
} as const;

/** Names by number, as metrics and log lines show them. */
export const MESSAGE_NAMES: readonly string[] = Object.keys(MessageType).map((name) => name.toLowerCase());
