import { type Level, lanesOf } from '../level.ts'
import { loadLanes, storeAfter } from '../steps.ts'
import { block, type Lines, loop } from '../text.ts'
import { type Convolution, convolutionOf, flatSpace, type Method } from './method.ts'
import { type AnchoredKernel, pointersOf } from './template.ts'
import { split, type TileStep, tileLines } from './tile.ts'
import { isPadded, paddedExtents, volume } from './windowed.ts'

/** Width of a panel of weights: `[groups][outputs / panel][inputs][window][panel]`, the last panel of a group filled up with zeros. */
const panelOf = (level: Level) => level.tile.vectors * lanesOf(level)
const panelCount = (convolution: Convolution, level: Level) => Math.ceil(convolution.outputs / panelOf(level))
const panelDepth = ({ inputs, window }: Convolution) => inputs * volume(window)
const packedBytes = (convolution: Convolution, level: Level) =>
  4 * convolution.groups * panelCount(convolution, level) * panelDepth(convolution) * panelOf(level)
const paddedBytes = (convolution: Convolution) =>
  isPadded(convolution) ? Math.ceil((4 * convolution.channels * volume(paddedExtents(convolution))) / 64) * 64 : 0

function packPanels(dense: Uint8Array, convolution: Convolution, level: Level): Uint8Array {
  const [from, width, depth, panels] = [
    new Uint32Array(dense.buffer.slice(dense.byteOffset, dense.byteOffset + dense.byteLength)),
    panelOf(level),
    panelDepth(convolution),
    panelCount(convolution, level),
  ]
  const to = new Uint32Array(packedBytes(convolution, level) / 4)
  for (let group = 0; group < convolution.groups; group++) {
    for (let output = 0; output < convolution.outputs; output++) {
      const panel = group * panels + Math.floor(output / width)
      const row = (group * convolution.outputs + output) * depth
      for (let k = 0; k < depth; k++) to[(panel * depth + k) * width + (output % width)] = from[row + k]!
    }
  }
  return new Uint8Array(to.buffer)
}

/**
 * Tiles of pixels × channels: each pixel of the input is broadcast and multiplied with vectors of packed weights. The strides, dilation
 * and paddings of any window are only addresses then. Padded inputs are copied into working storage first, so that no loop checks bounds.
 */
export const directConvolution: Method = {
  fuses: (kernel) => flatSpace(kernel) !== undefined,
  scratch: (kernel, level) => {
    const convolution = convolutionOf(kernel)
    return paddedBytes(convolution) + (kernel.inputs[1]!.constant ? 0 : packedBytes(convolution, level))
  },
  pack(kernel, index, level) {
    if (index !== 1) return undefined
    const convolution = convolutionOf(kernel)
    const { groups, outputs } = convolution
    return {
      key: `convolution panels ${groups}x${outputs}x${panelDepth(convolution)} by ${panelOf(level)}`,
      bytes: packedBytes(convolution, level),
      pack: (dense) => packPanels(dense, convolution, level),
    }
  },
  body(kernel, level) {
    const convolution = convolutionOf(kernel)
    const { batch, channels, groups, inputs, outputs, input, before, bias } = convolution
    const [extents, width, depth] = [paddedExtents(convolution), panelOf(level), panelDepth(convolution)]
    const constant = kernel.inputs[1]!.constant
    const panels = split(outputs, width)
    const atPanel = (count: number) => [
      `const f32 *weight = packed + (g * ${panelCount(convolution, level)} + o / ${width}) * ${depth * width};`,
      ...(bias ? [`const f32 *bias = x2 + g * ${outputs} + o;`] : []),
      ...pixelLoops(kernel, convolution, count, level),
    ]
    const padded = isPadded(convolution)
    return [
      ...(constant ? ['const f32 *packed = x1;'] : repackLines(convolution, level)),
      ...loop('n', 0, batch, 1, [
        ...(padded
          ? [
              'f32 *image = (f32 *)scratch;',
              `gp_pad_f32(image, x0 + n * ${channels * volume(input)}, 0.0f, ${[channels, ...input, ...extents, ...before].join(', ')});`,
            ]
          : [`const f32 *image = x0 + n * ${channels * volume(input)};`]),
        ...loop('g', 0, groups, 1, [
          `const f32 *plane = image + g * ${inputs * volume(extents)};`,
          ...loop('o', 0, panels.whole, width, atPanel(width)),
          ...(panels.rest > 0 ? loop('o', panels.whole, outputs, panels.rest, atPanel(panels.rest)) : []),
        ]),
      ]),
    ]
  },
}

/** Weights that are computed at run time are brought into panels by the kernel itself. */
function repackLines(convolution: Convolution, level: Level): Lines {
  const { groups, outputs } = convolution
  const [width, depth, panels] = [panelOf(level), panelDepth(convolution), panelCount(convolution, level)]
  return [
    `f32 *packed = (f32 *)(scratch + ${paddedBytes(convolution)});`,
    ...loop(
      'g',
      0,
      groups,
      1,
      loop('o', 0, panels * width, 1, [
        `f32 *to = packed + (g * ${panels} + o / ${width}) * ${depth * width} + o % ${width};`,
        ...loop('k', 0, depth, 1, [`to[k * ${width}] = o < ${outputs} ? x1[(g * ${outputs} + o) * ${depth} + k] : 0.0f;`]),
      ]),
    ),
  ]
}

/** All pixels for the channels `o` … `o + count` of group `g`. */
function pixelLoops(kernel: AnchoredKernel, convolution: Convolution, count: number, level: Level): Lines {
  const { output, stride } = convolution
  const [, height, width] = paddedExtents(convolution)
  const pixels = volume(output)
  const size = level.tile.rows
  const corner = (z: string, y: string, x: string) =>
    `plane + ${z} * ${stride[0] * height * width} + ${y} * ${stride[1] * width} + ${x} * ${stride[2]}`
  if (output[2] % size === 0) {
    // Tiles lie within a row of the result: one pointer and constant distances.
    const tile = tileAt(kernel, convolution, size, count, ['p'], level)
    return loop(
      'z',
      0,
      output[0],
      1,
      loop(
        'y',
        0,
        output[1],
        1,
        loop('x', 0, output[2], size, [
          `const long pixel = (z * ${output[1]} + y) * ${output[2]} + x;`,
          `const f32 *p = ${corner('z', 'y', 'x')};`,
          ...tile,
        ]),
      ),
    )
  }
  const tiles = split(pixels, size)
  const some = (rows: number) => {
    const names = Array.from({ length: rows }, (_, row) => `p${row}`)
    const pointers = names.map((name, row) => {
      const at = `(pixel + ${row})`
      const y = output[0] === 1 ? `${at} / ${output[2]}` : `${at} / ${output[2]} % ${output[1]}`
      return `const f32 *${name} = ${corner(output[0] === 1 ? '0' : `${at} / ${output[1] * output[2]}`, y, `(${at} % ${output[2]})`)};`
    })
    return [...pointers, ...tileAt(kernel, convolution, rows, count, names, level)]
  }
  return [
    ...loop('pixel', 0, tiles.whole, size, some(size)),
    ...(tiles.rest > 0 ? loop('pixel', tiles.whole, pixels, tiles.rest, some(tiles.rest)) : []),
  ]
}

/** The tile of `rows` pixels from `pixel` on and `count` channels from `o` on; `pointers` are one for all pixels or one for each. */
function tileAt(
  kernel: AnchoredKernel,
  convolution: Convolution,
  rows: number,
  count: number,
  pointers: readonly string[],
  level: Level,
): Lines {
  const { outputs, stride, bias } = convolution
  const lanes = lanesOf(level)
  const vectors = Math.ceil(count / lanes)
  const channels = (vector: number) => Math.min(lanes, count - vector * lanes)
  const body = tileLines({
    rows,
    vectors,
    initial: (_, vector) => (bias ? `bias${vector}` : 'SPLAT(0.0f)'),
    inner: (write) => innerLoops(convolution, pointers, (row) => (pointers.length === 1 ? row * stride[2] : 0), write, level),
  })
  const domain = flatSpace(kernel)!
  // Pixels leave by as many as fill a vector.
  const groups = Array.from({ length: Math.ceil(rows / lanes) }, (_, group) => group * lanes)
  const stores = Array.from({ length: vectors }, (_, vector) =>
    groups.flatMap((first) => {
      const accumulators = Array.from({ length: Math.min(lanes, rows - first) }, (_, row) => `c${first + row}_${vector}`)
      const transposed = accumulators.length === lanes && lanes === 4
      return block('', [
        ...(transposed
          ? [
              `vf ${accumulators.map((_, lane) => `r${lane}`).join(', ')};`,
              `TRANSPOSE(${accumulators.join(', ')}, ${accumulators.map((_, lane) => `r${lane}`).join(', ')});`,
              ...accumulators.slice(channels(vector)).map((_, i) => `(void)r${channels(vector) + i};`),
            ]
          : []),
        ...Array.from({ length: channels(vector) }, (_, lane) => {
          const pixelsOfChannel = Array.from({ length: lanes }, (_, row) =>
            accumulators[row] ? `${accumulators[row]}[${lane}]` : '0.0f',
          )
          const declared = transposed ? [] : [`const vf r${lane} = {${pixelsOfChannel.join(', ')}};`]
          const channel = `g * ${outputs} + o + ${vector * lanes + lane}`
          const pixel = first > 0 ? `pixel + ${first}` : 'pixel'
          return [
            ...declared,
            ...storeAfter(domain, ['n', channel, pixel], accumulators.length, `r${lane}`, pointersOf(kernel), level),
          ]
        }).flat(),
      ])
    }),
  )
  const biases = bias
    ? Array.from(
        { length: vectors },
        (_, vector) => `const vf bias${vector} = ${loadLanes('bias', String(vector * lanes), channels(vector), level)};`,
      )
    : []
  return [...biases, 'const f32 *w = weight;', ...body, ...stores.flat()]
}

/** Loops over input channels and window around one step; the weights are read in exactly this order. */
function innerLoops(
  convolution: Convolution,
  pointers: readonly string[],
  pixelOffset: (row: number) => number,
  write: (steps: readonly TileStep[]) => Lines,
  level: Level,
): Lines {
  const { inputs, window, dilation } = convolution
  const extents = paddedExtents(convolution)
  const [, height, width] = extents
  const panel = panelOf(level)
  const step = (at: (row: number) => string): TileStep => ({
    broadcast: at,
    stream: (vector) => `LOAD(w + ${vector * lanesOf(level)})`,
  })
  const element = (offset: string) => (row: number) =>
    `${pointers[pointers.length === 1 ? 0 : row]!}[${offset}${pixelOffset(row) > 0 ? ` + ${pixelOffset(row)}` : ''}]`
  const channels = (body: Lines) =>
    loop('i', 0, inputs, 1, [...body, ...pointers.map((pointer) => `${pointer} += ${volume(extents)};`)])
  const taps = volume(window)
  if (taps === 1) return channels([...write([step(element('0'))]), `w += ${panel};`])
  const offsets = Array.from({ length: taps }, (_, tap) => {
    const [kz, ky, kx] = [Math.floor(tap / (window[1] * window[2])), Math.floor(tap / window[2]) % window[1], tap % window[2]]
    return (kz * dilation[0] * height + ky * dilation[1]) * width + kx * dilation[2]
  })
  return [
    `static const i32 offsets[${taps}] = {${offsets.join(', ')}};`,
    ...channels(
      loop('tap', 0, taps, 1, [
        ...(pointers.length === 1
          ? [`const f32 *q = ${pointers[0]} + offsets[tap];`, ...write([step((row) => `q[${pixelOffset(row)}]`)])]
          : ['const long at = offsets[tap];', ...write([step(element('at'))])]),
        `w += ${panel};`,
      ]),
    ),
  ]
}
