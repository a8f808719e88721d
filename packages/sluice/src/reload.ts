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

/** Configurations that were not wholly taken over: the next reload tries all of it again, whether it brings changes or not. */
const unfinished = new WeakSet<SluiceConfig>();

/**
 * Takes over what can be exchanged, reads password and certificate files again, and returns the configuration that runs from now on. With mistakes in the
 * new one everything stays as it is. Never rejects: the log and a metric say how it went.
 */
export async function exchange(running: SluiceConfig, next: LoadedConfig, parts: Exchangeable): Promise<SluiceConfig> {
  const { metrics, log } = parts;
  const reload = compare(running, next);
  if (reload.kind === 'refused') {
    metrics.configReloads.inc({ outcome: 'refused' });
    const { problems } = reload;
    log.error({ problems }, 'the configuration has mistakes; the hub goes on with the one that it had');
    return running;
  }
  const { config, changes, warning } = reload;
  if (warning !== undefined) log.warn({ warning }, 'configuration');
  const isAgain = unfinished.has(running);
  const isGood = {
    access: await exchangeAccess(config, changes.access || isAgain, parts),
    exporters:
      (changes.exporters === undefined && !isAgain) || (await succeeds(parts.applyExporters(config.exporters), log)),
  };
  if (changes.groups) parts.control.setGroups(config.agents.groups);
  // Groups name servers too.
  if (changes.groups || changes.prometheusServers) parts.tagging.exchangeServers(config);
  const isWhole = isGood.access && isGood.exporters;
  if (isWhole) unfinished.delete(config);
  else unfinished.add(config);
  const outcome = isWhole ? 'reloaded' : 'refused';
  metrics.configReloads.inc({ outcome });
  log.info({ outcome, ...changes }, 'the configuration was read again');
  return config;
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
