import { z } from 'zod'
import { primitive } from '../definition.ts'
import { reject } from '../problem.ts'
import { elementCount, printType, type TensorType } from '../type.ts'
import { one, optional, requireRank, size } from './shared.ts'

/**
 * Positions of the elements that are true, counted in row-major order, ascending: `limit` of them, 0 behind the last, and then how many
 * there are. More than `limit` are an error at run time.
 */
export const truePositions = primitive({
  name: 'truePositions',
  summary: 'Positions of the elements that are true, and how many there are',
  operands: { condition: one('any shape', ['bool']) },
  attributes: z.strictObject({ limit: size }),
  traits: ['pure', 'anchor', 'checked'],
  infer: (_, { limit }): TensorType => ({ dtype: 'i64', shape: [limit + 1] }),
  fault: (_, { limit }) =>
    `more elements are picked than the ${limit} that there is room for; let the option limit be larger where the model picks them`,
})

/**
 * The boxes that are left where each one that overlaps a better one too much is left out (ONNX NonMaxSuppression 11), for each batch and
 * class: positions of boxes, best score first and of equal ones the first, 0 behind the last, and then how many there are.
 *
 * Boxes of scores that are not above `scoreThreshold` take no part, nor do those of −∞ and NaN. A box is left out where its intersection with a
 * better one, divided by their union and rounded to f32, is above `iouThreshold`; boxes without an area overlap nothing.
 *
 * - `most`: how many boxes are kept of a class at most.
 * - `center`: boxes are `[x, y, width, height]` around a center, otherwise two opposite corners `[y, x, y, x]`.
 */
export const suppressedBoxes = primitive({
  name: 'suppressedBoxes',
  summary: 'Positions of the boxes that overlap no better one too much, and how many there are',
  operands: {
    boxes: one('[batch, boxes, 4]', ['f32']),
    scores: one('[batch, classes, boxes]', ['f32']),
    iouThreshold: one('[]', ['f32']),
    scoreThreshold: optional('[]', ['f32']),
  },
  attributes: z.strictObject({ most: size, center: z.boolean().default(false) }),
  traits: ['pure', 'anchor'],
  infer: ({ boxes, scores, iouThreshold, scoreThreshold }, { most }): TensorType => {
    const op = 'suppressedBoxes'
    requireRank(boxes, 3, op, 'boxes', '[batch, boxes, 4]')
    requireRank(scores, 3, op, 'scores', '[batch, classes, boxes]')
    for (const [name, threshold] of [['iouThreshold', iouThreshold] as const, ['scoreThreshold', scoreThreshold] as const])
      if (threshold && elementCount(threshold.shape) !== 1)
        reject('shape-mismatch', `${op}: ${name} must be one number, got ${printType(threshold)}`)
    const [batch, classes, count] = scores.shape as [number, number, number]
    if (boxes.shape[0] !== batch || boxes.shape[1] !== count || boxes.shape[2] !== 4)
      reject('shape-mismatch', `${op}: scores ${printType(scores)} need boxes [${batch}, ${count}, 4], got ${printType(boxes)}`)
    if (most > count) reject('bad-attribute', `${op}: ${most} boxes of a class are more than the ${count} that there are`)
    return { dtype: 'i64', shape: [batch, classes, most + 1] }
  },
})
