import { elementCount } from '../../../compiler/graph/type.ts'
import { type Domain, regroup, resultDomain } from '../access.ts'
import { type Level, lanesOf } from '../level.ts'
import { computeType, floatText, fromDouble, loadText } from '../scalar.ts'
import { loadLanes, storeAfter, storeElement } from '../steps.ts'
import { sharedLoop } from '../team.ts'
import { type Lines, loop, sum } from '../text.ts'
import { type AnchoredKernel, pointersOf, type Template } from './template.ts'

interface Rows {
  readonly count: number
  readonly length: number
  readonly epsilon: number
  readonly scale: boolean
  readonly shift: boolean
}

function rowsOf({ anchor }: AnchoredKernel): Rows {
  const { shape } = anchor.type
  const first = shape.length - (anchor.attributes.dims as number)
  return {
    count: elementCount(shape.slice(0, first)),
    length: elementCount(shape.slice(first)),
    epsilon: anchor.attributes.epsilon as number,
    scale: anchor.operands.length > 1,
    shift: anchor.operands.length > 2,
  }
}

function groupedDomain(kernel: AnchoredKernel): Domain | undefined {
  const axes = kernel.domain.map((_, axis) => axis)
  const first = axes.length - (kernel.anchor.attributes.dims as number)
  return regroup(resultDomain(kernel), [axes.slice(0, first), axes.slice(first)])
}

/** Rows brought to mean 0 and variance 1 (`centred`) or root mean square 1, with sums in two passes, then scaled and shifted. */
function normalization(centred: boolean): Template {
  return {
    kind: 'template',
    storesRows: true,
    fuses: (kernel) => kernel.anchor.type.dtype !== 'f32' || groupedDomain(kernel) !== undefined,
    inPlace: (kernel, index) => index === 0 && kernel.anchor.type.dtype === 'f32',
    body(kernel, level) {
      const rows = rowsOf(kernel)
      return kernel.anchor.type.dtype === 'f32' ? vectorBody(kernel, rows, centred, level) : scalarBody(kernel, rows, centred)
    },
  }
}

export const layerNorm = normalization(true)
export const rmsNorm = normalization(false)

function vectorBody(
  kernel: AnchoredKernel,
  { count, length, epsilon, scale, shift }: Rows,
  centred: boolean,
  level: Level,
): Lines {
  const lanes = lanesOf(level)
  const [whole, wide] = [length - (length % lanes), length - (length % (4 * lanes))]
  const domain = groupedDomain(kernel)!
  /** Sum over the row of a function of an element, in four vectors. */
  const total = (name: string, value: (x: string) => string) => [
    'vf s0 = SPLAT(0.0f), s1 = s0, s2 = s0, s3 = s0;',
    ...loop(
      'i',
      0,
      wide,
      4 * lanes,
      [0, 1, 2, 3].map((k) => `{ const vf v = LOAD(x + i + ${k * lanes}); s${k} += ${value('v')}; }`),
    ),
    ...loop('i', wide, whole, lanes, [`const vf v = LOAD(x + i);`, `s0 += ${value('v')};`]),
    `${name} = gp_lanes_sum((s0 + s1) + (s2 + s3));`,
    ...loop('i', whole, length, 1, ['const vf v = SPLAT(x[i]);', `${name} += (${value('v')})[0];`]),
  ]
  const block = (lines: Lines) => ['{', ...lines.map((line) => `  ${line}`), '}']
  const store = (used: number) => [
    `vf v = ${centred ? `(${loadLanes('x', 'i', used, level)} - mean)` : loadLanes('x', 'i', used, level)} * by;`,
    ...(scale ? [`v *= ${loadLanes('x1', 'i', used, level)};`] : []),
    ...(shift ? [`v += ${loadLanes('x2', 'i', used, level)};`] : []),
    ...storeAfter(domain, ['row', 'i'], used, 'v', pointersOf(kernel), level),
  ]
  return sharedLoop(level, 'row', 0, count, 1, [
    `const f32 *x = x0 + row * ${length};`,
    'f32 square;',
    ...(centred ? ['f32 plain;', ...block(total('plain', (x) => x)), `const vf mean = SPLAT(plain / ${length}.0f);`] : []),
    ...block(total('square', (x) => (centred ? `(${x} - mean) * (${x} - mean)` : `${x} * ${x}`))),
    `const vf by = SPLAT(1.0f / __builtin_sqrtf(square / ${length}.0f + ${floatText(Math.fround(epsilon))}));`,
    ...loop('i', 0, whole, lanes, store(lanes)),
    ...(whole < length ? loop('i', whole, length, length - whole, store(length - whole)) : []),
  ])
}

function scalarBody(kernel: AnchoredKernel, { length, epsilon, scale, shift }: Rows, centred: boolean): Lines {
  const { dtype, shape } = kernel.anchor.type
  const first = shape.length - (kernel.anchor.attributes.dims as number)
  const position = shape.map((_, axis) => `i${axis}`)
  const strideOf = (axis: number) => elementCount(shape.slice(axis + 1))
  const base = sum(position.slice(0, first).map((variable, axis) => [variable, strideOf(axis)] as const))
  const at = (index: string) => `(f64)${loadText(dtype, `x0[base + ${index}]`)}`
  const inRow = sum(position.slice(first).map((variable, axis) => [variable, strideOf(first + axis)] as const))
  const value = [
    `(${at('j')}${centred ? ' - mean' : ''}) * by`,
    scale ? `* (f64)${loadText(dtype, 'x1[j]')}` : '',
    shift ? `+ (f64)${loadText(dtype, 'x2[j]')}` : '',
  ]
    .filter(Boolean)
    .join(' ')
  const store = shape
    .slice(first)
    .reduceRight<Lines>(
      (inner, extent, axis) => loop(`i${first + axis}`, 0, extent, 1, inner),
      [
        `const long j = ${inRow};`,
        `const ${computeType(dtype)} element = ${fromDouble(dtype, `(${value})`)};`,
        ...storeElement(resultDomain(kernel), position, 'element', pointersOf(kernel)),
      ],
    )
  const body = [
    `const long base = ${base};`,
    'f64 square = 0.0;',
    ...(centred ? ['f64 mean = 0.0;', ...loop('k', 0, length, 1, [`mean += ${at('k')};`]), `mean /= ${length}.0;`] : []),
    ...loop('k', 0, length, 1, [`const f64 d = ${at('k')}${centred ? ' - mean' : ''};`, 'square += d * d;']),
    `const f64 by = 1.0 / __builtin_sqrt(square / ${length}.0 + ${floatText(epsilon, true)});`,
    ...store,
  ]
  return shape.slice(0, first).reduceRight<Lines>((inner, extent, axis) => loop(`i${axis}`, 0, extent, 1, inner), body)
}
