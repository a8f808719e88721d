import type { CustomTags, TaggedResources } from '../base/ports.ts';
import type { Pairs, Resource, ResourceKind } from './description.ts';
import type { OrgInventory } from './org-inventory.ts';

/** Custom tags from the inventory, as they are now. */
export function createCustomTags(find: (org: number) => OrgInventory | undefined): CustomTags {
  return {
    of(org, about) {
      const inventory = find(org);
      return inventory === undefined ? [] : [...tagsOf(inventory, about)];
    },
  };
}

function tagsOf(org: OrgInventory, { pod, service, namespace, chost, process }: TaggedResources): Map<string, string> {
  const tags = new Map<string, string>();
  const put = (family: string, pairs: Pairs | undefined) => {
    for (const [name, value] of pairs ?? []) if (!tags.has(`${family}.${name}`)) tags.set(`${family}.${name}`, value);
  };
  const behindService = resourceOf(org, 'pod_service', service);
  if (behindService?.kind === 'pod_service') {
    put('k8s.label', behindService.labels);
    put('k8s.annotation', behindService.annotations);
  }
  const ownPod = resourceOf(org, 'pod', pod);
  // The labels of a pod outlive it for a while.
  if (pod !== 0) put('k8s.label', org.builder.labelsOf(pod));
  if (ownPod?.kind === 'pod') {
    put('k8s.annotation', ownPod.annotations);
    put('k8s.env', ownPod.environment);
  }
  const machine = resourceOf(org, 'chost', chost);
  if (machine?.kind === 'chost') put('cloud.tag', machine.cloudTags);
  const ownNamespace = resourceOf(org, 'pod_ns', namespace);
  if (ownNamespace?.kind === 'pod_ns') put('cloud.tag', ownNamespace.cloudTags);
  const program = resourceOf(org, 'gprocess', process);
  if (program?.kind === 'gprocess') put('os.app', program.appTags);
  return tags;
}

function resourceOf({ ids, builder }: OrgInventory, kind: ResourceKind, id: number): Resource | undefined {
  const key = id === 0 ? undefined : ids.keyOf(kind, id);
  return key === undefined ? undefined : builder.find(kind, key)?.resource;
}
