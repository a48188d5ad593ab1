import type { Column } from './abstraction.ts'
import { arithmetic, numberOf, type Scalar } from './program.ts'

type Formula = (written: (column: Column) => Scalar) => Scalar

/** Sizes, whose ratios mean something. */
const sizes = new Set(['to', 'from', 'channels', 'size', 'width', 'rows', 'groups', 'part', 'start', 'stop'])
const isIndex = ({ roles }: Column): boolean => roles.some((role) => role.startsWith('index:'))
const isSize = ({ roles }: Column): boolean => roles.some((role) => sizes.has(role))

/**
 * Columns of numbers that follow from others in every row: multiples and fractions of sizes, indices at a fixed distance, and the padding
 * that keeps an extent.
 */
export function deriveColumns(columns: readonly Column[]): {
  readonly kept: readonly Column[]
  readonly formulas: ReadonlyMap<Column, Formula>
} {
  const formulas = new Map<Column, Formula>()
  const numbers = new Map<Column, readonly number[]>()
  for (const column of columns) {
    if (column.kind !== 'number') continue
    const values = column.cells.map((cell) =>
      cell.kind === 'number' && typeof cell.value === 'number' ? cell.value : Number.NaN,
    )
    if (values.every(Number.isSafeInteger)) numbers.set(column, values)
  }
  const kept: Column[] = []
  for (const column of columns) {
    const values = numbers.get(column)
    const formula = (values && (keepingExtent(column, values) ?? scaled(column, values))) ?? shifted(column)
    if (formula) formulas.set(column, formula)
    else kept.push(column)
  }
  return { kept, formulas }

  function keepingExtent(column: Column, values: readonly number[]): Formula | undefined {
    if (!column.roles.includes('padding')) return undefined
    for (const kernel of kept) {
      const widths = kernel.roles.includes('kernel') || kernel.roles.includes('window') ? numbers.get(kernel) : undefined
      if (!widths || widths.some((width) => width % 2 === 0)) continue
      const half: Formula = (written) => arithmetic(arithmetic(written(kernel), '-', numberOf(1)), '/', numberOf(2))
      if (values.every((value, i) => value === (widths[i]! - 1) / 2)) return half
      for (const dilation of columns) {
        const steps = dilation.roles.includes('dilation') ? numbers.get(dilation) : undefined
        if (steps && values.every((value, i) => value === (steps[i]! * (widths[i]! - 1)) / 2))
          return (written) => arithmetic(written(dilation), '*', half(written))
      }
    }
    return undefined
  }

  function scaled(column: Column, values: readonly number[]): Formula | undefined {
    if (!isSize(column) || column.roles.includes('stop')) return undefined
    for (const other of kept) {
      const base = isSize(other) && !other.roles.includes('start') ? numbers.get(other) : undefined
      if (!base || base[0] === 0 || values[0] === 0) continue
      const ratio = values[0]! / base[0]!
      if (!values.every((value, i) => value === ratio * base[i]!)) continue
      if (Number.isInteger(ratio) && ratio <= 64) return (written) => arithmetic(written(other), '*', numberOf(ratio))
      if (Number.isInteger(1 / ratio) && 1 / ratio <= 64) return (written) => arithmetic(written(other), '/', numberOf(1 / ratio))
    }
    return undefined
  }

  function shifted(column: Column): Formula | undefined {
    const isEnd = column.roles.includes('stop')
    if (!isIndex(column) && !isEnd) return undefined
    for (const other of kept) {
      if (!(isIndex(column) && isIndex(other)) && !(isEnd && other.roles.includes('start'))) continue
      const distances = column.cells.map((cell, i) => distance(other.cells[i]!, cell))
      const [first] = distances
      if (first === undefined || !distances.every((one) => one === first)) continue
      return (written) => arithmetic(written(other), first < 0 ? '-' : '+', numberOf(Math.abs(first)))
    }
    return undefined
  }
}

/** A scalar as something plus a whole number. */
function offsetOf(scalar: Scalar): readonly [base: string, offset: number] {
  if (scalar.kind === 'number') return ['', Number(scalar.value)]
  if (scalar.kind !== 'arithmetic' || scalar.right.kind !== 'number') return [scalar.key, 0]
  if (scalar.operator !== '+' && scalar.operator !== '-') return [scalar.key, 0]
  return [scalar.left.key, scalar.operator === '+' ? Number(scalar.right.value) : -Number(scalar.right.value)]
}

/** How much larger one scalar is than another, where that does not depend on parameters. */
function distance(from: Scalar, to: Scalar): number | undefined {
  const [[base, start], [other, end]] = [offsetOf(from), offsetOf(to)]
  return base === other && Number.isSafeInteger(end - start) ? end - start : undefined
}

const families: Readonly<Record<string, string>> = Object.fromEntries([
  ...[...sizes].map((role) => [role, 'size']),
  ['start', 'position'],
  ['stop', 'position'],
  ['window', 'kernel'],
])

/**
 * Numbers of different families are different things, even where they are equal. The place of a part in a tensor and the number in its name
 * are one where `rows` of them agree, as the layer of a cache.
 */
export function familyOf(role: string, rows: number): string {
  const family = role.startsWith('index:') ? 'index' : Object.hasOwn(families, role) ? families[role]! : role
  return rows > 2 && (family === 'position' || family === 'value') ? 'index' : family
}
