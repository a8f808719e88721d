import Fastify, { type FastifyReply, type FastifyRequest, type HTTPMethods } from 'fastify';
import { bug } from '../base/errors.ts';
import type { Endpoint, ServerRoute } from './exchange.ts';

/** Called for every request with its endpoint (absent: no such path) and what the `*` of the path stood for. */
export type OnRouted = (
  request: FastifyRequest['raw'],
  response: FastifyReply['raw'],
  endpoint: Endpoint | undefined,
  wildcards: readonly string[],
) => void;

const NO_WILDCARDS: readonly string[] = [];
// Longer than any label name that a series may have.
const MAX_WILDCARD = 8192;

/** Sends a request to its endpoint. */
export type Routing = (request: FastifyRequest['raw'], response: FastifyReply['raw']) => void;

/** Routes by path. */
export function groupRoutes(routes: readonly ServerRoute[]): readonly Endpoint[] {
  const paths = new Map<string, Map<string, ServerRoute>>();
  for (const route of routes) {
    let methods = paths.get(route.path);
    if (methods === undefined) paths.set(route.path, (methods = new Map()));
    if (methods.has(route.method)) bug(`two handlers for ${route.method} ${route.path}`);
    methods.set(route.method, route);
  }
  return [...paths].map(([path, methods]) => ({ path, routes: methods }));
}

/** The routes in one line, for those who asked for one that does not exist. */
export function describeRoutes(endpoints: readonly Endpoint[]): string {
  return endpoints.map(({ path, routes }) => `${[...routes.keys()].join('|')} ${path}`).join(', ');
}

/**
 * Builds the router. Fastify finds the endpoint and nothing else: every request leaves its course at the first hook, before body parsers,
 * serialisers and request logs, because bodies here are bounded and read by other rules.
 */
export async function createRouting(endpoints: readonly Endpoint[], onRouted: OnRouted): Promise<Routing> {
  const byPath = new Map(endpoints.map((endpoint) => [endpoint.path, endpoint]));
  const unknown = (request: FastifyRequest, reply: FastifyReply) => {
    reply.hijack();
    // A method that the router does not know on a path that exists.
    const path = (request.raw.url ?? '').split('?', 1)[0] ?? '';
    onRouted(request.raw, reply.raw, byPath.get(path), NO_WILDCARDS);
  };
  const app = Fastify({
    logger: false,
    exposeHeadRoutes: false,
    requestIdHeader: false,
    genReqId: () => '',
    routerOptions: { maxParamLength: MAX_WILDCARD, querystringParser: () => ({}) },
    frameworkErrors: (_error, request, reply) => unknown(request, reply),
  });
  const methods = app.supportedMethods as HTTPMethods[];
  for (const endpoint of endpoints) {
    let stars = 0;
    app.route({
      method: methods,
      url: endpoint.path.replaceAll('*', () => `:${stars++}`),
      onRequest: (request, reply) => {
        reply.hijack();
        const wildcards = stars === 0 ? NO_WILDCARDS : paramsOf(request);
        // The router lets `*` stand for nothing; a path with a hole in it is no path of this endpoint.
        onRouted(request.raw, reply.raw, wildcards.includes('') ? undefined : endpoint, wildcards);
      },
      handler: () => bug('a request came past the first hook'),
    });
  }
  app.setNotFoundHandler(() => bug('a request came past the first hook'));
  app.addHook('onRequest', (request, reply, done) => {
    if (request.is404) unknown(request, reply);
    else done();
  });
  await app.ready();
  return (request, response) => app.routing(request, response);
}

/** What the path's parameters stood for, in their order. */
function paramsOf(request: FastifyRequest): readonly string[] {
  const { params } = request;
  return typeof params === 'object' && params !== null ? Object.values(params).map(String) : NO_WILDCARDS;
}
