/**
 * Which table a document belongs to, from its 64-bit tag code: one bit for each kind of tag that the document is summed up by.
 *
 *   single end     bits 0 address, 1 VPC, 2-10 and 12-14 universal tags, 11 MAC, 15 process
 *   both ends      the same 20 bits further up: 20 address, 21 VPC, 22-30 and 32-34, 31 MAC, 35 process
 *   other tags     40 role, 41 policy, 42 protocol, 43 server port, 45 network type, 47 agent, 48 observation point, 49 interface, 50 key service,
 *                  51 application protocol, 52 signal source, 62 tunnel
 *
 * Agents leave bits out that the hub knows (universal tags), or that came later (process, signal source). With those added the code must be exactly
 * that of a table; MAC bits are of no account. Codes below are given as halves.
 */

/** Tables by number: `network`, `network_map`, `application`, `application_map` of a minute, the same of a second, `traffic_policy` of a minute. */
const TRAFFIC_POLICY = 8;

const POLICY_HIGH = 0x4000_8200;

/** Number of the table, or -1 when there is none; `perSecond` is bit 0 of the document's flags. */
export function tableOfCode(low: number, high: number, perSecond: number): number {
  if (low === 0 && high === POLICY_HIGH) return perSecond === 0 ? TRAFFIC_POLICY : -1;
  const isEdge = (low & 0xfff0_0000) !== 0 || (high & 0xff) !== 0;
  let fullLow = low & 0x7fff_f7ff;
  let fullHigh = high | 0x0010_0000;
  if ((high & 0x800) !== 0) fullHigh |= 0x0004_0000;
  if ((low & 0x0010_0000) !== 0) fullHigh |= 0x8;
  else fullLow |= 0x8000;
  if (isEdge) {
    fullLow |= 0x7fc0_0000;
    fullHigh |= 0x7;
    if (fullLow !== 0x7ff0_0000) return -1;
    if (fullHigh === 0x0017_ac0f) return 1 + perSecond * 4;
    if (fullHigh === 0x001f_ac0f) return 3 + perSecond * 4;
    return -1;
  }
  fullLow |= 0x77fc;
  if (fullLow !== 0xf7ff) return -1;
  if (fullHigh === 0x0014_ad00) return 0 + perSecond * 4;
  if (fullHigh === 0x001c_ad00) return 2 + perSecond * 4;
  return -1;
}
