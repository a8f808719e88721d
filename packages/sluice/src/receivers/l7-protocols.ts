import { constantText, type ConstantText } from '../batch/constant-text.ts';
import { l7ProtocolName, l7ProtocolNames } from '../catalog/l7-protocols.ts';

/** Numbers of application protocols that rules of the rows ask for. */
export const L7Protocol = {
  HTTP: 20,
  HTTP2: 21,
  DUBBO: 40,
  SOFARPC: 43,
  KAFKA: 100,
  MQTT: 101,
  DNS: 120,
} as const;

const plain = namesByNumber(false);
const withinTls = namesByNumber(true);

function namesByNumber(isTls: boolean): readonly ConstantText[] {
  const unknown = constantText(l7ProtocolName(-1, isTls));
  const byNumber = Array.from({ length: 256 }, () => unknown);
  for (const number of l7ProtocolNames.keys()) byNumber[number] = constantText(l7ProtocolName(number, isTls));
  return byNumber;
}

/** Name of a protocol, 0 to 255, ready for a column: `HTTP`, or `HTTP_TLS` when it runs within TLS. */
export function protocolName(number: number, isTls: boolean): ConstantText {
  return (isTls ? withinTls : plain)[number]!;
}

/** Names that DeepFlow does not compare with. */
const notSearched: readonly string[] = ['N/A', 'Memcached', 'Ping'];
const searched = [...l7ProtocolNames]
  .filter(([, name]) => !notSearched.includes(name))
  .map(([number, name]) => [number, name.toLowerCase()] as const);

/**
 * Number of the protocol that a free text means, 0 when it is none: the first one whose name contains the text, whatever the case. So `http` is HTTP,
 * or HTTP2 if the version begins with 2; `grpc` and `mysql` are what they say; `https` is contained in no name.
 */
export function protocolOf(text: string, version: string): number {
  if (text === '') return 0;
  const wanted = text.toLowerCase();
  const [number] = searched.find(([, name]) => name.includes(wanted)) ?? [0];
  if (number !== L7Protocol.HTTP && number !== L7Protocol.HTTP2) return number;
  return version.startsWith('2') ? L7Protocol.HTTP2 : L7Protocol.HTTP;
}
