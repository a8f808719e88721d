import type { SeriesLabels } from '../../base/ports.ts';
import { bug, SluiceError } from '../../base/errors.ts';
import type { Exporter } from '../../delivery/types.ts';
import type { Log } from '../../telemetry/log.ts';
import { fingerprint, toDeliverySettings } from '../config.ts';
import type { Selector } from '../selection.ts';
import { KafkaClients } from './client.ts';
import type { KafkaExporterConfig } from './config.ts';
import { DeadLetters } from './dead-letters.ts';
import { encodeRows, encodeSamples } from './encode.ts';
import { LabelTexts } from './label-texts.ts';
import { readHead } from './message-head.ts';
import { findField } from './message-key.ts';
import { ProducerLane } from './producer-lane.ts';
import { sampleIds } from './sample-json.ts';
import { TopicMaker } from './topic-maker.ts';

const SAMPLES = 'prometheus.samples';
/** A broker's limit for a message holds for a whole batch as well, with what stands around each message in it. */
const BATCH_SHARE = 0.75;
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

export interface KafkaExporterOptions {
  /** For each data source of the configuration but `prometheus.samples`, by its id. */
  readonly selectors: ReadonlyMap<string, Selector>;
  /** Needed for `prometheus.samples`. */
  readonly series?: SeriesLabels | undefined;
  readonly log: Log;
}

/**
 * An exporter to Kafka: a message a row, JSON as DeepFlow's. Connects with the first batch. Throws `config_invalid` where the key or the topic asks for a
 * field that is not exported.
 */
export function createKafkaExporter(config: KafkaExporterConfig, options: KafkaExporterOptions): Exporter {
  const { selectors, series, log } = options;
  for (const selector of selectors.values()) checkFields(config, selector);
  const labels = series === undefined ? undefined : new LabelTexts(series);
  const clients = new KafkaClients(config, log);
  const topics = new TopicMaker(config, clients, log);
  const deadLetters = new DeadLetters(config, log);
  const lanes: ProducerLane[] = [];
  return {
    name: config.name,
    protocol: config.protocol,
    fingerprint: fingerprint(config),
    tables: config.dataSources,
    // The client knows all brokers, and finds the one that it needs.
    endpoints: [config.endpoints.join(',')],
    settings: { ...toDeliverySettings(config), batchBytes: Math.floor(config.maxMessageBytes * BATCH_SHARE) },
    prepare: async (batch) => {
      if (batch.source.id === SAMPLES) await labels?.prepare(batch.org, sampleIds(batch));
    },
    begin: (batch, firstRow, nowMs) => {
      const pass = { batch, firstRow, nowMs, config };
      if (batch.source.id === SAMPLES) return encodeSamples(pass, labels ?? bug('samples without labels of series'));
      return encodeRows(pass, selectors.get(batch.source.id) ?? bug(`no selector for ${batch.source.id}`));
    },
    send: (items, { lane, signal }) => {
      const producer = (lanes[lane] ??= new ProducerLane({ config, clients, topics, deadLetters }));
      return producer.send(items, signal);
    },
    show: (_table, head, body) => {
      const { topic, key } = readHead(head);
      const shownKey = key === undefined ? '' : `,"key":${JSON.stringify(decoder.decode(key))}`;
      return `{"topic":${JSON.stringify(topic)}${shownKey},"value":${decoder.decode(body)}}`;
    },
    state: () => ({
      connectedLanes: lanes.filter((lane) => lane?.isConnected).length,
      compression: config.compression,
      idempotent: config.idempotent,
    }),
    close: async () => {
      await Promise.all(lanes.map((lane) => lane?.close()));
    },
  };
}

function checkFields({ key, topic, name }: KafkaExporterConfig, { fields, source }: Selector): void {
  const wanted = [
    ...(key.kind === 'field' ? [key.field] : []),
    ...(topic.kind === 'template' ? topic.parts.flatMap((part) => (part.kind === 'field' ? [part.field] : [])) : []),
  ];
  for (const field of wanted) {
    if (findField(fields, field) >= 0) continue;
    throw new SluiceError(
      'config_invalid',
      `cannot start exporter ${name}: its key or topic asks for ${field}, which is not among the export-fields of ${source.id}`,
    );
  }
}
