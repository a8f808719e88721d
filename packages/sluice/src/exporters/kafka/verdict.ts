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
const TLS_CODE = /^(?:ERR_TLS_|ERR_SSL_|ERR_OSSL|CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_(?:GET|VERIFY))/;
const MOST_TEXT = 500;

/** The parts of the client's errors that are looked at. */
interface Told {
  readonly message: string;
  readonly code: string;
  readonly apiId: string;
  readonly serverErrorMessage: string;
  readonly cause: unknown;
  readonly errors: readonly unknown[];
}

export function verdictOn(error: unknown): Verdict {
  const told = allOf(error);
  const config = told.find(isConfig);
  if (config !== undefined) return { kind: 'config', why: textOf(config) };
  const batch = told.find(({ apiId }) => BATCH.has(apiId));
  if (batch !== undefined) return { kind: 'batch', why: textOf(batch) };
  const topic = told.find(({ apiId, message }) => apiId === TOPIC || message.startsWith('Unknown topic '));
  if (topic !== undefined) return { kind: 'topic', why: 'there is no such topic, and the broker does not make it' };
  const telling = told.findLast(({ apiId, code }) => apiId !== '' || (code !== '' && !code.startsWith('PLT_')));
  return { kind: 'transient', why: textOf(telling ?? told.at(-1) ?? toldBy(error)) };
}

function isConfig({ apiId, code, message }: Told): boolean {
  if (CONFIG.has(apiId) || TLS_CODE.test(code) || code.includes('UNSUPPORTED')) return true;
  // "Broker requires TLS." and "TLS handshake failed. Please verify the broker supports TLS."
  return code === 'PLT_KFK_USER' && message.includes('TLS');
}

/** The error and everything in it, from the outside in. Of several attempts, the last one counts. */
function allOf(error: unknown): Told[] {
  const found: Told[] = [];
  const seen = new Set<unknown>();
  const queue: unknown[] = [error];
  for (const next of queue) {
    if (!(next instanceof Error) || seen.has(next) || seen.size > 1000) continue;
    seen.add(next);
    const told = toldBy(next);
    found.push(told);
    const { errors } = told;
    queue.push(told.cause, ...(/failed \d+ times/.test(told.message) ? errors.slice(-1) : errors));
  }
  return found;
}

function toldBy(error: unknown): Told {
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
  };
}

function textOf({ message, code, apiId, serverErrorMessage }: Told): string {
  const detail = serverErrorMessage === '' ? message : serverErrorMessage;
  const name = apiId === '' && !code.startsWith('PLT_') ? code : apiId;
  return (name === '' || detail.includes(name) ? detail : `${name}: ${detail}`).slice(0, MOST_TEXT);
}
