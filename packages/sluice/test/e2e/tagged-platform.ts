/** A platform for tests of tags: a Kubernetes cluster (an API that stands in), and how agents reach the hub. */
import { once } from 'node:events';
import { renameSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { ApiStandIn } from '../integration/tags/api-stand-in.ts';
import { node, pod, service, workload, type ApiObject, type PodParts } from '../unit/tags/kubernetes-objects.ts';
import { documentFrames } from './numbered-rows.ts';
import type { Hub, Scratch } from './processes.ts';

/** Writes a kubeconfig for an API without TLS (the official client wants that to be said); its path. */
export function writeKubeconfig(scratch: Scratch, name: string, server: string): string {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'u', user: { token: 'very-secret' } }],
    contexts: [{ name: 'main', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'main',
  };
  return scratch.file(name, JSON.stringify(config));
}

/** Writes a file in the way of those who replace files: never half of it is seen. */
export function replaceFile(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

/** A pod of a Deployment that has one replica set, `<deployment>-7f9c`. */
export function deploymentPod(deployment: string, parts: PodParts): ApiObject {
  return pod({ ...parts, owner: { kind: 'ReplicaSet', name: `${deployment}-7f9c` } });
}

export function putDeployment(api: ApiStandIn, namespace: string, name: string): void {
  api.put('deployments', workload({ name, namespace }, { labels: { app: name } }));
  api.put('replicasets', workload({ name: `${name}-7f9c`, namespace, owner: { kind: 'Deployment', name } }));
}

/** The pod `web-a` of the shop, and what a rollout puts in its place. */
export const WEB_ADDRESS = '10.1.0.1';
export const WEB_ADDRESS_6 = 'fd00:1::1';

export const shopDb = (parts: Partial<PodParts> = {}): ApiObject =>
  pod({
    name: 'db-0',
    namespace: 'shop',
    uid: 'db-shop',
    node: 'node-1',
    ips: ['10.1.0.2'],
    labels: { app: 'db', tier: 'back' },
    owner: { kind: 'StatefulSet', name: 'db' },
    ...parts,
  });

/**
 * A shop and its staging: pods of one name in two namespaces, a deployment behind a service, what watches them all, and the pod that serves the documents of
 * numbered-rows.ts (10.2.0.1).
 */
export async function startCluster(): Promise<ApiStandIn> {
  const api = new ApiStandIn();
  await api.open();
  for (const name of ['shop', 'stage', 'monitoring']) api.put('namespaces', workload({ name }));
  const zone = { 'topology.kubernetes.io/region': 'eu', 'topology.kubernetes.io/zone': 'eu-a' };
  api.put('nodes', node({ name: 'node-1', internal: ['192.168.0.1'], labels: zone }));
  api.put('nodes', node({ name: 'node-2', internal: ['192.168.0.2'], labels: zone }));
  putDeployment(api, 'shop', 'web');
  putDeployment(api, 'shop', 'gateway');
  putDeployment(api, 'monitoring', 'watcher');
  for (const namespace of ['shop', 'stage']) api.put('statefulsets', workload({ name: 'db', namespace }));
  api.put(
    'services',
    service({
      name: 'web-svc',
      namespace: 'shop',
      clusterIps: ['10.96.0.7'],
      selector: { app: 'web' },
      ports: [{ port: 80, targetPort: 8080 }],
    }),
  );
  const labels = { app: 'web', tier: 'front', 'app.kubernetes.io/name': 'web' };
  const ips = [WEB_ADDRESS, WEB_ADDRESS_6];
  api.put(
    'pods',
    deploymentPod('web', { name: 'web-a', namespace: 'shop', uid: 'web-a', node: 'node-1', ips, labels }),
  );
  api.put('pods', shopDb());
  api.put(
    'pods',
    shopDb({ namespace: 'stage', uid: 'db-stage', node: 'node-2', ips: ['10.1.0.3'], labels: { app: 'db' } }),
  );
  api.put('pods', gatewayPod('gateway'));
  api.put(
    'pods',
    deploymentPod('watcher', { name: 'watcher-1', namespace: 'monitoring', node: 'node-2', ips: ['10.1.0.9'] }),
  );
  return api;
}

export function gatewayPod(deployment: string): ApiObject {
  const labels = { app: deployment };
  return deploymentPod(deployment, { name: 'gateway-a', namespace: 'shop', node: 'node-1', ips: ['10.2.0.1'], labels });
}

/** Sends documents as an agent does, over one connection. */
export class AgentConnection implements Disposable {
  readonly #socket;
  /** Of all connections, so that no number comes twice. */
  static #rows = 0;

  private constructor(hub: Hub) {
    const { hostname, port } = new URL(`tcp://${hub.agent}`);
    this.#socket = connect(Number(port), hostname).on('error', () => undefined);
  }

  static async open(hub: Hub): Promise<AgentConnection> {
    const connection = new AgentConnection(hub);
    await once(connection.#socket, 'connect');
    return connection;
  }

  /** A row from 10.1.0.`client` to 10.2.0.1 in VPC 1; its `request` is a number of its own, which is returned. */
  sendRow(client: number, timeMs: number): number {
    const request = ++AgentConnection.#rows;
    const measured = { request, response: 0, rrtMax: 0, rrtSum: 0, rrtCount: 0 };
    this.#socket.write(documentFrames([{ time: Math.floor(timeMs / 1000), client, vpc: 1, ...measured }]));
    return request;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

/** Milliseconds as people say them. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
