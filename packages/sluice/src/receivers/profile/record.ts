import { constantText } from '../../batch/constant-text.ts';
import { inProcessProfile } from '../../catalog/profile.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { outsideWindow } from '../accept-window.ts';
import type { Dropped, RecordDecoder, Sender } from '../record-decoder.ts';
import type { RowIds } from '../row-ids.ts';
import type { RowTarget } from '../row-target.ts';
import { secondsOf, thousandthOf } from '../time-halves.ts';
import { type MessagePlans, toRegister, toSpan } from '../wire-plans.ts';
import { WireWalker } from '../wire-walker.ts';
import { decodeName } from './application-name.ts';
import type { ProfileLimits } from './config.ts';
import { countDropped, INPUT } from './counts.ts';
import { isForm } from './form-parts.ts';
import { type PostedProfile, PostedProfiles } from './posted-profile.ts';
import { profileColumns as at, writeAddress, writeProfileId } from './profile-rows.ts';
import { isZstd, uncompressZstd } from './uncompress.ts';

export interface ProfileDecoderOptions {
  readonly target: RowTarget;
  readonly rowIds: RowIds;
  readonly limits: ProfileLimits;
  readonly metrics: Metrics;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

const span = { address: 0, name: 1, units: 2, spyName: 3, format: 4, contentType: 5, data: 6, processName: 7 } as const;
/** Numbers, in registers behind those of the spans. */
const register = {
  from: 8,
  until: 9,
  isCompressed: 10,
  timestamp: 11,
  eventType: 12,
  processStart: 13,
  pid: 14,
  count: 15,
  pod: 16,
  wideCount: 17,
} as const;

const plans: MessagePlans = {
  profile: {
    1: toSpan(span.address),
    2: toSpan(span.name),
    3: toSpan(span.units),
    6: toRegister(register.from),
    7: toRegister(register.until),
    8: toSpan(span.spyName),
    9: toSpan(span.format),
    10: toSpan(span.contentType),
    11: toSpan(span.data),
    12: toRegister(register.isCompressed),
    20: toRegister(register.timestamp),
    21: toRegister(register.eventType),
    22: toRegister(register.processStart),
    23: toRegister(register.pid),
    26: toSpan(span.processName),
    30: toRegister(register.count),
    33: toRegister(register.pod),
    34: toRegister(register.wideCount),
  },
};

const eventTypes = ['third-party', 'on-cpu', 'off-cpu', 'mem-alloc', 'mem-inuse', 'hbm-alloc', 'hbm-inuse'].map(
  constantText,
);
const OFF_CPU = 2;
const language = constantText('eBPF');
const microseconds = constantText('microseconds');
const zstd = constantText('zstd');

/** Time off the CPU is cut into pieces of this length, so many at most; the earliest then has the rest. */
const PIECE_US = 1_000_000;
const MOST_PIECES = 4000;
/** Formats, names of spies and the like are cut here. */
const MOST_WORD = 1024;

/**
 * PROFILE: rows of profile.in_process.
 *
 * A stack that an agent sampled itself (without a format, not a form) is one row, and stays compressed as it came. Its value is in microseconds; time off
 * the CPU of more than a second becomes a row for each second, back from the one at which it ended.
 *
 * Profiles that programs posted to the agent's port become rows as those posted to the hub do.
 *
 * Dropped are records that are `malformed`, `too_large`, `too_old`, `too_new`, or of an `unsupported_format` (JFR, trees, speedscope).
 */
export function createProfileDecoder(options: ProfileDecoderOptions): RecordDecoder {
  return new ProfileDecoder(options);
}

class ProfileDecoder implements RecordDecoder {
  readonly #options: ProfileDecoderOptions;
  readonly #posted: PostedProfiles;
  readonly #walker = new WireWalker(plans);

  constructor(options: ProfileDecoderOptions) {
    const { rowIds, limits } = options;
    this.#options = options;
    this.#posted = new PostedProfiles({ rowIds, limits });
  }

  decode(bytes: Uint8Array, start: number, end: number, sender: Sender): Dropped | undefined {
    const walker = this.#walker;
    walker.scan(bytes);
    if (!walker.walk(walker.message('profile'), start, end)) return 'malformed';
    const contentType = this.#word(bytes, span.contentType);
    const isUnnamed = walker.start[span.name] === walker.end[span.name] || this.#isStamped();
    const isStack = walker.start[span.format] === walker.end[span.format] && isUnnamed && !isForm(contentType);
    return isStack ? this.#writeStack(bytes, sender) : this.#writePosted(bytes, contentType, sender);
  }

  /** What programs post has no time of its own. */
  #isStamped(): boolean {
    const { low, high } = this.#walker;
    return (low[register.timestamp]! | high[register.timestamp]!) !== 0;
  }

  #writePosted(bytes: Uint8Array, contentType: string, { org, team, agent }: Sender): Dropped | undefined {
    const { target, limits, metrics, now } = this.#options;
    const { low, high, start, end } = this.#walker;
    let data: Uint8Array = bytes.subarray(start[span.data], end[span.data]);
    if ((low[register.isCompressed]! | high[register.isCompressed]!) !== 0) {
      const plain = uncompressZstd(data, limits.decodedBytes);
      if (typeof plain === 'string') return plain;
      data = plain;
    } else if (data.length > limits.decodedBytes) return 'too_large';
    const profile: PostedProfile = {
      name: decodeName(this.#word(bytes, span.name)),
      units: this.#word(bytes, span.units),
      spyName: this.#word(bytes, span.spyName),
      format: this.#word(bytes, span.format),
      contentType,
      from: low[register.from]!,
      until: low[register.until]!,
      address: bytes.subarray(start[span.address], end[span.address]),
      pod: low[register.pod]!,
      pid: low[register.pid]!,
      data,
    };
    const dropped = this.#posted.write(profile, { target, org, team, agent, nowMs: now() });
    if (dropped === undefined) countDropped(metrics, this.#posted);
    return dropped;
  }

  /** The text of a field, cut where it is longer than such texts are. */
  #word(bytes: Uint8Array, field: number): string {
    const start = this.#walker.start[field]!;
    const end = Math.min(this.#walker.end[field]!, start + MOST_WORD);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8', start, end);
  }

  #writeStack(bytes: Uint8Array, sender: Sender): Dropped | undefined {
    const { low, high, start, end } = this.#walker;
    const isCompressed = (low[register.isCompressed]! | high[register.isCompressed]!) !== 0;
    if (isCompressed && !isZstd(bytes, start[span.data]!, end[span.data]!)) return 'malformed';
    const isWide = (low[register.wideCount]! | high[register.wideCount]!) !== 0;
    const value = isWide ? register.wideCount : register.count;
    const [valueLow, valueHigh] = [low[value]!, isWide ? high[value]! : 0];
    const { timestamp } = register;
    const endUs = thousandthOf(low[timestamp]!, high[timestamp]!);
    const endSeconds = secondsOf(low[timestamp]!, high[timestamp]!);
    const { target, metrics } = this.#options;
    const outside = outsideWindow(target.block(inProcessProfile, sender.org), endSeconds);
    if (outside !== undefined) return outside;
    const valueUs = valueHigh * 4_294_967_296 + valueLow;
    if (low[register.eventType] !== OFF_CPU || valueUs <= PIECE_US) {
      this.#writeRow(bytes, sender, { micros: endUs, valueLow, valueHigh, isCompressed });
      return undefined;
    }
    const pieces = Math.min(Math.ceil(valueUs / PIECE_US), MOST_PIECES);
    for (let i = 0; i < pieces; i++) {
      const micros = endUs - i * PIECE_US;
      const part = i < pieces - 1 ? PIECE_US : valueUs - i * PIECE_US;
      const reason = outsideWindow(target.block(inProcessProfile, sender.org), Math.floor(micros / 1e6));
      if (reason !== undefined) {
        // Those before it are older still.
        metrics.droppedRows.inc({ input: INPUT, reason }, pieces - i);
        break;
      }
      const valueOfPart = { valueLow: part >>> 0, valueHigh: Math.floor(part / 4_294_967_296) };
      this.#writeRow(bytes, sender, { micros, ...valueOfPart, isCompressed });
    }
    return undefined;
  }

  #writeRow(
    bytes: Uint8Array,
    { org, team, agent }: Sender,
    { micros, valueLow, valueHigh, isCompressed }: StackRow,
  ): void {
    const { target, rowIds } = this.#options;
    const { low, high, start, end } = this.#walker;
    const seconds = Math.floor(micros / 1e6);
    const block = target.block(inProcessProfile, org);
    block.wire = bytes;
    block.setNumber(at.time, seconds);
    block.setInteger(at.profile_create_timestamp, micros);
    writeProfileId(block, rowIds, seconds, agent);
    const service = start[span.name] === end[span.name] ? span.processName : span.name;
    block.setTextBytes(at.app_service, bytes, start[service]!, end[service]!);
    block.setTextBytes(at.app_instance, bytes, start[service]!, end[service]!);
    block.setConstant(at.profile_language_type, language);
    const event = eventTypes[low[register.eventType]!];
    if (event !== undefined) block.setConstant(at.profile_event_type, event);
    else block.setText(at.profile_event_type, String(low[register.eventType]! | 0));
    block.setConstant(at.profile_value_unit, microseconds);
    block.setHalves(at.profile_value, valueLow, valueHigh);
    block.setTextBytes(at.profile_location_str, bytes, start[span.data]!, end[span.data]!);
    if (isCompressed) block.setConstant(at.compression_algo, zstd);
    block.setNumber(at.process_id, low[register.pid]!);
    block.setNumber(at.pid_key, low[register.pid]!);
    block.setNumber(at.pod_key, low[register.pod]!);
    block.setHalves(at.process_start_time, low[register.processStart]!, high[register.processStart]!);
    block.setNumber(at.agent_id, agent);
    block.setNumber(at.team_id, team);
    writeAddress(block, bytes, start[span.address]!, end[span.address]!);
    block.commit(seconds * 1000);
  }
}

interface StackRow {
  /** Epoch microseconds. */
  readonly micros: number;
  readonly valueLow: number;
  readonly valueHigh: number;
  readonly isCompressed: boolean;
}
