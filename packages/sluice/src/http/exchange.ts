import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Admission, Admit, HttpReply, HttpRoute } from '../base/ports.ts';
import { SluiceError, isSluiceError } from '../base/errors.ts';
import type { BodyPool } from './body-pool.ts';
import type { HttpLimits } from './config.ts';
import type { Connection } from './connections.ts';
import { memoryRefused, type MemoryBudget, type Share } from './memory-budget.ts';
import { OpenRequest } from './open-request.ts';
import { readBody, type BodyMemory, type BodyOutcome } from './read-body.ts';
import type { RefusedReason } from './refused.ts';
import { sendReply } from './send-reply.ts';
import { internalErrorReply, replyOfError, textReply } from './status.ts';

/** A route as the server keeps it. */
export interface ServerRoute extends HttpRoute {
  /** The hub's own answers do not depend on the organisation. */
  readonly anyOrganisation?: boolean;
}

/** All routes of one path. */
export interface Endpoint {
  /** The pattern: what metrics and logs call it. */
  readonly path: string;
  readonly routes: ReadonlyMap<string, ServerRoute>;
}

/** What all requests of a server share. */
export interface ExchangeContext {
  readonly limits: HttpLimits;
  readonly budget: MemoryBudget;
  readonly pool: BodyPool;
  readonly organisations: ReadonlySet<number>;
  /** The routes there are, in one line. */
  readonly hint: string;
  readonly refuse: (reason: RefusedReason) => void;
  readonly count: (route: string, status: number) => void;
  readonly logFailure: (error: unknown, route: string) => void;
  readonly running: Set<OpenRequest>;
  readonly stopping: () => boolean;
}

/** One request. `endpoint` is absent when no route has this path. */
export interface Incoming {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly connection: Connection;
  readonly admit: Admit | undefined;
  readonly certificate: string | undefined;
  readonly endpoint: Endpoint | undefined;
  readonly wildcards: readonly string[];
}

const DEFAULT_BODY_LIMIT = 1 << 20;

/**
 * Handles one request from its headers to the end of its reply. The order of the rules: route and method, credentials, the route's own check,
 * organisation, length, body, memory, handler. Memory for the body is granted as it arrives, for the handler's work once all of it is there.
 */
export async function runExchange(context: ExchangeContext, incoming: Incoming): Promise<void> {
  const exchange = new Exchange(context, incoming);
  try {
    await exchange.run();
  } finally {
    exchange.end();
  }
}

class Exchange {
  readonly #context: ExchangeContext;
  readonly #incoming: Incoming;
  readonly #open: OpenRequest;
  readonly #route: ServerRoute | undefined;
  readonly #hasBody: boolean;
  /** Declared length; undefined for a chunked body. */
  readonly #length: number | undefined;
  #bodyState: 'no' | 'coming' | 'held';
  #gone = false;
  #ended = false;
  readonly #granted: Record<Share, number> = { body: 0, read: 0, write: 0 };

  constructor(context: ExchangeContext, incoming: Incoming) {
    this.#context = context;
    this.#incoming = incoming;
    this.#open = new OpenRequest(incoming.request, incoming.wildcards);
    const { headers, method = '' } = incoming.request;
    this.#route = incoming.endpoint?.routes.get(method === 'HEAD' ? 'GET' : method);
    const chunked = headers['transfer-encoding'] !== undefined;
    this.#length = chunked ? undefined : Number(headers['content-length'] ?? 0);
    this.#hasBody = this.#length !== 0;
    const holds = headers.expect !== undefined && incoming.request.httpVersionMinor > 0;
    this.#bodyState = !this.#hasBody ? 'no' : holds ? 'held' : 'coming';
    incoming.connection.awaitsBody = this.#hasBody;
    context.running.add(this.#open);
    const { response } = incoming;
    response.once('close', () => {
      if (response.writableFinished) return;
      this.#gone = true;
      this.#open.abort(new SluiceError('cancelled', 'the client went away'));
    });
    // A write after the client has gone says so here, too; 'close' has told it already.
    response.on('error', () => undefined);
  }

  async run(): Promise<void> {
    const route = this.#route;
    let reply: HttpReply | undefined;
    try {
      reply = route === undefined ? this.#noRoute() : ((await this.#judge(route)) ?? (await this.#withBody(route)));
    } catch (error) {
      reply = this.#failed(error);
    }
    if (this.#gone || reply === undefined) {
      this.#count(499);
      return;
    }
    await this.#send(reply);
  }

  end(): void {
    const { connection } = this.#incoming;
    this.#ended = true;
    this.#context.running.delete(this.#open);
    for (const share of ['body', 'read', 'write'] as const) this.#giveBack(share);
    connection.leave();
  }

  #noRoute(): HttpReply {
    const { endpoint } = this.#incoming;
    const { hint } = this.#context;
    if (endpoint === undefined) {
      const path = this.#open.path.slice(0, 200);
      return this.#refused('not_found', new SluiceError('not_found', `there is no route ${path}; there are: ${hint}`));
    }
    const allow = [...endpoint.routes.keys()].flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
    const message = `expected ${allow.join(' or ')} for ${endpoint.path}; got ${this.#open.method}`;
    return this.#refused('method', new SluiceError('method_not_allowed', message), { allow: allow.join(', ') });
  }

  /** Everything that can be said by the headers alone. */
  async #judge(route: ServerRoute): Promise<HttpReply | undefined> {
    if (this.#context.stopping()) {
      return this.#refused('stopping', new SluiceError('stopping', 'the hub is stopping and takes no more requests'));
    }
    const { admit, certificate } = this.#incoming;
    if (admit !== undefined && route.scope !== 'open') {
      const { authorization } = this.#open.headers;
      const peer = this.#incoming.request.socket.remoteAddress;
      let verdict = admit({ authorization, certificate, peer }, route.scope);
      if (verdict instanceof Promise) {
        try {
          verdict = await verdict;
        } catch (error) {
          if (isSluiceError(error, 'too_many_requests')) return this.#refused('attempts', error);
          throw error;
        }
      }
      const refusal = this.#notAdmitted(verdict, route);
      if (refusal !== undefined) return refusal;
    }
    const answer = route.check?.(this.#open.headers);
    if (answer !== undefined) {
      this.#context.refuse('check');
      return answer;
    }
    return this.#wrongOrganisation(route) ?? this.#tooLong(route);
  }

  #notAdmitted(verdict: Admission, route: ServerRoute): HttpReply | undefined {
    if (verdict.kind === 'unauthorized') {
      const error = new SluiceError('unauthorized', 'expected credentials that this hub knows; got none or wrong ones');
      return this.#refused('unauthorized', error, { 'www-authenticate': verdict.challenge });
    }
    if (verdict.kind === 'forbidden') {
      const message = `expected credentials with the scope ${route.scope}; ${verdict.name} does not have it`;
      return this.#refused('forbidden', new SluiceError('forbidden', message));
    }
    return undefined;
  }

  #wrongOrganisation(route: ServerRoute): HttpReply | undefined {
    if (route.anyOrganisation === true) return undefined;
    const header = this.#open.headers['x-org-id'];
    const org = header === undefined ? 1 : /^\d{1,5}$/.test(header) ? Number(header) : Number.NaN;
    if (this.#context.organisations.has(org)) {
      this.#open.org = org;
      return undefined;
    }
    const got = header === undefined ? 'none, which means 1' : JSON.stringify(header.slice(0, 40));
    const message = `expected X-Org-Id to be one of the configured organisations; got ${got}`;
    return this.#refused('organisation', new SluiceError('bad_request', message));
  }

  #tooLong(route: ServerRoute): HttpReply | undefined {
    const limit = route.bodyLimit ?? DEFAULT_BODY_LIMIT;
    if (this.#length === undefined || this.#length <= limit) return undefined;
    return this.#overLimit(limit, `${this.#length}`);
  }

  #overLimit(limit: number, got: string): HttpReply {
    const message = `expected a body of at most ${limit} bytes; got ${got}`;
    return this.#refused('body_size', new SluiceError('too_large', message));
  }

  /** Body, memory, handler. Undefined when the client went away. */
  async #withBody(route: ServerRoute): Promise<HttpReply | undefined> {
    const received = this.#hasBody ? await this.#receive(route) : undefined;
    if (received !== undefined && received.kind !== 'complete') return this.#notReceived(received, route);
    try {
      if (received !== undefined) this.#open.body = received.body;
      const share = route.scope === 'write' ? 'write' : 'read';
      const charge = this.#context.budget.charge(route.memory ?? 0, share);
      if (!this.#tryReach(charge, share) && !(await this.#reach(charge, share))) {
        return this.#gone ? undefined : this.#refused('memory', memoryRefused());
      }
      return await route.handle(this.#open);
    } finally {
      received?.release();
    }
  }

  async #receive(route: ServerRoute): Promise<BodyOutcome> {
    const { request, response, connection } = this.#incoming;
    if (this.#bodyState === 'held') {
      response.writeContinue();
      this.#bodyState = 'coming';
    }
    const { pool, limits, budget } = this.#context;
    const limit = route.bodyLimit ?? DEFAULT_BODY_LIMIT;
    const memory: BodyMemory = {
      tryReach: (bytes) => this.#tryReach(budget.charge(bytes, 'body'), 'body'),
      reach: (bytes) => this.#reach(budget.charge(bytes, 'body'), 'body'),
      isShort: () => budget.isAwaited('body'),
    };
    const timeoutMs = limits.bodyTimeoutMs;
    const outcome = await readBody({ request, connection, length: this.#length, limit, timeoutMs, pool, memory });
    if (outcome.kind === 'complete') {
      this.#bodyState = 'no';
      connection.awaitsBody = false;
    } else {
      this.#giveBack('body');
    }
    return outcome;
  }

  #notReceived(outcome: Exclude<BodyOutcome, { kind: 'complete' }>, route: ServerRoute): HttpReply | undefined {
    switch (outcome.kind) {
      case 'gone':
        this.#gone = true;
        this.#context.refuse('gone');
        return undefined;
      case 'too_large':
        return this.#overLimit(route.bodyLimit ?? DEFAULT_BODY_LIMIT, 'more');
      case 'no_memory':
        return this.#refused('memory', memoryRefused());
      case 'malformed':
        // Counted where it was found, together with what is no HTTP from the start.
        return textReply(400, 'expected a body in the chunks of HTTP/1.1; got something else', this.#inPlace());
      case 'slow': {
        this.#context.refuse('slow_body');
        const text = `expected the body within ${this.#context.limits.bodyTimeoutMs} ms or at 16 KiB/s; it came too slowly`;
        return textReply(408, text, this.#inPlace());
      }
    }
  }

  #giveBack(share: Share): void {
    const granted = this.#granted[share];
    if (granted === 0) return;
    this.#granted[share] = 0;
    this.#context.budget.give(granted, share);
  }

  /** Takes what is missing to `bytes` in all, at once or not. */
  #tryReach(bytes: number, share: Share): boolean {
    const more = Math.max(0, bytes - this.#granted[share]);
    if (!this.#context.budget.tryTake(more, share)) return false;
    this.#granted[share] += more;
    return true;
  }

  /** Likewise, with a short wait. */
  async #reach(bytes: number, share: Share): Promise<boolean> {
    const more = Math.max(0, bytes - this.#granted[share]);
    const { budget } = this.#context;
    if (!(await budget.take(more, share, this.#open.signal))) return false;
    if (this.#ended) {
      budget.give(more, share);
      return false;
    }
    this.#granted[share] += more;
    return true;
  }

  async #send(reply: HttpReply): Promise<void> {
    const { request, response, connection } = this.#incoming;
    const options = {
      request,
      response,
      unread: this.#bodyState,
      lastOne: this.#context.stopping(),
      timeoutMs: this.#context.limits.replyTimeoutMs,
      onSlowReader: () => this.#context.refuse('slow_reader'),
      onLinger: () => connection.lingers(),
    };
    try {
      await sendReply({ ...options, reply });
      this.#count(this.#gone ? 499 : reply.status);
    } catch (error) {
      const instead = this.#failed(error);
      this.#count(this.#gone ? 499 : instead.status);
      if (!response.headersSent && !this.#gone) await sendReply({ ...options, reply: instead });
      else response.destroy();
    }
  }

  #failed(error: unknown): HttpReply {
    if (isSluiceError(error)) return replyOfError(error, this.#inPlace());
    // Whatever a handler throws once its client has gone is a consequence of that.
    if (!this.#gone) this.#context.logFailure(error, this.#incoming.endpoint?.path ?? 'other');
    return internalErrorReply(this.#inPlace());
  }

  #refused(reason: RefusedReason, error: SluiceError, headers?: Readonly<Record<string, string>>): HttpReply {
    this.#context.refuse(reason);
    return replyOfError(error, { ...this.#inPlace(), ...headers });
  }

  /** What the route wants on answers that are not its own. */
  #inPlace(): Readonly<Record<string, string>> {
    return this.#route?.refusalHeaders?.(this.#open.headers) ?? {};
  }

  #count(status: number): void {
    this.#context.count(this.#incoming.endpoint?.path ?? 'other', status);
  }
}
