import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, test } from 'node:test';
import { promwriteViolations, violations } from './import-rules.ts';

const sluice = fileURLToPath(new URL('../../src/', import.meta.url));
const promwrite = fileURLToPath(new URL('../../../promwrite/src/', import.meta.url));

function sources(folder: string): { path: string; text: string }[] {
  return globSync('**/*.ts', { cwd: folder }).map((path) => ({
    path: path.replaceAll('\\', '/'),
    text: readFileSync(`${folder}${path}`, 'utf8'),
  }));
}

test('every import of the hub is one that the table of rooms allows', () => {
  const files = sources(sluice);
  assert.ok(files.length > 20, `only ${files.length} files found in ${sluice}`);
  assert.deepEqual(
    files.flatMap(({ path, text }) => violations(path, text)),
    [],
  );
});

test('promwrite imports nothing but its own files and Node', () => {
  const files = sources(promwrite);
  assert.ok(files.length > 0, `no files found in ${promwrite}`);
  assert.deepEqual(
    files.flatMap(({ path, text }) => promwriteViolations(path, text)),
    [],
  );
});

describe('the checker finds what is planted', () => {
  const planted: readonly [path: string, text: string, message: string][] = [
    ['base/units.ts', "import { x } from '../catalog/types.ts';", 'base may not import catalog/types.ts'],
    ['batch/batch.ts', "import type { Log } from '../telemetry/log.ts';", 'batch may not import telemetry/log.ts'],
    ['series/a.ts', "import { x } from '../journal/types.ts';", 'series may not import journal/types.ts'],
    ['journal/a.ts', "export { x } from '../series/a.ts';", 'journal may not import series/a.ts'],
    [
      'receivers/prometheus/a.ts',
      "import { x } from '../agent/b.ts';",
      'receivers/prometheus may not import receivers/agent/b.ts: folders of a room do not know each other',
    ],
    [
      'exporters/kafka/send.ts',
      "import {\n  x,\n  y,\n} from '../prometheus/encode.ts';",
      'exporters/kafka may not import exporters/prometheus/encode.ts: folders of a room do not know each other',
    ],
    ['receivers/agent/a.ts', "import { x } from '../../series/open.ts';", 'receivers may not import series/open.ts'],
    ['receivers/agent/a.ts', "import { x } from '../../tags/a.ts';", 'receivers may not import tags/a.ts'],
    ['storage/a.ts', "import { x } from '../config/schema.ts';", 'storage may not import config/schema.ts'],
    ['storage/a.ts', "import { x } from 'promwrite/wire';", 'storage may not import promwrite'],
    ['delivery/a.ts', "import { x } from '../catalog/types.ts';", 'delivery may not import catalog/types.ts'],
    ['query/labels/a.ts', "import { x } from '../../journal/types.ts';", 'query may not import journal/types.ts'],
    ['http/server.ts', "const x = await import('../query/labels/a.ts');", 'http may not import query/labels/a.ts'],
    ['http/server.ts', "import '../sluice.ts';", 'no room may import sluice.ts'],
    ['config/load.ts', "import { x } from '../journal/writer.ts';", 'config may not import journal/writer.ts'],
    ['journal/config.ts', "import { x } from '../telemetry/log.ts';", 'a config.ts may not import telemetry/log.ts'],
    ['journal/config.ts', "import { x } from './types.ts';", 'a config.ts may not import journal/types.ts'],
    [
      'exporters/kafka/config.ts',
      "import { x } from '../prometheus/config.ts';",
      'a config.ts may not import exporters/prometheus/config.ts',
    ],
    [
      'exporters/config-client.ts',
      "import { x } from './select.ts';",
      'a config-client.ts may not import exporters/select.ts',
    ],
    [
      'exporters/config-client.ts',
      "import { x } from '../http/config.ts';",
      'a config-client.ts may not import http/config.ts',
    ],
    [
      'exporters/config.ts',
      "import { x } from './kafka/config-topic.ts';",
      'a config.ts may not import exporters/kafka/config-topic.ts',
    ],
    ['misc/a.ts', "import { x } from '../base/units.ts';", 'there is no room misc in the table'],
    ['base/a.ts', "import x from '../../package.json';", 'imports ../../package.json, which lies outside src'],
    [
      'access/a.ts',
      "new Worker(new URL('../journal/worker.ts', import.meta.url));",
      'access may not import journal/worker.ts',
    ],
    ['storage/a.ts', "import { query } from 'chdb';", 'chdb may only be imported in storage/chdb.ts'],
    [
      'storage/chdb.ts',
      "import { x } from '@clickhouse/client';",
      '@clickhouse/client may only be imported in storage/clickhouse.ts and storage/clickhouse-nodes.ts',
    ],
    ['query/a.ts', "import fastify from 'fastify';", 'fastify may only be imported in http/'],
    [
      'exporters/kafka/send.ts',
      "import { x } from '@grpc/grpc-js/build/y';",
      '@grpc/grpc-js may only be imported in exporters/opentelemetry/',
    ],
    [
      'delivery/a.ts',
      "import { x } from '@platformatic/kafka';",
      '@platformatic/kafka may only be imported in exporters/kafka/',
    ],
    ['journal/a.ts', "import { pino } from 'pino';", 'pino may only be imported in telemetry/'],
    [
      'journal/a.ts',
      "import { type X, Counter } from 'prom-client';",
      'prom-client may only be imported in telemetry/',
    ],
    ['http/a.ts', "import { compare } from 'bcryptjs';", 'bcryptjs may only be imported in access/'],
    [
      'tags/a.ts',
      "import { parse } from 'yaml';",
      'yaml may only be imported in config/ and control/ and tags/static/ and tags/prometheus-targets/',
    ],
    ['tags/a.ts', "import { z } from 'zod';", 'zod belongs into config.ts'],
    ['tags/a.ts', "import { readFileSync } from 'fs';", 'write node:fs'],
    ['tags/a.ts', '  process.exit(1);', 'only cli.ts may end the process'],
    ['sluice.ts', 'process.exitCode = 1;', 'only cli.ts may end the process'],
    ['sluice.ts', 'const home = process.env.HOME;', 'only cli.ts and config may read process.env'],
    ['http/a.ts', "import { env } from 'node:process';", 'only cli.ts and config may import node:process'],
    ['tags/a.ts', 'const x = await import(name);', 'an import of a computed name cannot be checked'],
    ['tags/a.ts', "export * from './b.ts';", 'a file exports what is its own: no "export *"'],
  ];
  for (const [path, text, message] of planted) {
    test(`${path}: ${message}`, () => {
      assert.deepEqual(violations(path, `import { ok } from './ok-not-checked.ts';\n${text}\n`).slice(-1), [
        `${path}: ${message}`,
      ]);
    });
  }

  test('a package or a foreign file in promwrite', () => {
    assert.deepEqual(
      promwriteViolations('wire/a.ts', "import x from 'snappy';\nimport { y } from '../../../sluice/a.ts';"),
      [
        'wire/a.ts: promwrite may import nothing but its own files and Node; got snappy',
        'wire/a.ts: promwrite may import nothing but its own files and Node; got ../../../sluice/a.ts',
      ],
    );
  });
});

describe('the checker lets through', () => {
  const allowed: readonly [path: string, text: string][] = [
    ['base/version.ts', "import manifest from '../../package.json' with { type: 'json' };"],
    ['sluice.ts', "import { x } from './journal/writer.ts';\nimport { y } from './config/load.ts';"],
    ['cli.ts', 'process.exit(Number(process.env.X));'],
    [
      'config/load.ts',
      "import { x } from '../journal/config.ts';\nimport { y } from '../receivers/prometheus/config.ts';",
    ],
    ['config/load.ts', "import { parse } from 'yaml';\nconst x = process.env;"],
    ['http/config.ts', "import { z } from 'zod';\nimport { authSchema } from '../access/config.ts';"],
    ['exporters/config.ts', "import { z } from 'zod';\nimport { x } from './config-client.ts';"],
    ['exporters/kafka/config.ts', "import { x } from '../config-client.ts';"],
    ['config/load.ts', "import { x } from '../exporters/config-filters.ts';"],
    ['exporters/kafka/config.ts', "import { x } from '../config.ts';\nimport { y } from '../../catalog/types.ts';"],
    ['receivers/prometheus/a.ts', "import { x } from '../rows.ts';\nimport { y } from 'promwrite/wire';"],
    ['receivers/prometheus/a.ts', "import { x } from './b.ts';\nimport { y } from './parts/c.ts';"],
    ['query/remote-read/a.ts', "import type { Store } from '../../storage/store.ts';"],
    ['journal/a.ts', "import type { Logger } from 'pino';\nimport { type Counter } from 'prom-client';"],
    ['storage/chdb.ts', "import { connect } from 'chdb';"],
    [
      'tags/a.ts',
      "// process.exit(1) is for cli.ts\n * import { x } from '../config/load.ts'\nconst a = 1; // process.env",
    ],
  ];
  for (const [path, text] of allowed) {
    test(`${path}: ${text.split('\n', 1)[0]}`, () => assert.deepEqual(violations(path, text), []));
  }
});
