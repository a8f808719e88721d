/** Rows of agents on their way out, with names and labels of pods: to a topic of Kafka in two forms, and to a store of samples. */
import { consume } from '../peers/kafka/broker.ts';
import { exporterKeys, type ExporterKeys } from './exporting-hub.ts';

export const EXPORTED_TABLE = 'flow_metrics.application_map.1s';

/** A message as it was read. */
export type MessageRow = Readonly<Record<string, unknown>>;

export class ExportedRows {
  readonly #broker: string;
  readonly #samplesUrl: string;

  /** `samplesUrl`: of a VictoriaMetrics. */
  constructor(broker: string, samplesUrl: string) {
    this.#broker = broker;
    this.#samplesUrl = samplesUrl;
  }

  /** Entries of `exporters`: every form in which labels of pods are asked for. */
  exporters(): readonly ExporterKeys[] {
    const toKafka = (topic: string, fields: readonly string[]) => ({
      name: topic,
      protocol: 'kafka',
      endpoints: [this.#broker],
      topic,
      'export-fields': fields,
    });
    const ids = ['pod_id', 'pod_id_1', 'pod_ns_id', 'pod_node_id', 'pod_group_id_1'];
    return [
      toKafka('all-labels', ['$tag', '$metrics', '$k8s.label']),
      toKafka('one-label', ['request', 'pod_id', '$k8s.label.tier']),
      {
        name: 'samples',
        protocol: 'prometheus',
        endpoints: [`${this.#samplesUrl}/api/v1/write`],
        'export-fields': ['request', ...ids, '~$k8s.label.^app'],
      },
    ].map((keys) => exporterKeys({ ...keys, 'data-sources': [EXPORTED_TABLE], 'queue-count': 1 }));
  }

  /** Labels of the series that rows have become, by their `request`. */
  async stored(): Promise<ReadonlyMap<number, Readonly<Record<string, string>>>> {
    const answer = await fetch(`${this.#samplesUrl}/api/v1/export?match[]=request&start=0&end=9999999999`);
    const rows = new Map<number, Record<string, string>>();
    for (const line of (await answer.text()).split('\n')) {
      if (line === '') continue;
      const { metric, values } = JSON.parse(line) as { metric: Record<string, string>; values: readonly number[] };
      for (const value of values) rows.set(value, metric);
    }
    return rows;
  }

  /** The message of the row with this `request`, when it is there. */
  async consumed(topic: string, request: number): Promise<MessageRow | undefined> {
    const messages = await consume(this.#broker, topic).catch(() => []);
    return messages.map(({ payload }) => JSON.parse(payload) as MessageRow).find((row) => row['request'] === request);
  }
}

/** Labels of the pod at one end of a message's row. */
export function labelsOf(row: MessageRow, end: 0 | 1): Record<string, string> {
  const [names, values] = ['names', 'values'].map((part) => row[`k8s_label_${part}_${end}`] as string[] | undefined);
  return Object.fromEntries((names ?? []).map((name, i) => [name, values![i]!]));
}
