/** A ClickHouse server of the year 2018, as Debian packages it: a server over a real network that is not the embedded engine of today. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Running, freePort, peerPath, peersDirectory, until } from '../../e2e/processes.ts';

export interface OldClickHouse {
  readonly url: string;
  /** Ends the process and waits for it. */
  stop(): Promise<void>;
}

/** Starts it on a free port of the loopback, without rights and with everything it writes below `folder`. */
export async function startOldClickHouse(folder: string): Promise<OldClickHouse> {
  const port = await freePort();
  const config = join(folder, 'config.xml');
  writeFileSync(config, configuration(folder, port));
  writeFileSync(join(folder, 'users.xml'), USERS);
  const env = { ...process.env, LD_LIBRARY_PATH: libraryPath() };
  const server = new Running('clickhouse-server', peerPath('clickhouse-server'), [`--config-file=${config}`], env);
  const url = `http://127.0.0.1:${port}`;
  try {
    await until(
      async () => {
        if (server.exited) throw new Error(`clickhouse-server ended:\n${server.output()}`);
        const answer = await fetch(`${url}/ping`).catch(() => undefined);
        return answer?.status === 200 ? true : undefined;
      },
      20_000,
      () => `clickhouse-server to answer:\n${server.output()}`,
    );
  } catch (error) {
    await server.end('SIGKILL');
    throw error;
  }
  return {
    url,
    stop: async () => {
      await server.end('SIGTERM', 10_000);
    },
  };
}

/** Its libraries stand beside it, in a folder named after the machine's architecture. */
function libraryPath(): string {
  const libraries = join(peersDirectory, 'usr', 'lib');
  const folders = readdirSync(libraries).filter((name) => name.endsWith('-linux-gnu'));
  return folders.flatMap((name) => [join(libraries, name), join(peersDirectory, 'lib', name)]).join(':');
}

function configuration(folder: string, port: number): string {
  return `<?xml version="1.0"?>
<yandex>
  <logger><level>warning</level><console>1</console></logger>
  <listen_host>127.0.0.1</listen_host>
  <http_port>${port}</http_port>
  <path>${folder}/data/</path>
  <tmp_path>${folder}/tmp/</tmp_path>
  <user_files_path>${folder}/files/</user_files_path>
  <format_schema_path>${folder}/schemas/</format_schema_path>
  <users_config>users.xml</users_config>
  <default_profile>default</default_profile>
  <default_database>default</default_database>
  <timezone>UTC</timezone>
  <mark_cache_size>67108864</mark_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <max_concurrent_queries>100</max_concurrent_queries>
  <keep_alive_timeout>1</keep_alive_timeout>
</yandex>
`;
}

const USERS = `<?xml version="1.0"?>
<yandex>
  <profiles><default><max_memory_usage>1000000000</max_memory_usage></default></profiles>
  <users>
    <default>
      <password></password>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
    </default>
  </users>
  <quotas><default></default></quotas>
</yandex>
`;
