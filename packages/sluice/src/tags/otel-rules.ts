import { observationPoints } from '../catalog/observation-points.ts';
import type { EndColumns } from './end-columns.ts';
import type { RowColumns } from './row-columns.ts';
import { autoType, INTERNET } from './tag-bits.ts';

/** Which rows come from OpenTelemetry: those whose value in a column is this one. */
export interface OtelRows {
  readonly column: Uint8Array | Uint16Array;
  readonly value: number;
}

/** Nobody knows of an OpenTelemetry end whether it is on the Internet: what has no VPC and no tag is unknown, and shown as its address. */
export function correctOtelEnd(end: EndColumns, rows: number, otel: OtelRows): void {
  const { vpc, autoInstanceType, autoServiceType } = end;
  const { column, value } = otel;
  for (let row = 0; row < rows; row++) {
    if (column[row] !== value) continue;
    if (vpc[row] === INTERNET) vpc[row] = 0;
    if (autoInstanceType[row] === autoType.internet) autoInstanceType[row] = autoType.address;
    if (autoServiceType[row] === autoType.internet) autoServiceType[row] = autoType.address;
  }
}

/** A server's span without a port gets one, so that it is not taken for a client's. */
export function correctOtelPort(columns: RowColumns, rows: number, otel: OtelRows): void {
  const { serverPort } = columns;
  const { column, value } = otel;
  for (let row = 0; row < rows; row++) {
    if (column[row] !== value || serverPort[row] !== 0) continue;
    if (columns.point[row] === observationPoints['s-app']) serverPort[row] = 65_535;
  }
}
