import { z } from 'zod';
import { allowSchema, isLoopback, tlsSchema, type Network, type TlsOptions } from '../access/config.ts';
import { formatHostPort, hostPort, type HostPort } from '../base/config-schema.ts';

/** Listeners whose protocol has no credentials: only networks can be told apart. */
export interface AgentListenOptions {
  readonly addresses: readonly HostPort[];
  readonly tls: TlsOptions | undefined;
  readonly allow: readonly Network[] | undefined;
}

const bareAddress = hostPort.transform((address): AgentListenOptions => ({
  addresses: [address],
  tls: undefined,
  allow: undefined,
}));

const addressKeys = {
  address: hostPort.optional().meta({ description: 'Where to listen, host:port' }),
  addresses: z.array(hostPort).min(1).optional().meta({ description: 'Several of them, in place of `address`' }),
  allow: allowSchema.optional(),
};

/** `listen.agent`: the framed data of agents. */
export const agentListenSchema = z
  .union([bareAddress, z.strictObject(addressKeys).transform((keys, context) => toOptions(keys, context))])
  .nullable()
  .meta({ description: 'Data of agents (TCP and UDP): host:port, null = off, or {address | addresses, allow}' });

/** `listen.control`: the gRPC control plane of agents. */
export const controlListenSchema = z
  .union([
    bareAddress,
    z
      .strictObject({ ...addressKeys, tls: tlsSchema.optional() })
      .transform((keys, context) => toOptions(keys, context)),
  ])
  .nullable()
  .meta({ description: 'Control of agents (gRPC): host:port, null = off, or {address | addresses, tls, allow}' });

interface WrittenKeys {
  readonly address?: HostPort | undefined;
  readonly addresses?: readonly HostPort[] | undefined;
  readonly allow?: readonly Network[] | undefined;
  readonly tls?: TlsOptions | undefined;
}

function toOptions(keys: WrittenKeys, context: { addIssue: (message: string) => void }): AgentListenOptions {
  const addresses = keys.addresses ?? (keys.address === undefined ? [] : [keys.address]);
  if (addresses.length === 0 || (keys.address !== undefined && keys.addresses !== undefined)) {
    context.addIssue('expected one of address and addresses');
  }
  return { addresses, tls: keys.tls, allow: keys.allow };
}

/** Why a listener without credentials may not be opened like this, or undefined. `name` is its key. */
export function allowProblem(name: string, listen: AgentListenOptions): string | undefined {
  if (listen.allow !== undefined) return undefined;
  const open = listen.addresses.find((address) => !isLoopback(address.host));
  if (open === undefined) return undefined;
  return (
    `cannot open ${name} on ${formatHostPort(open)} to other machines without \`allow\`: its protocol has no credentials; ` +
    'write {address: ..., allow: [the networks of the agents]}, or listen on 127.0.0.1'
  );
}
