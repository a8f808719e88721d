import { z } from 'zod';
import { filePath, shown } from '../base/config-schema.ts';
import { serverProblem, serverUrl } from './config-servers.ts';

/** Configuration of where universal tags come from: `tags`. */

export interface TagFile {
  readonly path: string;
  /** Absent: the first of the accepted ones. */
  readonly org: number | undefined;
}

/** A Kubernetes cluster that the hub watches itself. */
export interface WatchedCluster {
  /** The cluster's id, as its agents report it. */
  readonly clusterId: string;
  /** As people call it. */
  readonly name: string;
  /** Absent: the cluster that the hub runs in. */
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  /** VPC of its pods and nodes, by number or by its name in a file of static tags. */
  readonly vpc: string;
  /** Empty: all of them. */
  readonly namespaces: readonly string[];
  /** Names of environment variables of containers that become tags of pods. */
  readonly environment: readonly string[];
  readonly org: number | undefined;
}

/** Parsed `tags`. */
export interface TagsOptions {
  readonly files: readonly TagFile[];
  readonly allocator: boolean;
  readonly kubernetes: readonly WatchedCluster[];
  /** Base URLs of Prometheus servers. */
  readonly prometheusAddresses: readonly string[];
  /** Begins the names of tags among the labels of Prometheus series; '' = tags are no labels. */
  readonly autoTaggingPrefix: string;
}

const org = z
  .int()
  .min(1)
  .max(1024)
  .optional()
  .meta({ description: 'Organisation, one of `organisations`; default: the first of them' });

const tagFile = z
  .union([filePath, z.strictObject({ path: filePath.meta({ format: 'path', description: 'The file' }), org })], {
    error: (issue) => `expected a path or {path, org}; got ${shown(issue.input)}`,
  })
  .transform((value): TagFile =>
    typeof value === 'string' ? { path: value, org: undefined } : { path: value.path, org: value.org },
  );

const clusterSchema = z
  .strictObject({
    'cluster-id': z.string().min(1).max(256).meta({
      description:
        "The cluster's id, as its agents report it (`kubernetes-cluster-id`); data of both then means the same pods",
    }),
    name: z
      .string()
      .min(1)
      .max(256)
      .optional()
      .meta({ description: 'As names in exports and queries say; default: the id' }),
    kubeconfig: filePath.optional().meta({ description: 'Default: the cluster that the hub itself runs in' }),
    context: z.string().min(1).optional().meta({ description: 'Context of the kubeconfig; default: its current one' }),
    vpc: z
      .union([z.string().min(1), z.int().min(1).max(65_533)])
      .transform(String)
      .prefault('1')
      .meta({
        description: 'VPC of its nodes and pods: the `vpc-id` of its agents, or a name from a file of static tags',
      }),
    namespaces: z
      .array(z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, { error: 'expected the name of a namespace' }))
      .max(64)
      .prefault([])
      .meta({
        description: 'Namespaces whose objects are watched, for a hub that may not see the others; default: all',
      }),
    environment: z.array(z.string().min(1).max(256)).max(64).prefault([]).meta({
      description:
        'Environment variables that become tags of pods (`k8s.env.NAME`), by name; no others, for their secrets',
    }),
    org,
  })
  .transform((cluster): WatchedCluster => ({
    clusterId: cluster['cluster-id'],
    name: cluster.name ?? cluster['cluster-id'],
    kubeconfig: cluster.kubeconfig,
    context: cluster.context,
    vpc: cluster.vpc,
    namespaces: cluster.namespaces,
    environment: cluster.environment,
    org: cluster.org,
  }));

const server = z
  .string()
  .refine((text) => serverUrl(text) !== undefined, { error: (issue) => serverProblem(issue.input) })
  .transform((text) => serverUrl(text) ?? text);

/**
 * `tags`. Output: TagsOptions.
 *
 *     tags:
 *       files: [./tags.yaml, { path: ./team-b.csv, org: 2 }]
 *       kubernetes: [{ cluster-id: d-2b1e, kubeconfig: ./kubeconfig }]
 */
export const tagsSchema = z
  .strictObject({
    files: z
      .array(tagFile)
      .prefault([])
      .meta({ description: 'Files of static tags, YAML or CSV (docs/tags.md); watched for changes' }),
    allocator: z.enum(['on', 'off']).prefault('on').meta({
      description:
        'on: this hub gives resources their ids while no other one on the same ClickHouse does. off: it never does; ids are 0 until they are known',
    }),
    kubernetes: z.array(clusterSchema).prefault([]).meta({ description: 'Clusters whose API the hub watches itself' }),
    prometheus_http_api_addresses: z.array(server).prefault([]).meta({
      description:
        'Prometheus servers whose targets tell what is behind the instance of a series: `http://10.96.1.8:9090`, or `host:port`',
    }),
    'auto-tagging-prefix': z
      .string()
      .regex(/^(?:[a-zA-Z_][a-zA-Z0-9_]{0,63})?$/, {
        error: (issue) => `expected the beginning of a label name, such as df_; got ${shown(issue.input)}`,
      })
      .prefault('')
      .meta({
        description:
          "With it remote read and the APIs of series and labels show tags as labels whose names begin so (`df_`). DeepFlow's `querier.prometheus.auto-tagging-prefix` stands for it",
      }),
  })
  .transform((tags): TagsOptions => ({
    files: tags.files,
    allocator: tags.allocator === 'on',
    kubernetes: tags.kubernetes,
    prometheusAddresses: tags.prometheus_http_api_addresses,
    autoTaggingPrefix: tags['auto-tagging-prefix'],
  }));

/** What is wrong with the sources together, and with the organisations that they are for. */
export function tagSourceProblems(
  { files, kubernetes }: TagsOptions,
  organisations: readonly number[],
): { readonly path: readonly (string | number)[]; readonly message: string }[] {
  const named = [
    ...files.map((file, index) => ({ at: ['tags', 'files', index], of: file.org, name: file.path, what: 'file' })),
    ...kubernetes.map((cluster, index) => ({
      at: ['tags', 'kubernetes', index],
      of: cluster.org,
      name: cluster.name,
      what: 'name',
    })),
  ];
  const seen = new Set<string>();
  return named.flatMap(({ at: path, of = organisations[0], name, what }) => {
    if (of !== undefined && !organisations.includes(of)) {
      const message = `expected one of the organisations that are listed in \`organisations\`; got ${of}`;
      return [{ path, message: `${pathOf(path)}: ${message}` }];
    }
    const key = JSON.stringify([what, of, name]);
    const isSeen = seen.has(key);
    seen.add(key);
    if (!isSeen) return [];
    // Metrics, logs and `sluice tags` go by it.
    const message = `the ${what} ${JSON.stringify(name)} is given already`;
    return [{ path, message: `${pathOf(path)}: ${message}${what === 'name' ? '; write another `name`' : ''}` }];
  });
}

function pathOf([first, second, index]: readonly (string | number)[]): string {
  return `${first}.${second}[${index}]`;
}
