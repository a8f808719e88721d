import type { Admin } from '@platformatic/kafka';
import type { Log } from '../../telemetry/log.ts';
import type { KafkaClients } from './client.ts';
import type { KafkaExporterConfig } from './config.ts';
import { verdictOn } from './verdict.ts';

/** Makes topics with as many partitions as configured, before the first message goes there. What is there already stays as it is. */
export class TopicMaker {
  readonly #config: KafkaExporterConfig;
  readonly #clients: KafkaClients;
  readonly #log: Log;
  readonly #known = new Set<string>();
  #making: Promise<void> = Promise.resolve();

  constructor(config: KafkaExporterConfig, clients: KafkaClients, log: Log) {
    this.#config = config;
    this.#clients = clients;
    this.#log = log;
  }

  /** Resolves when the topics are there or cannot be made; what is wrong then, sending to them tells. */
  async ensure(topics: Iterable<string>): Promise<void> {
    const { partitions } = this.#config;
    if (partitions === undefined) return;
    const missing = [...topics].filter((topic) => !this.#known.has(topic));
    if (missing.length === 0) return;
    const making = this.#making.then(() => this.#make(missing, partitions));
    this.#making = making;
    await making;
  }

  /** A topic that was there is gone: all are looked at again. */
  forget(): void {
    this.#known.clear();
  }

  async #make(topics: readonly string[], partitions: number): Promise<void> {
    let admin: Admin | undefined;
    try {
      admin = await this.#clients.admin();
      for (const topic of topics) {
        if (this.#known.has(topic)) continue;
        if (await this.#makeOne(admin, topic, partitions)) this.#known.add(topic);
      }
    } catch (error) {
      this.#complain(error, topics);
    } finally {
      // Whatever it was, it is over.
      await admin?.close().catch(() => {});
    }
  }

  async #makeOne(admin: Admin, topic: string, partitions: number): Promise<boolean> {
    try {
      await admin.createTopics({ topics: [topic], partitions });
      this.#log.info({ exporter: this.#config.name, topic, partitions }, 'topic made');
      return true;
    } catch (error) {
      if (this.#whyOf(error).includes('TOPIC_ALREADY_EXISTS')) return true;
      this.#complain(error, [topic]);
      return false;
    }
  }

  #complain(error: unknown, topics: readonly string[]): void {
    this.#log.warn({ exporter: this.#config.name, topics, why: this.#whyOf(error) }, 'cannot make topics');
  }

  #whyOf(error: unknown): string {
    return verdictOn(error, this.#config.endpoints.join(',')).why;
  }
}
