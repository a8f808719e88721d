import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { errorText } from '../base/errors.ts';
import { MessageType } from '../base/message-type.ts';
import { FrameFileError, readFrames, type RecordedFrame } from './frames.ts';
import { replay, type ReplayOptions, type ReplayReport } from './replay.ts';

export const REPLAY_USAGE = `sluice replay FILE... --to HOST:PORT [--rate RECORDS/S] [--repeat N] [--now]
              [--agents N [--first-agent ID]] [--connections N] [--org N]
    is an agent: sends recorded frames (files, or folders of .bin files) to a hub; --now shifts their times to now, --agents sends them
    from so many agents, each on a connection of its own`;

const options = {
  to: { type: 'string' },
  rate: { type: 'string' },
  repeat: { type: 'string' },
  now: { type: 'boolean' },
  agents: { type: 'string' },
  'first-agent': { type: 'string' },
  connections: { type: 'string' },
  org: { type: 'string' },
} as const satisfies ParseArgsOptionsConfig;

const TYPES = Object.keys(MessageType);

/** Ids of agents have 16 bits on the wire. */
const MAX_AGENT = 65_535;

/** What the arguments of `sluice replay` ask for. Throws Error with what is wrong with them, FrameFileError for a file. */
export function parseReplay(args: readonly string[]): ReplayOptions {
  const { values, positionals } = parseArgs({ args: [...args], options, strict: true, allowPositionals: true });
  if (positionals.length === 0) throw new Error('expected replay FILE... --to HOST:PORT; got no file');
  if (values.to === undefined) throw new Error('expected replay FILE... --to HOST:PORT; got no --to');
  const agents = wholeNumber('agents', values.agents, MAX_AGENT);
  const firstAgent = wholeNumber('first-agent', values['first-agent'], MAX_AGENT);
  const last = (firstAgent ?? 1) + (agents ?? 1) - 1;
  if (last > MAX_AGENT) throw new Error(`expected agents up to ${MAX_AGENT}; got ${firstAgent} to ${last}`);
  return {
    frames: read(positionals),
    to: parseAddress(values.to),
    rate: wholeNumber('rate', values.rate),
    repeat: wholeNumber('repeat', values.repeat) ?? 1,
    now: values.now === true,
    agents,
    firstAgent,
    connections: wholeNumber('connections', values.connections, 65_535),
    org: wholeNumber('org', values.org, 65_535),
  };
}

/** Sends; `write` is given the report as text. True when everything was sent and read. */
export async function runReplay(what: ReplayOptions, write: (text: string) => void): Promise<boolean> {
  const report = await replay(what);
  write(reportText(report));
  return report.failure === undefined;
}

function read(paths: readonly string[]): RecordedFrame[] {
  const frames = readFrames(paths);
  if (frames.length === 0)
    throw new FrameFileError(`cannot replay ${paths.join(' ')}: expected .bin files with frames; got none`);
  return frames;
}

function reportText({ byType, seconds, failure }: ReplayReport): string {
  const total = { frames: 0, records: 0, bytes: 0 };
  const lines = [row('type', 'frames', 'records', 'bytes')];
  for (const [type, { frames, records, bytes }] of [...byType].toSorted(([left], [right]) => left - right)) {
    lines.push(row(TYPES[type] ?? String(type), String(frames), String(records), String(bytes)));
    total.frames += frames;
    total.records += records;
    total.bytes += bytes;
  }
  lines.push(row('total', String(total.frames), String(total.records), String(total.bytes)));
  const perSecond = Math.round(total.records / Math.max(seconds, 0.001));
  lines.push(`${seconds.toFixed(2)} s, ${perSecond} records/s`);
  if (failure !== undefined) lines.push(`not everything was sent: ${errorText(failure)}`);
  return `${lines.join('\n')}\n`;
}

function row(type: string, frames: string, records: string, bytes: string): string {
  return `${type.padEnd(26)}${frames.padStart(10)}${records.padStart(12)}${bytes.padStart(14)}`;
}

function wholeNumber(name: string, text: string | undefined, most = Number.MAX_SAFE_INTEGER): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= most) return value;
  throw new Error(`expected --${name} with a whole number from 1${most < 1e6 ? ` to ${most}` : ''}; got ${text}`);
}

function parseAddress(text: string): ReplayOptions['to'] {
  const match = /^(?:\[([0-9A-Fa-f:.%]+)\]|([^\s:[\]/]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || port < 1 || port > 65_535) throw new Error(`expected --to HOST:PORT; got ${text}`);
  return { host, port };
}
