import { f64, group, u32, u64, u8 } from './columns.ts';
import { documentTable } from './documents.ts';
import type { ColumnSpec } from './types.ts';

/** Requests and responses by application protocol, service and endpoint. */

const metrics: readonly ColumnSpec[] = [
  ...group({ role: 'metric', sub: 'throughput' }, [
    u32('request', 'Requests', { unit: 'request' }),
    u32('response', 'Responses', { unit: 'response' }),
    u8('direction_score', 'Confidence in which end is the client, 255 = certain', {
      unit: 'score 0-255',
      index: 'minmax',
      rollUp: 'average',
    }),
  ]),
  ...group({ role: 'metric', sub: 'delay' }, [
    u32('rrt_max', 'Greatest response delay', { unit: 'us', rollUp: 'average' }),
    f64('rrt_sum', 'Sum of response delay', { unit: 'us' }),
    u64('rrt_count', 'Samples of response delay', { unit: 'sample' }),
  ]),
  ...group({ role: 'metric', sub: 'error' }, [
    u64('client_error', 'Responses that blame the client', { unit: 'response' }),
    u64('server_error', 'Responses that blame the server', { unit: 'response' }),
    u64('timeout', 'Requests without a response in time', { unit: 'request' }),
    u64('error', 'Responses that blame either', { unit: 'response', exported: false }),
  ]),
];

const single = { name: 'application', description: 'Requests at each end', metrics, exportedMetrics: metrics };
const path = { name: 'application_map', description: 'Requests between two ends', metrics, exportedMetrics: metrics };

export const application1s = documentTable(single, '1s');
export const application1m = documentTable(single, '1m');
export const applicationMap1s = documentTable(path, '1s');
export const applicationMap1m = documentTable(path, '1m');
