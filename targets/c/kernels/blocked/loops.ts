import { resultDomain } from '../../access.ts'
import { storeElement } from '../../steps.ts'
import { sharedNest } from '../../team.ts'
import { block, loop, sum } from '../../text.ts'
import type { Method } from '../method.ts'
import { pointersOf } from '../template.ts'
import { volume } from '../windowed.ts'
import { windowBounds } from './rowTiles.ts'
import { blockedConvolutionOf, blockedPosition } from './sizes.ts'

/** For weights that are computed at run time, which nobody can bring into the order of tiles at build: one element after the other. */
export const plainLoops: Method = {
  body(kernel, level) {
    const sizes = blockedConvolutionOf(kernel, level)
    const { window, output, stride, dilation, before, strides, block: lanes, inputs, outputs, outputChannels } = sizes
    const taps = volume(window)
    const names = ['z', 'y', 'x'] as const
    const bounds = ([0, 1, 2] as const).map((axis) => windowBounds(sizes, axis, names[axis]))
    const along = [strides.plane, strides.row, strides.column] as const
    const at = sum(
      [
        ['n', strides.image],
        [`((channel + i) / ${lanes})`, strides.block],
        [`((channel + i) % ${lanes})`, strides.lane],
        ...names.flatMap((name, axis): [string, number][] => [
          [name, stride[axis]! * along[axis]!],
          [`k${name}`, dilation[axis]! * along[axis]!],
        ]),
      ],
      -names.reduce((total, _, axis) => total + before[axis]! * along[axis]!, 0),
    )
    const product = `total += (f64)x0[${at}] * x1[(o * ${inputs} + i) * ${taps} + (kz * ${window[1]} + ky) * ${window[2]} + kx];`
    const windows = names.reduceRight(
      (lines, name, axis) =>
        block(`for (long k${name} = ${bounds[axis]!.first}; k${name} < ${bounds[axis]!.end}; k${name}++)`, lines),
      [product],
    )
    const position = blockedPosition(sizes, 'n', 'block', names).slice(0, -1)
    return sharedNest(
      level,
      [
        ['block', sizes.outputBlocks],
        ['n', sizes.batch],
        ['z', output[0]],
        ['y', output[1]],
        ['x', output[2]],
        ['lane', lanes],
      ],
      [
        `const long o = block * ${lanes} + lane;`,
        'f64 total = 0.0;',
        ...block(`if (o < ${outputChannels})`, [
          `const long channel = o / ${outputs} * ${inputs};`,
          ...loop('i', 0, inputs, 1, windows),
          ...(sizes.bias ? ['total += x2[o];'] : []),
        ]),
        'const f32 element = (f32)total;',
        ...storeElement(resultDomain(kernel), [...position, 'lane'], 'element', pointersOf(kernel)),
      ],
    )
  },
}
