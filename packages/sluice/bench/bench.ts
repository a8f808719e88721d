/** `npm run bench [-- ingest|remote-read|codec|agent-decode|agent-ingest|tags|export-encode|export|start [OPTIONS]]`: runs one benchmark, or all of them one after the other. Each prints ratios against its peers. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const files = new Map([
  ['codec', '../../promwrite/bench/codec.ts'],
  ['decode', './decode.ts'],
  ['agent-decode', './agent-decode.ts'],
  ['agent-ingest', './agent-ingest.ts'],
  ['tags', './tags.ts'],
  ['export-encode', './export-encode.ts'],
  ['export', './export.ts'],
  ['start', './start.ts'],
  ['remote-read', './remote-read.ts'],
  ['remote-read-peers', './remote-read-peers.ts'],
  ['ingest', './ingest.ts'],
]);

const [name, ...rest] = process.argv.slice(2);
const chosen = name === undefined ? [...files.keys()] : [name];
for (const one of chosen) {
  const file = files.get(one);
  if (file === undefined)
    throw new Error(`there is no benchmark ${one}; expected one of ${[...files.keys()].join(', ')}`);
  console.log(`\n== ${one}`);
  const { status } = spawnSync(
    process.execPath,
    [...process.execArgv, fileURLToPath(new URL(file, import.meta.url)), ...rest],
    { stdio: 'inherit' },
  );
  if (status !== 0) process.exitCode = 1;
}
