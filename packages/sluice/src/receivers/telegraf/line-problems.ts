import type { LineDropped, LineRows } from './line-rows.ts';

const LISTED = 10;
const EXCERPT_BYTES = 64;
const LINE_FEED = 0x0a;

/**
 * What was wrong with the lines of a request: the first ten in words, in InfluxDB's wording, by which Telegraf tells what not to send again. Lines
 * without a number are sound, only the table has no place for them.
 */
export class LineProblems {
  count = 0;
  readonly #listed: string[] = [];

  /** Notes the line that `lines` read last. */
  add(dropped: LineDropped, lines: LineRows, body: Uint8Array): void {
    if (dropped === 'no_number') return;
    this.count++;
    if (this.#listed.length === LISTED) return;
    if (dropped === 'malformed') {
      const excerpt = excerptOf(body, lines.lineStart);
      this.#listed.push(`unable to parse line ${lines.line} '${excerpt}': ${lines.problem}`);
    } else {
      const side = dropped === 'too_old' ? 'before' : 'after';
      this.#listed.push(
        `line ${lines.line}: points beyond retention policy: its time is ${side} what the table accepts`,
      );
    }
  }

  /** `taken`: lines of the request that were. */
  text(taken: number): string {
    const more = this.count - this.#listed.length;
    const list = [...this.#listed, ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
    return `${taken > 0 ? 'partial write: ' : ''}${list}; dropped=${this.count}`;
  }
}

function excerptOf(body: Uint8Array, start: number): string {
  const feed = body.indexOf(LINE_FEED, start);
  const end = Math.min(feed < 0 ? body.length : feed, start + EXCERPT_BYTES);
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8', start, end);
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '?');
}
