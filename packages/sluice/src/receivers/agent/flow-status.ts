/**
 * How a flow fared, from why it ended (`close_type`):
 *
 *   0 fine          finished, reported while it lasts, half closed; timed out unless TCP
 *   3 server error  TCP: timeout, reset by the server, no answer to the SYN, accept queue full
 *   4 client error  reset by the client, last ACK missing, port reused
 *   2 timeout       everything else
 */
export function flowStatus(closeType: number, protocol: number): number {
  if (closeType > MOST) return TIMEOUT;
  return (protocol === TCP ? tcp : others)[closeType]!;
}

const TCP = 6;
const TIMEOUT = 2;
const MOST = 20;

const others = new Uint8Array(MOST + 1).fill(TIMEOUT);
for (const closeType of [1, 5, 8, 11, 20, 3]) others[closeType] = 0;
for (const closeType of [9, 10, 13, 18]) others[closeType] = 4;

const tcp = others.slice();
for (const closeType of [2, 3, 7, 15, 17, 19]) tcp[closeType] = 3;
