/** A table for a terminal, columns as wide as they need be. Nothing in a cell may steer the terminal; cells longer than `mostCell` are cut. */
export function textTable(head: readonly string[], rows: readonly (readonly string[])[], mostCell = 100): string {
  const table = [head, ...rows.map((row) => row.map((cell) => plain(cell, mostCell)))];
  const widths = head.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  return table
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function plain(cell: string, mostCell: number): string {
  const text = cell.replaceAll(/\p{C}/gu, '?');
  return text.length > mostCell ? `${text.slice(0, mostCell - 1)}…` : text;
}
