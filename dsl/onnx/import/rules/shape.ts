import { elementCount, elementsOf } from '../../../../compiler/graph/index.ts'
import type { OpContext, OpRule, OpRules } from '../context.ts'
import { knownOf } from '../environment.ts'
import { dtypeAttribute, filled, range, scalarOf } from './shared.ts'

const shape: OpRule = (c) => {
  const { shape } = c.typeOf(0)
  const clamp = (value: number) => Math.min(shape.length, Math.max(0, value < 0 ? value + shape.length : value))
  const [start, end] = [clamp(c.int('start', 0)), clamp(c.int('end', shape.length))]
  const part = shape.slice(start, Math.max(start, end))
  return c.constant('i64', [part.length], part)
}

/** As many elements as a list of indices or positions may have. */
const longestRange = 1 << 22

const rangeRule: OpRule = (c) => {
  const [start, limit, delta] = [scalarOf(c, 0), scalarOf(c, 1), scalarOf(c, 2) ?? 1]
  if (start === undefined || limit === undefined) return c.unsupported('start and limit are needed')
  const count = Math.max(0, Math.ceil((limit - start) / delta))
  if (!(count <= longestRange)) return c.unsupported(`${count} elements are too many for a constant`)
  return c.constant(
    c.typeOf(0).dtype,
    [count],
    range(count).map((i) => start + i * delta),
  )
}

function constant(c: OpContext) {
  const tensor = c.tensor('value')
  if (tensor) {
    if (tensor.unsupported !== undefined) return c.unsupported(`elements of type ${tensor.unsupported} are not supported`)
    return knownOf(tensor)
  }
  const has = (name: string) => c.node.attributes.has(name)
  if (has('value_int')) return c.constant('i64', [], [c.int('value_int')])
  if (has('value_float')) return c.constant('f32', [], [c.float('value_float')])
  const ints = has('value_ints') ? c.ints('value_ints') : undefined
  if (ints) return c.constant('i64', [ints.length], ints)
  const floats = has('value_floats') ? c.floats('value_floats') : undefined
  if (floats) return c.constant('f32', [floats.length], floats)
  return c.unsupported(
    `a constant given by ${[...c.node.attributes.keys()].join(', ').slice(0, 100) || 'nothing'} is not supported`,
  )
}

const constantOfShape: OpRule = (c) => {
  const sizes = c.numbers(0) ?? c.unsupported('it has no shape')
  const value = c.tensor('value')
  if (value?.unsupported !== undefined) return c.unsupported(`elements of type ${value.unsupported} are not supported`)
  const dtype = value?.dtype ?? 'f32'
  return filled(c, dtype, sizes, value ? elementsOf(dtype, value.read()).get(0) : 0)
}

const eyeLike: OpRule = (c) => {
  const { dtype, shape } = c.typeOf(0)
  const [rows, columns] = shape
  if (shape.length !== 2 || rows! * columns! > longestRange) return c.unsupported(`a matrix is needed, got [${shape.join(', ')}]`)
  const k = c.int('k', 0)
  return c.constant(
    dtypeAttribute(c, 'dtype', dtype),
    shape,
    range(rows! * columns!).map((i) => ((i % columns!) - Math.floor(i / columns!) === k ? 1 : 0)),
  )
}

export const shapes: OpRules = {
  Shape: shape,
  Size: (c) => c.constant('i64', [], [elementCount(c.typeOf(0).shape)]),
  Range: rangeRule,
  Constant: constant,
  ConstantOfShape: constantOfShape,
  EyeLike: eyeLike,
}
