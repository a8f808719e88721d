import { z } from 'zod';
import { flag } from '../../base/config-schema.ts';
import { authSchema, checkHeaders, headerProblem, urlProblem, type ExporterAuth } from '../config-client.ts';
import { sharedShape, toSharedSettings, type SharedSettings } from '../config.ts';

/** An exporter to receivers of Prometheus remote write. */
export interface PrometheusExporterConfig extends SharedSettings<'prometheus'> {
  /** `http://` or `https://`, without login and fragment; the query may hold credentials. */
  readonly endpoints: readonly string[];
  readonly auth: ExporterAuth | undefined;
  /** Put on every series that has no label of that name. */
  readonly externalLabels: ReadonlyMap<string, string>;
  readonly metricPrefix: string;
  readonly protobufMessage: 'prometheus.WriteRequest' | 'io.prometheus.write.v2.Request';
  readonly sendMetadata: boolean;
  readonly onDuplicate: 'merge' | 'last' | 'keep';
  /** Labels of a series, `__name__` counted; undefined = no limit. */
  readonly maxLabels: number | undefined;
}

const externalLabels = z
  .record(
    z.string().regex(/^(?!__)[A-Za-z_][A-Za-z0-9_]{0,127}$/, {
      error: 'expected the name of a label: letters, digits and _, not __ at the beginning',
    }),
    z.string().min(1).meta({ format: 'scalar text' }),
  )
  .refine((labels) => !Object.hasOwn(labels, 'datasource'), {
    error: 'the label datasource is set by the exporter: take another name',
  });

const schema = z.strictObject({
  protocol: z.literal('prometheus').meta({ description: 'What the exporter speaks; as DeepFlow writes it' }),
  ...sharedShape,
  auth: authSchema.optional(),
  'external-labels': externalLabels.optional().meta({ description: 'prometheus: labels that are put on every series' }),
  'metric-prefix': z
    .string()
    .regex(/^[A-Za-z_:][A-Za-z0-9_:]{0,127}$/, {
      error: 'expected the beginning of a metric name: letters, digits, _ and :',
    })
    .optional()
    .meta({ description: 'prometheus: put before every name, as in deepflow_' }),
  'protobuf-message': z
    .enum(['prometheus.WriteRequest', 'io.prometheus.write.v2.Request'])
    .prefault('prometheus.WriteRequest')
    .meta({ description: 'prometheus: remote write 1.0, or 2.0 (and 1.0 again for a receiver that does not know it)' }),
  'send-metadata': flag.prefault(true).meta({ description: 'prometheus: send type, unit and help of the metrics' }),
  'on-duplicate': z.enum(['merge', 'last', 'keep']).prefault('merge').meta({
    description:
      'prometheus: rows of a batch that become the same series at the same time: merge = the greatest of *_max and direction_score, the sum of others; last = the last one; keep = all, which most receivers refuse',
  }),
  'max-labels': z
    .int()
    .min(1)
    .max(10_000)
    .optional()
    .meta({ description: 'prometheus: most labels of a series; others are left out. Absent: no limit' }),
});

/** Uncompressed bytes of a request, as vmagent limits its own. */
const BATCH_BYTES = 8 * 2 ** 20;

/** One entry of `exporters` with `protocol: prometheus`. Output: PrometheusExporterConfig. */
export const prometheusExporterSchema = schema
  .superRefine((keys, context) => {
    for (const [index, endpoint] of keys.endpoints.entries()) {
      const message = urlProblem(endpoint);
      if (message !== undefined) context.addIssue({ code: 'custom', path: ['endpoints', index], message });
    }
    checkHeaders(keys, context, headerProblem);
  })
  .transform((keys): PrometheusExporterConfig => ({
    ...toSharedSettings(keys, 'prometheus', { batchSize: 1024, batchBytes: BATCH_BYTES, timeoutMs: 30_000 }),
    auth: keys.auth,
    externalLabels: new Map(Object.entries(keys['external-labels'] ?? {})),
    metricPrefix: keys['metric-prefix'] ?? '',
    protobufMessage: keys['protobuf-message'],
    sendMetadata: keys['send-metadata'],
    onDuplicate: keys['on-duplicate'],
    maxLabels: keys['max-labels'],
  }));
