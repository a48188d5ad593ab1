import type { OpContext, Value } from '../context.ts'
import { range } from './shared.ts'

/** Turns after which the iteration ends where it has not settled, as in onnxruntime. */
const mostTurns = 100

/**
 * Probabilities `[rows, classes]` from those of pairs `[rows, pairs]`, that of the first of (0, 1), (0, 2), …, (1, 2), …: the second way of Wu, Lin
 * and Weng, Probability Estimates for Multi-class Classification by Pairwise Coupling (2004). It minimises pᵀQp, where Q has the sums of r²ⱼᵢ on its
 * diagonal and −rⱼᵢrᵢⱼ elsewhere, one class after the other. A row that has settled stays, so that the answer is as far off as that of others.
 */
export function coupled(c: OpContext, first: Value, classes: number, pairs: readonly (readonly [number, number])[]): Value {
  const { d } = c
  const rows = first.shape[0] as number
  const column = new Map(pairs.flatMap(([i, j], at) => [[`${i} ${j}`, at] as const, [`${j} ${i}`, pairs.length + at] as const]))
  const places = range(classes).flatMap((i) => range(classes).map((j) => column.get(`${i} ${j}`) ?? 2 * pairs.length))
  const nothing = c.literal('f32', [rows, 1], new Array<number>(rows).fill(0))
  const all = d.concat([first, d.sub(1, first) as Value, nothing], { axis: 1 }) as Value
  const picked = d.gather(all, c.literal('i64', [places.length], places), { axis: 1 }) as Value
  const r = d.reshape(picked, [rows, classes, classes]) as Value
  const diagonal = d.sumOfSquares(r, { axes: 1 }) as Value
  const units = range(classes).flatMap((i) => range(classes).map((j) => Number(i === j)))
  const q = d.sub(
    d.mul(d.reshape(diagonal, [rows, 1, classes]) as Value, c.literal('f32', [classes, classes], units)) as Value,
    d.mul(r, d.transpose(r, [0, 2, 1]) as Value) as Value,
  ) as Value
  const even = c.literal('f32', [rows, classes], new Array<number>(rows * classes).fill(1 / classes))

  const turn = (before: Value, matrix: Value, own: Value): { readonly after: Value; readonly proceed: Value } => {
    const part = (x: Value, i: number): Value => d.slice(x, { axis: 1, start: i, stop: i + 1 }) as Value
    let p = before
    let qp = d.sum(d.mul(matrix, d.reshape(p, [rows, 1, classes]) as Value) as Value, { axes: 2 }) as Value
    let pqp = d.sum(d.mul(p, qp) as Value, { axes: 1, keepDims: true }) as Value
    const apart = d.max(d.abs(d.sub(qp, pqp) as Value) as Value, { axes: 1, keepDims: true }) as Value
    const moves = d.greaterOrEqual(apart, 0.005 / classes) as Value
    for (const i of range(classes)) {
      const [width, slope] = [part(own, i), part(qp, i)]
      const step = d.div(d.sub(pqp, slope) as Value, width) as Value
      const whole = d.add(step, 1) as Value
      const unit = c.literal('f32', [1, classes], units.slice(i * classes, (i + 1) * classes))
      const line = d.reshape(d.slice(matrix, { axis: 1, start: i, stop: i + 1 }) as Value, [rows, classes]) as Value
      const gain = d.mul(step, d.add(d.mul(step, width) as Value, d.mul(slope, 2) as Value) as Value) as Value
      p = d.div(d.add(p, d.mul(step, unit) as Value) as Value, whole) as Value
      pqp = d.div(d.div(d.add(pqp, gain) as Value, whole) as Value, whole) as Value
      qp = d.div(d.add(qp, d.mul(step, line) as Value) as Value, whole) as Value
    }
    return {
      after: d.where(moves, p, before) as Value,
      proceed: d.greaterOrEqual(d.max(apart, { axes: [0, 1] }) as Value, 0.005 / classes) as Value,
    }
  }
  const made = d.loop(
    { count: mostTurns, carried: [even], given: [q, diagonal] } as never,
    ((_: Value, [p]: readonly [Value], [matrix, own]: readonly [Value, Value]) => {
      const { after, proceed } = turn(p, matrix, own)
      return { carried: [after], proceed }
    }) as never,
  ) as unknown as { readonly carried: readonly [Value] }
  return made.carried[0]
}
