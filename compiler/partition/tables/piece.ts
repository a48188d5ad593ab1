import type { Holder, Piece, Table } from './problem.ts'

/** A table or a part of one, before it has a holder. */
export type Part = { readonly table: Table } & (
  | { readonly by: 'whole' }
  | { readonly by: 'rows'; readonly part: number; readonly parts: number }
  | { readonly by: 'columns'; readonly from: number; readonly to: number }
)

/** Rows of that part of a table: those whose number leaves `part` when divided by `parts`. */
const rowsOf = (rows: number, part: number, parts: number): number => Math.ceil((rows - part) / parts)

/** Bytes of one row of it. */
function rowBytesOf(part: Part): number {
  const { rowBytes, elements } = part.table
  return part.by === 'columns' ? (rowBytes / elements) * (part.to - part.from) : rowBytes
}

const tableBytesOf = (part: Part): number =>
  (part.by === 'rows' ? rowsOf(part.table.rows, part.part, part.parts) : part.table.rows) * rowBytesOf(part)

/** Bytes that it takes where it is. What moves with a table moves with each of its parts. */
export const bytesOf = (part: Part): number => tableBytesOf(part) + (part.table.besideBytes ?? 0)

/** Seconds that a request is expected to take on a holder for it. */
export function secondsOf(part: Part, holder: Holder): number {
  const lookups = part.table.lookups / (part.by === 'rows' ? part.parts : 1)
  const each = holder.secondsPerLookup + rowBytesOf(part) * holder.secondsPerByte(tableBytesOf(part))
  return lookups * each + (part.table.besideSeconds ?? 0)
}

/** Rows shorter than this are read as slowly as if they had as many bytes: a line of a cache. */
const shortestRow = 64

/**
 * A table cut into so many parts: by columns while what is left of a row is worth a transfer from memory, since each part then does the same
 * lookups, whatever the indices are, and by rows else. As many parts as it has rows at most.
 */
export function cut(table: Table, parts: number): readonly Part[] {
  if (parts <= 1) return [{ table, by: 'whole' }]
  const { elements, rowBytes, rows } = table
  if (elements >= parts && rowBytes / parts >= shortestRow)
    return Array.from({ length: parts }, (_, i) => ({
      table,
      by: 'columns',
      from: Math.floor((elements * i) / parts),
      to: Math.floor((elements * (i + 1)) / parts),
    }))
  const count = Math.min(parts, rows)
  return Array.from({ length: count }, (_, part) => ({ table, by: 'rows', part, parts: count }))
}

/** The part as a piece of a placement. */
export const pieceOf = ({ table, ...rest }: Part, holder: Holder): Piece => ({ ...rest, table: table.name, holder: holder.name })
