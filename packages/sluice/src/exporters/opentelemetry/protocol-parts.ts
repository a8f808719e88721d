import type { NamedCells } from '../cells.ts';
import { encodedText, putInt, putText } from './attribute-bytes.ts';
import { encodedChoices, spanKey } from './attribute-names.ts';
import {
  choicePart,
  constantPart,
  optionalLongPart,
  optionalPart,
  putKnownAddress,
  putName,
  textPart,
  type EndAddresses,
  type Part,
} from './attribute-parts.ts';
import type { Chosen } from './chosen.ts';
import type { LogColumns } from './log-columns.ts';
import { SERVER, type SpanOutline } from './span-outline.ts';
import { readSqlName, type SqlName } from './sql-name.ts';

/** Attributes of a span that say what was asked of whom, by the protocol of the request: as DeepFlow, by the conventions before 1.0. */

const HTTP = 20;
const HTTP2 = 21;
const DUBBO = 40;
const GRPC = 41;
const MYSQL = 60;
const POSTGRESQL = 61;
const REDIS = 80;
const KAFKA = 100;
const MQTT = 101;
const DNS = 120;

export function isSql(protocol: number): boolean {
  return protocol === MYSQL || protocol === POSTGRESQL;
}

const key = {
  httpFlavor: spanKey('http.flavor'),
  httpMethod: spanKey('http.method'),
  httpPath: spanKey('df.http.path'),
  httpStatus: spanKey('http.status_code'),
  httpProxyClient: spanKey('df.http.proxy_client'),
  peerName: spanKey('net.peer.name'),
  peerPort: spanKey('net.peer.port'),
  peerAddress: spanKey('net.sock.peer.addr'),
  hostName: spanKey('net.host.name'),
  hostPort: spanKey('net.host.port'),
  hostAddress: spanKey('net.sock.host.addr'),
  requestId: spanKey('df.global.request_id'),
  rpcSystem: spanKey('rpc.system'),
  rpcService: spanKey('rpc.service'),
  rpcMethod: spanKey('rpc.method'),
  requestDomain: spanKey('df.request_domain'),
  responseCode: spanKey('df.response_code'),
  dubboVersion: spanKey('df.dubbo.version'),
  dbSystem: spanKey('db.system'),
  dbOperation: spanKey('db.operation'),
  dbStatement: spanKey('db.statement'),
  mysqlType: spanKey('df.mysql.request_type'),
  postgresqlType: spanKey('df.postgresql.request_type'),
  messagingSystem: spanKey('messaging.system'),
  globalResource: spanKey('df.global.request_resource'),
  kafkaType: spanKey('df.kafka.request_type'),
  kafkaDomain: spanKey('df.kafka.request_domain'),
  kafkaCode: spanKey('df.kafka.response_code'),
  mqttType: spanKey('df.mqtt.request_type'),
  mqttResource: spanKey('df.mqtt.request_resource'),
  mqttDomain: spanKey('df.mqtt.request_domain'),
  mqttCode: spanKey('df.mqtt.response_code'),
  dnsType: spanKey('df.dns.request_type'),
  dnsResource: spanKey('df.dns.request_resource'),
  dnsStatus: spanKey('df.dns.response_status'),
  dnsCode: spanKey('df.dns.response_code'),
  dnsResult: spanKey('df.dns.response_result'),
} as const;

const dnsStatuses = encodedChoices(key.dnsStatus, [
  'Success',
  'Error',
  'Timeout',
  'Server Error',
  'Client Error',
  'Unknown',
  'Parse Failed',
]);

/** A column of texts or numbers, and the attributes that it becomes by protocol. */
type Text =
  | 'version'
  | 'request_type'
  | 'request_domain'
  | 'request_resource'
  | 'response_result'
  | 'http_proxy_client';

/** Writes the attributes of a row's protocol and of its two ends. */
export function protocolPart(columns: LogColumns, chosen: Chosen, outline: SpanOutline): Part {
  const ends = endNames(columns);
  const byProtocol = partsByProtocol(columns, chosen, (row) => (outline.kind(row) === SERVER ? ends[0] : ends[1]));
  const protocols = columns.bytes('l7_protocol');
  const domains = columns.text('request_domain');
  const ofEnds = chosen.has('application_layer') ? endParts(columns, outline, ends) : undefined;
  return (writer, row) => {
    const protocol = protocols[row]!;
    for (const part of byProtocol[protocol] ?? []) part(writer, row);
    // Of HTTP the name of the other end has been written where its domain stands.
    const isNamed = (protocol === HTTP || protocol === HTTP2) && domains.end(row) > domains.start(row);
    ofEnds?.(writer, row, !isNamed);
  };
}

function partsByProtocol(
  columns: LogColumns,
  { has }: Chosen,
  peerOf: (row: number) => EndNames,
): readonly (readonly Part[] | undefined)[] {
  const group = 'application_layer';
  const part = (field: string, make: () => Part): readonly Part[] => (has(group, field) ? [make()] : []);
  const text = (name: keyof typeof key, field: Text) => part(field, () => textPart(key[name], columns.text(field)));
  const constant = (name: keyof typeof key, value: string) =>
    part('l7_protocol', () => constantPart(encodedText(key[name], value)));
  const requestId = part('request_id', () => optionalLongPart(key.requestId, columns.optional('request_id')));
  const code = (name: keyof typeof key) =>
    part('response_code', () => optionalPart(key[name], columns.optional('response_code')));

  const http = [
    ...text('httpFlavor', 'version'),
    ...text('httpMethod', 'request_type'),
    ...part('request_domain', () => domainPart(columns, has(group), peerOf)),
    ...text('httpPath', 'request_resource'),
    ...requestId,
    ...code('httpStatus'),
    ...text('httpProxyClient', 'http_proxy_client'),
  ];
  const rpc = [...text('rpcService', 'request_resource'), ...text('rpcMethod', 'request_type')];
  const sql = (system: string, type: keyof typeof key) => [
    ...constant('dbSystem', system),
    ...part('request_resource', () => operationPart(columns)),
    ...text('dbStatement', 'request_resource'),
    ...text(type, 'request_type'),
  ];
  const parts: (readonly Part[] | undefined)[] = Array.from({ length: 256 });
  parts[HTTP] = http;
  parts[HTTP2] = http;
  parts[DUBBO] = [
    ...constant('rpcSystem', 'apache_dubbo'),
    ...rpc,
    ...text('requestDomain', 'request_domain'),
    ...text('dubboVersion', 'version'),
    ...requestId,
    ...code('responseCode'),
  ];
  parts[GRPC] = [
    ...constant('rpcSystem', 'grpc'),
    ...rpc,
    ...text('httpFlavor', 'version'),
    ...text('requestDomain', 'request_domain'),
    ...requestId,
  ];
  parts[MYSQL] = sql('mysql', 'mysqlType');
  parts[POSTGRESQL] = sql('postgresql', 'postgresqlType');
  parts[REDIS] = [
    ...constant('dbSystem', 'redis'),
    ...text('dbOperation', 'request_type'),
    ...text('dbStatement', 'request_resource'),
  ];
  parts[KAFKA] = [
    ...constant('messagingSystem', 'kafka'),
    ...text('kafkaType', 'request_type'),
    ...requestId,
    ...text('globalResource', 'request_resource'),
    ...text('kafkaDomain', 'request_domain'),
    ...code('kafkaCode'),
  ];
  parts[MQTT] = [
    ...constant('messagingSystem', 'mqtt'),
    ...text('mqttType', 'request_type'),
    ...text('mqttResource', 'request_resource'),
    ...text('mqttDomain', 'request_domain'),
    ...code('mqttCode'),
  ];
  parts[DNS] = [
    ...text('dnsType', 'request_type'),
    ...text('dnsResource', 'request_resource'),
    ...requestId,
    ...part('response_status', () => choicePart(dnsStatuses, columns.bytes('response_status'))),
    ...code('dnsCode'),
    ...text('dnsResult', 'response_result'),
  ];
  return parts;
}

/** Command of an SQL statement. */
function operationPart(columns: LogColumns): Part {
  const statements = columns.text('request_resource');
  const { bytes } = statements;
  const sql: SqlName = { commandStart: 0, commandEnd: 0, tableStart: 0, tableEnd: 0 };
  return (writer, row) => {
    readSqlName(bytes, statements.start(row), statements.end(row), sql);
    if (sql.commandEnd > sql.commandStart) putText(writer, key.dbOperation, bytes, sql.commandStart, sql.commandEnd);
  };
}

/** Name of one end: that of its host, else of its Kubernetes node. */
interface EndNames {
  readonly has: (row: number) => boolean;
  readonly put: (...args: Parameters<Part>) => void;
}

/** The domain of an HTTP request as the name of the other end, which the name of its host or node replaces. */
function domainPart(columns: LogColumns, withEnds: boolean, peerOf: (row: number) => EndNames): Part {
  const domain = textPart(key.peerName, columns.text('request_domain'));
  const domains = columns.text('request_domain');
  if (!withEnds) return domain;
  return (writer, row) => {
    if (domains.end(row) === domains.start(row)) return;
    const peer = peerOf(row);
    if (peer.has(row)) peer.put(writer, row);
    else domain(writer, row);
  };
}

const CLOUD_HOST = 1;

function namesOf(columns: LogColumns, side: 0 | 1, name: (typeof key)['hostName' | 'peerName']): EndNames {
  const types = columns.bytes(`l3_device_type_${side}`);
  const devices = columns.named(`l3_device_id_${side}`);
  const nodes = columns.named(`pod_node_id_${side}`);
  const cellsOf = (row: number): NamedCells =>
    types[row] === CLOUD_HOST && devices.index[row] !== 0 ? devices : nodes;
  return {
    has: (row) => cellsOf(row).index[row] !== 0,
    put: (writer, row) => putName(writer, name, cellsOf(row), row),
  };
}

/** What the ends are called as the other end. */
function endNames(columns: LogColumns): readonly [client: EndNames, server: EndNames] {
  return [namesOf(columns, 0, key.peerName), namesOf(columns, 1, key.peerName)];
}

interface End {
  readonly ports: Uint16Array;
  readonly addresses: EndAddresses;
  readonly own: EndNames;
  readonly asPeer: EndNames;
}

/** The end that the span is about (the server of a server's span) and the other one. */
function endParts(
  columns: LogColumns,
  outline: SpanOutline,
  peerNames: readonly [EndNames, EndNames],
): (writer: Parameters<Part>[0], row: number, namesPeer: boolean) => void {
  const isIpv4 = columns.bytes('is_ipv4');
  const end = (side: 0 | 1): End => ({
    ports: columns.shorts(side === 0 ? 'client_port' : 'server_port'),
    addresses: { isIpv4, ipv4: columns.words(`ip4_${side}`), ipv6: columns.bytes(`ip6_${side}`) },
    own: namesOf(columns, side, key.hostName),
    asPeer: peerNames[side],
  });
  const client = end(0);
  const server = end(1);
  return (writer, row, namesPeer) => {
    const isServer = outline.kind(row) === SERVER;
    const host = isServer ? server : client;
    const peer = isServer ? client : server;
    host.own.put(writer, row);
    if (host.ports[row] !== 0) putInt(writer, key.hostPort, host.ports[row]!, 0);
    putKnownAddress(writer, key.hostAddress, host.addresses, row);
    if (namesPeer) peer.asPeer.put(writer, row);
    if (peer.ports[row] !== 0) putInt(writer, key.peerPort, peer.ports[row]!, 0);
    putKnownAddress(writer, key.peerAddress, peer.addresses, row);
  };
}
