import { DEFAULT_VPC, type Resource, type ResourceKind } from './description.ts';
import type { FindHeld } from './held.ts';

/** Where a resource stands, as ids; 0 = not known. */
export interface Placement {
  vpc: number;
  region: number;
  az: number;
  host: number;
  cluster: number;
}

/**
 * Where a resource stands: what it says itself, else what it is part of says, from the nearest on: machine, node, cluster, and last its VPC. The
 * subnet of an address comes before the VPC: facts-of.ts.
 */
export function placementOf(find: FindHeld, resource: Resource): Placement {
  const place: Placement = { vpc: 0, region: 0, az: 0, host: 0, cluster: 0 };
  let vpc: string | undefined;
  let at: Resource | undefined = resource;
  // A chain of a few steps: pod, node, cluster; or device, host.
  for (let steps = 0; at !== undefined && steps < 4; steps++) {
    vpc ??= 'vpc' in at ? at.vpc : undefined;
    if (at.kind === 'host') place.host ||= idOf(find, 'host', at.key);
    placeAt(find, at, place);
    if ('host' in at && at.host !== undefined) {
      place.host ||= idOf(find, 'host', at.host);
      // A machine's zone is that of all on it; its VPC is its own affair.
      placeAt(find, find('host', at.host)?.resource, place);
    }
    at = partOf(find, at);
  }
  place.vpc = vpcId(find, vpc ?? DEFAULT_VPC);
  return place;
}

function placeAt(find: FindHeld, resource: Resource | undefined, place: Placement): void {
  if (resource === undefined) return;
  if ('cluster' in resource && resource.cluster !== undefined)
    place.cluster ||= idOf(find, 'pod_cluster', resource.cluster);
  if (resource.kind === 'pod_cluster') place.cluster ||= idOf(find, 'pod_cluster', resource.key);
  if ('az' in resource && place.az === 0) {
    const zone = find('az', resource.az);
    place.az = zone?.id ?? 0;
    if (zone?.resource.kind === 'az' && !('region' in resource && resource.region !== undefined)) {
      place.region ||= idOf(find, 'region', zone.resource.region);
    }
  }
  if ('region' in resource) place.region ||= idOf(find, 'region', resource.region);
}

/** What a resource is the nearest part of. */
function partOf(find: FindHeld, resource: Resource): Resource | undefined {
  if (resource.kind === 'pod') {
    const node = find('pod_node', resource.node);
    return node?.resource ?? find('pod_cluster', resource.cluster)?.resource;
  }
  if (resource.kind === 'pod_node' || resource.kind === 'pod_service') {
    return find('pod_cluster', resource.cluster)?.resource;
  }
  return undefined;
}

export function idOf(find: FindHeld, kind: ResourceKind, key: string | undefined): number {
  return key === undefined ? 0 : (find(kind, key)?.id ?? 0);
}

/** A VPC that is named by its number needs no description. 0 = nobody knows it. */
export function vpcId(find: FindHeld, key: string): number {
  return find('vpc', key)?.id ?? vpcNumber(key) ?? 0;
}

/** The number that a resource was given by hand. */
export function givenNumber({ kind, key, id }: Resource): number | undefined {
  return id ?? (kind === 'vpc' ? vpcNumber(key) : undefined);
}

/** The number that a VPC's key is, if it is one. */
export function vpcNumber(key: string): number | undefined {
  const number = /^[1-9]\d{0,4}$/.test(key) ? Number(key) : 0;
  return number >= 1 && number <= 65_533 ? number : undefined;
}
