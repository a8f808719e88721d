import type { LabelList } from '../../base/label-fields.ts';
import type { ActiveSeries } from '../../base/ports.ts';
import type { Batch } from '../../batch/batch.ts';
import { BatchBuilder, type FixedBuilder, type StringBuilder } from '../../batch/builder.ts';
import { series, seriesTags } from '../../catalog/prometheus.ts';
import { nameLabel } from './new-series.ts';
import { LabelColumn, PointColumns } from './point-columns.ts';

/** An announcement: the labels as ranges of `bytes`, and the tag row, if there is one. */
export interface Announcement {
  readonly series: number;
  readonly list: LabelList;
  readonly bytes: Uint8Array;
  readonly validFrom: number;
  readonly tags: Uint32Array | undefined;
}

/** Rows of prometheus.series. */
export class SeriesRows {
  readonly #points = new PointColumns(new BatchBuilder(series, 64));
  readonly #validFrom: FixedBuilder = this.#points.builder.fixed('valid_from');
  readonly #name: StringBuilder = this.#points.builder.string('metric_name');
  readonly #labels = new LabelColumn(this.#points.builder);
  readonly #tags: readonly FixedBuilder[] = seriesTags.map(({ name }) => this.#points.builder.fixed(name));

  get rows(): number {
    return this.#points.builder.rows;
  }

  push({ ids }: Pick<ActiveSeries, 'ids'>, nowMs: number, announcement: Announcement): void {
    const { list, bytes, validFrom, tags } = announcement;
    const name = nameLabel(list, bytes);
    this.#points.push(ids, announcement.series, nowMs % 4294967296, Math.floor(nowMs / 4294967296), nowMs);
    this.#validFrom.appendHalves(validFrom % 4294967296, Math.floor(validFrom / 4294967296));
    this.#name.append(bytes, list.valueStart(name), list.valueEnd(name));
    this.#labels.push(list, bytes, name);
    let at = 0;
    for (const column of this.#tags) {
      if (column.width <= 4) column.appendUint(tags?.[at++] ?? 0);
      else {
        column.reserve(1);
        const row = column.rows++ * 4;
        for (let word = 0; word < 4; word++) column.u32[row + word] = tags?.[at++] ?? 0;
      }
    }
  }

  finish(org: number, into: Batch[]): void {
    this.#points.finish(org, into);
  }

  reset(): void {
    this.#points.reset();
  }
}
