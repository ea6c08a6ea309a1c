/** Plain tables: columns aligned, the last ones cut to the terminal's width, no lines around them. */
export interface Column<Row> {
  readonly title: string
  readonly align?: 'left' | 'right'
  /** May be shortened, with `…`, down to this width when the terminal is narrow. */
  readonly shrinkTo?: number
  readonly cell: (row: Row) => string
}

const GAP = 2

/** Lines with their ends. `width` 0 = unlimited. `heading` decorates the first line. */
export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width: number,
  heading: (line: string) => string = (line) => line,
): string {
  const cells = rows.map((row) => columns.map((column) => column.cell(row)))
  const widths = columns.map((column, index) =>
    Math.max(column.title.length, ...cells.map((row) => row[index]?.length ?? 0)),
  )
  shrink(columns, widths, width)
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, index) => fit(text, widths[index] ?? 0, columns[index]?.align ?? 'left'))
      .join(' '.repeat(GAP))
      .trimEnd()
  return [heading(line(columns.map((column) => column.title))), ...cells.map(line)].map((text) => `${text}\n`).join('')
}

function shrink<Row>(columns: readonly Column<Row>[], widths: number[], limit: number): void {
  if (limit === 0) return
  const total = (): number => widths.reduce((sum, width) => sum + width, 0) + GAP * (widths.length - 1)
  for (const [index, column] of columns.entries()) {
    const excess = total() - limit
    if (excess <= 0) return
    if (column.shrinkTo !== undefined) widths[index] = Math.max(column.shrinkTo, (widths[index] ?? 0) - excess)
  }
}

function fit(text: string, width: number, align: 'left' | 'right'): string {
  const cut = text.length > width ? `${text.slice(0, Math.max(0, width - 1))}…` : text
  return align === 'right' ? cut.padStart(width) : cut.padEnd(width)
}
