import { subscribe } from 'node:diagnostics_channel';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import type * as KafkaLibrary from '@platformatic/kafka';
import { errorText, SluiceError } from '../../base/errors.ts';
import type { KafkaExporterConfig, KafkaSasl } from './config.ts';

/** Makes clients of Kafka as an exporter is configured. The library is loaded with the first one: it takes a third of a second and 60 MB. */

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

export interface ClientOptions {
  readonly config: KafkaExporterConfig;
  /** Told of every failure that the client is going to try again. */
  readonly onFailure: (error: unknown) => void;
}

/** Files are read anew for each client. Throws `config_invalid` for one that cannot be read. */
export async function openProducer({ config, onFailure }: ClientOptions): Promise<KafkaLibrary.Producer> {
  const { Producer: Client } = await load();
  return new Client({
    ...(await connectionOf(config)),
    retries: RETRIES,
    retryDelay: (_client, _operation, attempt, _retries, error) => {
      try {
        onFailure(error);
      } catch {
        // The client would end the process.
      }
      return delayOf(attempt);
    },
    idempotent: config.idempotent,
    // Without these the client asks for number 0, which some brokers refuse.
    ...(config.idempotent ? { producerId: -1n, producerEpoch: -1 } : {}),
    autocreateTopics: config.partitions === undefined,
    compression: config.compression,
  });
}

/** For topics that are made with a number of partitions of their own. */
export async function openAdmin(config: KafkaExporterConfig): Promise<KafkaLibrary.Admin> {
  const { Admin: Client } = await load();
  return new Client({ ...(await connectionOf(config)), retries: 2, retryDelay: FIRST_DELAY_MS });
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

async function connectionOf(config: KafkaExporterConfig) {
  return {
    clientId: config.clientId,
    bootstrapBrokers: shuffled(config.brokers.map(({ host, port }) => ({ host, port }))),
    connectTimeout: CONNECT_MS,
    requestTimeout: Math.min(MOST_REQUEST_MS, Math.max(1000, config.timeoutMs / 2)),
    timeout: ACKS_MS,
    metadataMaxAge: METADATA_MS,
    ...(config.useTls ? await tlsOf(config) : {}),
    ...(config.sasl === undefined ? {} : { sasl: await saslOf(config.sasl) }),
  };
}

async function tlsOf({ tls, brokers }: KafkaExporterConfig) {
  const ca = await readIfNamed(tls.caFile, 'certificates');
  const cert = await readIfNamed(tls.certFile, 'certificate');
  const key = await readIfNamed(tls.keyFile, 'key');
  // An IP address is no name to ask for.
  const serverName = tls.serverName ?? brokers.every(({ host }) => isIP(host) === 0);
  return {
    tls: {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      rejectUnauthorized: !tls.insecureSkipVerify,
    },
    ...(serverName === false ? {} : { tlsServerName: serverName }),
  };
}

async function saslOf({ mechanism, username, password }: KafkaSasl) {
  const text =
    password.kind === 'value'
      ? password.secret.reveal()
      : (await readText(password.path, 'password')).replace(/\r?\n$/, '');
  return { mechanism, username, password: text };
}

async function readIfNamed(path: string | undefined, what: string): Promise<string | undefined> {
  return path === undefined ? undefined : readText(path, what);
}

async function readText(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new SluiceError('config_invalid', `cannot read the ${what} in ${path}: ${errorText(error)}`, {
      cause: error,
    });
  }
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
