import type { Names, SendOutcome } from '../../base/ports.ts';
import { bug, errorText } from '../../base/errors.ts';
import type { Batch } from '../../batch/batch.ts';
import { allItems, type ItemBatch } from '../../delivery/item-batch.ts';
import type { EncodePass, Exporter, SendTarget } from '../../delivery/types.ts';
import { rateLimited, type Log } from '../../telemetry/log.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { shownText, shownUrl } from '../answer-text.ts';
import { fingerprint, toDeliverySettings } from '../config.ts';
import { identityReader, type RequestIdentity } from '../request-identity.ts';
import type { Selector } from '../selection.ts';
import { readPartialSuccess, readPartialSuccessJson } from './answer-message.ts';
import type { OpentelemetryExporterConfig } from './config.ts';
import { SpanEncoder } from './encode.ts';
import { HttpSender } from './http-sender.ts';
import { LateTransport } from './late-transport.ts';
import { showSpan } from './show.ts';
import { traceRequest } from './trace-request.ts';
import type { Taken, Transport } from './transport.ts';

export interface OpentelemetryExporterOptions {
  /** For each of the configuration's data sources, by id. */
  readonly selectors: ReadonlyMap<string, Selector>;
  readonly names: Names;
  readonly metrics: Metrics;
  readonly log: Log;
}

const COMPLAIN_MS = 60_000;

/** An exporter that sends rows of flow_log.l7_flow_log as spans to receivers of OTLP, over gRPC or HTTP. */
export function createOpentelemetryExporter(
  config: OpentelemetryExporterConfig,
  { selectors, names, metrics, log }: OpentelemetryExporterOptions,
): Exporter {
  const exporter = config.name;
  const encoders = new Map([...selectors].map(([id, selector]) => [id, new SpanEncoder(selector, names)]));
  const transport: Transport =
    config.transport === 'grpc'
      ? new LateTransport(async () => new (await import('./grpc-sender.ts')).GrpcSender(config))
      : new HttpSender(config);
  const { auth, extraHeaders } = config;
  const tls = config.targets.some((target) => target.tls) ? config.tls : undefined;
  const identity = identityReader({ exporter, extraHeaders, auth, tls, log });
  const complain = rateLimited(COMPLAIN_MS);
  let untaken = 0;

  /** What a receiver says it left out of a request that it took; it must not be sent again. */
  const settle = (answer: Taken, items: ItemBatch, { withoutSecrets }: RequestIdentity): SendOutcome => {
    const { message, isJson } = answer;
    const partial = isJson ? readPartialSuccessJson(message.toString('utf8')) : readPartialSuccess(message);
    const { rejected } = partial;
    const why = shownText(withoutSecrets(partial.why));
    // When it is all of them, they are known.
    if (rejected >= items.count) return { kind: 'rejected', items: allItems(items.count), why };
    if (rejected > 0) {
      untaken += rejected;
      metrics.exporterUntakenSpans.inc({ exporter }, rejected);
    }
    if (rejected > 0 || why !== '') {
      complain((suppressed) =>
        log.warn(
          { exporter, rejected, of: items.count, why, suppressed },
          'a receiver of spans took a request with reservations; it does not say which spans it means',
        ),
      );
    }
    return { kind: 'sent' };
  };

  return {
    name: exporter,
    protocol: config.protocol,
    fingerprint: fingerprint(config),
    tables: config.dataSources,
    endpoints: config.targets.map(({ address, url }) =>
      config.transport === 'grpc' ? address : shownUrl(new URL(url)),
    ),
    settings: toDeliverySettings(config),
    begin: (batch: Batch, firstRow: number, nowMs: number): EncodePass =>
      (encoders.get(batch.source.id) ?? bug(`spans are not made of ${batch.source.id}`)).begin(batch, firstRow, nowMs),
    async send(items: ItemBatch, target: SendTarget): Promise<SendOutcome> {
      let who: RequestIdentity;
      try {
        who = await identity();
      } catch (error) {
        return { kind: 'misconfigured', why: errorText(error) };
      }
      const outcome = await transport.send({ bytes: traceRequest(items), spans: items.count }, target, who);
      return outcome.kind === 'taken' ? settle(outcome, items, who) : outcome;
    },
    show: (_table, head, body) => showSpan(head, body),
    state: () => ({ transport: config.transport, compression: config.compression, untakenSpans: untaken }),
    close: () => {
      transport.close();
      return Promise.resolve();
    },
  };
}
