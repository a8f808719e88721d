import { constantText, type ConstantText } from '../batch/constant-text.ts';
import { kafkaErrors } from './kafka-errors.ts';
import { L7Protocol } from './l7-protocols.ts';

/** Texts of `response_exception` for responses that blame an end and do not say why: what the protocol's own code means. */

type Texts = ReadonlyMap<number, ConstantText>;

const ready = (entries: Iterable<readonly [code: number, text: string]>): Texts =>
  new Map([...entries].map(([code, text]) => [code, constantText(text)]));

/** Reason phrases of HTTP, with the source of those that are not in its basic set. Written out: Node's own list changes with its version. */
const http = ready([
  [400, 'Bad Request'],
  [401, 'Unauthorized (RFC 7235)'],
  [402, 'Payment Required'],
  [403, 'Forbidden'],
  [404, 'Not Found'],
  [405, 'Method Not Allowed'],
  [406, 'Not Acceptable'],
  [407, 'Proxy Authentication Required (RFC 7235)'],
  [408, 'Request Timeout'],
  [409, 'Conflict'],
  [410, 'Gone'],
  [411, 'Length Required'],
  [412, 'Precondition Failed (RFC 7232)'],
  [413, 'Payload Too Large (RFC 7231)'],
  [414, 'URI Too Long (RFC 7231)'],
  [415, 'Unsupported Media Type (RFC 7231)'],
  [416, 'Range Not Satisfiable (RFC 7233)'],
  [417, 'Expectation Failed'],
  [418, "I'm a teapot (RFC 2324, RFC 7168)"],
  [421, 'Misdirected Request (RFC 7540)'],
  [422, 'Unprocessable Entity (WebDAV; RFC 4918)'],
  [423, 'Locked (WebDAV; RFC 4918)'],
  [424, 'Failed Dependency (WebDAV; RFC 4918)'],
  [425, 'Too Early (RFC 8470)'],
  [426, 'Upgrade Required'],
  [428, 'Precondition Required (RFC 6585)'],
  [429, 'Too Many Requests (RFC 6585)'],
  [431, 'Request Header Fields Too Large (RFC 6585)'],
  [451, 'Unavailable For Legal Reasons (RFC 7725)'],
  [500, 'Internal Server Error'],
  [501, 'Not Implemented'],
  [502, 'Bad Gateway'],
  [503, 'Service Unavailable'],
  [504, 'Gateway Timeout'],
  [505, 'HTTP Version Not Supported'],
  [506, 'Variant Also Negotiates (RFC 2295)'],
  [507, 'Insufficient Storage (WebDAV; RFC 4918)'],
  [508, 'Loop Detected (WebDAV; RFC 5842)'],
  [510, 'Not Extended (RFC 2774)'],
  [511, 'Network Authentication Required (RFC 6585)'],
]);

const dns = ready([
  [0, 'No Error'],
  [1, 'Format Error'],
  [2, 'Server Failure'],
  [3, 'Non-Existent Domain'],
  [4, 'Not Implemented'],
  [5, 'Query Refused'],
  [6, 'Name Exists when it should not'],
  [7, 'RR Set Exists when it should not'],
  [8, 'RR Set that should exist does not'],
  [9, 'Server Not Authoritative for zone'],
  [10, 'Name not contained in zone'],
  [16, 'Bad OPT Version [RFC 2671]; TSIG Signature Failure [RFC 2845]'],
  [17, 'Key not recognized'],
  [18, 'Signature out of time window'],
  [19, 'Bad TKEY Mode'],
  [20, 'Duplicate key name'],
  [21, 'Algorithm not supported'],
]);
const dnsPrivate = constantText('Private Use');
const dnsOther = constantText('available for assignment');

const dubbo = ready([
  [20, 'OK'],
  [30, 'CLIENT_TIMEOUT'],
  [31, 'SERVER_TIMEOUT'],
  [40, 'BAD_REQUEST'],
  [50, 'BAD_RESPONSE'],
  [60, 'SERVICE_NOT_FOUND'],
  [70, 'SERVICE_ERROR'],
  [80, 'SERVER_ERROR'],
  [90, 'CLIENT_ERROR'],
  [100, 'SERVER_THREADPOOL_EXHAUSTED_ERROR'],
]);

const kafka = ready(kafkaErrors);

const mqtt = ready([
  [1, 'unacceptable protocol version'],
  [2, 'identifier rejected'],
  [3, 'Server unavailable'],
  [4, 'bad user name or password'],
  [5, 'not authorized'],
]);

const mqtt5 = ready([
  // Spelled as DeepFlow spells it: rows of both are searched by the same text.
  [4, 'Dissconnect with Will Message'],
  [16, 'No matching subscribers'],
  [17, 'No subscription existed'],
  [24, 'Continue authentication'],
  [25, 'Re-authenticate'],
  [128, 'Unspecified error'],
  [129, 'Malformed Packet'],
  [130, 'Protocol Error'],
  [131, 'Implementation specific error'],
  [132, 'Unsupported Protocol Version'],
  [133, 'Client Identifier not valid'],
  [134, 'Bad User Name or Password'],
  [135, 'Not authorized'],
  [136, 'Server unavailable'],
  [137, 'Server busy'],
  [138, 'Banned'],
  [139, 'Server shutting down'],
  [140, 'Bad authentication method'],
  [141, 'Keep Alive timeout'],
  [142, 'Session taken over'],
  [143, 'Topic Filter invalid'],
  [144, 'Topic Name invalid'],
  [145, 'Packet Identifier in use'],
  [146, 'Packet Identifier not found'],
  [147, 'Receive Maximum exceeded'],
  [148, 'Topic Alias invalid'],
  [149, 'Packet too large'],
  [150, 'Message rate too high'],
  [151, 'Quota exceeded'],
  [152, 'Administrative action'],
  [153, 'Payload format invalid'],
  [154, 'Retain not supported'],
  [155, 'QoS not supported'],
  [156, 'Use another server'],
  [157, 'Server moved'],
  [158, 'Shared Subscriptions not supported'],
  [159, 'Connection rate exceeded'],
  [160, 'Maximum connect time'],
  [161, 'Subscription Identifiers not supported'],
  [162, 'Wildcard Subscriptions not supported'],
]);

/** What a response code of a protocol means; undefined when there is no text for it. `isMqtt5` chooses between the two lists of MQTT. */
export function exceptionText(protocol: number, code: number, isMqtt5: boolean): ConstantText | undefined {
  switch (protocol) {
    case L7Protocol.HTTP:
    case L7Protocol.HTTP2:
      return httpException(code);
    case L7Protocol.DNS:
      return dns.get(code) ?? (code >= 3841 && code <= 4095 ? dnsPrivate : dnsOther);
    case L7Protocol.DUBBO:
      return dubbo.get(code);
    case L7Protocol.KAFKA:
      return kafka.get(code);
    case L7Protocol.MQTT:
      return (isMqtt5 ? mqtt5 : mqtt).get(code);
    default:
      return undefined;
  }
}

/** Reason phrase of an HTTP status from 400 on. */
export function httpException(code: number): ConstantText | undefined {
  return http.get(code);
}
