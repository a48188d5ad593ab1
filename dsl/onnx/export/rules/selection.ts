import type { ExportContext, ExportRule, ExportRules, Ref } from '../context.ts'

/** Positions that ONNX gives, as many as there are: so many of ours, zeros behind them and their number at the end. */
function filledUp(positions: Ref, limit: number, c: ExportContext): Ref {
  const long = (...values: number[]) => c.constant('i64', [values.length], values)
  const zeros = c.emit('Expand', [c.constant('i64', [1], [0]), long(limit)], { dtype: 'i64', shape: [limit] })
  const longer = c.emit('Concat', [positions, zeros], { dtype: 'i64', shape: [2 * limit] }, { axis: 0 })
  const part = c.emit('Slice', [longer, long(0), long(limit), long(0)], { dtype: 'i64', shape: [limit] })
  const count = c.emit('Shape', [positions], { dtype: 'i64', shape: [1] })
  return c.emit('Concat', [part, count], { dtype: 'i64', shape: [limit + 1] }, { axis: 0 })
}

/** More positions than there is room for are cut off: ONNX cannot refuse values. */
const truePositions: ExportRule<'truePositions'> = ({ condition }, { limit }, c) => {
  const flat = c.emit('Reshape', [condition, c.constant('i64', [1], [-1])], {
    dtype: 'bool',
    shape: [condition.type.shape.reduce((a, b) => a * b, 1)],
  })
  const found = c.emit('NonZero', [flat], { dtype: 'i64', shape: [1, limit] })
  return filledUp(c.emit('Reshape', [found, c.constant('i64', [1], [-1])], { dtype: 'i64', shape: [limit] }), limit, c)
}

/** Classes that are written one by one. */
const mostClasses = 256

const suppressedBoxes: ExportRule<'suppressedBoxes'> = ({ boxes, scores, iouThreshold, scoreThreshold }, { most, center }, c) => {
  const [batches, classes, count] = scores.type.shape as [number, number, number]
  if (batches * classes > mostClasses)
    return c.inexpressible(
      `boxes of ${batches * classes} classes, each with room for as many`,
      'cut the model before nonMaxSuppression()',
    )
  const long = (...values: number[]) => c.constant('i64', [values.length], values)
  const one = (value: Ref) => c.emit('Reshape', [value, long(1)], { dtype: 'f32', shape: [1] })
  const thresholds = [one(iouThreshold), ...(scoreThreshold ? [one(scoreThreshold)] : [])]
  const rows: Ref[] = []
  for (let b = 0; b < batches; b++)
    for (let k = 0; k < classes; k++) {
      const box = c.emit('Slice', [boxes, long(b), long(b + 1), long(0)], { dtype: 'f32', shape: [1, count, 4] })
      const score = c.emit('Slice', [scores, long(b, k), long(b + 1, k + 1), long(0, 1)], { dtype: 'f32', shape: [1, 1, count] })
      const type = { dtype: 'i64', shape: [most, 3] } as const
      const found = c.emit('NonMaxSuppression', [box, score, long(most), ...thresholds], type, {
        center_point_box: Number(center),
      })
      const third = c.emit('Slice', [found, long(2), long(3), long(1)], { dtype: 'i64', shape: [most, 1] })
      rows.push(filledUp(c.emit('Reshape', [third, long(-1)], { dtype: 'i64', shape: [most] }), most, c))
    }
  const all =
    rows.length === 1 ? rows[0]! : c.emit('Concat', rows, { dtype: 'i64', shape: [rows.length * (most + 1)] }, { axis: 0 })
  return c.emit('Reshape', [all, long(batches, classes, most + 1)], c.type)
}

export const selectionRules = { truePositions, suppressedBoxes } satisfies Partial<ExportRules>
