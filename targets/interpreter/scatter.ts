import type { DType } from '../../compiler/graph/dtype.ts'
import { dtypeFacts } from '../../compiler/graph/dtype.ts'
import { denseStrides, elementCount } from '../../compiler/graph/type.ts'
import { elementwiseRows } from './elementwise.ts'
import { EvaluationFault } from './fault.ts'
import { type ComputedName, type Row, type ScalarFunction, whole } from './row.ts'
import { decode, exactElements, rounding, type Scalar } from './values.ts'

const combining = { add: 'add', mul: 'mul', max: 'maximum', min: 'minimum' } as const

/** Floats are rounded after each update, as if it were the only one. */
function combination(reduction: keyof typeof combining, dtype: DType): (a: Scalar, b: Scalar) => Scalar {
  const row = elementwiseRows[combining[reduction]] as Row<any>
  const compute = (row as Extract<Row<any>, { kind: 'elementwise' }>).scalar({
    operands: [dtype, dtype],
    result: dtype,
    attributes: {},
  }) as ScalarFunction
  if (dtypeFacts[dtype].kind !== 'float') return (a, b) => compute(a, b, undefined)
  const round = rounding(dtype)
  return (a, b) => round(compute(a, b, undefined) as number)
}

export const scatterRows = {
  /** All indices are looked at before anything is combined; updates that meet are combined in their own order. */
  scatterNd: whole<'scatterNd'>(([input, indices, updates], { reduction }, result) => {
    const depth = indices!.type.shape.at(-1)!
    const extents = input!.type.shape.slice(0, depth)
    const strides = denseStrides(input!.type.shape)
    const given = decode(indices!)
    const width = elementCount(input!.type.shape.slice(depth))
    const places = Array.from({ length: given.length / depth }, (_, i) =>
      extents.reduce((place, extent, axis) => {
        const index = Number(given[i * depth + axis]!)
        const position = index < 0 ? index + extent : index
        if (position < 0 || position >= extent)
          throw new EvaluationFault(`scatterNd: index ${index} is outside axis ${axis}, which has ${extent} elements`)
        return place + position * strides[axis]!
      }, 0),
    )
    const bytes = new Uint8Array(input!.bytes)
    if (reduction === 'none') {
      const rowBytes = width * dtypeFacts[result.dtype].bytes
      const elementBytes = dtypeFacts[result.dtype].bytes
      for (const [i, place] of places.entries())
        bytes.set(updates!.bytes.subarray(i * rowBytes, (i + 1) * rowBytes), place * elementBytes)
      return bytes
    }
    const combine = combination(reduction, result.dtype)
    const target = exactElements(result.dtype, bytes)
    const source = exactElements(result.dtype, updates!.bytes)
    for (const [i, place] of places.entries())
      for (let j = 0; j < width; j++) target.set(place + j, combine(target.get(place + j), source.get(i * width + j)))
    return bytes
  }),
} satisfies { readonly [K in ComputedName]?: Row<K> }
