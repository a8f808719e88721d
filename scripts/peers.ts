/**
 * Fetches the real programs that the end-to-end tests and benchmarks talk to: Debian packages, unpacked without root into a cache folder outside
 * the checkout (`SLUICE_PEERS`, default ~/.cache/sluice-peers), and Apache Kafka from its Maven artifacts, for which the machine needs Java 17 and
 * Maven. Prints where each one is. A second run finds everything there.
 *
 * apt gets lists and cache folders of its own, so neither root nor the machine's package lists are needed or changed.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const kafkaScript = fileURLToPath(new URL('../packages/sluice/test/peers/kafka/start-kafka.sh', import.meta.url));
const directory = process.env['SLUICE_PEERS'] ?? join(homedir(), '.cache', 'sluice-peers');

interface Peer {
  readonly programs: readonly string[];
  /** It is linked against libraries that a machine may lack: they are unpacked beside it. */
  readonly libraries?: true;
}

/** By the Debian package that brings them. */
const peers: ReadonlyMap<string, Peer> = new Map([
  ['prometheus', { programs: ['usr/bin/prometheus', 'usr/bin/promtool'] }],
  ['prometheus-node-exporter', { programs: ['usr/bin/prometheus-node-exporter'] }],
  ['victoria-metrics', { programs: ['usr/bin/victoria-metrics', 'usr/bin/vmagent'] }],
  ['clickhouse-server', { programs: ['usr/sbin/clickhouse-server'], libraries: true }],
  ['kcat', { programs: ['usr/bin/kcat'], libraries: true }],
]);
/** Node itself could not run without them. */
const everywhere = new Set(['libc6', 'libgcc-s1', 'libstdc++6']);

const missing = [...peers].filter(([, { programs }]) => programs.some((file) => !existsSync(join(directory, file))));
if (missing.length > 0) {
  const apt = join(directory, 'apt');
  for (const folder of ['lists/partial', 'archives/partial']) mkdirSync(join(apt, folder), { recursive: true });
  const settings = [
    `Dir::State::lists=${apt}/lists`,
    `Dir::Cache=${apt}`,
    `Dir::Cache::archives=${apt}/archives`,
    'Debug::NoLocking=1',
  ];
  if (process.getuid?.() === 0) settings.push('APT::Sandbox::User=root');
  const options = settings.flatMap((setting) => ['-o', setting]);
  const run = { cwd: join(apt, 'archives'), timeout: 300_000 } as const;
  const aptGet = (...args: string[]) =>
    execFileSync('apt-get', [...options, '-qq', ...args], { ...run, stdio: 'inherit' });
  aptGet('update');
  for (const [name, { libraries }] of missing) {
    try {
      aptGet('download', ...(libraries === true ? withLibraries(name, options) : [name]));
      unpack(run.cwd);
    } catch (error) {
      // Another distribution may lack one of them; the rest is still worth having.
      console.error(`cannot fetch ${name}: ${error instanceof Error ? error.message : String(error)}`);
      process.exitCode = 1;
    }
  }
  rmSync(apt, { recursive: true, force: true });
}

for (const [name, { programs }] of peers) {
  for (const file of programs) {
    const path = join(directory, file);
    console.log(`${name}: ${existsSync(path) ? path : `${path} is missing`}`);
  }
}

try {
  const jars = execFileSync(kafkaScript, ['fetch', join(directory, 'kafka')], { encoding: 'utf8', timeout: 300_000 });
  console.log(`kafka: ${jars.trim()}`);
} catch (error) {
  console.error(`cannot fetch kafka: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

function unpack(archives: string): void {
  for (const file of readdirSync(archives).filter((entry) => entry.endsWith('.deb'))) {
    execFileSync('dpkg', ['-x', join(archives, file), directory], { stdio: 'inherit' });
    rmSync(join(archives, file));
    // `<name>_<version>_<architecture>.deb`: not every program knows its own version.
    const [name = '', version = ''] = file.split('_');
    if (peers.has(name)) writeFileSync(join(directory, `${name}.version`), decodeURIComponent(version));
  }
}

/** The package, its siblings (`clickhouse-common`) and, through all of them, the libraries they depend on. */
function withLibraries(name: string, options: readonly string[]): string[] {
  const prefix = name.includes('-') ? name.slice(0, name.indexOf('-') + 1) : `${name}-`;
  const wanted = new Set([name]);
  for (const next of wanted) {
    const text = execFileSync('apt-cache', [...options, 'depends', '--important', next], { encoding: 'utf8' });
    for (const [, dependency = ''] of text.matchAll(/^\s*\|?(?:Pre)?Depends: (\S+)$/gm)) {
      const isWanted = dependency.startsWith('lib') || dependency.startsWith(prefix);
      if (isWanted && !everywhere.has(dependency)) wanted.add(dependency);
    }
  }
  return [...wanted];
}
