import { z } from 'zod'
import { composite, primitive } from '../definition.ts'
import { reject } from '../problem.ts'
import { elementCount, maximumRank, plainType, printType, sameQuantization, sameShape, type TensorType } from '../type.ts'
import { joinedExtents, outsideMessage } from './indexing.ts'
import {
  axis,
  broadcastShapes,
  coordinateModes,
  indices,
  integer,
  many,
  moved,
  one,
  padModes,
  real,
  requireRank,
  requireSameDType,
  resizedAxes,
  resolveAxis,
  sameAs,
  size,
  sizes,
  values,
} from './shared.ts'

export const reshape = primitive({
  name: 'reshape',
  summary: 'The same elements in another shape',
  operands: { input: one('any shape', values) },
  attributes: z.strictObject({ shape: z.array(z.int().min(-1)) }),
  traits: ['pure', 'movement', 'view'],
  infer: ({ input }, { shape }) => moved(input, resolveReshape(input, shape)),
})

/** One entry may be −1 and takes what the others leave. */
function resolveReshape(input: TensorType, shape: readonly number[]): number[] {
  const free = shape.indexOf(-1)
  if (free !== shape.lastIndexOf(-1)) reject('bad-attribute', `reshape: only one entry of [${shape.join(', ')}] may be -1`)
  const count = elementCount(input.shape)
  const known = shape.reduce((product, extent, i) => (i === free ? product : product * extent), 1)
  if (free < 0 ? known !== count : known === 0 || count % known !== 0) {
    reject(
      'shape-mismatch',
      `reshape: ${printType(input)} has ${count} elements, [${shape.join(', ')}] has ${free < 0 ? known : `a multiple of ${known}`}`,
    )
  }
  return shape.map((extent, i) => (i === free ? count / known : extent))
}

export const transpose = primitive({
  name: 'transpose',
  summary: 'Dimensions in another order: entry i of `order` says which input dimension becomes dimension i',
  operands: { input: one('any shape', values) },
  attributes: z.strictObject({ order: z.array(integer) }),
  traits: ['pure', 'movement'],
  infer: ({ input }, { order }) => {
    const rank = input.shape.length
    if (order.length !== rank)
      reject('bad-attribute', `transpose: ${order.length} entries for the ${rank} dimensions of ${printType(input)}`)
    const seen = order.map((a) => resolveAxis(a, rank, 'transpose'))
    if (new Set(seen).size !== rank) reject('bad-attribute', `transpose: [${order.join(', ')}] names one dimension twice`)
    return moved(
      input,
      seen.map((a) => input.shape[a]!),
    )
  },
})

/** Entry d takes elements start[d], start[d] + step[d], … size[d] of them; a negative step walks backwards. */
export const slice = primitive({
  name: 'slice',
  summary: 'A regular part of a tensor',
  operands: { input: one('any shape', values) },
  attributes: z.strictObject({ start: sizes, size: sizes, step: z.array(integer.refine((s) => s !== 0)) }),
  traits: ['pure', 'movement'],
  infer: ({ input }, { start, size, step }) => {
    const rank = input.shape.length
    if (start.length !== rank || size.length !== rank || step.length !== rank) {
      reject('bad-attribute', `slice: start, size and step need ${rank} entries each for ${printType(input)}`)
    }
    for (const [axis, extent] of input.shape.entries()) {
      const last = start[axis]! + (size[axis]! - 1) * step[axis]!
      if (size[axis]! > 0 && (start[axis]! >= extent || last < 0 || last >= extent)) {
        reject('shape-mismatch', `slice: elements ${start[axis]} to ${last} of axis ${axis} lie outside ${printType(input)}`)
      }
    }
    return moved(input, size)
  },
})

export const concat = primitive({
  name: 'concat',
  summary: 'Tensors one after another along an axis',
  operands: { inputs: many('one or more, equal in all dimensions but the axis', values) },
  attributes: z.strictObject({ axis }),
  traits: ['pure', 'movement'],
  infer: ({ inputs }, attributes) => {
    const first = inputs[0]
    if (!first) reject('bad-operand', 'concat: needs at least one tensor')
    const along = resolveAxis(attributes.axis, first.shape.length, 'concat')
    for (const other of inputs) {
      requireSameDType(first, other, 'concat', ['one tensor', 'another'])
      if (
        other.shape.length !== first.shape.length ||
        other.shape.some((extent, i) => i !== along && extent !== first.shape[i])
      ) {
        reject('shape-mismatch', `concat: ${printType(first)} and ${printType(other)} differ outside axis ${along}`)
      }
    }
    return moved(
      inputs.every((other) => sameQuantization(first.quantization, other.quantization)) ? first : plainType(first),
      first.shape.map((extent, i) => (i === along ? inputs.reduce((sum, type) => sum + type.shape[along]!, 0) : extent)),
    )
  },
})

export const pad = primitive({
  name: 'pad',
  summary: 'A tensor with a constant written around it',
  operands: { input: one('any shape', values) },
  attributes: z.strictObject({ before: sizes, after: sizes, value: real }),
  traits: ['pure', 'movement'],
  infer: ({ input }, { before, after }) => {
    const rank = input.shape.length
    if (before.length !== rank || after.length !== rank)
      reject('bad-attribute', `pad: before and after need ${rank} entries each for ${printType(input)}`)
    return moved(
      input,
      input.shape.map((extent, i) => before[i]! + extent + after[i]!),
    )
  },
})

export const expand = primitive({
  name: 'expand',
  summary: 'A tensor repeated along dimensions of size 1, by broadcasting to a shape',
  operands: { input: one('broadcasts to shape', values) },
  attributes: z.strictObject({ shape: sizes }),
  traits: ['pure', 'movement'],
  infer: ({ input }, { shape }) => {
    if (!sameShape(broadcastShapes([input.shape, shape], 'expand'), shape)) {
      reject('shape-mismatch', `expand: ${printType(input)} does not broadcast to [${shape.join(', ')}]`)
    }
    return moved(input, shape)
  },
})

/** Result shape: input up to the axis, then the shape of indices, then the rest. A negative index counts from the end; one outside is an error at run time. */
export const gather = primitive({
  name: 'gather',
  summary: 'Parts of a tensor picked by index along an axis',
  operands: { input: one('at least one dimension', values), indices: one('any shape', indices) },
  attributes: z.strictObject({ axis: axis.default(0), joined: joinedExtents }),
  traits: ['pure', 'anchor', 'checked'],
  infer: ({ input, indices }, attributes) => {
    if (input.shape.length === 0) reject('rank-mismatch', 'gather: input needs at least one dimension')
    const along = resolveAxis(attributes.axis, input.shape.length, 'gather')
    return moved(input, [...input.shape.slice(0, along), ...indices.shape, ...input.shape.slice(along + 1)])
  },
  fault: ({ input }, attributes) => {
    if (attributes.joined) return outsideMessage(input, input.shape, attributes.joined)
    const along = resolveAxis(attributes.axis, input.shape.length, 'gather')
    const rows = input.shape[along]!
    return `an index is outside ${printType(input)} along axis ${along}; it may be ${-rows} to ${rows - 1}`
  },
})

export const embedding = composite({
  name: 'embedding',
  summary: 'Rows of a table picked by index',
  operands: { indices: one('any shape', indices), table: one('[rows, width]', values) },
  attributes: z.strictObject({}),
  traits: ['pure', 'checked'],
  infer: ({ indices, table }) => {
    requireRank(table, 2, 'embedding', 'table', '[rows, width]')
    return moved(table, [...indices.shape, table.shape[1]!])
  },
})

/**
 * ONNX Resize 19. `size` has an entry for each of `axes` (default: the last ones). `scales` are the factors that coordinates are mapped
 * with where they are not exactly size / extent; `start` and `end` the part of the input that 'tfCropAndResize' looks at, 0 and 1 being
 * its first and last element. `antialias` widens the filter where an axis shrinks; `excludeOutside` leaves out elements beyond the border
 * instead of repeating the last ones.
 */
export const resize = composite({
  name: 'resize',
  summary: 'Some dimensions interpolated to other sizes',
  operands: { input: one('any shape', values) },
  attributes: z.strictObject({
    size: z.array(size.min(1)).min(1).max(maximumRank),
    mode: z.enum(['nearest', 'linear', 'cubic']).default('nearest'),
    coordinates: z.enum(coordinateModes).default('halfPixel'),
    rounding: z.enum(['floor', 'ceil', 'roundPreferFloor', 'roundPreferCeil']).default('roundPreferFloor'),
    cubicCoefficient: z.number().default(-0.75),
    axes: z.array(integer).optional(),
    scales: z.array(z.number().positive()).optional(),
    start: z.array(z.number()).optional(),
    end: z.array(z.number()).optional(),
    extrapolation: z.number().optional(),
    antialias: z.boolean().optional(),
    excludeOutside: z.boolean().optional(),
  }),
  traits: ['pure'],
  infer: ({ input }, attributes) => {
    const { size, mode, coordinates } = attributes
    const resized = resizedAxes(input, attributes.axes, size.length)
    if (mode !== 'nearest' && !input.dtype.includes('f'))
      reject('dtype-mismatch', `resize: mode '${mode}' needs a float tensor, got ${printType(input)}`)
    for (const name of ['scales', 'start', 'end'] as const) {
      if (attributes[name] && attributes[name].length !== size.length)
        reject('bad-attribute', `resize: ${name} needs ${size.length} entries as size has, got ${attributes[name].length}`)
    }
    if ((coordinates === 'tfCropAndResize') !== (attributes.start !== undefined && attributes.end !== undefined))
      reject('bad-attribute', "resize: start and end belong to coordinates 'tfCropAndResize', which needs both")
    if (resized.some((axis) => input.shape[axis] === 0))
      reject('shape-mismatch', `resize: cannot interpolate the empty ${printType(input)}`)
    return moved(
      input,
      input.shape.map((extent, axis) => size[resized.indexOf(axis)] ?? extent),
    )
  },
})

/** Element [row, column] of the last two dimensions belongs to the triangle by column − row. */
const triangle = <const Name extends string>(name: Name, summary: string) =>
  composite({
    name,
    summary,
    operands: { input: one('[…, rows, columns]', values) },
    attributes: z.strictObject({ diagonal: integer.default(0) }),
    traits: ['pure'],
    infer: ({ input }) => {
      if (input.shape.length < 2) reject('rank-mismatch', `${name}: input must be […, rows, columns], got ${printType(input)}`)
      return sameAs(input)
    },
  })

export const triu = triangle('triu', 'Matrices with zeros below a diagonal')
export const tril = triangle('tril', 'Matrices with zeros above a diagonal')

/** Constant padding is `pad`. */
export const padWith = composite({
  name: 'padWith',
  summary: 'A tensor continued beyond its borders by its own elements',
  operands: { input: one('any shape', values) },
  attributes: z.strictObject({ before: sizes, after: sizes, mode: z.enum(padModes) }),
  traits: ['pure'],
  infer: ({ input }, { before, after, mode }) => {
    const rank = input.shape.length
    if (before.length !== rank || after.length !== rank)
      reject('bad-attribute', `pad: before and after need ${rank} entries each for ${printType(input)}`)
    for (const [axis, extent] of input.shape.entries()) {
      const widest = Math.max(before[axis]!, after[axis]!)
      const limit = mode === 'reflect' ? extent - 1 : mode === 'wrap' ? extent : extent === 0 ? 0 : Number.POSITIVE_INFINITY
      if (widest > limit)
        reject(
          'shape-mismatch',
          `pad: mode '${mode}' can add at most ${limit} elements on axis ${axis} of ${printType(input)}, not ${widest}`,
        )
    }
    return moved(
      input,
      input.shape.map((extent, i) => before[i]! + extent + after[i]!),
    )
  },
})
