/**
 * Fetches the real programs that the end-to-end tests and benchmarks talk to: Debian packages, unpacked without root into a cache folder outside
 * the checkout (`SLUICE_PEERS`, default ~/.cache/sluice-peers). Prints where each one is. A second run finds everything there.
 *
 * apt gets lists and cache folders of its own, so neither root nor the machine's package lists are needed or changed.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const directory = process.env['SLUICE_PEERS'] ?? join(homedir(), '.cache', 'sluice-peers');

/** Package -> the programs it brings. */
const packages = new Map([
  ['prometheus', ['usr/bin/prometheus', 'usr/bin/promtool']],
  ['prometheus-node-exporter', ['usr/bin/prometheus-node-exporter']],
  ['victoria-metrics', ['usr/bin/victoria-metrics', 'usr/bin/vmagent']],
]);

const missing = [...packages].filter(([, files]) => files.some((file) => !existsSync(join(directory, file))));
if (missing.length > 0) {
  const apt = join(directory, 'apt');
  for (const folder of ['lists/partial', 'archives/partial']) mkdirSync(join(apt, folder), { recursive: true });
  const options = [
    `Dir::State::lists=${apt}/lists`,
    `Dir::Cache=${apt}`,
    `Dir::Cache::archives=${apt}/archives`,
    'Debug::NoLocking=1',
  ];
  if (process.getuid?.() === 0) options.push('APT::Sandbox::User=root');
  const aptGet = (...args: string[]) =>
    execFileSync('apt-get', [...options.flatMap((option) => ['-o', option]), '-qq', ...args], {
      cwd: join(apt, 'archives'),
      stdio: 'inherit',
      timeout: 300_000,
    });
  aptGet('update');
  aptGet('download', ...missing.map(([name]) => name));
  for (const file of readdirSync(join(apt, 'archives')).filter((name) => name.endsWith('.deb'))) {
    execFileSync('dpkg', ['-x', join(apt, 'archives', file), directory], { stdio: 'inherit' });
    // `<name>_<version>_<architecture>.deb`: not every program knows its own version.
    const [name, version] = file.split('_');
    writeFileSync(join(directory, `${name}.version`), decodeURIComponent(version ?? ''));
  }
  rmSync(apt, { recursive: true, force: true });
}

for (const [name, files] of packages) {
  for (const file of files) {
    const path = join(directory, file);
    console.log(`${name}: ${existsSync(path) ? path : `${path} is missing`}`);
  }
}
