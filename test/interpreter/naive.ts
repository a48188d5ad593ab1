/** Straightforward implementations over coordinates, for comparison: slow, without any of the interpreter's index arithmetic. */

export interface Windowed {
  readonly stride: readonly number[]
  readonly before: readonly number[]
  readonly after: readonly number[]
  readonly dilation: readonly number[]
}

/** A dense tensor read by coordinates; undefined outside. */
export function reader(shape: readonly number[], values: ArrayLike<number>): (at: readonly number[]) => number | undefined {
  return (at) => {
    let index = 0
    for (const [axis, extent] of shape.entries()) {
      if (at[axis]! < 0 || at[axis]! >= extent) return undefined
      index = index * extent + at[axis]!
    }
    return values[index]
  }
}

/** All coordinates of a shape in row-major order. */
export function positions(shape: readonly number[]): number[][] {
  return shape.reduce<number[][]>(
    (lists, extent) => lists.flatMap((list) => Array.from({ length: extent }, (_, i) => [...list, i])),
    [[]],
  )
}

const extents = (input: readonly number[], window: readonly number[], w: Windowed) =>
  window.map((k, i) => Math.floor((input[i]! + w.before[i]! + w.after[i]! - (w.dilation[i]! * (k - 1) + 1)) / w.stride[i]!) + 1)

const tapAt = (at: readonly number[], tap: readonly number[], w: Windowed) =>
  at.map((p, i) => p * w.stride[i]! - w.before[i]! + tap[i]! * w.dilation[i]!)

export function naiveConv(
  inputShape: readonly number[],
  input: ArrayLike<number>,
  weightShape: readonly number[],
  weight: ArrayLike<number>,
  bias: ArrayLike<number> | undefined,
  groups: number,
  w: Windowed,
): number[] {
  const [x, k] = [reader(inputShape, input), reader(weightShape, weight)]
  const [out, perGroup, ...window] = weightShape as [number, number, ...number[]]
  const shape = [inputShape[0]!, out, ...extents(inputShape.slice(2), window, w)]
  return positions(shape).map(([n, o, ...at]) => {
    const group = Math.floor((o! * groups) / out)
    let sum = bias ? bias[o!]! : 0
    for (let c = 0; c < perGroup; c++) {
      for (const tap of positions(window)) sum += (x([n!, group * perGroup + c, ...tapAt(at, tap, w)]) ?? 0) * k([o!, c, ...tap])!
    }
    return sum
  })
}

export function naivePool(
  inputShape: readonly number[],
  input: ArrayLike<number>,
  window: readonly number[],
  w: Windowed,
  combine: (seen: number[], taps: number) => number,
): number[] {
  const x = reader(inputShape, input)
  const taps = positions(window)
  return positions([inputShape[0]!, inputShape[1]!, ...extents(inputShape.slice(2), window, w)]).map(([n, c, ...at]) =>
    combine(
      taps.map((tap) => x([n!, c!, ...tapAt(at, tap, w)])).filter((value) => value !== undefined),
      taps.length,
    ),
  )
}
