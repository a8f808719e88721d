/**
 * The command `sluice` (design: exit codes 0 stopped cleanly, 1 configuration, 2 cannot start, 3 bug). The only file that ends the process, reads
 * its arguments or writes to its standard output.
 */
import { hostname } from 'node:os';
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { errorText, isSluiceError, type ErrorCode } from './base/errors.ts';
import { VERSION } from './base/version.ts';
import { loadConfig, type LoadedConfig } from './config/load.ts';
import { renderReference } from './config/reference.ts';
import { agentTable, type AgentListing } from './control/agent-list.ts';
import { parseRejectedCommand, REJECTED_OPTIONS, REJECTED_USAGE } from './delivery/rejected-command.ts';
import { askHub, type HubAccess } from './http/ask-hub.ts';
import { reachableUrl } from './http/reachable-url.ts';
import { verifyJournal } from './journal/verify.ts';
import { parseReplay, REPLAY_USAGE, runReplay } from './replay/command.ts';
import { FrameFileError } from './replay/frames.ts';
import type { ReplayOptions } from './replay/replay.ts';
import { startHub, type Hub } from './sluice.ts';
import { parseTagsCommand, TAGS_OPTIONS, TAGS_USAGE } from './tags/tags-command.ts';
import { createLog } from './telemetry/log.ts';

const usage = `sluice [serve] [--config FILE] [--data-dir DIR] [--set KEY.PATH=VALUE]...
    runs the hub; FILE may be a DeepFlow server.yaml
sluice check --config FILE [--set KEY.PATH=VALUE]...
    names every mistake as FILE:LINE:COLUMN: message; exit code 1 if there is one
sluice config
    prints the commented configuration reference with all defaults
sluice journal verify [--config FILE] [--data-dir DIR]
    checks the journal of a stopped hub; changes nothing
sluice agents [--url URL] [--org N] [--json] [--token-file FILE | --user NAME --password-file FILE]
    lists the agents of a running hub
${REJECTED_USAGE}
${TAGS_USAGE}
${REPLAY_USAGE}
sluice --version | --help
`;

const CONFIGURATION = 1;
const CANNOT_START = 2;
const BUG = 3;

const configOptions = {
  config: { type: 'string' },
  'data-dir': { type: 'string' },
  set: { type: 'string', multiple: true },
} as const satisfies ParseArgsOptionsConfig;

const hubOptions = {
  url: { type: 'string' },
  org: { type: 'string' },
  'token-file': { type: 'string' },
  user: { type: 'string' },
  'password-file': { type: 'string' },
  json: { type: 'boolean' },
} as const satisfies ParseArgsOptionsConfig;

/** The command line itself is wrong. */
class UsageError extends Error {}

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  if (error instanceof UsageError) {
    process.stderr.write(`sluice: ${error.message}\n\n${usage}`);
    return CONFIGURATION;
  }
  process.stderr.write(
    `sluice: ${isSluiceError(error) ? error.message : error instanceof Error ? error.stack : errorText(error)}\n`,
  );
  return isSluiceError(error) ? exitCodeOf(error.code) : BUG;
});
// Pools of the database and sockets of peers that never answer must not hold up an end that has been decided.
process.exit();

async function main(args: readonly string[]): Promise<number> {
  const [command = 'serve', ...rest] = args[0]?.startsWith('-') === true ? ['serve', ...args] : args;
  if (args.includes('--help') || args.includes('-h') || command === 'help') {
    process.stdout.write(usage);
    return 0;
  }
  if (args[0] === '--version') {
    process.stdout.write(`${VERSION}\n`);
    return 0;
  }
  switch (command) {
    case 'serve':
      return serve(rest);
    case 'check':
      return check(rest);
    case 'config':
      if (rest.length > 0) throw new UsageError(`expected config without arguments; got ${rest.join(' ')}`);
      process.stdout.write(renderReference());
      return 0;
    case 'journal':
      if (rest[0] !== 'verify') throw new UsageError(`expected journal verify; got ${['journal', ...rest].join(' ')}`);
      return verify(rest.slice(1));
    case 'agents':
      return listAgents(rest);
    case 'rejected':
      return rejectedItems(rest);
    case 'tags':
      return showTags(rest);
    case 'replay':
      return sendRecorded(rest);
    default:
      throw new UsageError(`there is no command ${JSON.stringify(command)}`);
  }
}

function exitCodeOf(code: ErrorCode): number {
  return code === 'config_invalid' ? CONFIGURATION : CANNOT_START;
}

function load(args: readonly string[]): LoadedConfig {
  let values: { config?: string; 'data-dir'?: string; set?: string[] };
  try {
    ({ values } = parseArgs({ args: [...args], options: configOptions, strict: true, allowPositionals: false }));
  } catch (error) {
    throw new UsageError(errorText(error));
  }
  return loadConfig({
    ...(values.config === undefined ? {} : { path: values.config }),
    ...(values['data-dir'] === undefined ? {} : { dataDir: values['data-dir'] }),
    sets: values.set ?? [],
    env: process.env,
  });
}

function check(args: readonly string[]): number {
  if (args.length === 0) throw new UsageError('expected check --config FILE; got no file');
  const loaded = load(args);
  for (const problem of loaded.problems) process.stdout.write(`${problem}\n`);
  for (const warning of loaded.warnings) process.stdout.write(`warning: ${warning}\n`);
  for (const note of loaded.notes) process.stdout.write(`note: ${note}\n`);
  if (loaded.problems.length === 0) process.stdout.write('no mistakes found\n');
  return loaded.problems.length === 0 ? 0 : CONFIGURATION;
}

async function verify(args: readonly string[]): Promise<number> {
  const loaded = load(args);
  if (loaded.config === undefined) return refuse(loaded);
  const report = await verifyJournal(loaded.config.dataDir);
  process.stdout.write(`${report.segments} segments, ${report.blocks} blocks, ${report.rows} rows\n`);
  for (const problem of report.problems)
    process.stdout.write(
      `${problem.file}${problem.offset === undefined ? '' : `:${problem.offset}`}: ${problem.message}\n`,
    );
  return report.problems.length === 0 ? 0 : CANNOT_START;
}

/** How to reach the running hub, and whether its answer is printed as it is. */
function hubAccess(
  args: readonly string[],
  more: ParseArgsOptionsConfig = {},
): { readonly access: HubAccess; readonly json: boolean } {
  let values;
  try {
    // What else the command has was parsed before, or is refused here.
    const allowPositionals = Object.keys(more).length > 0;
    ({ values } = parseArgs({ args: [...args], options: { ...more, ...hubOptions }, strict: true, allowPositionals }));
  } catch (error) {
    throw new UsageError(errorText(error));
  }
  const { url = 'http://127.0.0.1:20416', org, user, json = false } = values;
  if (!URL.canParse(url)) throw new UsageError(`expected --url such as http://127.0.0.1:20416; got ${url}`);
  const access = { url, org, user, tokenFile: values['token-file'], passwordFile: values['password-file'] };
  return { access, json };
}

async function listAgents(args: readonly string[]): Promise<number> {
  const { access, json } = hubAccess(args);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the hub's own route sends
  const agents = (await askHub(access, '/api/v1/agents')) as AgentListing[];
  if (json) process.stdout.write(`${JSON.stringify(agents, undefined, 2)}\n`);
  else if (agents.length === 0) process.stdout.write('no agent has registered or sent data here\n');
  else process.stdout.write(`${agentTable(agents, Date.now())}\n`);
  return 0;
}

async function rejectedItems(args: readonly string[]): Promise<number> {
  const { access, json } = hubAccess(args, REJECTED_OPTIONS);
  let request;
  try {
    request = parseRejectedCommand(args, hubOptions);
  } catch (error) {
    throw new UsageError(errorText(error));
  }
  const data = await askHub(access, request.path, request.method);
  process.stdout.write(`${json ? JSON.stringify(data, undefined, 2) : request.print(data, Date.now())}\n`);
  return 0;
}

async function showTags(args: readonly string[]): Promise<number> {
  const { access, json } = hubAccess(args, TAGS_OPTIONS);
  let request;
  try {
    request = parseTagsCommand(args, hubOptions);
  } catch (error) {
    throw new UsageError(errorText(error));
  }
  const data = await askHub(access, request.path, request.method);
  process.stdout.write(`${json ? JSON.stringify(data, undefined, 2) : request.print(data, Date.now())}\n`);
  return 0;
}

async function sendRecorded(args: readonly string[]): Promise<number> {
  let what: ReplayOptions;
  try {
    what = parseReplay(args);
  } catch (error) {
    if (error instanceof FrameFileError) {
      process.stderr.write(`sluice: ${error.message}\n`);
      return CONFIGURATION;
    }
    throw new UsageError(errorText(error));
  }
  return (await runReplay(what, (text) => process.stdout.write(text))) ? 0 : CANNOT_START;
}

function refuse(loaded: LoadedConfig): number {
  for (const problem of loaded.problems) process.stderr.write(`${problem}\n`);
  return CONFIGURATION;
}

async function serve(args: readonly string[]): Promise<number> {
  const loaded = load(args);
  if (loaded.config === undefined) return refuse(loaded);
  const log = createLog({ level: loaded.config.logLevel });
  for (const warning of loaded.warnings) log.warn({ warning }, 'configuration');
  for (const note of loaded.notes) log.info({ note }, 'configuration');

  // State after an unexpected error cannot be trusted; the journal makes an immediate end safe. Unhandled rejections come here too.
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'BUG: unexpected error; please report it');
    process.exit(BUG);
  });

  // From the first moment on: a signal during the start must neither be lost nor kill.
  const stop = Promise.withResolvers<NodeJS.Signals>();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop.resolve);
  let hub: Hub | undefined;
  process.on('SIGHUP', () => void hub?.reload(load(args)));

  hub = await startHub(loaded.config, log);
  if (hub.url !== undefined) process.stderr.write(firstSteps(hub.url));

  log.info({ signal: await stop.promise }, 'stopping');
  await hub.stop();
  return 0;
}

/** What somebody who just started the hub does next; on standard error, as standard output carries the log. */
function firstSteps(listening: string): string {
  const url = reachableUrl(listening);
  const elsewhere = url === listening ? '' : `On other machines write ${hostname()} in place of 127.0.0.1.\n`;
  return `
Sluice is running at ${url}. These three lines in its configuration point a Prometheus here:

remote_write:
  - url: ${url}/api/v1/write
remote_read: [{ url: ${url}/api/v1/read, read_recent: true }]

${elsewhere}`;
}
