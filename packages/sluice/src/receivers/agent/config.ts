import { z } from 'zod';
import { bytesSchema } from '../../base/config-schema.ts';

/** The agent listener's part of `limits`; the configuration composes it with other rooms' parts (`agentLimitsSchema.shape`). */
export const agentLimitsSchema = z.strictObject({
  'agent-connections': z
    .int()
    .min(1)
    .max(1_000_000)
    .prefault(4096)
    .meta({ description: 'Open connections of agents; further ones are refused, and tried again by the agent' }),
  'agent-frame': bytesSchema
    .refine((bytes) => bytes >= 1024 && bytes <= 1024 ** 3, { error: 'expected 1KiB to 1GiB' })
    .prefault('16MiB')
    .meta({ description: 'Body of one frame of an agent as on the wire; a larger one ends the connection' }),
  'agent-frame-decompressed': bytesSchema
    .refine((bytes) => bytes >= 1024 && bytes <= 1024 ** 3, { error: 'expected 1KiB to 1GiB' })
    .prefault('64MiB')
    .meta({ description: 'Body of one frame of an agent when uncompressed; a larger one is dropped' }),
  'agent-memory': bytesSchema.prefault('256MiB').meta({
    description: 'Memory for incomplete frames of all agents together; beyond it their connections are read in turns',
  }),
});

/** Limits of the agent listener; sizes in bytes. */
export interface AgentLimits {
  readonly connections: number;
  readonly frameBytes: number;
  readonly decompressedBytes: number;
  readonly memoryBytes: number;
}

export function toAgentLimits(limits: z.output<typeof agentLimitsSchema>): AgentLimits {
  return {
    connections: limits['agent-connections'],
    frameBytes: limits['agent-frame'],
    decompressedBytes: limits['agent-frame-decompressed'],
    memoryBytes: limits['agent-memory'],
  };
}
