import { z } from 'zod';
import { kafkaExporterSchema, type KafkaExporterConfig } from '../exporters/kafka/config.ts';
import { opentelemetryExporterSchema, type OpentelemetryExporterConfig } from '../exporters/opentelemetry/config.ts';
import { prometheusExporterSchema, type PrometheusExporterConfig } from '../exporters/prometheus/config.ts';

/** One exporter, as configured. */
export type ExporterConfig = KafkaExporterConfig | PrometheusExporterConfig | OpentelemetryExporterConfig;

export type Protocol = ExporterConfig['protocol'];

export const EXPORTER_SCHEMAS: ReadonlyMap<Protocol, z.ZodType<ExporterConfig>> = new Map<
  Protocol,
  z.ZodType<ExporterConfig>
>([
  ['prometheus', prometheusExporterSchema],
  ['kafka', kafkaExporterSchema],
  ['opentelemetry', opentelemetryExporterSchema],
]);

/** The section `exporters`, for the printed reference; it is read exporter by exporter. */
export const exportersSchema = z
  .array(z.discriminatedUnion('protocol', [prometheusExporterSchema, kafkaExporterSchema, opentelemetryExporterSchema]))
  .prefault([])
  .meta({
    description:
      'Where rows are sent on; the list may also stand below `ingester`, as in DeepFlow. Keys of one protocol say so',
  });
