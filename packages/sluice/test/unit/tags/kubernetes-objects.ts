/** Kubernetes objects as an API answers them, with the parts that tests are about. */

export interface Meta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly owner?: { readonly kind: string; readonly name: string };
}

export type ApiObject = Readonly<Record<string, unknown>> & { readonly metadata: Readonly<Record<string, unknown>> };

const CREATED = '2026-11-01T10:00:00Z';

export function metadata({ name, namespace, uid, labels, annotations, owner }: Meta) {
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    uid: uid ?? `uid-${namespace ?? ''}-${name}`,
    creationTimestamp: CREATED,
    labels,
    annotations,
    ...(owner === undefined
      ? {}
      : {
          ownerReferences: [{ apiVersion: 'apps/v1', ...owner, uid: 'x', controller: true, blockOwnerDeletion: true }],
        }),
    managedFields: [{ manager: 'kubelet', operation: 'Update', fieldsV1: { 'f:status': {} } }],
  };
}

export interface PodParts extends Meta {
  readonly node?: string;
  readonly ips?: readonly string[];
  readonly ports?: readonly (readonly [name: string, port: number, protocol?: string])[];
  readonly phase?: string;
  readonly hostNetwork?: boolean;
  readonly hostIp?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly startTime?: string;
}

export function pod(parts: PodParts): ApiObject {
  const {
    node: nodeName = 'node-1',
    ips = [],
    ports = [],
    phase = 'Running',
    hostNetwork,
    hostIp = '192.168.0.1',
    env = {},
  } = parts;
  return {
    metadata: metadata(parts),
    spec: {
      nodeName,
      ...(hostNetwork === undefined ? {} : { hostNetwork }),
      containers: [
        {
          name: 'main',
          image: 'example/main:1',
          ports: ports.map(([name, containerPort, protocol = 'TCP']) => ({ name, containerPort, protocol })),
          env: Object.entries(env).map(([name, value]) => ({ name, value })),
        },
      ],
    },
    status: {
      phase,
      hostIP: hostIp,
      podIP: ips[0],
      podIPs: ips.map((ip) => ({ ip })),
      startTime: parts.startTime ?? '2026-11-01T10:00:05Z',
      containerStatuses: [{ name: 'main', containerID: `containerd://c-${parts.name}` }],
    },
  };
}

export interface ServiceParts extends Meta {
  readonly clusterIps?: readonly string[];
  readonly ports?: readonly Readonly<Record<string, unknown>>[];
  readonly selector?: Readonly<Record<string, string>>;
  readonly type?: string;
  readonly balancer?: readonly string[];
}

export function service(parts: ServiceParts): ApiObject {
  const { clusterIps = ['None'], ports = [], selector, type = 'ClusterIP', balancer = [] } = parts;
  return {
    metadata: metadata(parts),
    spec: {
      type,
      clusterIP: clusterIps[0],
      clusterIPs: clusterIps,
      ports,
      ...(selector === undefined ? {} : { selector }),
    },
    status: { loadBalancer: balancer.length === 0 ? {} : { ingress: balancer.map((ip) => ({ ip })) } },
  };
}

export function workload(
  meta: Meta,
  template?: { labels: Record<string, string>; ports?: readonly (readonly [string, number])[] },
): ApiObject {
  const containers = [
    { name: 'main', ports: (template?.ports ?? []).map(([name, containerPort]) => ({ name, containerPort })) },
  ];
  return {
    metadata: metadata(meta),
    spec: {
      replicas: 1,
      ...(template === undefined ? {} : { template: { metadata: { labels: template.labels }, spec: { containers } } }),
    },
  };
}

export function node(
  parts: Meta & { readonly internal?: readonly string[]; readonly external?: readonly string[] },
): ApiObject {
  const { internal = [], external = [], name } = parts;
  return {
    metadata: metadata(parts),
    status: {
      addresses: [
        ...internal.map((address) => ({ type: 'InternalIP', address })),
        ...external.map((address) => ({ type: 'ExternalIP', address })),
        { type: 'Hostname', address: name },
      ],
    },
  };
}

export function slice(
  meta: Meta & {
    readonly service: string;
    readonly pods?: readonly string[];
    readonly ports?: readonly (readonly [string, number])[];
  },
): ApiObject {
  const { pods = [], ports = [], service: of } = meta;
  return {
    metadata: metadata({ ...meta, labels: { ...meta.labels, 'kubernetes.io/service-name': of } }),
    addressType: 'IPv4',
    endpoints: pods.map((name) => ({ addresses: ['10.0.0.1'], targetRef: { kind: 'Pod', name } })),
    ports: ports.map(([name, port]) => ({ name, port, protocol: 'TCP' })),
  };
}
