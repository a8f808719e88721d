import { SluiceError } from '../base/errors.ts';
import type { AgentIdentity } from './agent-ids.ts';
import type { SyncRequest } from './protocol.ts';

const IP_AND_MAC = 1;
const MAX_CHARACTERS = 64;

/**
 * Who an agent is, by what it says: address, MAC and team, or without the MAC when it asks to be known by its address alone. `from` stands for an address
 * that it does not say. Throws SluiceError `bad_request` for texts that are none of these.
 */
export function identityOf(
  message: Pick<SyncRequest, 'ctrl_ip' | 'ctrl_mac' | 'team_id' | 'agent_unique_identifier'>,
  from: string,
): AgentIdentity {
  const isByMac = (message.agent_unique_identifier ?? IP_AND_MAC) === IP_AND_MAC;
  return {
    ctrlIp: checked('ctrl_ip', message.ctrl_ip ?? '') || from,
    ctrlMac: isByMac ? checked('ctrl_mac', message.ctrl_mac ?? '').toLowerCase() : '',
    teamId: checked('team_id', message.team_id ?? ''),
  };
}

function checked(field: string, text: string): string {
  if (text.length <= MAX_CHARACTERS && /^[\x21-\x7e]*$/.test(text)) return text;
  throw new SluiceError(
    'bad_request',
    `cannot tell who the agent is: expected ${field} of at most ${MAX_CHARACTERS} printable characters; got ${text.length} characters`,
  );
}
