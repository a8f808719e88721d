import { encodedText, putEncoded } from './attribute-bytes.ts';
import { enumNames, resourceKey } from './attribute-names.ts';
import type { BlockPart } from './attribute-blocks.ts';
import type { LogColumns } from './log-columns.ts';

const key = resourceKey('df.capture_info.capture_nic');
const tunnelNames = new Map([...enumNames('tunnel_type'), [0, 'none']]);

/** From this kind on (eBPF, OTel) nothing was captured at an interface. */
const FIRST_WITHOUT = 7;

/**
 * The interface that a row was captured at, as text: half of a MAC address, an IPv4 address or a number, whatever its kind (`capture_nic_type`) makes of
 * the 32 bits. Of kinds without an interface there is none.
 */
export function nicPart(columns: LogColumns): BlockPart {
  const kinds = columns.bytes('capture_nic_type');
  const nics = columns.words('capture_nic');
  const tunnels = columns.bytes('tunnel_type');
  return {
    put: (writer, row) => {
      const kind = kinds[row]!;
      if (kind >= FIRST_WITHOUT) return;
      putEncoded(writer, encodedText(key, nicText(kind, nics[row]!, tunnels[row]!)));
    },
    by: { bytes: [kinds, tunnels], words: [nics] },
  };
}

function nicText(kind: number, nic: number, tunnel: number): string {
  switch (kind) {
    case 0:
      return `LMAC@${tunnelName(tunnel)}@${bytesOf(nic).map(hexByte).join(':')}`;
    case 1:
      return `GMAC@${tunnelName(tunnel)}@${bytesOf(nic).map(hexByte).join(':')}`;
    case 2:
      return `IPv4@${bytesOf(nic).join('.')}`;
    case 3:
      return `IPv6@0x${nic.toString(16)}`;
    case 4:
      return `ID@${tunnelName(tunnel)}@${nic}`;
    case 5:
      return `NetFlow@${nic}`;
    default:
      return `SFlow@${nic}`;
  }
}

function tunnelName(tunnel: number): string {
  return tunnelNames.get(tunnel) ?? String(tunnel);
}

function bytesOf(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

function hexByte(value: number): string {
  return value.toString(16).padStart(2, '0');
}
