import type { Interval } from './problem.ts'

/** A problem as a table: one buffer per line, under the names of the columns. */
export interface Table {
  readonly ids: readonly string[]
  readonly problem: readonly Interval[]
}

/** What is wrong with a table: a sentence with the line, counted from 1. */
export interface TableError {
  readonly line: number
  readonly message: string
}

/** Characters and buffers of a table at most: it may come from anywhere, and pairs of buffers are kept in memory. */
export const maximumCharacters = 4_000_000
export const maximumBuffers = 10_000

const columns = ['id', 'lower', 'upper', 'size'] as const

/**
 * Reads `id,lower,upper,size`, in any order of columns: a buffer of `size` bytes that is live from time `lower` up to, not including,
 * `upper`. Whole numbers, ids once each, no quotes. Lists at most the first ten mistakes.
 */
export function readTable(text: string): { readonly table: Table } | { readonly errors: readonly TableError[] } {
  if (text.length > maximumCharacters)
    return { errors: [{ line: 1, message: `the file has more than ${maximumCharacters} characters` }] }
  const lines = text.replace(/^\ufeff/, '').split(/\r\n|\n|\r/)
  while (lines.length > 0 && lines.at(-1)!.trim() === '') lines.pop()
  const header = (lines[0] ?? '').split(',').map((name) => name.trim())
  if (header.length !== columns.length || !columns.every((name) => header.includes(name)))
    return { errors: [{ line: 1, message: `expected the columns ${columns.join(',')}, found ${quote(lines[0] ?? '')}` }] }
  if (lines.length - 1 > maximumBuffers)
    return { errors: [{ line: maximumBuffers + 2, message: `the file has more than ${maximumBuffers} buffers` }] }

  const errors: TableError[] = []
  const linesOf = new Map<string, number>()
  const problem: Interval[] = []
  let sum = 0
  for (const [i, text] of lines.entries()) {
    if (i === 0) continue
    const row = readRow(text, header)
    const id = typeof row === 'string' ? '' : row.id
    const earlier = linesOf.get(id)
    if (typeof row === 'string') errors.push({ line: i + 1, message: row })
    else if (earlier !== undefined) errors.push({ line: i + 1, message: `id ${quote(id)} stands in line ${earlier} too` })
    else {
      linesOf.set(id, i + 1)
      problem.push(row.interval)
      sum += row.interval.bytes
      if (sum > Number.MAX_SAFE_INTEGER) errors.push({ line: i + 1, message: 'the sum of sizes is beyond 2^53' })
    }
    if (errors.length === 10) break
  }
  return errors.length > 0 ? { errors } : { table: { ids: [...linesOf.keys()], problem } }
}

/** The table with a column `offset`; lines end as they do everywhere here. */
export function printTable({ ids, problem }: Table, offsets: readonly number[]): string {
  const rows = problem.map(({ start, end, bytes }, i) => `${ids[i]},${start},${end},${bytes},${offsets[i]}`)
  return `${[[...columns, 'offset'].join(','), ...rows].join('\n')}\n`
}

const quote = (text: string): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)

function readRow(text: string, header: readonly string[]): { readonly id: string; readonly interval: Interval } | string {
  const cells = text.split(',').map((cell) => cell.trim())
  if (cells.length !== header.length)
    return `expected ${header.length} values, found ${text.trim() === '' ? 'none' : cells.length}`
  const cell = (name: (typeof columns)[number]) => cells[header.indexOf(name)]!
  const id = cell('id')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ids are printed.
  if (id === '' || /["\u0000-\u001f\u007f]/.test(id)) return `id ${quote(id)} is empty or has quotes or control characters`
  for (const name of ['lower', 'upper', 'size'] as const)
    if (!/^\d{1,16}$/.test(cell(name)) || !Number.isSafeInteger(Number(cell(name))))
      return `${name} ${quote(cell(name))} is not a whole number from 0 to 2^53 − 1`
  const [start, end, bytes] = [Number(cell('lower')), Number(cell('upper')), Number(cell('size'))]
  if (start >= end) return `lower ${start} is not less than upper ${end}`
  return { id, interval: { bytes, start, end } }
}
