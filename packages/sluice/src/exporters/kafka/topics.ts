import type { Cells } from '../cells.ts';
import type { Selector } from '../selection.ts';
import { CellText, cellText, type AppendText } from './cell-text.ts';
import type { KafkaTopic, TopicPart } from './config.ts';
import { findField } from './message-key.ts';

/** Name of the topic of a row, which happened at that time (epoch milliseconds). */
export type TopicOf = (row: number, timeMs: number) => string;

const PREFIX = 'deepflow.';
const MOST_LENGTH = 249;
/** What stands for a field that the rows do not have, or that is empty. */
const NOTHING = '_';

/** For messages that go to one topic whatever is in them. */
export function topicsOfSource(topic: KafkaTopic, source: string, org: number): TopicOf {
  return topicsOfRows(topic, { source, org, field: () => undefined });
}

/** For rows, whose fields may stand in the topic's name. */
export function rowTopics(topic: KafkaTopic, selector: Selector, cells: readonly Cells[], org: number): TopicOf {
  return topicsOfRows(topic, {
    source: selector.source.id,
    org,
    field: (name) => {
      const index = findField(selector.fields, name);
      return index < 0 ? undefined : cellText(cells[index]!);
    },
  });
}

interface Rows {
  readonly source: string;
  readonly org: number;
  readonly field: (name: string) => AppendText | undefined;
}

function topicsOfRows(topic: KafkaTopic, rows: Rows): TopicOf {
  if (topic.kind === 'fixed') return () => topic.name;
  if (topic.kind === 'by-source') {
    const name = PREFIX + rows.source;
    return () => name;
  }
  const parts = topic.parts.map((part) => partText(part, rows));
  if (topic.parts.some(({ kind }) => kind === 'field')) return (row, time) => join(parts, row, time);
  // Nothing but the time is different from row to row, and that only every minute.
  let minute = NaN;
  let name = '';
  return (row, time) => {
    const now = Math.floor(time / 60_000);
    if (now !== minute) {
      minute = now;
      name = join(parts, row, time);
    }
    return name;
  };
}

type PartText = (row: number, timeMs: number) => string;

function join(parts: readonly PartText[], row: number, timeMs: number): string {
  let text = '';
  for (const part of parts) text += part(row, timeMs);
  return text.slice(0, MOST_LENGTH);
}

function partText(part: TopicPart, { source, org, field }: Rows): PartText {
  switch (part.kind) {
    case 'text':
      return () => part.text;
    case 'data-source':
      return () => source;
    case 'organisation':
      return () => String(org);
    case 'time':
      return timeText(part.unit);
    case 'field': {
      const append = field(part.field);
      if (append === undefined) return () => NOTHING;
      const text = new CellText();
      return (row) => {
        text.clear();
        append(text, row);
        return topicWord(Buffer.from(text.bytes.buffer, text.bytes.byteOffset, text.length).toString());
      };
    }
  }
}

/** With what a topic cannot be called replaced. */
function topicWord(text: string): string {
  return text === '' ? NOTHING : text.slice(0, MOST_LENGTH).replaceAll(/[^A-Za-z0-9._-]/g, '_');
}

function timeText(unit: Extract<TopicPart, { kind: 'time' }>['unit']): PartText {
  const [start, end] = { year: [0, 4], month: [5, 7], day: [8, 10], hour: [11, 13], minute: [14, 16] }[unit] as [
    number,
    number,
  ];
  return (_, timeMs) => {
    const date = new Date(timeMs);
    const text = Number.isNaN(date.getTime()) ? '' : date.toISOString();
    // Years beyond 9999 are written with a sign and six digits: no topic for those.
    return /^\d{4}-/.test(text) ? text.slice(start, end) : '0'.repeat(end - start);
  };
}
