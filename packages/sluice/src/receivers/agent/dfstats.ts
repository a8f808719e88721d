import type { RowBlock } from '../../batch/row-block.ts';
import { deepflowCollector, deepflowServer } from '../../catalog/external-metrics.ts';
import type { DataSource } from '../../catalog/types.ts';
import { outsideWindow } from '../accept-window.ts';
import { columnIndexes } from '../column-indexes.ts';
import { FieldScan } from '../field-scan.ts';
import type { Dropped, RecordDecoder, Sender } from '../record-decoder.ts';
import type { RowTarget } from '../row-target.ts';
import { type MessagePlans, toColumn, toNumbers, toRegister, toTexts } from '../wire-plans.ts';
import { WireWalker } from '../wire-walker.ts';

export interface StatsOptions {
  readonly target: RowTarget;
  /** Organisations that are taken. */
  readonly organisations: readonly number[];
}

const TIME = 0;

const plans: MessagePlans = {
  stats: {
    1: toRegister(TIME),
    2: toColumn('virtual_table_name'),
    3: toTexts('tag_names'),
    4: toTexts('tag_values'),
    7: toTexts('metrics_float_names'),
    8: toNumbers('metrics_float_values'),
  },
};

const NAME_FIELD = 2;
const ORGANISATION_FIELD = 9;
const TEAM_FIELD = 10;

/** DFSTATS: what an agent tells of itself becomes a row of deepflow_tenant.deepflow_collector. */
export function createAgentStatsDecoder(options: StatsOptions): RecordDecoder {
  return new StatsDecoder(options, deepflowCollector);
}

/** SERVER_DFSTATS: what a server tells of itself: of an organisation into its deepflow_tenant.deepflow_collector, else into deepflow_admin.deepflow_server. */
export function createServerStatsDecoder(options: StatsOptions): RecordDecoder {
  return new StatsDecoder(options, deepflowServer);
}

/**
 * Records without a name are dropped (`empty_name`), so are those whose names and values differ in number (`unequal_lists`), of an organisation that is
 * not taken (`organisation`), `malformed`, `too_old` or `too_new` ones. The organisation in a record wins over the frame's.
 */
class StatsDecoder implements RecordDecoder {
  readonly #target: RowTarget;
  readonly #organisations: ReadonlySet<number>;
  readonly #scan = new FieldScan();
  /** Where records go that name no organisation, and where those that do. */
  readonly #ofNone: StatsRows;
  readonly #ofTenant: StatsRows;

  constructor({ target, organisations }: StatsOptions, ofNone: DataSource) {
    this.#target = target;
    this.#organisations = new Set(organisations);
    this.#ofTenant = new StatsRows(deepflowCollector);
    this.#ofNone = ofNone === deepflowCollector ? this.#ofTenant : new StatsRows(ofNone);
  }

  decode(bytes: Uint8Array, start: number, end: number, sender: Sender): Dropped | undefined {
    const scan = this.#scan;
    let [organisation, team, isNamed] = [0, 0, false];
    scan.begin(bytes, start, end);
    while (scan.next()) {
      if (scan.field === NAME_FIELD && scan.wireType === 2) isNamed = scan.end > scan.start;
      else if (scan.field === ORGANISATION_FIELD && scan.wireType === 0) organisation = scan.low;
      else if (scan.field === TEAM_FIELD && scan.wireType === 0) team = scan.low;
    }
    if (scan.isMalformed) return 'malformed';
    if (!isNamed) return 'empty_name';
    if (organisation !== 0 && !this.#organisations.has(organisation)) return 'organisation';
    const rows = organisation === 0 ? this.#ofNone : this.#ofTenant;
    const block = this.#target.block(rows.source, organisation === 0 ? sender.org : organisation);
    const facts = { bytes, start, end, team: organisation === 0 ? sender.team : team || 1 };
    const dropped = rows.write(block, facts);
    if (dropped !== undefined) block.abandon();
    return dropped;
  }
}

interface StatsRecord {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly team: number;
}

/** Rows of one of the two tables, which have the same columns. */
class StatsRows {
  readonly source: DataSource;
  readonly #walker = new WireWalker(plans);
  readonly #at;

  constructor(source: DataSource) {
    this.source = source;
    this.#at = columnIndexes(source, [
      'time',
      'team_id',
      'tag_names',
      'tag_values',
      'metrics_float_names',
      'metrics_float_values',
    ]);
  }

  write(block: RowBlock, { bytes, start, end, team }: StatsRecord): Dropped | undefined {
    const at = this.#at;
    const walker = this.#walker;
    walker.begin(block, bytes);
    if (!walker.walk(walker.message('stats'), start, end)) return 'malformed';
    if (
      block.pending(at.tag_names) !== block.pending(at.tag_values) ||
      block.pending(at.metrics_float_names) !== block.pending(at.metrics_float_values)
    ) {
      return 'unequal_lists';
    }
    const seconds = walker.high[TIME]! * 4_294_967_296 + walker.low[TIME]!;
    const outside = outsideWindow(block, seconds);
    if (outside !== undefined) return outside;
    block.setNumber(at.time, seconds);
    block.setNumber(at.team_id, team);
    block.commit(seconds * 1000);
    return undefined;
  }
}
