import type { OpContext, OpRule, OpRules, Value } from '../context.ts'
import { axisIn, dimsOf, range, scalarOf } from './shared.ts'

/** Elements before and behind each axis; negative ones are taken off. */
function readPads(c: OpContext, rank: number): { before: number[]; after: number[] } {
  const pads = c.ints('pads') ?? c.numbers(1) ?? c.unsupported('it has no pads')
  const axes = (c.numbers(3) ?? range(rank)).map((axis) => axisIn(c, axis, rank))
  if (pads.length !== axes.length * 2) return c.unsupported(`${pads.length} pads do not fit ${axes.length} axes`)
  const at = (offset: number) => range(rank).map((axis) => (axes.includes(axis) ? pads[axes.indexOf(axis) + offset]! : 0))
  return { before: at(0), after: at(axes.length) }
}

/** What is taken off comes first: the border is made of what is left. */
function crop(c: OpContext, x: Value, before: readonly number[], after: readonly number[]): Value {
  const shape = dimsOf(x)
  const ranges = range(shape.length).flatMap((axis) => {
    const [start, stop] = [Math.max(0, -before[axis]!), shape[axis]! - Math.max(0, -after[axis]!)]
    if (stop < start) return c.unsupported(`pads take more than the ${shape[axis]} elements of axis ${axis}`)
    if (start === 0 && stop === shape[axis]) return []
    return [{ axis, ...(start > 0 && { start }), ...(stop < shape[axis]! && { stop }) }]
  })
  return ranges.length === 0 ? x : (c.d.slice(x, ranges.length === 1 ? ranges[0]! : ranges) as Value)
}

/** A border of a value that the model computes: chosen where padding an inner of ones leaves zeros. */
function aroundWith(
  c: OpContext,
  x: Value,
  border: { readonly before: readonly number[]; readonly after: readonly number[] },
): Value {
  const inside = c.d.pad(c.d.full('u8', dimsOf(x), 1), border as never) as Value
  return c.d.where(c.d.cast(inside, 'bool'), c.d.pad(x, border as never) as Value, c.d.reshape(c.input(2), [])) as Value
}

const pad: OpRule = (c) => {
  const x = c.input(0)
  const { before, after } = readPads(c, dimsOf(x).length)
  const mode = c.text('mode', 'constant')
  if (mode !== 'constant' && mode !== 'reflect' && mode !== 'edge' && mode !== 'wrap')
    return c.unsupported(`mode '${mode}' is unknown`)
  const cropped = crop(c, x, before, after)
  const border = { before: before.map((n) => Math.max(0, n)), after: after.map((n) => Math.max(0, n)) }
  if ([...border.before, ...border.after].every((n) => n === 0)) return cropped
  const computed = mode === 'constant' && c.opset >= 11 && c.has(2) && !c.known(2)
  if (computed) return aroundWith(c, cropped, border)
  const value = mode === 'constant' ? (c.opset < 11 ? c.float('value', 0) : (scalarOf(c, 2) ?? 0)) : 0
  return c.d.pad(cropped, {
    ...border,
    mode: mode === 'constant' ? undefined : mode,
    value: value === 0 ? undefined : value,
  } as never) as Value
}

export const padding: OpRules = { Pad: pad }
