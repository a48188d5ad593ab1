import { isFloat } from '../../../compiler/graph/dtype.ts'
import type { Attributes } from '../../../compiler/graph/node.ts'
import { resolveAxis } from '../../../compiler/graph/ops/shared.ts'
import { denseStrides, elementCount } from '../../../compiler/graph/type.ts'
import { isPlain } from '../access.ts'
import { computeType, fromDouble, literalText, loadText } from '../scalar.ts'
import { storeElement } from '../steps.ts'
import { type Lines, loop, sum } from '../text.ts'
import { type AnchoredKernel, pointersOf, type Template } from './template.ts'

/** Rows side by side that are walked down together where the axis is not the last, so that memory is read as it lies. */
const together = 16

/** The input as rows along an axis; `l` counts those that are walked together. */
interface Rows {
  readonly extent: number
  /** Rows that are walked together at most. */
  readonly count: number
  /** Element j of row l. */
  readonly element: (j: string) => string
  /** The position of row l in the dimensions of the input, at j along the axis. */
  readonly position: (j: string) => string[]
  /** Loops over all rows around a body that says itself where it needs `forEach`. */
  readonly around: (body: Lines) => Lines
  readonly forEach: (body: Lines) => Lines
}

function rowsOf({ anchor }: AnchoredKernel): Rows & { readonly axis: number } {
  const { shape, dtype } = anchor.operands[0]!
  const axis = resolveAxis(anchor.attributes.axis as number, shape.length, anchor.op)
  const last = shape.length - 1
  const count = axis === last ? 1 : together
  const strides = denseStrides(shape)
  const variable = (d: number) => (d === last && axis !== last ? `(i${d} + l)` : `i${d}`)
  const position = (j: string) => shape.map((_, d) => (d === axis ? j : variable(d)))
  const width = shape[last]!
  return {
    axis,
    extent: shape[axis]!,
    count,
    position,
    element: (j) => loadText(dtype, `x0[${sum(position(j).map((text, d) => [text, strides[d]!] as const))}]`),
    around: (body) => {
      const most = `const long count = ${width} - i${last} < ${together} ? ${width} - i${last} : ${together};`
      const start = axis === last ? body : loop(`i${last}`, 0, width, together, [most, ...body])
      return shape.reduceRight<Lines>(
        (inner, extent, d) => (d === axis || d === last ? inner : loop(`i${d}`, 0, extent, 1, inner)),
        start,
      )
    },
    forEach: (body) =>
      axis === last ? loop('l', 0, 1, 1, body) : ['for (long l = 0; l < count; l++) {', ...body.map((line) => `  ${line}`), '}'],
  }
}

/** Position of the element that no other beats; the first NaN, or the last, beats all. */
const argument = (operator: '>' | '<'): Template => ({
  kind: 'template',
  body(kernel) {
    const { extent, axis, count, element, position, around, forEach } = rowsOf(kernel)
    const { keepDims, last } = kernel.anchor.attributes as Attributes & { keepDims: boolean; last: boolean }
    const { dtype } = kernel.anchor.operands[0]!
    const better = isFloat(dtype)
      ? last
        ? `(next ${operator}= best[l]) | (next != next)`
        : `(next ${operator} best[l]) | ((next != next) & (best[l] == best[l]))`
      : `next ${operator}${last ? '=' : ''} best[l]`
    const place = position('0').flatMap((text, d) => (d === axis ? (keepDims ? ['0'] : []) : [text]))
    return around([
      `${computeType(dtype)} best[${count}];`,
      `i32 at[${count}];`,
      '(void)best;',
      ...forEach([`best[l] = ${element('0')};`, 'at[l] = 0;']),
      ...loop(
        'j',
        1,
        extent,
        1,
        forEach([
          `const ${computeType(dtype)} next = ${element('j')};`,
          `const int better = ${better};`,
          'best[l] = better ? next : best[l];',
          'at[l] = better ? (i32)j : at[l];',
        ]),
      ),
      ...forEach([
        'const i64 element = (i64)at[l];',
        ...storeElement({ extents: kernel.domain, steps: kernel.steps }, place, 'element', pointersOf(kernel)),
      ]),
    ])
  },
})

export const argMax = argument('>')
export const argMin = argument('<')

/** Totals in double, or in the unsigned type in which integers wrap. */
const running = (operator: '+' | '*', neutral: number): Template => ({
  kind: 'template',
  body(kernel) {
    const { extent, count, element, position, around, forEach } = rowsOf(kernel)
    const { exclusive, reverse } = kernel.anchor.attributes as Attributes & { exclusive: boolean; reverse: boolean }
    const { dtype } = kernel.anchor.type
    const held = isFloat(dtype) ? 'f64' : 'u64'
    const add = `total[l] ${operator}= (${held})${element('j')};`
    const store = [
      `const ${computeType(dtype)} element = ${isFloat(dtype) ? fromDouble(dtype, 'total[l]') : `(${computeType(dtype)})total[l]`};`,
      ...storeElement({ extents: kernel.domain, steps: kernel.steps }, position('j'), 'element', pointersOf(kernel)),
    ]
    return around([
      `${held} total[${count}];`,
      ...forEach([`total[l] = ${literalText(held, neutral)};`]),
      ...loop('k', 0, extent, 1, [
        `const long j = ${reverse ? `${extent - 1} - k` : 'k'};`,
        ...forEach(exclusive ? [...store, add] : [add, ...store]),
      ]),
    ])
  },
})

export const cumSum = running('+', 0)
export const cumProd = running('*', 1)

export const topKIndices: Template = {
  kind: 'template',
  fuses: (kernel) => isPlain(kernel),
  body({ anchor }) {
    const { shape, dtype } = anchor.operands[0]!
    const axis = resolveAxis(anchor.attributes.axis as number, shape.length, anchor.op)
    const [extent, k] = [shape[axis]!, anchor.attributes.k as number]
    const inner = elementCount(shape.slice(axis + 1))
    const call = `gp_select_${dtype}(x0 + o * ${extent * inner} + i, ${extent}, ${inner}, out + o * ${k * inner} + i, ${k}, ${anchor.attributes.largest ? 1 : 0});`
    return loop('o', 0, elementCount(shape.slice(0, axis)), 1, loop('i', 0, inner, 1, [call]))
  },
}
