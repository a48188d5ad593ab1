/** Outputs of a tile along each axis. */
export type TileSize = 2 | 4

/**
 * The matrices of F(m×m, 3×3): A minimal filtering algorithm computes m outputs of a window of three as aᵀ [(G g) ⊙ (Bᵀ d)], in m + 2
 * multiplications in place of 3 m, and nested in both axes an m × m tile in (m + 2)².
 */
export interface WinogradMatrices {
  /** (m + 2) × 3: of weights. */
  readonly weights: readonly (readonly number[])[]
  /** (m + 2) × (m + 2): of a tile of the input. */
  readonly input: readonly (readonly number[])[]
  /** m × (m + 2): back to outputs. */
  readonly output: readonly (readonly number[])[]
}

/** A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks" (2016), sections 4.1 and 4.3: points 0, ±1, ∞ and 0, ±1, ±2, ∞. */
export const winogradMatrices: Readonly<Record<TileSize, WinogradMatrices>> = {
  2: {
    weights: [
      [1, 0, 0],
      [1 / 2, 1 / 2, 1 / 2],
      [1 / 2, -1 / 2, 1 / 2],
      [0, 0, 1],
    ],
    input: [
      [1, 0, -1, 0],
      [0, 1, 1, 0],
      [0, -1, 1, 0],
      [0, 1, 0, -1],
    ],
    output: [
      [1, 1, 1, 0],
      [0, 1, -1, -1],
    ],
  },
  4: {
    weights: [
      [1 / 4, 0, 0],
      [-1 / 6, -1 / 6, -1 / 6],
      [-1 / 6, 1 / 6, -1 / 6],
      [1 / 24, 1 / 12, 1 / 6],
      [1 / 24, -1 / 12, 1 / 6],
      [0, 0, 1],
    ],
    input: [
      [4, 0, -5, 0, 1, 0],
      [0, -4, -4, 1, 1, 0],
      [0, 4, -4, -1, 1, 0],
      [0, -2, -1, 2, 1, 0],
      [0, 2, -1, -2, 1, 0],
      [0, 4, 0, -5, 0, 1],
    ],
    output: [
      [1, 1, 1, 1, 1, 0],
      [0, 1, -1, 2, -2, 0],
      [0, 1, 1, 4, 4, 0],
      [0, 1, -1, 8, -8, 1],
    ],
  },
}

/** Multiplications of a tile, one for each of its points. */
export const pointsOf = (size: TileSize): number => (size + 2) ** 2

/**
 * G g Gᵀ of a window of nine weights from `at` on, in f64, into `to`: one element for each point. Nothing is rounded before the caller
 * stores it as f32.
 */
export function transformWindow(size: TileSize, weights: ArrayLike<number>, at: number, to: Float64Array): void {
  const { weights: rows } = winogradMatrices[size]
  const side = size + 2
  for (let y = 0; y < side; y++) {
    const [a, b, c] = rows[y] as [number, number, number]
    const left = a * weights[at]! + b * weights[at + 3]! + c * weights[at + 6]!
    const middle = a * weights[at + 1]! + b * weights[at + 4]! + c * weights[at + 7]!
    const right = a * weights[at + 2]! + b * weights[at + 5]! + c * weights[at + 8]!
    for (let x = 0; x < side; x++) {
      const row = rows[x]!
      to[y * side + x] = row[0]! * left + row[1]! * middle + row[2]! * right
    }
  }
}
