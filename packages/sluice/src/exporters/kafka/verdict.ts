import { isTlsProblem, plainTlsText, tlsAdvice } from '../tls-problem.ts';

/**
 * What an error of the Kafka client means. The client's own word on it (`canRetry`) is of no use: it takes wrong passwords and certificates for things
 * that pass. What tells is deep in `errors` and `cause`: the broker's error code (`apiId`) and Node's own codes.
 */
export interface Verdict {
  /**
   * `config`: somebody must mend something. `batch`: the broker will never take these messages as they are. `topic`: there is no such topic, for now at
   * least. `transient`: anything else.
   */
  readonly kind: 'config' | 'batch' | 'topic' | 'transient';
  readonly why: string;
}

const CONFIG: ReadonlySet<string> = new Set([
  'SASL_AUTHENTICATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM',
  'ILLEGAL_SASL_STATE',
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'INVALID_TOPIC_EXCEPTION',
  'UNSUPPORTED_VERSION',
  'UNSUPPORTED_COMPRESSION_TYPE',
  'POLICY_VIOLATION',
]);
const BATCH: ReadonlySet<string> = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_TIMESTAMP',
  'INVALID_RECORD',
  'CORRUPT_MESSAGE',
]);
const TOPIC = 'UNKNOWN_TOPIC_OR_PARTITION';
/** What the client says around an error of a connection: the only place where it names the broker. */
const CONNECTION = /^Connection to (\S+) (?:failed|timed out)\.$/;
/** What the client says of a connection that ended while it waited for an answer. */
const CLOSED = 'Connection closed';
const MOST_TEXT = 500;

/** The parts of the client's errors that are looked at. */
interface Told {
  readonly message: string;
  readonly code: string;
  readonly apiId: string;
  readonly serverErrorMessage: string;
  readonly cause: unknown;
  readonly errors: readonly unknown[];
  /** host:port of the broker that could not be connected to; empty where that is not what the error is about. */
  readonly broker: string;
}

/** `brokers`: where the client connects first, for errors that do not say which broker they are about. */
export function verdictOn(error: unknown, brokers: string): Verdict {
  const told = allOf(error);
  const config = told.find(isConfig);
  if (config !== undefined) return { kind: 'config', why: withBroker(config, brokers) };
  const batch = told.find(({ apiId }) => BATCH.has(apiId));
  if (batch !== undefined) return { kind: 'batch', why: textOf(batch) };
  const topic = told.find(({ apiId, message }) => apiId === TOPIC || message.startsWith('Unknown topic '));
  if (topic !== undefined)
    return { kind: 'topic', why: 'there is no such topic, and the broker does not make topics by itself' };
  const telling = told.findLast(({ apiId, code }) => apiId !== '' || (code !== '' && !code.startsWith('PLT_')));
  return { kind: 'transient', why: withBroker(telling ?? told.at(-1) ?? toldBy(error, ''), brokers) };
}

function isConfig({ apiId, code, message }: Told): boolean {
  if (CONFIG.has(apiId) || isTlsProblem(code) || code.includes('UNSUPPORTED')) return true;
  // "Broker requires TLS." and "TLS handshake failed. Please verify the broker supports TLS."
  return code === 'PLT_KFK_USER' && message.includes('TLS');
}

/** The error and everything in it, from the outside in. Of several attempts, the last one counts. */
function allOf(error: unknown): Told[] {
  const found: Told[] = [];
  const seen = new Set<unknown>();
  const queue: { readonly error: unknown; readonly broker: string }[] = [{ error, broker: '' }];
  for (const next of queue) {
    if (!(next.error instanceof Error) || seen.has(next.error) || seen.size > 1000) continue;
    seen.add(next.error);
    const broker = CONNECTION.exec(next.error.message)?.[1] ?? next.broker;
    const told = toldBy(next.error, broker);
    found.push(told);
    const errors = /failed \d+ times/.test(told.message) ? told.errors.slice(-1) : told.errors;
    queue.push(...[told.cause, ...errors].map((inner) => ({ error: inner, broker })));
  }
  return found;
}

function toldBy(error: unknown, broker: string): Told {
  const fields: Readonly<Record<string, unknown>> = typeof error === 'object' && error !== null ? { ...error } : {};
  const text = (name: string): string => {
    const value = fields[name];
    return typeof value === 'string' ? value : '';
  };
  return {
    message: error instanceof Error ? error.message : String(error),
    code: text('code'),
    apiId: text('apiId'),
    serverErrorMessage: text('serverErrorMessage'),
    cause: error instanceof Error ? error.cause : undefined,
    errors: error instanceof AggregateError ? (error.errors as unknown[]) : [],
    broker,
  };
}

function textOf({ message, code, apiId, serverErrorMessage }: Told): string {
  const detail = serverErrorMessage === '' ? plainTlsText(message) : serverErrorMessage;
  const name = apiId === '' && !code.startsWith('PLT_') ? code : apiId;
  if (detail === '') return name;
  return (name === '' || detail.includes(name) ? detail : `${name}: ${detail}`).slice(0, MOST_TEXT);
}

function withBroker(told: Told, brokers: string): string {
  const text = `${textOf(told)}${isTlsProblem(told.code) ? tlsAdvice(told.code) : ''}`;
  const { broker, apiId } = told;
  if (broker !== '') return text.includes(broker) ? text : `${broker}: ${text}`;
  // What a broker answers is about what it was asked, not about the connection.
  if (apiId !== '' || brokers === '') return text;
  const advice =
    told.message === CLOSED
      ? '; a broker that wants a login (sasl) or TLS does so, and a port that is none of Kafka'
      : '';
  return `${text} (${brokers})${advice}`;
}
