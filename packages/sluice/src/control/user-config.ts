import { stringify } from 'yaml';
import type { ConfigTree, ConfigValue } from './config.ts';

/**
 * The configuration text that agents are given. An agent that sees other bytes than before takes its configuration in again, and for some keys
 * restarts: the same groups and addresses must give the same bytes, over restarts and versions of the hub as well. So keys are sorted, and the YAML
 * library's settings are fixed here.
 */

/** Where agents are told to go. */
export interface ToldAddresses {
  readonly address: string;
  /** Port for data; undefined: none is listened on, and agents send nothing. */
  readonly dataPort: number | undefined;
  readonly controlPort: number;
}

/** The hub's default with a group's keys over it, as YAML text. */
export function userConfigText(told: ToldAddresses, group: ConfigTree): string {
  return stringify(mergeConfig(defaultConfig(told), group), {
    sortMapEntries: true,
    aliasDuplicateObjects: false,
    lineWidth: 0,
    indent: 2,
    indentSeq: false,
    version: '1.2',
  });
}

/** `over` wins: mappings are joined key by key, everything else is replaced. */
export function mergeConfig(base: ConfigTree, over: ConfigTree): ConfigTree {
  const merged = new Map(base);
  for (const [key, value] of over) {
    const below = merged.get(key);
    merged.set(key, isTree(below) && isTree(value) ? mergeConfig(below, value) : value);
  }
  return merged;
}

/**
 * What makes an agent useful here: it asks every 10 s (its first data comes after the second question), a busy host does not silence it
 * (its load circuit breaker would, at a load of 1 a core), processes and their sockets are reported, and the usual tracing headers are read.
 */
function defaultConfig({ address, dataPort, controlPort }: ToldAddresses): ConfigTree {
  return tree({
    global: {
      communication: {
        // Without an ingester address an agent keeps its connection to the control plane and sends no data.
        ...(dataPort === undefined ? {} : { ingester_ip: address, ingester_port: dataPort }),
        proxy_controller_ip: address,
        proxy_controller_port: controlPort,
        proactive_request_interval: '10s',
      },
      circuit_breakers: { relative_sys_load: { trigger_threshold: 0 } },
    },
    inputs: {
      proc: {
        socket_info_sync_interval: '10s',
        process_matcher: [
          {
            match_regex: '.*',
            match_type: 'process_name',
            only_in_container: false,
            enabled_features: ['proc.gprocess_info', 'proc.socket_list'],
          },
        ],
      },
    },
    processors: {
      request_log: {
        tag_extraction: {
          tracing_tag: { http_real_client: ['X-Forwarded-For'], x_request_id: ['X-Request-ID'] },
        },
        application_protocol_inference: {
          enabled_protocols: [
            'HTTP',
            'HTTP2',
            'gRPC',
            'MySQL',
            'PostgreSQL',
            'Redis',
            'MongoDB',
            'Kafka',
            'DNS',
            'TLS',
          ],
        },
      },
    },
  });
}

interface Written {
  readonly [key: string]: WrittenValue;
}

type WrittenValue = Written | readonly WrittenValue[] | string | number | boolean;

function tree(written: Written): ConfigTree {
  return new Map(Object.entries(written).map(([key, value]) => [key, toValue(value)]));
}

function toValue(value: WrittenValue): ConfigValue {
  if (typeof value !== 'object') return value;
  return isList(value) ? value.map((item) => toValue(item)) : tree(value);
}

function isList(value: Written | readonly WrittenValue[]): value is readonly WrittenValue[] {
  return Array.isArray(value);
}

function isTree(value: ConfigValue | undefined): value is ConfigTree {
  return value instanceof Map;
}
