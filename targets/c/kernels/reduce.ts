import type { Step } from '../../../compiler/fuse/kernel.ts'
import { type DType, isFloat } from '../../../compiler/graph/dtype.ts'
import { resolveAxes } from '../../../compiler/graph/ops/shared.ts'
import { type Domain, denseAccess, regroup, resultDomain } from '../access.ts'
import { type Expression, expressions } from '../expressions.ts'
import { type Level, lanesOf } from '../level.ts'
import { computeType, fromDouble, literalText } from '../scalar.ts'
import { evaluateScalar, evaluateVector, isVectorProgram, storeAfter, storeElement } from '../steps.ts'
import { onePart, sharedLoop, sharedNest, sharedPlaces, teamWait } from '../team.ts'
import { block, type Lines, loop } from '../text.ts'
import { type AnchoredKernel, pointersOf, type Template } from './template.ts'

/** How a reduction combines two values, and what it starts from. */
interface Combination {
  readonly expression: Expression
  readonly identity: number
  /** Helper that combines the lanes of a vector. */
  readonly lanes: string
  /** Floats are summed in double where there is no vector form. */
  readonly inDouble: boolean
}

/** Input dimensions as runs that are reduced or kept, in order; runs of reduced dimensions are one where the loads allow. */
interface Runs {
  readonly domain: Domain
  readonly reduced: readonly boolean[]
  /** Variable of each dimension of the result: one of the kept runs', or '0' where the dimension was reduced. */
  readonly position: readonly string[]
}

function runsOf(kernel: AnchoredKernel): Runs {
  const { anchor } = kernel
  const shape = anchor.operands[0]!.shape
  const axes = new Set(resolveAxes(anchor.attributes.axes as readonly number[], shape.length, anchor.op))
  const element: Step = { kind: 'load', input: 0, access: denseAccess(shape), dtype: anchor.operands[0]!.dtype }
  const program: Domain = { extents: shape, steps: kernel.prologue ?? [element] }
  const groups: number[][] = []
  for (const axis of shape.keys()) {
    const last = groups.at(-1)
    const rest = shape.map((_, i) => [i]).slice(axis + 1)
    if (last && axes.has(axis) && axes.has(last[0]!) && regroup(program, [...groups.slice(0, -1), [...last, axis], ...rest]))
      last.push(axis)
    else groups.push([axis])
  }
  const variables = groups.map((_, i) => `i${i}`)
  const keepDims = anchor.attributes.keepDims as boolean
  const position = groups.flatMap((group, i) => (axes.has(group[0]!) ? (keepDims ? group.map(() => '0') : []) : [variables[i]!]))
  return { domain: regroup(program, groups)!, reduced: groups.map((group) => axes.has(group[0]!)), position }
}

function reduction(combination: Combination): Template {
  return {
    kind: 'template',
    storesRows: true,
    scratch(kernel, level) {
      const image = imageOf(kernel, runsOf(kernel), level)
      return image ? piecesOf(image) * image.blocks * level.vectorBytes : 0
    },
    body(kernel, level) {
      const runs = runsOf(kernel)
      const image = imageOf(kernel, runs, level)
      if (image) return inPieces(kernel, runs, image, combination, level)
      const { domain, reduced } = runs
      const { dtype } = kernel.anchor.type
      if (!isVectorProgram(domain.steps) || domain.extents.length === 0) return scalarBody(kernel, runs, combination, level)
      if (dtype === 'f32' && reduced.at(-1)) return alongRow(kernel, runs, combination, level)
      return (dtype === 'f32' || dtype === 'i32') && !reduced.at(-1)
        ? acrossRows(kernel, runs, combination, level)
        : scalarBody(kernel, runs, combination, level)
    },
  }
}

/** The loops over kept runs among the first `end`, and how many turns they take together. */
function keptOf({ domain, reduced }: Runs, end = domain.extents.length) {
  const loops = [...domain.extents.keys()]
    .filter((i) => i < end && !reduced[i])
    .map((i) => [`i${i}`, domain.extents[i]!] as const)
  return { loops, turns: loops.reduce((product, [, extent]) => product * extent, 1) }
}
/** Each result by itself, divided among threads; nothing is where there is one. */
function keptLoops(runs: Runs, level: Level, body: Lines): Lines {
  const { loops, turns } = keptOf(runs)
  return turns === 1
    ? loops.reduceRight<Lines>((inner, [variable]) => loop(variable, 0, 1, 1, inner), body)
    : sharedNest(level, loops, body)
}
const reducedLoops = ({ domain, reduced }: Runs, body: Lines, end = domain.extents.length) =>
  domain.extents
    .slice(0, end)
    .reduceRight<Lines>((inner, extent, i) => (reduced[i] ? loop(`i${i}`, 0, extent, 1, inner) : inner), body)
const variablesOf = ({ domain }: Runs) => domain.extents.map((_, i) => `i${i}`)
const after = (kernel: AnchoredKernel): Domain => resultDomain(kernel)

function scalarBody(kernel: AnchoredKernel, runs: Runs, { expression, identity, inDouble }: Combination, level: Level): Lines {
  const { dtype } = kernel.anchor.type
  const wide = inDouble && isFloat(dtype)
  const value = evaluateScalar(runs.domain.steps, variablesOf(runs), pointersOf(kernel).inputs, undefined, 'e')
  const held = wide ? 'f64' : dtype
  const next = expression.scalar(
    [
      { text: 'total', dtype: held },
      { text: wide ? `(f64)${value.value}` : value.value, dtype: held },
    ],
    held,
    {},
  )
  return keptLoops(runs, level, [
    `${computeType(held)} total = ${literalText(held, identity)};`,
    ...reducedLoops(runs, [...value.invariant, ...value.lines, `total = ${next};`]),
    `const ${computeType(dtype)} element = ${wide ? fromDouble(dtype, 'total') : 'total'};`,
    ...storeElement(after(kernel), runs.position, 'element', pointersOf(kernel)),
  ])
}

const combineVectors = ({ expression }: Combination, a: string, b: string, dtype: DType = 'f32') =>
  expression.vector!(
    [
      { text: a, dtype },
      { text: b, dtype },
    ],
    dtype,
    {},
  )!

/** Accumulators that one loop fills in turn, so that additions do not wait for each other. */
const accumulators = 4

/** The last run is reduced: vectors along it, their lanes combined at the end; what does not fill a vector is added as scalars. */
function alongRow(kernel: AnchoredKernel, runs: Runs, combination: Combination, level: Level): Lines {
  const { domain } = runs
  const lanes = lanesOf(level)
  const { inputs } = pointersOf(kernel)
  const last = domain.extents.length - 1
  const length = domain.extents[last]!
  const outer = variablesOf(runs).slice(0, -1)
  const several = length >= accumulators * lanes ? accumulators : 1
  const wide = length - (length % (several * lanes))
  const whole = length - (length % lanes)
  const start = `SPLAT(${literalText('f32', combination.identity)})`
  const names = Array.from({ length: several }, (_, i) => `s${i}`)
  const into = (name: string, offset: number) => {
    const { invariant, lines, value } = evaluateVector(
      domain.steps,
      [...outer, offset === 0 ? `i${last}` : `i${last} + ${offset}`],
      inputs,
      lanes,
      level,
    )
    return block('', [...invariant, ...lines, `${name} = ${combineVectors(combination, name, value)};`])
  }
  const scalar = evaluateScalar(domain.steps, [...outer, `i${last}`], inputs, undefined, 'e')
  const held = { text: 'total', dtype: 'f32' } as const
  const row = [
    ...loop(
      `i${last}`,
      0,
      wide,
      several * lanes,
      names.flatMap((name, i) => into(name, i * lanes)),
    ),
    ...loop(`i${last}`, wide, whole, lanes, into('s0', 0)),
    ...loop(`i${last}`, whole, length, 1, [
      ...scalar.invariant,
      ...scalar.lines,
      `total = ${combination.expression.scalar([held, { text: scalar.value, dtype: 'f32' }], 'f32', {})};`,
    ]),
  ]
  const joined = names.reduce((text, name) => combineVectors(combination, text, name))
  return keptLoops(runs, level, [
    `vf ${names.map((name) => `${name} = ${start}`).join(', ')};`,
    `f32 total = ${literalText('f32', combination.identity)};`,
    ...reducedLoops(runs, row, last),
    `const vf lanes = ${joined};`,
    `const f32 folded = ${combination.lanes}(lanes);`,
    `const f32 element = ${combination.expression.scalar([{ text: 'folded', dtype: 'f32' }, held], 'f32', {})};`,
    ...storeElement(after(kernel), runs.position, 'element', pointersOf(kernel)),
  ])
}

/** Rows of results from which on they are divided among threads, not each. */
const manyRows = 16

/** The last run is kept: vectors of results, of f32 or i32, several at a time where the run is long. */
function acrossRows(kernel: AnchoredKernel, runs: Runs, combination: Combination, level: Level): Lines {
  const { domain } = runs
  const { dtype } = kernel.anchor.type
  const [vector, splat] = dtype === 'f32' ? ['vf', 'SPLAT'] : ['vi', 'SPLAT_I']
  const lanes = lanesOf(level)
  const last = domain.extents.length - 1
  const length = domain.extents[last]!
  const outer = variablesOf(runs).slice(0, -1)
  const shift = (offset: number) => (offset === 0 ? `i${last}` : `i${last} + ${offset}`)
  const tile = (vectors: number, count: number) => {
    const names = Array.from({ length: vectors }, (_, i) => `s${i}`)
    const into = names.flatMap((name, i) => {
      const { invariant, lines, value } = evaluateVector(
        domain.steps,
        [...outer, shift(i * lanes)],
        pointersOf(kernel).inputs,
        count,
        level,
      )
      return block('', [...invariant, ...lines, `${name} = ${combineVectors(combination, name, value, dtype)};`])
    })
    const position = (i: number) => runs.position.map((variable) => (variable === `i${last}` ? shift(i * lanes) : variable))
    return [
      `${vector} ${names.map((name) => `${name} = ${splat}(${literalText(dtype, combination.identity)})`).join(', ')};`,
      ...reducedLoops(runs, into),
      ...names.flatMap((name, i) => storeAfter(after(kernel), position(i), count, name, pointersOf(kernel), level)),
    ]
  }
  const wide = length - (length % (accumulators * lanes))
  const whole = length - (length % lanes)
  const { loops, turns } = keptOf(runs, last)
  // Enough rows are divided whole, of few each one.
  const many = turns >= manyRows
  const along = (from: number, to: number, step: number, body: Lines) =>
    many ? loop(`i${last}`, from, to, step, body) : sharedLoop(level, `i${last}`, from, to, step, body)
  const tail = whole < length ? loop(`i${last}`, whole, length, length - whole, tile(1, length - whole)) : []
  const row = [
    ...along(0, wide, accumulators * lanes, tile(accumulators, lanes)),
    ...along(wide, whole, lanes, tile(1, lanes)),
    ...(many ? tail : onePart(level, tail)),
  ]
  return many
    ? sharedNest(level, loops, row)
    : loops.reduceRight<Lines>((inner, [variable, extent]) => loop(variable, 0, extent, 1, inner), row)
}

/** An image in blocks of channels, of which each channel is reduced. */
interface Image {
  readonly blocks: number
  readonly pixels: number
}

/** Of kernels that threads divide: others read all pixels of a block in turn. */
function imageOf(kernel: AnchoredKernel, { domain, reduced }: Runs, level: Level): Image | undefined {
  const [images, blocks, pixels, lanes] = domain.extents
  const { dtype } = kernel.anchor.type
  if (!level.teams || String(reduced) !== 'false,false,true,false' || images !== 1 || lanes !== lanesOf(level)) return undefined
  if ((dtype !== 'f32' && dtype !== 'i32') || !isVectorProgram(domain.steps)) return undefined
  return blocks! > 1 && pixels! >= leastPixels ? { blocks: blocks!, pixels: pixels! } : undefined
}

const leastPixels = 16
/** As many whatever the number of threads, so that sums are the same; even numbers of threads have as many each. */
const piecesOf = ({ pixels }: Image) => Math.min(pixels, 16)

/**
 * Pieces of the pixels by themselves, divided among threads as the pixels were by who wrote them (`sharedPlaces`): no thread reads what
 * another wrote, and then takes 25 ns a line to write there again. The pieces' values are combined at the end.
 */
function inPieces(kernel: AnchoredKernel, runs: Runs, image: Image, combination: Combination, level: Level): Lines {
  const { blocks, pixels } = image
  const { dtype } = kernel.anchor.type
  const { inputs } = pointersOf(kernel)
  const lanes = lanesOf(level)
  const pieces = piecesOf(image)
  const [vector, splat] = dtype === 'f32' ? ['vf', 'SPLAT'] : ['vi', 'SPLAT_I']
  const start = `${splat}(${literalText(dtype, combination.identity)})`
  const names = Array.from({ length: accumulators }, (_, i) => `s${i}`)
  const into = (name: string, offset: number) => {
    const position = ['i0', 'i1', offset === 0 ? 'i2' : `i2 + ${offset}`, '0']
    const { invariant, lines, value } = evaluateVector(runs.domain.steps, position, inputs, lanes, level)
    return block('', [...invariant, ...lines, `${name} = ${combineVectors(combination, name, value, dtype)};`])
  }
  const partial = '(f32 *)scratch + '
  const position = runs.position.map((variable) => (variable === 'i3' ? '0' : variable))
  const typed = (text: string) => (dtype === 'f32' ? text : `(vi)${text}`)
  return [
    'const long i0 = 0;',
    '(void)i0;',
    ...sharedPlaces(
      level,
      [['i1', blocks]],
      [['piece', pieces]],
      [
        `long i2 = piece * ${pixels} / ${pieces};`,
        `const long end = (piece + 1) * ${pixels} / ${pieces};`,
        `${vector} ${names.map((name) => `${name} = ${start}`).join(', ')};`,
        ...block(`for (; i2 + ${accumulators} <= end; i2 += ${accumulators})`, names.flatMap(into)),
        ...block('for (; i2 < end; i2++)', into('s0', 0)),
        `const ${vector} all = ${names.reduce((text, name) => combineVectors(combination, text, name, dtype))};`,
        `STORE(${partial}(piece * ${blocks} + i1) * ${lanes}, ${dtype === 'f32' ? 'all' : '(vf)all'});`,
      ],
    ),
    ...teamWait(level),
    ...onePart(
      level,
      loop('i1', 0, blocks, 1, [
        `${vector} all = ${typed(`LOAD(${partial}i1 * ${lanes})`)};`,
        ...loop('piece', 1, pieces, 1, [
          `const ${vector} next = ${typed(`LOAD(${partial}(piece * ${blocks} + i1) * ${lanes})`)};`,
          `all = ${combineVectors(combination, 'all', 'next', dtype)};`,
        ]),
        ...storeAfter(after(kernel), position, lanes, 'all', pointersOf(kernel), level),
      ]),
    ),
  ]
}

export const reduceSum = reduction({ expression: expressions.add, identity: 0, lanes: 'gp_lanes_sum', inDouble: true })
export const reduceProd = reduction({ expression: expressions.mul, identity: 1, lanes: 'gp_lanes_product', inDouble: true })
export const reduceMax = reduction({
  expression: expressions.maximum,
  identity: Number.NEGATIVE_INFINITY,
  lanes: 'gp_lanes_max',
  inDouble: false,
})
export const reduceMin = reduction({
  expression: expressions.minimum,
  identity: Number.POSITIVE_INFINITY,
  lanes: 'gp_lanes_min',
  inDouble: false,
})
