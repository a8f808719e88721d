import { applicationLog } from '../../catalog/application-log.ts';
import type { Dropped, RecordDecoder, Sender } from '../record-decoder.ts';
import type { RowIds } from '../row-ids.ts';
import type { RowTarget } from '../row-target.ts';
import { commitLog, logColumns as at, outsideLog } from './log-rows.ts';
import { parseRfc3339 } from './rfc3339.ts';
import { Severity } from './severity.ts';

export interface AgentLogOptions {
  readonly target: RowTarget;
  readonly rowIds: RowIds;
}

/** Levels that are taken. */
const levels: ReadonlyMap<string, number> = new Map([
  ['[INFO]', Severity.INFO],
  ['[WARN]', Severity.WARN],
  ['[ERRO]', Severity.ERROR],
  ['[ERROR]', Severity.ERROR],
  ['[DEBU]', Severity.DEBUG],
  ['[DEBUG]', Severity.DEBUG],
]);

const SPACE = 0x20;
const LINE_FEED = 0x0a;
const RETURN = 0x0d;
const COLON = 0x3a;
const OPEN = 0x5b;
const CLOSE = 0x5d;

/** Words before the message. */
const WORDS = 5;
const LONGEST_WORD = 40;

/**
 * AGENT_LOG and SYSLOG: what agents log themselves, one record a row of application_log.log.
 *
 *   <RFC 3339 time> <executable> <host>[<pid>]: [<LEVEL>] <file>:<line> <message>\n
 *
 * The message goes to the end of the record, line feeds included. `app_service` is the executable, the attributes are `host` and `module` (file and
 * line). Dropped are records of fewer words (`malformed`), with a time or a level that is none (`bad_timestamp`, `unknown_level`), without a message
 * (`no_message`), and those out of the accept window.
 */
export function createAgentLogDecoder({ target, rowIds }: AgentLogOptions): RecordDecoder {
  /** Where each word ends. */
  const ends = new Uint32Array(WORDS);

  return {
    decode(bytes: Uint8Array, start: number, end: number, { org, team, agent }: Sender): Dropped | undefined {
      let from = start;
      for (let i = 0; i < WORDS; i++) {
        const space = bytes.indexOf(SPACE, from);
        if (space < 0 || space >= end) return 'malformed';
        ends[i] = space;
        from = space + 1;
      }
      let stop = end;
      while (stop > from && (bytes[stop - 1] === LINE_FEED || bytes[stop - 1] === RETURN)) stop--;
      const micros = parseRfc3339(word(bytes, start, ends[0]!));
      if (Number.isNaN(micros)) return 'bad_timestamp';
      const severity = levels.get(word(bytes, ends[2]! + 1, ends[3]!));
      if (severity === undefined) return 'unknown_level';
      if (stop === from) return 'no_message';

      const block = target.block(applicationLog, org);
      const outside = outsideLog(block, micros);
      if (outside !== undefined) return outside;
      block.wire = bytes;
      block.setTextBytes(at.app_service, bytes, ends[0]! + 1, ends[1]!);
      block.setTextBytes(at.body, bytes, from, stop);
      block.pushText(at.attribute_names, 'host');
      block.pushTextBytes(at.attribute_values, bytes, ends[1]! + 1, hostEnd(bytes, ends[1]! + 1, ends[2]!));
      block.pushText(at.attribute_names, 'module');
      block.pushTextBytes(at.attribute_values, bytes, ends[3]! + 1, ends[4]!);
      commitLog(block, rowIds, { type: 'agent', micros, severity, agent, team });
      return undefined;
    },
  };
}

function word(bytes: Uint8Array, from: number, to: number): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset);
  return text.toString('latin1', from, Math.min(to, from + LONGEST_WORD));
}

/** Where the host ends in `<host>[<pid>]:`. */
function hostEnd(bytes: Uint8Array, start: number, end: number): number {
  const close = bytes[end - 1] === COLON ? end - 2 : end - 1;
  if (bytes[close] !== CLOSE) return close + 1;
  const open = bytes.lastIndexOf(OPEN, close);
  return open > start ? open : close + 1;
}
