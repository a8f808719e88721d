import type { HttpReply, Readiness } from '../base/ports.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { ServerRoute } from './exchange.ts';
import { OPENMETRICS_TEXT, PROMETHEUS_TEXT, prefersOpenMetrics, toOpenMetrics } from './openmetrics.ts';
import { textReply } from './status.ts';

/** The routes every hub has: `/-/healthy`, `/-/ready` (both open) and `/metrics`. */
export function hubRoutes(readiness: () => readonly Readiness[], metrics: Metrics): readonly ServerRoute[] {
  const shared = { method: 'GET', anyOrganisation: true } as const;
  return [
    { ...shared, path: '/-/healthy', scope: 'open', handle: () => textReply(200, 'healthy') },
    { ...shared, path: '/-/ready', scope: 'open', handle: () => readyReply(readiness()) },
    {
      ...shared,
      path: '/metrics',
      scope: 'read',
      handle: async ({ headers }) => {
        const text = await metrics.registry.metrics();
        const open = prefersOpenMetrics(headers['accept']);
        return {
          status: 200,
          headers: { 'content-type': open ? OPENMETRICS_TEXT : PROMETHEUS_TEXT, vary: 'accept' },
          body: open ? toOpenMetrics(text) : text,
        };
      },
    },
  ];
}

function readyReply(parts: readonly Readiness[]): HttpReply {
  const lines = parts.map(({ part, ready, detail }) => {
    const state = ready ? 'ready' : 'not ready';
    return detail === undefined ? `${part}: ${state}` : `${part}: ${state}: ${detail.replaceAll('\n', ' ')}`;
  });
  const ready = parts.every((part) => part.ready);
  return textReply(ready ? 200 : 503, [ready ? 'ready' : 'not ready', ...lines].join('\n'));
}
