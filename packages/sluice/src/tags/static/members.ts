import { ParsedAddress } from '../../base/address.ts';
import type { CustomServiceMemberRef, MemberPort } from '../description.ts';
import { Fields } from './fields.ts';
import { shownNode, type MappingNode, type Mistake, type Node } from './tree.ts';

/** What the members of a custom service need to know of the file. */
export interface Naming {
  readonly mistakes: Mistake[];
  readonly vpcOf: (fields: Fields) => { readonly vpc?: string };
}

const MEMBER_FIELDS = [
  ['host', 'host'],
  ['chost', 'chost'],
  ['cluster', 'pod_cluster'],
  ['workload', 'pod_group'],
  ['service', 'pod_service'],
] as const;

/** `members` of a custom service, or the one that stands beside its name (CSV). */
export function readMembers(fields: Fields, node: MappingNode, naming: Naming): CustomServiceMemberRef[] {
  const found = fields.items('members').flatMap((item) => {
    if (item.kind !== 'mapping') {
      fields.complain(item, `members: expected a mapping such as {host: NAME}; got ${shownNode(item)}`);
      return [];
    }
    const own = new Fields(item, naming.mistakes);
    const members = readMember(own, naming);
    own.end();
    if (members.length !== 1) own.complain(item, `members: expected one of ${MEMBER_NAMES}`);
    return members;
  });
  const direct = readMember(fields, naming);
  if (found.length + direct.length === 0 && !fields.has('members')) {
    fields.complain(node, `expected members, each one of ${MEMBER_NAMES}`);
  }
  return [...found, ...direct];
}

const MEMBER_NAMES = ['address', ...MEMBER_FIELDS.map(([field]) => field)].join(', ');

function readMember(fields: Fields, naming: Naming): CustomServiceMemberRef[] {
  const found: CustomServiceMemberRef[] = [];
  const ports = fields.items('ports').flatMap((item) => readPort(fields, item));
  const address = fields.node('address');
  const vpc = naming.vpcOf(fields);
  const ip = address === undefined ? undefined : readIp(fields, address);
  if (ip !== undefined) found.push({ kind: 'address', ip, ports, ...vpc });
  for (const [field, kind] of MEMBER_FIELDS) {
    const key = fields.text(field);
    if (key !== undefined) found.push(kind === 'pod_cluster' ? { kind, key, ports } : { kind, key });
  }
  return found;
}

function readPort(fields: Fields, node: Node): MemberPort[] {
  const text = fields.textOf(node, 'ports') ?? '';
  const match = /^(\d{1,5})(?:\/(tcp|udp|any))?$/.exec(text);
  const port = Number(match?.[1]);
  if (match !== null && port >= 1 && port <= 65_535) {
    return [{ protocol: match[2] === 'udp' ? 'udp' : match[2] === 'any' ? 'any' : 'tcp', port }];
  }
  if (text !== '') fields.complain(node, `ports: expected ports such as 443 or 53/udp; got ${JSON.stringify(text)}`);
  return [];
}

const address = new ParsedAddress();

/** An IPv4 or IPv6 address. */
export function readIp(fields: Fields, node: Node): string | undefined {
  const text = fields.textOf(node, 'address');
  if (text === undefined) return undefined;
  if (address.read(text)) return address.toString();
  fields.complain(node, `expected an IPv4 or IPv6 address; got ${JSON.stringify(text)}`);
  return undefined;
}
