import type { FixedValues } from '../../batch/number-memory.ts';
import type { RowBlock } from '../../batch/row-block.ts';
import type { Dropped } from '../record-decoder.ts';
import { secondsOf, writeThousandth } from '../time-halves.ts';
import { WireWalker } from '../wire-walker.ts';
import { storedEpc } from './epc.ts';
import type { Provinces } from './provinces.ts';
import { flowStatus } from './flow-status.ts';
import { l4FlowPlans, performanceColumns, register, tunnelColumns } from './l4-flow-plans.ts';
import { observationPoint } from '../observation-points.ts';
import { captureNicTypeOf, natSourceOf } from './tap-port.ts';

const IPV6 = 0x86dd;

/** Columns that rules write or read, bound to the memory of one block. */
interface Bound {
  readonly time: Uint32Array;
  readonly startTime: Uint32Array;
  readonly endTime: Uint32Array;
  readonly duration: Uint32Array;
  readonly ethType: Uint16Array;
  readonly isIpv4: Uint8Array;
  readonly ip4: readonly [Uint32Array, Uint32Array];
  readonly ip6: readonly [Uint8Array, Uint8Array];
  readonly epc: readonly [Int32Array, Int32Array];
  readonly closeType: Uint16Array;
  readonly protocol: Uint8Array;
  readonly status: Uint8Array;
  readonly captureNic: Uint32Array;
  readonly captureNicType: Uint8Array;
  readonly natSource: Uint8Array;
  readonly tunnelType: Uint16Array;
  readonly tunnelIsIpv4: Uint8Array;
  readonly l2End: readonly [Uint8Array, Uint8Array];
  readonly l3End: readonly [Uint8Array, Uint8Array];
  readonly vip: readonly [Uint8Array, Uint8Array];
  readonly observationPointNumber: Uint8Array;
  readonly synCount: Uint32Array;
  readonly synAckCount: Uint32Array;
  readonly retransSyn: Uint32Array;
  readonly retransSynAck: Uint32Array;
  readonly clientError: Uint32Array;
  readonly serverError: Uint32Array;
  readonly error: Uint32Array;
  readonly tunnel: readonly FixedValues[];
  readonly performance: readonly FixedValues[];
}

/** Reports of flows, written into pending rows of l4_flow_log: everything that a report says itself. */
export class L4FlowRows {
  /** Epoch seconds of the row written last. */
  seconds = 0;
  /** Columns of the row id and the team. */
  id = -1;
  team = -1;
  readonly #walker = new WireWalker(l4FlowPlans);
  readonly #root = this.#walker.message('record');
  /** Messages without which a report is not one. */
  readonly #needed = ['flow', 'key', 'peer0', 'peer1'].map((name) => this.#walker.message(name));
  readonly #tunnel = this.#walker.message('tunnel');
  readonly #performance = this.#walker.message('performance');
  #block: RowBlock | undefined;
  #generation = -1;
  #bound: Bound | undefined;
  #observationPoint = -1;
  readonly #provinces: Provinces | undefined;
  /** Columns of the provinces. */
  #province: readonly [number, number] = [-1, -1];

  /** Without `provinces` their columns stay empty. */
  constructor(provinces?: Provinces) {
    this.#provinces = provinces;
  }

  /** Writes the report in [start, end); a reason means that the pending row is to be abandoned. */
  write(block: RowBlock, bytes: Uint8Array, start: number, end: number): Dropped | undefined {
    const bound = this.#bind(block);
    const walker = this.#walker;
    walker.begin(block, bytes);
    if (!walker.walk(this.#root, start, end)) return 'malformed';
    for (const message of this.#needed) if (walker.entered[message] === 0) return 'incomplete';
    const row = block.rows;
    if (!this.#writeAddresses(bound, bytes, row)) return 'bad_address';
    if (this.#provinces !== undefined && bound.isIpv4[row] === 1) {
      for (const side of [0, 1] as const) {
        const province = this.#provinces.find(bound.ip4[side][row]!);
        if (province !== undefined) block.setConstant(this.#province[side], province);
      }
    }
    this.#writeTimes(bound, row);
    this.#writeCapture(block, bound, row);
    this.#writePerformance(bound, row);
    bound.status[row] = flowStatus(bound.closeType[row]!, bound.protocol[row]!);
    return undefined;
  }

  #writeAddresses(bound: Bound, bytes: Uint8Array, row: number): boolean {
    const { epc, ip4, ip6 } = bound;
    epc[0][row] = storedEpc(epc[0][row]!);
    epc[1][row] = storedEpc(epc[1][row]!);
    if (bound.ethType[row] !== IPV6) {
      bound.isIpv4[row] = 1;
      return true;
    }
    ip4[0][row] = 0;
    ip4[1][row] = 0;
    const { start, end } = this.#walker;
    return (
      copyAddress(ip6[0], row, bytes, start[register.address0]!, end[register.address0]!) &&
      copyAddress(ip6[1], row, bytes, start[register.address1]!, end[register.address1]!)
    );
  }

  #writeTimes(bound: Bound, row: number): void {
    const { low, high } = this.#walker;
    writeThousandth(bound.startTime, row, low[register.start]!, high[register.start]!);
    writeThousandth(bound.endTime, row, low[register.end]!, high[register.end]!);
    writeThousandth(bound.duration, row, low[register.duration]!, high[register.duration]!);
    this.seconds = secondsOf(low[register.end]!, high[register.end]!);
    bound.time[row] = this.seconds;
  }

  #writeCapture(block: RowBlock, bound: Bound, row: number): void {
    const { low, high, entered } = this.#walker;
    const captured = high[register.captured]!;
    bound.captureNic[row] = low[register.captured]!;
    bound.captureNicType[row] = captureNicTypeOf(captured);
    bound.natSource[row] = natSourceOf(captured);
    const point = low[register.observationPoint]! & 0xff;
    bound.observationPointNumber[row] = point;
    block.setConstant(this.#observationPoint, observationPoint(point));
    bound.l2End[0][row] = low[register.isL2End0] === 1 ? 1 : 0;
    bound.l2End[1][row] = low[register.isL2End1] === 1 ? 1 : 0;
    bound.l3End[0][row] = low[register.isL3End0] === 1 ? 1 : 0;
    bound.l3End[1][row] = low[register.isL3End1] === 1 ? 1 : 0;
    bound.vip[0][row] = low[register.isVip0] === 1 ? 1 : 0;
    bound.vip[1][row] = low[register.isVip1] === 1 ? 1 : 0;
    if (entered[this.#tunnel] === 0) return;
    if (bound.tunnelType[row] === 0) clear(bound.tunnel, row);
    else bound.tunnelIsIpv4[row] = 1;
  }

  #writePerformance(bound: Bound, row: number): void {
    const { low, entered } = this.#walker;
    if (entered[this.#performance] === 0) return;
    if (low[register.hasPerformance] !== 1) {
      clear(bound.performance, row);
      return;
    }
    const [syn, synAck] = [bound.synCount[row]!, bound.synAckCount[row]!];
    if (syn > 0) bound.retransSyn[row] = syn - 1;
    if (synAck > 0) bound.retransSynAck[row] = synAck - 1;
    bound.error[row] = bound.clientError[row]! + bound.serverError[row]!;
  }

  #bind(block: RowBlock): Bound {
    if (this.#bound !== undefined && block === this.#block && block.generation === this.#generation) return this.#bound;
    this.#block = block;
    this.#generation = block.generation;
    this.id = block.column('_id');
    this.team = block.column('team_id');
    this.#observationPoint = block.column('observation_point');
    this.#province = [block.column('province_0'), block.column('province_1')];
    this.#bound = bind(block);
    return this.#bound;
  }
}

/** An absent address is `::`. */
function copyAddress(column: Uint8Array, row: number, bytes: Uint8Array, start: number, end: number): boolean {
  if (end === start) return true;
  if (end - start !== 16) return false;
  for (let i = 0; i < 16; i++) column[row * 16 + i] = bytes[start + i]!;
  return true;
}

function clear(columns: readonly FixedValues[], row: number): void {
  for (const { u8, width } of columns) for (let i = row * width; i < (row + 1) * width; i++) u8[i] = 0;
}

function bind(block: RowBlock): Bound {
  const values = (name: string): FixedValues => block.fixed[block.column(name)]!;
  const u8 = (name: string) => values(name).u8;
  const u16 = (name: string) => values(name).u16;
  const u32 = (name: string) => values(name).u32;
  return {
    time: u32('time'),
    startTime: u32('start_time'),
    endTime: u32('end_time'),
    duration: u32('duration'),
    ethType: u16('eth_type'),
    isIpv4: u8('is_ipv4'),
    ip4: [u32('ip4_0'), u32('ip4_1')],
    ip6: [u8('ip6_0'), u8('ip6_1')],
    epc: [values('l3_epc_id_0').i32, values('l3_epc_id_1').i32],
    closeType: u16('close_type'),
    protocol: u8('protocol'),
    status: u8('status'),
    captureNic: u32('capture_nic'),
    captureNicType: u8('capture_nic_type'),
    natSource: u8('nat_source'),
    tunnelType: u16('tunnel_type'),
    tunnelIsIpv4: u8('tunnel_is_ipv4'),
    l2End: [u8('l2_end_0'), u8('l2_end_1')],
    l3End: [u8('l3_end_0'), u8('l3_end_1')],
    vip: [u8('vip_0'), u8('vip_1')],
    observationPointNumber: u8('observation_point_number'),
    synCount: u32('syn_count'),
    synAckCount: u32('synack_count'),
    retransSyn: u32('retrans_syn'),
    retransSynAck: u32('retrans_synack'),
    clientError: u32('l7_client_error'),
    serverError: u32('l7_server_error'),
    error: u32('l7_error'),
    tunnel: tunnelColumns.map(values),
    performance: performanceColumns.map(values),
  };
}
