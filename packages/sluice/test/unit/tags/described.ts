import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Resource, ResourceRef } from '../../../src/tags/description.ts';
import type { Inventory } from '../../../src/tags/inventory.ts';
import { Ids } from '../../../src/tags/ids.ts';
import { OrgInventory } from '../../../src/tags/org-inventory.ts';
import type { Source, SourceChange, SourceKind, SourceState } from '../../../src/tags/source.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';

/** A source that says what a test tells it to. */
export class ToldSource implements Source {
  readonly name: string;
  readonly kind: SourceKind;
  readonly org = 1;
  readonly resources = new Map<string, Resource>();
  isKnown = true;
  #listener: ((change: SourceChange) => void) | undefined;

  constructor(resources: readonly Resource[], kind: SourceKind = 'static', name: string = kind) {
    this.name = name;
    this.kind = kind;
    for (const one of resources) this.resources.set(`${one.kind} ${one.key}`, one);
  }

  current() {
    return this.isKnown ? { resources: this.resources.values() } : undefined;
  }

  onChange(listener: (change: SourceChange) => void) {
    this.#listener = listener;
    return () => {
      this.#listener = undefined;
    };
  }

  state(): SourceState {
    return { kind: 'up' };
  }

  put(...changed: readonly Resource[]): void {
    for (const one of changed) this.resources.set(`${one.kind} ${one.key}`, one);
    this.#listener?.({ kind: 'some', changed, gone: [] });
  }

  remove(...gone: readonly ResourceRef[]): void {
    for (const one of gone) this.resources.delete(`${one.kind} ${one.key}`);
    this.#listener?.({ kind: 'some', changed: [], gone });
  }

  tell(change: SourceChange): void {
    this.#listener?.(change);
  }
}

export interface Described {
  readonly inventory: OrgInventory;
  readonly ids: Ids;
  /** Epoch seconds. */
  readonly setTime: (seconds: number) => void;
  readonly close: () => Promise<void>;
}

/** An inventory that answers some questions otherwise. */
export function overlay(base: Inventory, otherwise: Partial<Inventory>): Inventory {
  return {
    isEmpty: base.isEmpty,
    resources: base.resources,
    agents: base.agents,
    services: base.services,
    customServices: base.customServices,
    versionAt: (seconds) => base.versionAt(seconds),
    address: (key) => base.address(key),
    network: (key) => base.network(key),
    vpc: (version, vpc) => base.vpc(version, vpc),
    mac: (version, mac) => base.mac(version, mac),
    pod: (version, pod) => base.pod(version, pod),
    podNamed: (version, agent, name) => base.podNamed(version, agent, name),
    agent: (version, agent) => base.agent(version, agent),
    process: (version, agent, pid) => base.process(version, agent, pid),
    podOfProcess: (version, agent, gprocess) => base.podOfProcess(version, agent, gprocess),
    peerVpcs: (version, vpc) => base.peerVpcs(version, vpc),
    wideAreaVpc: (key) => base.wideAreaVpc(key),
    ...otherwise,
  };
}

/** An inventory of organisation 1 from sources, everything taken in. */
export async function described(sources: readonly Source[], startS = 1_700_000_000): Promise<Described> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-tags-'));
  let nowS = startS;
  const metrics = createMetrics();
  const log = createLog({ level: 'silent' });
  const ids = new Ids({ path: join(folder, '1.ids'), org: 1, allocates: true, metrics, log });
  const inventory = new OrgInventory({
    org: 1,
    ids,
    metrics,
    log,
    onPublished: () => undefined,
    now: () => nowS * 1000,
  });
  for (const source of sources) inventory.add(source);
  await inventory.settle();
  return {
    inventory,
    ids,
    setTime: (seconds) => {
      nowS = seconds;
    },
    close: async () => {
      await inventory.stop();
      ids.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
