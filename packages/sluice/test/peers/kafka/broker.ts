/** A real Kafka broker and an independent client (kcat) for tests. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { AclOperations, AclPermissionTypes, Admin, ResourcePatternTypes, ResourceTypes } from '@platformatic/kafka';
import { peersDirectory, until } from '../../e2e/processes.ts';

const script = fileURLToPath(new URL('./start-kafka.sh', import.meta.url));
const cache = join(peersDirectory, 'kafka');
const kcatPath = join(peersDirectory, 'usr/bin/kcat');
const run = promisify(execFile);

/** Users of the broker, for PLAIN and SCRAM. */
export const users = {
  admin: { username: 'admin', password: 'admin-secret' },
  tester: { username: 'tester', password: 'tester-secret' },
} as const;

/** Options for `it`/`describe`: skipped with a printed reason where broker or kcat are absent, run (and so failed) there when CI=true. */
export function needsKafka(): { skip?: string } {
  const isThere =
    existsSync(kcatPath) && existsSync(cache) && readdirSync(cache).some((name) => name.startsWith('kafka-'));
  return isThere || process.env['CI'] === 'true' ? {} : { skip: `no Kafka in ${peersDirectory}: npm run peers` };
}

export interface KafkaAddresses {
  readonly plaintext: string;
  readonly saslPlaintext: string;
  readonly saslSsl: string;
  readonly ssl: string;
}

export interface BrokerSettings {
  readonly autoCreate?: boolean;
  /** Lines added to server.properties. */
  readonly extra?: string;
}

/** A broker with its own folder. Ports, data and certificates stay the same over `kill` and `restart`. */
export class KafkaBroker implements AsyncDisposable {
  readonly #folder: string;
  readonly #settings: BrokerSettings;
  addresses!: KafkaAddresses;
  #pid = 0;

  private constructor(settings: BrokerSettings) {
    this.#folder = mkdtempSync(join(tmpdir(), 'sluice-kafka-'));
    this.#settings = settings;
  }

  static async start(settings: BrokerSettings = {}): Promise<KafkaBroker> {
    const broker = new KafkaBroker(settings);
    try {
      await broker.restart();
    } catch (error) {
      await broker[Symbol.asyncDispose]();
      throw error;
    }
    return broker;
  }

  /** `ca.pem`, `other-ca.pem`, `client.crt`, `client.key`. */
  tlsFile(name: string): string {
    return join(this.#folder, 'tls', name);
  }

  async restart(): Promise<void> {
    // Not a pipe: the broker inherits it, and its end would be waited for.
    const child = spawn(script, ['start', cache, this.#folder], {
      stdio: ['ignore', 'ignore', 'ignore'],
      env: {
        ...process.env,
        KAFKA_AUTO_CREATE: String(this.#settings.autoCreate ?? true),
        KAFKA_EXTRA: this.#settings.extra ?? '',
        KAFKA_LOG_LEVEL: 'info',
        KAFKA_READY_SECONDS: '90',
      },
    });
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code !== 0) throw new Error(`start-kafka.sh ended with ${code}; see ${this.#folder}`);
    const text = await run('cat', [join(this.#folder, 'addresses')]);
    const fields = new Map(text.stdout.split('\n').map((line) => line.split('=', 2) as [string, string]));
    const field = (name: string): string => fields.get(name) ?? '';
    this.#pid = Number(field('KAFKA_PID'));
    this.addresses = {
      plaintext: field('KAFKA_PLAINTEXT'),
      saslPlaintext: field('KAFKA_SASL_PLAINTEXT'),
      saslSsl: field('KAFKA_SASL_SSL'),
      ssl: field('KAFKA_SSL'),
    };
  }

  async stop(): Promise<void> {
    await run(script, ['stop', this.#folder]);
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    await run(script, ['crash', this.#folder]);
  }

  pause(): void {
    process.kill(this.#pid, 'SIGSTOP');
  }

  resume(): void {
    process.kill(this.#pid, 'SIGCONT');
  }

  async createTopic(topic: string, partitions = 3): Promise<void> {
    await this.#administer((admin) => admin.createTopics({ topics: [topic], partitions }));
  }

  async deleteTopic(topic: string): Promise<void> {
    await this.#administer((admin) => admin.deleteTopics({ topics: [topic] }));
  }

  /** Allows operations on a topic to a user, and by that forbids them to all others. */
  async allow(user: string, topic: string, operations: readonly ('WRITE' | 'DESCRIBE')[]): Promise<void> {
    const creations = operations.map((operation) => ({
      resourceType: ResourceTypes.TOPIC,
      resourceName: topic,
      resourcePatternType: ResourcePatternTypes.LITERAL,
      principal: `User:${user}`,
      host: '*',
      operation: AclOperations[operation],
      permissionType: AclPermissionTypes.ALLOW,
    }));
    await this.#administer((admin) => admin.createAcls({ creations }));
  }

  /** Anonymous is the broker's administrator. */
  async #administer<T>(task: (admin: Admin) => Promise<T>): Promise<T> {
    const admin = new Admin({ clientId: 'test', bootstrapBrokers: [this.addresses.plaintext] });
    try {
      return await task(admin);
    } finally {
      await admin.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.#pid !== 0) this.resume();
    } catch {
      // It has ended.
    }
    await run(script, ['stop', this.#folder]).catch(() => {});
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** A message as kcat reads it. */
export interface Consumed {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly ts: number;
  readonly key: string | null;
  readonly headers?: readonly string[];
  readonly payload: string;
}

/** Everything in a topic up to its end, with the check sums of batches verified. */
export async function consume(broker: string, topic: string): Promise<Consumed[]> {
  const { stdout } = await run(
    kcatPath,
    ['-C', '-b', broker, '-t', topic, '-o', 'beginning', '-e', '-q', '-J', '-X', 'check.crcs=true'],
    { env: kcatEnvironment(), maxBuffer: 2 ** 30, timeout: 60_000 },
  );
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Consumed);
}

/** Sends messages with kcat, by the partitioner of Kafka's Java client. */
export async function produce(
  broker: string,
  topic: string,
  messages: readonly { readonly key: string; readonly body: string }[],
): Promise<void> {
  const args = ['-P', '-b', broker, '-t', topic, '-K', '\t', '-X', 'topic.partitioner=murmur2_random'];
  const child = spawn(kcatPath, args, { stdio: ['pipe', 'ignore', 'inherit'], env: kcatEnvironment() });
  child.stdin.end(messages.map(({ key, body }) => `${key}\t${body}\n`).join(''));
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`kcat ended with ${code}`);
}

/** Its libraries stand beside it, in a folder named after the machine's architecture. */
function kcatEnvironment(): NodeJS.ProcessEnv {
  const libraries = join(peersDirectory, 'usr', 'lib');
  const folders = readdirSync(libraries).filter((name) => name.endsWith('-linux-gnu'));
  const path = folders.flatMap((name) => [join(libraries, name), join(peersDirectory, 'lib', name)]).join(':');
  return { ...process.env, LD_LIBRARY_PATH: path };
}

/** Polls a topic until it has so many messages. */
export async function consumeAll(
  broker: string,
  topic: string,
  count: number,
  timeoutMs = 30_000,
): Promise<Consumed[]> {
  let last: Consumed[] = [];
  return until(
    async () => {
      last = await consume(broker, topic).catch(() => []);
      return last.length >= count ? last : undefined;
    },
    timeoutMs,
    () => `${count} messages in ${topic}; there are ${last.length}`,
  );
}
