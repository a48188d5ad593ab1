import { block, type Lines } from '../text.ts'
import type { TileStep } from './tile.ts'

/** Steps of the depth that one pass holds: more are no faster, and are more code to compile. */
const perPass = 4

/** The inner loop of a tile at a level with fences, over the pointers `a`, of which a row's element is read by each step, and `b`. */
export interface FencedLoop {
  readonly depth: number
  /** The second pointer where it is not `b`. */
  readonly right?: string
  /** The elements of the rows at `a`, and vectors at `b + at`. */
  readonly broadcast: (row: number) => string
  readonly stream: (vector: number, at: number) => string
  /** From one step to the next: elements of the left and of the right operand. */
  readonly leftStep: number
  readonly pitch: number
  readonly write: (list: readonly TileStep[]) => Lines
}

/**
 * Between steps stands a branch that is never taken, out of the loop: no vector lies at an address that small. Offsets of streamed vectors
 * are part of the loads, those of broadcasts are not: `a` moves. 50 GFLOP/s of 59 in V8 11.3 instead of 40 with one step in a pass without
 * fences, and 37 with two.
 */
export function fencedLoop({ depth, right = 'b', broadcast, stream, leftStep, pitch, write }: FencedLoop): Lines {
  const pass = (count: number) => [
    'FRESH(a);',
    `FRESH(${right});`,
    ...write(
      Array.from({ length: count }, (_, k) => ({
        broadcast,
        stream: (vector) => stream(vector, k * pitch),
        behind: [`a += ${leftStep};`, 'FRESH(a);', ...(k < count - 1 ? [`FENCE(${right}, ${k + 1});`] : [])],
      })),
    ),
    `${right} += ${count * pitch};`,
  ]
  const whole = depth - (depth % perPass)
  const over = (steps: number) =>
    steps > perPass
      ? [
          '{',
          `  const void *const end = ${right} + ${steps * pitch};`,
          ...block(`while (${right} != end)`, pass(perPass)).map((line) => `  ${line}`),
          '}',
        ]
      : steps > 0
        ? block('do', pass(steps)).slice(0, -1).concat('} while (0);')
        : []
  return [...over(whole), ...over(depth - whole)]
}
