import { inProcessProfile } from '../../catalog/profile.ts';
import type { RowBlock } from '../../batch/row-block.ts';
import { outsideWindow } from '../accept-window.ts';
import type { RowIds } from '../row-ids.ts';
import type { RowTarget } from '../row-target.ts';
import { secondsOf } from '../time-halves.ts';
import { type ApplicationName, parseApplicationName } from './application-name.ts';
import type { ProfileLimits } from './config.ts';
import { CumulativeValues } from './cumulative.ts';
import { formParts, isForm } from './form-parts.ts';
import { Pprof } from './pprof.ts';
import { profileColumns as at, writeAddress, writeProfileId } from './profile-rows.ts';
import { valueRules } from './sample-types.ts';
import { type Uncompressed, uncompressGzip } from './uncompress.ts';

/** A profile that a program posted, to the hub or to an agent's port. */
export interface PostedProfile {
  /** In Pyroscope's syntax, decoded. */
  readonly name: string;
  readonly units: string;
  readonly spyName: string;
  readonly format: string;
  readonly contentType: string;
  /** Epoch seconds; 0 = not said. */
  readonly from: number;
  readonly until: number;
  /** 4 or 16 bytes, or none. */
  readonly address: Uint8Array;
  readonly pod: number;
  readonly pid: number;
  readonly data: Uint8Array;
}

export interface ProfileSource {
  readonly target: RowTarget;
  readonly org: number;
  readonly team: number;
  /** 0 = it did not come through an agent. */
  readonly agent: number;
  /** Epoch milliseconds. */
  readonly nowMs: number;
}

/** Why a profile is not taken. */
export type ProfileDropped = 'malformed' | 'too_large' | 'unsupported_format' | 'too_old' | 'too_new';

/** About what a row takes besides its stack and tags. */
const ROW_BYTES = 256;
const LINE_FEED = 0x0a;
const SPACE = 0x20;
/** A stack as text is this long at most, as those of pprof are. */
const MOST_STACK = 64 * 1024;

const languages: ReadonlyMap<string, string> = new Map([
  ['gospy', 'Golang'],
  ['javaspy', 'Java'],
  ['pyspy', 'python'],
  ['rbspy', 'ruby'],
  ['phpspy', 'PHP'],
  ['dotnetspy', 'dotnet'],
  ['nodespy', 'Node'],
]);

/** Stacks as text, outermost frame first, a line each: with a count behind a space, or each counting 1. */
const textFormats: ReadonlyMap<string, 'counted' | 'plain'> = new Map([
  ['', 'counted'],
  ['folded', 'counted'],
  ['collapsed', 'counted'],
  ['groups', 'counted'],
  ['lines', 'plain'],
]);

/**
 * Posted profiles as rows of profile.in_process: of pprof (a body or a form, gzip or not) a row for each sample and sample type whose value is not 0, of
 * text a row for each line. Rows have the time at which the profile began.
 */
export class PostedProfiles {
  /** Rows made of the profile written last. */
  taken = 0;
  /** Samples of it that became none, and rows whose stack was cut off. */
  malformed = 0;
  cut = 0;
  readonly #rowIds: RowIds;
  readonly #limits: ProfileLimits;
  #profile!: PostedProfile;
  #source!: ProfileSource;
  #name!: ApplicationName;
  #tagBytes = 0;
  #rowBytes = 0;
  #seconds = 0;

  constructor(options: { readonly rowIds: RowIds; readonly limits: ProfileLimits }) {
    this.#rowIds = options.rowIds;
    this.#limits = options.limits;
  }

  /** Makes the rows, or tells why there are none; `too_large` may be found when there are some. A malformed sample costs no other. */
  write(profile: PostedProfile, source: ProfileSource): ProfileDropped | undefined {
    this.taken = 0;
    this.malformed = 0;
    this.cut = 0;
    this.#rowBytes = 0;
    this.#profile = profile;
    this.#source = source;
    this.#name = parseApplicationName(profile.name);
    this.#tagBytes = this.#name.tags.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
    const { data, format, contentType } = profile;
    if (isForm(contentType)) return this.#writeForm(formParts(contentType, data));
    if (format === 'pprof') return this.#writePprof(data, undefined, undefined);
    const lines = textFormats.get(format);
    if (lines === undefined) return 'unsupported_format';
    return this.#writeLines(data, lines === 'counted');
  }

  #writeForm(parts: ReadonlyMap<string, Uint8Array> | undefined): ProfileDropped | undefined {
    const profile = parts?.get('profile');
    if (parts === undefined || profile === undefined) {
      return parts?.has('jfr') === true ? 'unsupported_format' : 'malformed';
    }
    return this.#writePprof(profile, parts.get('sample_type_config'), parts.get('prev_profile'));
  }

  #writePprof(
    data: Uint8Array,
    config: Uint8Array | undefined,
    before: Uint8Array | undefined,
  ): ProfileDropped | undefined {
    const profile = this.#open(data);
    if (typeof profile === 'string') return profile;
    const rules = valueRules(profile.sampleTypes, config);
    if (rules === undefined) return 'malformed';
    if (profile.samples * rules.length > this.#limits.samples) return 'too_large';
    let cumulative: CumulativeValues | undefined;
    if (before !== undefined && rules.some(({ isCumulative }) => isCumulative)) {
      const opened = this.#open(before);
      if (typeof opened === 'string') return opened;
      // A profile of other types says nothing about this one.
      if (opened.sampleTypes.some(({ type }, i) => type !== profile.sampleTypes[i]?.type)) return 'malformed';
      const read = CumulativeValues.read(opened, { rules, mostBytes: this.#limits.rowBytes });
      if (typeof read === 'string') return read;
      cumulative = read;
    }
    const outside = this.#setTime(secondsOf(profile.timeLow, profile.timeHigh));
    if (outside !== undefined) return outside;

    for (let sample = 0; sample < profile.samples; sample++) {
      if (!profile.read(sample)) {
        if (profile.isTooLarge) return 'too_large';
        this.malformed++;
        continue;
      }
      cumulative?.take(profile);
      for (const { value, eventType, unit } of rules) {
        const [low, high] = [profile.valueLow[value]!, profile.valueHigh[value]!];
        if ((low | high) === 0) continue;
        const block = this.#beginRow(profile.text, 0, profile.textLength);
        if (block === undefined) return 'too_large';
        for (const { name, value: text } of profile.tags) {
          block.pushText(at.tag_names, name);
          block.pushText(at.tag_values, text);
          this.#rowBytes += name.length + text.length;
        }
        block.setHalves(at.profile_value, low, high);
        this.#commit(block, eventType, unit === '' ? this.#profile.units : unit);
      }
    }
    this.cut = profile.cut;
    return this.taken === 0 && this.malformed > 0 ? 'malformed' : undefined;
  }

  #open(data: Uint8Array): Pprof | 'malformed' | 'too_large' {
    const bytes: Uncompressed = uncompressGzip(data, this.#limits.decodedBytes);
    return typeof bytes === 'string' ? bytes : Pprof.open(bytes);
  }

  #writeLines(data: Uint8Array, areCounted: boolean): ProfileDropped | undefined {
    const { units } = this.#profile;
    const outside = this.#setTime(0);
    if (outside !== undefined) return outside;
    for (let start = 0; start < data.length;) {
      const feed = data.indexOf(LINE_FEED, start);
      const next = feed < 0 ? data.length : feed;
      const end = next > start && data[next - 1] === 0x0d ? next - 1 : next;
      const space = areCounted ? lastSpace(data, start, end) : end;
      const value = areCounted ? wholeNumber(data, space + 1, end) : 1;
      if (space <= start || Number.isNaN(value) || space - start > MOST_STACK) {
        if (end > start) this.malformed++;
      } else if (value !== 0) {
        if (this.taken === this.#limits.samples) return 'too_large';
        const block = this.#beginRow(data, start, space);
        if (block === undefined) return 'too_large';
        block.setInteger(at.profile_value, value);
        this.#commit(block, '', units === '' ? 'samples' : units);
      }
      start = next + 1;
    }
    return this.taken === 0 && this.malformed > 0 ? 'malformed' : undefined;
  }

  /** Time of all rows: what the sender said, else `stated`, else now. */
  #setTime(stated: number): 'too_old' | 'too_new' | undefined {
    const { from, until } = this.#profile;
    const { target, org, nowMs } = this.#source;
    this.#seconds = from || until || stated || Math.floor(nowMs / 1000);
    return outsideWindow(target.block(inProcessProfile, org), this.#seconds);
  }

  /** A block whose pending row has the stack; undefined when the rows would be too large. */
  #beginRow(text: Uint8Array, start: number, end: number): RowBlock | undefined {
    this.#rowBytes += ROW_BYTES + end - start + this.#tagBytes;
    if (this.#rowBytes > this.#limits.rowBytes) return undefined;
    const { target, org } = this.#source;
    const block = target.block(inProcessProfile, org);
    block.wire = text;
    block.setTextBytes(at.profile_location_str, text, start, end);
    for (const [name, value] of this.#name.tags) {
      block.pushText(at.tag_names, name);
      block.pushText(at.tag_values, value);
    }
    return block;
  }

  #commit(block: RowBlock, eventType: string, unit: string): void {
    const { spyName, address, pod, pid } = this.#profile;
    const { agent, team } = this.#source;
    const seconds = this.#seconds;
    const { service, eventType: named, tags } = this.#name;
    const instance = tags.find(([name]) => name === 'app_instance')?.[1] ?? service;
    block.setNumber(at.time, seconds);
    block.setInteger(at.profile_create_timestamp, seconds * 1e6);
    writeProfileId(block, this.#rowIds, seconds, agent);
    block.setText(at.app_service, service);
    block.setText(at.app_instance, instance);
    block.setText(at.profile_language_type, languages.get(spyName) ?? spyName);
    block.setText(at.profile_event_type, eventType === '' ? (named ?? 'third-party') : eventType);
    block.setText(at.profile_value_unit, unit);
    block.setNumber(at.process_id, pid);
    block.setNumber(at.pid_key, pid);
    block.setNumber(at.pod_key, pod);
    block.setNumber(at.agent_id, agent);
    block.setNumber(at.team_id, team);
    writeAddress(block, address, 0, address.length);
    block.commit(seconds * 1000);
    this.taken++;
  }
}

/** Where the last space of [start, end) is, or `start` when there is none. */
function lastSpace(bytes: Uint8Array, start: number, end: number): number {
  for (let i = end - 1; i > start; i--) if (bytes[i] === SPACE) return i;
  return start;
}

/** The decimal number in [start, end), or NaN. */
function wholeNumber(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end || end - start > 15) return NaN;
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = bytes[i]! - 0x30;
    if (digit < 0 || digit > 9) return NaN;
    value = value * 10 + digit;
  }
  return value;
}
