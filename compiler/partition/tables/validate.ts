import { bytesOf, type Part, secondsOf } from './piece.ts'
import type { Holder, Piece, Table, TablePlacement, TableProblem } from './problem.ts'

/** What one holder has after a placement. */
export interface HolderLoad {
  readonly holder: string
  readonly pieces: number
  readonly bytes: number
  readonly seconds: number
}

/** What each holder has to hold and to do, in the order of the problem; pieces of unknown tables and holders are left out. */
export function loadsOf(problem: TableProblem, { pieces }: TablePlacement): readonly HolderLoad[] {
  const tables = new Map(problem.tables.map((table) => [table.name, table]))
  return problem.holders.map((holder) => {
    const parts = pieces.filter((piece) => piece.holder === holder.name).flatMap((piece) => partOf(piece, tables))
    return {
      holder: holder.name,
      pieces: parts.length,
      bytes: parts.reduce((sum, part) => sum + bytesOf(part), 0),
      seconds: parts.reduce((sum, part) => sum + secondsOf(part, holder), holder.otherSeconds),
    }
  })
}

function partOf({ holder: _, table, ...rest }: Piece, tables: ReadonlyMap<string, Table>): readonly Part[] {
  const found = tables.get(table)
  return found ? [{ ...rest, table: found } as Part] : []
}

/** Everything that is wrong with a placement: unknown names, parts that are missing or there twice, holders with more than they hold. */
export function validatePlacement(problem: TableProblem, placement: TablePlacement): readonly string[] {
  const problems: string[] = []
  const tables = new Map(problem.tables.map((table) => [table.name, table]))
  const holders = new Map<string, Holder>(problem.holders.map((holder) => [holder.name, holder]))
  for (const { table, holder } of placement.pieces) {
    if (!tables.has(table)) problems.push(`there is no table '${table}'`)
    if (!holders.has(holder)) problems.push(`table '${table}' is on '${holder}', which is no holder`)
  }
  for (const table of problem.tables) {
    const pieces = placement.pieces.filter((piece) => piece.table === table.name)
    const wrong = coverage(table, pieces)
    if (wrong) problems.push(`table '${table.name}' ${wrong}`)
  }
  for (const { holder, bytes } of loadsOf(problem, placement)) {
    const room = holders.get(holder)!.bytes
    if (bytes > room) problems.push(`'${holder}' has ${room} bytes, ${bytes} are placed there`)
  }
  return problems
}

/** What is wrong with the pieces of one table, if anything is. */
function coverage({ elements, rows }: Table, pieces: readonly Piece[]): string | undefined {
  const [first, ...others] = pieces
  if (!first) return 'is nowhere'
  if (others.some(({ by }) => by !== first.by)) return 'is cut in two ways'
  if (first.by === 'whole') return others.length > 0 ? `is in ${pieces.length} places` : undefined
  if (first.by === 'rows') {
    const seen = new Set(pieces.map((piece) => piece.by === 'rows' && piece.parts === first.parts && piece.part))
    const complete =
      seen.size === first.parts && pieces.length === first.parts && [...seen].every((part) => Number(part) < first.parts)
    return complete && first.parts <= rows ? undefined : `is not in ${first.parts} parts by rows, each once`
  }
  const spans = pieces.flatMap((piece) => (piece.by === 'columns' ? [piece] : [])).sort((a, b) => a.from - b.from)
  let reached = 0
  for (const { from, to } of spans) {
    if (from !== reached || to <= from) return `has columns ${reached} to ${from} twice or nowhere`
    reached = to
  }
  return reached === elements ? undefined : `has columns up to ${reached} of ${elements}`
}
