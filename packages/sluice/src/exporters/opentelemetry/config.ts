import { z } from 'zod';
import { authSchema, checkHeaders, headerProblem, urlProblem, type ExporterAuth } from '../config-client.ts';
import { sharedShape, toSharedSettings, type SharedSettings } from '../config.ts';

/** Where spans are sent. */
export interface OtlpTarget {
  /** An IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  /** `host:port` as people write it. */
  readonly address: string;
  /** With the path of the request; for http. */
  readonly url: string;
}

/** An exporter of traces to receivers of OTLP. */
export interface OpentelemetryExporterConfig extends SharedSettings<'opentelemetry'> {
  /** One for each of `endpoints`. */
  readonly targets: readonly OtlpTarget[];
  readonly auth: ExporterAuth | undefined;
  readonly transport: 'grpc' | 'http';
  readonly compression: 'gzip' | 'none';
}

const schema = z.strictObject({
  protocol: z.literal('opentelemetry').meta({ description: 'What the exporter speaks; as DeepFlow writes it' }),
  ...sharedShape,
  auth: authSchema.optional(),
  otlp: z
    .strictObject({
      transport: z
        .enum(['grpc', 'http'])
        .prefault('grpc')
        .meta({ description: 'gRPC, or protobuf by HTTP POST to /v1/traces (or the path of the endpoint)' }),
      compression: z.enum(['gzip', 'none']).prefault('gzip').meta({ description: 'Compression of requests' }),
    })
    .prefault({})
    .meta({ description: 'opentelemetry: how spans travel' }),
});

/** Receivers of gRPC refuse messages above 4 MiB unless told otherwise; resources come on top of the spans. */
const BATCH_BYTES = 2 * 2 ** 20;

/** One entry of `exporters` with `protocol: opentelemetry`. Output: OpentelemetryExporterConfig. */
export const opentelemetryExporterSchema = schema
  .superRefine((keys, context) => {
    const { transport } = keys.otlp;
    for (const [index, endpoint] of keys.endpoints.entries()) {
      const target = toTarget(endpoint, transport, keys.tls?.enabled ?? keys.tls !== undefined);
      if (typeof target === 'string') {
        context.addIssue({ code: 'custom', path: ['endpoints', index], message: target });
      }
    }
    checkHeaders(keys, context, transport === 'http' ? headerProblem : metadataProblem);
  })
  .transform((keys): OpentelemetryExporterConfig => {
    const shared = toSharedSettings(keys, 'opentelemetry', {
      batchSize: 32,
      batchBytes: BATCH_BYTES,
      timeoutMs: 10_000,
    });
    const { transport, compression } = keys.otlp;
    const targets = keys.endpoints.map((endpoint) => toTarget(endpoint, transport, shared.tls.enabled === true));
    return {
      ...shared,
      targets: targets.filter((target) => typeof target !== 'string'),
      auth: keys.auth,
      transport,
      compression,
    };
  });

const PORT_WANTED = 'expected a port of 1 to 65535';

/** `host:port` as DeepFlow has it, or a URL; what is wrong with it as a text. */
function toTarget(endpoint: string, transport: 'grpc' | 'http', tls: boolean): OtlpTarget | string {
  const hasScheme = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(endpoint);
  if (Number(/:(\d+)$/.exec(endpoint)?.[1]) > 65_535) return PORT_WANTED;
  const written = hasScheme ? endpoint : `${tls ? 'https' : 'http'}://${endpoint}`;
  const problem = urlProblem(written);
  if (problem !== undefined) {
    return hasScheme ? problem : 'expected host:port or an http:// or https:// address, without a login';
  }
  const url = new URL(written);
  const isBare = url.pathname === '/' && url.search === '';
  if (!hasScheme && (!isBare || !/:\d+$/.test(endpoint))) {
    return 'expected host:port, or an http:// or https:// address when there is a path';
  }
  if (transport === 'grpc' && !isBare) {
    return 'expected an address without a path: gRPC has its own; for HTTP write otlp: {transport: http}';
  }
  const isTls = url.protocol === 'https:';
  const port = Number(url.port || (hasScheme && url.port === '' ? (isTls ? 443 : 80) : /:(\d+)$/.exec(endpoint)?.[1]));
  if (port === 0) return PORT_WANTED;
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  // As the specification says: a base address gets the path of traces, another path is taken as it is.
  if (isBare) url.pathname = '/v1/traces';
  return { host, port, tls: isTls, address: `${url.hostname}:${port}`, url: url.href };
}

/** Why a name cannot stand in gRPC metadata, or undefined. */
function metadataProblem(name: string, hasAuth: boolean): string | undefined {
  const lower = name.toLowerCase();
  if (!/^[0-9a-z_.-]{1,256}$/.test(lower)) return 'expected the name of gRPC metadata: letters, digits, - _ and .';
  if (lower.endsWith('-bin')) return 'expected a name that does not end in -bin, which gRPC keeps for binary values';
  const isReserved = lower.startsWith('grpc-') || ['content-type', 'te', 'user-agent', 'host'].includes(lower);
  if (isReserved) return 'this name belongs to the protocol and cannot be set';
  return lower === 'authorization' && hasAuth ? 'authorization is set by auth: give one of them' : undefined;
}
