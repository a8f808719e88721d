import { z } from 'zod';
import { bytesSchema, durationSchema, hostPort, type HostPort } from '../base/config-schema.ts';
import {
  allowSchema,
  authSchema,
  isLoopback,
  tlsSchema,
  type AuthOptions,
  type Network,
  type TlsOptions,
} from '../access/config.ts';

/** Parsed `listen` entry of an HTTP listener. */
export interface ListenOptions {
  readonly addresses: readonly HostPort[];
  /** Replaces the `auth` at the top for this listener. */
  readonly auth: AuthOptions | 'none' | undefined;
  /** Replaces the `tls` at the top for this listener. */
  readonly tls: TlsOptions | undefined;
  readonly allow: readonly Network[] | undefined;
}

const listenObject = z
  .strictObject({
    address: hostPort.optional().meta({ description: 'Where to listen, host:port' }),
    addresses: z.array(hostPort).min(1).optional().meta({ description: 'Several of them, in place of `address`' }),
    auth: authSchema.optional(),
    tls: tlsSchema.optional(),
    allow: allowSchema.optional(),
  })
  .transform((listen, context): ListenOptions => {
    const addresses = listen.addresses ?? (listen.address === undefined ? [] : [listen.address]);
    if (addresses.length === 0 || (listen.address !== undefined && listen.addresses !== undefined)) {
      context.addIssue('expected one of address and addresses');
    }
    return { addresses, auth: listen.auth, tls: listen.tls, allow: listen.allow };
  });

const listenAddress = hostPort.transform((address): ListenOptions => ({
  addresses: [address],
  auth: undefined,
  tls: undefined,
  allow: undefined,
}));

/**
 * One HTTP entry of `listen`: `host:port` (port 0 = any free one), null = off, or `{address | addresses, auth, tls, allow}`.
 * Output: ListenOptions or null. Give it a default with `.prefault('127.0.0.1:20416')`.
 */
export const httpListenSchema = z
  .union([listenAddress, listenObject])
  .nullable()
  .meta({ description: 'host:port, null = off, or {address | addresses, auth, tls, allow}' });

/**
 * Why a listener may not be opened like this, or undefined. `name` is its key (`listen.http`), `auth` the section at the top, absent when none is written.
 */
export function exposureProblem(
  name: string,
  listen: ListenOptions,
  auth: AuthOptions | 'none' | undefined,
): string | undefined {
  if ((listen.auth ?? auth) !== undefined) return undefined;
  const open = listen.addresses.find((address) => !isLoopback(address.host));
  if (open === undefined) return undefined;
  const shown = open.host.includes(':') ? `[${open.host}]` : open.host;
  return (
    `cannot open ${name} on ${shown}:${open.port} to other machines without credentials: ` +
    'write an `auth` section, or `auth: none` if everybody may write and read, or listen on 127.0.0.1'
  );
}

/** The server's part of `limits`; the configuration composes it with other rooms' parts (`httpLimitsSchema.shape`). */
export const httpLimitsSchema = z.strictObject({
  memory: bytesSchema
    .prefault('256MiB')
    .meta({ description: 'Memory that running requests may take together; beyond it they wait briefly, then get 503' }),
  connections: z
    .int()
    .min(1)
    .max(1_000_000)
    .prefault(4096)
    .meta({ description: 'Open HTTP connections; beyond it the longest idle one is closed, or the new one refused' }),
  'header-timeout': durationSchema
    .prefault('10s')
    .meta({ description: 'Time for the headers of a request, and for a TLS handshake' }),
  'body-timeout': durationSchema
    .prefault('30s')
    .meta({ description: 'Time for a body; after it only one that keeps coming at 16 KiB/s or more is still read' }),
  'reply-timeout': durationSchema
    .prefault('60s')
    .meta({ description: 'Time without progress after which a client that does not read its answer is cut off' }),
  'keep-alive': durationSchema
    .prefault('6m')
    .meta({ description: 'Time an idle connection is kept; longer than the 5 minutes of a Prometheus' }),
});

/** Limits of the HTTP server: milliseconds and bytes. */
export interface HttpLimits {
  readonly memory: number;
  readonly connections: number;
  readonly headerTimeoutMs: number;
  readonly bodyTimeoutMs: number;
  readonly replyTimeoutMs: number;
  readonly keepAliveMs: number;
}

/** The limits as the server takes them. */
export function toHttpLimits(limits: z.output<typeof httpLimitsSchema>): HttpLimits {
  return {
    memory: limits.memory,
    connections: limits.connections,
    headerTimeoutMs: limits['header-timeout'],
    bodyTimeoutMs: limits['body-timeout'],
    replyTimeoutMs: limits['reply-timeout'],
    keepAliveMs: limits['keep-alive'],
  };
}
