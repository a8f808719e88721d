/** A batch that is not confirmed: the least of its rows, or lower. */
export interface Piece {
  least: number;
}

/**
 * How far an exporter is with one partition: everything below `confirmed` was sent, set aside, or left out by a filter.
 *
 * A lane's batches are confirmed first to last, so each lane has a queue of them and only the heads count. For that the heads must be the least:
 * a piece whose rows lie below those of an earlier one lowers the earlier one with it.
 */
export class Progress {
  #readTo: number;
  readonly #lanes: readonly Piece[][];

  /** `firstRow`: the first row that was read. */
  constructor(lanes: number, firstRow: number) {
    this.#readTo = firstRow;
    this.#lanes = Array.from({ length: lanes }, () => []);
  }

  /** Rows below were read: what is to be sent of them is in the pieces. */
  get readTo(): number {
    return this.#readTo;
  }

  /** Adds the pieces of rows below `row` first. */
  advance(row: number): void {
    if (row > this.#readTo) this.#readTo = row;
  }

  add(lane: number, least: number): Piece {
    const pieces = this.#lanes[lane]!;
    const piece = { least };
    pieces.push(piece);
    this.#lower(pieces, pieces.length - 1);
    return piece;
  }

  /** The piece got a row. */
  include(lane: number, piece: Piece, row: number): void {
    if (row >= piece.least) return;
    piece.least = row;
    const pieces = this.#lanes[lane]!;
    this.#lower(pieces, pieces.lastIndexOf(piece));
  }

  /** A part of the lane's first piece is done; `least` is the least row of the rest. */
  shrink(lane: number, piece: Piece, least: number): void {
    const pieces = this.#lanes[lane]!;
    if (pieces[0] === piece) piece.least = Math.max(piece.least, Math.min(least, pieces[1]?.least ?? Infinity));
  }

  /** The piece is done, or others take its place. */
  remove(lane: number, piece: Piece): void {
    const pieces = this.#lanes[lane]!;
    if (pieces[0] === piece) pieces.shift();
    else pieces.splice(pieces.lastIndexOf(piece), 1);
  }

  confirmed(): number {
    let row = this.#readTo;
    for (const pieces of this.#lanes) {
      const head = pieces[0];
      if (head !== undefined && head.least < row) row = head.least;
    }
    return row;
  }

  #lower(pieces: readonly Piece[], from: number): void {
    const { least } = pieces[from]!;
    for (let i = from - 1; i >= 0 && pieces[i]!.least > least; i--) pieces[i]!.least = least;
  }
}
