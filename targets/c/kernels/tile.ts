import { type Arithmetic, singles } from '../arithmetic.ts'
import { block, type Lines } from '../text.ts'

/** One multiply-add step for all accumulators: an element to broadcast for each row, a vector for each column of vectors. */
export interface TileStep {
  readonly broadcast: (row: number) => string
  readonly stream: (vector: number) => string
  /** Statements behind the step. Default: none. */
  readonly behind?: Lines
}

/**
 * A register tile: accumulators `c{row}_{vector}` that stay in registers while the inner loop adds products to them. They are named
 * variables, because compilers do not keep arrays in registers. One pass of the inner loop should hold about eight multiply-adds: V8
 * orders the operations of a basic block anew, and in larger ones it loads everything first and spills; fences (`fence.ts`) end a block.
 */
export interface Tile {
  readonly rows: number
  readonly vectors: number
  /** Default: f32. */
  readonly arithmetic?: Arithmetic
  readonly initial: (row: number, vector: number) => string
  /** The inner loop: statements around the written-out steps. */
  readonly inner: (steps: (list: readonly TileStep[]) => Lines) => Lines
  /** Independent sets of accumulators, taken in turn by the steps and added up at the end: for tiles too small to hide latency. */
  readonly sets?: number
}

export function tileLines(tile: Tile): Lines {
  const sets = tile.sets ?? 1
  const { vector: type, sums = type, zero, splat, multiplyAdd } = tile.arithmetic ?? singles
  const name = (row: number, vector: number, set: number) => `c${row}_${vector}${set > 0 ? `_${set}` : ''}`
  const grid = Array.from(
    { length: tile.rows * tile.vectors },
    (_, i) => [Math.floor(i / tile.vectors), i % tile.vectors] as const,
  )
  const setIndices = Array.from({ length: sets }, (_, set) => set)
  const declared = setIndices.flatMap((set) =>
    grid.map(([row, vector]) => `${name(row, vector, set)} = ${set === 0 ? tile.initial(row, vector) : zero}`),
  )
  const steps = (list: readonly TileStep[]) =>
    list.flatMap((step, i) => {
      const vectors = Array.from({ length: tile.vectors }, (_, vector) => `b${vector} = ${step.stream(vector)}`)
      return block('', [
        `const ${type} ${vectors.join(', ')};`,
        ...Array.from({ length: tile.rows }, (_, row) => {
          const adds = Array.from({ length: tile.vectors }, (_, vector) =>
            multiplyAdd(name(row, vector, i % sets), 's', `b${vector}`),
          )
          return `{ const ${type} s = ${splat(step.broadcast(row))}; ${adds.join(' ')} }`
        }),
      ]).concat(step.behind ?? [])
    })
  const combined = grid.flatMap(([row, vector]) =>
    sets > 1
      ? [
          `${name(row, vector, 0)} += ${setIndices
            .slice(1)
            .map((set) => name(row, vector, set))
            .join(' + ')};`,
        ]
      : [],
  )
  return [`${sums} ${declared.join(', ')};`, ...tile.inner(steps), ...combined]
}

/** `total` as tiles of `size` and one smaller tile at the end: loop bounds for exact tails. */
export const split = (total: number, size: number): { readonly whole: number; readonly rest: number } => ({
  whole: total - (total % size),
  rest: total % size,
})
