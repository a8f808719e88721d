import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** Stands in for a Prometheus server: each path gives the answer that a test has put there, 404 without one. */
export interface PrometheusStandIn {
  readonly url: string;
  readonly asked: string[];
  readonly answers: Map<string, Answer>;
  close(): Promise<void>;
  /** Listens again where it did before it was closed. */
  reopen(): Promise<void>;
}

export async function startStandIn(): Promise<PrometheusStandIn> {
  const answers = new Map<string, Answer>();
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?', 1)[0]!;
    asked.push(path);
    const answer = answers.get(path);
    if (answer !== undefined) answer(request, response);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    answers,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
    reopen: async () => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve)),
  };
}

export const TARGETS = '/api/v1/targets';
export const CONFIG = '/api/v1/status/config';
export const METADATA = '/api/v1/metadata';

export function says(data: unknown): Answer {
  return (_, response) => response.end(JSON.stringify({ status: 'success', data }));
}

export function target(instance: string, address: string): object {
  return {
    scrapePool: 'apps',
    discoveredLabels: { __address__: address, job: 'apps' },
    labels: { job: 'app', instance },
    lastScrape: new Date().toISOString(),
  };
}
