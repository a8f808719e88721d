import { ParsedAddress, readCidr } from '../../base/address.ts';
import { DEFAULT_VPC, type Device, type Interface, type InterfaceAddress, type Resource } from '../description.ts';
import { kindFacts } from '../kinds.ts';
import { vpcNumber } from '../placement.ts';
import { Fields, given } from './fields.ts';
import { withKeys } from './keys.ts';
import { readIp, readMembers } from './members.ts';
import { shownNode, type At, type MappingNode, type Mistake, type Node } from './tree.ts';

/** Kinds of entries as the file calls them: the list in YAML, the `kind` column in CSV. */
export const ENTRY_KINDS = {
  regions: 'region',
  azs: 'az',
  vpcs: 'vpc',
  subnets: 'subnet',
  hosts: 'host',
  chosts: 'chost',
  routers: 'router',
  'dhcp-gateways': 'dhcpgw',
  redis: 'redis',
  rds: 'rds',
  'load-balancers': 'lb',
  'nat-gateways': 'natgw',
  clusters: 'pod_cluster',
  namespaces: 'pod_ns',
  services: 'custom_service',
} as const;

type EntryKind = (typeof ENTRY_KINDS)[keyof typeof ENTRY_KINDS];

/** `kind` column of CSV. */
export const CSV_KINDS: ReadonlyMap<string, EntryKind> = new Map<string, EntryKind>(
  Object.entries(ENTRY_KINDS).map(([list, kind]) => [/^(?:redis|rds)$/.test(list) ? list : list.slice(0, -1), kind]),
);

/** Where an entry of the file points to something by name. */
interface Pointing extends At {
  readonly name: string;
}

/**
 * Turns the entries of a static file into resources. Names of VPCs stand for their keys, so `finish` puts keys in the place of names; regions and zones
 * that are only named are described thereby.
 */
export class Entries {
  readonly mistakes: Mistake[];
  readonly #resources = new Map<string, Resource>();
  /** Further lines about a resource, joined in the end: one by one it would take the square of their number. */
  readonly #further = new Map<string, Resource[]>();
  readonly #vpcKeys = new Map<string, string>();
  readonly #vpcs: Pointing[] = [];
  readonly #subnets: Pointing[] = [];
  /** Regions and zones that something is in. */
  readonly #implied = { region: new Set<string>(), az: new Set<string>() };
  readonly #ids = new Map<string, string>();
  /** Numbers by kind and key: lines that are joined must not differ. */
  readonly #numbers = new Map<string, number>();
  readonly #address = new ParsedAddress();

  constructor(mistakes: Mistake[]) {
    this.mistakes = mistakes;
  }

  /** `joins`: an entry of the same name adds addresses to it (CSV has one address a line); else it is a mistake. */
  add(kind: EntryKind, node: Node, joins = false): void {
    if (node.kind !== 'mapping') {
      this.mistakes.push({
        line: node.line,
        column: node.column,
        message: `expected keys and values; got ${shownNode(node)}`,
      });
      return;
    }
    const fields = new Fields(node, this.mistakes);
    const resource = this.#resource(kind, fields, node);
    fields.end();
    if (resource === undefined) return;
    const place = `${resource.kind} ${resource.key}`;
    const before = this.#resources.get(place);
    if (before === undefined) this.#resources.set(place, resource);
    else if (joins && isJoinable(resource)) {
      const further = this.#further.get(place);
      if (further === undefined) this.#further.set(place, [resource]);
      else further.push(resource);
      const { id } = resource;
      const number = this.#numbers.get(place);
      if (id !== undefined && number !== undefined && id !== number) {
        fields.complain(
          fields.place('id'),
          `id: the ${kind} ${JSON.stringify(resource.name)} has the number ${number}`,
        );
      }
    } else if (kind === 'vpc' && before.name !== resource.name) {
      fields.complain(fields.place('id'), numberTaken(kind, before.name, before.key));
    } else fields.complain(fields.at, describedTwice(kind, resource.name));
    this.#noteId(fields, resource);
  }

  /** All resources, once everything was added. */
  finish(): Resource[] {
    for (const { name, line, column } of this.#vpcs) {
      if (this.#vpcKeys.has(name) || vpcNumber(name) !== undefined) continue;
      const message = `there is no VPC ${JSON.stringify(name)}; describe it under vpcs, or write the number that agents are told`;
      this.mistakes.push({ line, column, message });
    }
    for (const kind of ['region', 'az'] as const) {
      for (const name of this.#implied[kind]) {
        if (!this.#resources.has(`${kind} ${name}`)) this.#resources.set(`${kind} ${name}`, { kind, key: name, name });
      }
    }
    for (const [place, further] of this.#further) {
      this.#resources.set(place, joined([this.#resources.get(place)!, ...further]));
    }
    const keyed = [...this.#resources.values()].map((one) => withKeys(one, (name) => this.#keyOfVpc(name)));
    const known = new Set(keyed.flatMap((one) => (one.kind === 'subnet' ? [one.key] : [])));
    for (const { name, line, column } of this.#subnets) {
      const [vpc = '', ...rest] = name.split('/');
      if (known.has(`${this.#keyOfVpc(vpc)}/${rest.join('/')}`)) continue;
      this.mistakes.push({
        line,
        column,
        message: `there is no subnet ${JSON.stringify(rest.join('/'))} in its VPC; describe it under subnets`,
      });
    }
    return keyed;
  }

  #resource(kind: EntryKind, fields: Fields, node: MappingNode): Resource | undefined {
    const name = fields.needed('name') ?? '';
    const id = kind === 'pod_cluster' ? undefined : fields.number('id', kindFacts(kind).mostIds);
    const common = { name, key: name, ...(id === undefined ? {} : { id }) };
    switch (kind) {
      case 'region':
        return { kind, ...common, ...given('isOwn', fields.flag('own')) };
      case 'az':
        return { kind, ...common, ...this.#named(fields, 'region') };
      case 'vpc': {
        const key = id === undefined ? name : String(id);
        const before = this.#vpcKeys.get(name);
        // What names it would be in one of two.
        if (before !== undefined && before !== key) fields.complain(fields.place('name'), describedTwice(kind, name));
        this.#vpcKeys.set(name, key);
        const peers = fields.items('peers').flatMap((item) => this.#vpc(fields, item) ?? []);
        return { kind, ...common, key, ...this.#named(fields, 'region'), ...(peers.length > 0 ? { peers } : {}) };
      }
      case 'subnet': {
        const place = { ...this.#placed(fields), ...this.#vpcOf(fields) };
        const key = `${place.vpc ?? DEFAULT_VPC}/${name}`;
        return { kind, ...common, key, ...place, cidrs: this.#cidrs(fields) };
      }
      case 'pod_cluster':
        return this.#cluster(fields, name);
      case 'pod_ns': {
        const cluster = fields.needed('cluster') ?? '';
        const cloudTags = fields.pairs('tags', 'tag.');
        return { kind, ...common, key: `${cluster}/${name}`, cluster, cloudTags };
      }
      case 'custom_service': {
        const naming = { mistakes: this.mistakes, vpcOf: (of: Fields) => this.#vpcOf(of) };
        return { kind, ...common, members: readMembers(fields, node, naming) };
      }
      case 'host': {
        const place = { ...this.#placed(fields), ...this.#vpcOf(fields) };
        return { kind, ...common, ...place, interfaces: this.#interfaces(fields, place.vpc, node) };
      }
      case 'chost':
      case 'router':
      case 'dhcpgw':
      case 'redis':
      case 'rds':
      case 'lb':
      case 'natgw': {
        const place = { ...this.#placed(fields), ...this.#vpcOf(fields) };
        const host = fields.text('host');
        const cloudTags = fields.pairs('tags', 'tag.');
        const device: Device = {
          kind,
          ...common,
          ...place,
          ...given('host', host),
          interfaces: this.#interfaces(fields, place.vpc, node),
        };
        return cloudTags.length > 0 ? { ...device, cloudTags } : device;
      }
    }
  }

  #cluster(fields: Fields, name: string): Resource {
    // The key is the cluster's id, as its agents report it; where nobody gives it one it is the name.
    const key = fields.text('cluster-id') ?? name;
    return { kind: 'pod_cluster', key, name, ...this.#placed(fields), ...this.#vpcOf(fields) };
  }

  #placed(fields: Fields): { readonly region?: string; readonly az?: string } {
    return { ...this.#named(fields, 'region'), ...this.#named(fields, 'az') };
  }

  /** A region or zone by its name; it needs no more description. */
  #named<K extends 'region' | 'az'>(fields: Fields, kind: K): { readonly [Name in K]?: string } {
    const name = fields.text(kind);
    if (name !== undefined) this.#implied[kind].add(name);
    return given<K, string>(kind, name);
  }

  #vpcOf(fields: Fields): { readonly vpc?: string } {
    const node = fields.node('vpc');
    return given('vpc', node === undefined ? undefined : this.#vpc(fields, node));
  }

  #vpc(fields: Fields, node: Node): string | undefined {
    const name = fields.textOf(node, 'vpc');
    if (name !== undefined) this.#vpcs.push({ name, line: node.line, column: node.column });
    return name;
  }

  #cidrs(fields: Fields): string[] {
    const found: string[] = [];
    for (const node of [...fields.items('cidrs'), ...fields.items('cidr')]) {
      const text = fields.textOf(node, 'cidrs') ?? '';
      if (readCidr(text, this.#address) === undefined) {
        if (text !== '') fields.complain(node, `expected a network such as 10.1.0.0/16; got ${JSON.stringify(text)}`);
      } else found.push(text);
    }
    return found;
  }

  /** `addresses`: texts, or mappings with more to say; `address` and `mac` beside the name (CSV, and things with one interface). */
  #interfaces(fields: Fields, vpc: string | undefined, entry: MappingNode): Interface[] {
    const found: Interface[] = [];
    for (const node of fields.items('addresses')) {
      const own = node.kind === 'mapping' ? new Fields(node, this.mistakes) : undefined;
      if (own === undefined) {
        const ip = readIp(fields, node);
        if (ip !== undefined) found.push({ addresses: [{ ip }] });
        continue;
      }
      const one = this.#interface(own, vpc, node);
      own.end();
      if (one !== undefined) found.push(one);
    }
    const direct = fields.has('address') || fields.has('mac') ? this.#interface(fields, vpc, entry) : undefined;
    return direct === undefined ? found : [...found, direct];
  }

  #interface(fields: Fields, ownerVpc: string | undefined, node: Node): Interface | undefined {
    const other = this.#vpcOf(fields);
    const subnet = fields.text('subnet');
    const vpc = other.vpc ?? ownerVpc ?? DEFAULT_VPC;
    if (subnet !== undefined) this.#subnets.push({ name: `${vpc}/${subnet}`, ...fields.place('subnet') });
    const address = fields.node('address') ?? fields.node('ip');
    if (address === undefined) {
      fields.complain(node, 'expected an address');
      return undefined;
    }
    const ip = readIp(fields, address);
    const mac = this.#mac(fields);
    const isWan = fields.flag('wan');
    if (ip === undefined) return undefined;
    const one: InterfaceAddress = { ip, ...(subnet === undefined ? {} : { subnet: `${vpc}/${subnet}` }) };
    return { ...other, ...given('mac', mac), ...given('isWan', isWan), addresses: [one] };
  }

  #mac(fields: Fields): number | undefined {
    const text = fields.text('mac');
    if (text === undefined) return undefined;
    const digits = text.replaceAll(/[:-]/g, '');
    if (/^[0-9a-f]{12}$/i.test(digits)) return Number.parseInt(digits, 16);
    fields.complain(
      fields.place('mac'),
      `expected a MAC address such as 0a:58:0a:01:00:09; got ${JSON.stringify(text)}`,
    );
    return undefined;
  }

  #noteId(fields: Fields, { kind, id, key }: Resource): void {
    if (id === undefined) return;
    const place = `${kind} ${key}`;
    this.#numbers.set(place, this.#numbers.get(place) ?? id);
    const text = `${kind} ${id}`;
    const other = this.#ids.get(text);
    if (other !== undefined && other !== key) {
      fields.complain(fields.place('id'), numberTaken(kind, other, id));
    } else this.#ids.set(text, key);
  }

  #keyOfVpc(name: string): string {
    return this.#vpcKeys.get(name) ?? name;
  }
}

function describedTwice(kind: string, name: string): string {
  return `the ${kind} ${JSON.stringify(name)} is described twice`;
}

function numberTaken(kind: string, name: string, id: number | string): string {
  return `id: the ${kind} ${JSON.stringify(name)} has the number ${id} already`;
}

/** Whether several entries may tell of one, each a part. */
function isJoinable(resource: Resource): boolean {
  return 'interfaces' in resource || resource.kind === 'subnet' || resource.kind === 'custom_service';
}

/** One resource of several entries: their addresses, networks or members together, of all else what the first one says that says it. */
function joined(entries: readonly Resource[]): Resource {
  let one = entries[0]!;
  for (const more of entries) one = { ...more, ...one };
  if (one.kind === 'subnet') {
    return { ...one, cidrs: entries.flatMap((entry) => (entry.kind === 'subnet' ? entry.cidrs : [])) };
  }
  if (one.kind === 'custom_service') {
    return { ...one, members: entries.flatMap((entry) => (entry.kind === 'custom_service' ? entry.members : [])) };
  }
  if (!('interfaces' in one)) return one;
  return { ...one, interfaces: entries.flatMap((entry) => ('interfaces' in entry ? (entry.interfaces ?? []) : [])) };
}
