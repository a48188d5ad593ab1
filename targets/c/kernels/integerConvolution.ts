import { type DType, dtypeFacts } from '../../../compiler/graph/dtype.ts'
import { reorder } from '../access.ts'
import { pairs } from '../arithmetic.ts'
import { type Level, lanesOf } from '../level.ts'
import { type Lines, loop } from '../text.ts'
import { blockColumns, productLines } from './gemm.ts'
import { type Convolution, convolutionOf, flatSpace, type Method } from './method.ts'
import { fitsPairs, overPairs, type Pairing, pairingOf, pairWeights, pairWeightsLines, partnerOf } from './pairs.ts'
import { isSwept, type Layout, layoutOf, planarLines } from './planar.ts'
import { packPanels, panelOf, panelsBytes } from './product.ts'
import { scalarIntegerConvolution } from './scalarWindow.ts'
import { spreadLines } from './spread.ts'
import { type AnchoredKernel, pointersOf, type Template } from './template.ts'
import { isPadded, paddedExtents, volume } from './windowed.ts'

interface Operands {
  readonly convolution: Convolution
  readonly pairing: Pairing
  /** The convolution over pairs. */
  readonly wide: Convolution
  /** Elements of the weights of one output, in pairs. */
  readonly depth: number
  readonly input: DType
  readonly weight: DType
  readonly inputZeroPoint: number
  readonly weightZeroPoint: readonly number[]
}

function operandsOf(kernel: AnchoredKernel): Operands {
  const [input, weight] = kernel.anchor.operands
  const { inputZeroPoint, weightZeroPoint } = kernel.anchor.attributes as { inputZeroPoint: number; weightZeroPoint: number[] }
  const convolution = convolutionOf(kernel)
  const pairing = pairingOf(convolution)
  const wide = overPairs(convolution, pairing)
  const depth = wide.inputs * volume(wide.window)
  return { convolution, pairing, wide, depth, input: input!.dtype, weight: weight!.dtype, inputZeroPoint, weightZeroPoint }
}

const isConstant = (kernel: AnchoredKernel) => kernel.inputs[1]!.constant
const alignUp = (bytes: number) => Math.ceil(bytes / 64) * 64
const weightBytes = ({ convolution, depth }: Operands) => 4 * convolution.groups * convolution.outputs * depth

/** A way to convolve over pairs: bytes of the input in pairs, and the body, which finds the weights in pairs as `weights`. */
interface PairMethod {
  readonly bytes: (operands: Operands, level: Level) => number
  readonly body: (kernel: AnchoredKernel, operands: Operands, level: Level) => Lines
  readonly fuses?: Method['fuses']
}

/** Weights in pairs are `[groups][outputs][inputs][window]`, made at build, or behind the input in working storage. */
const withWeights = ({ bytes, body, fuses }: PairMethod): Method => ({
  ...(fuses ? { fuses } : {}),
  scratch(kernel, level) {
    const operands = operandsOf(kernel)
    return alignUp(bytes(operands, level)) + (isConstant(kernel) ? 0 : weightBytes(operands))
  },
  pack(kernel, index) {
    if (index !== 1) return undefined
    const operands = operandsOf(kernel)
    const { convolution, pairing, weight, weightZeroPoint } = operands
    return {
      key: `convolution pairs ${shapeText(convolution)} of ${pairing} from ${weight} less ${weightZeroPoint.join(' ')}`,
      bytes: weightBytes(operands),
      pack: (dense) => bytesOf(pairWeights(dense, weight, weightZeroPoint, convolution, pairing)),
    }
  },
  body(kernel, level) {
    const operands = operandsOf(kernel)
    const weights = isConstant(kernel)
      ? ['const i32 *weights = (const i32 *)x1;']
      : [
          `i32 *weights = (i32 *)(scratch + ${alignUp(bytes(operands, level))});`,
          ...pairWeightsLines(operands.convolution, operands.pairing, operands.weightZeroPoint),
        ]
    return [...weights, ...body(kernel, operands, level)]
  },
})

const bytesOf = (elements: Uint32Array) => new Uint8Array(elements.buffer)
const shapeText = ({ groups, outputs, inputs, window }: Convolution) => [groups, outputs, inputs, ...window].join('x')

/** The input's channels `2 k` and `2 k + 1` in pairs, so many pixels of each. */
function pairChannels({ convolution, input, inputZeroPoint, wide }: Operands, to: string, first: string, count: number): Lines {
  const pixels = volume(convolution.input)
  return loop('k', 0, wide.inputs, 1, [
    `const ${input} *first = image + 2 * k * ${pixels}${first};`,
    `gp_pair_run_${input}(${to} + k * ${count}, first, ${partnerOf(convolution.inputs, 'first', `first + ${pixels}`)}, ${inputZeroPoint}, ${count});`,
  ])
}

/** Loops over batch and groups with `image` at the group's first channel. */
function overGroups({ convolution, input }: Operands, body: Lines): Lines {
  const { batch, groups, inputs, outputs, bias } = convolution
  const pixels = volume(convolution.input)
  return loop(
    'n',
    0,
    batch,
    1,
    loop('g', 0, groups, 1, [
      `const ${input} *image = x0 + (n * ${groups} + g) * ${inputs * pixels};`,
      ...(bias ? [`const i32 *bias = x2 + g * ${outputs};`] : []),
      ...body,
    ]),
  )
}

const pointwiseColumns = ({ convolution, depth }: Operands, level: Level) =>
  Math.min(blockColumns(depth, level), volume(convolution.output))

/** Window of one element: a product of weights and blocks of pixels. */
const pointwise = withWeights({
  fuses: (kernel) => flatSpace(kernel) !== undefined,
  bytes: (operands, level) => 4 * (operands.depth * pointwiseColumns(operands, level) + lanesOf(level)),
  body(kernel, operands, level) {
    const { convolution, depth } = operands
    const { groups, outputs, bias, output } = convolution
    const product = productLines(
      {
        arithmetic: pairs,
        rows: outputs,
        columns: volume(output),
        depth,
        leftPitch: depth,
        left: 'weight',
        right: 'block',
        rightLayout: {
          kind: 'block',
          width: pointwiseColumns(operands, level),
          fill: (count) => pairChannels(operands, 'block', ' + start', count),
        },
        ...(bias ? { bias: { along: 'rows', pointer: 'bias' } as const } : {}),
        order: 'blocks',
        domain: flatSpace(kernel)!,
        position: (row, column) => ['n', groups === 1 ? row : `g * ${outputs} + ${row}`, column],
        pointers: pointersOf(kernel),
      },
      level,
    )
    return [
      'i32 *block = (i32 *)scratch;',
      ...overGroups(operands, [`const i32 *weight = weights + g * ${outputs * depth};`, ...product]),
    ]
  },
})

/** The same with vectors along the output channels, for images of few pixels and weights that are known: those lie in panels. */
const fewPixels: Method = {
  fuses: (kernel) => flatSpace(kernel) !== undefined,
  scratch: (kernel) => {
    const { convolution, depth } = operandsOf(kernel)
    return alignUp(4 * depth * volume(convolution.output))
  },
  pack(kernel, index, level) {
    if (index !== 1) return undefined
    const { convolution, depth, weight, weightZeroPoint } = operandsOf(kernel)
    const { groups, outputs } = convolution
    return {
      key: `convolution pairs ${shapeText(convolution)} in panels of ${panelOf(level)} from ${weight} less ${weightZeroPoint.join(' ')}`,
      bytes: panelsBytes(groups, depth, outputs, level),
      pack(dense) {
        const rows = bytesOf(pairWeights(dense, weight, weightZeroPoint, convolution, 'channels'))
        return packPanels(rows, groups, depth, outputs, { row: 1, column: depth }, level)
      },
    }
  },
  body(kernel, level) {
    const operands = operandsOf(kernel)
    const { convolution, depth } = operands
    const { outputs, bias, output } = convolution
    const pixels = volume(output)
    const product = productLines(
      {
        arithmetic: pairs,
        rows: pixels,
        columns: outputs,
        depth,
        leftPitch: 1,
        leftStep: pixels,
        left: 'block',
        right: 'weight',
        rightLayout: { kind: 'panels', width: panelOf(level) },
        ...(bias ? { bias: { along: 'columns', pointer: 'bias' } as const } : {}),
        order: 'columns-outer',
        domain: reorder(flatSpace(kernel)!, [0, 2, 1]),
        position: (row, column) => ['n', row, `g * ${outputs} + ${column}`],
        pointers: pointersOf(kernel),
      },
      level,
    )
    return [
      'i32 *block = (i32 *)scratch;',
      ...overGroups(operands, [
        ...pairChannels(operands, 'block', '', pixels),
        `const i32 *weight = (const i32 *)x1 + g * ${panelsBytes(1, depth, outputs, level) / 4};`,
        ...product,
      ]),
    ]
  },
}

/** Where volumes of the input stand with their padding before they become pairs; not at all where they do as they are. */
interface Stage {
  /** Elements of one volume, and from one plane and one row to the next. */
  readonly volume: number
  readonly plane: number
  readonly pitch: number
  /** Elements with what vectors may read behind a volume. */
  readonly size: number
  readonly bytes: number
}

function stageOf({ convolution, pairing, input }: Operands, layout: Layout, level: Level): Stage | undefined {
  const { stride, dilation } = convolution
  const step = stride[2]
  if (pairing === 'channels' && step === 1 && !isPadded(convolution)) return undefined
  const [depth, height] = paddedExtents(convolution)
  const pitch = step * layout.phaseWidth
  const plane = height * pitch
  const size = depth * plane + step * (lanesOf(level) + 1) + dilation[2]
  const volumes = pairing === 'channels' ? 2 : 1
  return { volume: depth * plane, plane, pitch, size, bytes: volumes * size * dtypeFacts[input].bytes }
}

/** Bytes of so many volumes in pairs, as `layoutOf` says, and of the stage behind them. */
function volumeBytes(operands: Operands, volumes: number, level: Level): number {
  const layout = layoutOf(operands.wide, level, volumes, true)
  return layout.bytes + (stageOf(operands, layout, level)?.bytes ?? 0)
}

/** What stands before volumes are brought into pairs: the stage, full of padding. */
function stageLines(operands: Operands, layout: Layout, level: Level): Lines {
  const stage = stageOf(operands, layout, level)
  if (!stage) return []
  const { input, inputZeroPoint } = operands
  return [
    `${input} *stage = (${input} *)(scratch + ${layout.bytes});`,
    `__builtin_memset(stage, ${inputZeroPoint & 0xff}, ${stage.bytes});`,
  ]
}

/** Statements that bring a volume of the input into pairs as the layout says; `second` is the channel that is paired with it. */
function pairVolume(operands: Operands, layout: Layout, to: string, first: string, second: string, level: Level): Lines {
  const { convolution, pairing, input, inputZeroPoint } = operands
  const stage = stageOf(operands, layout, level)
  if (!stage) return [`gp_pair_run_${input}(${to}, ${first}, ${second}, ${inputZeroPoint}, ${volume(convolution.input)});`]
  const { before, stride, dilation } = convolution
  const [depth, height, width] = convolution.input
  const bytes = dtypeFacts[input].bytes
  const corner = before[0] * stage.plane + before[1] * stage.pitch + before[2]
  const copy = (from: string, offset: number) =>
    `gp_copy_inside(stage + ${offset + corner}, ${[from, depth, height, width * bytes, stage.plane * bytes, stage.pitch * bytes].join(', ')});`
  const other = pairing === 'columns' ? dilation[2] : stage.size
  const step = stride[2]
  // Whole vectors: behind a volume is room, or the next one, which is written later.
  const count = Math.ceil(stage.volume / step / lanesOf(level)) * lanesOf(level)
  const runs = Array.from({ length: layout.phases }, (_, phase) => {
    const at = (offset: number) => `stage + ${offset + phase}`
    const target = phase > 0 ? `${to} + ${phase * layout.phasePitch}` : to
    const pace = step === 1 ? '' : `${step}, `
    return `gp_pair_${step === 1 ? 'run' : 'steps'}_${input}(${target}, ${at(0)}, ${at(other)}, ${inputZeroPoint}, ${pace}${count});`
  })
  return [copy(first, 0), ...(pairing === 'channels' ? [copy(second, stage.size)] : []), ...runs]
}

/** Each result plane reads one input plane. */
const planar = withWeights({
  bytes: (operands, level) => volumeBytes(operands, 1, level),
  body(kernel, operands, level) {
    const { wide } = operands
    const layout = layoutOf(wide, level, 1, true)
    const taps = volume(wide.window)
    const swept = isSwept(wide)
    const named = Array.from({ length: taps }, (_, tap) => `w${tap} = SPLAT_I(weight[${tap}])`)
    return [
      ...stageLines(operands, layout, level),
      ...planarLines(
        kernel,
        {
          arithmetic: pairs,
          windowed: wide,
          inputVolume: volume(operands.convolution.input),
          multiplier: wide.outputs,
          layout,
          copy: (to, from) => pairVolume(operands, layout, to, from, from, level),
          prepare: [
            `const i32 *weight = weights + c * ${taps};`,
            ...(swept ? [`const vi ${named.join(', ')};`] : []),
            ...(wide.bias ? ['const vi bias = SPLAT_I(x2[c]);'] : []),
          ],
          initial: wide.bias ? 'bias' : 'SPLAT_I(0)',
          combine: (accumulator, value, tap) =>
            pairs.multiplyAdd(accumulator, value, swept ? `w${tap}` : `SPLAT_I(weight[${tap}])`),
          finish: () => [],
        },
        level,
      ),
    ]
  },
})

/** Tiles of channels × vectors of pixels next to each other. */
const spread = withWeights({
  bytes: (operands, level) => volumeBytes(operands, operands.wide.channels, level),
  body(kernel, operands, level) {
    const { convolution, pairing, wide, input } = operands
    const { channels, inputs, groups } = convolution
    const layout = layoutOf(wide, level, wide.channels, true)
    const size = volume(convolution.input)
    const channel = (to: string, from: string, second: string) => [
      `const ${input} *first = batch + ${from} * ${size};`,
      ...pairVolume(operands, layout, `image + ${to} * ${layout.volumePitch}`, 'first', second, level),
    ]
    const filled =
      pairing === 'columns'
        ? loop('channel', 0, channels, 1, channel('channel', 'channel', 'first'))
        : loop(
            'g',
            0,
            groups,
            1,
            loop(
              'k',
              0,
              wide.inputs,
              1,
              channel(`(g * ${wide.inputs} + k)`, `(g * ${inputs} + 2 * k)`, partnerOf(inputs, 'first', `first + ${size}`)),
            ),
          )
    const image = ['i32 *image = (i32 *)scratch;', `const ${input} *batch = x0 + n * ${channels * size};`, ...filled]
    return [
      ...stageLines(operands, layout, level),
      ...spreadLines(kernel, { arithmetic: pairs, convolution: wide, layout, weight: 'weights', image }, level),
    ]
  },
})

/** Which method fits; see the same for floats in `convolution.ts`. */
function methodOf(kernel: AnchoredKernel, level: Level): Method {
  const { convolution, input, weight, inputZeroPoint, weightZeroPoint } = operandsOf(kernel)
  const fits = fitsPairs(input, [inputZeroPoint]) && fitsPairs(weight, weightZeroPoint)
  if (!fits || convolution.inputs === 0) return scalarIntegerConvolution
  const single = [...convolution.window, ...convolution.stride].every((size) => size === 1)
  if (single && !isPadded(convolution)) {
    const lanes = lanesOf(level)
    return isConstant(kernel) && 2 * volume(convolution.output) <= lanes && convolution.outputs >= lanes ? fewPixels : pointwise
  }
  return convolution.inputs === 1 && convolution.outputs <= 4 ? planar : spread
}

export const convInteger: Template = {
  kind: 'template',
  storesRows: true,
  tiled: true,
  body: (kernel, level) => methodOf(kernel, level).body(kernel, level),
  scratch: (kernel, level) => methodOf(kernel, level).scratch?.(kernel, level) ?? 0,
  pack: (kernel, index, level) => methodOf(kernel, level).pack?.(kernel, index, level),
  fuses: (kernel, level) => methodOf(kernel, level).fuses?.(kernel, level) ?? true,
}
