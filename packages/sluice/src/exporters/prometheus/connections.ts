import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Log } from '../../telemetry/log.ts';
import type { ClientTls } from '../config.ts';
import { ChangingFiles } from './changing-files.ts';

/** What an agent needs to know of TLS. */
interface TlsMaterial {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly servername?: string;
  readonly rejectUnauthorized: boolean;
}

/** One connection per lane and endpoint, kept open between requests. Certificate files are read again when they change; then connections are made anew. */
export class Connections {
  readonly #material: ChangingFiles<TlsMaterial>;
  readonly #agents = new Map<string, HttpAgent>();
  #used: TlsMaterial | undefined;

  constructor(tls: ClientTls, log: Log) {
    const { caFile, certFile, keyFile, serverName, insecureSkipVerify } = tls;
    const named = { ca: caFile, cert: certFile, key: keyFile };
    const given = Object.entries(named).filter((entry): entry is [string, string] => entry[1] !== undefined);
    this.#material = new ChangingFiles({
      paths: given.map(([, path]) => path),
      make: (contents) => ({
        ...Object.fromEntries(given.map(([name], index) => [name, contents[index]!])),
        ...(serverName === undefined ? {} : { servername: serverName }),
        rejectUnauthorized: !insecureSkipVerify,
      }),
      log,
    });
  }

  /** The agent that holds a lane's connection. Rejects when certificate files cannot be read. */
  async agent(url: URL, lane: number): Promise<HttpAgent> {
    const key = `${lane} ${url.origin}`;
    const isTls = url.protocol === 'https:';
    if (isTls) {
      const material = await this.#material.current();
      if (material !== this.#used) this.close();
      this.#used = material;
    }
    let agent = this.#agents.get(key);
    if (agent === undefined) {
      const keep = { keepAlive: true, maxSockets: 1 };
      agent = isTls ? new HttpsAgent({ ...keep, ...this.#used! }) : new HttpAgent(keep);
      this.#agents.set(key, agent);
    }
    return agent;
  }

  close(): void {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }
}
