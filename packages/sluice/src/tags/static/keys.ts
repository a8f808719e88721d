import { DEFAULT_VPC, type Interface, type Resource } from '../description.ts';

/** A resource with keys of VPCs in the place of the names that the file has for them. */
export function withKeys(resource: Resource, keyOf: (name: string) => string): Resource {
  if (resource.kind === 'vpc') {
    return resource.peers === undefined ? resource : { ...resource, peers: resource.peers.map((name) => keyOf(name)) };
  }
  if (resource.kind === 'subnet') {
    const vpc = keyOf(resource.vpc ?? DEFAULT_VPC);
    return { ...resource, vpc, key: `${vpc}/${resource.name}` };
  }
  if (resource.kind === 'custom_service') {
    const members = resource.members.map((one) =>
      one.kind === 'address' && one.vpc !== undefined ? { ...one, vpc: keyOf(one.vpc) } : one,
    );
    return { ...resource, members };
  }
  const vpc = 'vpc' in resource && resource.vpc !== undefined ? { vpc: keyOf(resource.vpc) } : {};
  if (!('interfaces' in resource) || resource.interfaces === undefined) return { ...resource, ...vpc };
  return { ...resource, ...vpc, interfaces: resource.interfaces.map((one) => interfaceWithKeys(one, keyOf)) };
}

function interfaceWithKeys(one: Interface, keyOf: (name: string) => string): Interface {
  const addresses = one.addresses.map(({ ip, subnet }) => {
    if (subnet === undefined) return { ip };
    const slash = subnet.indexOf('/');
    return { ip, subnet: `${keyOf(subnet.slice(0, slash))}${subnet.slice(slash)}` };
  });
  return { ...one, ...(one.vpc === undefined ? {} : { vpc: keyOf(one.vpc) }), addresses };
}
