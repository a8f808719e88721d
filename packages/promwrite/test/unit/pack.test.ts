/** The package as its users get it: packed, installed into an empty folder, imported without the source condition. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { VERSION } from '../../src/version.ts';

const run = promisify(execFile);
const packageFolder = fileURLToPath(new URL('../../', import.meta.url));
const root = join(packageFolder, '../..');
const bin = (name: string): string => join(root, 'node_modules/.bin', name);
let folder = '';
let tarball = '';

/** Runs a command; a failure shows what it printed. */
async function command(file: string, args: readonly string[], cwd: string): Promise<string> {
  try {
    const environment = { ...process.env, NODE_OPTIONS: '', npm_config_cache: join(folder, '.npm') };
    const { stdout } = await run(file, args, { cwd, env: environment, maxBuffer: 1 << 26 });
    return stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${file} ${args.join(' ')} failed:\n${stdout}\n${stderr}`, { cause: error });
  }
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'promwrite-pack-'));
  // A copy of its own, so that the working folder is not written to while other tests run.
  const copy = join(folder, 'work/packages/promwrite');
  await mkdir(copy, { recursive: true });
  for (const entry of ['src', 'package.json', 'tsconfig.build.json', 'README.md', 'CHANGELOG.md', 'LICENSE']) {
    await cp(join(packageFolder, entry), join(copy, entry), { recursive: true });
  }
  await cp(join(root, 'tsconfig.json'), join(folder, 'work/tsconfig.json'));
  await symlink(join(root, 'node_modules'), join(folder, 'work/node_modules'));
  await command(process.execPath, [bin('tsc'), '-p', 'tsconfig.build.json'], copy);
  await command('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], copy);
  tarball = join(folder, `promwrite-${VERSION}.tgz`);
});

after(async () => {
  await rm(folder, { recursive: true, force: true });
});

test('the version in User-Agent is that of the package', async () => {
  const manifest = JSON.parse(await readFile(join(packageFolder, 'package.json'), 'utf8')) as {
    version: string;
    dependencies?: unknown;
  };
  assert.equal(manifest.version, VERSION);
  assert.equal(manifest.dependencies, undefined);
});

test('no source file imports a Node module or uses Buffer', async () => {
  for (const file of await readdir(join(packageFolder, 'src'), { recursive: true })) {
    if (!file.endsWith('.ts')) continue;
    const text = await readFile(join(packageFolder, 'src', file), 'utf8');
    assert.doesNotMatch(text, /from '(?!\.)/, file);
    assert.doesNotMatch(text, /\b(?:Buffer\.|process\.|require\()/, file);
  }
});

test('the tarball installs into an empty folder, can be imported there, and compiles there', async () => {
  const consumer = join(folder, 'consumer');
  await mkdir(consumer);
  await writeFile(join(consumer, 'package.json'), '{"type":"module","private":true}');
  await command('npm', ['install', '--offline', '--no-audit', '--no-fund', tarball], consumer);
  assert.deepEqual(
    await readdir(join(consumer, 'node_modules')).then((names) => names.filter((name) => !name.startsWith('.'))),
    ['promwrite'],
  );
  await writeFile(
    join(consumer, 'main.js'),
    `import { createClient, staleMarker } from 'promwrite';
     import { decodeWriteRequest, encodeWriteRequest } from 'promwrite/wire';
     const bytes = encodeWriteRequest({ timeseries: [{ labels: { __name__: 'up' }, samples: [staleMarker(1)] }] });
     console.log(typeof createClient, decodeWriteRequest(bytes).timeseries[0].samples[0].stale);`,
  );
  assert.equal(await command(process.execPath, ['main.js'], consumer), 'function true\n');

  await writeFile(
    join(consumer, 'main.ts'),
    `import { createClient, createQueue, type WriteResult } from 'promwrite';
     import { uncompressBlock } from 'promwrite/wire';
     const client = createClient({ url: 'http://h', fetch });
     export const result: Promise<WriteResult> = client.push('a', 1);
     export const queue = createQueue(client);
     export const bytes: Uint8Array = uncompressBlock(new Uint8Array(1));`,
  );
  // A browser project: no types of Node, an older library, and declarations checked in full.
  const options = ['--noEmit', '--strict', '--skipLibCheck', 'false', '--module', 'nodenext', '--target', 'es2022'];
  const tsc = [bin('tsc'), ...options, '--lib', 'es2022,dom', '--types', '', 'main.ts'];
  await command(process.execPath, tsc, consumer);
});

test('publint and attw find nothing', async () => {
  assert.match(await command(process.execPath, [bin('publint'), tarball, '--strict'], folder), /All good/);
  await command(process.execPath, [bin('attw'), tarball, '--profile', 'esm-only'], folder);
});
