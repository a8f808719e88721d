import { address, addressFacts, deviceWords, type Known } from './address-facts.ts';
import { MEMBER_KINDS } from './claims.ts';
import type { CustomService, MemberPort, PodService, Protocol } from './description.ts';
import type { Facts } from './facts.ts';
import type { PortKey } from './inventory.ts';
import { portWord } from './live-inventory.ts';
import { idOf, placementOf, vpcId } from './placement.ts';

export const PROTOCOL_NUMBERS: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17, any: 0 };

export function portKey({ protocol, port }: MemberPort): PortKey {
  return { protocol: PROTOCOL_NUMBERS[protocol], port };
}

function portOf(protocol: Protocol, port: number): number {
  return portWord(portKey({ protocol, port }));
}

/** A Kubernetes service: its own addresses, and what finds it by workload, node port and address. */
export function serviceFacts(facts: Facts, known: Known, resource: PodService, id: number): void {
  const { find } = known;
  const place = placementOf(find, resource);
  const namespace = idOf(find, 'pod_ns', resource.namespace);
  const words = { ...deviceWords('pod_service', id, place), podCluster: place.cluster, podNamespace: namespace };
  addressFacts(facts, known, { resource, place, words });
  const ports = resource.ports ?? [];
  const groups = new Set((resource.podGroups ?? []).map((key) => idOf(find, 'pod_group', key)));
  for (const key of resource.pods ?? []) {
    const pod = find('pod', key)?.resource;
    if (pod?.kind === 'pod') groups.add(idOf(find, 'pod_group', pod.group));
  }
  groups.delete(0);
  const targets = new Set(
    ports.flatMap((one) => (one.targetPorts ?? [one.port]).map((port) => portOf(one.protocol, port))),
  );
  for (const group of groups) for (const port of [...targets, 0]) facts.claim('groupPort', id, [group, port]);
  for (const { protocol, nodePort = 0 } of ports) {
    if (nodePort !== 0 && place.cluster !== 0)
      facts.claim('clusterPort', id, [place.cluster, portOf(protocol, nodePort)]);
  }
  const own = new Set([...ports.map((one) => portOf(one.protocol, one.port)), 0]);
  const addresses = [
    ...(resource.addresses ?? []).map((ip) => ({ ip, vpc: place.vpc })),
    ...(resource.interfaces ?? []).flatMap((one) =>
      one.addresses.map(({ ip }) => ({ ip, vpc: one.vpc === undefined ? place.vpc : vpcId(find, one.vpc) })),
    ),
  ];
  for (const { ip, vpc } of addresses) {
    if (vpc === 0 || !address.read(ip)) continue;
    for (const port of own) {
      if (address.isIpv4) facts.claim('service4', id, [vpc, address.ip4, port]);
      else facts.claim('service6', id, [vpc, ...address.ip6, port]);
    }
  }
}

/** A service that the user has put together. */
export function customServiceFacts(facts: Facts, { find }: Known, resource: CustomService, id: number): void {
  for (const member of resource.members) {
    switch (member.kind) {
      case 'address': {
        const vpc = member.vpc === undefined ? 0 : vpcId(find, member.vpc);
        if ((member.vpc !== undefined && vpc === 0) || !address.read(member.ip)) break;
        for (const port of portsOf(member.ports)) {
          if (address.isIpv4) facts.claim('custom4', id, [vpc, address.ip4, port]);
          else facts.claim('custom6', id, [vpc, ...address.ip6, port]);
        }
        break;
      }
      case 'pod_cluster': {
        const cluster = idOf(find, 'pod_cluster', member.key);
        if (cluster !== 0) for (const port of portsOf(member.ports)) facts.claim('memberCluster', id, [cluster, port]);
        break;
      }
      case 'pod_service':
      case 'pod_group':
      case 'pod':
      case 'chost':
      case 'host': {
        const found = idOf(find, member.kind, member.key);
        const kind = MEMBER_KINDS[member.kind === 'pod_service' ? 'service' : member.kind];
        if (found !== 0) facts.claim('member', id, [kind, found]);
      }
    }
  }
}

function portsOf(ports: readonly { readonly protocol: Protocol; readonly port: number }[] | undefined): number[] {
  return ports === undefined || ports.length === 0 ? [0] : ports.map((one) => portOf(one.protocol, one.port));
}
