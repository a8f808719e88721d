import { AddressKey } from './address-key.ts';
import { ip4Text, ip6Text, ParsedAddress } from '../base/address.ts';
import type { ResourceKind } from './description.ts';
import type { CustomServiceLookup, CustomServiceMember, PortKey, ServiceLookup } from './inventory.ts';
import type { OrgInventory } from './org-inventory.ts';
import { portKey, PROTOCOL_NUMBERS } from './service-facts.ts';
import { oneRowEnd, writeSingleEnds, type FoundLookup, type SingleEnd } from './single-ends.ts';
import { autoType } from './tag-bits.ts';
import { kindOfDevice, type TagNames } from './tag-names.ts';

/** A tag as rows have it: a number, the number of its kind where a column has it, and what both are called. */
export interface ExplainedTag {
  readonly id: number;
  readonly name: string;
  readonly type?: number;
  readonly kind?: string;
}

/** What a row with an end gets besides the columns of its resource. */
export interface ExplainedEnd {
  /** `10.1.5.7 port 443/tcp`, `pod shop-7f9c`. */
  readonly end: string;
  readonly tags: Readonly<Record<string, ExplainedTag>>;
}

export interface EndQuestion {
  readonly version: number;
  /** Row of the resource that was found; 0 = none. */
  readonly row: number;
  /** What the end is called when its row has no address. */
  readonly subject: string;
  /** Of a server's end. */
  readonly port?: PortKey | undefined;
  /** Whether there are rows with such an end and a port. */
  readonly mayHavePort: boolean;
  /** Writes VPC and address of the end, as the rules for its table do. */
  readonly place: (lookup: FoundLookup, end: SingleEnd) => void;
  readonly steps: { asked: string; answer: string }[];
}

interface Explaining {
  readonly org: OrgInventory;
  readonly names: TagNames;
}

/** Puts an end through the rules of tagging and notes why it gets its service, auto_instance and auto_service. */
export function explainEnd(explaining: Explaining, question: EndQuestion): ExplainedEnd {
  const { org, names } = explaining;
  const { steps, port } = question;
  const { end, whyService, whyCustom } = tagEnd(explaining, question);
  const { columns } = end;
  const address = addressText(end);
  const tags: Record<string, ExplainedTag> = {};

  const service = columns.service[0]!;
  if (service !== 0) tags['service'] = { id: service, name: names.name(org.org, 'service', service) };
  noteService(explaining, { steps, tag: tags['service'], why: whyService, kind: 'pod_service', asked: 'service' });

  const custom = customOf(end);
  if (custom !== 0) tags['custom_service'] = { id: custom, name: names.name(org.org, 'custom_service', custom) };
  const asked = 'custom service';
  noteService(explaining, { steps, tag: tags['custom_service'], why: whyCustom, kind: 'custom_service', asked });
  if (custom === 0 && question.mayHavePort) {
    for (const { name, text } of customServicesOfOtherPorts(explaining, question, address)) {
      steps.push({ asked: `custom service ${name}`, answer: `not of this end; it would be with ${text}` });
    }
  }

  const auto = [
    ['auto_instance', columns.autoInstanceType[0]!, columns.autoInstance[0]!],
    ['auto_service', columns.autoServiceType[0]!, columns.autoService[0]!],
  ] as const;
  for (const [column, type, id] of auto) {
    const tag = autoTag(explaining, { type, id, address });
    tags[column] = tag;
    steps.push({ asked: column, answer: autoText(explaining, tag) });
  }
  const at = address === '' || address === question.subject ? '' : ` at ${address}`;
  return { end: `${question.subject}${at}${port === undefined ? '' : ` ${portText(port)}`}`, tags };
}

interface NotedService {
  readonly steps: EndQuestion['steps'];
  readonly tag: ExplainedTag | undefined;
  readonly why: string;
  readonly kind: ResourceKind;
  readonly asked: string;
}

function noteService({ org }: Explaining, { steps, tag, why, kind, asked }: NotedService): void {
  if (tag === undefined) {
    steps.push({ asked, answer: 'none' });
    return;
  }
  const key = org.ids.keyOf(kind, tag.id);
  const sources = key === undefined ? [] : org.describedBy(kind, key);
  const told = sources.length === 0 ? '' : `, told by ${sources.join(', ')}`;
  steps.push({ asked: `${asked} ${tag.name || tag.id}`, answer: `${why}${told}` });
}

function autoTag(
  { org, names }: Explaining,
  { type, id, address }: { readonly type: number; readonly id: number; readonly address: string },
): ExplainedTag {
  if (type === autoType.internet) return { id, type, kind: 'internet', name: 'Internet' };
  if (type === autoType.address) return { id, type, kind: 'address', name: address };
  return { id, type, kind: kindOfDevice(type) ?? '', name: names.device(org.org, type, id) };
}

function autoText({ org, names }: Explaining, { id, type, kind, name }: ExplainedTag): string {
  if (type === autoType.internet) return 'the Internet';
  if (type !== autoType.address) return `${kind} ${name || id}`;
  const place = id === 0 ? '' : ` in subnet ${names.name(org.org, 'subnet', id) || id}`;
  return name === '' ? `nothing is known${place}` : `address ${name}${place}: nothing more telling is known`;
}

interface TaggedEnd {
  readonly end: SingleEnd;
  readonly whyService: string;
  readonly whyCustom: string;
}

/** One row, tagged by the very rules; what they ask for services in vain is not noted, and they stop at the first answer. */
function tagEnd(explaining: Explaining, { version, row, port, place }: EndQuestion): TaggedEnd {
  const { live } = explaining.org;
  const why = { service: '', custom: '' };
  const { services, customServices } = live;
  const lookup: FoundLookup = {
    inventory: {
      isEmpty: live.isEmpty,
      resources: live.resources,
      address: (key) => live.address(key),
      services: services === undefined ? undefined : notedServices(explaining, services, why),
      customServices: customServices === undefined ? undefined : notedCustomServices(explaining, customServices, why),
    },
    key: new AddressKey(),
    versions: Uint32Array.of(version),
    resources: [Uint32Array.of(row), new Uint32Array(1)],
  };
  const ports =
    port === undefined ? undefined : { protocol: Uint8Array.of(port.protocol), serverPort: Uint16Array.of(port.port) };
  const end: SingleEnd = { ...oneRowEnd(), ports };
  place(lookup, end);
  writeSingleEnds(lookup, 1, end);
  return { end, whyService: why.service, whyCustom: why.custom };
}

/** A custom service comes before everything else that auto_service may be. */
function customOf({ columns }: SingleEnd): number {
  return columns.autoServiceType[0] === autoType.customService ? columns.autoService[0]! : 0;
}

function notedServices(explaining: Explaining, services: ServiceLookup, why: { service: string }): ServiceLookup {
  const { names, org } = explaining;
  const note = (found: number, text: () => string) => {
    if (found !== 0) why.service = text();
    return found;
  };
  return {
    ofPodGroup: (version, group, port) =>
      note(
        services.ofPodGroup(version, group, port),
        () => `in front of pod_group ${names.name(org.org, 'pod_group', group)} ${portText(port)}`,
      ),
    ofPodCluster: (version, cluster, port) =>
      note(
        services.ofPodCluster(version, cluster, port),
        () => `node ${portText(port)} of pod_cluster ${names.name(org.org, 'pod_cluster', cluster)}`,
      ),
    ofAddress: (key, port) =>
      note(services.ofAddress(key, port), () => `its address ${keyText(key)} ${portText(port)}`),
  };
}

const MEMBERS: Readonly<Record<CustomServiceMember, ResourceKind>> = {
  service: 'pod_service',
  pod_group: 'pod_group',
  pod: 'pod',
  chost: 'chost',
  host: 'host',
};

function notedCustomServices(
  { names, org }: Explaining,
  services: CustomServiceLookup,
  why: { custom: string },
): CustomServiceLookup {
  const note = (found: number, text: () => string) => {
    if (found !== 0) why.custom = `member ${text()}`;
    return found;
  };
  return {
    of: (version, kind, id) =>
      note(services.of(version, kind, id), () => `${MEMBERS[kind]} ${names.name(org.org, MEMBERS[kind], id)}`),
    ofPodCluster: (version, cluster, port) =>
      note(
        services.ofPodCluster(version, cluster, port),
        () => `pod_cluster ${names.name(org.org, 'pod_cluster', cluster)} ${portText(port)}`,
      ),
    ofAddress: (key, port) =>
      note(
        services.ofAddress(key, port),
        () => `${keyText(key)} ${portText(port)}${key.vpc === 0 ? ' in any VPC' : ''}`,
      ),
  };
}

/** Custom services that the end would have at another port: those that are only of some ports are easily missed. */
function customServicesOfOtherPorts(
  explaining: Explaining,
  question: EndQuestion,
  address: string,
): { readonly name: string; readonly text: string }[] {
  const found: { name: string; text: string }[] = [];
  for (const { resource, id } of explaining.org.builder.all('custom_service').values()) {
    if (resource.kind !== 'custom_service') continue;
    const ports = new Map<string, PortKey>();
    for (const member of resource.members) {
      if (member.kind === 'pod_cluster' || (member.kind === 'address' && isAddress(member.ip, address))) {
        for (const port of (member.ports ?? []).map(portKey)) ports.set(portText(port), port);
      }
    }
    const fitting = [...ports].filter(([, port]) => customOf(tagEnd(explaining, { ...question, port }).end) === id);
    if (fitting.length > 0) found.push({ name: resource.name, text: fitting.map(([text]) => text).join(', ') });
  }
  return found;
}

function isAddress(ip: string, address: string): boolean {
  const parsed = new ParsedAddress();
  return parsed.read(ip) && parsed.toString() === address;
}

function addressText({ columns: { ip4, ip6 }, isIpv4 }: SingleEnd): string {
  if (isIpv4[0] !== 0) return ip4[0] === 0 ? '' : ip4Text(ip4[0]!);
  return ip6.some((one) => one !== 0) ? ip6Text(ip6, 0) : '';
}

function keyText({ isIpv4, ip4, ip6 }: AddressKey): string {
  return isIpv4 ? ip4Text(ip4) : ip6Text(ip6, 0);
}

const PROTOCOLS: ReadonlyMap<number, string> = new Map(
  Object.entries(PROTOCOL_NUMBERS).map(([name, id]) => [id, name]),
);

function portText({ protocol, port }: PortKey): string {
  if (port === 0) return 'at any port';
  return protocol === PROTOCOL_NUMBERS.any ? `port ${port}` : `port ${port}/${PROTOCOLS.get(protocol) ?? protocol}`;
}
