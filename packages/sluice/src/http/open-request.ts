import type { IncomingMessage } from 'node:http';
import type { HttpRequest } from '../base/ports.ts';

const EMPTY = Buffer.alloc(0);

/** A request on its way to its handler. What few handlers ask for (query, signal) is only made when they ask. */
export class OpenRequest implements HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly wildcards: readonly string[];
  readonly headers: HttpRequest['headers'];
  readonly peer: string | undefined;
  org = 1;
  body: Buffer = EMPTY;
  readonly #search: string;
  #query: URLSearchParams | undefined;
  #controller: AbortController | undefined;
  #abortReason: unknown;

  constructor(request: IncomingMessage, wildcards: readonly string[]) {
    const url = request.url ?? '/';
    const mark = url.indexOf('?');
    this.method = request.method ?? 'GET';
    this.path = mark === -1 ? url : url.slice(0, mark);
    this.#search = mark === -1 ? '' : url.slice(mark + 1);
    this.wildcards = wildcards;
    this.headers = joined(request.headers);
    this.peer = request.socket.remoteAddress?.replace(/^::ffff:(?=[\d.]+$)/i, '');
  }

  get query(): URLSearchParams {
    if (this.#query === undefined) {
      this.#query = new URLSearchParams(this.#search);
      if (this.method === 'POST' && isForm(this.headers['content-type'])) {
        for (const [name, value] of new URLSearchParams(this.body.toString('utf8'))) this.#query.append(name, value);
      }
    }
    return this.#query;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason);
    }
    return this.#controller.signal;
  }

  abort(reason: Error): void {
    this.#abortReason ??= reason;
    this.#controller?.abort(this.#abortReason);
  }
}

function isForm(contentType: string | undefined): boolean {
  return contentType?.split(';', 1)[0]?.trim().toLowerCase() === 'application/x-www-form-urlencoded';
}

/** Node keeps one header as a list (set-cookie); as a text here, so that a reader of headers meets texts only. */
function joined(headers: IncomingMessage['headers']): HttpRequest['headers'] {
  if (areTexts(headers)) return headers;
  const texts: Record<string, string> = {};
  for (const name in headers) texts[name] = [headers[name] ?? ''].flat().join(', ');
  return texts;
}

function areTexts(headers: IncomingMessage['headers']): headers is IncomingMessage['headers'] & HttpRequest['headers'] {
  return headers['set-cookie'] === undefined;
}
