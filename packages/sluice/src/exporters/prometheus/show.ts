import { decodeWriteRequest } from 'promwrite/wire';
import { METRIC_NAME } from './label-bytes.ts';

/** An item as a line of text: `name{label="value",...} value time`, as PromQL would write it; the time in epoch milliseconds. */
export function showSeries(body: Uint8Array): string {
  const { timeseries } = decodeWriteRequest(body);
  return timeseries
    .map(({ labels, samples }) => {
      const name = labels.find((label) => label.name === METRIC_NAME)?.value ?? '';
      const others = labels.filter((label) => label.name !== METRIC_NAME);
      const tags = others.map((label) => `${label.name}=${JSON.stringify(label.value)}`).join(',');
      const points = samples.map((sample) => `${sample.stale ? 'stale' : sample.value} ${sample.timestamp}`);
      return `${name}{${tags}} ${points.join(' ')}`;
    })
    .join('\n');
}
