import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { z } from 'zod';
import { agentsSchema } from '../../../src/control/config.ts';
import { openControl, type Control, type ListenControlOptions } from '../../../src/control/control.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { AgentClient } from './agent-client.ts';

export interface ServeOptions {
  readonly dataDir?: string;
  readonly agents?: z.input<typeof agentsSchema>;
  readonly organisations?: readonly number[];
  readonly listen?: Partial<ListenControlOptions>;
  readonly now?: () => number;
}

/** A folder that is removed after the test. */
export function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'sluice-control-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A control plane on a free port, stopped after the test. */
export async function serve(t: TestContext, options: ServeOptions = {}) {
  const metrics = createMetrics();
  const logged: string[] = [];
  const control: Control = await openControl({
    dataDir: options.dataDir ?? folder(t),
    agents: agentsSchema.parse(options.agents ?? {}),
    organisations: options.organisations ?? [1],
    metrics,
    log: createLog({ destination: { write: (line) => void logged.push(line) } }),
    ...(options.now === undefined ? {} : { now: options.now }),
  });
  t.after(() => control.stop());
  const [address] = await control.listen({
    addresses: [{ host: '127.0.0.1', port: 0 }],
    tls: undefined,
    allows: undefined,
    dataPort: 30033,
    ...options.listen,
  });
  const port = address?.port ?? 0;
  const clients: AgentClient[] = [];
  t.after(() => {
    for (const one of clients) one.close();
  });
  return {
    control,
    port,
    logged,
    metrics,
    /** A client with a connection of its own. */
    agent: (host = '127.0.0.1'): AgentClient => {
      const one = new AgentClient(`${host}:${port}`);
      clients.push(one);
      return one;
    },
    /** Value of one of the hub's metrics. */
    value: async (name: string, labels: Record<string, string> = {}): Promise<number> => {
      const metric = await metrics.registry.getSingleMetric(name)?.get();
      const found = metric?.values.find((one) =>
        Object.entries(labels).every(([key, text]) => one.labels[key] === text),
      );
      return found?.value ?? 0;
    },
  };
}

/** Waits until something is so. */
export async function eventually(
  isSo: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 5000,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`expected ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
