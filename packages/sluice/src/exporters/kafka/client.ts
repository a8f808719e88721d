import { subscribe } from 'node:diagnostics_channel';
import { isIP } from 'node:net';
import type * as KafkaLibrary from '@platformatic/kafka';
import { errorText, SluiceError } from '../../base/errors.ts';
import type { Log } from '../../telemetry/log.ts';
import { ChangingFiles } from '../changing-files.ts';
import { clientCertificates, tlsOptions, type TlsMaterial } from '../client-certificates.ts';
import { secretPaths, secretText } from '../secret-setting.ts';
import type { KafkaExporterConfig } from './config.ts';

/**
 * How often the client itself repeats a request before it gives up. While it does, an idempotent message has its number and is never stored twice; a
 * request that begins anew may be. At 2 s a try these are ten minutes.
 */
const RETRIES = 300;
const FIRST_DELAY_MS = 100;
const MOST_DELAY_MS = 2000;
const CONNECT_MS = 5000;
const MOST_REQUEST_MS = 15_000;
/** How long the broker may wait for its replicas. */
const ACKS_MS = 10_000;
const METADATA_MS = 30_000;

/**
 * Makes clients of Kafka as an exporter is configured. Files that changed are read again for each. The library is loaded with the first one: it takes a
 * third of a second and 60 MB.
 */
export class KafkaClients {
  readonly #config: KafkaExporterConfig;
  readonly #certificates: ChangingFiles<TlsMaterial> | undefined;
  readonly #password: ChangingFiles<string> | undefined;

  constructor(config: KafkaExporterConfig, log: Log) {
    this.#config = config;
    const { name: exporter, sasl } = config;
    if (config.useTls) this.#certificates = clientCertificates(exporter, config.tls, log);
    if (sasl === undefined) return;
    const { password } = sasl;
    this.#password = new ChangingFiles({
      exporter,
      paths: secretPaths(password),
      make: ([content]) => secretText(password, content),
      log,
    });
  }

  /** `onFailure` is told of every failure that the client is going to try again. Throws `config_invalid` for a file that cannot be used. */
  async producer(onFailure: (error: unknown) => void): Promise<KafkaLibrary.Producer> {
    const { idempotent, partitions, compression } = this.#config;
    const { Producer: Client } = await load();
    return new Client({
      ...(await this.#connection()),
      retries: RETRIES,
      retryDelay: (_client, _operation, attempt, _retries, error) => {
        try {
          onFailure(error);
        } catch {
          // The client would end the process.
        }
        return delayOf(attempt);
      },
      idempotent,
      // Without these the client asks for number 0, which some brokers refuse.
      ...(idempotent ? { producerId: -1n, producerEpoch: -1 } : {}),
      autocreateTopics: partitions === undefined,
      compression,
    });
  }

  /** For topics that are made with a number of partitions of their own. */
  async admin(): Promise<KafkaLibrary.Admin> {
    const { Admin: Client } = await load();
    return new Client({ ...(await this.#connection()), retries: 2, retryDelay: FIRST_DELAY_MS });
  }

  async #connection() {
    const { clientId, brokers, timeoutMs, sasl } = this.#config;
    let material: TlsMaterial | undefined;
    let password: string | undefined;
    try {
      material = await this.#certificates?.current();
      password = await this.#password?.current();
    } catch (cause) {
      throw new SluiceError('config_invalid', `cannot use credentials or certificates: ${errorText(cause)}`, { cause });
    }
    return {
      clientId,
      bootstrapBrokers: shuffled(brokers.map(({ host, port }) => ({ host, port }))),
      connectTimeout: CONNECT_MS,
      requestTimeout: Math.min(MOST_REQUEST_MS, Math.max(1000, timeoutMs / 2)),
      timeout: ACKS_MS,
      metadataMaxAge: METADATA_MS,
      ...(material === undefined ? {} : { tls: tlsOptions(material), ...this.#serverName(material) }),
      ...(sasl === undefined || password === undefined
        ? {}
        : { sasl: { mechanism: sasl.mechanism, username: sasl.username, password } }),
    };
  }

  /** An IP address is no name to ask for. */
  #serverName({ serverName }: TlsMaterial) {
    const name = serverName ?? this.#config.brokers.every(({ host }) => isIP(host) === 0);
    return name === false ? {} : { tlsServerName: name };
  }
}

let loading: Promise<typeof KafkaLibrary> | undefined;

async function load(): Promise<typeof KafkaLibrary> {
  loading ??= import('@platformatic/kafka').then((library) => {
    guardConnections();
    return library;
  });
  return loading;
}

/**
 * A connection on which a login failed may tell of a second error when nobody listens any more, which would end the process. Every connection that the
 * library makes is published on this channel.
 */
function guardConnections(): void {
  subscribe('plt:kafka:instances', (message) => {
    const { type, instance } = message as { readonly type: unknown; readonly instance: NodeJS.EventEmitter };
    if (type === 'connection') instance.on('error', () => {});
  });
}

function delayOf(attempt: number): number {
  const most = Math.min(MOST_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempt - 1));
  return most * (0.5 + Math.random() / 2);
}

function shuffled<T>(values: readonly T[]): T[] {
  return values
    .map((value) => ({ value, place: Math.random() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ value }) => value);
}
