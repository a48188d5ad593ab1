import { type Domain, regroup, resultDomain } from '../access.ts'
import { type Level, lanesOf } from '../level.ts'
import { computeType, fromDouble, loadText, storageType } from '../scalar.ts'
import { loadLanes, storeAfter, storeElement } from '../steps.ts'
import { sharedNest } from '../team.ts'
import { block, type Lines, loop, sum } from '../text.ts'
import { type AnchoredKernel, pointersOf, type Template } from './template.ts'

/** One loop over rows: how far a step goes in rows of the input and in rows of the tables. */
interface Loop {
  readonly extent: number
  readonly row: number
  readonly turn: number
}

interface Setting {
  readonly size: number
  readonly pairs: number
  readonly interleaved: boolean
  /** Around each other, the outermost first. */
  readonly loops: readonly Loop[]
}

function settingOf({ anchor }: AnchoredKernel): Setting {
  const [input, cos] = anchor.operands
  const lead = input!.shape.slice(0, -1)
  const own = [...new Array<number>(input!.shape.length - cos!.shape.length).fill(1), ...cos!.shape.slice(0, -1)]
  const loops: Loop[] = []
  let [row, turn] = [1, 1]
  for (let axis = lead.length - 1; axis >= 0; axis--) {
    const next: Loop = { extent: lead[axis]!, row, turn: own[axis] === 1 ? 0 : turn }
    const inner = loops[0]
    // Dimensions over which both go on evenly are one.
    if (inner && next.turn === inner.turn * inner.extent) loops[0] = { ...inner, extent: inner.extent * next.extent }
    else if (next.extent !== 1) loops.unshift(next)
    row *= lead[axis]!
    turn *= own[axis]!
  }
  return { size: input!.shape.at(-1)!, pairs: cos!.shape.at(-1)!, interleaved: anchor.attributes.interleaved === true, loops }
}

function groupedDomain(kernel: AnchoredKernel): Domain | undefined {
  const axes = kernel.domain.map((_, axis) => axis)
  return regroup(resultDomain(kernel), [axes.slice(0, -1), axes.slice(-1)])
}

const isSingle = (kernel: AnchoredKernel) => kernel.anchor.type.dtype === 'f32'

/** Rows whose pairs are turned, each element read once and written where it was read. */
export const rotaryEmbedding: Template = {
  kind: 'template',
  storesRows: true,
  fuses: (kernel) => groupedDomain(kernel) !== undefined,
  inPlace: (_, index) => index === 0,
  // A vector of one pair is mostly empty: 0.4 to 0.6 of the parts' speed with 512 bits.
  lowers: ({ operands }) => operands[1]!.type.shape.at(-1) === 1,
  body(kernel, level) {
    const setting = settingOf(kernel)
    const domain = groupedDomain(kernel)!
    const { size, pairs, loops } = setting
    const of = (by: (loop: Loop) => number) => sum(loops.map((each, i) => [`i${i}`, by(each)] as const))
    const lines = [
      `const long row = ${of(({ row }) => row)}, turn = ${of(({ turn }) => turn)};`,
      `const ${pointerType(kernel)} *const x = x0 + row * ${size}, *const cosines = x1 + turn * ${pairs}, *const sines = x2 + turn * ${pairs};`,
      ...(isSingle(kernel) ? vectorRow(kernel, setting, domain, level) : scalarRow(kernel, setting, domain)),
    ]
    const nest = loops.map(({ extent }, i) => [`i${i}`, extent] as const)
    return nest.length > 0 ? sharedNest(level, nest, block('', lines)) : block('', lines)
  },
}

function vectorRow(kernel: AnchoredKernel, { size, pairs, interleaved }: Setting, domain: Domain, level: Level): Lines {
  const lanes = lanesOf(level)
  const store = (index: string, used: number, value: string) =>
    storeAfter(domain, ['row', index], used, value, pointersOf(kernel), level)
  const load = (pointer: string, index: string, used: number) => loadLanes(pointer, index, used, level)
  const turned = (used: number): Lines => [
    `const vf c = ${load('cosines', 'i', used)}, s = ${load('sines', 'i', used)};`,
    ...(interleaved ? neighbours(used) : halves(used)),
  ]
  const halves = (used: number): Lines => [
    `const vf a = ${load('x', 'i', used)}, b = ${load('x', `i + ${pairs}`, used)};`,
    'const vf v0 = a * c - b * s, v1 = a * s + b * c;',
    ...store('i', used, 'v0'),
    ...store(`i + ${pairs}`, used, 'v1'),
  ]
  const swapped = Array.from({ length: lanes }, (_, lane) => lane ^ 1).join(', ')
  /** Both elements of a pair are next to each other: the tables are spread over them. */
  const neighbours = (used: number): Lines => {
    const vectors = [
      { index: '2 * i', spread: 'ZIP_LOW', used: Math.min(lanes, 2 * used) },
      { index: `2 * i + ${lanes}`, spread: 'ZIP_HIGH', used: 2 * used - lanes },
    ].filter((vector) => vector.used > 0)
    return [
      ...vectors.map((vector, k) => `const vf a${k} = ${load('x', vector.index, vector.used)};`),
      ...vectors.flatMap((vector, k) => [
        `const vf v${k} = a${k} * ${vector.spread}(c, c) + SHUFFLE(a${k}, a${k}, ${swapped}) * ${vector.spread}(-s, s);`,
        ...store(vector.index, vector.used, `v${k}`),
      ]),
    ]
  }
  const rest = (used: number): Lines => [`const vf v = ${load('x', 'i', used)};`, ...store('i', used, 'v')]
  return [...inVectors(0, pairs, lanes, turned), ...inVectors(2 * pairs, size, lanes, rest)]
}

/** Whole vectors, and one that is not. */
function inVectors(from: number, to: number, lanes: number, body: (used: number) => Lines): Lines {
  const tail = (to - from) % lanes
  return [...loop('i', from, to - tail, lanes, body(lanes)), ...(tail > 0 ? loop('i', to - tail, to, tail, body(tail)) : [])]
}

const pointerType = (kernel: AnchoredKernel): string => storageType[kernel.anchor.type.dtype]

/** In double, for element types without vectors. */
function scalarRow(kernel: AnchoredKernel, { size, pairs, interleaved }: Setting, domain: Domain): Lines {
  const { dtype } = kernel.anchor.type
  const at = (pointer: string, index: string) => `(f64)${loadText(dtype, `${pointer}[${index}]`)}`
  const [first, second] = interleaved ? ['2 * i', '2 * i + 1'] : ['i', `i + ${pairs}`]
  const store = (index: string, value: string) =>
    block('', [
      `const ${computeType(dtype)} element = ${value};`,
      ...storeElement(domain, ['row', index], 'element', pointersOf(kernel)),
    ])
  const pair = [
    `const f64 a = ${at('x', first)}, b = ${at('x', second)}, c = ${at('cosines', 'i')}, s = ${at('sines', 'i')};`,
    ...store(first, fromDouble(dtype, '(a * c - b * s)')),
    ...store(second, fromDouble(dtype, '(a * s + b * c)')),
  ]
  const rest = store('i', loadText(dtype, 'x[i]'))
  return [...loop('i', 0, pairs, 1, pair), ...loop('i', 2 * pairs, size, 1, rest)]
}
