/** Where exported data differs from what DeepFlow's own exporters send, on purpose. docs/deepflow-differences.md has the same list; tests name entries by id. */
export interface DeepflowDifference {
  readonly id: string;
  readonly protocols: readonly ('kafka' | 'prometheus' | 'opentelemetry')[];
  /** What is otherwise here. */
  readonly here: string;
  readonly reason: string;
}

export const deepflowDifferences: readonly DeepflowDifference[] = [
  {
    id: 'prometheus-default-fields',
    protocols: ['prometheus'],
    here: 'Without export-fields, series have all tags as labels; there, only `datasource`.',
    reason:
      'The documented default is everything. With no tags, all rows of a second are one series with as many values.',
  },
  {
    id: 'prometheus-ipv6',
    protocols: ['prometheus'],
    here: 'Rows of IPv6 have the labels ip6, ip6_0 and ip6_1, and none of ip4*; there, ip4* is 0.0.0.0 and ip6* is missing.',
    reason: 'Otherwise the addresses are lost, and rows of different ends become one series.',
  },
  {
    id: 'prometheus-kinds-without-inventory',
    protocols: ['prometheus'],
    here: 'Names of kinds (l3_device_type, auto_*_type) and addresses in place of names are sent for every organisation.',
    reason: 'They follow from the row alone; there, an organisation without an inventory has none.',
  },
  {
    id: 'prometheus-duplicates',
    protocols: ['prometheus'],
    here: 'Values of one series and time in one batch become one (on-duplicate); there, each is sent.',
    reason: 'Receivers refuse a second value for the same time, and the whole request with it.',
  },
  {
    id: 'prometheus-order',
    protocols: ['prometheus'],
    here: 'All rows of a series go through one lane, in order; there, queues are taken in turn.',
    reason: 'Remote write wants the samples of a series in order of time.',
  },
  {
    id: 'prometheus-pod-labels',
    protocols: ['prometheus'],
    here: '$k8s.label forms of export-fields add labels k8s_label_<name> (with _0 and _1 where rows have two ends); there, none.',
    reason: 'They are asked for by name.',
  },
  {
    id: 'prometheus-answers',
    protocols: ['prometheus'],
    here: '3xx is no success; 5xx, 408 and 429 are tried again, and Retry-After is kept; there, a failed request is lost.',
    reason: 'Remote write demands it, and nothing may be lost.',
  },
  {
    id: 'prometheus-reserved-headers',
    protocols: ['prometheus'],
    here: 'extra-headers cannot replace headers of the protocol; there, they can.',
    reason: 'The specification forbids it: a receiver would not understand the body.',
  },
  {
    id: 'opentelemetry-default-fields',
    protocols: ['opentelemetry'],
    here: 'Without export-fields, spans have all attributes; there, only those of $metrics, and no ids, times or names.',
    reason: 'The documented default is everything.',
  },
  {
    id: 'opentelemetry-span-fields',
    protocols: ['opentelemetry'],
    here: 'Ids, name, kind, times and status of a span do not depend on export-fields; there, they go with their categories.',
    reason: 'Receivers refuse or hide spans without them.',
  },
  {
    id: 'opentelemetry-field-names',
    protocols: ['opentelemetry'],
    here: 'Names of fields in export-fields switch on the attributes made of them; there, only categories count.',
    reason: 'The setting means the same for every protocol.',
  },
  {
    id: 'opentelemetry-pod-labels',
    protocols: ['opentelemetry'],
    here: '$k8s.label, $k8s.label.<name> and ~$k8s.label.<regex> add the labels they name; there, only the first has an effect, and switches on everything.',
    reason: 'They are asked for by name.',
  },
  {
    id: 'opentelemetry-ids',
    protocols: ['opentelemetry'],
    here: 'Short hexadecimal ids are filled with zeros on the left; what is not hexadecimal, no UUID and not of SkyWalking becomes the first bytes of its SHA-256, and stands in df.span.native.*. There, they are filled on the right, or all zero.',
    reason:
      'Ids of 64 bits are filled on the left by W3C and B3, so that spans of other senders are of the same trace; ids of zeros are invalid.',
  },
  {
    id: 'opentelemetry-own-parent',
    protocols: ['opentelemetry'],
    here: 'A span without a known parent has none; there, it is its own parent.',
    reason: 'No receiver can draw a trace of spans that are their own parents.',
  },
  {
    id: 'opentelemetry-names',
    protocols: ['opentelemetry'],
    here: 'Where the rule of a protocol gives no name, it is the endpoint, the type of the request or the protocol; there, it is empty or a blank.',
    reason: 'Receivers group and search spans by name.',
  },
  {
    id: 'opentelemetry-start',
    protocols: ['opentelemetry'],
    here: 'A row without a start begins when it ended; there, in 1970.',
    reason: 'It would be decades long.',
  },
  {
    id: 'opentelemetry-event-time',
    protocols: ['opentelemetry'],
    here: 'The event that tells of an exception has the time of the end of the span; there, none.',
    reason: 'Events without a time are drawn in 1970.',
  },
  {
    id: 'opentelemetry-exceptions',
    protocols: ['opentelemetry'],
    here: 'The exception of a request is an event of the span with every protocol; there, only with those that have attributes of their own.',
    reason: 'The text of an error is what people look for first.',
  },
  {
    id: 'opentelemetry-capture-nic',
    protocols: ['opentelemetry'],
    here: 'Rows of eBPF and OpenTelemetry have no df.capture_info.capture_nic; there, it is "Invalid TapPort type is 7.".',
    reason: 'Nothing was captured at an interface; the text is an error message.',
  },
  {
    id: 'opentelemetry-nat-gateway',
    protocols: ['opentelemetry'],
    here: 'The name of a NAT gateway is sent as df.universal_tag.natgw_0 and _1; there, never.',
    reason: 'It is documented, and all other devices have theirs.',
  },
  {
    id: 'opentelemetry-tunnels',
    protocols: ['opentelemetry'],
    here: 'Kinds 4 and 5 of tunnels are Geneve and VXLAN-NSH; there, 4 is ERSPAN_TEB, and 5 ends the process.',
    reason: 'These are what agents mean by the numbers, and the names of the other exporters.',
  },
  {
    id: 'opentelemetry-imported',
    protocols: ['opentelemetry'],
    here: 'Spans that came in by OTLP are exported, too, with their own ids, name, events and status message; there, they are not.',
    reason: 'Its users ask for them: the parents of what agents capture are among them.',
  },
  {
    id: 'opentelemetry-text',
    protocols: ['opentelemetry'],
    here: 'What is no UTF-8 is replaced by U+FFFD; there, it is sent as it is.',
    reason: 'Receivers refuse a whole request for one such byte.',
  },
  {
    id: 'opentelemetry-resources',
    protocols: ['opentelemetry'],
    here: 'Spans of equal resources share one; there, each span brings its own.',
    reason: 'Requests are smaller when export-fields leave out what differs from row to row.',
  },
  {
    id: 'opentelemetry-sending',
    protocols: ['opentelemetry'],
    here: 'TLS, compression, HTTP, a time limit, retries, and the answer about spans that were not taken is read; there, plain gRPC without a limit, and a failed request is lost.',
    reason: 'Nothing may be lost, and nothing may hang.',
  },
  {
    id: 'kafka-default-fields',
    protocols: ['kafka'],
    here: 'Without export-fields, rows have all tags and metrics; there, only metrics.',
    reason: 'The documented default is everything; what it is made of there has names that do not exist.',
  },
  {
    id: 'kafka-labels-alone',
    protocols: ['kafka'],
    here: '$k8s.label adds the labels of pods to the fields that are named; there, it adds every field.',
    reason: 'The setting says what is wanted.',
  },
  {
    id: 'kafka-event-info',
    protocols: ['kafka'],
    here: '$tag has the fields of event_info, too, and each category works by itself; there, event_info needs $tag beside it.',
    reason: 'The documentation knows no exception.',
  },
  {
    id: 'kafka-tcp-slow',
    protocols: ['kafka'],
    here: 'retrans_*, zero_win_* and ooo_* of flow_metrics.network* belong to $metrics.tcp_slow; there, to every category of metrics.',
    reason: 'So it is documented.',
  },
  {
    id: 'kafka-ipv6',
    protocols: ['kafka'],
    here: 'Rows of IPv6 have ip6, ip6_0 and ip6_1, and none of ip4*; there, ip4* is 0.0.0.0 and ip6* is missing.',
    reason: 'Otherwise the addresses are lost.',
  },
  {
    id: 'kafka-no-address',
    protocols: ['kafka'],
    here: 'auto_instance and auto_service of a row without an address are empty; there, "<nil>".',
    reason: 'It is no name.',
  },
  {
    id: 'kafka-right-keys',
    protocols: ['kafka'],
    here: 'Beside end_point and host_node_id stand endpoint, and pod_node or pod_node_id; json.legacy-keys: false leaves out the former.',
    reason: 'The documented names; what was made for the others goes on working.',
  },
  {
    id: 'kafka-capture-nic-type',
    protocols: ['kafka'],
    here: 'flow_log.l7_flow_log has capture_nic_type; there, it is missing, or goes by the name "capture_nic_type category:".',
    reason: 'A slip in its declaration there.',
  },
  {
    id: 'kafka-event-processes',
    protocols: ['kafka'],
    here: 'gprocess of events is the name of the process; there, it is always empty.',
    reason: 'It is known.',
  },
  {
    id: 'kafka-kinds-without-inventory',
    protocols: ['kafka'],
    here: 'Names of kinds (l3_device_type, auto_*_type) and addresses in place of names are sent for every organisation.',
    reason: 'They follow from the row alone; there, an organisation without an inventory has none.',
  },
  {
    id: 'kafka-escapes',
    protocols: ['kafka'],
    here: 'Texts in lists and labels are escaped; there, they are not, and a quote in one makes the message unreadable.',
    reason: 'A message is always valid JSON.',
  },
  {
    id: 'kafka-not-a-number',
    protocols: ['kafka'],
    here: 'In a list of numbers, null stands for NaN and infinities, and a single one is left out; there, NaN and +Inf stand in the text.',
    reason: 'They are no JSON.',
  },
  {
    id: 'kafka-text',
    protocols: ['kafka'],
    here: 'What is no UTF-8 in a text is replaced by U+FFFD; there, it is sent as it is.',
    reason: 'It is no JSON.',
  },
  {
    id: 'kafka-headers',
    protocols: ['kafka'],
    here: 'Every message has the header datasource, and those of kafka.headers; there, none.',
    reason: 'One topic may have several data sources, and readers can pass over a message without reading it.',
  },
  {
    id: 'kafka-partitions',
    protocols: ['kafka'],
    here: 'A batch goes to one partition, the next one to the next; there, each message to any.',
    reason: 'It is stored as a whole or not at all, and compresses better. With kafka.key, rows go by their key.',
  },
  {
    id: 'kafka-sending',
    protocols: ['kafka'],
    here: 'Idempotent producers, retries for as long as it takes, TLS with SASL_SSL, SCRAM, and a message that is too large is set aside alone; there, three tries, and a failed batch is lost, passwords go in clear.',
    reason: 'Nothing may be lost, and a password asks for TLS.',
  },
];
