import type { Access } from '../../compiler/fuse/kernel.ts'
import { denseStrides, type Shape } from '../../compiler/graph/type.ts'

/** One run along the innermost axis: `count` positions, where they start on either side, and the steps between them. */
export type Run = (count: number, first: number, firstStep: number, second: number, secondStep: number) => void

/** Goes over all positions of `shape` in row-major order, following two accesses at once. Rank 0 is one position; an empty shape none. */
export function walk(shape: Shape, first: Access, second: Access, run: Run): void {
  const rank = shape.length
  if (shape.includes(0)) return
  const visit = (axis: number, a: number, b: number): void => {
    const extent = shape[axis]!
    const [stepA, stepB] = [first.strides[axis]!, second.strides[axis]!]
    if (axis === rank - 1) run(extent, a, stepA, b, stepB)
    else for (let i = 0; i < extent; i++) visit(axis + 1, a + i * stepA, b + i * stepB)
  }
  if (rank === 0) run(1, first.offset, 0, second.offset, 0)
  else visit(0, first.offset, second.offset)
}

/** The same positions in the same order with fewer axes: those that every access walks through in one stride are one. */
export function joinAxes(
  shape: Shape,
  accesses: readonly Access[],
): { readonly shape: Shape; readonly accesses: readonly Access[] } {
  const extents: number[] = []
  const strides = accesses.map((): number[] => [])
  for (const [axis, extent] of shape.entries()) {
    if (extent === 1) continue
    const own = accesses.map((access) => access.strides[axis]!)
    if (extents.length > 0 && own.every((stride, i) => strides[i]!.at(-1) === stride * extent)) {
      extents[extents.length - 1]! *= extent
      for (const [i, stride] of own.entries()) strides[i]![extents.length - 1] = stride
    } else {
      extents.push(extent)
      for (const [i, stride] of own.entries()) strides[i]!.push(stride)
    }
  }
  return { shape: extents, accesses: accesses.map(({ offset }, i) => ({ offset, strides: strides[i]! })) }
}

export const denseAccess = (shape: Shape): Access => ({ offset: 0, strides: denseStrides(shape) })

/** How a dense tensor of `shape` is read over `target`, to which it broadcasts. */
export function broadcastAccess(shape: Shape, target: Shape): Access {
  const strides = denseStrides(shape)
  const lead = target.length - shape.length
  return { offset: 0, strides: target.map((_, axis) => (axis < lead || shape[axis - lead] === 1 ? 0 : strides[axis - lead]!)) }
}

/** The axis counted from the front. */
export const fromFront = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis)
