import { resolveAxis } from '../../../compiler/graph/ops/shared.ts'
import { elementCount } from '../../../compiler/graph/type.ts'
import { type Domain, isPlain, regroup, reorder, resultDomain } from '../access.ts'
import { type Level, lanesOf } from '../level.ts'
import { computeType, fromDouble, loadText } from '../scalar.ts'
import { storeAfter, storeElement } from '../steps.ts'
import { sharedLoop } from '../team.ts'
import { type Lines, loop } from '../text.ts'
import { type AnchoredKernel, pointersOf, type Template } from './template.ts'

interface Sizes {
  readonly outer: number
  readonly length: number
  readonly inner: number
}

/** Rows at least this long are vectorised along themselves; shorter ones, and those that are not contiguous, several at a time. */
const longRow = 16

function sizesOf({ anchor }: AnchoredKernel): Sizes {
  const { shape } = anchor.type
  const axis = resolveAxis(anchor.attributes.axis as number, shape.length, anchor.op)
  return { outer: elementCount(shape.slice(0, axis)), length: shape[axis]!, inner: elementCount(shape.slice(axis + 1)) }
}

const isAlong = ({ length, inner }: Sizes) => inner === 1 && length >= longRow

function groupedDomain(kernel: AnchoredKernel): Domain | undefined {
  const axes = kernel.domain.map((_, axis) => axis)
  const axis = resolveAxis(kernel.anchor.attributes.axis as number, axes.length, kernel.anchor.op)
  return regroup(resultDomain(kernel), [axes.slice(0, axis), [axis], axes.slice(axis + 1)])
}

/**
 * Softmax, or its logarithm: largest element, sum of exponentials of the distances to it, result. Exponentials (or distances) are kept
 * in working storage, so that nothing is written before its input was read for the last time.
 */
function softmaxTemplate(logarithm: boolean): Template {
  return {
    kind: 'template',
    storesRows: true,
    fuses: (kernel) => kernel.anchor.type.dtype !== 'f32' || groupedDomain(kernel) !== undefined,
    inPlace: (kernel) => kernel.anchor.type.dtype === 'f32',
    ownScratch(kernel, level) {
      if (kernel.anchor.type.dtype !== 'f32') return 0
      const sizes = sizesOf(kernel)
      if (keepsNothing(sizes, level)) return 0
      return Math.ceil((4 * sizes.length * (isAlong(sizes) ? 1 : lanesOf(level))) / 64) * 64
    },
    body(kernel, level) {
      const sizes = sizesOf(kernel)
      if (kernel.anchor.type.dtype !== 'f32') return scalarBody(kernel, sizes, logarithm)
      const lines = isAlong(sizes) ? alongRows(kernel, sizes, logarithm, level) : acrossRows(kernel, sizes, logarithm, level)
      return keepsNothing(sizes, level) ? lines : ['f32 *kept = (f32 *)own;', ...lines]
    },
  }
}

export const softmax = softmaxTemplate(false)
export const logSoftmax = softmaxTemplate(true)

function alongRows(kernel: AnchoredKernel, { outer, length }: Sizes, logarithm: boolean, level: Level): Lines {
  const lanes = lanesOf(level)
  const whole = length - (length % lanes)
  const rest = length - whole
  const domain = groupedDomain(kernel)!
  // Lanes run along the middle dimension, so that the trailing one, of size 1, is left out.
  const rows: Domain = {
    extents: domain.extents.slice(0, 2),
    steps: domain.steps.map((step) =>
      step.kind === 'load' ? { ...step, access: { ...step.access, strides: step.access.strides.slice(0, 2) } } : step,
    ),
    ...(domain.resultStrides && { resultStrides: domain.resultStrides.slice(0, 2) }),
  }
  const store = (count: number) => [
    `const vf v = ${logarithm ? 'LOAD(kept + i) - by' : 'LOAD(kept + i) * by'};`,
    ...storeAfter(rows, ['row', 'i'], count, 'v', pointersOf(kernel), level),
  ]
  const storeTail = [
    `vf v = SPLAT(0.0f);`,
    `for (long k = 0; k < ${rest}; k++) v[k] = kept[i + k];`,
    `v = ${logarithm ? 'v - by' : 'v * by'};`,
    ...storeAfter(rows, ['row', 'i'], rest, 'v', pointersOf(kernel), level),
  ]
  return sharedLoop(level, 'row', 0, outer, 1, [
    `const f32 *x = x0 + row * ${length};`,
    'vf high = SPLAT(-__builtin_inff()), sum = SPLAT(0.0f);',
    ...loop('i', 0, whole, lanes, ['high = gp_max_v(high, LOAD(x + i));']),
    'f32 top = gp_lanes_max(high), total = 0.0f;',
    ...loop('i', whole, length, 1, ['top = x[i] > top || x[i] != x[i] ? x[i] : top;']),
    ...loop('i', 0, whole, lanes, [
      'const vf d = LOAD(x + i) - SPLAT(top), e = gp_exp_v(d);',
      `sum += e;`,
      `STORE(kept + i, ${logarithm ? 'd' : 'e'});`,
    ]),
    ...loop('i', whole, length, 1, [
      'const f32 d = x[i] - top, e = gp_exp_v(SPLAT(d))[0];',
      'total += e;',
      `kept[i] = ${logarithm ? 'd' : 'e'};`,
    ]),
    'total += gp_lanes_sum(sum);',
    logarithm ? 'const vf by = gp_log_v(SPLAT(total));' : 'const vf by = SPLAT(1.0f / total);',
    ...loop('i', 0, whole, lanes, store(lanes)),
    ...(rest > 0 ? loop('i', whole, length, rest, storeTail) : []),
  ])
}

/** Vectors over positions next to each other: along the inner dimensions, or over whole rows where there are none. */
function acrossRows(kernel: AnchoredKernel, { outer, length, inner }: Sizes, logarithm: boolean, level: Level): Lines {
  const lanes = lanesOf(level)
  const domain = groupedDomain(kernel)!
  const overOuter = inner === 1
  const order = overOuter ? [2, 1, 0] : [0, 1, 2]
  const permuted = reorder(domain, order)
  const laneStride = overOuter ? length : 1
  const count = overOuter ? outer : inner
  const body = (used: number) => {
    if (overOuter && length === 2 && used === lanes) return pairsOfClasses(kernel, permuted, logarithm, level)
    const element = (lane: number) => (lane < used ? `x[j * ${inner} + ${lane * laneStride}]` : '0.0f')
    const load =
      laneStride === 1 && used === lanes
        ? `LOAD(x + j * ${inner})`
        : `(vf){${Array.from({ length: lanes }, (_, lane) => element(lane)).join(', ')}}`
    return [
      overOuter ? `const f32 *x = x0 + i * ${length};` : `const f32 *x = x0 + row * ${length * inner} + i;`,
      'vf high = SPLAT(-__builtin_inff()), sum = SPLAT(0.0f);',
      ...loop('j', 0, length, 1, [`high = gp_max_v(high, ${load});`]),
      ...loop('j', 0, length, 1, [
        `const vf d = ${load} - high, e = gp_exp_v(d);`,
        'sum += e;',
        `STORE(kept + j * ${lanes}, ${logarithm ? 'd' : 'e'});`,
      ]),
      logarithm ? 'const vf by = gp_log_v(sum);' : 'const vf by = SPLAT(1.0f) / sum;',
      ...loop('j', 0, length, 1, [
        `const vf v = LOAD(kept + j * ${lanes}) ${logarithm ? '-' : '*'} by;`,
        ...storeAfter(permuted, [overOuter ? '0' : 'row', 'j', 'i'], used, 'v', pointersOf(kernel), level),
      ]),
    ]
  }
  const rest = count % lanes
  const positions = (looped: typeof loop) => [
    ...looped('i', 0, count - rest, lanes, body(lanes)),
    ...(rest > 0 ? looped('i', count - rest, count, rest, body(rest)) : []),
  ]
  const divided: typeof loop = (...given) => sharedLoop(level, ...given)
  return overOuter || outer === 1
    ? loop('row', 0, 1, 1, positions(divided))
    : sharedLoop(level, 'row', 0, outer, 1, positions(loop))
}

/** Whether all rows are of two, in whole vectors of them. */
const keepsNothing = (sizes: Sizes, level: Level): boolean =>
  !isAlong(sizes) && sizes.inner === 1 && sizes.length === 2 && sizes.outer % lanesOf(level) === 0

/** Rows of two, as many as a vector has lanes: two vectors taken apart and put together again, an eighth of the time of single elements. */
function pairsOfClasses(kernel: AnchoredKernel, permuted: Domain, logarithm: boolean, level: Level): Lines {
  const lanes = lanesOf(level)
  const pointers = pointersOf(kernel)
  const stores =
    isPlain(kernel) && !permuted.resultStrides!.some((stride, axis) => stride !== [0, 1, 2][axis] && permuted.extents[axis]! > 1)
      ? [
          `STORE(${pointers.results[0]!.pointer} + i * 2, ZIP_LOW(v0, v1));`,
          `STORE(${pointers.results[0]!.pointer} + i * 2 + ${lanes}, ZIP_HIGH(v0, v1));`,
        ]
      : ['0', '1'].flatMap((j) => storeAfter(permuted, ['0', j, 'i'], lanes, `v${j}`, pointers, level))
  return [
    `const vf u = LOAD(x0 + i * 2), w = LOAD(x0 + i * 2 + ${lanes}), x = EVEN(u, w), y = ODD(u, w), high = gp_max_v(x, y);`,
    'const vf d0 = x - high, d1 = y - high, e0 = gp_exp_v(d0), e1 = gp_exp_v(d1);',
    ...(logarithm
      ? ['const vf by = gp_log_v(e0 + e1), v0 = d0 - by, v1 = d1 - by;']
      : ['const vf by = SPLAT(1.0f) / (e0 + e1), v0 = e0 * by, v1 = e1 * by;']),
    ...stores,
  ]
}

function scalarBody(kernel: AnchoredKernel, { length, inner }: Sizes, logarithm: boolean): Lines {
  const { dtype, shape } = kernel.anchor.type
  const axis = resolveAxis(kernel.anchor.attributes.axis as number, shape.length, kernel.anchor.op)
  const position = shape.map((_, i) => (i === axis ? 'j' : `i${i}`))
  const base = shape
    .map((_, i) => (i === axis ? undefined : `i${i} * ${elementCount(shape.slice(i + 1))}`))
    .filter((term) => term !== undefined)
  const at = `(f64)${loadText(dtype, `x0[base + j * ${inner}]`)}`
  const element = logarithm ? `(${at} - high - gp_log_f64(total))` : `(gp_exp_f64(${at} - high) / total)`
  const body = [
    `const long base = ${base.length > 0 ? base.join(' + ') : '0'};`,
    'f64 high = -__builtin_inf(), total = 0.0;',
    ...loop('j', 0, length, 1, [`const f64 v = ${at};`, 'high = v > high || v != v ? v : high;']),
    ...loop('j', 0, length, 1, [`total += gp_exp_f64(${at} - high);`]),
    ...loop('j', 0, length, 1, [
      `const ${computeType(dtype)} element = ${fromDouble(dtype, element)};`,
      ...storeElement(resultDomain(kernel), position, 'element', pointersOf(kernel)),
    ]),
  ]
  return shape.reduceRight<Lines>((lines, extent, i) => (i === axis ? lines : loop(`i${i}`, 0, extent, 1, lines)), body)
}
