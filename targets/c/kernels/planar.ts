import { resultDomain } from '../access.ts'
import { type Arithmetic, singles } from '../arithmetic.ts'
import { type Level, lanesOf } from '../level.ts'
import { loadLanes, storeAfter } from '../steps.ts'
import { block, type Lines, loop } from '../text.ts'
import { convolutionOf, type Method } from './method.ts'
import { type AnchoredKernel, pointersOf } from './template.ts'
import { isPadded, paddedExtents, positionOf, volume, type Windowed } from './windowed.ts'

/**
 * Window ops on one channel plane at a time, vectorised along the width. A plane that has padding or a stride is first copied into
 * working storage, with its columns sorted by their phase (column mod stride): then every element under the window is an unaligned
 * vector load, whatever stride and dilation are.
 */
export interface Planar {
  readonly windowed: Windowed
  /** Elements of a volume of the input. */
  readonly inputVolume: number
  /** Result planes of each input plane. */
  readonly multiplier: number
  /** Default: f32. */
  readonly arithmetic?: Arithmetic
  readonly layout: Layout
  /** Statements that copy one volume of the input as the layout says, where it is copied. */
  readonly copy: (to: string, from: string) => Lines
  /** Statements before a result plane `c`. */
  readonly prepare: Lines
  /** A vector's initial accumulator, and how one more element under the window goes in; `tap` is a C expression. */
  readonly initial: string
  readonly combine: (accumulator: string, value: string, tap: string) => string
  /** Statements after the last element, on the accumulator at row `y`, column `x`. */
  readonly finish: (accumulator: string, y: string, count: number) => Lines
}

/** How planes lie in memory where windows slide over them: as they are, or copied with padding and sorted columns. */
export interface Layout {
  readonly copied: boolean
  readonly phases: number
  /** Elements of one phase of a row. */
  readonly phaseWidth: number
  /** From one phase of a row to the next. */
  readonly phasePitch: number
  readonly rowPitch: number
  readonly planePitch: number
  /** From one volume to the next. */
  readonly volumePitch: number
  /** Bytes of the copies. */
  readonly bytes: number
}

/** The layout of so many volumes at a time; with `apart` they are always copied, and the phases of a volume lie one behind another. */
export function layoutOf(windowed: Windowed, level: Level, volumes = 1, apart = false): Layout {
  const { window, stride, dilation } = windowed
  const [depth, height, width] = paddedExtents(windowed)
  const phases = stride[2]
  const copied = apart || isPadded(windowed) || phases > 1 || stride[1] > 1
  const phaseWidth = Math.ceil(width / phases)
  const rowPitch = apart ? phaseWidth : copied ? phases * phaseWidth : width
  // A sweep may read past the last row by less than its stride, and its last vector past the end of that.
  const slack = (stride[1] - 1) * rowPitch + window[2] * dilation[2] + lanesOf(level)
  const planePitch = rowPitch * height
  const phasePitch = apart ? planePitch * depth : phaseWidth
  const volumePitch = planePitch * depth * (apart ? phases : 1)
  const bytes = copied ? Math.ceil((4 * (volumes * volumePitch + slack)) / 64) * 64 : 0
  return { copied, phases, phaseWidth, phasePitch, rowPitch, planePitch, volumePitch, bytes }
}

/** The statement that copies a volume as the layout says. */
export function copyPlane(windowed: Windowed, layout: Layout, to: string, from: string, padding: string): string {
  const { input, before } = windowed
  const [depth, height] = paddedExtents(windowed)
  return layout.phases === 1
    ? `gp_pad_f32(${to}, ${from}, ${padding}, 1, ${[...input, ...paddedExtents(windowed), ...before].join(', ')});`
    : `gp_phases_f32(${to}, ${from}, ${padding}, ${[layout.phases, ...input, depth, height, layout.phaseWidth, ...before].join(', ')});`
}

/** From the column under the first element of a window to that under another of its row. */
export const columnOffset = ({ dilation }: Windowed, layout: Layout, tap: number): number =>
  ((tap * dilation[2]) % layout.phases) * layout.phasePitch + Math.floor((tap * dilation[2]) / layout.phases)

export const planarScratch = (windowed: Windowed, level: Level): number => layoutOf(windowed, level).bytes

/** Windows up to this many elements are written out. */
const writtenOut = 25
export const isSwept = ({ window, dilation }: Windowed) => window[0] === 1 && dilation[1] === 1 && volume(window) <= writtenOut

export function planarLines(kernel: AnchoredKernel, planar: Planar, level: Level): Lines {
  const { windowed, inputVolume, multiplier, layout, copy, arithmetic = singles } = planar
  const { batch, channels, output } = windowed
  const lanes = lanesOf(level)
  const source = `x0 + (n * ${channels} + channel) * ${inputVolume}`
  const column = (count: number) =>
    isSwept(windowed) ? sweepLines(kernel, planar, count, level) : windowLines(kernel, planar, count, level)
  const rest = output[2] % lanes
  return loop(
    'n',
    0,
    batch,
    1,
    loop('channel', 0, channels, 1, [
      ...(layout.copied
        ? [`${arithmetic.element} *plane = (${arithmetic.element} *)scratch;`, ...copy('plane', source)]
        : [`const ${arithmetic.element} *plane = ${source};`]),
      ...loop('multiple', 0, multiplier, 1, [
        `const long c = channel * ${multiplier} + multiple;`,
        ...planar.prepare,
        ...loop('z', 0, output[0], 1, [
          ...loop('x', 0, output[2] - rest, lanes, column(lanes)),
          ...(rest > 0 ? loop('x', output[2] - rest, output[2], rest, column(rest)) : []),
        ]),
      ]),
    ]),
  )
}

/** Bytes past the end of a copied plane may be read; an input that is read where it is ends exactly. */
const loadAt = ({ layout, arithmetic = singles }: Planar, pointer: string, offset: string, count: number, level: Level) =>
  loadLanes(pointer, offset, layout.copied ? lanesOf(level) : count, level, arithmetic.element)

function store(kernel: AnchoredKernel, planar: Planar, accumulator: string, y: string, count: number, level: Level): Lines {
  const domain = resultDomain(kernel)
  const position = positionOf(kernel.domain.length, 'n', 'c', ['z', y, 'x'])
  return [...planar.finish(accumulator, y, count), ...storeAfter(domain, position, count, accumulator, pointersOf(kernel), level)]
}

/**
 * One vector of columns from top to bottom. Each pass reads `stride` input rows, each vector once, and adds them to all result rows that
 * they are under: `c0`, the one that begins here, up to the oldest, which is complete after the pass. The others are handed on.
 */
function sweepLines(kernel: AnchoredKernel, planar: Planar, count: number, level: Level): Lines {
  const { layout, arithmetic = singles } = planar
  const { element, vector } = arithmetic
  const { window, stride, output } = planar.windowed
  const carried = Math.ceil(window[1] / stride[1]) - 1
  const rows = Array.from({ length: stride[1] }, (_, row) => row)
  const loads = rows.flatMap((row) =>
    Array.from({ length: window[2] }, (_, kx) => {
      const uses = Array.from({ length: carried + 1 }, (_, age) => ({ age, ky: stride[1] * age + row })).filter(
        ({ ky }) => ky < window[1],
      )
      if (uses.length === 0) return []
      const adds = uses.map(({ age, ky }) => planar.combine(`c${age}`, 'v', String(ky * window[2] + kx)))
      return [
        `{ const ${vector} v = ${loadAt(planar, 'p', String(row * layout.rowPitch + columnOffset(planar.windowed, layout, kx)), count, level)}; ${adds.join(' ')} }`,
      ]
    }).flat(),
  )
  const finished = `c${carried}`
  const stores = store(kernel, planar, finished, 'y', count, level)
  const older = Array.from({ length: carried }, (_, age) => `c${carried - age} = c${carried - age - 1};`)
  return [
    ...(carried > 0
      ? [`${vector} ${Array.from({ length: carried }, (_, age) => `c${age + 1} = ${planar.initial}`).join(', ')};`]
      : []),
    `const ${element} *p = plane + z * ${planar.windowed.stride[0] * layout.planePitch} + x;`,
    ...loop('y', -carried, output[1], 1, [
      `${vector} c0 = ${planar.initial};`,
      ...loads,
      ...(carried > 0 ? block('if (y >= 0)', stores) : stores),
      ...older,
      `p += ${stride[1] * layout.rowPitch};`,
    ]),
  ]
}

/** One vector of columns, each result row by itself: for windows that are deep, dilated along the height, or large. */
function windowLines(kernel: AnchoredKernel, planar: Planar, count: number, level: Level): Lines {
  const { layout, arithmetic = singles } = planar
  const { element, vector } = arithmetic
  const { window, stride, dilation, output } = planar.windowed
  const at =
    layout.phases === 1
      ? `kx * ${dilation[2]}`
      : `kx * ${dilation[2]} % ${layout.phases} * ${layout.phasePitch} + kx * ${dilation[2]} / ${layout.phases}`
  const taps = [
    `const ${vector} v = ${loadAt(planar, 'q', at, count, level)};`,
    planar.combine('c0', 'v', `(kz * ${window[1]} + ky) * ${window[2]} + kx`),
  ]
  return loop('y', 0, output[1], 1, [
    `${vector} c0 = ${planar.initial};`,
    `const ${element} *p = plane + z * ${stride[0] * layout.planePitch} + y * ${stride[1] * layout.rowPitch} + x;`,
    ...loop(
      'kz',
      0,
      window[0],
      1,
      loop('ky', 0, window[1], 1, [
        `const ${element} *q = p + kz * ${dilation[0] * layout.planePitch} + ky * ${dilation[1] * layout.rowPitch};`,
        ...loop('kx', 0, window[2], 1, taps),
      ]),
    ),
    ...store(kernel, planar, 'c0', 'y', count, level),
  ])
}

/** Convolution where each result plane reads one input plane. */
export const planarConvolution: Method = {
  scratch: (kernel, level) => planarScratch(convolutionOf(kernel), level),
  body(kernel, level) {
    const convolution = convolutionOf(kernel)
    const taps = volume(convolution.window)
    const swept = isSwept(convolution)
    const layout = layoutOf(convolution, level)
    const weights = Array.from({ length: taps }, (_, tap) => `w${tap} = SPLAT(weight[${tap}])`)
    const planar: Planar = {
      windowed: convolution,
      inputVolume: volume(convolution.input),
      multiplier: convolution.outputs,
      layout,
      copy: (to, from) => [copyPlane(convolution, layout, to, from, '0.0f')],
      // Named vectors: the compiler cannot know that results are not stored over the weights.
      prepare: [
        `const f32 *weight = x1 + c * ${taps};`,
        ...(swept ? [`const vf ${weights.join(', ')};`] : []),
        ...(convolution.bias ? ['const vf bias = SPLAT(x2[c]);'] : []),
      ],
      initial: convolution.bias ? 'bias' : 'SPLAT(0.0f)',
      combine: (accumulator, value, tap) => `MAC(${accumulator}, ${value}, ${swept ? `w${tap}` : `SPLAT(weight[${tap}])`});`,
      finish: () => [],
    }
    return planarLines(kernel, planar, level)
  },
}
