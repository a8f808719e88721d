import { AddressKey } from './address-key.ts';
import { ip4Text, ip6Text, ParsedAddress } from '../base/address.ts';
import { NEVER } from './claim-table.ts';
import { explainEnd, type EndQuestion, type ExplainedEnd } from './explain-end.ts';
import type { Held } from './held.ts';
import type { PortKey } from './inventory.ts';
import type { OrgInventory } from './org-inventory.ts';
import { WORDS, word } from './resource-table.ts';
import type { ResourceKind } from './description.ts';
import type { FoundTarget, TargetTable } from './prometheus-targets/target-table.ts';
import { resourceOfSeries } from './series-resource.ts';
import { writeSeriesAddress } from './series-tags.ts';
import { writeAddress, writeResourceAddress } from './single-ends.ts';
import { kindOfDevice, type TagNames } from './tag-names.ts';

/** What is asked about, and when (epoch seconds). */
export type Question =
  | {
      readonly kind: 'address';
      readonly ip: string;
      readonly vpc: number;
      readonly port?: PortKey | undefined;
      readonly atS: number;
    }
  | {
      readonly kind: 'pod';
      readonly name: string;
      readonly namespace?: string;
      readonly cluster?: string;
      readonly port?: PortKey | undefined;
      readonly atS: number;
    }
  | {
      readonly kind: 'series';
      readonly labels: ReadonlyMap<string, string>;
      readonly agent: number;
      readonly atS: number;
    };

/** Why something gets its tags; the body of `GET /api/v1/tags/explain`. */
export interface Explanation {
  readonly at: string;
  /** What was asked of the inventory, in order, with each answer. */
  readonly steps: readonly { readonly asked: string; readonly answer: string }[];
  readonly found: readonly FoundResource[];
  /** What a row with that end gets, by the rules for rows; one for each pod that was asked for. */
  readonly ends: readonly ExplainedEnd[];
}

export interface FoundResource {
  readonly kind: string;
  readonly key: string;
  readonly name: string;
  /** Sources that describe it, best first. */
  readonly sources: readonly string[];
  /** Columns with their values; names where there are any. */
  readonly tags: Readonly<Record<string, { readonly id: number; readonly name: string }>>;
  /** Absent: a network, a region, or something without an address. */
  readonly address?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

interface Platform {
  readonly org: OrgInventory;
  readonly names: TagNames;
}

interface Explaining extends Platform {
  readonly targets: TargetTable;
}

/** Why a row or series gets its tags. Undefined: what was asked for is no address. */
export function explain(explaining: Explaining, question: Question): Explanation | undefined {
  const steps: { asked: string; answer: string }[] = [];
  const rows: number[] = [];
  const ends: ExplainedEnd[] = [];
  const version = explaining.org.live.versionAt(question.atS);
  const note = (asked: string, row: number, none = 'nothing') => {
    steps.push({ asked, answer: row === 0 ? none : describeRow(explaining, row).name });
    if (row !== 0) rows.push(row);
    return row;
  };
  switch (question.kind) {
    case 'address': {
      const address = new ParsedAddress();
      if (!address.read(question.ip)) return undefined;
      const row = explainAddress(explaining, { address, vpc: question.vpc, version, note, steps });
      const place: EndQuestion['place'] = (_, end) => {
        end.columns.vpc[0] = question.vpc;
        writeAddress(end, address);
      };
      ends.push(
        explainEnd(explaining, {
          version,
          row,
          subject: address.toString(),
          port: question.port,
          mayHavePort: true,
          place,
          steps,
        }),
      );
      break;
    }
    case 'pod':
      explainPod(explaining, question, { version, note, steps, ends });
      break;
    case 'series': {
      const { agent, labels } = question;
      const origin = { agent, version, targets: explaining.targets };
      const found = resourceOfSeries(explaining.org, labels, origin);
      const { row, by, target } = found;
      if (target !== undefined) {
        steps.push({ asked: 'target by job and instance', answer: `${targetText(target)}, told by ${target.server}` });
      }
      const none = 'nothing: no label names a pod, an instance or a target that is known and the only one';
      note(by === '' ? 'labels of the series' : `labels of the series, by ${by}`, row, none);
      const place: EndQuestion['place'] = (lookup, end) => writeSeriesAddress(lookup, end, found);
      ends.push(explainEnd(explaining, { version, row, subject: 'the labels', mayHavePort: false, place, steps }));
    }
  }
  return {
    at: new Date(question.atS * 1000).toISOString(),
    steps,
    found: rows.map((row) => describeRow(explaining, row)),
    ends,
  };
}

/** What a server says is behind a target: the best that it knows. */
function targetText({ target: { pod, namespace, podIp, host, node } }: FoundTarget): string {
  if (pod !== '') return `pod ${namespace}/${pod}`;
  if (podIp !== '' || host !== '') return `address ${podIp || host}`;
  return node === '' ? 'nothing known of it' : `node ${node}`;
}

interface Noting {
  readonly version: number;
  readonly note: (asked: string, row: number, none?: string) => number;
  readonly steps: { asked: string; answer: string }[];
}

interface AddressQuestion extends Noting {
  readonly address: ParsedAddress;
  readonly vpc: number;
}

function explainAddress({ org, names }: Platform, { address, vpc, version, note, steps }: AddressQuestion): number {
  const { live } = org;
  const key = AddressKey.of(address, vpc, version);
  const vpcText = `VPC ${vpc}${vpc > 0 ? ` (${names.name(org.org, 'l3_epc', vpc) || 'without a name'})` : ''}`;
  const table = address.isIpv4 ? live.claims.address4 : live.claims.address6;
  table.key[0] = vpc;
  if (address.isIpv4) table.key[1] = address.ip4;
  else table.key.set(address.ip6, 1);
  table.history((from, to, row) => {
    const name = describeRow({ org, names }, row).name;
    steps.push({ asked: `who has had ${address.toString()} in ${vpcText}`, answer: `${name} ${spanText(from, to)}` });
  });
  if (vpc === -2) {
    steps.push({ asked: vpcText, answer: 'the Internet: nothing is looked up' });
    return 0;
  }
  return (
    note(`owner of ${address.toString()} in ${vpcText}`, live.address(key)) ||
    note('network with the longest prefix around it', live.network(key)) ||
    note(vpc === 0 ? "the hub's own region" : `region of ${vpcText}`, live.vpc(version, vpc))
  );
}

function spanText(from: number, to: number): string {
  const begin = from === 0 ? 'from before what is remembered' : `from ${new Date(from * 1000).toISOString()}`;
  return to === NEVER ? `${begin} on` : `${begin} until ${new Date(to * 1000).toISOString()}`;
}

function explainPod(
  platform: Platform,
  { name, namespace, cluster, port }: Extract<Question, { kind: 'pod' }>,
  { version, note, steps, ends }: Noting & { readonly ends: ExplainedEnd[] },
): void {
  const { org } = platform;
  const { builder, live } = org;
  for (const { resource, id } of builder.all('pod').values()) {
    if (resource.kind !== 'pod' || resource.name !== name) continue;
    const own = builder.find('pod_ns', resource.namespace ?? '')?.resource.name ?? '';
    if (namespace !== undefined && own !== namespace) continue;
    const clusterName = builder.find('pod_cluster', resource.cluster)?.resource.name;
    if (cluster !== undefined && cluster !== resource.cluster && cluster !== clusterName) continue;
    const row = note(
      `pod ${id}: ${clusterName ?? resource.cluster}/${own}/${name}`,
      live.pod(version, id),
      'not there at that time',
    );
    if (row === 0) continue;
    const place: EndQuestion['place'] = (lookup, end) => writeResourceAddress(lookup, end, 0, row);
    ends.push(explainEnd(platform, { version, row, subject: `pod ${name}`, port, mayHavePort: true, place, steps }));
  }
  if (steps.length === 0) steps.push({ asked: `pods with the name ${name}`, answer: 'none is described now' });
}

const COLUMNS = [
  ['region', 'region', word.region],
  ['az', 'az', word.zone],
  ['host', 'host', word.host],
  ['subnet', 'subnet', word.subnet],
  ['pod_cluster', 'pod_cluster', word.podCluster],
  ['pod_node', 'pod_node', word.podNode],
  ['pod_ns', 'pod_ns', word.podNamespace],
  ['pod_group', 'pod_group', word.podGroup],
  ['pod', 'pod', word.pod],
  ['l3_epc', 'l3_epc', word.vpc],
] as const;

function describeRow({ org, names }: Platform, row: number): FoundResource {
  const { words, ip6 } = org.live.resources;
  const at = row * WORDS;
  const type = words[at + word.deviceType]!;
  const device = words[at + word.device]!;
  const tags: Record<string, { id: number; name: string }> = {};
  for (const [column, kind, index] of COLUMNS) {
    const id = words[at + index]!;
    if (id !== 0) tags[column] = { id, name: names.name(org.org, kind, id) };
  }
  const pod = words[at + word.pod]!;
  const [kind, id] = identityOf(words, at);
  if (device !== 0) tags['l3_device'] = { id: device, name: names.device(org.org, type, device) };
  const key = org.ids.keyOf(kind, id);
  const isIpv4 = words[at + word.isIpv4] === 1;
  const hasAddress = isIpv4 || ip6.subarray(row * 4, row * 4 + 4).some((one) => one !== 0);
  const labels = pod === 0 ? [] : names.podLabels(org.org, pod);
  return {
    kind,
    key: key ?? '',
    name: `${kind} ${org.ids.nameOf(kind, id)}`,
    sources: key === undefined ? [] : org.describedBy(kind, key),
    tags,
    ...(hasAddress ? { address: isIpv4 ? ip4Text(words[at + word.ip4]!) : ip6Text(ip6, row * 4) } : {}),
    ...(labels.length === 0 ? {} : { labels: Object.fromEntries(labels) }),
  };
}

/** Kind and number of what a row of the table is about: with no resource of its own, a network or else a region. */
function identityOf(words: Uint32Array, at: number): [ResourceKind, number] {
  // A pod in its node's network stands in a row of the node.
  const pod = words[at + word.pod]!;
  if (pod !== 0) return ['pod', pod];
  const kind = kindOfDevice(words[at + word.deviceType]!);
  if (kind !== undefined) return [kind, words[at + word.device]!];
  const subnet = words[at + word.subnet]!;
  return subnet === 0 ? ['region', words[at + word.region]!] : ['subnet', subnet];
}

/** A resource as lists show it. */
export interface ListedResource {
  readonly kind: string;
  readonly id: number;
  readonly key: string;
  readonly name: string;
  readonly addresses: readonly string[];
  readonly sources: readonly string[];
}

export function listResource(org: OrgInventory, { resource, id }: Held): ListedResource {
  const { kind, key, name } = resource;
  const addresses = [
    ...('interfaces' in resource
      ? (resource.interfaces ?? []).flatMap((one) => one.addresses.map(({ ip }) => ip))
      : []),
    ...('addresses' in resource ? (resource.addresses ?? []) : []),
    ...('address' in resource && resource.address !== undefined ? [resource.address] : []),
    ...('cidrs' in resource ? resource.cidrs : []),
  ];
  return { kind, id, key, name, addresses, sources: org.describedBy(kind, key) };
}
