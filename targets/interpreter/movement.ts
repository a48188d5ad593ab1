import type { Access } from '../../compiler/fuse/kernel.ts'
import { type DType, dtypeFacts } from '../../compiler/graph/dtype.ts'
import { scalarBytes } from '../../compiler/graph/scalar.ts'
import { byteSize, denseStrides, elementCount, type Shape } from '../../compiler/graph/type.ts'
import { EvaluationFault } from './fault.ts'
import { type ComputedName, type Row, whole } from './row.ts'
import { decode, type Scalar } from './values.ts'
import { broadcastAccess, denseAccess, fromFront, walk } from './walk.ts'

type Units = Uint8Array | Uint16Array | Uint32Array

/** The bytes as unsigned units of a width, so that elements move without being read as numbers. */
function unitsOf(bytes: Uint8Array, width: 1 | 2 | 4): Units {
  if (width === 1) return bytes
  const aligned = bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes)
  const count = bytes.byteLength / width
  return width === 2
    ? new Uint16Array(aligned.buffer, aligned.byteOffset, count)
    : new Uint32Array(aligned.buffer, aligned.byteOffset, count)
}

/** Element i of `shape` goes from one access to the other. `to` is freshly allocated. */
export function moveElements(
  dtype: DType,
  shape: Shape,
  from: Uint8Array,
  fromAccess: Access,
  to: Uint8Array,
  toAccess: Access,
): void {
  const width = dtypeFacts[dtype].bytes
  if (width === 8) {
    const halves = ({ offset, strides }: Access): Access => ({ offset: offset * 2, strides: [...strides.map((s) => s * 2), 1] })
    moveUnits([...shape, 2], unitsOf(from, 4), halves(fromAccess), unitsOf(to, 4), halves(toAccess))
  } else {
    moveUnits(shape, unitsOf(from, width), fromAccess, unitsOf(to, width), toAccess)
  }
}

function moveUnits(shape: Shape, from: Units, fromAccess: Access, to: Units, toAccess: Access): void {
  walk(shape, fromAccess, toAccess, (count, source, sourceStep, target, targetStep) => {
    for (let i = 0; i < count; i++) to[target + i * targetStep] = from[source + i * sourceStep]!
  })
}

export const movementRows = {
  resultOf: whole<'resultOf'>(([packed], { offset }, result) => packed!.bytes.slice(offset, offset + byteSize(result))),

  reshape: whole<'reshape'>(([input]) => new Uint8Array(input!.bytes)),

  transpose: whole<'transpose'>(([input], { order }, result) => {
    const strides = denseStrides(input!.type.shape)
    return read(input!, { offset: 0, strides: order.map((axis) => strides[fromFront(axis, strides.length)]!) }, result.shape)
  }),

  slice: whole<'slice'>(([input], { start, step }, result) => {
    const strides = denseStrides(input!.type.shape)
    const offset = strides.reduce((sum, stride, axis) => sum + stride * start[axis]!, 0)
    return read(input!, { offset, strides: strides.map((stride, axis) => stride * step[axis]!) }, result.shape)
  }),

  expand: whole<'expand'>(([input], _, result) => read(input!, broadcastAccess(input!.type.shape, result.shape), result.shape)),

  concat: whole<'concat'>((inputs, attributes, result) => {
    const bytes = new Uint8Array(byteSize(result))
    const strides = denseStrides(result.shape)
    const axis = fromFront(attributes.axis, result.shape.length)
    let position = 0
    for (const { type, bytes: part } of inputs) {
      moveElements(result.dtype, type.shape, part, denseAccess(type.shape), bytes, { offset: position * strides[axis]!, strides })
      position += type.shape[axis]!
    }
    return bytes
  }),

  pad: whole<'pad'>(([input], { before, value }, result) => {
    const bytes = new Uint8Array(byteSize(result))
    const fill = scalarBytes(result.dtype, value)
    for (let at = 0; at < bytes.length; at += fill.length) bytes.set(fill, at)
    const strides = denseStrides(result.shape)
    const offset = strides.reduce((sum, stride, axis) => sum + stride * before[axis]!, 0)
    moveElements(result.dtype, input!.type.shape, input!.bytes, denseAccess(input!.type.shape), bytes, { offset, strides })
    return bytes
  }),

  gather: whole<'gather'>(([input, indices], attributes, result) => {
    const { shape } = input!.type
    const axis = fromFront(attributes.axis, shape.length)
    const extent = shape[axis]!
    const chosen = Array.from<Scalar, number>(decode(indices!), (index) => {
      const position = Number(index) < 0 ? Number(index) + extent : Number(index)
      if (position < 0 || position >= extent)
        throw new EvaluationFault(`gather: index ${index} is outside axis ${axis}, which has ${extent} elements`)
      return position
    })
    const outer = elementCount(shape.slice(0, axis))
    const inner = elementCount(shape.slice(axis + 1)) * dtypeFacts[result.dtype].bytes
    const bytes = new Uint8Array(byteSize(result))
    let target = 0
    for (let lead = 0; lead < outer; lead++) {
      for (const position of chosen) {
        const source = (lead * extent + position) * inner
        bytes.set(input!.bytes.subarray(source, source + inner), target)
        target += inner
      }
    }
    return bytes
  }),
} satisfies { readonly [K in ComputedName]?: Row<K> }

function read(input: { type: { dtype: DType }; bytes: Uint8Array }, access: Access, shape: Shape): Uint8Array {
  const bytes = new Uint8Array(elementCount(shape) * dtypeFacts[input.type.dtype].bytes)
  moveElements(input.type.dtype, shape, input.bytes, access, bytes, denseAccess(shape))
  return bytes
}
