/** A configuration that was read again, put to work in a hub that runs. */
import type { ListenerGuard } from './access/guard-listener.ts';
import { errorText } from './base/errors.ts';
import type { ExporterConfig } from './config/exporter-schema.ts';
import type { LoadedConfig } from './config/load.ts';
import { compare } from './config/reload.ts';
import type { SluiceConfig } from './config/schema.ts';
import type { Control } from './control/control.ts';
import type { GuardedListeners } from './http/guarded-listeners.ts';
import type { Tagging } from './tagging.ts';
import type { Log } from './telemetry/log.ts';
import type { Metrics } from './telemetry/metrics.ts';

export interface Exchangeable {
  readonly guarded: GuardedListeners;
  readonly controlGuard: ListenerGuard | undefined;
  readonly control: Pick<Control, 'setGroups'>;
  readonly tagging: Pick<Tagging, 'exchangeServers'>;
  /** Makes exactly these exporters run; rejects when one cannot. */
  readonly applyExporters: (exporters: readonly ExporterConfig[]) => Promise<void>;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** The configuration that runs, and its exchange for one that was loaded again. */
export class Reload {
  readonly #parts: Exchangeable;
  #running: SluiceConfig;
  /** Not all parts took the running one over: the next reload tries all of it again, whether it brings changes or not. */
  #isUnfinished = false;
  #last: Promise<void> = Promise.resolve();

  constructor(running: SluiceConfig, parts: Exchangeable) {
    this.#running = running;
    this.#parts = parts;
  }

  get running(): SluiceConfig {
    return this.#running;
  }

  /**
   * Takes over what can be exchanged, and reads password and certificate files again. With mistakes in it everything stays as it is. Never rejects: the
   * log and a metric say how it went.
   */
  take(next: LoadedConfig): Promise<void> {
    // One after the other: each compares with what the one before has left.
    this.#last = this.#last.then(() => this.#take(next));
    return this.#last;
  }

  async #take(next: LoadedConfig): Promise<void> {
    const { control, tagging, applyExporters, metrics, log } = this.#parts;
    const reload = compare(this.#running, next);
    if (reload.kind === 'refused') {
      metrics.configReloads.inc({ outcome: 'refused' });
      const { problems } = reload;
      log.error({ problems }, 'the configuration has mistakes; the hub goes on with the one that it had');
      return;
    }
    const { config, changes, warning } = reload;
    if (warning !== undefined) log.warn({ warning }, 'configuration');
    const isAgain = this.#isUnfinished;
    const isGood = {
      access: await exchangeAccess(config, changes.access || isAgain, this.#parts),
      exporters:
        (changes.exporters === undefined && !isAgain) || (await succeeds(applyExporters(config.exporters), log)),
    };
    if (changes.groups) control.setGroups(config.agents.groups);
    // Groups name servers too.
    if (changes.groups || changes.prometheusServers) tagging.exchangeServers(config);
    this.#running = config;
    this.#isUnfinished = !(isGood.access && isGood.exporters);
    const outcome = this.#isUnfinished ? 'refused' : 'reloaded';
    metrics.configReloads.inc({ outcome });
    log.info({ outcome, ...changes }, 'the configuration was read again');
  }
}

async function exchangeAccess(config: SluiceConfig, isChanged: boolean, parts: Exchangeable): Promise<boolean> {
  const { guarded, controlGuard } = parts;
  const { http, integration, control } = config.listen;
  const outcomes = isChanged
    ? [
        await guarded.exchange({ listen: { http, integration }, auth: config.auth, tls: config.tls }),
        await controlGuard?.exchange(control?.tls),
      ]
    : [await guarded.reload(), await controlGuard?.reload()];
  return !outcomes.includes(false);
}

async function succeeds(work: Promise<void>, log: Log): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    log.error({ cause: errorText(error) }, 'not every exporter could be changed');
    return false;
  }
}
