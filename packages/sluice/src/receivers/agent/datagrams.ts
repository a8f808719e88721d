import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { errorText } from '../../base/errors.ts';
import { plainAddress } from '../../base/plain-address.ts';
import { rateLimited, type Log } from '../../telemetry/log.ts';
import { MESSAGE_NAMES } from '../../base/message-type.ts';
import { BASE_BYTES, headerBytes } from './frame.ts';
import type { FrameIntake } from './frame-intake.ts';
import type { ReadGate } from './read-gate.ts';

export interface DatagramOptions {
  readonly host: string;
  readonly port: number;
  readonly intake: FrameIntake;
  readonly gate: ReadGate;
  readonly isAllowed: (address: string) => boolean;
  readonly log: Log;
}

export interface Datagrams {
  close(): void;
}

/** Takes frames as datagrams, one each: statistics of DeepFlow's server come like this. What comes while nothing can be taken is counted and dropped. */
export async function openDatagrams(options: DatagramOptions): Promise<Datagrams> {
  const { host, port, intake, gate, log } = options;
  const complain = rateLimited(10_000);
  const socket = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4' });
  socket.on('message', (bytes, { address }) => {
    const peer = plainAddress(address);
    const type = bytes[4] ?? MESSAGE_NAMES.length;
    if (!options.isAllowed(peer)) intake.refuse(bytes, 'network', peer);
    else if (bytes.length >= BASE_BYTES && type >= MESSAGE_NAMES.length) intake.refuse(bytes, 'unknown_type', peer);
    else if (bytes.length < BASE_BYTES || bytes.length < headerBytes(type)) intake.refuse(bytes, 'short', peer);
    else if (gate.isClosed) intake.refuse(bytes, 'paused', peer);
    else void intake.take(bytes, 0, bytes.length, peer);
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind({ address: host, port }, () => {
      socket.off('error', reject);
      resolve();
    });
  });
  socket.on('error', (error) =>
    complain((suppressed) => log.warn({ cause: errorText(error), suppressed }, 'a datagram could not be received')),
  );
  return { close: () => void socket.close() };
}
