/** What a real Prometheus scrapes in tests of tags: targets of a cluster as its discovery describes them, served by one local server. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { stringify } from 'yaml';
import { replaceFile, WEB_ADDRESS, WEB_ADDRESS_6 } from './tagged-platform.ts';

type Labels = Readonly<Record<string, string>>;

/** Files that targets are discovered from. */
export type TargetFiles = Readonly<Record<'pods' | 'web' | 'watcher' | 'nobody', string>>;

/** A target as Prometheus' own discovery of pods describes it. */
function podTarget(address: string, namespace: string, name: string, labels: Labels = {}): object {
  return {
    targets: [address],
    labels: {
      __meta_kubernetes_namespace: namespace,
      __meta_kubernetes_pod_name: name,
      __meta_kubernetes_pod_ip: address.replace(/:\d+$/, ''),
      ...labels,
    },
  };
}

export const WEB = podTarget(`${WEB_ADDRESS}:8080`, 'shop', 'web-a');
export const NEWCOMER = podTarget(`${WEB_ADDRESS}:8080`, 'stage', 'newcomer-b');
const OTHERS = [podTarget('10.1.0.2:8080', 'shop', 'db-0'), podTarget('10.1.0.3:8080', 'stage', 'db-0')];
// Of a cluster that the hub knows nothing of.
const NOBODY = podTarget('10.200.0.1:8080', 'elsewhere', 'db-0');
const WATCHER = podTarget('10.1.0.9:8080', 'monitoring', 'watcher-1');

export const PAGES = {
  '/metrics':
    '# HELP shop_requests_total Requests of customers.\n# TYPE shop_requests_total counter\nshop_requests_total 7\n',
  // As kube-state-metrics does: what it says of others.
  '/state': ['shop', 'stage'].map((namespace) => `kube_pod_info{namespace="${namespace}",pod="db-0"} 1\n`).join(''),
  // As a gateway of pushed metrics does.
  '/pushed':
    'pushed_total{instance="10.1.0.2:8080",job="batch"} 1\nempty_total{pod="",namespace="",instance="10.1.0.3:1"} 1\n',
};

/** Configuration of the Prometheus that writes. Everything is at `pages`; `__address__` says where it would be. */
export function writerConfig(pages: string, files: TargetFiles, writeTo: string): string {
  const relabel = (from: string, to: string) => ({ source_labels: [from], target_label: to });
  const there = { target_label: '__address__', replacement: pages };
  const job = (name: string, file: keyof TargetFiles, labels: readonly object[], more: object = {}) => ({
    job_name: name,
    file_sd_configs: [{ files: [files[file]], refresh_interval: '2s' }],
    relabel_configs: [relabel('__address__', 'instance'), ...labels, there],
    ...more,
  });
  const namespace = relabel('__meta_kubernetes_namespace', 'namespace');
  const pod = relabel('__meta_kubernetes_pod_name', 'pod');
  const named = (instance: string) => ({ target_label: 'instance', replacement: instance });
  return stringify({
    global: { scrape_interval: '1s', scrape_timeout: '1s', external_labels: { cluster: 'prod', replica: 'a' } },
    scrape_configs: [
      job('pods', 'pods', [namespace, pod]),
      job('older', 'pods', [
        relabel('__meta_kubernetes_namespace', 'kubernetes_namespace'),
        relabel('__meta_kubernetes_pod_name', 'kubernetes_pod_name'),
      ]),
      job('by-address', 'pods', []),
      job('by-target', 'web', [named('shop-front')]),
      job('state', 'watcher', [namespace, pod], { metrics_path: '/state', honor_labels: true }),
      job('state-renamed', 'watcher', [namespace, pod], { metrics_path: '/state' }),
      job('state-half', 'watcher', [namespace], { metrics_path: '/state' }),
      job('pushed', 'watcher', [], { metrics_path: '/pushed', honor_labels: true }),
      job('pushed-renamed', 'watcher', [], { metrics_path: '/pushed' }),
      job('machine', 'watcher', [named('metal-7:9100')]),
      job('machine-6', 'watcher', [named('[2001:db8::7]:9100')]),
      job('pod-6', 'watcher', [named(`[${WEB_ADDRESS_6}]:8080`)]),
      job('nobody', 'nobody', [namespace, pod]),
    ],
    remote_write: [
      {
        url: writeTo,
        queue_config: { batch_send_deadline: '500ms', max_backoff: '500ms' },
        // Of metrics the hub learns from the targets' server.
        metadata_config: { send: false },
      },
    ],
  });
}

/** Writes the files; `web` is what is behind the address of the shop's first pod. */
export function describeTargets(folder: string, web: object): TargetFiles {
  const write = (name: string, targets: readonly object[]): string => {
    const path = `${folder}/${name}.json`;
    replaceFile(path, JSON.stringify(targets));
    return path;
  };
  return {
    pods: write('pods', [web, ...OTHERS]),
    web: write('web', [web]),
    watcher: write('watcher', [WATCHER]),
    nobody: write('nobody', [NOBODY]),
  };
}

/** Serves texts by path, as exporters do. */
export class ScrapedPages implements AsyncDisposable {
  readonly pages = new Map<string, string>();
  readonly #server = createServer((request, response) => {
    const text = this.pages.get(request.url ?? '');
    if (text === undefined) response.writeHead(404).end();
    else response.setHeader('content-type', 'text/plain; version=0.0.4').end(text);
  });

  static async start(pages: Readonly<Record<string, string>>): Promise<ScrapedPages> {
    const scraped = new ScrapedPages();
    for (const [path, text] of Object.entries(pages)) scraped.pages.set(path, text);
    scraped.#server.listen(0, '127.0.0.1');
    await once(scraped.#server, 'listening');
    return scraped;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
