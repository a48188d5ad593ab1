import { type Level, lanesOf } from '../level.ts'
import { loadLanes } from '../steps.ts'
import type { Lines } from '../text.ts'
import { loop } from '../text.ts'
import { blockedAvgPool, blockedMaxPool, blockedPoolOf } from './blocked/pool.ts'
import { copyPlane, layoutOf, planarLines, planarScratch } from './planar.ts'
import { scalarAvgPool, scalarMaxPool } from './scalarWindow.ts'
import type { AnchoredKernel, Template } from './template.ts'
import { isPadded, type Triple, volume, type Windowed, windowedOf } from './windowed.ts'

const poolOf = (kernel: AnchoredKernel): Windowed => windowedOf(kernel, kernel.anchor.attributes.window as readonly number[])
const isSingle = (kernel: AnchoredKernel) => kernel.anchor.type.dtype === 'f32'

export const maxPool: Template = {
  kind: 'template',
  storesRows: true,
  scratch: (kernel, level) => (isSingle(kernel) && !blockedPoolOf(kernel, level) ? planarScratch(poolOf(kernel), level) : 0),
  body(kernel, level) {
    const blocked = blockedPoolOf(kernel, level)
    if (blocked) return blockedMaxPool(kernel, blocked, level)
    if (!isSingle(kernel)) return scalarMaxPool.body(kernel, level)
    const windowed = poolOf(kernel)
    return planarLines(
      kernel,
      {
        windowed,
        inputVolume: volume(windowed.input),
        multiplier: 1,
        layout: layoutOf(windowed, level),
        copy: (to, from) => [copyPlane(windowed, layoutOf(windowed, level), to, from, '-__builtin_inff()')],
        prepare: [],
        initial: 'SPLAT(-__builtin_inff())',
        combine: (accumulator, value) => `${accumulator} = gp_max_v(${accumulator}, ${value});`,
        finish: () => [],
      },
      level,
    )
  },
}

/** Whether the divisor depends on the position: how many elements under the window are not padding. */
const countsVary = (kernel: AnchoredKernel) => !kernel.anchor.attributes.countPadding && isPadded(poolOf(kernel))

const countBytes = ({ output }: Windowed, level: Level) =>
  Math.ceil((4 * (output[0] + output[1] + output[2] + lanesOf(level))) / 64) * 64

/** Tables of how many window elements lie inside along each axis, made at the start of the call. */
function countLines(windowed: Windowed, offset: number): Lines {
  const { output, window, stride, dilation, before, input } = windowed
  const starts: Triple = [0, output[0], output[0] + output[1]]
  return [
    `f32 *counts = (f32 *)(scratch + ${offset});`,
    ...[0, 1, 2].flatMap((axis) =>
      loop('i', 0, output[axis]!, 1, [
        'long count = 0;',
        ...loop('k', 0, window[axis]!, 1, [
          `const long at = i * ${stride[axis]} + k * ${dilation[axis]} - ${before[axis]};`,
          `count += at >= 0 && at < ${input[axis]};`,
        ]),
        `counts[${starts[axis]} + i] = (f32)count;`,
      ]),
    ),
  ]
}

export const avgPool: Template = {
  kind: 'template',
  storesRows: true,
  scratch: (kernel, level) =>
    isSingle(kernel) && !blockedPoolOf(kernel, level)
      ? planarScratch(poolOf(kernel), level) + (countsVary(kernel) ? countBytes(poolOf(kernel), level) : 0)
      : 0,
  body(kernel, level) {
    if (!isSingle(kernel)) return scalarAvgPool.body(kernel, level)
    const blocked = blockedPoolOf(kernel, level)
    if (blocked) return blockedAvgPool(kernel, blocked, level)
    const windowed = poolOf(kernel)
    const varying = countsVary(kernel)
    const [depth, height] = windowed.output
    const divisor = (y: string, count: number) =>
      varying
        ? `(${loadLanes('counts', `${depth + height} + x`, count, level)} * SPLAT(counts[z] * counts[${depth} + ${y}]))`
        : `SPLAT(${volume(windowed.window)}.0f)`
    return [
      ...(varying ? countLines(windowed, planarScratch(windowed, level)) : []),
      ...planarLines(
        kernel,
        {
          windowed,
          inputVolume: volume(windowed.input),
          multiplier: 1,
          layout: layoutOf(windowed, level),
          copy: (to, from) => [copyPlane(windowed, layoutOf(windowed, level), to, from, '0.0f')],
          prepare: [],
          initial: 'SPLAT(0.0f)',
          combine: (accumulator, value) => `${accumulator} += ${value};`,
          finish: (accumulator, y, count) => [`${accumulator} = ${accumulator} / ${divisor(y, count)};`],
        },
        level,
      ),
    ]
  },
}
