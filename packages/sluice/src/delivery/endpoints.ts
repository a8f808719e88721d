/** How one endpoint fared. `up` is undefined until something was sent to it. */
export interface EndpointState {
  readonly endpoint: string;
  up: boolean | undefined;
  lastError: { readonly text: string; readonly atMs: number } | undefined;
}

/** The endpoints of an exporter in an order of its own: all lanes stay with one until it fails, then go to the next. */
export class Endpoints {
  /** In the order of the configuration. */
  readonly states: readonly EndpointState[];
  readonly #order: readonly number[];
  #at = 0;

  /** `random` gives numbers from 0 to below 1: exporters of many hubs begin at different endpoints. */
  constructor(endpoints: readonly string[], random: () => number) {
    this.states = endpoints.map((endpoint) => ({ endpoint, up: undefined, lastError: undefined }));
    const order = endpoints.map((_, index) => index);
    for (let i = order.length - 1; i > 0; i--) {
      const other = Math.floor(random() * (i + 1));
      [order[i], order[other]] = [order[other]!, order[i]!];
    }
    this.#order = order;
  }

  get count(): number {
    return this.#order.length;
  }

  /** Index in the configuration of the endpoint to send to. */
  get current(): number {
    return this.#order[this.#at] ?? 0;
  }

  succeeded(endpoint: number): void {
    const state = this.states[endpoint];
    if (state !== undefined) state.up = true;
  }

  /** The next one is current from now on, unless another lane has moved on already. */
  failed(endpoint: number, text: string, atMs: number): void {
    const state = this.states[endpoint];
    if (state !== undefined) {
      state.up = false;
      state.lastError = { text, atMs };
    }
    if (this.current === endpoint && this.count > 0) this.#at = (this.#at + 1) % this.count;
  }
}

/** An endpoint as a label of metrics: `host:port`, without scheme, login, path and query. A list of servers stays one. */
export function endpointLabel(endpoint: string): string {
  return endpoint
    .split(',')
    .map((one) => {
      const text = one.trim();
      if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text) && URL.canParse(text)) return new URL(text).host;
      return text.replace(/^.*@/, '').replace(/[/?#].*$/, '');
    })
    .join(',');
}
