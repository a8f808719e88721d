/** Application protocols: the numbers of agents, and the names that rows say (`biz_protocol`). DeepFlow's exporters name two of them otherwise. */

/** What numbers are called that nobody knows. */
export const UNKNOWN_L7_PROTOCOL = 'N/A';

export const TLS_PROTOCOL = 121;

export const l7ProtocolNames: ReadonlyMap<number, string> = new Map([
  [0, UNKNOWN_L7_PROTOCOL],
  [20, 'HTTP'],
  [21, 'HTTP2'],
  [40, 'Dubbo'],
  [41, 'gRPC'],
  [43, 'SofaRPC'],
  [44, 'FastCGI'],
  [45, 'bRPC'],
  [46, 'Tars'],
  [47, 'SOME/IP'],
  [48, 'ISO-8583'],
  [49, 'TRIPLE'],
  [50, 'NetSign'],
  [60, 'MySQL'],
  [61, 'PostgreSQL'],
  [62, 'Oracle'],
  [63, 'Dameng'],
  [80, 'Redis'],
  [81, 'MongoDB'],
  [82, 'Memcached'],
  [100, 'Kafka'],
  [101, 'MQTT'],
  [102, 'AMQP'],
  [103, 'OpenWire'],
  [104, 'NATS'],
  [105, 'Pulsar'],
  [106, 'ZMTP'],
  [107, 'RocketMQ'],
  [108, 'WebSphereMQ'],
  [120, 'DNS'],
  [TLS_PROTOCOL, 'TLS'],
  [122, 'Ping'],
  [127, 'Custom'],
]);

/** `HTTP`, `HTTP_TLS`. TLS itself, and what has no name, are called the same within TLS. */
export function l7ProtocolName(protocol: number, isTls: boolean): string {
  const name = l7ProtocolNames.get(protocol) ?? UNKNOWN_L7_PROTOCOL;
  return isTls && protocol !== TLS_PROTOCOL && name !== UNKNOWN_L7_PROTOCOL ? `${name}_TLS` : name;
}
