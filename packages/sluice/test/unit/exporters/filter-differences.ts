/** `refused` = the configuration is a mistake that is told. */
export type FilterVerdict = boolean | 'refused';

/** Where filters let through other rows than DeepFlow's exporters do, on purpose: filters and rows of fixtures/golden/filters.json. */
export interface FilterDifference {
  readonly reason: string;
  readonly filters: readonly {
    /** Its YAML. */
    readonly filter: string;
    /** Verdict here by case. */
    readonly ours: Readonly<Record<string, FilterVerdict>>;
  }[];
}

const L7 = 'flow_log.l7_flow_log/000_http1_ok_ebpf_c';
const NETWORK = 'flow_metrics.network.1s/000_server_pod';
const APPLICATION_MAP = 'flow_metrics.application_map.1m/001_server_pod';

export const filterDifferences: readonly FilterDifference[] = [
  {
    reason:
      'A field that the data source does not have is a mistake in the configuration, told when it is loaded; there, the condition is dropped, or compared with a hidden 0.',
    filters: [
      {
        filter: 'tag-filters:\n- {field-name: l7_protocol, operator: "=", field-values: [20]}',
        ours: { [NETWORK]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: l7_protocol, operator: "!=", field-values: [20]}',
        ours: { [NETWORK]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: l7_protocol, operator: "=", field-values: [HTTP]}',
        ours: { [NETWORK]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: l7_protocol, operator: "in", field-values: [41, 60]}',
        ours: { [NETWORK]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: l7_protocol, operator: "NOT IN", field-values: [20]}',
        ours: { [NETWORK]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: request_resource, operator: "~", field-values: ["^/api"]}',
        ours: { [NETWORK]: 'refused', [APPLICATION_MAP]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: request_resource, operator: "~", field-values: [items]}',
        ours: { [NETWORK]: 'refused', [APPLICATION_MAP]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: request_resource, operator: ":", field-values: ["pi/v1"]}',
        ours: { [NETWORK]: 'refused', [APPLICATION_MAP]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: request_resource, operator: "~", field-values: ["(", items]}',
        ours: { [NETWORK]: 'refused', [APPLICATION_MAP]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: request_resource, operator: "~", field-values: [nomatch, items]}',
        ours: { [NETWORK]: 'refused', [APPLICATION_MAP]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: request_resource, operator: "=", field-values: ["/api/v1/items?id=3"]}',
        ours: { [NETWORK]: 'refused', [APPLICATION_MAP]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: observation_point, operator: "in", field-values: [c, s, c-p]}',
        ours: { [NETWORK]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: pod_id_0, operator: "=", field-values: [101]}',
        ours: { [NETWORK]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: pod_0, operator: "=", field-values: [shop-7f9c]}',
        ours: { [L7]: 'refused', [NETWORK]: 'refused', [APPLICATION_MAP]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: region_id_0, operator: "=", field-values: [2]}',
        ours: { [NETWORK]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: ip4_0, operator: "=", field-values: [10.1.0.5]}',
        ours: { [NETWORK]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: attribute_names, operator: "=", field-values: [nope]}',
        ours: { [NETWORK]: 'refused', [APPLICATION_MAP]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: ip6_0, operator: "=", field-values: [nope]}',
        ours: { [NETWORK]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: flow_id, operator: "=", field-values: [7308604897068083202]}',
        ours: { [NETWORK]: 'refused', [APPLICATION_MAP]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: response_code, operator: "=", field-values: [200]}',
        ours: { [NETWORK]: 'refused', [APPLICATION_MAP]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: response_code, operator: "!=", field-values: [200]}',
        ours: { [NETWORK]: 'refused', [APPLICATION_MAP]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: request_id, operator: "in", field-values: [9, 10]}',
        ours: { [NETWORK]: 'refused', [APPLICATION_MAP]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: sql_affected_rows, operator: "=", field-values: [42]}',
        ours: { [NETWORK]: 'refused', [APPLICATION_MAP]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: span_kind, operator: "=", field-values: [1]}',
        ours: { [NETWORK]: 'refused', [APPLICATION_MAP]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: request_length, operator: "!=", field-values: [5]}',
        ours: { [NETWORK]: 'refused', [APPLICATION_MAP]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: response_status, operator: "=", field-values: []}',
        ours: { [NETWORK]: 'refused', [APPLICATION_MAP]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: response_status, operator: "!=", field-values: []}',
        ours: { [NETWORK]: 'refused', [APPLICATION_MAP]: 'refused' },
      },
      {
        filter:
          'tag-filters:\n- {field-name: l7_protocol, operator: "=", field-values: [20]}\n- {field-name: type, operator: "=", field-values: [0]}',
        ours: { [NETWORK]: 'refused', [APPLICATION_MAP]: 'refused' },
      },
      {
        filter:
          'tag-filter-condition: {type: or}\ntag-filters:\n- {field-name: l7_protocol, operator: "=", field-values: [20]}\n- {field-name: type, operator: "=", field-values: [0]}',
        ours: { [NETWORK]: 'refused', [APPLICATION_MAP]: 'refused' },
      },
      {
        filter:
          'tag-filter-condition: {type: OR}\ntag-filters:\n- {field-name: l7_protocol, operator: "=", field-values: [20]}\n- {field-name: type, operator: "=", field-values: [0]}',
        ours: { [NETWORK]: 'refused', [APPLICATION_MAP]: 'refused' },
      },
      {
        filter:
          'tag-filters-groups:\n- tag-filter-condition: {type: and}\n  tag-filters:\n  - {field-name: l7_protocol, operator: "=", field-values: [20]}\n  - {field-name: type, operator: "=", field-values: [2]}\n- tag-filter-condition: {type: and}\n  tag-filters:\n  - {field-name: l7_protocol, operator: "=", field-values: [60]}',
        ours: { [NETWORK]: 'refused', [APPLICATION_MAP]: 'refused' },
      },
      {
        filter:
          'tag-filters-groups:\n- tag-filter-condition: {type: and}\n  tag-filters:\n  - {field-name: no_such_field, operator: "=", field-values: [1]}\n- tag-filter-condition: {type: and}\n  tag-filters:\n  - {field-name: l7_protocol, operator: "=", field-values: [99]}',
        ours: { [L7]: 'refused', [NETWORK]: 'refused', [APPLICATION_MAP]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: event_type, operator: "=", field-values: [Read]}',
        ours: { [L7]: 'refused', [NETWORK]: 'refused', [APPLICATION_MAP]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: file_name, operator: "~", field-values: ["log$"]}',
        ours: { [L7]: 'refused', [NETWORK]: 'refused', [APPLICATION_MAP]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: duration, operator: "!=", field-values: [10123]}',
        ours: { [L7]: 'refused', [NETWORK]: 'refused', [APPLICATION_MAP]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: role, operator: "=", field-values: [1]}',
        ours: { [L7]: 'refused', [APPLICATION_MAP]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: endpoint, operator: ":", field-values: ["GET*"]}',
        ours: { [NETWORK]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: app_service, operator: "=", field-values: [shop]}',
        ours: { [NETWORK]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: close_type, operator: "in", field-values: [1, 5]}',
        ours: { [L7]: 'refused', [NETWORK]: 'refused', [APPLICATION_MAP]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: rtt_sum, operator: "=", field-values: [3000]}',
        ours: { [L7]: 'refused', [APPLICATION_MAP]: 'refused' },
      },
    ],
  },
  {
    reason: 'A list without values is a mistake in the configuration; there, it equals nothing.',
    filters: [
      {
        filter: 'tag-filters:\n- {field-name: response_status, operator: "=", field-values: []}',
        ours: { [L7]: 'refused' },
      },
      {
        filter: 'tag-filters:\n- {field-name: response_status, operator: "!=", field-values: []}',
        ours: { [L7]: 'refused' },
      },
    ],
  },
  {
    reason: 'An expression that is none is a mistake in the configuration; there, it is passed over.',
    filters: [
      {
        filter: 'tag-filters:\n- {field-name: request_resource, operator: "~", field-values: ["(", items]}',
        ours: { [L7]: 'refused' },
      },
    ],
  },
  {
    reason: 'Expressions and patterns are applied to the decimal text of numbers; there, they always hold for them.',
    filters: [
      {
        filter: 'tag-filters:\n- {field-name: server_port, operator: "~", field-values: [99]}',
        ours: { [L7]: false, [NETWORK]: false, [APPLICATION_MAP]: false },
      },
      {
        filter: 'tag-filters:\n- {field-name: server_port, operator: "!~", field-values: [80]}',
        ours: { [L7]: false, [NETWORK]: false, [APPLICATION_MAP]: false },
      },
      {
        filter: 'tag-filters:\n- {field-name: server_port, operator: ":", field-values: [9*]}',
        ours: { [L7]: false, [NETWORK]: false, [APPLICATION_MAP]: false },
      },
      {
        filter: 'tag-filters:\n- {field-name: server_port, operator: "!:", field-values: [80*]}',
        ours: { [L7]: false, [NETWORK]: false, [APPLICATION_MAP]: false },
      },
    ],
  },
  {
    reason: 'A pattern is compared with the whole value; there, with any part of it.',
    filters: [
      {
        filter: 'tag-filters:\n- {field-name: request_resource, operator: ":", field-values: ["pi/v1"]}',
        ours: { [L7]: false },
      },
    ],
  },
  {
    reason: 'Each of several expressions counts; there, only the first that can be compiled.',
    filters: [
      {
        filter: 'tag-filters:\n- {field-name: request_resource, operator: "~", field-values: [nomatch, items]}',
        ours: { [L7]: true },
      },
    ],
  },
  {
    reason:
      'A field goes by its name in the table and in exported rows too (region_id_0, endpoint); there, only by one of them.',
    filters: [
      {
        filter: 'tag-filters:\n- {field-name: pod_id_0, operator: "=", field-values: [101]}',
        ours: { [APPLICATION_MAP]: false },
      },
      {
        filter: 'tag-filters:\n- {field-name: region_id_0, operator: "=", field-values: [2]}',
        ours: { [APPLICATION_MAP]: false },
      },
      {
        filter: 'tag-filters:\n- {field-name: endpoint, operator: ":", field-values: ["GET*"]}',
        ours: { [L7]: false },
      },
    ],
  },
  {
    reason: 'Addresses are compared with dotted text too; there, IPv4 ones with numbers alone.',
    filters: [
      {
        filter: 'tag-filters:\n- {field-name: ip4_0, operator: "=", field-values: [10.1.0.5]}',
        ours: { [L7]: true },
      },
    ],
  },
  {
    reason: 'IPv6 addresses are compared; there, every condition on them holds.',
    filters: [
      {
        filter: 'tag-filters:\n- {field-name: ip6_0, operator: "=", field-values: [nope]}',
        ours: { [L7]: false, [APPLICATION_MAP]: false },
      },
    ],
  },
  {
    reason: 'A list equals a value when one of its elements does; there, every condition on lists holds.',
    filters: [
      {
        filter: 'tag-filters:\n- {field-name: attribute_names, operator: "=", field-values: [nope]}',
        ours: { [L7]: false },
      },
    ],
  },
  {
    reason: 'Whole numbers are compared exactly; there, as doubles.',
    filters: [
      {
        filter: 'tag-filters:\n- {field-name: flow_id, operator: "=", field-values: [7308604897068083202]}',
        ours: { [L7]: false },
      },
    ],
  },
  {
    reason: 'A number that is absent equals nothing; there, the process ends.',
    filters: [
      {
        filter: 'tag-filters:\n- {field-name: sql_affected_rows, operator: "=", field-values: [42]}',
        ours: { [L7]: false },
      },
      {
        filter: 'tag-filters:\n- {field-name: span_kind, operator: "=", field-values: [1]}',
        ours: { [L7]: false },
      },
    ],
  },
  {
    reason: 'The condition may be written in capitals; there, OR means and.',
    filters: [
      {
        filter:
          'tag-filter-condition: {type: OR}\ntag-filters:\n- {field-name: l7_protocol, operator: "=", field-values: [20]}\n- {field-name: type, operator: "=", field-values: [0]}',
        ours: { [L7]: true },
      },
    ],
  },
];
