import type { RowBlock } from '../../batch/row-block.ts';
import { roleOf } from '../../catalog/observation-points.ts';
import type { Dropped } from '../record-decoder.ts';
import { WireWalker } from '../wire-walker.ts';
import { DerivedSums } from './derived-sums.ts';
import { type DocumentForm, register } from './document-plans.ts';
import { EndColumns } from './end-columns.ts';
import { observationPoint } from '../observation-points.ts';
import { captureNicTypeOf, natSourceOf, tunnelTypeOf } from './tap-port.ts';

/** Documents of one kind, written into pending rows of its table: everything that a document says itself. */
export class DocumentRows {
  /** Column of the team. */
  team = -1;
  readonly #form: DocumentForm;
  readonly #walker: WireWalker;
  readonly #root: number;
  /** Sums, and the message of whose values they are made. */
  readonly #sums: readonly { readonly message: number; readonly sums: DerivedSums }[];
  readonly #ends: readonly EndColumns[];
  #block: RowBlock | undefined;
  #generation = -1;
  #isIpv4: Uint8Array = new Uint8Array(0);
  #role: Uint8Array = new Uint8Array(0);
  #observationPoint = -1;
  #observationPointNumber: Uint8Array = new Uint8Array(0);
  #captureNic: Uint32Array = new Uint32Array(0);
  #captureNicType: Uint8Array = new Uint8Array(0);
  #natSource: Uint8Array = new Uint8Array(0);
  #tunnelType: Uint8Array = new Uint8Array(0);

  constructor(form: DocumentForm) {
    this.#form = form;
    this.#walker = new WireWalker(form.plans);
    this.#root = this.#walker.message('document');
    this.#sums = Object.entries(form.sums).map(([message, sums]) => ({
      message: this.#walker.message(message),
      sums: new DerivedSums(sums),
    }));
    const suffixes = form.ends === 'two' ? ['_0', '_1'] : form.ends === 'one' ? [''] : [];
    this.#ends = suffixes.map((suffix) => new EndColumns(suffix));
  }

  /** Writes the document in [start, end); a reason means that the pending row is to be abandoned. */
  write(block: RowBlock, bytes: Uint8Array, start: number, end: number): Dropped | undefined {
    if (block !== this.#block || block.generation !== this.#generation) this.#bind(block);
    const walker = this.#walker;
    walker.begin(block, bytes);
    if (!walker.walk(this.#root, start, end)) return 'malformed';
    if ((walker.low[register.meter]! & 0xff) !== this.#form.meter) return 'meter_mismatch';
    const row = block.rows;
    for (const { message, sums } of this.#sums) if (walker.entered[message] === 1) sums.fill(row);
    return this.#form.ends === 'none' || this.#writeTag(block, bytes, row) ? undefined : 'bad_address';
  }

  #writeTag(block: RowBlock, bytes: Uint8Array, row: number): boolean {
    const { low, high, start, end } = this.#walker;
    const isIpv6 = (low[register.isIpv6]! & 0xff) !== 0;
    const [first, second] = this.#ends as readonly [EndColumns, EndColumns | undefined];
    if (!first.writeAddress(row, bytes, start[register.address]!, end[register.address]!, isIpv6)) return false;
    this.#isIpv4[row] = isIpv6 ? 0 : 1;
    const direction = low[register.direction]!;
    const point = low[register.observationPoint]! & 0xff;
    this.#observationPointNumber[row] = point;
    if (second === undefined) {
      first.pod[row] = low[register.pod]!;
      this.#role[row] = roleOf(direction);
    } else {
      if (!second.writeAddress(row, bytes, start[register.address1]!, end[register.address1]!, isIpv6)) return false;
      // The pod is that of the end the agent is at.
      (roleOf(direction) === SERVER ? second : first).pod[row] = low[register.pod]!;
      const port = high[register.tapPort]!;
      this.#captureNic[row] = low[register.tapPort]!;
      this.#captureNicType[row] = captureNicTypeOf(port);
      this.#natSource[row] = natSourceOf(port);
      this.#tunnelType[row] = tunnelTypeOf(port);
      block.setConstant(this.#observationPoint, observationPoint(point));
    }
    return true;
  }

  #bind(block: RowBlock): void {
    this.#block = block;
    this.#generation = block.generation;
    this.team = block.column('team_id');
    for (const { sums } of this.#sums) sums.bind(block);
    if (this.#form.ends === 'none') return;
    for (const end of this.#ends) end.bind(block);
    const values = (name: string) => block.fixed[block.column(name)]!;
    this.#isIpv4 = values('is_ipv4').u8;
    this.#observationPointNumber = values('observation_point_number').u8;
    if (this.#form.ends === 'one') {
      this.#role = values('role').u8;
      return;
    }
    this.#observationPoint = block.column('observation_point');
    this.#captureNic = values('capture_nic').u32;
    this.#captureNicType = values('capture_nic_type').u8;
    this.#natSource = values('nat_source').u8;
    this.#tunnelType = values('tunnel_type').u8;
  }
}

/** Role of the server's end. */
const SERVER = 1;
