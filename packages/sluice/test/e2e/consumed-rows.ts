import type { Consumed } from '../peers/kafka/broker.ts';
import { Arrivals, NUMBERED } from './numbered-rows.ts';

/** A sample as the exporter writes it to Kafka. */
interface SampleJson {
  readonly metric_name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Numbered samples in messages: lane, number and where they stand. */
export function* numberedIn(
  messages: readonly Consumed[],
): Generator<{ readonly lane: number; readonly value: number; readonly partition: number }> {
  for (const { payload, partition } of messages) {
    const { metric_name: name, labels, value } = JSON.parse(payload) as SampleJson;
    if (name === NUMBERED) yield { lane: Number(labels['lane']), value, partition };
  }
}

/** How often each numbered sample is in a topic. */
export function arrivalsIn(messages: readonly Consumed[]): Arrivals {
  const arrivals = new Arrivals();
  for (const { lane, value } of numberedIn(messages)) arrivals.add(lane, value);
  return arrivals;
}
